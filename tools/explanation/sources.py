"""Which other source could have served the receiver of a line, and why it came second, in numbers.

Every other lane into the receiver whose origin holds the SKU takes the place of the
line, with as many of its packs as that origin can spare, while the rest of the plan stays
as it is. The evaluator prices it; the difference to the line is split into parts that
add up to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from tools.explanation.worth import SkuWorth, Worth
from tools.inventory import Lane, SiteSku, Sku, Snapshot
from tools.money import rounded_to_total
from tools.planning import Limits, Move
from tools.planning.breaches import departure_key, departure_of, find_breaches, move_breaches
from tools.planning.calendar import NEXT, Departure, DepartureKey
from tools.positions import available_units
from tools.transfers import PlanRequest

SOURCES_PRICED_MAX = 4
"""So many sources are priced by the evaluator: those that look best at a rough estimate."""


@dataclass(frozen=True, slots=True)
class Barrier:
    """A rule or limit that keeps a source from serving: what it allows there, and what the source would need."""

    rule: str
    where: str
    allowed: int
    found: int


@dataclass(frozen=True, slots=True)
class OtherSource:
    """A source in place of the line's own, priced with the rest of the plan as it is.

    `saving_minor` is what it would add to the plan and `line_saving_minor` what the line
    adds. Their difference is the sum of the five parts, each positive where the source
    is worse: `fewer_minor` because it cannot spare as many packs, `freight_minor` for freight
    and line charges, `departure_minor` for departures, `later_minor` because it arrives
    later, and `loss_minor` for what the donor loses.
    """

    site_id: str
    mode: str
    units: int
    available_units: int
    protected_units: int
    arrives_days: int
    saving_minor: int
    line_saving_minor: int
    fewer_minor: int
    freight_minor: int
    departure_minor: int
    later_minor: int
    loss_minor: int
    own_departure: bool
    barriers: tuple[Barrier, ...]

    @property
    def less_minor(self) -> int:
        """How much less it would save than the line."""
        return self.line_saving_minor - self.saving_minor


@dataclass(frozen=True)
class Replaced:
    """A line to be replaced: the moves of its SKU without it, every move of the plan without it, and itself."""

    line: Move
    of_sku: tuple[Move, ...]
    of_plan: tuple[Move, ...]


def lanes_instead(facts: Snapshot, limits: Limits, line: Move, within: frozenset[str] | None) -> tuple[Lane, ...]:
    """The other lanes into the receiver that depart at all, from sites that hold a pack of the SKU.

    `within` are the sites that may be spoken of; None means all.
    """
    sku = facts.sku_by_id[line.sku_id]
    return tuple(
        lane
        for lane in sorted(facts.lanes, key=lambda lane: lane.key)
        if lane.destination == line.lane.destination
        and lane.key != line.lane
        and (within is None or lane.origin in within)
        and available_units(facts, SiteSku(lane.origin, sku.sku_id)) >= sku.pack_size
        and departure_of(facts, limits, lane.key) is not None
    )


class Sources:
    """Prices other sources for one line."""

    def __init__(
        self, facts: Snapshot, limits: Limits, request: PlanRequest, worth: SkuWorth, replaced: Replaced
    ) -> None:
        self._facts, self._limits, self._request = facts, limits, request
        self._worth, self._replaced = worth, replaced
        self._lane = facts.lane_by_key[replaced.line.lane]
        self._sku: Sku = facts.sku_by_id[replaced.line.sku_id]
        self._departures_left = frozenset(self._key(move) for move in replaced.of_plan)
        self._own = frozenset(self._breaches([*replaced.of_plan, replaced.line]))

    def best(self, lanes: Sequence[Lane]) -> tuple[OtherSource | None, OtherSource | None]:
        """The best source that nothing bars; and the best barred one where it would save more than the line, or none is left."""
        ranked = sorted(lanes, key=lambda lane: (-self._roughly(lane), lane.key))[:SOURCES_PRICED_MAX]
        priced = {lane.key: self._added(self._move(lane)) for lane in ranked}
        ranked.sort(key=lambda lane: (self._fixed(self._move(lane)) - priced[lane.key].saving, lane.key))
        barred: OtherSource | None = None
        for lane in ranked:
            barriers = tuple(self._by_itself(lane)) or tuple(self._beside_the_plan(lane))
            if not barriers:
                better = barred is not None and barred.saving_minor > barred.line_saving_minor
                return self._compared(lane, priced[lane.key]), barred if better else None
            if barred is None:
                barred = replace(self._compared(lane, priced[lane.key]), barriers=barriers)
        return None, barred

    def _move(self, lane: Lane) -> Move:
        return Move(lane.key, self._sku.sku_id, self._packs(lane))

    def _by_itself(self, lane: Lane) -> Iterator[Barrier]:
        for breach in move_breaches(self._facts, self._limits, self._request, self._move(lane)):
            yield Barrier(breach.code, breach.where, breach.allowed, breach.found)

    def _beside_the_plan(self, lane: Lane) -> Iterator[Barrier]:
        moves = self._joined(self._replaced.of_plan, self._move(lane))
        for barrier in self._breaches(moves):
            if barrier not in self._own:
                yield barrier

    def _breaches(self, moves: Sequence[Move]) -> list[Barrier]:
        found = find_breaches(self._facts, self._limits, self._request, moves)
        return [Barrier(breach.code, breach.where, breach.allowed, breach.found) for breach in found]

    def _roughly(self, lane: Lane) -> float:
        move = self._move(lane)
        return self._worth.roughly(self._replaced.of_sku, move) - self._fixed(move)

    def _packs(self, lane: Lane) -> int:
        """As many of the line's packs as the site can spare, or as it has where it must keep all of them; at least one."""
        key = SiteSku(lane.origin, self._sku.sku_id)
        sent = sum(move.packs for move in self._replaced.of_sku if move.lane.origin == lane.origin)
        available = available_units(self._facts, key)
        free = max(available - self._kept(key), 0) // self._sku.pack_size - sent
        return max(1, min(self._replaced.line.packs, free if free > 0 else available // self._sku.pack_size - sent))

    def _kept(self, key: SiteSku) -> int:
        return self._limits.protected_units.get(key, 0)

    def _compared(self, lane: Lane, other: Worth) -> OtherSource:
        """The source beside the line, with their difference in parts."""
        line, packs = self._replaced.line, self._packs(lane)
        departure, own = self._departure(lane, NEXT), self._departure(self._lane, line.depart_on)
        move, in_time, whole = self._move(lane), other, self._whole
        part = whole if packs == line.packs else self._added(replace(line, packs=packs))
        if departure.days_until_arrival != own.days_until_arrival:
            lead, weekdays = self._lane.lead_time_days, self._lane.departure_weekdays
            on_time = replace(lane, lead_time_days=lead, departure_weekdays=weekdays)
            upcoming = own == self._departure(self._lane, NEXT)
            in_time = self._added(move if upcoming else replace(move, depart_on=line.depart_on), on_time)
        fixed = self._fixed(move), self._fixed(line)
        less = whole.saving - fixed[1] - (other.saving - fixed[0])
        parts = [
            whole.saving - part.saving,
            other.move_cost - part.move_cost,
            fixed[0] - fixed[1],
            in_time.saving - other.saving,
        ]
        fewer, freight, departures, later, loss = rounded_to_total([*parts, less - sum(parts)], round(less))
        line_saving = round(whole.saving - fixed[1])
        key = SiteSku(lane.origin, self._sku.sku_id)
        return OtherSource(
            site_id=lane.origin,
            mode=lane.mode,
            units=packs * self._sku.pack_size,
            available_units=available_units(self._facts, key),
            protected_units=self._kept(key),
            arrives_days=departure.days_until_arrival,
            saving_minor=line_saving - round(less),
            line_saving_minor=line_saving,
            fewer_minor=fewer,
            freight_minor=freight,
            departure_minor=departures,
            later_minor=later,
            loss_minor=loss,
            own_departure=self._key(move) not in self._departures_left,
            barriers=(),
        )

    @cached_property
    def _whole(self) -> Worth:
        return self._added(self._replaced.line)

    def _key(self, move: Move) -> DepartureKey:
        return departure_key(self._facts, self._limits, move)

    def _departure(self, lane: Lane, depart_on: date) -> Departure:
        departure = departure_of(self._facts, self._limits, lane.key, depart_on)
        assert departure is not None  # noqa: S101  `lanes_instead` leaves out lanes that never depart, and so does a plan
        return departure

    def _added(self, move: Move, lane: Lane | None = None) -> Worth:
        """What a move adds to the rest of its SKU's moves, without its departure."""
        return self._worth.added(self._replaced.of_sku, move, lane=lane)

    def _fixed(self, move: Move) -> float:
        return 0.0 if self._key(move) in self._departures_left else self._worth.fixed_cost(move.lane)

    def _joined(self, moves: Sequence[Move], more: Move) -> list[Move]:
        """The moves and one more, as one line where there is one of its SKU on its departure already."""
        line = self._key(more), more.sku_id
        same = [move for move in moves if (self._key(move), move.sku_id) == line]
        packs = more.packs + sum(move.packs for move in same)
        return sorted([*(move for move in moves if move not in same), replace(more, packs=packs)])
