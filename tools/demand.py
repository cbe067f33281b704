"""Demand over a window of days: its mean, its variance, and what one more unit of stock is worth against it.

Demand over a window is negative binomial, or Poisson where its variance does not
exceed its mean. Stock quantities `y` may be arrays of integers; money is not
involved here. What is asked of one window can be asked of many at once
(`expected_sales_of`, `survival_of`, `quantiles`, `DemandView.windows`): the figures
are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tools.demand_table import IntArray, ranges
from tools.inventory import DemandForecast, Lane, SiteKind, SiteSku, Snapshot

E6 = 1_000_000
POISSON_BELOW = 1.01
"""Variance-to-mean ratios up to this are treated as Poisson; the negative binomial breaks down at 1."""

FloatArray = NDArray[np.float64]
Figures = float | FloatArray
"""One figure for all windows, or one for each."""


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


def survival(demand: WindowDemand, y: IntArray) -> FloatArray:
    """P(D > y) for every y; 1 where y < 0."""
    return survival_of(demand.mean, demand.variance, y)


def survival_of(mean: Figures, variance: Figures, y: IntArray) -> FloatArray:
    """P(D > y) for windows of these means and variances; 1 where y < 0. The three shapes broadcast."""
    means, variances, stock = np.broadcast_arrays(mean, variance, y)
    tail = np.where(stock < 0, 1.0, 0.0)
    asked = (means > 0) & (stock >= 0)
    tail[asked] = _survival(means[asked], _dispersion(means[asked], variances[asked]), stock[asked])
    return tail


def _survival(mean: FloatArray, phi: FloatArray, y: IntArray) -> FloatArray:
    """P(D > y) where mean > 0 and y >= 0; arrays of one dimension and length."""
    counts = y + 1.0
    tail = np.empty(len(mean))
    poisson = phi <= POISSON_BELOW
    tail[poisson] = special.gammainc(counts[poisson], mean[poisson])
    mean, phi, counts = mean[~poisson], phi[~poisson], counts[~poisson]
    tail[~poisson] = special.betainc(counts, mean / (phi - 1.0), 1.0 - 1.0 / phi)
    return tail


def _dispersion(mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Variance-to-mean ratios, at least 1, where mean > 0."""
    ratio: FloatArray = np.maximum(variance / mean, 1.0)
    return ratio


def expected_sales(demand: WindowDemand, y: IntArray) -> FloatArray:
    """E[min(D, y)]: the sum of P(D > t) for t = 0..y-1. Equals y where y < 0, so that differences stay right.

    Closed form: k pmf_r(k) = mean pmf_{r+1}(k-1) for the negative binomial with
    size r, hence E[D; D <= y] = mean F_{r+1}(y-1) (Johnson, Kemp and Kotz,
    Univariate Discrete Distributions, 3rd ed., ch. 5); the Poisson is its limit.
    """
    return expected_sales_of(demand.mean, demand.variance, y)


def expected_sales_of(mean: Figures, variance: Figures, y: IntArray) -> FloatArray:
    """E[min(D, y)] as `expected_sales`, for windows of these means and variances. The three shapes broadcast."""
    means, variances, stock = np.broadcast_arrays(mean, variance, y)
    sales: FloatArray = np.minimum(stock, 0).astype(np.float64)
    asked = (means > 0) & (stock > 0)
    mean, stock = means[asked], stock[asked].astype(np.float64)
    phi = _dispersion(mean, variances[asked])
    below = np.empty(len(mean))
    poisson = phi <= POISSON_BELOW
    below[poisson] = special.gammaincc(stock[poisson], mean[poisson])
    size = mean[~poisson] / (phi[~poisson] - 1.0)
    # The complement of I_x(y, r + 1); scipy's own complement is ten times slower.
    below[~poisson] = special.betainc(size + 1.0, stock[~poisson], 1.0 / phi[~poisson])
    sales[asked] = mean * below + stock * _survival(mean, phi, stock)
    return sales


