"""Logging in with the organisation's directory, in the browser."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from app.auth.browsers import begin_session
from app.auth.directory import Directory
from app.auth.jwts import not_valid
from app.auth.login import ATTEMPT_MINUTES, CALLBACK, Login, take_attempt
from app.auth.people import DIRECTORY
from app.db.database import database_now
from app.errors import NotFoundError, NotSignedInError
from app.ui.sign_in import sign_in_page
from app.web.dependencies import InService, InSession, forget, keep, session_cookie

router = APIRouter(include_in_schema=False)
ATTEMPT_COOKIE = "__Host-evenkeel-login"
Part = Annotated[str, Query(max_length=4_000)]


@router.get("/login")
def log_in(request: Request, session: InSession) -> Response:
    """Send the browser to the directory."""
    url, browser = _login(request).begin(session)
    answer = RedirectResponse(url, 303)
    keep(request, answer, ATTEMPT_COOKIE, browser, ATTEMPT_MINUTES * 60)
    return answer


@router.get(CALLBACK)
def come_back(request: Request, service: InService, state: Part = "", code: Part = "", iss: Part = "") -> Response:
    """Take the directory's answer, and begin a new session. Whatever the browser had before is over.

    What the answer has to fit is forgotten first: whoever sends it again, or another one, finds nothing.
    """
    login = _login(request)
    with service.database.transaction() as session:
        attempt = take_attempt(session, request.cookies.get(ATTEMPT_COOKIE, ""), state)
        now = database_now(session)
    try:
        if attempt is None or not code:
            raise not_valid()
        claims = login.claims(attempt, {"code": code, **({"iss": iss} if iss else {})}, now)
        with service.database.transaction() as session:
            directory: Directory = session.info[DIRECTORY]
            person = directory.known(session, login.issuer, claims)
            before = request.cookies.get(session_cookie(request))
            cookie = begin_session(session, service.settings, person.user_id, before, "directory")
    except NotSignedInError:
        return sign_in_page(request, "The directory did not say who you are, or you are nobody here.")
    answer = RedirectResponse("/", 303)
    keep(request, answer, session_cookie(request), cookie, service.settings.session_hours * 3600)
    forget(request, answer, ATTEMPT_COOKIE)
    return answer


def _login(request: Request) -> Login:
    login: Login | None = request.app.state.login
    if login is None:
        raise NotFoundError("no_directory", "there is no directory to log in with", "sign in with a token")
    return login
