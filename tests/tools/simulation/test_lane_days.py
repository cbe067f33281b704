"""Lanes that cost money by the day: against every choice of lanes, and by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tests.tools.simulation.made import a_cycle, view_of
from tools.demand import FloatArray
from tools.planning.flow import FlowArrays, Flows
from tools.simulation import Knobs, Ours, generated, no_transfers, play
from tools.simulation.lane_days import ship_by_lane_days
from tools.simulation.sources import Generator
from tools.simulation.values import Horizon, blocks, transport


def total(arrays: FlowArrays, day_cost: FloatArray, lanes: np.ndarray) -> float:
    plan = Flows(arrays).solve(usable=lanes[arrays.arc_lane])
    used = np.unique(arrays.arc_lane[plan.packs > 0])
    return float(plan.value.sum() + day_cost[used].sum())


@pytest.mark.parametrize("seed", range(6))
def test_the_plan_is_near_the_best_choice_of_lanes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cycle = a_cycle([[3, 3, 3]] * 4, rng.integers(0, 25, 3).tolist(), move_cost=0.3)
    arrays = transport(view_of(cycle), blocks(view_of(cycle), Horizon(2.0)), cycle.move_cost)
    day_cost = rng.uniform(2.0, 30.0, len(cycle.lanes))
    packs = ship_by_lane_days(arrays, day_cost)
    used = np.zeros(len(day_cost), dtype=bool)
    used[arrays.arc_lane[packs > 0]] = True
    found = total(arrays, day_cost, used)
    best = min(total(arrays, day_cost, np.array(choice)) for choice in product([False, True], repeat=len(day_cost)))
    assert best - 1e-9 <= found <= min(0.9 * best, 0.0) + 1e-9


def test_a_lane_that_earns_less_than_it_costs_is_left_alone() -> None:
    for day_cost, moves in ((5.0, True), (500.0, False)):
        cycle = a_cycle([[2, 2]] * 3, [0, 12], day_cost=day_cost)
        assert bool(Ours()(view_of(cycle)).any()) is moves


def test_lane_caution_waits_for_more_goods() -> None:
    cycle = a_cycle([[2, 2]] * 3, [0, 12], day_cost=15.0)
    assert Ours()(view_of(cycle)).any()
    assert not Ours(Knobs(lane_caution=4.0))(view_of(cycle)).any()


def test_dear_lanes_never_make_a_cycle_dearer_than_doing_nothing() -> None:
    for cost in (3.0, 8.0):
        ((fold,)) = generated(Generator.LANE_COSTS, cost=cost, cycles=12, fitting_seeds=1)
        (cycle,) = fold.scored
        ours = play(cycle, Ours(Knobs(unwanted_weight=0.25, lane_caution=0.5)))
        assert ours.total_cost <= play(cycle, no_transfers).total_cost
