"""The fast path against the exact formulation, on small networks in which every kind of constraint occurs.

The independent evaluator judges both: no breach, and the objective that the solver says.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from tests.tools.planning.random_networks import Case, crowded_case, random_case
from tests.tools.planning.test_solve import a_region
from tools.planning import Solution, evaluate
from tools.planning.calendar import NEXT
from tools.planning.exact import solve_exactly
from tools.planning.fast import Effort
from tools.planning.instance import instance_of
from tools.planning.solve import solve_fast
from tools.planning.table import tabulate
from tools.transfers import Overlays, PlanRequest, SolveStatus
from tools.whatif import assumed

PARTS = 7
SEEDS = range(20_000, 20_560, 1 if "EXAMPLES" in os.environ else 2)
"""All of them in `make thorough`; half of them wherever a change waits for it."""
REGIONS = range(48)
DEPARTURES = range(28)
FULL_EFFORT = range(21_000, 21_030)
LITTLE = Effort(iterations=8, repairs=2, trials=30, failures=8, polished=20, nodes=6)


@pytest.fixture
def little_effort(monkeypatch):
    monkeypatch.setattr(Effort, "of", classmethod(lambda cls, problem: LITTLE))


def both(case: Case, gap_ppm: int = 0) -> tuple[Solution, Solution]:
    """The fast path's solution and the exact one, the first of which was judged."""
    facts = assumed(case.snapshot, case.request.overlays)
    table = tabulate(facts, case.limits, case.request)
    fast = solve_fast(table, facts, case.limits, case.request, 0)
    exact = solve_exactly(instance_of(table), facts, case.limits, case.request, gap_ppm)
    found = evaluate(facts, case.limits, case.request, fast.moves)
    near = 1e-6 * max(1.0, abs(exact.objective))
    assert found.breaches == ()
    assert found.objective == pytest.approx(fast.objective, rel=1e-6, abs=1e-6)
    assert fast.bound is not None
    assert exact.bound is not None
    assert fast.bound <= exact.objective + near
    assert exact.bound - near <= fast.objective <= 1e-9
    # What the fast path admits to miss is never less than what it misses.
    assert fast.objective - exact.objective <= fast.objective - fast.bound + near
    if fast.status is SolveStatus.OPTIMAL:
        assert fast.objective == pytest.approx(exact.objective, rel=1e-6, abs=1e-4)
    assert bool(fast.moves) is (fast.status is not SolveStatus.NOTHING_TO_MOVE)
    return fast, exact


@pytest.mark.parametrize("part", range(PARTS))
def test_the_fast_path_keeps_every_constraint_and_is_never_better_than_the_best(part, little_effort):
    moved = 0
    for seed in SEEDS[part::PARTS]:
        fast, exact = both(random_case(seed))
        assert exact.status in (SolveStatus.OPTIMAL, SolveStatus.NOTHING_TO_MOVE), seed
        moved += bool(fast.moves)
    assert moved >= 5


def test_where_lanes_depart_several_times_both_ways_keep_every_constraint_and_the_bound_holds(little_effort):
    later = found = best = 0.0
    for seed in DEPARTURES:
        fast, exact = both(crowded_case(seed))
        assert exact.status in (SolveStatus.OPTIMAL, SolveStatus.NOTHING_TO_MOVE), seed
        later += any(move.depart_on != NEXT for move in fast.moves)
        found, best = found + fast.objective, best + exact.objective
    assert later >= 8
    assert found / best >= 0.9


@pytest.mark.parametrize("part", range(2))
def test_small_networks_are_planned_almost_as_well_as_they_could_be(part):
    found = best = 0.0
    for seed in FULL_EFFORT[part::2]:
        fast, exact = both(random_case(seed))
        found, best = found + fast.objective, best + exact.objective
    assert best < 0
    assert found / best >= 0.95


def a_case(seed: int) -> Case:
    """A region of three to five sites, where one kind of limit after the other is tight."""
    rng = np.random.default_rng(seed + 77)
    snapshot, limits = a_region(seed, int(rng.integers(3, 6)), int(rng.integers(2, 5)))
    request = PlanRequest()
    budget = PlanRequest(overlays=Overlays(transport_budget_minor=int(rng.integers(1_000, 4_000))))
    match seed % 6:
        case 0:
            limits = replace(limits, lines_max=None, line_charge_minor=int(rng.integers(100, 900)))
            request = budget
        case 1:
            free = tuple(replace(lane, cost_per_unit_e4=0, cost_per_litre_e4=0) for lane in snapshot.lanes)
            snapshot, request = replace(snapshot, lanes=free), budget
            limits = replace(limits, lines_max=None, line_charge_minor=0)
        case 2:
            limits = replace(limits, lines_max=None, units_max=int(rng.integers(5, 60)))
        case 3:
            limits = replace(limits, lines_max=int(rng.integers(1, 5)))
        case 4:
            limits = replace(limits, lines_max=None, line_charge_minor=0, line_hurdle_minor=0)
            snapshot = replace(
                snapshot, sites=tuple(replace(site, inbound_units_per_day=None) for site in snapshot.sites)
            )
        case _:
            limits = replace(limits, goods_value_max_minor=int(rng.integers(1_000, 20_000)))
    return Case(snapshot, limits, request)


@pytest.mark.parametrize("part", range(6))
def test_where_limits_are_tight_the_fast_path_keeps_them_and_its_certificate_holds(part, little_effort):
    solved = [both(a_case(seed), gap_ppm=1_000) for seed in REGIONS[part::6]]
    assert any(fast.moves for fast, _ in solved)
