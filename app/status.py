"""What waits, what is under way and which plans there are, as the agent tells it to a caller: cut to their sites, masked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, cast, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Session, col, func, select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.approvals.views import approval_view
from app.auth.roles import Principal
from app.db.database import database_now
from app.orders.tables import UNDER_WAY, TransferOrder
from app.plans.store import read_plan
from app.plans.tables import PlanRow
from app.stock.installation import planning_now
from app.views import order_views
from graphs.world import Wanted
from tools.execution import OrderState
from tools.kpis import Workload
from tools.money import money_text
from tools.transfers import TransferPlan

REASON_CHARACTERS_MAX = 200
"""So much of a person's or the ERP's words is passed on."""
_NAMED_LOOKED_AT = 20
"""So many plans whose ids begin alike are looked at: eight characters of a digest are enough to tell millions apart."""


def approval_rows(session: Session, principal: Principal, wanted: Wanted) -> list[dict[str, Any]]:
    """Approval requests that touch the caller's sites, the most valuable first."""
    statuses = [ApprovalStatus(status) for status in wanted.approval_statuses]
    query = (
        select(ApprovalRequest)
        .where(col(ApprovalRequest.status).in_(statuses), *_requests_at(principal, wanted.sites))
        .order_by(col(ApprovalRequest.saving_minor).desc(), col(ApprovalRequest.approval_id))
    )
    if wanted.mine:
        query = query.where(type_coerce(col(ApprovalRequest.authors), JSONB).has_key(principal.user_id))
    now = database_now(session)
    rows = []
    for request in session.exec(query.limit(wanted.limit)).all():
        seen = approval_view(session, principal, request)
        rows.append(
            {
                "approval": str(seen.approval_id),
                "plan": seen.plan_digest[:12],
                "status": seen.status,
                "tier": seen.tier,
                "signed_by": [row.signed_by for row in seen.signing.signed if row.counts],
                "signatures_missing": seen.signing.words if len(seen.signing.demands) > 1 else None,
                "lines": seen.lines,
                "units": seen.units,
                "saves": money_text(seen.expected_saving_minor, seen.currency),
                "goods_value": money_text(seen.goods_value_minor, seen.currency),
                "requested_by": seen.requested_by,
                "waits_hours": _hours_since(seen.requested_at, now) if seen.status == ApprovalStatus.PENDING else None,
                "expires_at": seen.expires_at.isoformat(timespec="minutes"),
                "decided_by": seen.decided_by,
                "decided_at": None if seen.decided_at is None else seen.decided_at.isoformat(timespec="minutes"),
                "reason": None if seen.rejection is None else str(seen.rejection["words"])[:REASON_CHARACTERS_MAX],
            }
        )
    return rows


def order_rows(session: Session, principal: Principal, wanted: Wanted) -> list[dict[str, Any]]:
    """Transfer orders that touch the caller's sites, the newest first."""
    query = (
        select(TransferOrder)
        .where(*_orders_at(principal, wanted.sites))
        .order_by(col(TransferOrder.state_at).desc(), col(TransferOrder.transfer_id))
    )
    if wanted.order_states:
        query = query.where(col(TransferOrder.state).in_(wanted.order_states))
    if wanted.mine:
        own = select(ApprovalRequest.approval_id).where(
            type_coerce(col(ApprovalRequest.authors), JSONB).has_key(principal.user_id)
        )
        query = query.where(col(TransferOrder.approval_id).in_(own))
    today = planning_now(session).date()
    return [
        {
            "transfer": str(row.transfer_id),
            "plan": row.plan_digest[:12],
            "sku": row.sku_id,
            "units": row.units,
            "received_units": row.received_units,
            "damaged_units": row.damaged_units,
            "returned_units": row.returned_units,
            "lost_units": row.lost_units,
            "from": row.origin,
            "to": row.destination,
            "by": row.mode,
            "state": row.state,
            "departs": row.depart_on.isoformat(),
            "arrives": row.arrive_on.isoformat(),
            "overdue": OrderState(row.state) in UNDER_WAY and row.arrive_on < today,
            "attention": None if row.attention is None else row.attention[:REASON_CHARACTERS_MAX],
        }
        for row in order_views(session, principal, session.exec(query.limit(wanted.limit)).all())
    ]


def workload(session: Session, principal: Principal, sites: tuple[str, ...]) -> Workload:
    """What waits and what is under way at these sites of the caller's, or at all of theirs."""
    waiting = select(func.count(), func.min(ApprovalRequest.requested_at)).where(
        col(ApprovalRequest.status) == ApprovalStatus.PENDING, *_requests_at(principal, sites)
    )
    count, oldest = session.exec(waiting).one()
    today = planning_now(session).date()
    is_overdue, is_stuck = col(TransferOrder.arrive_on) < today, col(TransferOrder.state) == OrderState.NEEDS_ATTENTION
    under_way = select(func.count(), func.count().filter(is_overdue), func.count().filter(is_stuck)).where(
        col(TransferOrder.state).in_(UNDER_WAY), *_orders_at(principal, sites)
    )
    are_open, overdue, stuck = session.exec(under_way).one()
    return Workload(
        approvals_waiting=count,
        oldest_waiting_hours=_hours_since(oldest, database_now(session)),
        orders_open=are_open,
        orders_overdue=overdue,
        orders_need_attention=stuck,
    )


def plans_named(session: Session, principal: Principal, start: str) -> tuple[TransferPlan, ...]:
    """Stored plans whose id begins so and whose sites are all the caller's; two at most.

    Whoever does not see every site is shown no plan that was made for more than theirs: its totals are about other sites.
    """
    alike = (
        col(PlanRow.digest).between(start, f"{start}g"),  # for the index: no digest has a g
        col(PlanRow.digest).startswith(start, autoescape=True),
    )
    query = select(PlanRow.digest).where(*alike).order_by(PlanRow.digest)
    plans = (read_plan(session, digest) for digest in session.exec(query.limit(_NAMED_LOOKED_AT)).all())
    return tuple(plan for plan in plans if _is_theirs(principal, plan))[:2]


def _is_theirs(principal: Principal, plan: TransferPlan) -> bool:
    within = plan.request.scope.within_sites
    made_for_them = principal.sites is None or (bool(within) and principal.covers(within))
    return made_for_them and principal.covers(plan.sites)


def _requests_at(principal: Principal, sites: tuple[str, ...]) -> list[ColumnElement[bool]]:
    """What a request has to fulfil to touch these sites of the caller's, or any of theirs."""
    return [
        type_coerce(col(ApprovalRequest.sites), JSONB).has_any(cast(sorted(wanted), ARRAY(Text)))
        for wanted in _both(principal, sites)
    ]


def _orders_at(principal: Principal, sites: tuple[str, ...]) -> list[ColumnElement[bool]]:
    return [
        col(TransferOrder.origin).in_(sorted(wanted)) | col(TransferOrder.destination).in_(sorted(wanted))
        for wanted in _both(principal, sites)
    ]


def _both(principal: Principal, sites: tuple[str, ...]) -> list[frozenset[str]]:
    """The sites asked for, within the caller's own; nothing where neither is restricted."""
    if not sites:
        return [] if principal.sites is None else [principal.sites]
    return [frozenset(sites) if principal.sites is None else frozenset(sites) & principal.sites]


def _hours_since(instant: datetime | None, now: datetime) -> int | None:
    """Whole hours; None where there is no instant."""
    return None if instant is None else max(int((now - instant).total_seconds() // 3600), 0)
