"""The rules: one function each, one list, and every violation with its numbers and its sentence.

The checker trusts neither solver nor llm nor editor. What a rule can read from the
policy document it reads there and not from the solver's limits, so that a number
is enforced twice, by different code. A rule's docstring is the sentence that people
see when they ask what the policy says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

from policies.figures import wrong_sums, wrong_values
from policies.limits import asking_nothing, crosses_entities, limits_of, protected_units, stale_stock_blocks
from policies.merchandise import must_leave_units
from policies.merchandise_rules import MERCHANDISE_RULES
from policies.stops import stop_holding
from policies.tiers import tier_of
from policies.violations import Facts, Rule, Violation, on_line
from tools.counted import counted
from tools.inventory import LaneKey, SiteSku, Snapshot, Temperature
from tools.money import money_text
from tools.planning import evaluate, moves_of
from tools.planning.breaches import Breach, move_breaches
from tools.positions import available_units
from tools.transfers import TransferLine, TransferPlan
from tools.whatif import assumed

__all__ = ["RULES", "Facts", "Rule", "Violation", "check"]


def check(plan: TransferPlan, facts: Facts) -> tuple[Violation, ...]:
    """Every violation, in the order of the rules. Empty means: permitted."""
    return tuple(violation for rule in RULES for violation in rule(plan, facts))


def kill_switch(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """While the kill switch is engaged no plan goes forward, and while a part is stopped none that moves what it holds."""
    if facts.kill_switch and plan.lines:
        yield Violation("kill_switch", "The kill switch is engaged: no transfer may be approved or posted.")
        return
    for line in plan.lines if facts.stops else ():
        stop = stop_holding(facts.stops, line.lane, facts.snapshot.sku_by_id.get(line.sku_id))
        if stop is not None:
            yield on_line("kill_switch", line, f"{stop.words} is stopped, and may not be approved or posted")


def policy_in_force(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """A plan is made under the policy release that is in force."""
    if plan.policy_digest != facts.policy.digest:
        yield Violation(
            "policy_in_force",
            f"The plan was made under policy {plan.policy_digest[:12]}; in force is {facts.policy.label}"
            f" ({facts.policy.digest[:12]}). Plan again.",
        )


def fresh_stock(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """Stock figures at both ends of a line are not older than the policy admits."""
    limit = facts.policy.data_quality.stale_after_hours
    if not stale_stock_blocks(facts.policy):
        return
    known = facts.snapshot.position_by_key
    touching: dict[str, list[TransferLine]] = {}
    for line in plan.lines:
        for site_id in (line.origin, line.destination):
            touching.setdefault(site_id, []).append(line)
    for site_id, lines in sorted(touching.items()):
        keys = [SiteSku(site_id, line.sku_id) for line in lines]
        oldest = min((known[key].as_of for key in keys if key in known), default=facts.now)
        if facts.now - oldest > timedelta(hours=limit):
            hours = math.ceil((facts.now - oldest).total_seconds() / 3600)
            yield Violation(
                "fresh_stock",
                f"The stock of {site_id} was counted {hours:,} hours ago; the policy admits {limit:,}."
                " Bring in a newer count.",
                {"hours": hours, "hours_max": limit},
                tuple(line.line_no for line in lines),
            )


def data_quality(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """No transfer rests on data that failed its quality check, and too much such data stops the whole plan."""
    holds = facts.snapshot.hold_by_key
    for line in plan.lines:
        for site_id in (line.origin, line.destination):
            hold = holds.get(SiteSku(site_id, line.sku_id))
            if hold is not None:
                yield Violation(
                    "data_quality",
                    f"Line {line.line_no}: the data of {line.sku_id} at {site_id} is held back ({hold.check}).",
                    {},
                    (line.line_no,),
                )
    positions = len(facts.snapshot.positions)
    share_max = facts.policy.data_quality.held_share_max_bp
    if plan.lines and positions and len(holds) * 10_000 > share_max * positions:
        yield Violation(
            "data_quality",
            f"{len(holds):,} of {positions:,} stock positions are held back for bad data;"
            f" the policy stops at {share_max / 100:g} %.",
            {"held": len(holds), "positions": positions, "share_max_bp": share_max},
        )


def forbidden_lane(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """Nothing travels on a lane that the policy forbids."""
    for line in plan.lines:
        if any(ref.covers(line.lane) for ref in facts.policy.lanes.forbidden):
            yield on_line("forbidden_lane", line, f"the lane {line.lane.label} is forbidden")


def cross_entity(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """Stock passes from one legal entity to another only where the policy lists the pair."""
    rules = facts.policy.lanes
    pairs = {(pair.origin, pair.destination) for pair in rules.cross_entity_pairs}
    for line in plan.lines:
        if line.lane not in facts.snapshot.lane_by_key or not crosses_entities(facts.snapshot, line.lane):
            continue
        sites = facts.snapshot.site_by_id
        ends = (sites[line.origin].legal_entity, sites[line.destination].legal_entity)
        permitted = rules.cross_entity == "allowed" or (rules.cross_entity == "listed" and ends in pairs)
        if not permitted:
            yield on_line("cross_entity", line, f"it would pass from {ends[0] or '?'} to {ends[1] or '?'}")


def temperature(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """Chilled and frozen goods travel only by modes that keep them so."""
    for line in plan.lines:
        sku = facts.snapshot.sku_by_id.get(line.sku_id)
        if sku is None or sku.temperature is Temperature.AMBIENT:
            continue
        modes = facts.policy.lanes.temperature_modes[sku.temperature]
        if line.mode not in modes:
            wanted = ", ".join(sorted(modes)) or "no mode at all"
            yield on_line("temperature", line, f"{sku.temperature} goods travel by {wanted}, not by {line.mode}")


def hazmat(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """Hazardous goods travel only by the modes that the policy names."""
    for line in plan.lines:
        sku = facts.snapshot.sku_by_id.get(line.sku_id)
        if sku is not None and sku.hazmat and line.mode not in facts.policy.lanes.hazmat_modes:
            wanted = ", ".join(facts.policy.lanes.hazmat_modes) or "no mode at all"
            yield on_line("hazmat", line, f"hazardous goods travel by {wanted}, not by {line.mode}")


def source_protection(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """A donor keeps what it needs itself until its regular supply; what a request assumes can only raise that."""
    known = protected_units(facts.policy, facts.snapshot, asking_nothing(plan.request))
    supposed, world = known, assumed(facts.snapshot, plan.request.overlays)
    if world is not facts.snapshot or plan.request.overlays.service_level_bp is not None:
        supposed = protected_units(facts.policy, world, plan.request)
    # What has to leave in time is not kept.
    leaving = must_leave_units(facts.policy, facts.snapshot)
    for key, units in sorted(plan.sent_units.items()):
        free = available_units(facts.snapshot, key)
        keep = 0 if key in leaving else max(known.get(key, 0), supposed.get(key, 0))
        if free - units < keep:
            yield Violation(
                "source_protection",
                f"{key.site_id} would send {units:,} of {free:,} available {key.sku_id} and must keep {keep:,}.",
                {"sent_units": units, "available_units": free, "protected_units": keep},
                tuple(ln.line_no for ln in plan.lines if (ln.origin, ln.sku_id) == key),
            )


def cool_down(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """What a transfer brought in does not go out again within the cool-down, and what one took out does not come back."""
    days = facts.policy.cool_down.days
    since = facts.snapshot.as_of.date() - timedelta(days=days)
    recent = {(m.site_id, m.sku_id, m.sent): m.moved_on for m in facts.snapshot.recent_moves if m.moved_on > since}
    for line in plan.lines:
        came = recent.get((line.origin, line.sku_id, False))
        went = recent.get((line.destination, line.sku_id, True))
        if came is not None:
            yield on_line(
                "cool_down", line, f"{line.origin} received {line.sku_id} on {came}, within {counted(days, 'day')}"
            )
        if went is not None:
            yield on_line(
                "cool_down",
                line,
                f"{line.destination} sent {line.sku_id} away on {went}, within {counted(days, 'day')}",
            )


def line_benefit(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """Every line earns at least the policy's minimum after its own cost."""
    least = facts.policy.benefit.line_min_minor
    for line in plan.lines:
        # A share is rounded to a minor unit, so a line that earns exactly the minimum may show one less.
        if line.saving_minor < least - 1:
            saving, wanted = money_text(line.saving_minor, plan.currency), money_text(least, plan.currency)
            words = f"it saves {saving}, the policy wants {wanted}"
            yield on_line("line_benefit", line, words, found=line.saving_minor, least=least)


