"""Whoever looks at a page: who they are, what they may see, and how a page or a refusal reaches their browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute
from sqlmodel import Session

from app.auth.browsers import form_token
from app.auth.roles import Act, Principal
from app.errors import EvenkeelError, InvalidError, NotSignedInError
from app.governance.views import StopView, stop_views
from app.stock.installation import installation, planning_now
from app.ui.exports import FILES
from app.ui.network.stock_now import StockNow
from app.ui.network.stock_table import Seen
from app.ui.rendering import render
from app.web.dependencies import Caller, InSession, session_cookie
from app.web.problems import OUR_FAULT, noted, refusal
from graphs.names import Names

FRAGMENT = "X-Fragment"
"""The header by which our own scripts ask for a fragment: they are told of refusals as problems, and not as pages."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is signed in, in their browser. `currency` is None while there is no network."""

    caller: Principal
    form_token: str
    currency: str | None
    now: datetime
    is_sample: bool
    stops: tuple[StopView, ...]
    stock: StockNow
    is_download: bool

    def seen(self, session: Session) -> Seen:
        """The stock as they may see it; in a file, which says nothing of newer stock, the newest.

        Raises ConflictError while there is no network.
        """
        shown = self.stock.shown(session, newest=self.is_download)
        names = Names(shown.facts.snapshot, self.caller.sites, sees_sensitive=self.caller.sees_sensitive)
        return Seen(self.caller, shown.facts, shown.table, names, shown.is_old)

    def may(self, act: str) -> bool:
        """Whether the rules permit the act as such: what a page offers. The service asks again."""
        return self.caller.may(Act(act))


def visitor(request: Request, session: InSession, caller: Caller) -> Visitor:
    """Who looks. Raises NotSignedInError, and ForbiddenError for people without any role."""
    caller.require(Act.READ)
    row = installation(session)
    return Visitor(
        caller, _token(request), row.currency, planning_now(session, row), row.pinned_now is not None,
        tuple(stop_views(session, caller)), request.app.state.stock, request.url.path.endswith(FILES),
    )  # fmt: skip


def _token(request: Request) -> str:
    cookie = request.cookies.get(session_cookie(request), "")
    return form_token(cookie) if cookie else ""


Looking = Annotated[Visitor, Depends(visitor, scope="function")]


class BrokenError(EvenkeelError):
    """An error of ours, as a page says it."""

    status = 500


class PageRoute(APIRoute):
    """A route whose refusals are pages: the sign-in for whoever is not signed in, words and a way back for others."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """The handler, with refusals turned into what a browser shows."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                answer: Response = await handle(request)
            except NotSignedInError as refused:
                if _asked_by_script(request):
                    return refusal(refused)
                way = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse("/sign-in" if way == "/" else f"/sign-in?next={quote(way)}", 303)
            except EvenkeelError as refused:
                return refusal(refused) if _asked_by_script(request) else page_of(request, refused)
            except RequestValidationError as invalid:
                first = invalid.errors()[0]
                field = ".".join(str(part) for part in first["loc"][1:])
                words = f"{field}: {first['msg']}"
                unfit = InvalidError("invalid_request", words, "follow a link of a page, or correct the address")
                return refusal(unfit) if _asked_by_script(request) else page_of(request, unfit)
            except Exception as broken:
                if _asked_by_script(request):
                    raise  # it is answered with a problem, like everywhere
                words, remedy = OUR_FAULT
                return page_of(request, BrokenError("internal", words, f"{remedy} {noted(request, broken)}"))
            return answer

        return handled


def _asked_by_script(request: Request) -> bool:
    """Whether a script of ours asks: for a fragment, or for the news that a page listens to. A page would mean nothing to it."""
    return FRAGMENT in request.headers or request.headers.get("accept") == "text/event-stream"


def page_of(request: Request, refused: EvenkeelError) -> Response:
    """A refusal as a page."""
    return render(request, "refused.html", {"refused": refused}, status=refused.status)


def has_network(session: Session) -> bool:
    """Whether anything was imported yet."""
    return installation(session).currency is not None
