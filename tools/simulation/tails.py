"""Survival of demand for whole arrays of means at once."""

from __future__ import annotations

import numpy as np
from scipy import special

from tools.demand import POISSON_BELOW, FloatArray

DISPERSION_MIN = 1.02
"""The least variance-to-mean ratio that the negative binomial is trusted with, where some of an array need it."""
MEAN_MIN = 1e-9


def survival(mean: FloatArray, dispersion: FloatArray, y: FloatArray) -> FloatArray:
    """P(D > y), 1 where y < 0: negative binomial with this mean and variance-to-mean ratio, Poisson where that is 1.

    The arrays broadcast against each other. Between integers the incomplete gamma and
    beta functions interpolate, which is what the middle of a block of units needs.
    """
    counts = np.maximum(y, 0.0) + 1.0
    means = np.maximum(mean, MEAN_MIN)
    if dispersion.max(initial=1.0) <= POISSON_BELOW:
        tail = special.gammainc(counts, means)
    else:
        ratio = np.maximum(dispersion, DISPERSION_MIN)
        tail = special.betainc(counts, means / (ratio - 1.0), 1.0 - 1.0 / ratio)
    beyond: FloatArray = np.where(y < 0, 1.0, tail)
    return beyond
