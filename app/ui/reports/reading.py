"""What reports are made of: the plans that were put to a decision, one of them with all that became of it, and past sales.

Everything is cut to what the caller may see by the views that the API answers with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ARRAY, Text, cast, text, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Session, col, func, select

from app.approvals.freshness import facts_to_check_on
from app.approvals.tables import ApprovalRequest, ApprovalSignature, ApprovalStatus
from app.approvals.views import ApprovalView, approval_view
from app.auth.roles import Principal
from app.db.database import database_now
from app.governance.state import active_policy
from app.lineage import SignatureView
from app.negotiations import NegotiationView, negotiation_view
from app.orders.tables import TransferOrder
from app.plans.store import read_snapshot
from app.plans.tables import PlanRow, SnapshotRow
from app.stock.installation import installation
from app.ui.reports.backtest import HISTORY_DAYS, SITES_MAX, Asked
from app.views import LineView, OrderView, PlanView, names_for, order_views, plan_in_reach, plan_view
from graphs.negotiation.record import Choice
from policies.library import released
from policies.limits import limits_of
from policies.schema import Policy
from policies.urgency import urgencies
from tools.explanation import Explainer
from tools.inventory import SalesObservation
from tools.network_folder import NetworkFolder

PAGE_ROWS = 50
EXPLAINED = 3
"""So many lines of a report are explained at length: those that save most."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which plans the index shows: those with a status, or all; a page of them, the first is 1."""

    status: ApprovalStatus | None = None
    page: int = 1

    @property
    def query(self) -> str:
        """The part of an address that asks for the same, whatever the page."""
        return f"status={self.status.value}" if self.status else ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the index, and how many there are on all pages."""

    rows: list[ApprovalRequest]
    count: int
    page: int

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.count // PAGE_ROWS))


@dataclass(frozen=True, slots=True)
class Asking:
    """One time that the plan was put to a decision, and who signed."""

    view: ApprovalView
    signatures: list[SignatureView]


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a line is in the plan, and how likely its receiver is to run out without and with it."""

    line: LineView
    words: str
    without_ppm: int
    with_ppm: int


@dataclass(frozen=True, slots=True)
class PlanReport:
    """A plan with everything that is known about it."""

    plan: PlanView
    made_at: datetime
    planned_at: datetime
    snapshot_as_of: datetime
    asked: list[Asking]
    explained: list[Explained]
    negotiation: NegotiationView
    choice: Choice | None
    orders: list[OrderView]
    policy: Policy
    policy_is_in_force: bool


def plans_listed(session: Session, principal: Principal, wanted: Wanted, rows: int = PAGE_ROWS) -> Listed:
    """The plans that were put to a decision and touch the caller's sites, the newest first."""
    conditions = []
    if wanted.status is not None:
        conditions.append(ApprovalRequest.status == wanted.status)
    if principal.sites is not None:
        own = cast(sorted(principal.sites), ARRAY(Text))
        conditions.append(type_coerce(col(ApprovalRequest.sites), JSONB).has_any(own))
    count = session.exec(select(func.count()).select_from(ApprovalRequest).where(*conditions)).one()
    query = (
        select(ApprovalRequest)
        .where(*conditions)
        .order_by(col(ApprovalRequest.requested_at).desc(), col(ApprovalRequest.approval_id))
        .offset((wanted.page - 1) * PAGE_ROWS)
        .limit(rows)
    )
    return Listed(list(session.exec(query).all()), count, wanted.page)


def plan_report(session: Session, principal: Principal, digest: str) -> PlanReport:
    """Everything about a plan. Raises NotFoundError where there is none, or none that touches the caller's sites."""
    plan = plan_view(session, principal, digest)
    row = session.get_one(PlanRow, digest)
    negotiation = negotiation_view(session, principal, digest)
    return PlanReport(
        plan=plan,
        made_at=database_now(session),
        planned_at=row.planned_at,
        snapshot_as_of=session.get_one(SnapshotRow, row.snapshot_digest).as_of,
        asked=_asked(session, principal, digest),
        explained=_explained(session, principal, plan),
        negotiation=negotiation,
        choice=negotiation.choice,
        orders=orders_of_plan(session, principal, digest),
        policy=released(plan.policy_digest),
        policy_is_in_force=active_policy(session).digest == plan.policy_digest,
    )


def _asked(session: Session, principal: Principal, digest: str) -> list[Asking]:
    query = select(ApprovalRequest).where(ApprovalRequest.plan_digest == digest)
    requests = session.exec(query.order_by(col(ApprovalRequest.requested_at).desc())).all()
    ids = [request.approval_id for request in requests]
    signed = session.exec(
        select(ApprovalSignature)
        .where(col(ApprovalSignature.approval_id).in_(ids))
        .order_by(col(ApprovalSignature.signed_at))
    ).all()
    return [
        Asking(
            approval_view(session, principal, request),
            [SignatureView.model_validate(row, from_attributes=True) for row in signed if row.approval_id == request.approval_id],
        )
        for request in requests
        if principal.touches(request.sites)
    ]  # fmt: skip


