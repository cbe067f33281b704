"""When a lane departs and when its goods arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from typing import NamedTuple

from tools.inventory import Lane, LaneKey, Snapshot
from tools.planning.limits import Limits

NEXT = date.min
"""Stands for the day of a lane's next departure, whenever that is."""


class Departure(NamedTuple):
    """A chance to use a lane."""

    depart_on: date
    arrive_on: date
    days_until_arrival: int


class DepartureKey(NamedTuple):
    """One departure of a lane: what has a capacity, a fixed cost and a day at either dock."""

    lane: LaneKey
    depart_on: date = NEXT


def next_departure(lane: Lane, today: date, approval_latency_days: int) -> Departure | None:
    """The first departure that an approval can still catch, or None for a lane that never departs.

    The wait for a decision counts as lead time: goods that wait for a signature do not travel.
    """
    return next(_departures(lane, today, approval_latency_days, 1), None)


def departure_at(lane: Lane, today: date, approval_latency_days: int, depart_on: date) -> Departure | None:
    """The lane's departure of a day, or its `NEXT`; None where the day has passed or the lane does not depart on it.

    A day that is named counts as long as it has not passed: the wait for a decision may be over.
    """
    if depart_on == NEXT:
        return next_departure(lane, today, approval_latency_days)
    if depart_on < today or depart_on.isoweekday() not in lane.departure_weekdays:
        return None
    return _departure(lane, today, depart_on)


def offered_departures(snapshot: Snapshot, limits: Limits, lane: Lane) -> tuple[Departure, ...]:
    """The departures of a lane that a plan may choose from, the next one first.

    Later ones are looked at only where the next one can be full: a truck without a capacity between docks without
    limits takes everything at once, sooner and for no more money.
    """
    ends = snapshot.site_by_id[lane.origin], snapshot.site_by_id[lane.destination]
    most = (lane.capacity_microlitres_per_departure, ends[0].outbound_units_per_day, ends[1].inbound_units_per_day)
    count = 1 if most == (None, None, None) else limits.lane_departures
    departures = _departures(lane, snapshot.as_of.date(), limits.approval_latency_days, count)
    return tuple(islice(departures, count))


def free_microlitres(snapshot: Snapshot, lane: Lane, depart_on: date) -> int | None:
    """What approved transfers leave of a truck; None for one without a capacity."""
    capacity = lane.capacity_microlitres_per_departure
    return None if capacity is None else max(capacity - _booked(snapshot).volume[lane.key, depart_on], 0)


def free_outbound_units(snapshot: Snapshot, site_id: str, day: date) -> int | None:
    """What approved transfers leave of what a site can send out on a day; None for one without a limit."""
    limit = snapshot.site_by_id[site_id].outbound_units_per_day
    return None if limit is None else max(limit - _booked(snapshot).leaving[site_id, day], 0)


class _Booked(NamedTuple):
    """What approved transfers take: volume by lane and day, units by origin and day."""

    volume: Counter[tuple[LaneKey, date]]
    leaving: Counter[tuple[str, date]]


def _booked(snapshot: Snapshot) -> _Booked:
    """Worked out once for the same facts. Threads share snapshots, so nothing is kept there before it is complete."""
    kept: _Booked | None = snapshot.worked_out.get(_Booked)
    if kept is not None:
        return kept
    found = _Booked(Counter(), Counter())
    for load in snapshot.booked:
        found.volume[load.lane, load.depart_on] += load.volume_microlitres
        found.leaving[load.origin, load.depart_on] += load.units
    snapshot.worked_out[_Booked] = found
    return found


def _departures(lane: Lane, today: date, approval_latency_days: int, weeks: int) -> Iterator[Departure]:
    """The departures of so many weeks, from the first on that an approval can still catch."""
    ready = today + timedelta(days=approval_latency_days)
    for wait in range(7 * weeks):
        depart_on = ready + timedelta(days=wait)
        if depart_on.isoweekday() in lane.departure_weekdays:
            yield _departure(lane, today, depart_on)


def _departure(lane: Lane, today: date, depart_on: date) -> Departure:
    arrive_on = depart_on + timedelta(days=lane.lead_time_days)
    return Departure(depart_on, arrive_on, (arrive_on - today).days)
