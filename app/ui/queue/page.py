"""The queue: what waits for a decision, filtered and sorted, and what can be decided on together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlmodel import Session

from app.approvals.delegations import delegations_of
from app.approvals.listing import PAGE_ROWS, Wanted, beside, page_of, tiers_known
from app.approvals.parts import set_digest
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.approvals.views import visible_request
from app.auth.roles import Act
from app.governance.state import active_policy
from app.ui.exports import ROWS_MAX, Table, downloads
from app.ui.governance.reading import release_named
from app.ui.queue.rows import BUILT_IN, cells, heads, query_of, rows_of, sort_of, tier_words
from app.ui.rendering import render
from app.ui.status_words import status_words
from app.ui.visitor import Looking, PageRoute, Visitor
from app.web.dependencies import InSession
from policies.approvals import Approvals, Bulk

router = APIRouter(route_class=PageRoute)
CHOSEN_MAX = 200
Status = Literal["", "pending", "approved", "rejected", "expired", "outrun", "withdrawn", "superseded", "any"]
Show = Literal["", "for_me", "claimed", "stopped"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is looked for, and the page of it."""

    wanted: Wanted
    page: int


@dataclass(frozen=True, slots=True)
class Linked:
    """What other pages lead here for: what one stop holds, or what was planned under one release."""

    stop_id: str
    policy: str


def linked(stop: UUID | None = None, policy: Annotated[str, Query(max_length=64)] = "") -> Linked:
    """The part of an address that no field of the page sets. Raises NotFoundError for a release that there is not."""
    return Linked(str(stop) if stop else "", release_named(policy).release if policy else "")


def chosen(
    from_elsewhere: Annotated[Linked, Depends(linked)],
    words: Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$")] = "",
    status: Status = "",
    tier: Annotated[str, Query(max_length=40, pattern=r"^[^\x00]*$")] = "",
    show: Show = "",
    sort: Annotated[str, Query(max_length=20)] = "",
    page: Annotated[str, Query(pattern=r"^[0-9]{0,3}$")] = "",
) -> Chosen:
    """The filters of an address."""
    by, descending = sort_of(sort)
    only = None if status == "any" else ApprovalStatus(status or "pending")
    stopped, stop_id = show == "stopped", from_elsewhere.stop_id if show == "stopped" else ""
    wanted = Wanted(
        only, words.strip(), tier, show == "for_me", show == "claimed", stopped, stop_id, from_elsewhere.policy, by, descending
    )  # fmt: skip
    return Chosen(wanted, int(page or 1) or 1)


Filters = Annotated[Chosen, Depends(chosen)]


@router.get("/queue")
def queue_page(request: Request, looking: Looking, session: InSession, filters: Filters) -> Response:
    """The queue with its filters."""
    rules = active_policy(session).approvals
    tiers = sorted({*tiers_known(session), *(tier.name for tier in active_policy(session).tiers)})
    content = _rows(session, looking, filters, rules.bulk if rules else None) | {
        "statuses": [(each.value, status_words(each).capitalize()) for each in ApprovalStatus],
        "tiers": [(name, tier_words(name)) for name in tiers],
        "built_in": [(name, query) for name, query in _built_in()],
        **_lending(session, looking),
    }
    return render(request, "queue/page.html", content)


@router.get("/queue/lending")
def lending(request: Request, looking: Looking, session: InSession) -> Response:
    """What somebody has lent or was lent, and the form to lend more."""
    return render(request, "queue/delegations.html", _lending(session, looking))


def _lending(session: Session, looking: Visitor) -> dict[str, Any]:
    rules = active_policy(session).approvals
    terms = rules.delegations if rules else None
    return {
        "looking": looking,
        "delegations": delegations_of(session, looking.caller.user_id),
        "lends": looking.may("decide") and terms is not None,
        "days_max": terms.days_max if terms else 0,
        "currency": looking.currency,
    }


