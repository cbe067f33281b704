"""The negotiator: settles competing claims, repairs what policy refuses, and prices what policy costs.

It may ask for the plan to be made again, at most as often as the policy admits. Its
means are the same as everybody's: it adds to the plan request, and the solver and the
checker have the last word. An llm may argue for claims and rank concessions; what it
says is kept beside the plan and leads to no other plan, request or outcome.
"""

from __future__ import annotations

import json
from typing import Any

from langgraph.runtime import Runtime

from graphs.negotiation.counsel import by_rule, counsel, question_of
from graphs.negotiation.pricing import at_a_limit, price, price_more, ranked
from graphs.negotiation.record import SETTLEMENTS_KEPT, Record, RoundRecord, settlement_records
from graphs.state import RebalanceState
from graphs.world import Context, World
from policies.limits import limits_of
from policies.rules import Facts
from tools.negotiate import Contest, Settlement, caps_by_priority, find_contests, settle
from tools.transfers import PlanRequest, SolveStatus, TransferPlan

ASKED_FOR = "because the language model asked for another round"


def negotiator(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """One round: what is contested, what it led to, and whether the plan is made again."""
    world = runtime.context.world
    digest, round_ = state.get("plan_digest"), state.get("round", 0)
    request = PlanRequest.model_validate_json(json.dumps(state.get("request") or {}))
    so_far = Record.read(state.get("negotiation") or {})
    facts = world.facts()
    if digest is None:
        if state.get("note", "").startswith(SolveStatus.INFEASIBLE):
            so_far = _priced(so_far, facts, request, None)
        return {"negotiation": so_far.outline()}
    plan = world.plan(digest)
    contests = _contests(facts, request, plan) if plan.lines else ()
    settlements = _settle(facts, contests, plan)
    revised, why = request, ""
    if round_ < facts.policy.negotiation.rounds_max:
        revised, why = _revise(facts, request, plan, state["violations"], settlements)
    said = RoundRecord(
        round=round_ + 1,
        plan=digest,
        violations=tuple(violation["words"] for violation in state["violations"]),
        contests=len(contests),
        settlements=settlement_records(contests, settlements),
        change=why,
    )
    if revised != request:
        record = _with_earlier(world, so_far, said)
        world.store_plan(plan, record.document())
        world.tell("negotiator", why)
        return {
            "request": revised.model_dump(mode="json"),
            "round": round_ + 1,
            "negotiation": record.outline(),
            "outcome": "revised",
        }
    record, calls = _concluded(state, world, facts, plan, _with_earlier(world, so_far, said))
    world.store_plan(plan, record.document())
    world.tell("negotiator", f"{len(contests)} contested pools")
    return {"negotiation": record.outline(), "outcome": state["outcome"], "calls": calls}


def _with_earlier(world: World, so_far: Record, said: RoundRecord) -> Record:
    """This round after those of this negotiation, which lie whole with the plans that they were about."""
    earlier = []
    for outline in so_far.rounds:
        kept = Record.read(world.negotiation(outline.plan)).rounds
        earlier.append(
            next((each for each in kept if (each.round, each.plan) == (outline.round, outline.plan)), outline)
        )
    return Record(rounds=(*earlier, said))


def _concluded(
    state: RebalanceState, world: World, facts: Facts, plan: TransferPlan, record: Record
) -> tuple[Record, dict[str, int]]:
    """The record of the last round, with prices, choice and advice, and what the run has used of its calls.

    A plan that is submitted as it was proposed keeps the record of how it came about.
    An llm is asked in conversations only, while its planner waits for a plan, and never
    with the last call of the run: that one is for the answer.
    """
    before, calls = Record.read(world.negotiation(plan.digest)), dict(state.get("calls", {}))
    said, rules = record.rounds[-1], facts.policy.negotiation
    if state.get("submit") and _stands(before, said, facts, plan):
        return before, calls
    request = plan.request
    if state["outcome"] != "permitted" or at_a_limit(facts, request, plan):
        record = _priced(record, facts, request, plan)
    may_ask_again = bool(record.concessions) and said.round < rules.rounds_max
    brief = question_of(record, plan.currency, may_ask_again=may_ask_again)
    may_ask = (
        state.get("door") == "chat" and not state.get("submit") and calls.get("llm", 0) + 1 < world.limits.llm_calls_max
    )
    heard = counsel(world, brief, before, record.choice, may_ask=may_ask)
    if heard.asked:
        calls["llm"] = calls.get("llm", 0) + 1
    record = record.model_copy(update={"choice": heard.choice, "advice": heard.advice})
    if heard.advice is not None and heard.advice.asked_for_another_round:
        record = _with_more_prices(record, facts, plan)
    return record, calls


def _stands(before: Record, said: RoundRecord, facts: Facts, plan: TransferPlan) -> bool:
    """Whether the stored record still tells it: the same facts and policy, and nothing else to say of the plan."""
    same = (plan.snapshot_digest, plan.policy_digest) == (facts.snapshot.digest, facts.policy.digest)
    return same and any(each.model_copy(update={"round": said.round}) == said for each in before.rounds)


def _priced(record: Record, facts: Facts, request: PlanRequest, plan: TransferPlan | None) -> Record:
    found = price(facts, request, plan)
    return record.model_copy(update={**found._asdict(), "choice": by_rule(found.concessions)})


def _with_more_prices(record: Record, facts: Facts, plan: TransferPlan) -> Record:
    """The record with a round in which the limits that come next were priced."""
    known = {concession.rule for concession in record.concessions}
    more = tuple(each for each in price_more(facts, plan.request, plan) if each.rule not in known)
    last, found = record.rounds[-1], f"{len(more)} more limits" if more else "no further limit"
    priced = RoundRecord(
        round=last.round + 1, plan=last.plan, contests=last.contests, change=f"{found} had a price, {ASKED_FOR}"
    )
    concessions = ranked((*record.concessions, *more))
    return record.model_copy(update={"rounds": (*record.rounds, priced), "concessions": concessions})


def _contests(facts: Facts, request: PlanRequest, plan: TransferPlan) -> tuple[Contest, ...]:
    """What is contested of the SKUs that the plan moves: a claim on any other lost to none of its lines."""
    scope = request.scope.model_copy(update={"skus": tuple(sorted({line.sku_id for line in plan.lines}))})
    narrowed = request.model_copy(update={"scope": scope})
    return find_contests(facts.snapshot, limits_of(facts.policy, facts.snapshot, request), narrowed)


def _settle(facts: Facts, contests: tuple[Contest, ...], plan: TransferPlan) -> tuple[Settlement, ...]:
    """The contests as policy settles them: all where the outcome leads to a new request, else those that are kept."""
    rules = facts.policy.negotiation
    wanted = contests if rules.mechanism == "priority" else contests[:SETTLEMENTS_KEPT]
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
