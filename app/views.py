"""What callers see: one shape for each thing, the same over HTTP and on the command line.

Money is in minor units of the stated currency. What lies outside a caller's sites is
left out and counted; the other end of what touches them is not named, and SKUs that a
caller has no clearance for are masked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session, select

from app.auth.roles import Principal
from app.errors import NotFoundError
from app.governance.state import governance
from app.governance.stops import kill_switch
from app.ledger.reasons import facts_told
from app.ledger.tables import LedgerEvent
from app.ledger.verify import Verification
from app.left_behind import LeftBehindView, left_behind_views
from app.orders.tables import TransferOrder
from app.plans.provenance import ProvenanceView, provenance_view
from app.plans.store import read_negotiation, read_plan, read_snapshot
from app.stock.tables import MasterRow
from app.threads.tables import Run
from graphs.names import Names
from policies.brief import brief
from policies.library import released, releases
from policies.urgency import urgencies
from tools.imbalance import Imbalance
from tools.inventory import LaneKey, Snapshot
from tools.saga import Action
from tools.transfers import LotPick, TransferPlan


class LineView(BaseModel):
    """One line of a plan. Why it is urgent is said to those who see both of its ends."""

    line_no: int
    transfer_id: UUID
    sku_id: str
    sku_name: str
    origin: str
    destination: str
    mode: str
    units: int
    packs: int
    depart_on: date
    arrive_on: date
    saving_minor: int
    move_cost_minor: int
    goods_value_minor: int
    lots: tuple[LotPick, ...] = ()
    urgency: str
    urgency_words: str


class PlanView(BaseModel):
    """A transfer plan. `lines_hidden` counts the lines that lie wholly outside the caller's sites."""

    digest: str
    snapshot_digest: str
    policy_digest: str
    policy: str
    planned_on: date
    currency: str
    lines: list[LineView]
    lines_hidden: int
    left_behind: list[LeftBehindView]
    units: int
    lanes: int
    status: str
    gap_ppm: int | None
    expected_saving_minor: int
    whole_horizon_saving_minor: int
    transfer_cost_minor: int
    goods_value_minor: int
    fill_rate_before_ppm: int
    fill_rate_after_ppm: int
    request: dict[str, Any]
    solver: dict[str, Any]
    negotiation: dict[str, Any]
    provenance: ProvenanceView | None


class OrderView(BaseModel):
    """A transfer order."""

    transfer_id: UUID
    approval_id: UUID
    plan_digest: str
    line_no: int
    sku_id: str
    origin: str
    destination: str
    mode: str
    units: int
    state: str
    state_at: datetime
    depart_on: date
    arrive_on: date
    shipped_units: int
    received_units: int
    damaged_units: int
    returned_units: int
    lost_units: int
    over_units: int
    erp_id: str | None
    attention: str | None
    actions: tuple[Action, ...]
    decided_units: int | None
    held_by: UUID | None


class ImbalanceView(BaseModel):
    """Stock that is not where it should be."""

    kind: str
    site_id: str
    sku_id: str
    units: int
    severity_minor: int
    days_of_cover: int | None
    stock_out_ppm: int
    until: date


class RunView(BaseModel):
    """A run, and what the agent said last in its thread."""

    run_id: UUID
    thread_id: UUID
    kind: str
    status: str
    created_at: datetime
    finished_at: datetime | None
    error: str | None
    words: str = ""


class EventView(BaseModel):
    """A ledger event. `said`: why whoever acted did so, which the body holds sealed."""

    stream: str
    seq: int
    type: str
    occurred_at: datetime
    hash: str
    body: dict[str, Any]
    said: dict[str, Any]


class ProblemView(BaseModel):
    """Something in the ledger that does not fit."""

    code: str
    where: str
    words: str


class VerificationView(BaseModel):
    """What walking the ledger found. `anchored` events are vouched for by a checkpoint that was given."""

    events: int
    streams: int
    moves: int
    anchored: int
    verified: bool
    problems: list[ProblemView]


