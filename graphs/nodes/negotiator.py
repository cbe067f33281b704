"""The negotiator: settles competing claims, repairs what policy refuses, and prices what policy costs.

It may ask for the plan to be made again, at most as often as the policy admits. Its
means are the same as everybody's: it adds to the plan request, and the solver and the
checker have the last word.
"""

from __future__ import annotations

import json
from typing import Any

from langgraph.runtime import Runtime

from graphs.planning import draft, nothing_moved
from graphs.shortfalls import worst_shortages
from graphs.state import RebalanceState
from graphs.world import Context
from policies.limits import limits_of
from policies.rules import Facts
from tools.concessions import price_concessions
from tools.lifts import Question
from tools.negotiate import Contest, Settlement, caps_by_priority, find_contests, settle
from tools.planning import Limits
from tools.planning.blocked import Blocked, find_conflict
from tools.planning.obstacles import Wanted
from tools.relaxations import price_relaxations
from tools.shortfall import blocked_words, seen_from
from tools.stakes import skus_at_stake
from tools.transfers import PlanRequest, SolveStatus, TransferPlan

CONTESTS_KEPT = 50
CONFLICTS_KEPT = 3
RELAXATIONS_PRICED = 3
"""So many relaxations are priced for a plan: each is a solve while somebody waits."""
RELAXATIONS_PRICED_LARGE = 2
"""The same for a plan that the fast path made."""
SITE_SKUS_TOUCHED = 600
"""There a relaxation is priced by planning SKUs of so many sites again, those with most at stake, beside all others."""


