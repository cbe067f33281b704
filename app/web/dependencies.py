"""What every route needs: the service, a transaction, and who is calling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlmodel import Session

from app.auth.people import sign_in
from app.auth.roles import Principal
from app.errors import NotSignedInError
from app.service import Service

COOKIE = "evenkeel_token"
_READS = ("GET", "HEAD")


def get_service(request: Request) -> Service:
    """The service that this application serves."""
    service: Service = request.app.state.service
    return service


def get_session(service: Annotated[Service, Depends(get_service)]) -> Iterator[Session]:
    """One transaction for one request: committed when the route returns, rolled back when it raises."""
    with service.database.transaction() as session:
        yield session


def get_principal(request: Request, session: Annotated[Session, Depends(get_session, scope="function")]) -> Principal:
    """The caller, by bearer token. The page's cookie is good for reading only, so a foreign form can change nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return sign_in(session, token.strip())
    if request.method in _READS and COOKIE in request.cookies:
        return sign_in(session, request.cookies[COOKIE])
    raise NotSignedInError("no_token", "no bearer token was sent", "send `Authorization: Bearer …`")


InService = Annotated[Service, Depends(get_service)]
InSession = Annotated[Session, Depends(get_session, scope="function")]
Caller = Annotated[Principal, Depends(get_principal, scope="function")]