def quantile(demand: WindowDemand, probability: float) -> int:
    """The least y with P(D <= y) >= probability. Raises ValueError outside 0 < probability < 1."""
    return int(quantiles(np.asarray([demand.mean]), np.asarray([demand.variance]), probability)[0])


def quantiles(mean: Figures, variance: Figures, probability: Figures) -> IntArray:
    """The least y with P(D <= y) >= probability, for windows of these means and variances. The shapes broadcast.

    Raises ValueError where a probability does not lie between 0 and 1.
    """
    means, variances, levels = np.broadcast_arrays(mean, variance, probability)
    outside = ~((levels > 0) & (levels < 1))
    if outside.any():
        raise ValueError(f"a service level lies between 0 and 1, not {levels[outside][0]}")
    found = np.zeros(means.shape, dtype=np.int64)
    asked = means > 0
    means = means[asked].astype(np.float64)
    found[asked] = _quantiles(means, _dispersion(means, variances[asked]), 1 - levels[asked])
    return found


def _quantiles(mean: FloatArray, phi: FloatArray, short_max: FloatArray) -> IntArray:
    """The least y with P(D > y) <= short_max where mean > 0: doubled until it is enough, then halved in between."""
    low = np.full(len(mean), -1, dtype=np.int64)
    high = np.maximum(8, mean.astype(np.int64))
    rows = np.arange(len(mean))
    while len(rows := rows[_survival(mean[rows], phi[rows], high[rows]) > short_max[rows]]):
        low[rows] = high[rows]
        high[rows] *= 2
    rows = np.arange(len(mean))
    while len(rows := rows[high[rows] - low[rows] > 1]):
        middle = (low[rows] + high[rows]) // 2
        short = _survival(mean[rows], phi[rows], middle) > short_max[rows]
        low[rows] = np.where(short, middle, low[rows])
        high[rows] = np.where(short, high[rows], middle)
    return high


def nearest_centres(snapshot: Snapshot) -> dict[str, Lane]:
    """For each store the lane from its nearest centre: least lead time, then cost of a departure, then id."""
    stores = {site.site_id for site in snapshot.sites if site.kind is SiteKind.STORE}
    nearest: dict[str, Lane] = {}
    for lane in snapshot.lanes:
        if lane.origin in stores or lane.destination not in stores:
            continue
        held = nearest.get(lane.destination)
        if held is None or _nearness(lane) < _nearness(held):
            nearest[lane.destination] = lane
    return nearest


def _nearness(lane: Lane) -> tuple[int, int, str]:
    return lane.lead_time_days, lane.cost_fixed_e4, lane.origin


