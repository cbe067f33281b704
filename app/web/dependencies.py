"""What every route needs: the service, a transaction, and who is calling."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from sqlmodel import Session

from app.auth.browsers import form_token, whose_session
from app.auth.people import sign_in
from app.auth.roles import Principal
from app.errors import ForbiddenError, NotSignedInError
from app.service import Service

COOKIE = "evenkeel_token"
"""A person's token, kept by the page for reading."""
SESSION_COOKIE = "__Host-evenkeel"
"""A browser's session after a login. The prefix binds it to this host and to TLS; browsers see to that."""
FORM_TOKEN = "X-Form-Token"  # noqa: S105  the name of a header
READS = ("GET", "HEAD", "OPTIONS")


def get_service(request: Request) -> Service:
    """The service that this application serves."""
    service: Service = request.app.state.service
    return service


def get_session(request: Request, service: Annotated[Service, Depends(get_service)]) -> Iterator[Session]:
    """One transaction for one request: committed when the route returns, rolled back when it raises."""
    with service.database.transaction() as session:
        request.state.session = session
        yield session


def get_principal(request: Request, session: Annotated[Session, Depends(get_session, scope="function")]) -> Principal:
    """The caller: by bearer token or key, or by the session of their browser, which changes things only for our own pages.

    The page's token cookie is good for reading only, so a foreign form can change nothing.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return sign_in(session, token.strip())
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie:
        found = whose_session(session, get_service(request).settings, cookie)
        if request.method not in READS:
            require_own_page(request, cookie, request.headers.get(FORM_TOKEN, ""))
        return found
    if request.method in READS and COOKIE in request.cookies:
        return sign_in(session, request.cookies[COOKIE])
    raise NotSignedInError("no_token", "no bearer token was sent", "send `Authorization: Bearer …`")


def require_own_page(request: Request, cookie: str, token: str) -> None:
    """Raise ForbiddenError unless a page of ours sent this: by what the browser says of it, and by the token that it knows."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    address = get_service(request).settings.public_url
    ours = urlsplit(address).netloc if address else request.headers.get("host", "")
    said = [site == "same-origin"] if site is not None else []
    said += [urlsplit(origin).netloc == ours != ""] if origin is not None else []
    if not said or not all(said) or not hmac.compare_digest(form_token(cookie).encode(), token.encode()):
        raise ForbiddenError(
            "cross_site",
            "a page of somebody else asked for this, or it cannot be told whose",
            "use the pages of Evenkeel",
        )


def keep(answer: Response, name: str, value: str, seconds: int) -> None:
    """A cookie that scripts cannot read and that no other host, and no page without TLS, can set or get."""
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def forget(answer: Response, name: str) -> None:
    """Have the browser drop such a cookie."""
    answer.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


InService = Annotated[Service, Depends(get_service)]
InSession = Annotated[Session, Depends(get_session, scope="function")]
Caller = Annotated[Principal, Depends(get_principal, scope="function")]