def lane_benefit(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """Every departure earns at least the policy's minimum after its fixed cost."""
    least = facts.policy.benefit.lane_min_minor
    for load in plan.lanes:
        # The lines that travel on it, whichever lines the departure says it carries.
        lines = [line for line in plan.lines if (line.lane, line.depart_on) == (load.lane, load.depart_on)]
        net = sum(line.saving_minor for line in lines) - load.fixed_cost_minor
        if net < least - 1 - len(lines):
            yield Violation(
                "lane_benefit",
                f"The departure {load.lane.label} on {load.depart_on} saves {money_text(net, plan.currency)} after its"
                f" cost; the policy wants {money_text(least, plan.currency)}.",
                {"saving_minor": net, "least_minor": least},
                tuple(line.line_no for line in lines),
            )


def size(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """A line and a plan stay within the policy's most units, lines and value."""
    most = facts.policy.size
    for line in plan.lines:
        if line.units > most.line_units_max:
            words = f"{line.units:,} units; at most {most.line_units_max:,}"
            yield on_line("line_units", line, words, found=line.units, max=most.line_units_max)
    for rule, what, found, allowed in (
        ("plan_units", "units", plan.units, most.plan_units_max),
        ("plan_lines", "lines", len(plan.lines), most.plan_lines_max),
    ):
        if found > allowed:
            words = f"The plan moves {found:,} {what}; the policy admits {allowed:,}."
            yield Violation(rule, words, {"found": found, "max": allowed})
    found, allowed = plan.goods_value_minor, most.plan_goods_value_max_minor
    if found > allowed:
        worth, admitted = money_text(found, plan.currency), money_text(allowed, plan.currency)
        words = f"The plan moves goods worth {worth}; the policy admits {admitted}."
        yield Violation("plan_goods_value", words, {"found": found, "max": allowed})


def approval_tier(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """A plan that fits no approval tier is forbidden."""
    if plan.lines and tier_of(facts.policy, plan, facts.snapshot) is None:
        value = money_text(plan.goods_value_minor, plan.currency)
        yield Violation(
            "approval_tier",
            f"No approval tier admits {plan.units:,} units worth {value}"
            f"{' across legal entities' if _crosses(plan, facts.snapshot) else ''}.",
            {"units": plan.units, "goods_value_minor": plan.goods_value_minor},
        )


def recomputed(plan: TransferPlan, facts: Facts) -> Iterator[Violation]:
    """Computed again from scratch, every line can be carried out, the money adds up, and moving pays."""
    world = assumed(facts.snapshot, plan.request.overlays)
    limits = limits_of(facts.policy, facts.snapshot, plan.request)
    again = evaluate(world, limits, plan.request, moves_of(plan))
    blamed: dict[Breach, tuple[int, ...]] = {}
    for line, move in zip(plan.lines, moves_of(plan), strict=True):
        for breach in move_breaches(world, limits, plan.request, move):
            blamed[breach] = (*blamed.get(breach, ()), line.line_no)
    for breach in dict.fromkeys(again.breaches):
        if breach.code not in _RULES_OF_THEIR_OWN:
            numbers = {"allowed": breach.allowed, "found": breach.found}
            yield Violation(breach.code, f"{breach.words}.", numbers, blamed.get(breach, ()))
    wrong = list(wrong_sums(plan, facts.snapshot))
    # Once the world has moved on, money and dates belong to the facts they were computed from; it must still pay.
    if again.priced and (plan.snapshot_digest, plan.policy_digest) == (facts.snapshot.digest, facts.policy.digest):
        wrong += wrong_values(plan, world, limits, again)
    elif plan.lines and not again.breaches and again.saving <= 0:
        saving = round(again.saving)
        words = (
            f"On the facts of now the plan would save {money_text(saving, plan.currency)}: it does not pay any more."
        )
        yield Violation("still_pays", words, {"saving_minor": saving})
    for figure in wrong:
        numbers = {"claimed": figure.claimed, "computed": figure.computed}
        yield Violation("adds_up", figure.words, numbers, figure.line_nos)
    if plan.lines and plan.saving_minor <= 0:
        words = f"The plan saves {money_text(plan.saving_minor, plan.currency)}: it does not pay."
        yield Violation("adds_up", words, {"saving_minor": plan.saving_minor})


RULES: tuple[Rule, ...] = (
    kill_switch,
    policy_in_force,
    fresh_stock,
    data_quality,
    forbidden_lane,
    cross_entity,
    temperature,
    hazmat,
    source_protection,
    cool_down,
    line_benefit,
    lane_benefit,
    size,
    *MERCHANDISE_RULES,
    approval_tier,
    recomputed,
)

_RULES_OF_THEIR_OWN = frozenset(
    ("forbidden_lane", "cross_entity", "temperature", "hazmat", "cool_down", "data_quality", "source_protection",
     "units_per_line", "plan_units", "plan_lines", "plan_goods_value_e4",
     "whole_set", "lot_life", "end_of_life", "not_an_emergency")
)  # fmt: skip


def _crosses(plan: TransferPlan, snapshot: Snapshot) -> bool:
    lanes: set[LaneKey] = {line.lane for line in plan.lines}
    return any(key in snapshot.lane_by_key and crosses_entities(snapshot, key) for key in lanes)
