"""Everything that can stand between a site and a SKU, by name: the ways there are, what forbids each, what caps them.

A way is a lane with the wanted site at one end. What forbids it or caps it is an
obstacle with a code, a place and a kind, so that each can be left out by itself.
A site without a lane is a way too, forbidden by the obstacle that there is no lane.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

from tools.inventory import MICROLITRES_PER_LITRE, Lane, LaneKey, SiteSku, Sku, Snapshot
from tools.money import e4_per_minor
from tools.planning.breaches import departure_key, departure_label
from tools.planning.calendar import NEXT, Departure, DepartureKey, offered_departures
from tools.planning.limits import Limits
from tools.planning.room import Constraint, Room
from tools.planning.solution import Move
from tools.transfers import PlanRequest


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many units of a SKU that shall come to a site, or leave it; `within_days` to arrive and `leave_by` if asked."""

    site_id: str
    sku_id: str
    units: int
    direction: Literal["in", "out"] = "in"
    within_days: int | None = None
    leave_by: date | None = None


class Kind(StrEnum):
    """Who could take an obstacle away."""

    REQUEST = "request"
    POLICY = "policy"
    FACT = "fact"


@dataclass(frozen=True, slots=True, order=True)
class Obstacle:
    """A named constraint. `limit` and `used` are in `unit`; `used` is what other lines of the plan take of it.

    `unit` is one of units, microlitres, lines, minor, days and none (nothing to count).
    `rule` is the rule of policy that makes a closure or block. `booked` was taken of a truck or a dock before the plan.
    """

    code: str
    where: str
    kind: Kind
    unit: str = "none"
    limit: int = 0
    used: int = 0
    rule: str = ""
    booked: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """A departure of a lane, or a pair of sites without a lane, for the SKU.

    Costs are in millionths of a ten-thousandth of the currency unit. `depart_on` is the day that a move on it names.
    """

    origin: str
    destination: str
    mode: str
    forbidden_by: frozenset[Obstacle]
    unit_cost: int = 0
    line_cost: int = 0
    depart_on: date = NEXT

    def move(self, sku_id: str, packs: int) -> Move:
        """So many packs on this way."""
        return Move(self.lane, sku_id, packs, self.depart_on)

    @property
    def lane(self) -> LaneKey:
        """The lane of this way; only a way that no lack of a lane forbids has one."""
        return LaneKey(self.origin, self.destination, self.mode)


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `room` over all these ways (by index), where a unit takes up `weight` of it."""

    obstacle: Obstacle
    ways: tuple[int, ...]
    room: int
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Mate:
    """Another SKU of a set: while the set is delivered in whole, these ways (by index) are open only if it can come."""

    obstacle: Obstacle
    ways: tuple[int, ...]
    setting: Setting


@dataclass(frozen=True, slots=True)
class Setting:
    """All obstacles to one wish. `budget` is what may still be spent, in the unit of the ways' costs."""

    wanted: Wanted
    pack_size: int
    least_units: int
    ways: tuple[Way, ...]
    caps: tuple[Cap, ...]
    lines: tuple[tuple[Obstacle, int], ...]
    budget: tuple[Obstacle, int] | None
    mates: tuple[Mate, ...] = ()

    @property
    def obstacles(self) -> frozenset[Obstacle]:
        """Every obstacle, those to the other SKUs of a set included."""
        return self.own.union(*({mate.obstacle} | mate.setting.own for mate in self.mates))

    @property
    def own(self) -> frozenset[Obstacle]:
        """The obstacles that stand between the site and the wanted SKU itself."""
        found = {cap.obstacle for cap in self.caps} | {obstacle for way in self.ways for obstacle in way.forbidden_by}
        found |= {obstacle for obstacle, _ in self.lines}
        if self.budget is not None:
            found.add(self.budget[0])
        if self.pack_size > 1:
            found.add(self.pack)
        if self.least_units > self.pack_size:
            found.add(self.least)
        return frozenset(found)

    @property
    def pack(self) -> Obstacle:
        """Only whole packs move."""
        return Obstacle("pack_size", self.wanted.sku_id, Kind.FACT, "units", self.pack_size)

    @property
    def least(self) -> Obstacle:
        """A line has a least quantity."""
        return Obstacle("least_quantity", self.wanted.sku_id, Kind.FACT, "units", self.least_units)


