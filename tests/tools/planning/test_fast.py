"""The fast path as a whole: against trying everything, with a certificate that holds, and the same bytes every time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.planning.test_solve import a_region
from tests.tools.planning.written_networks import Network, Shared, Way, benchmark_problem, random_network
from tools.planning.coupled import SharedLimits
from tools.planning.exact import formulation_size
from tools.planning.fast import Effort, FastPlan, plan_fast, ruled, without_losers
from tools.planning.flow import Flows
from tools.planning.solve import EXACT_FIRST_MAX
from tools.planning.table import tabulate
from tools.transfers import PlanRequest

LITTLE = Effort(iterations=12, repairs=4, trials=60, failures=12, polished=20)
SMALL = Effort(iterations=40, repairs=4, trials=60, failures=20, polished=200)


@pytest.mark.parametrize("part", range(4))
def test_every_small_plan_keeps_every_rule_and_lies_between_its_bound_and_the_best(part):
    best = found = 0.0
    for seed in range(part, 160, 4):
        network = random_network(seed)
        plan, least = plan_fast(network.coupled(), LITTLE), network.best()
        packs = tuple(plan.packs.tolist())
        assert network.permits(packs), seed
        assert network.price(packs) == pytest.approx(plan.objective, abs=1e-9), seed
        assert plan.bound <= least + 1e-6, seed
        assert least - 1e-9 <= plan.objective <= 1e-9, seed
        assert plan.objective - least <= plan.objective - plan.bound + 1e-6, seed
        best, found = best + least, found + plan.objective
    assert found <= 0.95 * best < 0


@given(seed=st.integers(0, 5_000))
def test_where_skus_share_nothing_the_plan_is_the_best_and_proven(seed):
    network = random_network(seed, coupled=False)
    plan = plan_fast(network.coupled(), LITTLE)
    assert network.permits(tuple(plan.packs.tolist()))
    assert plan.objective == pytest.approx(network.best(), abs=1e-6)
    assert plan.objective - plan.bound <= 1e-4


def test_two_skus_share_one_truck():
    # Three places: three packs worth 6 each and not one worth 10 for two places beside one worth 6.
    network = Network(
        (Way(0, 0, 1, volume=2.0), Way(1, 0, 1, volume=1.0)),
        gains={(0, 1): (10.0, 10.0), (1, 1): (6.0, 6.0, 6.0)},
        losses={(0, 0): (0.0, 0.0), (1, 0): (0.0, 0.0, 0.0)},
        capacity={(0, 1): 3.0},
    )
    plan = plan_fast(network.coupled(), SMALL)
    assert (plan.packs.tolist(), plan.objective) == ([0, 3], -18.0)
    # The bound cannot tell that half a pack of the first does not travel: at 5 a place it is 18, and the gap is closed.
    assert plan.bound == pytest.approx(-18.0, rel=0.05)


def test_a_site_passes_nothing_on_though_a_flow_would():
    network = Network(
        (Way(0, 0, 1, cost=1.0), Way(0, 1, 2, cost=1.0)),
        gains={(0, 1): (4.0,), (0, 2): (20.0,)}, losses={(0, 0): (0.0,), (0, 1): (4.0,)},
        lane_cost={(0, 1): 1.0, (1, 2): 1.0},
    )  # fmt: skip
    assert Flows(network.flow_arrays()).solve().packs.tolist() == [1, 1]
    plan = plan_fast(network.coupled(), LITTLE)
    assert (plan.packs.tolist(), plan.objective) == ([0, 1], -14.0)
    assert plan.bound <= -14.0


def test_a_plan_without_any_way_is_empty_and_proven():
    network = Network((Way(0, 0, 1),), gains={(0, 1): (1.0,)}, losses={(0, 0): (0.0,)}).coupled()
    a = network.arrays
    none = {name: getattr(a, name)[:0] for name in vars(a) if name.startswith("arc_") and name != "arc_margin"}
    empty = replace(
        network,
        arrays=replace(a, **none),
        arc_volume=network.arc_volume[:0],
        arc_least=network.arc_least[:0],
        limits=SharedLimits.none(0, a.lanes),
    )
    plan = plan_fast(empty)
    assert (len(plan.packs), plan.objective, plan.bound, plan.gap) == (0, 0.0, 0.0, 0.0)


def test_the_gap_is_what_lies_between_plan_and_bound_in_shares_of_the_plan():
    def gap(objective: float, bound: float) -> float:
        return FastPlan(np.zeros(0, dtype=np.int64), objective, bound, None).gap

    assert gap(-100.0, -103.0) == 0.03
    assert gap(-100.0, -100.0) == 0.0
    assert gap(0.0, 0.0) == 0.0
    assert gap(0.0, -5.0) == np.inf


def test_larger_problems_get_fewer_tries_but_never_none():
    efforts = [Effort.of(benchmark_problem(skus)) for skus in (20, 200, 2_000)]
    for field in ("iterations", "repairs", "trials", "failures", "polished"):
        counts = [getattr(effort, field) for effort in efforts]
        assert counts == sorted(counts, reverse=True)
        assert counts[-1] > 0


def test_departures_that_cost_more_than_all_they_carry_are_taken_out():
    network = Network(
        (Way(0, 0, 2), Way(1, 1, 2)),
        gains={(0, 2): (4.0,), (1, 2): (9.0,)}, losses={(0, 0): (0.0,), (1, 1): (0.0,)},
        lane_cost={(0, 2): 5.0, (1, 2): 5.0},
    )  # fmt: skip
    assert without_losers(network.coupled(), np.asarray([1, 1])).tolist() == [0, 1]
    assert without_losers(network.coupled(), np.asarray([0, 1])).tolist() == [0, 1]


def test_only_skus_that_break_a_rule_are_solved_again_and_on_the_lanes_in_use():
    ways = (Way(0, 0, 1, least=2), Way(0, 0, 2), Way(1, 0, 2))
    network = Network(
        ways,
        gains={(0, 1): (9.0, 1.0), (0, 2): (5.0,), (1, 2): (3.0, 3.0)},
        losses={(0, 0): (0.0, 0.0), (1, 0): (0.0, 0.0)},
        lane_cost={(0, 1): 1.0, (0, 2): 1.0},
    )
    problem, none = network.coupled(), np.zeros(3)
    assert ruled(problem, np.asarray([1, 0, 1]), none, 0.0).tolist() == [2, 0, 1]
    assert ruled(problem, np.asarray([1, 0, 0]), none, 0.0).tolist() == [2, 0, 0]
    assert ruled(problem, np.asarray([2, 0, 1]), none, 0.0).tolist() == [2, 0, 1]


def test_two_hundred_skus_with_dear_departures_are_planned_as_well_as_is_known():
    # Slope scaling alone reaches -27,246.04, and -27,225.5 once no site passes anything on.
    problem = benchmark_problem()
    plan = plan_fast(problem, SMALL)
    assert plan.objective == pytest.approx(problem.objective(plan.packs))
    assert plan.objective < -27_225.5
    assert not ((problem.sent(plan.packs) > 0) & (problem.received(plan.packs) > 0)).any()
    assert -30_500 < plan.bound < -28_260


def test_two_hundred_skus_on_full_trucks_are_within_two_per_cent_of_the_bound():
    problem = replace(benchmark_problem(200, capacity=60.0), lane_cost=np.zeros(400))
    plan = plan_fast(problem, SMALL)
    assert problem.fits(plan.packs)
    assert plan.gap < 0.02


def test_a_tighter_limit_never_has_a_better_bound_than_a_plan_under_the_looser_one():
    loose = benchmark_problem(40, capacity=60.0)
    tight = replace(loose, lane_capacity=np.full(400, 20.0))
    wide, narrow = plan_fast(loose, LITTLE), plan_fast(tight, LITTLE)
    assert loose.fits(narrow.packs)
    assert wide.bound <= narrow.objective + 1e-9
    assert wide.objective < narrow.objective


@pytest.mark.parametrize("row", [Shared(6.0, per_line=1.0), Shared(4.0, (1.0,) * 5), Shared(0.0, (1.0,) * 5)])
def test_limits_shared_by_all_are_kept(row):
    ways = tuple(Way(sku, 0, 1 + sku % 2, volume=1.0) for sku in range(5))
    network = Network(
        ways,
        gains={(sku, 1 + sku % 2): (9.0 - sku, 5.0) for sku in range(5)},
        losses={(sku, 0): (0.0, 1.0) for sku in range(5)},
        shared=(row,),
    )
    plan = plan_fast(network.coupled(), SMALL)
    assert network.permits(tuple(plan.packs.tolist()))
    assert plan.objective == pytest.approx(network.best())


SCRIPT = """
import warnings
warnings.simplefilter("ignore")
from tests.tools.planning.test_fast import a_larger_region
from tools.planning import make_plan
from tools.planning.fast import Effort
from tools.planning.solve import solve_fast
from tools.planning.table import tabulate
from tools.transfers import PlanRequest
snapshot, limits = a_larger_region()
Effort.of = classmethod(lambda cls, problem: Effort(8, 2, 30, 10, 20))
solution = solve_fast(tabulate(snapshot, limits, PlanRequest()), snapshot, limits, PlanRequest())
print(solution.path, solution.bound.hex(), make_plan(snapshot, limits, PlanRequest(), solution).digest)
"""


def a_larger_region():
    """A network with more variables than the exact formulation answers at once, so that the fast path plans it."""
    snapshot, limits = a_region(4, 10, 36)
    return snapshot, replace(limits, lines_max=60)


def test_the_fast_path_gives_the_same_bytes_in_another_process_with_other_hash_seeds():
    assert formulation_size(tabulate(*a_larger_region(), PlanRequest())) > EXACT_FIRST_MAX
    root = Path(__file__).parents[3]
    printed = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
    assert printed[0].startswith("fast ")
