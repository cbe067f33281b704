"""Marginal analysis: nothing that so much money buys serves more, and the least money is found for every fill rate."""

from __future__ import annotations

from itertools import product
from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.strategy.stocked import a_ladder
from tools.demand import expected_sales_of
from tools.strategy.curve import Trace, ppm, safety_units
from tools.strategy.ladder import Ladder


def a_trace(*daily_means: float, **fields: object) -> Trace:
    return Trace(a_ladder(*daily_means, **fields), "USD")


def served(ladder: Ladder, units: np.ndarray) -> float:
    """Expected sales per review day."""
    sales = expected_sales_of(ladder.rows.mean, ladder.rows.variance, units)
    return float((sales / ladder.rows.review_days).sum())


@given(
    st.lists(st.floats(0.02, 0.25), min_size=2, max_size=3),
    st.lists(st.integers(1_000, 50_000), min_size=3, max_size=3),
    st.floats(1.0, 2.0),
)
@settings(max_examples=25, deadline=None)
def test_no_other_levels_for_the_same_money_serve_more(
    daily_means: list[float], costs: list[int], dispersion: float
) -> None:
    trace = a_trace(*daily_means, costs=costs[: len(daily_means)], dispersion=dispersion)
    ladder = trace.ladder
    bought = [np.array(units) for units in product(*(range(min(count, 8) + 1) for count in ladder.counts))]
    prices = np.array([int((units * ladder.rows.cost_e4).sum()) for units in bought])
    sales = np.array([served(ladder, units) for units in bought])
    for rank in range(len(trace.cost_e4)):
        units = ladder.units(ladder.steps_by_rank(rank))
        assert int((units * ladder.rows.cost_e4).sum()) == trace.cost_e4[rank]
        affordable = sales[prices <= trace.cost_e4[rank]]
        assert affordable.max() <= served(ladder, units) + 1e-9


@given(st.lists(st.floats(0.01, 30), min_size=1, max_size=5), st.integers(1, 999_000))
@settings(max_examples=50, deadline=None)
def test_a_fill_rate_is_reached_by_the_first_step_that_can(daily_means: list[float], goal_ppm: int) -> None:
    trace = a_trace(*daily_means, dispersion=1.7)
    rank = trace.rank_of_fill(goal_ppm / 1e6)
    assert rank is not None
    assert trace.fill[rank] >= goal_ppm / 1e6
    assert rank == 0 or trace.fill[rank - 1] < goal_ppm / 1e6


@given(st.lists(st.floats(0.01, 30), min_size=1, max_size=5), st.integers(0, 20_000_000))
@settings(max_examples=50, deadline=None)
def test_a_budget_is_spent_as_far_as_the_next_step_allows(daily_means: list[float], budget_e4: int) -> None:
    trace = a_trace(*daily_means)
    rank = trace.rank_of_cost(budget_e4)
    assert trace.cost_e4[rank] <= budget_e4
    assert rank == len(trace.cost_e4) - 1 or trace.cost_e4[rank + 1] > budget_e4


@given(st.lists(st.floats(0.01, 30), min_size=1, max_size=5), st.floats(1.0, 4.0))
@settings(max_examples=40, deadline=None)
def test_the_curve_rises_ever_less(daily_means: list[float], dispersion: float) -> None:
    trace = a_trace(*daily_means, dispersion=dispersion)
    rising = np.flatnonzero(trace.fill > 0)[:-1]
    slope = np.diff(trace.fill) / np.diff(trace.cost_e4)
    assert (np.diff(slope[rising]) <= 1e-12).all()
    points = trace.points()
    for name in ("investment_minor", "fill_rate_ppm", "order_up_to_units", "safety_stock_units"):
        figures = [getattr(point, name) for point in points]
        assert figures == sorted(figures), name


def test_the_fill_rate_of_one_sku_by_hand() -> None:
    """Five days of 0.2 are Poisson with mean 1, and three days ask for 0.6.

    E[(D - 3)+] = 1 - P(D > 0) - P(D > 1) - P(D > 2) = 1 - (1 - 1/e) - (1 - 2/e) - (1 - 2.5/e) = 5.5/e - 2.
    """
    trace = a_trace(0.2)
    short = 5.5 * exp(-1) - 2
    assert trace.fill[3] == pytest.approx(1 - short / 0.6)
    assert trace.fill[0] == 0, "more is short in five days than three ask for: cut at nothing"


def test_the_cheaper_of_two_equal_skus_is_bought_first() -> None:
    trace = a_trace(0.2, 0.2, costs=[30_000, 10_000])
    assert trace.ladder.steps_by_rank(2).tolist() == [0, 2], "26 % for 1.00 is more than 63 % for 3.00"
    assert trace.ladder.steps_by_rank(3).tolist() == [1, 2], "and 63 % for 3.00 more than 8 % for 1.00"


def test_safety_stock_is_what_lies_above_the_mean_whole_units_up() -> None:
    ladder = a_ladder(0.5)
    assert ladder.rows.mean[0] == 2.5
    assert [int(safety_units(ladder, np.array([units]))[0]) for units in (0, 2, 3, 5)] == [0, 0, 1, 3]


@pytest.mark.parametrize(("share", "said"), [(0.9499999, 949_999), (0.95, 950_000), (1.0, 1_000_000), (0.0, 0)])
def test_a_share_is_cut_down_so_that_no_goal_is_said_to_be_reached_before_it_is(share: float, said: int) -> None:
    assert ppm(share) == said
