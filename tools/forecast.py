"""Demand forecasts: from sales history, or from the days that somebody else forecast.

From history, per site-SKU:

1. Periods. Days or weeks up to the last complete one. A period without a row counts
   as zero sales in stock, because most systems leave such rows out.
2. Stock-outs. Sales of a period that ran out of stock say only "at least so many".
   A period that sold nothing says nothing and is left out; one that sold something is
   completed with the demand to be expected given at least its sales, at the current
   level and dispersion, three times over (the expectation step of Dempster, Laird and
   Rubin 1977, Journal of the Royal Statistical Society B 39:1-38). The level is then
   the highest of three readings: completed, left out, as sold. So no stock-out period
   can lower a forecast.
3. Level (`tools.smoothing`); with too few periods, what the other sites sell of the SKU.
4. Dispersion: the variance-to-mean ratio of the periods in stock (method of moments),
   drawn towards that of the whole network while there are few periods.
5. Uncertainty of the level: that of a Gamma-distributed level after the sales seen.
   One overdispersed unit carries 1/dispersion of the information of a Poisson unit.

A forecast that somebody else made has a shape, but a level that may be wrong: its days
are multiplied by a Gamma(8, 8) factor, of mean 1, unless they come with variances,
which are taken as the whole of what its maker knows. Sales of periods that it covers
update the factor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tools.demand import E6, WindowDemand, forecast_window, survival
from tools.inventory import DemandForecast, SalesObservation, SiteSku
from tools.signals import ForecastReading
from tools.smoothing import NO_DEMAND_LEVEL, FloatArray, Level, smoothed_level

Grain = Literal["day", "week"]

DISPERSION_MAX = 1000.0
"""Weekly promotions reach several hundred at fast movers; beyond this it is a fault in the data."""
DISPERSION_WEIGHT = 10
"""How many periods the network's dispersion weighs against a series' own."""
LEVEL_WEIGHT = 2.0
"""Shape of the Gamma prior of a level: before any sale its coefficient of variation is 0.7."""
GIVEN = "given"
GIVEN_AND_LEARNED = "given/learned"
GIVEN_LEVEL_WEIGHT = 8.0
"""Shape of the Gamma prior of the level of a forecast that somebody else made: its coefficient of variation is 0.35."""
COMPLETIONS = 3
GIVEN_DAYS_MAX = 1100
WEEK_DAYS = 7


class _Calendar(NamedTuple):
    days: int
    smoothing: float
    periods_min: int
    periods_max: int


_CALENDARS: dict[Grain, _Calendar] = {
    "week": _Calendar(days=7, smoothing=0.1, periods_min=4, periods_max=104),
    "day": _Calendar(days=1, smoothing=0.015, periods_min=28, periods_max=728),
}
"""A week's smoothing constant of 0.1 and a day's of 0.015 forget at the same speed: 0.985^7 = 0.9."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What other series tell about one with a short history.

    `units_per_period` is what other sites sell of the SKU, None where no other site
    has history enough; `dispersion` is the network's variance-to-mean ratio. The
    default suits slow movers.
    """

    units_per_period: float | None = None
    dispersion: float = 2.0


@dataclass(frozen=True, slots=True)
class _Series:
    """Complete periods of a site-SKU, the earliest first."""

    key: SiteSku
    sold: FloatArray
    in_stock: NDArray[np.bool_]
    first_on: date

    @property
    def kept(self) -> FloatArray:
        """Sales of the periods that were in stock."""
        return self.sold[self.in_stock]


def forecast_from_history(
    key: SiteSku,
    observations: Iterable[SalesObservation],
    grain: Grain,
    as_of: date,
    *,
    covered_until: date | None = None,
    pool: Pool | None = None,
) -> DemandForecast | None:
    """A level forecast from the sales of one site-SKU, or None when they tell nothing.

    Periods that are not over by `as_of` are left out. `covered_until` is the start of
    the last period that the history covers, when that is later than the last
    observation: sales since then were zero. Rows in one period add up. The method is
    `ses/...` or `tsb/...` with the demand pattern, `pooled` when the history is short,
    and `none` when the SKU was in stock and never asked for.

    Raises ValueError for negative units.
    """
    series = _series(key, observations, _CALENDARS[grain], as_of, covered_until)
    return _forecast(series, _CALENDARS[grain], as_of, pool or Pool()) if series else None


def forecast_network(
    history: Iterable[SalesObservation], grain: Grain, as_of: date, given: Iterable[DemandForecast] = ()
) -> tuple[DemandForecast, ...]:
    """Forecasts of every site-SKU with history, sorted by site and SKU.

    A site that reports a period has reported all its SKUs, so a SKU without a row
    sold nothing. Short histories lean on the SKU's other sites, uncertain dispersions
    on the whole network. Where somebody else's forecast is `given` (`forecast_given`),
    it stands, with its level learned from the sales. Raises ValueError for negative units.
    """
    stands = {forecast.key: forecast for forecast in given}
    calendar = _CALENDARS[grain]
    rows: defaultdict[SiteSku, list[SalesObservation]] = defaultdict(list)
    covered_until: dict[str, date] = {}
    for row in history:
        rows[SiteSku(row.site_id, row.sku_id)].append(row)
        if _is_over(row.on, calendar, as_of):
            covered_until[row.site_id] = max(row.on, covered_until.get(row.site_id, row.on))
    found = [_series(key, rows[key], calendar, as_of, covered_until.get(key.site_id)) for key in sorted(rows)]
    every = [series for series in found if series is not None]
    dispersion = _pooled_dispersion(every)

    forecasts: dict[SiteSku, DemandForecast] = {}
    levels: defaultdict[str, list[float]] = defaultdict(list)
    # Long histories come first, because short ones lean on them.
    for series in sorted(every, key=lambda one: len(one.kept) < calendar.periods_min):
        elsewhere = levels.get(series.key.sku_id)
        pool = Pool(sum(elsewhere) / len(elsewhere) if elsewhere else None, dispersion)
        forecast = _forecast(series, calendar, as_of, pool)
        if series.key in stands:
            forecasts[series.key] = _learned(stands[series.key], series, calendar, _dispersion(series, pool))
        elif forecast is not None:
            forecasts[series.key] = forecast
        if forecast is None:
            continue
        if len(series.kept) >= calendar.periods_min:
            levels[series.key.sku_id].append(forecast.mean_e6[0] * calendar.days / E6)
    return tuple(forecasts[key] for key in sorted(forecasts))


def forecast_given(rows: Iterable[ForecastReading]) -> tuple[DemandForecast, ...]:
    """The forecasts that somebody else made, sorted by site and SKU.

    Days without a row between the first and the last have no demand. A day without a
    variance is Poisson. A forecast without any variance has an uncertain level; one with
    variances has none of its own, because they are their maker's word about all that is
    uncertain. After the last day the mean day of the last week goes on.
    Raises ValueError for two rows of one day, and for more than 1,100 days.
    """
    grouped: defaultdict[SiteSku, dict[date, ForecastReading]] = defaultdict(dict)
    for row in rows:
        days = grouped[SiteSku(row.site_id, row.sku_id)]
        if row.on in days:
            raise ValueError(f"{row.site_id}/{row.sku_id} has two forecasts of {row.on}; give one row for each day")
        days[row.on] = row
    return tuple(_given(key, grouped[key]) for key in sorted(grouped))


def _is_over(period_on: date, calendar: _Calendar, as_of: date) -> bool:
    return (as_of - period_on).days >= calendar.days


def _series(
    key: SiteSku,
    observations: Iterable[SalesObservation],
    calendar: _Calendar,
    as_of: date,
    covered_until: date | None,
) -> _Series | None:
    over = [row for row in observations if _is_over(row.on, calendar, as_of)]
    if not over:
        return None
    starts = [row.on for row in over]
    if covered_until and _is_over(covered_until, calendar, as_of):
        starts.append(covered_until)
    first, last = min(row.on for row in over), max(starts)
    count = (last - first).days // calendar.days + 1
    forgotten = max(count - calendar.periods_max, 0)
    sold = np.zeros(count - forgotten)
    in_stock = np.ones(count - forgotten, dtype=bool)
    for row in over:
        if row.units < 0:
            raise ValueError(f"{key.site_id}/{key.sku_id} sold {row.units} units on {row.on}; sales are 0 or more")
        period = (row.on - first).days // calendar.days - forgotten
        if period >= 0:
            sold[period] += row.units
            in_stock[period] &= row.in_stock
    return _Series(key, sold, in_stock, first + timedelta(days=forgotten * calendar.days))


def _forecast(series: _Series, calendar: _Calendar, as_of: date, pool: Pool) -> DemandForecast | None:
    dispersion = _dispersion(series, pool)
    level = _level(series, calendar, pool, dispersion)
    if level is None:
        return None
    memory = (2.0 - calendar.smoothing) / calendar.smoothing
    informative = min(float(len(series.kept)), memory)
    shape = LEVEL_WEIGHT + informative * level.units_per_period / dispersion
    daily = level.units_per_period / calendar.days
    return DemandForecast(
        site_id=series.key.site_id,
        sku_id=series.key.sku_id,
        method=level.method,
        first_on=as_of,
        mean_e6=(round(daily * E6),),
        variance_e6=(round(dispersion * daily * E6),),
        level_cv2_e6=round(E6 / shape),
    )


def _level(series: _Series, calendar: _Calendar, pool: Pool, dispersion: float) -> Level | None:
    """The highest level that the readings of the stock-outs give; None when no period tells anything."""
    telling = series.in_stock | (series.sold > 0)
    if not telling.any():
        return None if pool.units_per_period is None else _short_level(series.kept, pool, dispersion)
    level = _level_of(series.sold, calendar, pool, dispersion)
    if series.in_stock.all():
        return level
    readings = [level]
    if series.in_stock.any():
        level = _level_of(series.kept, calendar, pool, dispersion)
        readings.append(level)
    censored = ~series.in_stock[telling]
    periods = series.sold[telling]
    at_least = periods[censored]
    for _ in range(COMPLETIONS):
        periods[censored] = completed_sales(at_least, level.units_per_period, dispersion)
        level = _level_of(periods, calendar, pool, dispersion)
    return max(level, *readings, key=lambda reading: reading.units_per_period)


def _level_of(periods: FloatArray, calendar: _Calendar, pool: Pool, dispersion: float) -> Level:
    if len(periods) < calendar.periods_min:
        return _short_level(periods, pool, dispersion)
    return smoothed_level(periods, calendar.smoothing)


def _short_level(periods: FloatArray, pool: Pool, dispersion: float) -> Level:
    """The mean of a Gamma-distributed level after few periods, with the other sites' level as the prior mean.

    Gelman et al., Bayesian Data Analysis, 3rd ed., sec. 2.6. Without other sites it is the plain mean.
    """
    if not pool.units_per_period:
        return Level(float(periods.mean()), "pooled") if periods.any() else NO_DEMAND_LEVEL
    shape = LEVEL_WEIGHT + float(periods.sum()) / dispersion
    rate = LEVEL_WEIGHT / pool.units_per_period + len(periods) / dispersion
    return Level(shape / rate, "pooled")


def completed_sales(at_least: FloatArray, mean: float, dispersion: float) -> FloatArray:
    """What demand is expected to have been where at least y >= 1 units sold before stock ran out: E[D | D >= y].

    With size r, E[D; D >= y] = mean P(D' >= y - 1), where D' has size r + 1 and thus
    the mean `mean + dispersion - 1` (as in `tools.demand.expected_sales`). Beyond y
    itself it is at most max(mean, dispersion), which also holds where both tails vanish.
    """
    units = at_least.astype(np.int64)
    demand = WindowDemand(mean, dispersion * mean)
    longer = WindowDemand(mean + dispersion - 1.0, dispersion * (mean + dispersion - 1.0))
    tail = survival(demand, units - 1)
    ratio = np.divide(mean * survival(longer, units - 2), tail, out=at_least.copy(), where=tail > 0)
    return np.clip(ratio, at_least, at_least + max(mean, dispersion))


def _dispersion(series: _Series, pool: Pool) -> float:
    own, freedom = _own_dispersion(series)
    mixed = (own * freedom + pool.dispersion * DISPERSION_WEIGHT) / (freedom + DISPERSION_WEIGHT)
    return min(max(mixed, 1.0), DISPERSION_MAX)


def _pooled_dispersion(every: list[_Series]) -> float:
    """The mean of all series' dispersions, each weighed with its degrees of freedom."""
    own = [_own_dispersion(series) for series in every]
    freedom = sum(weight for _, weight in own)
    return sum(ratio * weight for ratio, weight in own) / freedom if freedom else Pool().dispersion


def _own_dispersion(series: _Series) -> tuple[float, int]:
    """Variance-to-mean ratio of the periods in stock, and its degrees of freedom; (1, 0) where there is none."""
    kept = series.kept
    if len(kept) < 2 or not kept.any():
        return 1.0, 0
    return float(kept.var(ddof=1)) / float(kept.mean()), len(kept) - 1


def _given(key: SiteSku, days: dict[date, ForecastReading]) -> DemandForecast:
    first, last = min(days), max(days)
    count = (last - first).days + 1
    if count > GIVEN_DAYS_MAX:
        raise ValueError(f"the forecast of {key.site_id}/{key.sku_id} runs from {first} to {last}; at most 1,100 days")
    mean, variance = [0] * count, [0] * count
    stated = any(row.variance_e6 is not None for row in days.values())
    for on, row in days.items():
        day = (on - first).days
        mean[day] = row.mean_e6
        variance[day] = row.mean_e6 if row.variance_e6 is None else row.variance_e6
    return DemandForecast(
        site_id=key.site_id,
        sku_id=key.sku_id,
        method=GIVEN,
        first_on=first,
        mean_e6=_with_tail(mean),
        variance_e6=_with_tail(variance),
        level_cv2_e6=0 if stated else round(E6 / GIVEN_LEVEL_WEIGHT),
    )


def _learned(given: DemandForecast, series: _Series, calendar: _Calendar, dispersion: float) -> DemandForecast:
    """The given forecast with its level updated by what was sold in the periods that it covers.

    The factor is Gamma-distributed; sales of y where f was forecast add y/dispersion to
    its shape and f/dispersion to its rate. A period that ran out of stock below the
    forecast says only "at least so many" and is left out.
    """
    if given.level_cv2_e6 == 0:
        return given
    shape = rate = GIVEN_LEVEL_WEIGHT
    days, told = calendar.days, False
    before = -((given.first_on - series.first_on).days // -days)  # periods that begin before the forecast does
    for period in range(max(before, 0), len(series.sold)):
        sold = float(series.sold[period])
        expected = forecast_window(given, series.first_on, period * days, (period + 1) * days).mean
        if series.in_stock[period] or sold >= expected:
            shape, rate, told = shape + sold / dispersion, rate + expected / dispersion, True
    if not told:
        return given
    factor = shape / rate
    return replace(
        given,
        method=GIVEN_AND_LEARNED,
        mean_e6=tuple(round(day * factor) for day in given.mean_e6),
        variance_e6=tuple(round(day * factor) for day in given.variance_e6),
        level_cv2_e6=round(E6 / shape),
    )


def _with_tail(daily: list[int]) -> tuple[int, ...]:
    """The days and then, for all later days, the mean of the last week."""
    week = daily[-WEEK_DAYS:]
    tail = round(Fraction(sum(week), len(week)))
    return tuple(daily) if tail == daily[-1] else (*daily, tail)