def _explained(session: Session, principal: Principal, plan: PlanView) -> list[Explained]:
    """The lines that save most, explained to whoever sees both of their ends, as `explanation_view` explains each."""
    open_lines = [line for line in plan.lines if principal.covers((line.origin, line.destination))]
    best = sorted(open_lines, key=_saving_first)[:EXPLAINED]
    if not best:
        return []
    stored, snapshot = plan_in_reach(session, principal, plan.digest), read_snapshot(session, plan.snapshot_digest)
    policy = released(plan.policy_digest)
    urgent = urgencies(policy, snapshot, stored)
    names = names_for(session, principal, snapshot)
    explainer = Explainer(snapshot, limits_of(policy, snapshot, stored.request), stored, principal.sites)
    found = [(line, explainer.line(line.line_no, urgent[line.line_no - 1])) for line in best]
    return [
        Explained(line, names.words(why.words), why.receiver.stock_out_without_ppm, why.receiver.stock_out_with_ppm)
        for line, why in found
    ]  # fmt: skip


def _saving_first(line: LineView) -> tuple[int, int]:
    return -line.saving_minor, line.line_no


def orders_of_plan(session: Session, principal: Principal, digest: str) -> list[OrderView]:
    """The transfer orders that the plan became, those that touch the caller's sites, by line."""
    query = select(TransferOrder).where(TransferOrder.plan_digest == digest)
    orders = session.exec(query.order_by(col(TransferOrder.line_no), col(TransferOrder.transfer_id))).all()
    return order_views(
        session, principal, [each for each in orders if principal.touches((each.origin, each.destination))]
    )


def facts_version(session: Session) -> tuple[int, int]:
    """What changes when sales or master data do."""
    row = installation(session)
    return row.facts_version, row.demand_version


_NEWEST = text("select grain, max(on_date) from sales group by grain order by max(on_date) desc, grain")
_SELLING = text("""
    select sku_id, site_id, sum(units) as units from sales
    where grain = :grain and on_date >= :since and site_id = any(:sites) and sku_id = any(:skus) group by sku_id, site_id
""")
_SALES = text("""
    select site_id, sku_id, on_date, units, in_stock from sales
    where grain = :grain and on_date >= :since and site_id = any(:sites) and sku_id = any(:skus)
""")


def network_to_replay(session: Session, principal: Principal, asked: Asked) -> NetworkFolder | None:
    """The part of the network that a backtest plays again: the caller's sites, the SKUs that sell for most. None: no sales.

    SKUs that the caller has no clearance for are left out.
    """
    newest = session.connection().execute(_NEWEST).first()
    if newest is None:
        return None
    grain: str = newest[0]
    last: date = newest[1]
    snapshot = facts_to_check_on(session).snapshot
    sites = [site for site in snapshot.sites if principal.covers((site.site_id,))]
    skus = [sku for sku in snapshot.skus if principal.sees_sensitive or not sku.sensitive]
    what: dict[str, object] = {
        "grain": grain, "since": last - timedelta(days=HISTORY_DAYS[grain] + asked.cycles * asked.days_of(grain)),
        "sites": [site.site_id for site in sites], "skus": [sku.sku_id for sku in skus],
    }  # fmt: skip
    sold = session.connection().execute(_SELLING, what).all()
    price = {sku.sku_id: sku.unit_price_e4 for sku in skus}
    chosen = frozenset(_most([(sku_id, units * price[sku_id]) for sku_id, _, units in sold], asked.skus))
    kept = frozenset(_most([(site_id, units * price[sku_id]) for sku_id, site_id, units in sold], SITES_MAX))
    what |= {"skus": sorted(chosen), "sites": sorted(kept)}
    return NetworkFolder(
        currency=snapshot.currency,
        sites=tuple(site for site in sites if site.site_id in kept),
        skus=tuple(sku for sku in skus if sku.sku_id in chosen),
        lanes=tuple(lane for lane in snapshot.lanes if lane.origin in kept and lane.destination in kept),
        positions=(),
        sales=tuple(SalesObservation(*row) for row in session.connection().execute(_SALES, what)),
    )  # fmt: skip


def _most(worth: Sequence[tuple[str, int]], limit: int) -> list[str]:
    """The ids that are worth most in all."""
    total: dict[str, int] = {}
    for identity, amount in worth:
        total[identity] = total.get(identity, 0) + int(amount)
    return sorted(total, key=lambda identity: (-total[identity], identity))[:limit]
