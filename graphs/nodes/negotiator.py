"""The negotiator: settles competing claims, repairs what policy refuses, and prices what policy costs.

It may ask for the plan to be made again, at most as often as the policy admits. Its
means are the same as everybody's: it adds to the plan request, and the solver and the
checker have the last word.
"""

from __future__ import annotations

import json
from typing import Any

from langgraph.runtime import Runtime

from graphs.planning import draft
from graphs.state import RebalanceState
from graphs.world import Context
from policies.limits import limits_of
from policies.rules import Facts
from tools.concessions import price_concessions
from tools.negotiate import Settlement, caps_by_priority, find_contests, settle
from tools.transfers import PlanRequest, TransferPlan

CONTESTS_KEPT = 50


def negotiator(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """One round: what is contested, what it led to, and whether the plan is made again."""
    world = runtime.context.world
    digest, outcome, round_ = state.get("plan_digest"), state["outcome"], state.get("round", 0)
    request = PlanRequest.model_validate_json(json.dumps(state.get("request") or {}))
    record = dict(state.get("negotiation") or {"rounds": []})
    facts = world.facts()
    if digest is None:
        record["concessions"] = _concessions(facts, request, None)
        return {"negotiation": record}
    plan = world.plan(digest)
    settlements = _settle(facts, request, plan) if plan.lines else ()
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
            "contests": len(settlements),
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
    if outcome != "permitted" or _at_a_limit(facts, plan):
        record["concessions"] = _concessions(facts, request, plan)
    world.store_plan(plan, record)
    world.tell("negotiator", f"{len(settlements)} contested pools")
    return {"negotiation": record, "outcome": outcome}


def _settle(facts: Facts, request: PlanRequest, plan: TransferPlan) -> tuple[Settlement, ...]:
    rules = facts.policy.negotiation
    contests = find_contests(facts.snapshot, limits_of(facts.policy, facts.snapshot, request), request)
    return tuple(settle(contest, rules.mechanism.value, rules.priority_sites, plan) for contest in contests)


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


def _at_a_limit(facts: Facts, plan: TransferPlan) -> bool:
    """Whether a total of the policy holds the plan back, so that its price is worth knowing."""
    size = facts.policy.size
    return (
        plan.units * 10 >= size.plan_units_max * 9
        or len(plan.lines) * 10 >= size.plan_lines_max * 9
        or plan.goods_value_minor * 10 >= size.plan_goods_value_max_minor * 9
    )


def _concessions(facts: Facts, request: PlanRequest, plan: TransferPlan | None) -> list[dict[str, Any]]:
    """What each negotiable rule costs this request, priced by planning without it."""
    if plan is None:
        return []
    found = price_concessions(
        plan,
        facts.policy.negotiation.negotiable_rules,
        lambda rule: draft(facts, request, frozenset((rule,))).plan,
    )
    return [concession.model_dump(mode="json") for concession in found]


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
