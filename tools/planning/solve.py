"""The one door to the optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tools.inventory import Snapshot
from tools.planning.coupled import Coupled
from tools.planning.coupling import coupled_of, delivered_in_part, moves_of_packs
from tools.planning.exact import VARIABLES_MAX, formulation_size, solve_exactly
from tools.planning.fast import FastPlan, plan_fast
from tools.planning.flow import VERSIONS
from tools.planning.instance import instance_of
from tools.planning.limits import Limits
from tools.planning.solution import Solution
from tools.planning.table import SEGMENTS_MAX, Table, tabulate
from tools.planning.whole_sets import completed
from tools.transfers import PlanRequest, SolveStatus
from tools.whatif import assumed

Planner = Callable[[Coupled], FastPlan]
"""Makes the fast path's plan: in this process, or by workers elsewhere."""
GAP_PPM = 5_000
"""A plan is good enough when it is proven to be within 0.5 % of the best possible."""
EXACT_FIRST_MAX = 4_000
"""Up to so many variables the exact formulation answers at once; beyond, only where the fast path proves too little."""
PROVEN = 1e-9


def solve(
    snapshot: Snapshot, limits: Limits, request: PlanRequest, gap_ppm: int = GAP_PPM, planner: Planner = plan_fast
) -> Solution:
    """The best transfers for a request: deterministic, and the same for the same facts, limits and request.

    `limits` must be derived from the same snapshot and request. The solution's status
    says what was proven; only `optimal` claims optimality. Its path says which way
    found it: `exact` for small requests and wherever the fast path's certificate is
    wider than `gap_ppm` and the exact formulation still takes the request, else `fast`.
    `planner` makes the fast path's plans.
    """
    facts = assumed(snapshot, request.overlays)
    table = tabulate(facts, limits, request)
    found = _solved(table, facts, limits, request, (gap_ppm, planner))
    return _short_of_packs(found) if table.cut_short and found.status.has_plan else found


def _solved(table: Table, facts: Snapshot, limits: Limits, request: PlanRequest, how: tuple[int, Planner]) -> Solution:
    gap_ppm, planner = how
    size = formulation_size(table)
    if size <= EXACT_FIRST_MAX:
        return solve_exactly(instance_of(table), facts, limits, request, gap_ppm)
    fast = solve_fast(table, facts, limits, request, gap_ppm, planner)
    if size > VARIABLES_MAX or (fast.gap_ppm is not None and fast.gap_ppm <= gap_ppm):
        return fast
    exact = solve_exactly(instance_of(table), facts, limits, request, gap_ppm)
    return better_of(fast, exact, gap_ppm)


def _short_of_packs(found: Solution) -> Solution:
    """The solution without its proof: more packs might pay than were looked at."""
    note = f"more than {SEGMENTS_MAX:,} packs of a SKU would pay at a site; the plan stops there, and proves nothing beyond"
    status = found.status if found.status is SolveStatus.NOTHING_TO_MOVE else SolveStatus.FEASIBLE
    return replace(found, status=status, bound=None, note=note)


def solve_fast(
    table: Table,
    facts: Snapshot,
    limits: Limits,
    request: PlanRequest,
    gap_ppm: int = GAP_PPM,
    planner: Planner = plan_fast,
) -> Solution:
    """The fast path's solution, whatever the size."""
    problem = coupled_of(table, facts, limits, request)
    found = _with_whole_sets(table, problem, limits, planner(problem))
    refused = delivered_in_part(table, limits, found.packs)
    while refused.any():
        problem = replace(
            problem, arrays=replace(problem.arrays, arc_most=np.where(refused, 0, problem.arrays.arc_most))
        )
        again = _with_whole_sets(table, problem, limits, planner(problem))
        found = replace(again, bound=min(found.bound, again.objective))
        refused = delivered_in_part(table, limits, found.packs)
    return _solution(table, problem, found, gap_ppm)


def _with_whole_sets(table: Table, problem: Coupled, limits: Limits, found: FastPlan) -> FastPlan:
    packs = completed(table, problem, limits, found.packs)
    return replace(found, packs=packs, objective=problem.objective(packs))


def _solution(table: Table, problem: Coupled, found: FastPlan, gap_ppm: int) -> Solution:
    moves = moves_of_packs(table, found.packs)
    objective = problem.objective(found.packs)
    status, versions = SolveStatus.FEASIBLE, (*VERSIONS, *found.versions)
    if found.gap * 1e6 <= gap_ppm:
        status = SolveStatus.OPTIMAL if found.gap <= PROVEN else SolveStatus.WITHIN_GAP
    if not moves:
        note = "every possible line costs more than it earns once departures and lines are paid"
        if found.bound < -PROVEN:
            most = math.ceil(-found.bound)
            note = f"no line was found that pays; proven is that no plan saves more than {most:,} minor units of money"
        return Solution(SolveStatus.NOTHING_TO_MOVE, (), 0.0, min(found.bound, 0.0), "fast", versions, note)
    return Solution(status, moves, objective, min(found.bound, objective), "fast", versions)


def better_of(fast: Solution, exact: Solution, gap_ppm: int) -> Solution:
    """The solution with the lower objective, under the higher of the two bounds and what the two prove together."""
    if not exact.status.has_plan or exact.bound is None:
        return fast
    bound = max(exact.bound, exact.bound if fast.bound is None else fast.bound)
    better = exact if exact.objective <= fast.objective else fast
    better = replace(better, bound=min(bound, better.objective))
    proven = better.gap_ppm
    if better.status is SolveStatus.FEASIBLE and proven is not None and proven <= gap_ppm:
        return replace(better, status=SolveStatus.WITHIN_GAP)
    return better
