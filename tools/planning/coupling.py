"""From the table of a request to the fast path's problem, and from its packs back to moves.

Quantities that are limited are whole numbers: units, lines, microlitres, ten-thousandths.
As floats they are exact up to 2^53, so a limit counts as kept only where the evaluator,
which adds in integers, will say so too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy import sparse

from tools.demand import FloatArray
from tools.demand_table import IntArray
from tools.inventory import MICROLITRES_PER_LITRE, Lane, Snapshot
from tools.money import e4_per_minor
from tools.planning.breaches import departure_key, departure_of, transport_cost_e4
from tools.planning.calendar import DepartureKey, free_microlitres, free_outbound_units
from tools.planning.coupled import Coupled, Curves, SharedLimits
from tools.planning.flow import BoolArray, FlowArrays
from tools.planning.limits import Limits
from tools.planning.solution import Move
from tools.planning.table import Table, fixed_cost
from tools.transfers import PlanRequest

BLOCKS_PER_CURVE = 96
"""Longer curves are cut into so many steps for the search; plans are valued pack by pack all the same."""
HALF = 0.25
"""Sums of whole numbers are compared with a limit and this much more, so that no rounding of a float decides."""


@dataclass(frozen=True)
class Row:
    """A shared limit before it becomes a row: weights by arc, per line, per departure, and the most."""

    arcs: IntArray
    weights: FloatArray
    most: float
    per_line: float = 0.0
    per_lane: FloatArray | None = None


def coupled_of(
    table: Table, snapshot: Snapshot, limits: Limits, request: PlanRequest, standing: Sequence[Move] = ()
) -> Coupled:
    """The problem of the table under what facts, policy and request limit together.

    `standing` are moves of other SKUs that stay as they are: what they use of a limit is
    gone, and a departure that they use is paid for.
    """
    taken = _Taken.by(standing, snapshot, limits)
    number = {site: n for n, site in enumerate(table.sites)}
    origin = np.asarray([number[lane.origin] for lane in table.lanes], dtype=np.int64)
    destination = np.asarray([number[lane.destination] for lane in table.lanes], dtype=np.int64)
    shape = len(table.skus), len(table.sites)
    gains = Curves.of(*shape, table.gain_sku, table.gain_site, table.gain)
    losses = Curves.of(*shape, table.loss_sku, table.loss_site, table.loss)
    receive = _blocks(table.gain_sku, table.gain_site, -table.gain)
    send = _blocks(table.loss_sku, table.loss_site, table.loss)
    arrays = FlowArrays(
        skus=shape[0], sites=shape[1], lanes=len(table.lanes),
        arc_sku=table.arc_sku, arc_origin=origin[table.arc_lane], arc_destination=destination[table.arc_lane],
        arc_lane=table.arc_lane, arc_most=table.arc_most, arc_cost=table.arc_move + table.arc_late,
        send_sku=table.loss_sku[send[0]], send_site=table.loss_site[send[0]], send_packs=send[1],
        send_loss=table.loss[send[0]], receive_sku=table.gain_sku[receive[0]],
        receive_site=table.gain_site[receive[0]], receive_packs=receive[1], receive_gain=table.gain[receive[0]],
    )  # fmt: skip
    volume = np.asarray([sku.pack_size * sku.unit_volume_microlitres for sku in table.skus], dtype=np.float64)
    hurdle = limits.lane_hurdle_minor
    return Coupled(
        arrays=arrays,
        gains=gains,
        losses=losses,
        lane_cost=np.asarray(
            [_departure_cost(*each, snapshot, hurdle, taken) for each in _numbered(table)], dtype=np.float64
        ),
        lane_capacity=np.asarray([_room(*each, snapshot, taken) for each in _numbered(table)], dtype=np.float64),
        arc_volume=volume[table.arc_sku],
        arc_least=table.arc_least,
        line_cost=float(limits.line_charge_minor + limits.line_hurdle_minor),
        limits=_shared(table, list(_rows(table, snapshot, limits, request, (volume, taken)))),
    )


def moves_of_packs(table: Table, packs: IntArray) -> tuple[Move, ...]:
    """The packs as moves, sorted by lane and SKU."""
    used = np.flatnonzero(packs).tolist()
    return tuple(
        sorted(
            Move(table.lanes[lane].key, table.skus[table.arc_sku[arc]].sku_id, int(packs[arc]), table.named_days[lane])
            for arc in used
            for lane in (int(table.arc_lane[arc]),)
        )
    )


@dataclass(frozen=True)
class _Taken:
    """What standing moves use: volume by departure, units by site and day, volume by receiving site, and totals."""

    departures: dict[DepartureKey, int]
    arriving: dict[tuple[str, date], int]
    leaving: dict[tuple[str, date], int]
    stored: dict[str, int]
    units: int
    lines: int
    value_e4: int
    transport_e4: int

    @classmethod
    def by(cls, moves: Sequence[Move], snapshot: Snapshot, limits: Limits) -> _Taken:
        departures: dict[DepartureKey, int] = defaultdict(int)
        arriving: dict[tuple[str, date], int] = defaultdict(int)
        leaving: dict[tuple[str, date], int] = defaultdict(int)
        stored: dict[str, int] = defaultdict(int)
        total = value_e4 = 0
        for move in moves:
            sku, departure = snapshot.sku_by_id[move.sku_id], departure_of(snapshot, limits, move.lane, move.depart_on)
            units = move.packs * sku.pack_size
            departures[departure_key(snapshot, limits, move)] += units * sku.unit_volume_microlitres
            stored[move.lane.destination] += units * sku.unit_volume_microlitres
            if departure is not None:
                arriving[move.lane.destination, departure.arrive_on] += units
                leaving[move.lane.origin, departure.depart_on] += units
            total, value_e4 = total + units, value_e4 + units * sku.unit_cost_e4
        transport_e4 = transport_cost_e4(snapshot, limits, moves)
        return cls(departures, arriving, leaving, stored, total, len(moves), value_e4, transport_e4)


def _numbered(table: Table) -> Iterator[tuple[Lane, DepartureKey]]:
    """What the numbers of lanes stand for."""
    return zip(table.lanes, table.departure_keys, strict=True)


def _departure_cost(lane: Lane, key: DepartureKey, snapshot: Snapshot, hurdle: int, taken: _Taken) -> float:
    return 0.0 if key in taken.departures else fixed_cost(lane, snapshot.currency) + hurdle


def _room(lane: Lane, key: DepartureKey, snapshot: Snapshot, taken: _Taken) -> float:
    most = free_microlitres(snapshot, lane, key.depart_on)
    return np.inf if most is None else max(most - taken.departures.get(key, 0), 0) + HALF


def _blocks(sku: IntArray, site: IntArray, cost: FloatArray) -> tuple[IntArray, IntArray]:
    """Where each block of packs begins and how many it holds; `cost` rises within a SKU and site.

    A block is priced at its first pack, the best of it, so flows over blocks never cost more than flows over packs.
    """
    if not len(cost):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    new_place = np.append(True, (np.diff(sku) != 0) | (np.diff(site) != 0))
    starts = np.flatnonzero(new_place)
    length = np.diff(np.append(starts, len(cost)))
    spread = np.repeat(cost[starts + length - 1] - cost[starts], length)
    rise = cost - np.repeat(cost[starts], length)
    long = np.repeat(length, length) > BLOCKS_PER_CURVE
    step = np.where(long, np.floor(rise / np.maximum(spread, 1e-300) * BLOCKS_PER_CURVE), np.arange(len(cost)))
    first = np.flatnonzero(new_place | np.append(True, np.diff(step) != 0))
    return first, np.diff(np.append(first, len(cost)))


def _rows(
    table: Table, snapshot: Snapshot, limits: Limits, request: PlanRequest, beside: tuple[FloatArray, _Taken]
) -> Iterator[Row]:
    volume, taken = beside
    size = np.asarray([sku.pack_size for sku in table.skus], dtype=np.float64)[table.arc_sku]
    arcs = np.arange(len(table.arc_sku))
    yield from _handling(table, snapshot, size, taken)
    yield from _storage(table, snapshot, volume, taken)
    overlays = request.overlays
    for units in (limits.units_max, overlays.max_units):
        if units is not None:
            yield Row(arcs, size, max(units - taken.units, 0) + HALF)
    for lines in (limits.lines_max, overlays.max_lines):
        if lines is not None:
            yield Row(arcs[:0], size[:0], max(lines - taken.lines, 0) + HALF, per_line=1.0)
    per_minor = e4_per_minor(snapshot.currency)
    if limits.goods_value_max_minor is not None:
        value = np.asarray([sku.pack_size * sku.unit_cost_e4 for sku in table.skus], dtype=np.float64)
        left_e4 = max(limits.goods_value_max_minor * per_minor - taken.value_e4, 0)
        yield Row(arcs, value[table.arc_sku], left_e4 + HALF)
    if overlays.transport_budget_minor is not None:
        left_e4 = max(overlays.transport_budget_minor * per_minor - taken.transport_e4, 0)
        yield _budget(table, limits, left_e4, per_minor, taken)


def _handling(table: Table, snapshot: Snapshot, size: FloatArray, taken: _Taken) -> Iterator[Row]:
    """Units in and out of a site on one day, less what other supply already takes up on that day."""
    coming: dict[tuple[str, date], int] = defaultdict(int, taken.arriving)
    for row in snapshot.supply:
        coming[row.site_id, row.expected_on] += row.units
    arriving: dict[tuple[str, date], list[int]] = defaultdict(list)
    leaving: dict[tuple[str, date], list[int]] = defaultdict(list)
    for number, (lane, departure) in enumerate(zip(table.lanes, table.departures, strict=True)):
        arriving[lane.destination, departure.arrive_on].append(number)
        leaving[lane.origin, departure.depart_on].append(number)
    for (site_id, day), lanes in arriving.items():
        limit = snapshot.site_by_id[site_id].inbound_units_per_day
        if limit is not None:
            arcs = np.flatnonzero(np.isin(table.arc_lane, lanes))
            yield Row(arcs, size[arcs], max(limit - coming[site_id, day], 0) + HALF)
    for (site_id, day), lanes in leaving.items():
        limit = free_outbound_units(snapshot, site_id, day)
        if limit is not None:
            arcs = np.flatnonzero(np.isin(table.arc_lane, lanes))
            yield Row(arcs, size[arcs], max(limit - taken.leaving.get((site_id, day), 0), 0) + HALF)


def _storage(table: Table, snapshot: Snapshot, volume: FloatArray, taken: _Taken) -> Iterator[Row]:
    """What arrives must fit beside what is there and what is on its way; room that donors free is not counted."""
    room = {
        site.site_id: site.storage_capacity_microlitres - taken.stored.get(site.site_id, 0)
        for site in snapshot.sites
        if site.storage_capacity_microlitres is not None
    }
    held = [(position.site_id, position.sku_id, position.on_hand_units) for position in snapshot.positions if room]
    coming = [(row.site_id, row.sku_id, row.units) for row in snapshot.supply if room]
    for site_id, sku_id, units in (*held, *coming):
        if site_id in room:
            room[site_id] -= units * snapshot.sku_by_id[sku_id].unit_volume_microlitres
    for site_id in sorted(room):
        lanes = [number for number, lane in enumerate(table.lanes) if lane.destination == site_id]
        arcs = np.flatnonzero(np.isin(table.arc_lane, lanes))
        if len(arcs):
            yield Row(arcs, volume[table.arc_sku[arcs]], max(room[site_id], 0) + HALF)


def _budget(table: Table, limits: Limits, most_e4: int, per_minor: int, taken: _Taken) -> Row:
    """Freight, lines and departures in ten-thousandths, each rounded up, so that their sum is never too small."""
    per_unit = np.asarray([lane.cost_per_unit_e4 for lane in table.lanes], dtype=np.float64)[table.arc_lane]
    per_litre = np.asarray([lane.cost_per_litre_e4 for lane in table.lanes], dtype=np.float64)[table.arc_lane]
    size = np.asarray([sku.pack_size for sku in table.skus], dtype=np.float64)[table.arc_sku]
    volume = np.asarray([sku.unit_volume_microlitres for sku in table.skus], dtype=np.float64)[table.arc_sku]
    freight = np.ceil(size * (per_unit + per_litre * volume / MICROLITRES_PER_LITRE))
    return Row(
        np.arange(len(table.arc_sku)), freight, most_e4 + HALF,
        per_line=float(limits.line_charge_minor * per_minor),
        per_lane=np.asarray(
            [0 if key in taken.departures else lane.cost_fixed_e4 for lane, key in _numbered(table)], dtype=np.float64
        ),
    )  # fmt: skip


def _shared(table: Table, rows: list[Row]) -> SharedLimits:
    """The rows that could ever bind, as one sparse matrix."""
    arcs, lanes = len(table.arc_sku), len(table.lanes)
    if not rows:
        return SharedLimits.none(arcs, lanes)
    at = np.concatenate([np.full(len(row.arcs), n) for n, row in enumerate(rows)])
    entries = (np.concatenate([row.weights for row in rows]), (at, np.concatenate([row.arcs for row in rows])))
    per_lane = np.stack([np.zeros(lanes) if row.per_lane is None else row.per_lane for row in rows])
    return SharedLimits(
        per_pack=sparse.csr_array(sparse.coo_array(entries, shape=(len(rows), arcs))),
        per_line=np.asarray([row.per_line for row in rows]),
        per_departure=sparse.csr_array(per_lane),
        most=np.asarray([row.most for row in rows], dtype=np.float64),
    )


def delivered_in_part(table: Table, limits: Limits, packs: IntArray) -> BoolArray:
    """Arcs that would bring a part of a set to a site that must get all of what it misses or nothing."""
    lane_to: dict[str, list[int]] = defaultdict(list)
    for number, lane in enumerate(table.lanes):
        lane_to[lane.destination].append(number)
    sku_number = {sku.sku_id: number for number, sku in enumerate(table.skus)}
    refused = np.zeros(len(packs), dtype=np.bool_)
    for whole in limits.whole_sets:
        into = np.isin(table.arc_lane, lane_to[whole.site_id])
        of_set = np.isin(table.arc_sku, [sku_number[sku] for sku in whole.sku_ids if sku in sku_number])
        brought = {table.skus[sku].sku_id for sku in np.unique(table.arc_sku[into & of_set & (packs > 0)])}
        if brought and not brought.issuperset(whole.missing):
            refused |= into & of_set
    return refused
