"""What a site can count on: available stock plus the supply that arrives in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from tools.demand_table import IntArray
from tools.inventory import SiteSku, Snapshot


def available_units(snapshot: Snapshot, key: SiteSku) -> int:
    """Units on hand that nobody has promised; 0 where there is no position, never below 0."""
    position = snapshot.position_by_key.get(key)
    return max(position.available_units, 0) if position else 0


def available_units_of(snapshot: Snapshot, keys: Sequence[SiteSku]) -> IntArray:
    """Available units of every key: shape (keys,)."""
    return np.fromiter((available_units(snapshot, key) for key in keys), dtype=np.int64, count=len(keys))


def projected_units(snapshot: Snapshot, key: SiteSku, end_day: int) -> int:
    """Available units plus everything on order or in transit that is expected before day `end_day`."""
    return available_units(snapshot, key) + _coming_units(snapshot, key, end_day)


def projected_units_of(snapshot: Snapshot, keys: Sequence[SiteSku], end_days: IntArray) -> IntArray:
    """Projected units of every key before its own day: shapes (keys,)."""
    units = available_units_of(snapshot, keys)
    ends = np.broadcast_to(end_days, units.shape)
    expected = snapshot.supply_by_key
    for index, key in enumerate(keys):
        if key in expected:
            units[index] += _coming_units(snapshot, key, int(ends[index]))
    return units


def _coming_units(snapshot: Snapshot, key: SiteSku, end_day: int) -> int:
    rows = snapshot.supply_by_key.get(key, ())
    if not rows:
        return 0
    end = snapshot.as_of.date() + timedelta(days=end_day)
    return sum(row.units for row in rows if row.expected_on < end)
