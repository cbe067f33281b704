"""Making a plan for a request: limits, solve, evaluate, and the words for when there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from policies.limits import imbalance_rules, limits_of, targets_of, view_of
from policies.rules import Facts
from tools.imbalance import Imbalance, find_imbalances
from tools.inventory import Snapshot
from tools.planning import Limits, Solution, make_plan, moves_of, solve
from tools.planning.replan import only_forbids, replan, touched_by
from tools.transfers import PlanRequest, SolveStatus, TransferPlan

Solver = Callable[[Snapshot, Limits, PlanRequest], Solution]


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan, or the reason why there is none. `note` is said to people either way when it is not empty."""

    plan: TransferPlan | None
    status: SolveStatus
    note: str = ""


def draft(facts: Facts, request: PlanRequest, relaxed: frozenset[str] = frozenset(), solver: Solver = solve) -> Draft:
    """The best plan for a request under the policy in force, confirmed by the evaluator."""
    limits = limits_of(facts.policy, facts.snapshot, request, relaxed)
    solution = solver(facts.snapshot, limits, request)
    if not solution.status.has_plan:
        return Draft(None, solution.status, solution.note)
    return Draft(make_plan(facts.snapshot, limits, request, solution), solution.status, solution.note)


def draft_beside(facts: Facts, request: PlanRequest, base: TransferPlan, solver: Solver = solve) -> Draft:
    """As `draft`, but only the SKUs that the request touches are solved again; all others keep the base plan's lines.

    Everything is solved when the base plan was made on other facts or under another
    policy, or when what has changed may concern any SKU.
    """
    touched = touched_by(base, request.overlays, facts.snapshot)
    same = base.snapshot_digest == facts.snapshot.digest and base.policy_digest == facts.policy.digest
    if not same or touched is None or base.request.scope != request.scope or base.solver.path != "fast":
        return draft(facts, request, solver=solver)
    limits = limits_of(facts.policy, facts.snapshot, request)
    forbids = only_forbids(base.request.overlays, request.overlays) and base.solver.bound_minor is not None
    bound = float(base.solver.bound_minor or 0) if forbids else None
    solution = replan(facts.snapshot, limits, request, moves_of(base), touched, bound)
    note = f"Only {len(touched)} SKUs were planned again; all other lines stand as they were."
    return Draft(make_plan(facts.snapshot, limits, request, solution), solution.status, note)


def nothing_moved(facts: Facts, request: PlanRequest) -> TransferPlan:
    """The plan that moves nothing, for a request that has no other: what others are compared with, never put forward."""
    limits = replace(limits_of(facts.policy, facts.snapshot, request), must_leave={})
    return make_plan(facts.snapshot, limits, request, Solution(SolveStatus.NOTHING_TO_MOVE, bound=0.0))


def imbalances_of(facts: Facts, request: PlanRequest | None = None) -> tuple[Imbalance, ...]:
    """Every imbalance of the facts under the policy in force."""
    view = view_of(facts.policy, facts.snapshot)
    targets = targets_of(facts.policy, facts.snapshot, request)
    return find_imbalances(facts.snapshot, view, targets, imbalance_rules(facts.policy))