_KINDS = {
    "source_protection": Kind.POLICY,
    "units_per_line": Kind.POLICY,
    "plan_units": Kind.POLICY,
    "plan_lines": Kind.POLICY,
    "plan_goods_value": Kind.POLICY,
    "send_cap": Kind.REQUEST,
    "receive_cap": Kind.REQUEST,
    "request_units": Kind.REQUEST,
    "request_lines": Kind.REQUEST,
    "transport_budget": Kind.REQUEST,
}
_NOT_CAPS = frozenset(("pack_size", "least_quantity", "plan_lines", "request_lines", "transport_budget"))


def setting_of(
    facts: Snapshot,
    limits: Limits,
    request: PlanRequest,
    wanted: Wanted,
    committed: Sequence[Move],
    room: Room | None = None,
) -> Setting:
    """Every way and obstacle for a wish, beside moves that are made anyway. `facts` are those the request assumes.

    The SKU is looked at by itself, whatever set it belongs to (`tools.planning.mates`).
    `room` is what the committed moves leave, where that is known already.
    """
    sku = facts.sku_by_id[wanted.sku_id]
    builder = _Builder(facts, limits, request, wanted, committed, room or Room(facts, limits, request, committed))
    lanes = sorted(
        (lane for lane in facts.lanes if _end(lane.key, wanted) == wanted.site_id), key=lambda lane: lane.key
    )
    ways = [way for lane in lanes for way in builder.ways(lane)]
    linked = {_other_end(lane.key, wanted) for lane in lanes} | {wanted.site_id}
    ways += [builder.missing_way(site.site_id) for site in facts.sites if site.site_id not in linked]
    caps = builder.caps(lanes, ways)
    return Setting(
        wanted=wanted,
        pack_size=sku.pack_size,
        least_units=max(sku.min_transfer_units, sku.pack_size),
        ways=tuple(ways),
        caps=tuple(caps),
        lines=tuple(builder.lines()),
        budget=builder.budget(),
    )


def _end(key: LaneKey, wanted: Wanted) -> str:
    return key.destination if wanted.direction == "in" else key.origin


def _other_end(key: LaneKey, wanted: Wanted) -> str:
    return key.origin if wanted.direction == "in" else key.destination


