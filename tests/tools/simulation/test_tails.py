"""Survival against scipy's distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tools.simulation.tails import survival


@pytest.mark.parametrize("mean", [0.3, 2.0, 24.0, 600.0])
def test_poisson_tails_are_those_of_scipy(mean: float) -> None:
    y = np.arange(-2.0, 40.0)
    found = survival(np.array(mean), np.array(1.0), y)
    assert found == pytest.approx(np.where(y < 0, 1.0, stats.poisson.sf(y, mean)), abs=1e-12)


@pytest.mark.parametrize(("mean", "ratio"), [(0.3, 1.5), (2.0, 3.0), (40.0, 1.2)])
def test_overdispersed_tails_are_those_of_scipy(mean: float, ratio: float) -> None:
    y = np.arange(-2.0, 60.0)
    found = survival(np.array(mean), np.array(ratio), y)
    expected = np.where(y < 0, 1.0, stats.nbinom.sf(y, mean / (ratio - 1), 1 / ratio))
    assert found == pytest.approx(expected, abs=1e-10)


@given(st.floats(0.0, 300.0), st.floats(1.0, 9.0), st.floats(0.0, 400.0), st.floats(0.0, 5.0))
def test_a_unit_further_up_is_never_wanted_more(mean: float, ratio: float, y: float, more: float) -> None:
    low, high = survival(np.array(mean), np.array(ratio), np.array([y, y + more]))
    assert 0.0 <= high <= low + 1e-9 <= 1.0 + 1e-9
