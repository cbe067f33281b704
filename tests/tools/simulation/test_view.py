"""What a rule sees, and how the level of demand is learned."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tools.simulation.made import a_cycle, view_of
from tools.simulation.view import Level, View


def test_means_add_up_the_forecast_from_the_state_on_and_take_parts_of_periods() -> None:
    cycle = a_cycle([[1, 0], [2, 0], [4, 8], [8, 0]], [9, 9])
    view = view_of(cycle, period=1)
    assert view.mean(0, 2).tolist() == [[6.0, 8.0]]
    assert view.mean(0, 1.5).tolist() == [[4.0, 4.0]]
    assert view.mean(np.array([1.0, 0.0]), np.array([3.0, 1.0])).tolist() == [[12.0, 0.0]]
    assert view.mean(0, 99).tolist() == [[14.0, 8.0]]


def test_a_known_level_learns_nothing_and_is_exactly_one() -> None:
    level = Level.before(a_cycle([[1, 1]], [9, 9]))
    after = level.after(np.array([[3.0, 3.0]]), np.array([[9, 0]]), np.array([[0, 9]]), np.array([1.0]))
    assert after.factor.tolist() == [[1.0, 1.0]]
    assert after.cv2.tolist() == [[0.0, 0.0]]


def test_sales_in_stock_move_the_level_by_their_weight() -> None:
    level = Level.before(a_cycle([[1, 1]], [9, 9], level_prior=8.0))
    after = level.after(np.array([[4.0, 4.0]]), np.array([[8, 0]]), np.array([[1, 1]]), np.array([2.0]))
    assert after.factor.tolist() == [[pytest.approx((8 + 4) / (8 + 2)), pytest.approx(8 / 10)]]
    assert after.cv2[0, 0] == pytest.approx(1 / 12)


def test_a_stock_out_below_the_forecast_teaches_nothing_and_one_above_it_does() -> None:
    level = Level.before(a_cycle([[1, 1]], [9, 9], level_prior=8.0))
    after = level.after(np.array([[4.0, 4.0]]), np.array([[3, 6]]), np.array([[0, 0]]), np.array([1.0]))
    assert after.factor[0, 0] == 1.0
    assert after.factor[0, 1] > 1.0


def test_an_uncertain_level_widens_demand_with_its_mean() -> None:
    view = view_of(a_cycle([[1, 1]] * 3, [9, 9], level_prior=8.0, dispersion=1.5))
    assert view.dispersion(np.array([[16.0, 0.0]])).tolist() == [[pytest.approx(1.5 + 16 / 8), 1.5]]


def test_what_went_one_way_is_seen_on_the_lane_back() -> None:
    cycle = a_cycle([[1, 1, 1]] * 3, [9, 9, 9])
    moved = np.zeros((1, len(cycle.lanes)), dtype=np.int64)
    moved[0, (cycle.lanes.origin == 0) & (cycle.lanes.destination == 2)] = 5
    back = View(cycle, 1, cycle.stock, cycle.stock, Level.before(cycle), moved).moved_back()
    lane = (cycle.lanes.origin == 2) & (cycle.lanes.destination == 0)
    assert back[0, lane].tolist() == [5]
    assert back.sum() == 5
