"""Lines of plans explained to callers: only to those who see both ends, and silent about every other site they do not see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from app.auth.roles import Principal
from app.errors import NotFoundError
from app.plans.store import read_plan, read_snapshot
from app.views import names_for, plan_in_reach
from policies.library import released
from policies.limits import limits_of
from policies.urgency import urgencies
from tools.explanation import LineExplanation, OtherSource, explain_line
from tools.planning.room import Constraint


class BindingView(BaseModel):
    """A limit that keeps a line from being a pack larger (or smaller): what it allows, what is used, what is left."""

    code: str
    where: str
    unit: str
    limit: int
    used: int
    left: int


class SourceView(BaseModel):
    """Another source of a line: what it would save, and how much less than the line, in parts that add up."""

    site_id: str
    mode: str
    units: int
    saving_minor: int
    less_minor: int
    fewer_minor: int
    freight_minor: int
    departure_minor: int
    later_minor: int
    loss_minor: int
    barred_by: list[str]


class ExplanationView(BaseModel):
    """Why a line is in a plan, in words and in the numbers that the words are made of."""

    plan_digest: str
    line_no: int
    sku_id: str
    origin: str
    destination: str
    units: int
    currency: str
    urgency: str
    words: str
    saving_minor: int
    worth_minor: int
    departure_cost_minor: int
    receiver_stock_out_without_ppm: int
    receiver_stock_out_with_ppm: int
    receiver_lost_without_minor: int
    receiver_lost_with_minor: int
    donor_stock_out_without_ppm: int
    donor_stock_out_with_ppm: int
    binding: list[BindingView]
    runner_up: SourceView | None
    barred: SourceView | None
    freight_margin_minor: int
    receiver_fall_percent: int | None
    donor_rise_percent: int | None


def explanation_view(session: Session, principal: Principal, digest: str, line_no: int) -> ExplanationView:
    """A line of a plan explained. Raises NotFoundError for a plan or line whose ends are not both the caller's."""
    plan = plan_in_reach(session, principal, digest)
    lines = [
        line for line in plan.lines if line.line_no == line_no and principal.covers((line.origin, line.destination))
    ]
    if not lines:
        raise NotFoundError(
            "unknown_line",
            f"there is no line {line_no} of plan {digest[:12]} with both ends at your sites",
            "see the plan's lines",
            plan=digest,
        )
    snapshot = read_snapshot(session, plan.snapshot_digest)
    policy = released(plan.policy_digest)
    limits = limits_of(policy, snapshot, plan.request)
    urgency = urgencies(policy, snapshot, plan)[line_no - 1]
    found = explain_line(snapshot, limits, plan, line_no, principal.sites, urgency)
    names = names_for(session, principal, snapshot)
    return ExplanationView(
        plan_digest=plan.digest,
        sku_id=names.sku(found.sku_id),
        origin=found.donor.site_id,
        destination=found.receiver.site_id,
        words=names.words(found.words),
        binding=[_binding(each, names.words) for each in found.binding],
        runner_up=_source(found.runner_up),
        barred=_source(found.barred),
        **_numbers(found),
    )


def words_for_both_ends(session: Session, digest: str, line_nos: Sequence[int]) -> list[str]:
    """Lines explained without a word of any site but the two ends of each. SKUs go by their names: mask them for who reads."""
    plan = read_plan(session, digest)
    snapshot, policy = read_snapshot(session, plan.snapshot_digest), released(plan.policy_digest)
    limits, urgent = limits_of(policy, snapshot, plan.request), urgencies(policy, snapshot, plan)
    told = []
    for line_no in line_nos:
        line = plan.lines[line_no - 1]
        ends = frozenset((line.origin, line.destination))
        found = explain_line(snapshot, limits, plan, line_no, ends, urgent[line_no - 1])
        told.append(f"Line {line_no}, {line.sku_id} from {line.origin} to {line.destination}. {found.words}")
    return told


def _binding(constraint: Constraint, words: Callable[[str], str]) -> BindingView:
    where = words(constraint.where)
    return BindingView(
        code=constraint.code, where=where, unit=constraint.unit, limit=constraint.limit, used=constraint.used,
        left=constraint.left,
    )  # fmt: skip


def _source(found: OtherSource | None) -> SourceView | None:
    if found is None:
        return None
    fields = {name: getattr(found, name) for name in SourceView.model_fields if name != "barred_by"}
    return SourceView(**fields, barred_by=[barrier.rule for barrier in found.barriers])


def _numbers(found: LineExplanation) -> dict[str, Any]:
    to, at, change = found.receiver, found.donor, found.sensitivity
    return {
        "line_no": found.line_no,
        "units": found.units,
        "currency": found.currency,
        "urgency": "" if found.urgency is None else found.urgency.urgency,
        "saving_minor": found.saving_minor,
        "worth_minor": found.worth_minor,
        "departure_cost_minor": found.departure_cost_minor,
        "receiver_stock_out_without_ppm": to.stock_out_without_ppm,
        "receiver_stock_out_with_ppm": to.stock_out_with_ppm,
        "receiver_lost_without_minor": to.lost_without_minor,
        "receiver_lost_with_minor": to.lost_with_minor,
        "donor_stock_out_without_ppm": at.stock_out_without_ppm,
        "donor_stock_out_with_ppm": at.stock_out_with_ppm,
        "freight_margin_minor": change.margin_minor,
        "receiver_fall_percent": change.receiver_fall_percent,
        "donor_rise_percent": change.donor_rise_percent,
    }
