"""What cycles come to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.tools.simulation.made import a_cycle
from tools.simulation import Generator, Ours, generated, no_transfers, play
from tools.simulation.foresight import foresight_cost
from tools.simulation.metrics import reversed_units, score

(FOLD,) = generated(Generator.MS15, cycles=6, fitting_seeds=1)
CYCLES = FOLD.scored
NOTHING = [play(cycle, no_transfers) for cycle in CYCLES]
FORESIGHT = [foresight_cost(cycle) for cycle in CYCLES]


def test_doing_nothing_closes_none_of_the_gap_and_foresight_all_of_it() -> None:
    idle = score(CYCLES, NOTHING, NOTHING, FORESIGHT)
    assert idle.foresight_gap_closed == 0.0
    least = [replace(NOTHING[0], stock_cost=FORESIGHT[0], move_cost=np.zeros(len(FORESIGHT[0])))]
    assert score(CYCLES, least, NOTHING, FORESIGHT).foresight_gap_closed == pytest.approx(1.0)


def test_sums_are_those_of_the_outcomes() -> None:
    cycle = a_cycle([[3, 0], [3, 1]], [4, 5])
    outcome = play(cycle, no_transfers)
    found = score([cycle, cycle], [outcome] * 2, [outcome] * 2, [foresight_cost(cycle)] * 2)
    assert (found.demanded_units, found.lost_units, found.left_units) == (14, 4, 8)
    assert found.fill_rate == pytest.approx(10 / 14)
    assert found.turns == pytest.approx(5 / ((6 + 4) / 2))
    assert found.total_cost == 2 * outcome.total_cost


def test_the_interval_holds_the_figure_and_is_the_same_every_time() -> None:
    ours = [play(cycle, Ours()) for cycle in CYCLES]
    first, second = (score(CYCLES, ours, NOTHING, FORESIGHT) for _ in range(2))
    assert first == second
    assert first.interval is not None
    low, high = first.interval
    assert low < first.foresight_gap_closed < high < 1.0


def test_units_that_went_back_are_counted_once() -> None:
    cycle = a_cycle([[0, 0, 0]] * 2, [9, 9, 9])
    outcome = play(cycle, no_transfers)
    forth = (cycle.lanes.origin == 0) & (cycle.lanes.destination == 1)
    back = (cycle.lanes.origin == 1) & (cycle.lanes.destination == 0)
    elsewhere = (cycle.lanes.origin == 1) & (cycle.lanes.destination == 2)
    outcome.moved[0, forth], outcome.moved[0, back], outcome.moved[0, elsewhere] = 5, 3, 9
    assert reversed_units(cycle, outcome) == 3
    assert score([cycle], [outcome], [outcome], [foresight_cost(cycle)]).reversed_share == pytest.approx(3 / 17)


def test_where_lanes_cost_money_there_is_no_interval_by_sku() -> None:
    (fold,) = generated(Generator.LANE_COSTS, cycles=6, fitting_seeds=1, cost=0.5)
    cycle = fold.scored[0]
    ours, idle = play(cycle, Ours()), play(cycle, no_transfers)
    found = score([cycle], [ours], [idle], [foresight_cost(cycle)])
    assert found.lane_cost > 0
    assert found.interval is None
    assert found.total_cost == pytest.approx(ours.total_cost)
