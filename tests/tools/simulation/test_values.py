"""Gains fall, losses rise, and nothing pays to go in a circle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.tools.simulation.made import a_cycle, cycles, view_of
from tools.simulation import Cycle
from tools.simulation.values import Horizon, blocks, chance
from tools.simulation.view import View

HORIZONS = st.sampled_from([Horizon(1.0), Horizon(2.5), Horizon(float("inf")), Horizon(1.0, 0.5), Horizon(1.25, 1.0)])


@settings(max_examples=60)
@given(cycles(), HORIZONS)
def test_gains_fall_losses_rise_and_the_first_loss_is_no_less_than_the_first_gain(
    cycle: Cycle, horizon: Horizon
) -> None:
    found = blocks(View.at(cycle, 1, cycle.stock), horizon)
    for sku, site in np.ndindex(cycle.stock.shape):
        gains = found.receive_gain[sku, site][found.receive_units[sku, site] > 0]
        losses = found.send_loss[sku, site][found.send_units[sku, site] > 0]
        assert (np.diff(gains) <= 1e-9).all()
        assert (np.diff(losses) >= -1e-9).all()
        assert not len(gains) or not len(losses) or losses[0] >= gains[0] - 1e-12
        assert found.send_units[sku, site].sum() <= cycle.stock[sku, site]
        assert (found.receive_units[sku, site] >= 0).all()


def test_every_unit_of_a_slow_mover_is_valued_by_itself() -> None:
    view = view_of(a_cycle([[0, 0], [2, 2], [1, 1]], [1, 4], move_cost=1.0))
    found = blocks(view, Horizon(1.0))
    worth = 10.0 + 1.0
    assert found.receive_gain[0, 0][found.receive_units[0, 0] > 0][:3] == pytest.approx(
        worth * stats.poisson.sf([1, 2, 3], 2.0)
    )
    assert found.send_loss[0, 1][found.send_units[0, 1] > 0] == pytest.approx(
        worth * stats.poisson.sf([3, 2, 1, 0], 3.0)
    )


def test_a_late_unit_is_worth_only_what_is_asked_after_its_arrival() -> None:
    view = view_of(a_cycle([[0, 0], [9, 9], [1, 1], [0, 0]], [0, 20], lead=1))
    found = blocks(view, Horizon(1.0))
    assert found.receive_gain[0, 0][found.receive_units[0, 0] > 0][0] == pytest.approx(11.0 * stats.poisson.sf(0, 1.0))


def test_a_fast_movers_blocks_cover_all_its_stock_that_may_be_wanted() -> None:
    view = view_of(a_cycle([[300, 300]] * 4, [1200, 100]))
    found = blocks(view, Horizon(1.0, 0.5))
    assert found.send_units[0, 0].sum() == 1200 - (900 - 4 * 30)
    assert found.receive_units[0, 1].sum() == 900 + 4 * 30 - 100


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_looking_ahead_never_values_a_unit_above_the_chance_that_it_is_wanted(
    near: float, far: float, weight: float
) -> None:
    low, high = sorted((near, far))
    share = float(chance(Horizon(1.0, weight), np.array(low), np.array(high)))
    assert 0.0 <= share <= high


def test_when_nothing_can_wait_any_more_looking_ahead_is_looking_at_what_is_left() -> None:
    same = np.array([0.0, 0.3, 1.0])
    assert chance(Horizon(1.0, 1.0), same, same) == pytest.approx(same)


def test_a_unit_wanted_soon_or_never_is_worth_the_odds() -> None:
    # 30 % soon, 60 % by the end: 3 against the 4 of never, and a little for what can wait.
    assert chance(Horizon(1.0, 1.0), np.array(0.3), np.array(0.6)) == pytest.approx(0.3 / (0.3 + 0.4 + 0.02 * 0.3))
    assert chance(Horizon(1.0, None), np.array(0.3), np.array(0.6)) == pytest.approx(0.3)