class PolicyView(BaseModel):
    """A released policy."""

    digest: str
    name: str
    release: str
    summary: str
    in_force: bool
    words: str


class GovernanceView(BaseModel):
    """What is in force."""

    policy_digest: str
    policy_since: datetime
    policy_by: str
    kill_switch: bool
    kill_switch_reason: str
    kill_switch_by: str


def plan_in_reach(session: Session, principal: Principal, digest: str) -> TransferPlan:
    """A plan that touches the caller's sites. Raises NotFoundError, and then does not say whether there is one."""
    plan = read_plan(session, digest)
    if plan.lines and not principal.touches(plan.sites):
        raise NotFoundError("unknown_plan", f"there is no plan {digest[:12]}", "check the digest", plan=digest)
    return plan


def plan_view(session: Session, principal: Principal, digest: str) -> PlanView:
    """A plan as the caller may see it. Raises NotFoundError where it touches none of their sites."""
    plan = plan_in_reach(session, principal, digest)
    snapshot = read_snapshot(session, plan.snapshot_digest)
    names = names_for(session, principal, snapshot)
    lines = _line_views(principal, plan, snapshot, names)
    return PlanView(
        digest=plan.digest,
        snapshot_digest=plan.snapshot_digest,
        policy_digest=plan.policy_digest,
        policy=released(plan.policy_digest).label,
        planned_on=plan.planned_on,
        currency=plan.currency,
        lines=lines,
        lines_hidden=len(plan.lines) - len(lines),
        left_behind=left_behind_views(principal, plan, snapshot, names),
        units=plan.units,
        lanes=len(plan.lanes),
        status=plan.solver.status,
        gap_ppm=plan.solver.gap_ppm,
        expected_saving_minor=plan.saving_minor,
        whole_horizon_saving_minor=plan.whole_horizon_saving_minor,
        transfer_cost_minor=plan.transfer_cost_minor,
        goods_value_minor=plan.goods_value_minor,
        fill_rate_before_ppm=plan.fill_rate.before_ppm,
        fill_rate_after_ppm=plan.fill_rate.after_ppm,
        request=plan.request.model_dump(mode="json") if principal.sees_everything else {},
        solver=plan.solver.model_dump(mode="json"),
        negotiation=(read_negotiation(session, digest) or {}) if principal.sees_everything else {},
        provenance=provenance_view(session, digest),
    )


def _line_views(principal: Principal, plan: TransferPlan, snapshot: Snapshot, names: Names) -> list[LineView]:
    views = []
    urgent = urgencies(
        released(plan.policy_digest), snapshot, plan,
        lambda line: (names.sku(line.sku_id), LaneKey(names.site(line.origin), names.site(line.destination), line.mode)),
    )  # fmt: skip
    for line, urgency in zip(plan.lines, urgent, strict=True):
        if not principal.touches((line.origin, line.destination)):
            continue
        shown = names.sku(line.sku_id)
        views.append(
            LineView(
                **line.model_dump(exclude={"sku_id", "origin", "destination"}),
                transfer_id=plan.transfer_id(line.line_no),
                urgency=urgency.urgency,
                urgency_words=urgency.words if principal.covers((line.origin, line.destination)) else "",
                origin=names.site(line.origin),
                destination=names.site(line.destination),
                sku_id=shown,
                sku_name=snapshot.sku_by_id[line.sku_id].name if shown == line.sku_id else "(masked)",
            )
        )
    return views


def names_for(session: Session, principal: Principal, snapshot: Snapshot) -> Names:
    """Names of a snapshot that may be old: what has become sensitive since is masked in it as well."""
    query = select(MasterRow.key).where(MasterRow.kind == "sku", MasterRow.body["sensitive"].as_boolean())
    return Names(
        snapshot,
        principal.sites,
        sees_sensitive=principal.sees_sensitive,
        sensitive_now=frozenset(() if principal.sees_sensitive else session.exec(query).all()),
    )