@dataclass(frozen=True)
class DemandSources:
    """Where the demand of site-SKUs comes from: rows of the demand table.

    `own` is the key's own forecast, -1 without one; a centre without one draws on
    the forecasts `drawn[first : first + count]` of its stores.
    """

    own: IntArray
    first: IntArray
    count: IntArray
    drawn: IntArray

    def at(self, keys: IntArray) -> DemandSources:
        """Of some of the keys, by their numbers."""
        return DemandSources(self.own[keys], self.first[keys], self.count[keys], self.drawn)


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
        return self._horizons.get(key, self.default_horizon_days)

    def horizons(self, keys: Sequence[SiteSku]) -> IntArray:
        """Days until the regular supply, as `horizon_days`, of every key."""
        find, default = self._horizons.get, self.default_horizon_days
        return np.fromiter((find(key, default) for key in keys), dtype=np.int64, count=len(keys))

    @cached_property
    def _horizons(self) -> dict[SiteSku, int]:
        """Days until the regular supply, where it is known and still to come."""
        horizons: dict[SiteSku, int] = {}
        as_of = self.snapshot.as_of.date()
        for key, row in self.snapshot.replenishment_by_key.items():
            days = (row.next_arrival_on - as_of).days
            if days <= 0 and row.review_period_days:
                days += row.review_period_days * (-days // row.review_period_days + 1)
            if days > 0:
                horizons[key] = days
        return horizons

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

    def windows(
        self, keys: Sequence[SiteSku], first_days: IntArray, end_days: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Means and variances of demand on days first..end-1, as `window`, of every key: shape (keys,) throughout."""
        return self.windows_of(self.sources(keys), first_days, end_days)

    def sources(self, keys: Sequence[SiteSku]) -> DemandSources:
        """Where the demand of every key comes from."""
        own = self.snapshot.demand_table.rows_of(keys)
        count = np.zeros(len(own), dtype=np.int64)
        centres = [index for index in np.flatnonzero(own < 0).tolist() if keys[index].site_id in self._dependents]
        drawn = [self._rows_served(keys[index]) for index in centres]
        count[centres] = [len(rows) for rows in drawn]
        return DemandSources(own, np.cumsum(count) - count, count, np.concatenate(drawn) if drawn else count[:0])

    def windows_of(
        self, sources: DemandSources, first_days: IntArray, end_days: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Means and variances of demand on days first..end-1 from these sources: shape (keys,) throughout."""
        rows = sources.own
        first_days, end_days = np.broadcast_to(first_days, rows.shape), np.broadcast_to(end_days, rows.shape)
        own = rows >= 0
        mean, variance = np.zeros(len(rows)), np.zeros(len(rows))
        mean[own], variance[own] = self._sums(rows[own], first_days[own], end_days[own])
        centres = np.repeat(np.arange(len(rows)), sources.count)
        if len(centres):
            stores = sources.drawn[ranges(sources.first, sources.count)]
            first = np.maximum(first_days[centres], self._horizons_by_row[stores])
            drawn_mean, drawn_variance = self._sums(stores, first, end_days[centres])
            mean += np.bincount(centres, drawn_mean, len(rows))
            variance += np.bincount(centres, drawn_variance, len(rows))
        return mean, variance

    def _rows_served(self, key: SiteSku) -> IntArray:
        found = self._served.get(key)
        if found is None:
            stores = [SiteSku(store, key.sku_id) for store in self._dependents.get(key.site_id, ())]
            rows = self.snapshot.demand_table.rows_of(stores)
            found = self._served[key] = rows[rows >= 0]
        return found

    @cached_property
    def _served(self) -> dict[SiteSku, IntArray]:
        """The forecasts that a centre serves, as far as they have been asked for: each is asked for many times."""
        return {}

    def _sums(self, rows: IntArray, first_days: IntArray, end_days: IntArray) -> tuple[FloatArray, FloatArray]:
        """Means and variances of demand by rows of the demand table, as `forecast_window`."""
        table, as_of = self.snapshot.demand_table, self.snapshot.as_of.date()
        shift = as_of.toordinal() - table.first_on[rows]
        mean_e6, variance_e6, exact = table.sums_e6(rows, shift + first_days, shift + end_days)
        mean = mean_e6 / E6
        variance = variance_e6 / E6 + table.level_cv2_e6[rows] / E6 * mean * mean
        for index in np.flatnonzero(~exact).tolist():
            forecast = self.snapshot.forecasts[rows[index]]
            window = forecast_window(forecast, as_of, int(first_days[index]), int(end_days[index]))
            mean[index], variance[index] = window
        return mean, variance

    @cached_property
    def _horizons_by_row(self) -> IntArray:
        return self.horizons([forecast.key for forecast in self.snapshot.forecasts])

    def daily_mean(self, key: SiteSku) -> float:
        """Mean demand per day until the regular supply."""
        days = self.horizon_days(key)
        return self.window(key, 0, days).mean / days

    @classmethod
    def of(cls, snapshot: Snapshot, default_horizon_days: int) -> Self:
        """The one view of these facts that everybody shares, with what it has worked out already."""
        view: Self = snapshot.worked_out.setdefault((cls, default_horizon_days), cls(snapshot, default_horizon_days))
        return view

    @cached_property
    def _dependents(self) -> dict[str, tuple[str, ...]]:
        """For each distribution centre the stores it is nearest to."""
        served: dict[str, list[str]] = {}
        for store, lane in sorted(nearest_centres(self.snapshot).items()):
            served.setdefault(lane.origin, []).append(store)
        return {centre: tuple(of_centre) for centre, of_centre in served.items()}
