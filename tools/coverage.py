"""Coverage: how long stock lasts, when it is expected to run out, and how probable that is before the regular supply.

Supply arriving in the meantime is counted from the day it is expected on. A
stock-out is looked for at every moment just before an arrival and before the
regular supply; what stock-out and lost sales between those moments have in common
is ignored, so probability and loss are lower bounds of those of the whole path.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from tools.demand import DemandView, FloatArray, expected_sales_of, survival_of
from tools.demand_table import IntArray
from tools.inventory import SiteSku, Snapshot
from tools.positions import projected_units, projected_units_of

COVER_DAYS_MAX = 3650
"""Stock that lasts ten years or more counts as lasting ten."""
PPM = 1_000_000


def days_of_cover(view: DemandView, key: SiteSku, units: int) -> int | None:
    """Whole days that `units` serve the mean demand, at most 3,650; None where there is no demand at all."""
    (days,) = days_of_cover_of(view, [key], np.asarray([units]))
    return days


def days_of_cover_of(view: DemandView, keys: Sequence[SiteSku], units: IntArray) -> list[int | None]:
    """Days of cover, as `days_of_cover`, of every key's own number of units."""
    whole, _ = view.windows(keys, np.asarray(0), np.asarray(COVER_DAYS_MAX))
    low, high = np.zeros(len(keys), dtype=np.int64), np.full(len(keys), COVER_DAYS_MAX, dtype=np.int64)
    unsettled = np.flatnonzero(whole > units)
    while len(unsettled):
        middle = (low[unsettled] + high[unsettled]) // 2
        means, _ = view.windows([keys[index] for index in unsettled.tolist()], np.asarray(0), middle)
        over = means > units[unsettled]
        high[unsettled] = np.where(over, middle, high[unsettled])
        low[unsettled] = np.where(over, low[unsettled], middle)
        unsettled = unsettled[high[unsettled] - low[unsettled] > 1]
    days = np.where(whole > units, high - 1, COVER_DAYS_MAX)
    return [day if mean > 0 else None for day, mean in zip(days.tolist(), whole.tolist(), strict=True)]


def stock_out_on(snapshot: Snapshot, view: DemandView, key: SiteSku) -> date | None:
    """The day on which mean demand first exceeds available units and what has arrived; None within ten years."""
    today = snapshot.as_of.date()
    start = 0
    for end in (*_arrival_days(snapshot, key, COVER_DAYS_MAX), COVER_DAYS_MAX):
        exhausted = _first_day_above(view, key, projected_units(snapshot, key, start + 1), start, end)
        if exhausted is not None:
            return today + timedelta(days=exhausted)
        start = end
    return None


def stock_out_ppm(snapshot: Snapshot, view: DemandView, key: SiteSku) -> int:
    """P(demand exceeds the projected units before the regular supply), in parts per million."""
    return int(stock_out_ppm_of(snapshot, view, [key])[0])


def stock_out_ppm_of(snapshot: Snapshot, view: DemandView, keys: Sequence[SiteSku]) -> IntArray:
    """The probability of a stock-out, as `stock_out_ppm`, of every key."""
    moments = _moments(snapshot, view, keys)
    worst = np.zeros(len(keys))
    np.maximum.at(worst, moments.rows, survival_of(moments.mean, moments.variance, moments.units))
    return np.rint(worst * PPM).astype(np.int64)


def expected_lost_units(snapshot: Snapshot, view: DemandView, key: SiteSku) -> float:
    """E[demand beyond the projected units] before the regular supply, in units."""
    return float(expected_lost_units_of(snapshot, view, [key])[0])


def expected_lost_units_of(snapshot: Snapshot, view: DemandView, keys: Sequence[SiteSku]) -> FloatArray:
    """Expected lost units, as `expected_lost_units`, of every key."""
    moments = _moments(snapshot, view, keys)
    lost = np.zeros(len(keys))
    served = expected_sales_of(moments.mean, moments.variance, moments.units)
    np.maximum.at(lost, moments.rows, moments.mean - served)
    return lost


class _Moments(NamedTuple):
    """The moments at which a stock-out is looked for: whose, the demand until then, and the units against it."""

    rows: IntArray
    mean: FloatArray
    variance: FloatArray
    units: IntArray


def _moments(snapshot: Snapshot, view: DemandView, keys: Sequence[SiteSku]) -> _Moments:
    rows, days = [], []
    for row, (key, horizon) in enumerate(zip(keys, view.horizons(keys).tolist(), strict=True)):
        for day in (*_arrival_days(snapshot, key, horizon), horizon):
            rows.append(row)
            days.append(day)
    at, ends = [keys[row] for row in rows], np.asarray(days, dtype=np.int64)
    mean, variance = view.windows(at, np.asarray(0), ends)
    units = projected_units_of(snapshot, at, ends)
    return _Moments(np.asarray(rows, dtype=np.int64), mean, variance, units)


def _arrival_days(snapshot: Snapshot, key: SiteSku, end: int) -> list[int]:
    """Days from tomorrow up to but not including day `end` on which supply arrives."""
    rows = snapshot.supply_by_key.get(key)
    if rows is None:
        return []
    today = snapshot.as_of.date()
    days = {(row.expected_on - today).days for row in rows}
    return sorted(day for day in days if 0 < day < end)


def _first_day_above(view: DemandView, key: SiteSku, units: int, start: int, end: int) -> int | None:
    """The first day in start..end-1 by whose evening mean demand since day 0 exceeds `units`; None if there is none."""
    if view.window(key, 0, end).mean <= units:
        return None
    low, high = start, end
    while high - low > 1:
        middle = (low + high) // 2
        if view.window(key, 0, middle).mean > units:
            high = middle
        else:
            low = middle
    return high - 1