def names_of_plan(session: Session, principal: Principal, digest: str) -> Names:
    """Names of the snapshot that a plan was made on."""
    return names_for(session, principal, read_snapshot(session, read_plan(session, digest).snapshot_digest))


def order_view(session: Session, principal: Principal, order: TransferOrder) -> OrderView:
    """A transfer order; SKUs and sites that are not for the caller go by what they are called for them."""
    (view,) = order_views(session, principal, [order])
    return view


def order_views(session: Session, principal: Principal, orders: Sequence[TransferOrder]) -> list[OrderView]:
    """Transfer orders, as `order_view` shows each."""
    fields = [{name: getattr(order, name) for name in OrderView.model_fields} for order in orders]
    if principal.sees_everything:
        return [OrderView(**each) for each in fields]
    digests = sorted({order.plan_digest for order in orders})
    by_plan = {digest: names_of_plan(session, principal, digest) for digest in digests}
    return [OrderView(**each | _masked(each, by_plan[each["plan_digest"]])) for each in fields]


def _masked(order: dict[str, Any], names: Names) -> dict[str, Any]:
    return {
        "sku_id": names.sku(order["sku_id"]),
        "origin": names.site(order["origin"]),
        "destination": names.site(order["destination"]),
        "attention": None if order["attention"] is None else names.words(order["attention"]),
    }


def imbalance_views(principal: Principal, snapshot: Snapshot, found: tuple[Imbalance, ...]) -> list[ImbalanceView]:
    """Imbalances at the caller's sites."""
    names = Names(snapshot, principal.sites, sees_sensitive=principal.sees_sensitive)
    return [
        ImbalanceView(
            kind=row.kind, site_id=row.site_id, sku_id=names.sku(row.sku_id), units=row.units,
            severity_minor=row.severity_minor, days_of_cover=row.days_of_cover, stock_out_ppm=row.stock_out_ppm,
            until=row.until,
        )
        for row in found
        if principal.covers((row.site_id,))
    ]  # fmt: skip


def run_view(run: Run, words: str = "") -> RunView:
    """A run."""
    fields = {name: getattr(run, name) for name in RunView.model_fields if name != "words"}
    return RunView(**fields, words=words)


def event_view(session: Session, event: LedgerEvent) -> EventView:
    """A ledger event with its body."""
    body = json.loads(event.body)
    told = facts_told(session, body)
    return EventView(
        stream=event.stream, seq=event.seq, type=event.type, occurred_at=event.occurred_at, hash=event.hash.hex(),
        body=body, said={name: told[name] for name in told.keys() - body["facts"].keys()},
    )  # fmt: skip


def verification_view(found: Verification) -> VerificationView:
    """The outcome of a verification; the first 100 problems."""
    problems = [ProblemView(code=p.code, where=p.where, words=p.words) for p in found.problems[:100]]
    return VerificationView(
        events=found.events, streams=found.streams, moves=found.moves, anchored=found.anchored,
        verified=found.verified, problems=problems,
    )  # fmt: skip


def policy_views(in_force: str, currency: str, names: Names | None = None) -> list[PolicyView]:
    """Every released policy, and which one is in force; in words that the reader with these names may read."""
    return [
        PolicyView(
            digest=policy.digest, name=policy.name, release=policy.release, summary=policy.summary,
            in_force=policy.digest == in_force, words=names.words(brief(policy, currency)) if names else brief(policy, currency),
        )
        for policy in releases()
    ]  # fmt: skip


def governance_view(session: Session) -> GovernanceView:
    """What is in force."""
    row, switch = governance(session), kill_switch(session)
    return GovernanceView(
        policy_digest=row.policy_digest, policy_since=row.policy_since, policy_by=row.policy_by,
        kill_switch=switch is not None, kill_switch_reason=switch.reason if switch else "",
        kill_switch_by=switch.engaged_by if switch else "",
    )  # fmt: skip
