"""The one page: imbalances, the queue and the ledger, for people with a browser and a token."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from sqlmodel import col, select

from app.approvals.freshness import facts_now
from app.approvals.requests import queue
from app.approvals.tables import ApprovalStatus
from app.approvals.views import approval_views
from app.auth.browsers import end_session, form_token
from app.auth.people import sign_in
from app.auth.roles import Act, Principal
from app.errors import NotSignedInError
from app.governance.state import active_policy
from app.governance.views import stop_views
from app.ledger.tables import LedgerEvent
from app.orders.queries import orders_in_scope
from app.stock.installation import installation
from app.views import event_view, imbalance_views, order_views
from app.web.dependencies import COOKIE, SESSION_COOKIE, InSession, forget, get_principal, require_own_page
from graphs.planning import imbalances_of
from tools.money import money_text

router = APIRouter(include_in_schema=False)
_templates = Jinja2Templates(Path(__file__).parents[1] / "templates")
_templates.env.filters["money"] = money_text
ROWS_SHOWN = 25


@router.get("/")
def page(request: Request, session: InSession) -> Response:
    """Everything on one page, or the sign-in."""
    try:
        caller = get_principal(request, session)
    except NotSignedInError:
        return sign_in_page(request)
    caller.require(Act.READ)
    cookie = request.cookies.get(SESSION_COOKIE, "")
    content = _content(session, caller) | {"form_token": form_token(cookie) if cookie else ""}
    return _templates.TemplateResponse(request, "page.html", content)


def sign_in_page(request: Request, wrong: str = "") -> Response:
    """The ways to sign in, and what was wrong with the last try."""
    content = {"wrong": wrong, "directory": request.app.state.login is not None}
    return _templates.TemplateResponse(request, "sign_in.html", content, status_code=401 if wrong else 200)


@router.post("/sign-in")
def enter(request: Request, session: InSession, token: Annotated[str, Form(max_length=200)]) -> Response:
    """Keep the token in a cookie that scripts cannot read and that is good for reading only."""
    try:
        sign_in(session, token.strip())
    except NotSignedInError:
        return sign_in_page(request, "This token is not valid (any more).")
    answer = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token.strip(), max_age=8 * 3600, httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/sign-out")
def leave(
    request: Request, session: InSession, token: Annotated[str, Form(alias="form_token", max_length=200)] = ""
) -> Response:
    """Forget the token, and end the browser's session. A page of somebody else can do neither."""
    answer = RedirectResponse("/", 303)
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie:
        require_own_page(request, cookie, token)
        end_session(session, cookie)
        forget(answer, SESSION_COOKIE)
    answer.delete_cookie(COOKIE)
    return answer


def _content(session: InSession, caller: Principal) -> dict[str, Any]:
    row = installation(session)
    content: dict[str, Any] = {"caller": caller, "currency": row.currency, "pinned_now": row.pinned_now}
    if row.currency is None:
        return content
    facts = facts_now(session)
    found = imbalance_views(caller, facts.snapshot, imbalances_of(facts))
    counts: dict[str, int] = {}
    for imbalance in found:
        counts[imbalance.kind] = counts.get(imbalance.kind, 0) + 1
    waiting = queue(session, caller, [ApprovalStatus.PENDING], ROWS_SHOWN)
    events = []
    if caller.may(Act.VERIFY) and caller.sees_everything:
        newest = select(LedgerEvent).order_by(col(LedgerEvent.occurred_at).desc(), LedgerEvent.stream)
        events = [event_view(event) for event in session.exec(newest.limit(ROWS_SHOWN)).all()]
    return content | {
        "as_of": facts.snapshot.as_of,
        "counts": dict(sorted(counts.items())),
        "imbalances": found[:ROWS_SHOWN],
        "imbalances_not_shown": max(len(found) - ROWS_SHOWN, 0),
        "approvals": approval_views(session, caller, waiting),
        "orders": order_views(session, caller, orders_in_scope(session, caller, limit=ROWS_SHOWN)),
        "events": events,
        "policy": active_policy(session).label,
        "kill_switch": facts.kill_switch,
        "stops": stop_views(session, caller),
    }