def negotiator(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """One round: what is contested, what it led to, and whether the plan is made again."""
    world = runtime.context.world
    digest, outcome, round_ = state.get("plan_digest"), state["outcome"], state.get("round", 0)
    request = PlanRequest.model_validate_json(json.dumps(state.get("request") or {}))
    record = dict(state.get("negotiation") or {"rounds": []})
    facts = world.facts()
    if digest is None:
        if state.get("note", "").startswith(SolveStatus.INFEASIBLE):
            record |= _concessions(facts, request, None)
        return {"negotiation": record}
    plan = world.plan(digest)
    contests = _contests(facts, request, plan) if plan.lines else ()
    settlements = _settle(facts, contests, plan)
    revised, why = request, ""
    if round_ < facts.policy.negotiation.rounds_max:
        revised, why = _revise(facts, request, plan, state["violations"], settlements)
    record["rounds"] = [
        *record["rounds"],
        {
            "round": round_ + 1,
            "plan": digest,
            "violations": [violation["words"] for violation in state["violations"]],
            "settlements": [_settlement_document(settlement) for settlement in settlements[:CONTESTS_KEPT]],
            "contests": len(contests),
            "change": why,
        },
    ]
    if revised != request:
        world.tell("negotiator", why)
        return {
            "request": revised.model_dump(mode="json"),
            "round": round_ + 1,
            "negotiation": record,
            "outcome": "revised",
        }
    if outcome != "permitted" or _at_a_limit(facts, request, plan):
        record |= _concessions(facts, request, plan)
    world.store_plan(plan, record)
    world.tell("negotiator", f"{len(contests)} contested pools")
    return {"negotiation": record, "outcome": outcome}


def _contests(facts: Facts, request: PlanRequest, plan: TransferPlan) -> tuple[Contest, ...]:
    """What is contested of the SKUs that the plan moves: a claim on any other lost to none of its lines."""
    scope = request.scope.model_copy(update={"skus": tuple(sorted({line.sku_id for line in plan.lines}))})
    narrowed = request.model_copy(update={"scope": scope})
    return find_contests(facts.snapshot, limits_of(facts.policy, facts.snapshot, request), narrowed)


def _settle(facts: Facts, contests: tuple[Contest, ...], plan: TransferPlan) -> tuple[Settlement, ...]:
    """The contests as policy settles them: all where the outcome leads to a new request, else those that are kept."""
    rules = facts.policy.negotiation
    wanted = contests if rules.mechanism == "priority" else contests[:CONTESTS_KEPT]
    return tuple(settle(contest, rules.mechanism.value, rules.priority_sites, plan) for contest in wanted)


def _revise(
    facts: Facts,
    request: PlanRequest,
    plan: TransferPlan,
    violations: list[dict[str, Any]],
    settlements: tuple[Settlement, ...],
) -> tuple[PlanRequest, str]:
    """The request for the next round, and why; the same request when nothing is to be changed."""
    blamed = sorted({number for violation in violations for number in violation["line_nos"]})
    if blamed:
        refs = tuple(plan.lines[number - 1].ref for number in blamed)
        rules = ", ".join(sorted({violation["rule"] for violation in violations if violation["line_nos"]}))
        return request.with_overlays(excluded_lines=refs), f"without {len(refs)} lines that break {rules}"
    rules_of = facts.policy.negotiation
    if rules_of.mechanism == "priority" and not violations:
        caps = caps_by_priority(settlements, rules_of.priority_sites)
        revised = request.with_overlays(receive_caps=caps)
        if caps and revised != request:
            return revised, f"{len(caps)} sites step back behind sites with priority"
    return request, ""


def _at_a_limit(facts: Facts, request: PlanRequest, plan: TransferPlan) -> bool:
    """Whether a total of policy or request holds the plan back, so that its price is worth knowing."""
    size, overlays = facts.policy.size, request.overlays
    totals = (
        (plan.units, size.plan_units_max),
        (plan.units, overlays.max_units),
        (len(plan.lines), size.plan_lines_max),
        (len(plan.lines), overlays.max_lines),
        (plan.goods_value_minor, size.plan_goods_value_max_minor),
        (plan.transfer_cost_minor, overlays.transport_budget_minor),
    )
    return any(most is not None and used * 10 >= most * 9 for used, most in totals)


def _concessions(facts: Facts, request: PlanRequest, plan: TransferPlan | None) -> dict[str, Any]:
    """What relaxing policy, facts or request would be worth, each by itself, and what blocks what is wanted most.

    Nothing of it goes into a plan: it is for the people who could relax it. For a plan
    that the fast path made, nothing is solved whole again: that would take as long as
    the plan itself, each time.
    """
    limits = limits_of(facts.policy, facts.snapshot, request)
    compared = plan or nothing_moved(facts, request)
    conflicts = _conflicts(facts, request, limits, plan)
    negotiable = facts.policy.negotiation.negotiable_rules
    large = compared.solver.path == "fast"
    touched = skus_at_stake(facts.snapshot, limits, request.scope, _most_touched(facts)) if large else ()
    relaxed = price_relaxations(
        Question(facts.snapshot, limits, request),
        compared,
        conflicts,
        negotiable=negotiable,
        solves_max=RELAXATIONS_PRICED_LARGE if large else RELAXATIONS_PRICED,
        touched=frozenset(touched) if large else None,
    )
    covered = {concession.rule for concession in relaxed}
    rules = [] if large else [rule for rule in negotiable if rule not in covered]
    lifted = price_concessions(compared, rules, lambda rule: draft(facts, request, frozenset((rule,))).plan)
    found = sorted((*relaxed, *lifted), key=lambda concession: (-concession.extra_saving_minor, concession.code))
    currency = facts.snapshot.currency
    return {
        "concessions": [concession.model_dump(mode="json") for concession in found],
        "conflicts": [blocked_words(conflict, currency) for conflict in conflicts],
        "pricing": _pricing(len(touched)) if large else "",
    }


def _most_touched(facts: Facts) -> int:
    return max(SITE_SKUS_TOUCHED // len(facts.snapshot.sites), 1)


def _pricing(skus: int) -> str:
    return (
        f"The request is large: what relaxing a limit saves was found by planning the {skus} SKUs with most at stake"
        " again beside all other lines, so more may be possible; rules of policy that bind no line were not priced."
    )


def _conflicts(facts: Facts, request: PlanRequest, limits: Limits, plan: TransferPlan | None) -> list[Blocked]:
    """What blocks the moves that have to be made, or the costliest shortage that a plan without lines leaves."""
    if plan is None:
        wishes = [Wanted(key.site_id, key.sku_id, units, "out") for key, units in sorted(limits.must_leave.items())]
    else:
        wishes = [] if plan.lines else worst_shortages(facts, request, plan, 1)
    within = request.scope.within_sites
    snapshot = seen_from(facts.snapshot, frozenset(within)) if within else facts.snapshot
    found = [find_conflict(snapshot, limits, request, wish) for wish in wishes[:CONFLICTS_KEPT]]
    return [blocked for blocked in found if blocked.conflict]


def _settlement_document(settlement: Settlement) -> dict[str, Any]:
    return {
        "pool": {"site": settlement.pool.site_id, "sku": settlement.pool.sku_id},
        "pool_units": settlement.pool_units,
        "mechanism": settlement.mechanism,
        "price_minor": settlement.price_minor,
        "awards": [
            {
                "site": award.site_id,
                "claimed_units": award.claimed_units,
                "highest_bid_minor": award.highest_bid_minor,
                "awarded_units": award.awarded_units,
                "planned_units": award.planned_units,
            }
            for award in settlement.awards
        ],
    }
