"""Signing in and out in the browser."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlmodel import Session

from app.auth.browsers import begin_session, end_session
from app.auth.people import principal_of, sign_in
from app.auth.roles import Kind, Principal
from app.errors import NotFoundError, NotSignedInError
from app.ui.rendering import render
from app.ui.visitor import PageRoute
from app.web.dependencies import (
    InService,
    InSession,
    foreign_page,
    forget,
    get_principal,
    keep,
    require_own_page,
    says_own_page,
    session_cookie,
)

router = APIRouter(route_class=PageRoute)
_OWN_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
Shown = Literal["token", "demo"]
Way = Annotated[str, Query(alias="next", max_length=500)]
WayInForm = Annotated[str, Form(alias="next", max_length=500)]


@router.get("/sign-in")
def offer(request: Request, session: InSession, way: Way = "/", out: bool = False) -> Response:
    """The ways to sign in, for whoever is not. `out`: who was on a page, and is not signed in any more."""
    try:
        get_principal(request, session)
    except NotSignedInError:
        return sign_in_page(request, way=way, out=out)
    return RedirectResponse(_own(way), 303)


def sign_in_page(request: Request, wrong: str = "", way: str = "/", *, out: bool = False) -> Response:
    """The ways to sign in, and what was wrong with the last try."""
    content = {
        "wrong": wrong, "directory": request.app.state.login is not None, "way": _own(way),
        "demo_people": request.app.state.demo_people, "out": out,
    }  # fmt: skip
    return render(request, "sign_in.html", content, status=401 if wrong else 200)


@router.post("/sign-in")
def enter(
    request: Request, service: InService, token: Annotated[str, Form(max_length=4_000)], way: WayInForm = "/"
) -> Response:
    """Begin a session for a person who has shown their token. The token itself is not kept."""
    _require_own_form(request)
    try:
        with service.database.transaction() as session:
            person = sign_in(session, token.strip())
            if person.kind is not Kind.PERSON:
                return sign_in_page(request, "This is the key of a program. Sign in with the token of a person.", way)
            return _signed_in(request, session, person, way, "token")
    except NotSignedInError:
        return sign_in_page(request, "This token is not valid (any more).", way)


@router.post("/sign-in/demo")
def enter_demo(
    request: Request, session: InSession, person: Annotated[str, Form(max_length=40)], way: WayInForm = "/"
) -> Response:
    """Begin a session for one of the people of the demo, by one click. There are none outside of the demo."""
    _require_own_form(request)
    found = principal_of(session, person) if person in request.app.state.demo_people else None
    if found is None:
        raise NotFoundError("unknown_person", "there is nobody of that name in a demo here", "sign in with a token")
    return _signed_in(request, session, found, way, "demo")


@router.post("/sign-out")
def leave(
    request: Request, session: InSession, token: Annotated[str, Form(alias="form_token", max_length=200)] = ""
) -> Response:
    """End the browser's session. A page of somebody else cannot."""
    answer = RedirectResponse("/sign-in", 303)
    name = session_cookie(request)
    cookie = request.cookies.get(name)
    if cookie:
        require_own_page(request, cookie, token)
        end_session(session, cookie)
        forget(request, answer, name)
    return answer


def _signed_in(request: Request, session: Session, person: Principal, way: str, by: Shown) -> Response:
    """A new cookie, whatever the browser came with: a session that somebody has planted is over."""
    answer = RedirectResponse(_own(way), 303)
    name, settings = session_cookie(request), request.app.state.service.settings
    cookie = begin_session(session, settings, person.user_id, request.cookies.get(name), by)
    keep(request, answer, name, cookie, settings.session_hours * 3600)
    return answer


def _require_own_form(request: Request) -> None:
    """Raise ForbiddenError where a page of somebody else would sign its visitor in as somebody of its choice."""
    if not says_own_page(request):
        raise foreign_page()


def _own(way: str) -> str:
    """A path of ours to go on to; the overview for anything else."""
    return way if _OWN_PATH.fullmatch(way) and not way.startswith("/sign-") else "/"