@router.get("/queue/rows")
def queue_rows(request: Request, looking: Looking, session: InSession, filters: Filters) -> Response:
    """The rows alone."""
    return render(request, "queue/rows.html", _rows(session, looking, filters, _bulk(session)))


@downloads(router, "/queue/export")
def export(looking: Looking, session: InSession, filters: Filters) -> Table:
    """The queue as a file, as it is filtered and sorted."""
    page = page_of(session, looking.caller, filters.wanted, rows_max=ROWS_MAX, count=False)
    rows = rows_of(page, beside(session, page.rows), looking.caller, None)
    return Table("queue", heads(looking.currency or ""), cells(rows))


@router.get("/queue/selection")
def selection(
    request: Request,
    looking: Looking,
    session: InSession,
    approval_id: Annotated[list[UUID] | None, Query(max_length=CHOSEN_MAX)] = None,
) -> Response:
    """What was chosen for one decision: how much it is together, whether policy admits it, and what the decision is bound to."""
    looking.caller.require(Act.READ)
    rows = [visible_request(session, looking.caller, each) for each in dict.fromkeys(approval_id or ())]
    seen = {row.approval_id: row.plan_digest for row in rows}
    content = {
        "looking": looking, "count": len(rows), "lines": sum(row.lines for row in rows), "units": sum(row.units for row in rows),
        "value_minor": sum(row.goods_value_minor for row in rows), "saving_minor": sum(row.saving_minor for row in rows),
        "plans_json": json.dumps([{"approval_id": str(each), "plan_digest": digest} for each, digest in seen.items()]),
        "set_digest": set_digest(seen), "against": _against(rows, _bulk(session), looking), "currency": looking.currency,
    }  # fmt: skip
    return render(request, "queue/selection.html", content)


def _built_in() -> list[tuple[str, str]]:
    return [(name, "&".join(f"{key}={value}" for key, value in query.items())) for name, query in BUILT_IN]


def _bulk(session: Session) -> Bulk | None:
    rules: Approvals | None = active_policy(session).approvals
    return rules.bulk if rules else None


def _rows(session: Session, looking: Visitor, filters: Chosen, bulk: Bulk | None) -> dict[str, Any]:
    number = filters.page
    page = page_of(session, looking.caller, filters.wanted, number)
    if page.total and not page.rows:  # there are fewer pages than there were
        number = -(-page.total // PAGE_ROWS)
        page = page_of(session, looking.caller, filters.wanted, number)
    first = (number - 1) * PAGE_ROWS + 1
    offered = bulk if looking.may("approve") else None
    return {
        "looking": looking,
        "wanted": filters.wanted,
        "sort": ""
        if filters.wanted.sort is None
        else f"{'-' if filters.wanted.descending else ''}{filters.wanted.sort}",
        "rows": rows_of(page, beside(session, page.rows), looking.caller, offered),
        "total": page.total,
        "unsearched": page.unsearched,
        "first": first,
        "last": first + len(page.rows) - 1,
        "page": number,
        "query": query_of(filters.wanted),
        "here": query_of(filters.wanted, number),
        "bulk": offered is not None,
    }


def _against(rows: list[ApprovalRequest], bulk: Bulk | None, looking: Visitor) -> str:
    """Why these are not decided on together; nothing where they may be."""
    if bulk is None:
        return "The policy in force has every plan decided on by itself."
    if len(rows) > bulk.requests_max:
        return f"{len(rows):,} plans are chosen; the policy admits {bulk.requests_max:,} together."
    if sum(row.goods_value_minor for row in rows) > bulk.goods_value_max_minor:
        return "Together their goods are worth more than the policy admits for one decision. Choose fewer."
    if any(set(looking.caller.hands) & set(row.authors) for row in rows):
        return "You had a hand in one of them: somebody else has to decide on it."
    if any(row.status is not ApprovalStatus.PENDING for row in rows):
        return "One of them waits no more. Take its mark away."
    return ""
