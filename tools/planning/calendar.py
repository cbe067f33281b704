"""When a lane departs and when its goods arrive."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from tools.inventory import Lane


class Departure(NamedTuple):
    """The next chance to use a lane."""

    depart_on: date
    arrive_on: date
    days_until_arrival: int


def next_departure(lane: Lane, today: date, approval_latency_days: int) -> Departure | None:
    """The first departure that an approval can still catch, or None for a lane that never departs.

    The wait for a decision counts as lead time: goods that wait for a signature do not travel.
    """
    ready = today + timedelta(days=approval_latency_days)
    for wait in range(7):
        depart_on = ready + timedelta(days=wait)
        if depart_on.isoweekday() in lane.departure_weekdays:
            arrive_on = depart_on + timedelta(days=lane.lead_time_days)
            return Departure(depart_on, arrive_on, (arrive_on - today).days)
    return None
