"""Making a plan for a request: limits, solve, evaluate, and the words for when there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from policies.limits import imbalance_rules, limits_of, targets_of, view_of
from policies.rules import Facts
from tools.imbalance import Imbalance, find_imbalances
from tools.inventory import Snapshot
from tools.planning import Limits, Solution, UnsoundSolutionError, make_plan, moves_of, solve
from tools.planning.replan import bound_holds, changed_skus, replan, touched_by, with_sets
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


def draft_beside(
    facts: Facts, request: PlanRequest, base: TransferPlan, solver: Solver = solve, before: Snapshot | None = None
) -> Draft:
    """As `draft`, but only the SKUs that the request touches are solved again; all others keep the base plan's lines.

    `before` is the snapshot that the base plan was made on, where it may be another one:
    SKUs whose facts have changed since are then solved again too. Everything is solved
    when the base plan was made under another policy or another kind of request, when what
    has changed may concern any SKU, or when the lines that stand no longer fit.
    """
    touched = _touched(facts, request, base, before)
    if touched is None:
        return draft(facts, request, solver=solver)
    limits = limits_of(facts.policy, facts.snapshot, request)
    touched = with_sets(touched, limits)
    holds = base.snapshot_digest == facts.snapshot.digest and bound_holds(base.request.overlays, request.overlays)
    bound = None if base.solver.bound_minor is None or not holds else float(base.solver.bound_minor)
    solution = replan(facts.snapshot, limits, request, moves_of(base), touched, bound)
    try:
        plan = make_plan(facts.snapshot, limits, request, solution)
    except UnsoundSolutionError:
        # Lines that stand may break what they share with others, such as room that has gone since.
        return draft(facts, request, solver=solver)
    note = f"Only {len(touched)} SKUs were planned again; all other lines stand as they were."
    return Draft(plan, solution.status, note)


def _touched(facts: Facts, request: PlanRequest, base: TransferPlan, before: Snapshot | None) -> frozenset[str] | None:
    """The SKUs to solve again beside the base plan; None when that may be any."""
    asked = (base.request.scope, base.request.within_days) == (request.scope, request.within_days)
    if not asked or base.policy_digest != facts.policy.digest or base.solver.path != "fast":
        return None
    changed: frozenset[str] | None = frozenset()
    if base.snapshot_digest != facts.snapshot.digest:
        known = before if before is not None and before.digest == base.snapshot_digest else None
        changed = None if known is None else changed_skus(known, facts.snapshot)
    touched = touched_by(base, request.overlays, facts.snapshot)
    return None if changed is None or touched is None else touched | changed


def nothing_moved(facts: Facts, request: PlanRequest) -> TransferPlan:
    """The plan that moves nothing, for a request that has no other: what others are compared with, never put forward."""
    limits = replace(limits_of(facts.policy, facts.snapshot, request), must_leave={})
    return make_plan(facts.snapshot, limits, request, Solution(SolveStatus.NOTHING_TO_MOVE, bound=0.0))


def imbalances_of(facts: Facts, request: PlanRequest | None = None) -> tuple[Imbalance, ...]:
    """Every imbalance of the facts under the policy in force. Without a request worked out once for the same facts."""
    known: tuple[Imbalance, ...] | None = facts.snapshot.worked_out.get((imbalances_of, facts.policy.digest))
    if request is None and known is not None:
        return known
    view = view_of(facts.policy, facts.snapshot)
    targets = targets_of(facts.policy, facts.snapshot, request)
    found = find_imbalances(facts.snapshot, view, targets, imbalance_rules(facts.policy))
    if request is None:
        facts.snapshot.worked_out[imbalances_of, facts.policy.digest] = found
    return found
