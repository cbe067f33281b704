"""From facts to arrays: which SKU may travel on which lane, what its packs gain and lose, and exact pruning.

An arc is kept only if its first pack earns more than it costs. Delete the packs of any
other arc from any plan: the receiver misses packs worth at most its first gain, the
sender keeps packs that cost at least its first loss, so the plan gets no worse. A
receiver's n-th pack is kept while it gains more than the cheapest pack it could get
costs; a donor's while it loses less than the best receiver would pay. A least quantity
may force `packs_min - 1` packs beyond that point. Where a set must be delivered whole
a line that does not pay may have to come with those that do: its arc is kept, and so are
the packs that it needs at least, at its site and, for all such sites, at every donor.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tools.demand import FloatArray
from tools.demand_table import IntArray
from tools.inventory import MICROLITRES_PER_LITRE, Lane, LaneKey, SiteSku, Sku, Snapshot
from tools.money import e4_per_minor
from tools.planning.calendar import NEXT, Departure, DepartureKey
from tools.planning.limits import Limits
from tools.planning.scope import Reach
from tools.planning.values import SiteSkuFacts, ValueOfPacks, while_useful
from tools.transfers import PlanRequest

TOLERANCE = 1e-9
SEGMENTS_MAX = 4096
"""More packs than this at one site-SKU are cut off; a plan that would need more is far beyond a truck."""
SKUS_AT_ONCE = 256


def fixed_cost(lane: Lane, currency: str) -> float:
    """What one departure of the lane costs, in minor units."""
    return lane.cost_fixed_e4 / e4_per_minor(currency)


def pack_move_cost(sku: Sku, lane: Lane, currency: str) -> float:
    """Freight for one pack of the SKU on the lane, in minor units, without the departure's fixed cost."""
    per_unit_e4 = lane.cost_per_unit_e4 + lane.cost_per_litre_e4 * sku.unit_volume_microlitres / MICROLITRES_PER_LITRE
    return sku.pack_size * per_unit_e4 / e4_per_minor(currency)


@dataclass(frozen=True)
class Table:
    """The pruned problem. `skus`, `sites` and `lanes` are what the numbers in the arrays stand for, sorted by id.

    A lane stands there once for each departure that is looked at, one day after the other; `departures` are
    those. Everything else takes them for lanes side by side.
    Arcs are sorted by SKU and lane: cost of freight and of lateness per pack in minor units, least and most packs.
    Curves hold one row per pack, by SKU, site and pack.
    """

    skus: tuple[Sku, ...]
    sites: tuple[str, ...]
    lanes: tuple[Lane, ...]
    departures: tuple[Departure, ...]
    arc_sku: IntArray
    arc_lane: IntArray
    arc_move: FloatArray
    arc_late: FloatArray
    arc_least: IntArray
    arc_most: IntArray
    gain_sku: IntArray
    gain_site: IntArray
    gain: FloatArray
    loss_sku: IntArray
    loss_site: IntArray
    loss: FloatArray
    arcs_considered: int
    cut_short: bool
    """Whether even the last of the most packs that are looked at would have paid somewhere."""

    @cached_property
    def departure_keys(self) -> tuple[DepartureKey, ...]:
        """For each number of a lane the departure that it stands for."""
        both = zip(self.lanes, self.departures, strict=True)
        return tuple(DepartureKey(lane.key, departure.depart_on) for lane, departure in both)

    @cached_property
    def named_days(self) -> tuple[date, ...]:
        """For each number of a lane the day that a move on it names: none on a lane's next departure."""
        before = (None, *(lane.key for lane in self.lanes))
        return tuple(
            key.depart_on if key.lane == previous else NEXT
            for key, previous in zip(self.departure_keys, before, strict=False)
        )


