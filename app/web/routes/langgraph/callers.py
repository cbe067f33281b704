"""Who is calling through the dialect: a bearer token as everywhere, or the same token as the SDKs' `x-api-key`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from sqlmodel import Session

from app.auth.people import sign_in
from app.auth.roles import Principal
from app.errors import NotSignedInError
from app.web.dependencies import get_session


def get_client(request: Request, session: Annotated[Session, Depends(get_session, scope="function")]) -> Principal:
    """The person whose token a client sends. The page's cookie is good for nothing here."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return sign_in(session, token.strip())
    if "authorization" not in request.headers and "x-api-key" in request.headers:
        return sign_in(session, request.headers["x-api-key"].strip())
    raise NotSignedInError("no_token", "no token was sent", "send `Authorization: Bearer …` or `x-api-key: …`")


Client = Annotated[Principal, Depends(get_client, scope="function")]
