"""The steps of marginal analysis are the distribution of `tools.demand`, unit by unit or lot by lot."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.strategy.stocked import a_ladder
from tools.demand import expected_sales_of, quantiles, survival_of
from tools.strategy.ladder import STEPS_MAX, TOP_LEVEL, Ladder

means = st.lists(st.floats(0.001, 400, allow_nan=False), min_size=1, max_size=6)


def below(ladder: Ladder) -> np.ndarray:
    """The level below each step."""
    return (np.arange(len(ladder.row)) - ladder.starts[ladder.row]) * ladder.lots[ladder.row]


def test_units_of_a_poisson_demand_are_worth_its_tails() -> None:
    """Demand of 5 days at 0.2 a day is Poisson with mean 1: P(D > 0) = 1 - 1/e, P(D > 1) = 1 - 2/e."""
    ladder = a_ladder(0.2)
    assert ladder.tail[:3] == pytest.approx([1 - exp(-1), 1 - 2 * exp(-1), 1 - 2.5 * exp(-1)])
    assert ladder.served[1] == pytest.approx(2 - 3 * exp(-1))
    assert ladder.gain[1] == pytest.approx((1 - 2 * exp(-1)) / 3), "per day of a review period of 3"


@given(means, st.floats(1.0, 5.0))
@settings(max_examples=60, deadline=None)
def test_tails_and_sales_are_those_of_the_distribution(daily_means: list[float], dispersion: float) -> None:
    ladder = a_ladder(*daily_means, dispersion=dispersion)
    mean, variance = ladder.rows.mean[ladder.row], ladder.rows.variance[ladder.row]
    assert ladder.tail == pytest.approx(survival_of(mean, variance, below(ladder)), abs=1e-9)
    after = below(ladder) + ladder.lots[ladder.row]
    assert ladder.served == pytest.approx(expected_sales_of(mean, variance, after), rel=1e-7, abs=1e-7)


@given(means, st.floats(1.0, 5.0))
@settings(max_examples=60, deadline=None)
def test_every_further_step_of_a_site_sku_serves_no_more_than_the_one_before(
    daily_means: list[float], dispersion: float
) -> None:
    ladder = a_ladder(*daily_means, dispersion=dispersion)
    same_row = ladder.row[1:] == ladder.row[:-1]
    assert (np.diff(ladder.gain)[same_row] <= 1e-9).all()
    assert (ladder.gain >= -1e-9).all()


@given(means, st.floats(1.0, 5.0), st.integers(5_000, 9_999))
@settings(max_examples=60, deadline=None)
def test_a_level_is_reached_with_the_least_steps(daily_means: list[float], dispersion: float, level_bp: int) -> None:
    ladder = a_ladder(*daily_means, dispersion=dispersion)
    least = quantiles(ladder.rows.mean, ladder.rows.variance, level_bp / 10_000)
    units = ladder.units(ladder.steps_to(level_bp))
    assert (units >= least).all()
    assert (units - least < ladder.lots).all()
    assert (units[ladder.lots == 1] == least[ladder.lots == 1]).all()


@given(means)
@settings(max_examples=40, deadline=None)
def test_a_ladder_has_few_steps_and_ends_at_the_top_level(daily_means: list[float]) -> None:
    ladder = a_ladder(*daily_means)
    assert ladder.counts.max() <= STEPS_MAX
    assert (ladder.level_at(ladder.counts) >= TOP_LEVEL).all()
    assert ladder.steps_by_rank(len(ladder.row)).tolist() == ladder.counts.tolist()


def test_no_rows_make_an_empty_ladder() -> None:
    ladder = a_ladder()
    assert (len(ladder.row), len(ladder.gain), len(ladder.order)) == (0, 0, 0)
    assert ladder.steps_to(9_500).tolist() == []
    assert ladder.served_at(ladder.counts).tolist() == []
