"""The level of demand in a run of periods: regular demand is smoothed, intermittent demand is smoothed in two parts.

statsforecast does the smoothing. It takes seconds to import, so it is imported when the first level is asked for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

INTERVAL_MAX = 1.32
"""Mean periods from one demand to the next above which demand is intermittent or lumpy."""
SQUARED_CV_MAX = 0.49
"""Squared coefficient of variation of the demand sizes above which demand is erratic or lumpy."""


class DemandPattern(StrEnum):
    """How demand comes: how often, and in how equal sizes."""

    SMOOTH = "smooth"
    ERRATIC = "erratic"
    INTERMITTENT = "intermittent"
    LUMPY = "lumpy"


class Level(NamedTuple):
    """Expected demand of one period, in units, and how it was found."""

    units_per_period: float
    method: str


NO_DEMAND_LEVEL = Level(0.0, "none")


def demand_pattern(periods: FloatArray) -> DemandPattern:
    """The pattern of a run of periods of which at least one has demand.

    Syntetos, Boylan and Croston (2005), On the categorization of demand patterns,
    Journal of the Operational Research Society 56:495-503: cut-offs 1.32 and 0.49.
    """
    sizes = periods[periods > 0]
    often = len(periods) / len(sizes) <= INTERVAL_MAX
    alike = float(sizes.var()) <= SQUARED_CV_MAX * float(sizes.mean()) ** 2
    if often:
        return DemandPattern.SMOOTH if alike else DemandPattern.ERRATIC
    return DemandPattern.INTERMITTENT if alike else DemandPattern.LUMPY


def smoothed_level(periods: FloatArray, smoothing: float) -> Level:
    """The level at the end of `periods`, the earliest first; 0 where nothing was ever asked for.

    Demand that comes often: simple exponential smoothing. Otherwise the method of
    Teunter, Syntetos and Babai (2011), Intermittent demand: linking forecasting to
    inventory obsolescence, European Journal of Operational Research 214:606-615. It
    lowers the level in every period without demand, so a SKU that dies is seen to
    die; Croston's method and its correction by Syntetos and Boylan change the level
    only when a demand comes, and would keep a dead SKU at its last level for ever.

    Smoothing starts from the last period, runs back to the first and forth again
    (backcasting; Box and Jenkins, Time Series Analysis, 1976, sec. 6.4): a short
    history would otherwise be mostly its first period. The smoothing constant is
    fixed, because one fitted to each series follows the noise of small counts.
    """
    from statsforecast.models import TSB, SimpleExponentialSmoothing  # noqa: PLC0415 - it takes seconds to import

    if not periods.any():
        return NO_DEMAND_LEVEL
    pattern = demand_pattern(periods)
    back_and_forth = np.concatenate((periods[::-1], periods))
    if pattern in (DemandPattern.SMOOTH, DemandPattern.ERRATIC):
        forecast = SimpleExponentialSmoothing(alpha=smoothing).forecast(y=back_and_forth, h=1)
        return Level(float(forecast["mean"][0]), f"ses/{pattern}")
    forecast = TSB(alpha_d=smoothing, alpha_p=smoothing).forecast(y=back_and_forth, h=1)
    return Level(float(forecast["mean"][0]), f"tsb/{pattern}")
