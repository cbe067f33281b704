"""A request in the drawer: where it stands, the plan in it, and its lines; what takes longer comes when it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlmodel import Session, select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.approvals.views import ApprovalView, approval_view, signing_view, visible_request
from app.auth.roles import Act
from app.db.database import database_now
from app.orders.queries import orders_of_approval
from app.plans.store import read_plan
from app.ui.exports import Table, downloads
from app.ui.orders.reading import titles
from app.ui.plan_lines import plan_lines
from app.ui.plan_words import REASON_WORDS, REASONS, served_less, what_for
from app.ui.queue.plan import lines_of, uncertain
from app.ui.queue.rows import left_words, tier_words, title_of
from app.ui.queue.standing import outcome_words, standing_of
from app.ui.rendering import ago_text, render
from app.ui.status_words import status_kind, status_words
from app.ui.visitor import FRAGMENT, Looking, PageRoute, Visitor
from app.views import PlanView, plan_view
from app.web.dependencies import InSession
from graphs.names import ELSEWHERE
from tools.money import minor_digits
from tools.transfers import TransferPlan

router = APIRouter(prefix="/queue/{approval_id}", route_class=PageRoute)
LINES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that an address names, for whoever looks, and its plan."""

    looking: Visitor
    session: Session
    request: ApprovalRequest
    plan: TransferPlan


def asked(looking: Looking, session: InSession, approval_id: UUID) -> Asked:
    """The request, if it touches the reader's sites. Raises NotFoundError."""
    looking.caller.require(Act.READ)
    found = visible_request(session, looking.caller, approval_id)
    return Asked(looking, session, found, read_plan(session, found.plan_digest))


AskedFor = Annotated[Asked, Depends(asked)]


@router.get("")
def drawer(request: Request, about: AskedFor) -> Response:
    """The plan and where its request stands: a page, or the content of the drawer."""
    looking, session = about.looking, about.session
    plan = plan_view(session, looking.caller, about.request.plan_digest)
    lines = lines_of(plan, looking.caller.covers)
    before = session.exec(
        select(ApprovalRequest.approval_id).where(ApprovalRequest.superseded_by == about.request.approval_id)
    ).first()
    content = _state(about) | {
        "plan": plan,
        "lines": lines[:LINES_SHOWN],
        "lines_more": len(lines) - LINES_SHOWN,
        "lines_all": about.request.lines,
        "title": title_of(about.request.plan_digest),
        "what_for": what_for(plan),
        "uncertain": list(uncertain(plan)),
        "served_less": served_less(plan),
        "reasons": REASONS,
        "about_lines": sorted(plan.lines, key=lambda line: line.line_no),
        "sites": _sites(about, plan),
        "skus": sorted({line.sku_id: line.sku_name for line in plan.lines}.items()),
        "digits": minor_digits(plan.currency),
        "before": before,
        "changed": before or about.request.superseded_by,
    }
    return render(request, "queue/drawer.html" if FRAGMENT in request.headers else "queue/request.html", content)


@router.get("/state")
def state(request: Request, about: AskedFor) -> Response:
    """Where the request stands, alone."""
    return render(request, "queue/state.html", _state(about))


@router.get("/lines")
def more_lines(request: Request, about: AskedFor) -> Response:
    """The lines that a long plan does not show at first."""
    plan = plan_view(about.session, about.looking.caller, about.request.plan_digest)
    content = _state(about) | {"plan": plan, "lines": lines_of(plan, about.looking.caller.covers)[LINES_SHOWN:]}
    return render(request, "queue/lines.html", content)


@router.get("/who")
def who(request: Request, about: AskedFor) -> Response:
    """Who may sign it now. It is asked of everybody who decides at all, so it comes by itself."""
    signing = signing_view(about.session, about.looking.caller, about.request, detailed=True)
    content = _state(about) | {"may_sign": signing.may_sign or []}
    return render(request, "queue/who.html", content)


@downloads(router, "/lines")
def export_lines(about: AskedFor) -> Table:
    """The lines as a file."""
    return plan_lines(plan_view(about.session, about.looking.caller, about.request.plan_digest))


def _sites(about: Asked, plan: PlanView) -> list[tuple[str, str]]:
    """The sites of the plan that the reader may know of, and their names."""
    ends = {site for line in plan.lines for site in (line.origin, line.destination)} - {ELSEWHERE}
    return sorted(titles(about.session, "site", ends).items())


def _state(about: Asked) -> dict[str, Any]:
    session, caller = about.session, about.looking.caller
    view: ApprovalView = approval_view(session, caller, about.request)
    now = database_now(session)
    standing = standing_of(session, caller, about.request, about.plan, view, now)
    over = about.request.status is ApprovalStatus.PENDING and not standing.waits
    status = ApprovalStatus.EXPIRED if over else about.request.status
    orders = [
        order
        for order in (orders_of_approval(session, view.approval_id) if status is ApprovalStatus.APPROVED else ())
        if caller.touches((order.origin, order.destination))
    ]
    return {
        "looking": about.looking,
        "view": view,
        "standing": standing,
        "reason": REASON_WORDS[view.rejection["code"]] if view.rejection else "",
        "status": status_words(status),
        "kind": status_kind(status),
        "outcome": list(outcome_words(view)) or (["Its time is over: nobody decided. Nothing moves."] if over else []),
        "left": left_words((view.expires_at - now).total_seconds()),
        "age": ago_text((now - view.requested_at).total_seconds()),
        "tier": tier_words(view.tier),
        "orders": len(orders),
        "first_order": orders[0].transfer_id if orders else None,
    }