def tabulate(snapshot: Snapshot, limits: Limits, request: PlanRequest) -> Table:
    """The table of a request: arcs and packs that an optimal plan may use, and no others that can be told apart cheaply."""
    reach = Reach(snapshot, limits, request)
    sites = tuple(sorted(site.site_id for site in snapshot.sites))
    number = {site: n for n, site in enumerate(sites)}
    lanes = tuple(snapshot.lane_by_key[key.lane] for key in reach.offered)
    departures = tuple(reach.offered.values())
    frame = _Frame(
        reach, ValueOfPacks(snapshot, limits), sites, lanes,
        np.asarray([number[lane.origin] for lane in lanes], dtype=np.int64),
        np.asarray([number[lane.destination] for lane in lanes], dtype=np.int64),
        np.asarray([departure.days_until_arrival for departure in departures], dtype=np.int64),
    )  # fmt: skip
    parts = [
        _part(frame, reach.skus[first : first + SKUS_AT_ONCE], first)
        for first in range(0, len(reach.skus), SKUS_AT_ONCE)
    ]
    columns = (np.concatenate(column) for column in zip(*(part.columns for part in parts), strict=True))
    empty = (np.zeros(0, dtype=np.int64) for _ in range(12))
    considered, cut_short = sum(part.considered for part in parts), any(part.cut_short for part in parts)
    return Table(reach.skus, sites, lanes, departures, *(columns if parts else empty), considered, cut_short)  # type: ignore[call-arg]  # the twelve columns of `_Part` stand in the order of the fields


class _Frame(NamedTuple):
    """What all SKUs have in common: departures of lanes as numbers of their sites and days until arrival."""

    reach: Reach
    values: ValueOfPacks
    sites: tuple[str, ...]
    lanes: tuple[Lane, ...]
    origin: IntArray
    destination: IntArray
    days: IntArray


class _Part(NamedTuple):
    columns: tuple[IntArray | FloatArray, ...]
    considered: int
    cut_short: bool


def _part(frame: _Frame, skus: tuple[Sku, ...], first_sku: int) -> _Part:
    """Arcs and curves of some SKUs. Most lanes fall away on the first pack alone, before any curve is computed."""
    places = _Places(frame, skus)
    allowed = _allowed(frame, skus, places)
    sku, lane = np.nonzero(allowed)
    origin, destination, day = frame.origin[lane], frame.destination[lane], frame.days[lane]
    in_time = day < places.horizon[sku, destination]
    soonest = np.full(places.horizon.shape, np.iinfo(np.int64).max)
    np.minimum.at(soonest, (sku[in_time], destination[in_time]), day[in_time])
    places.value(soonest, sku, origin)
    kept = in_time & np.isfinite(places.first_loss[sku, origin])
    sku, lane, origin, destination, day = (column[kept] for column in (sku, lane, origin, destination, day))
    move = _move_costs(frame, skus)[sku, lane]
    margin = places.first_gain[sku, destination] - places.first_loss[sku, origin] - move
    asked = places.compulsory[sku, destination]
    kept = (margin > TOLERANCE) | asked
    asked = asked[kept]
    sku, lane, origin, destination, day, move, margin = (
        column[kept] for column in (sku, lane, origin, destination, day, move, margin)
    )
    late = places.lateness(sku, destination, day, soonest)
    least = places.least[sku]
    most = places.most_in_time(
        (sku, destination, day), soonest, places.first_loss[sku, origin] + move,
        places.most_packs(sku, origin, destination),
    )  # fmt: skip
    kept = ((margin - late > TOLERANCE) | asked) & (most >= least)
    sku, lane, move, late, least, most = (column[kept] for column in (sku, lane, move, late, least, most))
    curves = places.curves(sku, frame.origin[lane], frame.destination[lane], (move + late, least, most), soonest)
    shifted = [column + first_sku if place in (0, 3) else column for place, column in enumerate(curves)]
    cut_short = any(
        np.bincount(curves[n] * len(frame.sites) + curves[n + 1]).max(initial=0) >= SEGMENTS_MAX for n in (0, 3)
    )
    return _Part((sku + first_sku, lane, move, late, least, most, *shifted), int(allowed.sum()), cut_short)


