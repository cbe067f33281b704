"""Coverage: how long stock lasts, when it is expected to run out, and how probable that is before the regular supply.

Supply arriving in the meantime is counted from the day it is expected on. A
stock-out is looked for at every moment just before an arrival and before the
regular supply; what stock-out and lost sales between those moments have in common
is ignored, so probability and loss are lower bounds of those of the whole path.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from tools.demand import DemandView, expected_sales, survival
from tools.inventory import SiteSku, Snapshot
from tools.positions import projected_units

COVER_DAYS_MAX = 3650
"""Stock that lasts ten years or more counts as lasting ten."""
PPM = 1_000_000


def days_of_cover(view: DemandView, key: SiteSku, units: int) -> int | None:
    """Whole days that `units` serve the mean demand, at most 3,650; None where there is no demand at all."""
    if view.window(key, 0, COVER_DAYS_MAX).mean <= 0:
        return None
    exhausted = _first_day_above(view, key, units, 0, COVER_DAYS_MAX)
    return COVER_DAYS_MAX if exhausted is None else exhausted


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
    worst = max(
        survival(view.window(key, 0, day), np.asarray([projected_units(snapshot, key, day)]))[0]
        for day in _checkpoints(snapshot, view, key)
    )
    return round(float(worst) * PPM)


def expected_lost_units(snapshot: Snapshot, view: DemandView, key: SiteSku) -> float:
    """E[demand beyond the projected units] before the regular supply, in units."""
    lost = 0.0
    for day in _checkpoints(snapshot, view, key):
        demand = view.window(key, 0, day)
        served = float(expected_sales(demand, np.asarray([projected_units(snapshot, key, day)]))[0])
        lost = max(lost, demand.mean - served)
    return lost


def _checkpoints(snapshot: Snapshot, view: DemandView, key: SiteSku) -> tuple[int, ...]:
    horizon = view.horizon_days(key)
    return (*_arrival_days(snapshot, key, horizon), horizon)


def _arrival_days(snapshot: Snapshot, key: SiteSku, end: int) -> list[int]:
    """Days from tomorrow up to but not including day `end` on which supply arrives."""
    today = snapshot.as_of.date()
    days = {(row.expected_on - today).days for row in snapshot.supply_by_key.get(key, ())}
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
