"""Demand over a window of days: its mean, its variance, and what one more unit of stock is worth against it.

Demand over a window is negative binomial, or Poisson where its variance does not
exceed its mean. Stock quantities `y` may be arrays of integers; money is not
involved here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tools.inventory import DemandForecast, SiteKind, SiteSku, Snapshot

E6 = 1_000_000
POISSON_BELOW = 1.01
"""Variance-to-mean ratios up to this are treated as Poisson; the negative binomial breaks down at 1."""

FloatArray = NDArray[np.float64]


class WindowDemand(NamedTuple):
    """Mean and variance of demand over a window of days, in units."""

    mean: float
    variance: float

    @property
    def dispersion(self) -> float:
        """Variance-to-mean ratio, at least 1."""
        return max(self.variance / self.mean, 1.0) if self.mean > 0 else 1.0


NO_DEMAND = WindowDemand(0.0, 0.0)


def forecast_window(forecast: DemandForecast, from_on: date, first_day: int, end_day: int) -> WindowDemand:
    """Demand on the days `from_on + first_day` up to but not including `from_on + end_day`.

    The level's own uncertainty is common to all days, so it grows with the square
    of the mean: variance = sum of daily variances + cv2 * mean^2.
    """
    if end_day <= first_day:
        return NO_DEMAND
    shift = (from_on - forecast.first_on).days
    mean = _sum_over(forecast.mean_e6, shift + first_day, shift + end_day) / E6
    variance = _sum_over(forecast.variance_e6, shift + first_day, shift + end_day) / E6
    return WindowDemand(mean, variance + forecast.level_cv2_e6 / E6 * mean * mean)


def _sum_over(daily: tuple[int, ...], first: int, end: int) -> int:
    """Sum of daily[first:end], where the first entry goes back and the last goes on for ever."""
    if not daily:
        return 0
    last = len(daily) - 1
    before = min(max(-first, 0), end - first)
    inside = sum(daily[max(first, 0) : min(max(end, 0), last)])
    after = max(end - max(first, last), 0)
    return before * daily[0] + inside + after * daily[last]


def survival(demand: WindowDemand, y: NDArray[np.int64]) -> FloatArray:
    """P(D > y) for every y; 1 where y < 0."""
    mean = demand.mean
    if mean <= 0:
        return np.where(y < 0, 1.0, 0.0)
    counts = np.maximum(y, 0) + 1.0
    phi = demand.dispersion
    if phi <= POISSON_BELOW:
        tail = special.gammainc(counts, mean)
    else:
        tail = special.betainc(counts, mean / (phi - 1.0), 1.0 - 1.0 / phi)
    return np.where(y < 0, 1.0, tail)


def expected_sales(demand: WindowDemand, y: NDArray[np.int64]) -> FloatArray:
    """E[min(D, y)]: the sum of P(D > t) for t = 0..y-1. Equals y where y < 0, so that differences stay right.

    Closed form: k pmf_r(k) = mean pmf_{r+1}(k-1) for the negative binomial with
    size r, hence E[D; D <= y] = mean F_{r+1}(y-1) (Johnson, Kemp and Kotz,
    Univariate Discrete Distributions, 3rd ed., ch. 5); the Poisson is its limit.
    """
    mean = demand.mean
    if mean <= 0:
        return np.minimum(y, 0).astype(np.float64)
    stock = np.maximum(y, 0).astype(np.float64)
    phi = demand.dispersion
    with np.errstate(invalid="ignore"):
        if phi <= POISSON_BELOW:
            below = np.where(stock >= 1, special.gammaincc(np.maximum(stock, 1.0), mean), 0.0)
        else:
            size = mean / (phi - 1.0)
            below = np.where(stock >= 1, special.betaincc(np.maximum(stock, 1.0), size + 1.0, 1.0 - 1.0 / phi), 0.0)
    served = mean * below + stock * survival(demand, y)
    return np.where(y <= 0, y.astype(np.float64), served)


def quantile(demand: WindowDemand, probability: float) -> int:
    """The least y with P(D <= y) >= probability. Raises ValueError outside 0 < probability < 1."""
    if not 0 < probability < 1:
        raise ValueError(f"a service level lies between 0 and 1, not {probability}")
    if demand.mean <= 0:
        return 0
    low, high = -1, max(8, int(demand.mean))
    while _short(demand, high) > 1 - probability:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if _short(demand, middle) > 1 - probability:
            low = middle
        else:
            high = middle
    return high


def _short(demand: WindowDemand, y: int) -> float:
    return float(survival(demand, np.asarray([y]))[0])


@dataclass(frozen=True)
class DemandView:
    """Demand and horizons of a snapshot's site-SKUs.

    A distribution centre has no customers of its own. Its demand is what its
    stores will draw after their own next regular supply and before its own: until
    then they live on what they hold, and that is what transfers correct.
    """

    snapshot: Snapshot
    default_horizon_days: int

    def horizon_days(self, key: SiteSku) -> int:
        """Days until the regular supply comes anyway: the end of the time in which a transfer can help."""
        row = self.snapshot.replenishment_by_key.get(key)
        if row is None:
            return self.default_horizon_days
        days = (row.next_arrival_on - self.snapshot.as_of.date()).days
        if days <= 0 and row.review_period_days:
            days += row.review_period_days * (-days // row.review_period_days + 1)
        return days if days > 0 else self.default_horizon_days

    def window(self, key: SiteSku, first_day: int, end_day: int) -> WindowDemand:
        """Demand on days first_day..end_day-1 after the snapshot's date."""
        forecast = self.snapshot.forecast_by_key.get(key)
        today = self.snapshot.as_of.date()
        if forecast is not None:
            return forecast_window(forecast, today, first_day, end_day)
        mean = variance = 0.0
        for store in self._dependents.get(key.site_id, ()):
            at_store = SiteSku(store, key.sku_id)
            row = self.snapshot.forecast_by_key.get(at_store)
            if row is None:
                continue
            drawn = forecast_window(row, today, max(first_day, self.horizon_days(at_store)), end_day)
            mean, variance = mean + drawn.mean, variance + drawn.variance
        return WindowDemand(mean, variance)

    def daily_mean(self, key: SiteSku) -> float:
        """Mean demand per day until the regular supply."""
        days = self.horizon_days(key)
        return self.window(key, 0, days).mean / days

    @cached_property
    def _dependents(self) -> dict[str, tuple[str, ...]]:
        """For each distribution centre the stores it is nearest to: least lead time, then cost, then id."""
        nearest: dict[str, tuple[int, int, str]] = {}
        stores = {site.site_id for site in self.snapshot.sites if site.kind is SiteKind.STORE}
        for lane in self.snapshot.lanes:
            if lane.origin in stores or lane.destination not in stores:
                continue
            offer = (lane.lead_time_days, lane.cost_fixed_e4, lane.origin)
            if lane.destination not in nearest or offer < nearest[lane.destination]:
                nearest[lane.destination] = offer
        served: dict[str, list[str]] = {}
        for store, (_, _, centre) in sorted(nearest.items()):
            served.setdefault(centre, []).append(store)
        return {centre: tuple(of_centre) for centre, of_centre in served.items()}
