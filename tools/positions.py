"""What a site can count on: available stock plus the supply that arrives in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import numpy as np

from tools.demand_table import IntArray, ranges
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
    return Projection.of(snapshot, keys).units(end_days)


@dataclass(frozen=True)
class Projection:
    """Available units by key, and the supply that comes to it: days after the snapshot's date, and units.

    The supply of a key stands in `come_on[first : first + count]` and in `come_units` likewise.
    """

    available: IntArray
    first: IntArray
    count: IntArray
    come_on: IntArray
    come_units: IntArray

    @classmethod
    def of(cls, snapshot: Snapshot, keys: Sequence[SiteSku]) -> Self:
        """Of every key, in their order."""
        expected, today = snapshot.supply_by_key, snapshot.as_of.date()
        rows = [expected.get(key, ()) for key in keys] if expected else [()] * len(keys)
        count = np.fromiter((len(each) for each in rows), dtype=np.int64, count=len(rows))
        supply = [row for each in rows for row in each]
        return cls(
            available=available_units_of(snapshot, keys),
            first=np.cumsum(count) - count,
            count=count,
            come_on=np.asarray([(row.expected_on - today).days for row in supply], dtype=np.int64),
            come_units=np.asarray([row.units for row in supply], dtype=np.int64),
        )

    def at(self, rows: IntArray) -> Self:
        """Of some of the keys, by their numbers."""
        return type(self)(self.available[rows], self.first[rows], self.count[rows], self.come_on, self.come_units)

    def units(self, end_days: IntArray) -> IntArray:
        """Projected units of every key before its own day."""
        found = self.available.copy()
        coming = np.flatnonzero(self.count)
        if len(coming):
            counts, rows = self.count[coming], ranges(self.first[coming], self.count[coming])
            ends = np.repeat(np.broadcast_to(end_days, found.shape)[coming], counts)
            units = np.where(self.come_on[rows] < ends, self.come_units[rows], 0)
            found[coming] += np.add.reduceat(units, np.cumsum(counts) - counts)
        return found


def _coming_units(snapshot: Snapshot, key: SiteSku, end_day: int) -> int:
    rows = snapshot.supply_by_key.get(key, ())
    if not rows:
        return 0
    end = snapshot.as_of.date() + timedelta(days=end_day)
    return sum(row.units for row in rows if row.expected_on < end)
