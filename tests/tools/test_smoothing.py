from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.smoothing import DemandPattern, demand_pattern, smoothed_level


def periods(*units):
    return np.asarray(units, dtype=float)


@pytest.mark.parametrize(
    ("units", "pattern"),
    [
        # Demand in 25 of 33 periods is one every 1.32; in 25 of 34 one every 1.36.
        ([4] * 25 + [0] * 8, DemandPattern.SMOOTH),
        ([4] * 25 + [0] * 9, DemandPattern.INTERMITTENT),
        # Sizes 3 and 17: mean 10, variance 49, squared coefficient of variation 0.49; with 18: 56.25/110.25 = 0.51.
        ([3, 17], DemandPattern.SMOOTH),
        ([3, 18], DemandPattern.ERRATIC),
        ([3, 0, 18, 0], DemandPattern.LUMPY),
        ([0, 0, 0, 5], DemandPattern.INTERMITTENT),
    ],
)
def test_demand_is_classed_by_how_often_and_how_evenly_it_comes(units, pattern):
    assert demand_pattern(periods(*units)) is pattern


def test_regular_demand_is_smoothed_back_and_forth():
    # From the last period back: 20, 19, 18.1, 17.29; forth: 16.561, 15.9049, 15.31441, and 0.1 x 20 + 0.9 x 15.31441.
    level = smoothed_level(periods(10, 10, 10, 20), 0.1)
    assert level.units_per_period == pytest.approx(15.782969)
    assert level.method == "ses/smooth"


def test_intermittent_demand_is_smoothed_in_two_parts():
    # Occurrence 1 0 1 0 | 0 1 0 1 from the last period back and forth, at 0.5: 1, .5, .75, .375, .1875, .59375,
    # .296875, .6484375. Sizes 4, 4, 4, 4. Level .6484375 x 4.
    level = smoothed_level(periods(0, 4, 0, 4), 0.5)
    assert level.units_per_period == pytest.approx(2.59375)
    assert level.method == "tsb/intermittent"


def test_a_sku_that_dies_is_seen_to_die():
    alive = periods(*[3, 0] * 13)
    dead = np.concatenate((alive, np.zeros(26)))
    assert smoothed_level(dead, 0.1).units_per_period < 0.1 * smoothed_level(alive, 0.1).units_per_period


def test_a_sku_that_nobody_ever_asked_for_has_no_demand():
    assert smoothed_level(periods(0, 0, 0, 0), 0.1) == (0.0, "none")


@given(units=st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
def test_a_level_lies_within_what_was_seen(units):
    level = smoothed_level(periods(*units), 0.1).units_per_period
    assert 0 <= level <= max(units) * (1 + 1e-9)


@given(units=st.lists(st.integers(1, 10**6), min_size=2, max_size=60), factor=st.integers(2, 1000))
def test_a_level_scales_with_its_demand(units, factor):
    scaled = smoothed_level(periods(*units) * factor, 0.1).units_per_period
    assert scaled == pytest.approx(smoothed_level(periods(*units), 0.1).units_per_period * factor)