def _allowed(frame: _Frame, skus: tuple[Sku, ...], places: _Places) -> np.ndarray:
    """Which SKU (row) may travel on which lane (column). One SKU stands for all with the same conditions of carriage."""
    reach, limits = frame.reach, frame.reach.limits
    can_send, can_receive = places.ends()
    carriage: dict[tuple[object, ...], np.ndarray] = {}
    allowed = np.empty((len(skus), len(frame.lanes)), dtype=np.bool_)
    for row, sku in enumerate(skus):
        terms = (sku.category, sku.temperature, sku.hazmat)
        if terms not in carriage:
            carriage[terms] = np.asarray(
                [limits.carriage_refused(sku, lane) is None for lane in frame.lanes], dtype=np.bool_
            )
        allowed[row] = carriage[terms]
    allowed &= can_send[:, frame.origin] & can_receive[:, frame.destination]
    row_of = {sku.sku_id: row for row, sku in enumerate(skus)}
    if limits.closed_lines or limits.depart_by or limits.arrive_by:
        _close_lines(frame, row_of, allowed)
    for ref in reach.request.overlays.excluded_lines:
        for column, lane in enumerate(frame.lanes):
            if ref.sku_id in row_of and (lane.origin, lane.destination) == (ref.origin, ref.destination):
                allowed[row_of[ref.sku_id], column] = False
    return allowed


def _close_lines(frame: _Frame, row_of: dict[str, int], allowed: np.ndarray) -> None:
    """Close what `closed_lines` name on every departure of the lane, and what leaves or arrives too late on a later one."""
    limits = frame.reach.limits
    columns_of: dict[LaneKey, list[int]] = {}
    later_from: dict[str, list[tuple[int, Departure]]] = {}
    for column, (key, departure) in enumerate(frame.reach.offered.items()):
        columns_of.setdefault(key.lane, []).append(column)
        if len(columns_of[key.lane]) > 1:
            later_from.setdefault(key.lane.origin, []).append((column, departure))
    for lane_key, sku_id in limits.closed_lines:
        if sku_id in row_of:
            allowed[row_of[sku_id], columns_of.get(lane_key, [])] = False
    for donor in sorted(limits.depart_by.keys() | limits.arrive_by.keys()):
        leaves, arrives = limits.depart_by.get(donor, date.max), limits.arrive_by.get(donor, date.max)
        if donor.sku_id in row_of:
            later = later_from.get(donor.site_id, ())
            late = [column for column, each in later if each.depart_on > leaves or each.arrive_on > arrives]
            allowed[row_of[donor.sku_id], late] = False


def _move_costs(frame: _Frame, skus: tuple[Sku, ...]) -> FloatArray:
    """Freight of a pack by SKU and lane, as `pack_move_cost`."""
    per_unit = np.asarray([lane.cost_per_unit_e4 for lane in frame.lanes], dtype=np.float64)
    per_litre = np.asarray([lane.cost_per_litre_e4 for lane in frame.lanes], dtype=np.float64)
    volume = np.asarray([sku.unit_volume_microlitres for sku in skus], dtype=np.float64)[:, None]
    size = np.asarray([sku.pack_size for sku in skus], dtype=np.float64)[:, None]
    per_minor = e4_per_minor(frame.reach.snapshot.currency)
    cost: FloatArray = size * (per_unit + per_litre * volume / MICROLITRES_PER_LITRE) / per_minor
    return cost