class _Builder:
    def __init__(
        self,
        facts: Snapshot,
        limits: Limits,
        request: PlanRequest,
        wanted: Wanted,
        committed: Sequence[Move],
        room: Room,
    ) -> None:
        self._facts, self._limits, self._request, self._wanted = facts, limits, request, wanted
        self._sku: Sku = facts.sku_by_id[wanted.sku_id]
        self._committed = tuple(committed)
        self._room = room
        self._per_minor = e4_per_minor(facts.currency)

    def ways(self, lane: Lane) -> Iterator[Way]:
        """The departures of a lane that a plan may choose from; one way also where it never departs."""
        offered = offered_departures(self._facts, self._limits, lane)
        leave_by = self._limits.depart_by.get(SiteSku(lane.origin, self._sku.sku_id), date.max)
        yield self._way(lane, offered[0] if offered else None, NEXT)
        for departure in offered[1:]:
            if departure.depart_on <= leave_by:
                yield self._way(lane, departure, departure.depart_on)

    def _way(self, lane: Lane, departure: Departure | None, depart_on: date) -> Way:
        """A departure with all that forbids it, and what it costs beyond the departures that are paid for anyway."""
        fixed = 0 if self._room.uses(lane, depart_on) else lane.cost_fixed_e4
        volume_cost = lane.cost_per_litre_e4 * self._sku.unit_volume_microlitres
        timing = self._of_departure(DepartureKey(lane.key, depart_on), departure)
        forbidden = {*self._of_lane(lane), *timing, *self._of_ends(lane.origin, lane.destination)}
        return Way(
            lane.origin,
            lane.destination,
            lane.mode,
            frozenset(forbidden),
            lane.cost_per_unit_e4 * MICROLITRES_PER_LITRE + volume_cost,
            (fixed + self._limits.line_charge_minor * self._per_minor) * MICROLITRES_PER_LITRE,
            depart_on,
        )

    def missing_way(self, site_id: str) -> Way:
        """A site that no lane links with the wanted one."""
        wanted = self._wanted
        ends = (site_id, wanted.site_id) if wanted.direction == "in" else (wanted.site_id, site_id)
        missing = Obstacle("no_lane", wanted.site_id, Kind.FACT)
        return Way(*ends, "", frozenset({missing, *self._of_ends(*ends)}))

    def _of_lane(self, lane: Lane) -> Iterator[Obstacle]:
        """What keeps the SKU off the lane."""
        limits, sku, label = self._limits, self._sku, lane.key.label
        if lane.key in limits.closed_lanes:
            yield Obstacle("closed_lane", label, Kind.POLICY, rule=limits.closed_lanes[lane.key])
        if (lane.key, sku.sku_id) in limits.closed_lines:
            rule = limits.closed_lines[lane.key, sku.sku_id]
            yield Obstacle("closed_line", f"{sku.sku_id} {label}", Kind.POLICY, rule=rule)
        if lane.allowed_categories and sku.category not in lane.allowed_categories:
            yield Obstacle("lane_categories", label, Kind.FACT)
        modes = limits.temperature_modes.get(sku.temperature)
        if modes is not None and lane.mode not in modes:
            yield Obstacle("temperature", label, Kind.POLICY)
        if sku.hazmat and limits.hazmat_modes is not None and lane.mode not in limits.hazmat_modes:
            yield Obstacle("hazmat", label, Kind.POLICY)
        if any(ref.covers(lane.key) for ref in self._request.overlays.excluded_lanes):
            yield Obstacle("excluded_lane", label, Kind.REQUEST)

    def _of_departure(self, key: DepartureKey, departure: Departure | None) -> Iterator[Obstacle]:
        """What keeps the SKU from travelling on that day."""
        label = departure_label(self._facts, self._limits, key)
        if departure is None:
            yield Obstacle("never_departs", label, Kind.FACT)
            return
        days = [days for days in (self._request.within_days, self._wanted.within_days) if days is not None]
        if days and departure.days_until_arrival > min(days):
            yield Obstacle("days_until_arrival", label, Kind.REQUEST, "days", min(days), departure.days_until_arrival)
        if self._wanted.leave_by is not None and departure.depart_on > self._wanted.leave_by:
            yield Obstacle("leaves_too_late", label, Kind.FACT)

    def _of_ends(self, origin: str, destination: str) -> Iterator[Obstacle]:
        """What keeps the SKU from going from one site to the other, on whatever lane."""
        sku_id, limits = self._sku.sku_id, self._limits
        source, target = SiteSku(origin, sku_id), SiteSku(destination, sku_id)
        positions, forecasts = self._facts.position_by_key, self._facts.forecast_by_key
        if source not in positions:
            yield Obstacle("not_stocked", sku_id, Kind.FACT)
        if target not in positions and target not in forecasts:
            yield Obstacle("not_carried", f"{sku_id} at {destination}", Kind.FACT)
        if source in limits.no_send:
            yield Obstacle("no_send", f"{sku_id} at {origin}", Kind.POLICY, rule=limits.no_send[source])
        if target in limits.no_receive:
            yield Obstacle("no_receive", f"{sku_id} at {destination}", Kind.POLICY, rule=limits.no_receive[target])
        if self._room.received[source]:
            yield Obstacle("sends_and_receives", f"{sku_id} at {origin}", Kind.FACT)
        if self._room.sent[target]:
            yield Obstacle("sends_and_receives", f"{sku_id} at {destination}", Kind.FACT)
        yield from self._of_request(origin, destination)

    def _of_request(self, origin: str, destination: str) -> Iterator[Obstacle]:
        scope, overlays, sku = self._request.scope, self._request.overlays, self._sku
        ends = {origin, destination}
        pair = f"{origin}→{destination}"
        if (scope.skus and sku.sku_id not in scope.skus) or (scope.categories and sku.category not in scope.categories):
            yield Obstacle("scope_skus", sku.sku_id, Kind.REQUEST)
        outside = (
            (scope.sites and ends.isdisjoint(scope.sites))
            or (scope.within_sites and not ends.issubset(scope.within_sites))
            or (scope.origins and origin not in scope.origins)
            or (scope.destinations and destination not in scope.destinations)
        )
        if outside:
            yield Obstacle("scope_sites", pair, Kind.REQUEST)
        if sku.sku_id in overlays.excluded_skus:
            yield Obstacle("excluded_sku", sku.sku_id, Kind.REQUEST)
        for site_id in sorted(ends.intersection(overlays.excluded_sites)):
            yield Obstacle("excluded_site", site_id, Kind.REQUEST)
        if any(
            (r.sku_id, r.origin, r.destination) == (sku.sku_id, origin, destination) for r in overlays.excluded_lines
        ):
            yield Obstacle("excluded_line", f"{sku.sku_id} {pair}", Kind.REQUEST)

    def caps(self, lanes: Sequence[Lane], ways: Sequence[Way]) -> list[Cap]:
        """What limits the units on the ways, one cap for each obstacle and place that it limits."""
        found: dict[tuple[Obstacle, str], list[int]] = {}
        rooms: dict[tuple[Obstacle, str], tuple[int, int]] = {}
        by_key = {lane.key: lane for lane in lanes}
        for number, way in enumerate(ways):
            lane = by_key.get(way.lane) or Lane(way.origin, way.destination, way.mode, 0, 0)
            for constraint in self._room.but_for_budget(lane, self._sku, depart_on=way.depart_on):
                no_lane = way.lane not in by_key and constraint.code.endswith(("_per_day", "lot_life"))
                unknown = constraint.code in ("available_stock", "source_protection") and self._not_stocked(way.origin)
                if constraint.code in _NOT_CAPS or no_lane or unknown:
                    continue
                each = constraint.code == "units_per_line"
                kind = _KINDS.get(constraint.code, Kind.FACT)
                where = "a line" if each else constraint.where
                obstacle = Obstacle(
                    constraint.code, where, kind, constraint.unit, constraint.limit, 0 if each else constraint.used,
                    booked=constraint.booked,
                )  # fmt: skip
                found.setdefault((obstacle, constraint.where), []).append(number)
                rooms[obstacle, constraint.where] = self._room_and_weight(constraint)
        return [
            Cap(obstacle, tuple(numbers), max(room, 0), weight)
            for (obstacle, where), numbers in sorted(found.items())
            for room, weight in (rooms[obstacle, where],)
            if weight > 0
        ]

    def _not_stocked(self, site_id: str) -> bool:
        return SiteSku(site_id, self._sku.sku_id) not in self._facts.position_by_key

    def _room_and_weight(self, constraint: Constraint) -> tuple[int, int]:
        """What is left of a limit and how much of it a unit takes, both exact."""
        if constraint.code == "plan_goods_value":
            return constraint.limit * self._per_minor - self._room.value_e4, self._sku.unit_cost_e4
        return constraint.left, self._sku.unit_volume_microlitres if constraint.unit == "microlitres" else 1

    def lines(self) -> Iterator[tuple[Obstacle, int]]:
        """Limits on the number of lines, with what is left of them."""
        used = len({(self._key(move), move.sku_id) for move in self._committed})
        for code, most in (("plan_lines", self._limits.lines_max), ("request_lines", self._request.overlays.max_lines)):
            if most is not None:
                yield Obstacle(code, "the plan", _KINDS[code], "lines", most, used), most - used

    def budget(self) -> tuple[Obstacle, int] | None:
        """The request's budget, with what is left of it in the unit of the ways' costs."""
        budget = self._request.overlays.transport_budget_minor
        if budget is None:
            return None
        spent = self._spent()
        per_minor = self._per_minor * MICROLITRES_PER_LITRE
        obstacle = Obstacle("transport_budget", "the plan", Kind.REQUEST, "minor", budget, -(-spent // per_minor))
        return obstacle, budget * per_minor - spent

    def _key(self, move: Move) -> DepartureKey:
        return departure_key(self._facts, self._limits, move)

    def _spent(self) -> int:
        """What the committed moves cost, exactly."""
        facts = self._facts
        spent = len(self._committed) * self._limits.line_charge_minor * self._per_minor
        departures = {self._key(move) for move in self._committed}
        spent += sum(facts.lane_by_key[key.lane].cost_fixed_e4 for key in departures)
        spent *= MICROLITRES_PER_LITRE
        for move in self._committed:
            sku, lane = facts.sku_by_id[move.sku_id], facts.lane_by_key[move.lane]
            volume_cost = lane.cost_per_litre_e4 * sku.unit_volume_microlitres
            spent += move.packs * sku.pack_size * (lane.cost_per_unit_e4 * MICROLITRES_PER_LITRE + volume_cost)
        return spent
