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

SESSION_COOKIE = "__Host-evenkeel"
"""A browser's session. The prefix binds it to this host and to TLS; browsers see to that."""
PLAIN_COOKIE = "evenkeel"
"""The same where there is no TLS: on one's own machine. Over TLS it is not looked at, so nobody can plant one."""
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
    """The caller: by bearer token or key, or by the session of their browser, which changes things only for our own pages."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return sign_in(session, token.strip())
    cookie = request.cookies.get(session_cookie(request))
    if cookie:
        found = whose_session(session, get_service(request).settings, cookie)
        if request.method not in READS:
            require_own_page(request, cookie, request.headers.get(FORM_TOKEN, ""))
        return found
    raise NotSignedInError("no_token", "no bearer token was sent", "send `Authorization: Bearer …`")


def is_tls(request: Request) -> bool:
    """Whether the browser speaks TLS: to us, or to what stands before us, as the public address says."""
    address = get_service(request).settings.public_url
    return request.url.scheme == "https" or (address is not None and address.startswith("https:"))


def session_cookie(request: Request) -> str:
    """The name of the cookie that holds a browser's session."""
    return SESSION_COOKIE if is_tls(request) else PLAIN_COOKIE


def require_own_page(request: Request, cookie: str, token: str) -> None:
    """Raise ForbiddenError unless a page of ours sent this: by what the browser says of it, and by the token that it knows."""
    if not (says_own_page(request) and hmac.compare_digest(form_token(cookie).encode(), token.encode())):
        raise foreign_page()


def says_own_page(request: Request) -> bool:
    """Whether the browser says that a page of ours sent this. One that says nothing does not.

    Under our referrer policy a form of ours comes with the origin `null`, which says nothing.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    address = get_service(request).settings.public_url
    ours = urlsplit(address).netloc if address else request.headers.get("host", "")
    said = [site == "same-origin"] if site is not None else []
    said += [urlsplit(origin).netloc == ours != ""] if origin not in (None, "null") else []
    return bool(said) and all(said)


def foreign_page() -> ForbiddenError:
    """What is said to a page that is not ours."""
    return ForbiddenError(
        "cross_site", "a page of somebody else asked for this, or it cannot be told whose", "use the pages of Evenkeel"
    )


def keep(request: Request, answer: Response, name: str, value: str, seconds: int) -> None:
    """A cookie that scripts cannot read and, over TLS, no other host and no page without TLS can set or get."""
    answer.set_cookie(
        name, value, max_age=seconds, path="/", secure=is_tls(request), httponly=True, samesite="lax"
    )  # fmt: skip


def forget(request: Request, answer: Response, name: str) -> None:
    """Have the browser drop such a cookie."""
    answer.delete_cookie(name, path="/", secure=is_tls(request), httponly=True, samesite="lax")


InService = Annotated[Service, Depends(get_service)]
InSession = Annotated[Session, Depends(get_session, scope="function")]
Caller = Annotated[Principal, Depends(get_principal, scope="function")]