class _Places:
    """The site-SKUs of some SKUs: shape (SKUs, sites) throughout."""

    def __init__(self, frame: _Frame, skus: tuple[Sku, ...]) -> None:
        self._frame, self._skus = frame, skus
        self.pack = np.asarray([sku.pack_size for sku in skus], dtype=np.int64)
        self.least = np.asarray([-(-sku.min_transfer_units // sku.pack_size) for sku in skus], dtype=np.int64)
        every = [SiteSku(site, sku.sku_id) for sku in skus for site in frame.sites]
        self._facts = frame.values.facts(every)
        self._shape = (len(skus), len(frame.sites))
        self.horizon = self._facts.horizon.reshape(self._shape)
        self.sendable = np.zeros(self._shape, dtype=np.int64)
        self.first_gain = np.full(self._shape, -np.inf)
        self.first_loss = np.full(self._shape, np.inf)
        self.compulsory = self._compulsory()

    def _compulsory(self) -> np.ndarray:
        """Where a pack may have to come though it does not pay, because a set is delivered whole or not at all."""
        found = np.zeros(self._shape, dtype=np.bool_)
        row_of = {sku.sku_id: row for row, sku in enumerate(self._skus)}
        column_of = {site: column for column, site in enumerate(self._frame.sites)}
        for whole in self._frame.reach.limits.whole_sets:
            for sku_id in whole.missing:
                if sku_id in row_of and whole.site_id in column_of:
                    found[row_of[sku_id], column_of[whole.site_id]] = True
        return found

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Where a line may begin, and where it may end: what is stocked or sold there, and what policy lets pass."""
        snapshot, limits = self._frame.reach.snapshot, self._frame.reach.limits
        keys = self._facts.keys.tolist()
        held, no_send, no_receive = (
            np.fromiter((key in known for key in keys), dtype=np.bool_, count=len(keys))
            for known in (snapshot.position_by_key, limits.no_send, limits.no_receive)
        )
        sold = self._facts.demand.own >= 0
        return (held & ~no_send).reshape(self._shape), ((held | sold) & ~no_receive).reshape(self._shape)

    def _facts_at(self, sku: IntArray, site: IntArray) -> SiteSkuFacts:
        return self._facts.at(sku * self._shape[1] + site)

    def value(self, soonest: IntArray, sku: IntArray, origin: IntArray) -> None:
        """First gains where something can arrive in time, first losses where something can be sent."""
        values = self._frame.values
        at = np.nonzero(soonest < np.iinfo(np.int64).max)
        if len(at[0]):
            self.first_gain[at] = values.gains_of(self._facts_at(*at), self.pack[at[0]], soonest[at], range(1))[:, 0]
        asked = np.zeros(self._shape, dtype=np.bool_)
        asked[sku, origin] = True
        at = np.nonzero(asked)
        reach = self._frame.reach
        self.sendable[at] = [
            sendable_packs(reach, key, self._skus[row])
            for key, row in zip(self._facts_at(*at).keys, at[0].tolist(), strict=True)
        ]
        at = np.nonzero(self.sendable > 0)
        if len(at[0]):
            losses = values.losses_of(self._facts_at(*at), self.pack[at[0]], self.first_gain[at], range(1))
            self.first_loss[at] = losses[:, 0]

    def lateness(self, sku: IntArray, destination: IntArray, day: IntArray, soonest: IntArray) -> FloatArray:
        """What a first pack gains less by an arc that is not the fastest into its site, never below 0."""
        late = np.zeros(len(sku))
        slow = np.flatnonzero(day > soonest[sku, destination])
        if len(slow):
            k, j = sku[slow], destination[slow]
            here = self._frame.values.gains_of(self._facts_at(k, j), self.pack[k], day[slow], range(1))[:, 0]
            late[slow] = np.maximum(0.0, self.first_gain[k, j] - here)
        return late

    def most_in_time(
        self, arc: tuple[IntArray, IntArray, IntArray], soonest: IntArray, cost: FloatArray, most: IntArray
    ) -> IntArray:
        """The most packs of each arc, of a slower one only those that would pay though they arrive on its own day.

        Lateness is charged by the first pack. Further packs lose more by a late arrival, and where only a day's
        demand is left before the regular supply they lose everything. A least quantity may go all the same.
        `arc`: SKU, destination, arrival day.
        """
        sku, destination, day = arc
        slow = np.flatnonzero((day > soonest[sku, destination]) & ~self.compulsory[sku, destination] & (most > 0))
        if not len(slow):
            return most
        facts, size, days = self._facts_at(sku[slow], destination[slow]), self.pack[sku[slow]], day[slow]
        values = self._frame.values
        paying, _ = while_useful(
            lambda rows, packs: values.gains_of(facts.at(rows), size[rows], days[rows], packs),
            most[slow], cost[slow], np.zeros(len(slow), dtype=np.int64),
        )  # fmt: skip
        found = most.copy()
        found[slow] = np.minimum(np.maximum(paying, self.least[sku[slow]]), most[slow])
        return found

    def most_packs(self, sku: IntArray, origin: IntArray, destination: IntArray) -> IntArray:
        """The most packs of a line: what the donor can send, within the policy's line and the request's caps."""
        most = self.sendable[sku, origin]
        reach = self._frame.reach
        if reach.limits.line_units_max is not None:
            most = np.minimum(most, reach.limits.line_units_max // self.pack[sku])
        return np.minimum(most, self._intake_cap()[sku, destination])

    def _intake_cap(self) -> IntArray:
        cap = np.full(self._shape, SEGMENTS_MAX, dtype=np.int64)
        row_of = {sku.sku_id: row for row, sku in enumerate(self._skus)}
        column_of = {site: column for column, site in enumerate(self._frame.sites)}
        for limit in self._frame.reach.request.overlays.receive_caps:
            if limit.sku_id in row_of and limit.site_id in column_of:
                row, column = row_of[limit.sku_id], column_of[limit.site_id]
                cap[row, column] = min(int(cap[row, column]), limit.units // int(self.pack[row]))
        return cap

    def curves(
        self,
        sku: IntArray,
        origin: IntArray,
        destination: IntArray,
        of_arcs: tuple[FloatArray, IntArray, IntArray],
        soonest: IntArray,
    ) -> tuple[IntArray | FloatArray, ...]:
        """SKU, site and money of every pack that can matter: received, then sent."""
        cost, least, most = of_arcs
        values = self._frame.values
        spare = np.zeros(self._shape[0], dtype=np.int64)
        np.maximum.at(spare, sku, least - 1)
        forced = self.compulsory * np.maximum(self.least, 1)[:, None]
        price, offer = np.full(self._shape, np.inf), np.full(self._shape, -np.inf)
        np.minimum.at(price, (sku, destination), self.first_loss[sku, origin] + cost)
        np.maximum.at(offer, (sku, origin), self.first_gain[sku, destination] - cost)
        intake = np.zeros(self._shape, dtype=np.int64)
        np.add.at(intake, (sku, destination), most)
        intake = np.minimum(intake, self._intake_cap())
        gk, gj = np.nonzero(np.isfinite(price))
        facts, size, day = self._facts_at(gk, gj), self.pack[gk], soonest[gk, gj]
        gains = while_useful(
            lambda rows, packs: values.gains_of(facts.at(rows), size[rows], day[rows], packs),
            intake[gk, gj], price[gk, gj], spare[gk] + forced[gk, gj],
        )  # fmt: skip
        lk, lj = np.nonzero(np.isfinite(offer))
        senders, pack, own = self._facts_at(lk, lj), self.pack[lk], self.first_gain[lk, lj]
        worths = while_useful(
            lambda rows, packs: -values.losses_of(senders.at(rows), pack[rows], own[rows], packs),
            self.sendable[lk, lj], -offer[lk, lj], spare[lk] + forced.sum(axis=1)[lk],
        )  # fmt: skip
        return (
            np.repeat(gk, gains[0]), np.repeat(gj, gains[0]), gains[1],
            np.repeat(lk, worths[0]), np.repeat(lj, worths[0]), -worths[1],
        )  # fmt: skip


def sendable_packs(reach: Reach, key: SiteSku, sku: Sku) -> int:
    """Whole packs that may leave: available units less what policy protects, within the request's cap."""
    position = reach.snapshot.position_by_key.get(key)
    units = (max(position.available_units, 0) if position else 0) - reach.limits.protected_units.get(key, 0)
    cap = reach.send_cap(key)
    if cap is not None:
        units = min(units, cap)
    return min(max(units, 0) // sku.pack_size, SEGMENTS_MAX)
