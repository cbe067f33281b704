"""Making a plan for a request: limits, solve, evaluate, and the words for when there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace

from policies.limits import imbalance_rules, limits_of, targets_of, view_of
from policies.rules import Facts
from tools.imbalance import Imbalance, find_imbalances
from tools.planning import Solution, make_plan, solve
from tools.transfers import PlanRequest, SolveStatus, TransferPlan


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan, or the reason why there is none. `note` is said to people either way when it is not empty."""

    plan: TransferPlan | None
    status: SolveStatus
    note: str = ""


def draft(facts: Facts, request: PlanRequest, relaxed: frozenset[str] = frozenset()) -> Draft:
    """The best plan for a request under the policy in force, confirmed by the evaluator."""
    limits = limits_of(facts.policy, facts.snapshot, request, relaxed)
    solution = solve(facts.snapshot, limits, request)
    if not solution.status.has_plan:
        return Draft(None, solution.status, solution.note)
    return Draft(make_plan(facts.snapshot, limits, request, solution), solution.status, solution.note)


def draft_narrowed(facts: Facts, request: PlanRequest) -> Draft:
    """As `draft`, but a request too large for the solver is narrowed to the SKUs where most money is at stake.

    The number of SKUs halves until the solver takes it, so the result is the same every time.
    """
    made = draft(facts, request)
    if made.status is not SolveStatus.TOO_LARGE:
        return made
    ranked = skus_by_severity(facts, request)
    keep = len(ranked) // 2
    while keep >= 1 and made.status is SolveStatus.TOO_LARGE:
        scope = request.scope.model_copy(update={"skus": tuple(sorted(ranked[:keep]))})
        made = draft(facts, request.model_copy(update={"scope": scope}))
        kept, keep = keep, keep // 2
    words = (
        f"The request was too large for one plan; this one covers the {kept} of {len(ranked)} SKUs with most at stake."
    )
    return Draft(made.plan, made.status, f"{words} {made.note}".strip())


def nothing_moved(facts: Facts, request: PlanRequest) -> TransferPlan:
    """The plan that moves nothing, for a request that has no other: what others are compared with, never put forward."""
    limits = replace(limits_of(facts.policy, facts.snapshot, request), must_leave={})
    return make_plan(facts.snapshot, limits, request, Solution(SolveStatus.NOTHING_TO_MOVE, bound=0.0))


def imbalances_of(facts: Facts, request: PlanRequest | None = None) -> tuple[Imbalance, ...]:
    """Every imbalance of the facts under the policy in force."""
    view = view_of(facts.policy, facts.snapshot)
    targets = targets_of(facts.policy, facts.snapshot, request)
    return find_imbalances(facts.snapshot, view, targets, imbalance_rules(facts.policy))


def skus_by_severity(facts: Facts, request: PlanRequest) -> list[str]:
    """The request's SKUs that have an imbalance, most money first, ties by id."""
    scope = request.scope
    at_stake: dict[str, int] = {}
    for imbalance in imbalances_of(facts):
        sku = facts.snapshot.sku_by_id[imbalance.sku_id]
        wanted = (not scope.skus or sku.sku_id in scope.skus) and (
            not scope.categories or sku.category in scope.categories
        )
        if wanted:
            at_stake[sku.sku_id] = at_stake.get(sku.sku_id, 0) + imbalance.severity_minor
    return sorted(at_stake, key=lambda sku_id: (-at_stake[sku_id], sku_id))
