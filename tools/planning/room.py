"""What a set of moves uses of every limit of facts, policy and request, and what it leaves. Counted from the moves alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

from tools.inventory import Lane, SiteSku, Sku, Snapshot
from tools.merchandise.lots import by_lot, fit_units
from tools.money import e4_per_minor
from tools.planning.breaches import departure_key, departure_of, transport_cost_e4
from tools.planning.calendar import (
    NEXT,
    Departure,
    DepartureKey,
    departure_at,
    free_microlitres,
    free_outbound_units,
    next_departure,
    offered_departures,
)
from tools.planning.limits import Limits
from tools.planning.solution import Move
from tools.positions import available_units
from tools.transfers import PlanRequest, UnitCap


@dataclass(frozen=True, slots=True)
class Constraint:
    """A limit on a line: what it allows in all, what the plan uses of it, what is left, and what more packs need.

    `unit` is one of units, microlitres, lines and minor (money in minor units). Left is
    limit - used, except for `least_quantity`, a limit from below, where it is used -
    limit, and for `pack_size`, where it is what no longer makes a pack. `booked` is what
    approved transfers and other supply took of a truck or a dock before: limit + booked is all of it.
    """

    code: str
    where: str
    unit: str
    limit: int
    used: int
    left: int
    needs: int
    booked: int = 0

    @property
    def binding(self) -> bool:
        """Whether what is left is not enough: the line cannot change by as much as it was asked about."""
        return self.left < self.needs


class _Way(NamedTuple):
    """A lane with the departure that is looked at."""

    lane: Lane
    departure: Departure | None
    key: DepartureKey
    label: str


class Room:
    """What moves use of every limit. `facts` are those that the request assumes."""

    def __init__(self, facts: Snapshot, limits: Limits, request: PlanRequest, moves: Sequence[Move]) -> None:
        self._facts = facts
        self._limits = limits
        self._request = request
        self._moves = tuple(moves)
        self._per_minor = e4_per_minor(facts.currency)
        self._lines: Counter[tuple[DepartureKey, str]] = Counter()
        self._volume: Counter[DepartureKey] = Counter()
        self._stored: Counter[str] = Counter()
        self._arriving: Counter[tuple[str, date]] = Counter()
        self._leaving: Counter[tuple[str, date]] = Counter()
        self.sent: Counter[SiteSku] = Counter()
        self.received: Counter[SiteSku] = Counter()
        self._from: Counter[tuple[SiteSku, date]] = Counter()
        self._units = self.value_e4 = 0
        for move in self._moves:
            self._add(move)

    def _add(self, move: Move) -> None:
        sku = self._facts.sku_by_id[move.sku_id]
        units = move.packs * sku.pack_size
        volume = units * sku.unit_volume_microlitres
        origin, destination, _ = move.lane
        key = self._key(move)
        self._lines[key, move.sku_id] += units
        self._volume[key] += volume
        self._stored[destination] += volume
        self.sent[SiteSku(origin, move.sku_id)] += units
        self.received[SiteSku(destination, move.sku_id)] += units
        self._units += units
        self.value_e4 += units * sku.unit_cost_e4
        departure = departure_of(self._facts, self._limits, move.lane, move.depart_on)
        if departure is not None:
            self._arriving[destination, departure.arrive_on] += units
            self._leaving[origin, departure.depart_on] += units
            self._from[SiteSku(origin, move.sku_id), departure.arrive_on] += units

    def uses(self, lane: Lane, depart_on: date = NEXT) -> bool:
        """Whether anything travels on the lane's next departure, or on that of the day named."""
        return self._way(lane, depart_on).key in self._volume

    def of_line(self, lane: Lane, sku: Sku, packs: int = 1, depart_on: date = NEXT) -> tuple[Constraint, ...]:
        """Every limit that `packs` more packs of the SKU on the lane's departure would draw on; there must be one."""
        budget = self._of_budget(self._way(lane, depart_on), sku, packs)
        return (*self.but_for_budget(lane, sku, packs, depart_on), *budget)

    def but_for_budget(self, lane: Lane, sku: Sku, packs: int = 1, depart_on: date = NEXT) -> tuple[Constraint, ...]:
        """The same without the transport budget; for a lane that does not exist as well."""
        units, way = packs * sku.pack_size, self._way(lane, depart_on)
        return (
            *self._of_donor(SiteSku(lane.origin, sku.sku_id), sku, units),
            *self._of_quantity(way, sku, units),
            *self._of_departure(way, units * sku.unit_volume_microlitres),
            *self._of_days(way, units),
            *self._of_lots(way, sku, units),
            *self._of_receiver(SiteSku(lane.destination, sku.sku_id), sku, units),
            *self._of_totals(way, sku, units),
        )

    def _way(self, lane: Lane, depart_on: date) -> _Way:
        today, wait = self._facts.as_of.date(), self._limits.approval_latency_days
        upcoming = next_departure(lane, today, wait)
        departure = departure_at(lane, today, wait, depart_on)
        key = DepartureKey(lane.key, depart_on if departure is None else departure.depart_on)
        another = upcoming is not None and upcoming.depart_on != key.depart_on
        return _Way(lane, departure, key, f"{lane.key.label} on {key.depart_on}" if another else lane.key.label)

    def _of_donor(self, key: SiteSku, sku: Sku, units: int) -> Iterator[Constraint]:
        available, kept, sent = (
            available_units(self._facts, key),
            self._limits.protected_units.get(key, 0),
            self.sent[key],
        )
        where = f"{key.sku_id} at {key.site_id}"
        free = max(available - kept, 0)
        yield _upper("available_stock", where, "units", available, sent, units)
        if kept > 0:
            yield _upper("source_protection", where, "units", free, sent, units)
        if 0 < free - sent < sku.pack_size:
            yield Constraint("pack_size", where, "units", sku.pack_size, sent, free - sent, sku.pack_size)
        for cap in _caps(self._request.overlays.send_caps, key):
            yield _upper("send_cap", where, "units", cap.units, sent, units)

    def _of_quantity(self, way: _Way, sku: Sku, units: int) -> Iterator[Constraint]:
        on_line = self._lines[way.key, sku.sku_id]
        where = f"{sku.sku_id} {way.label}"
        if self._limits.line_units_max is not None:
            yield _upper("units_per_line", where, "units", self._limits.line_units_max, on_line, units)
        if sku.min_transfer_units > sku.pack_size and on_line:
            spare = on_line - sku.min_transfer_units
            yield Constraint("least_quantity", where, "units", sku.min_transfer_units, on_line, spare, units)

    def _of_departure(self, way: _Way, volume: int) -> Iterator[Constraint]:
        free, whole = (
            free_microlitres(self._facts, way.lane, way.key.depart_on),
            way.lane.capacity_microlitres_per_departure,
        )
        if free is not None and whole is not None:
            code, used = "lane_capacity_microlitres", self._volume[way.key]
            yield _upper(code, way.label, "microlitres", free, used, volume, whole - free)

    def _of_days(self, way: _Way, units: int) -> Iterator[Constraint]:
        lane, departure = way.lane, way.departure
        if departure is None:
            return
        inbound = self._facts.site_by_id[lane.destination].inbound_units_per_day
        if inbound is not None:
            day = departure.arrive_on
            limit = max(inbound - self._taken[lane.destination, day], 0)
            used = self._arriving[lane.destination, day]
            code, where = "inbound_units_per_day", f"{lane.destination} on {day}"
            yield _upper(code, where, "units", limit, used, units, inbound - limit)
        outbound = self._facts.site_by_id[lane.origin].outbound_units_per_day
        free = free_outbound_units(self._facts, lane.origin, departure.depart_on)
        if outbound is not None and free is not None:
            day = departure.depart_on
            used = self._leaving[lane.origin, day]
            code, where = "outbound_units_per_day", f"{lane.origin} on {day}"
            yield _upper(code, where, "units", free, used, units, outbound - free)

    def _of_lots(self, way: _Way, sku: Sku, units: int) -> Iterator[Constraint]:
        """Lots that last until a day serve whatever arrives on it or later; every day up to the line's own counts."""
        key = SiteSku(way.lane.origin, sku.sku_id)
        if not by_lot(self._facts, key) or way.departure is None:
            return
        own = way.departure.arrive_on
        out = (each for each in self._facts.lanes if each.origin == way.lane.origin)
        offered = (offered_departures(self._facts, self._limits, each) for each in out)
        days = {own} | {departure.arrive_on for departures in offered for departure in departures}
        for day in sorted(day for day in days if day <= own):
            fit = fit_units(self._facts, key, day, self._limits.least_life_days.get(sku.sku_id, 0))
            used = sum(count for (site_sku, on), count in self._from.items() if site_sku == key and on >= day)
            where = f"{key.sku_id} from {key.site_id} arriving on {day} or later"
            yield _upper("lot_life", where, "units", fit, used, units)

    def _of_receiver(self, key: SiteSku, sku: Sku, units: int) -> Iterator[Constraint]:
        capacity = self._facts.site_by_id[key.site_id].storage_capacity_microlitres
        if capacity is not None:
            room = max(capacity - self._held[key.site_id], 0)
            need = units * sku.unit_volume_microlitres
            yield _upper("storage_microlitres", key.site_id, "microlitres", room, self._stored[key.site_id], need)
        for cap in _caps(self._request.overlays.receive_caps, key):
            where = f"{key.sku_id} at {key.site_id}"
            yield _upper("receive_cap", where, "units", cap.units, self.received[key], units)

    def _of_totals(self, way: _Way, sku: Sku, units: int) -> Iterator[Constraint]:
        limits, overlays = self._limits, self._request.overlays
        another = 0 if self._lines[way.key, sku.sku_id] else 1
        for code, unit, most, used, needs in (
            ("plan_units", "units", limits.units_max, self._units, units),
            ("request_units", "units", overlays.max_units, self._units, units),
            ("plan_lines", "lines", limits.lines_max, len(self._lines), another),
            ("request_lines", "lines", overlays.max_lines, len(self._lines), another),
        ):
            if most is not None:
                yield _upper(code, "the plan", unit, most, used, needs)
        worth = limits.goods_value_max_minor
        if worth is not None:
            used = self._rounded_up(self.value_e4)
            more = self._rounded_up(self.value_e4 + units * sku.unit_cost_e4)
            yield _upper("plan_goods_value", "the plan", "minor", worth, used, more - used)

    def _of_budget(self, way: _Way, sku: Sku, packs: int) -> Iterator[Constraint]:
        budget = self._request.overlays.transport_budget_minor
        if budget is not None:
            used = self._rounded_up(transport_cost_e4(self._facts, self._limits, self._moves))
            larger = self._with(way.key, sku.sku_id, packs)
            more = self._rounded_up(transport_cost_e4(self._facts, self._limits, larger))
            yield _upper("transport_budget", "the plan", "minor", budget, used, more - used)

    def _with(self, key: DepartureKey, sku_id: str, packs: int) -> list[Move]:
        """The moves with so many packs more on a line."""
        same = [move for move in self._moves if (self._key(move), move.sku_id) == (key, sku_id)]
        others = [move for move in self._moves if move not in same]
        return [*others, Move(key.lane, sku_id, sum(move.packs for move in same) + packs, key.depart_on)]

    def _key(self, move: Move) -> DepartureKey:
        return departure_key(self._facts, self._limits, move)

    def _rounded_up(self, amount_e4: int) -> int:
        return -(-amount_e4 // self._per_minor)

    @cached_property
    def _taken(self) -> Counter[tuple[str, date]]:
        """What other supply takes up of the handling limits, by site and day."""
        taken: Counter[tuple[str, date]] = Counter()
        for row in self._facts.supply:
            taken[row.site_id, row.expected_on] += row.units
        return taken

    @cached_property
    def _held(self) -> Counter[str]:
        """Volume that is at a site or on its way there already."""
        held: Counter[str] = Counter()
        skus = self._facts.sku_by_id
        for position in self._facts.positions:
            held[position.site_id] += position.on_hand_units * skus[position.sku_id].unit_volume_microlitres
        for row in self._facts.supply:
            held[row.site_id] += row.units * skus[row.sku_id].unit_volume_microlitres
        return held


def _upper(code: str, where: str, unit: str, limit: int, used: int, needs: int, booked: int = 0) -> Constraint:
    return Constraint(code, where, unit, limit, used, limit - used, needs, booked)


def _caps(caps: Sequence[UnitCap], key: SiteSku) -> list[UnitCap]:
    return [cap for cap in caps if (cap.site_id, cap.sku_id) == key]
