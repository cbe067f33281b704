"""What a site can count on: available stock plus the supply that arrives in time."""

from __future__ import annotations

from datetime import timedelta

from tools.inventory import SiteSku, Snapshot


def available_units(snapshot: Snapshot, key: SiteSku) -> int:
    """Units on hand that nobody has promised; 0 where there is no position, never below 0."""
    position = snapshot.position_by_key.get(key)
    return max(position.available_units, 0) if position else 0


def projected_units(snapshot: Snapshot, key: SiteSku, end_day: int) -> int:
    """Available units plus everything on order or in transit that is expected before day `end_day`."""
    end = snapshot.as_of.date() + timedelta(days=end_day)
    coming = sum(row.units for row in snapshot.supply_by_key.get(key, ()) if row.expected_on < end)
    return available_units(snapshot, key) + coming
