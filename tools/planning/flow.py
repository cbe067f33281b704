"""One min-cost flow per SKU: the fast path's exact answer where SKUs do not share anything.

For one SKU, with losses l rising by pack sent and gains g falling by pack received,

    min   sum c x  +  sum l d  -  sum g r       packs out of a site = its d,  packs into a site = its r

is a circulation: source -> (loss blocks) -> sender -> receiver -> (gain blocks) -> sink ->
source. Flow goes round only where the circle costs less than nothing, so it moves
exactly the packs that pay, and in whole packs, because all capacities are whole
(Ahuja, Magnanti and Orlin, Network Flows, 1993, sections 2.4 and 14.2).

Costs are handed over as integers, rounded down, on a scale of each SKU's own. Hence
the solver's optimum is never above the true one: it is a lower bound by itself.

This is the only module that knows OR-Tools.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

from tools.demand_table import ranges

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

VERSIONS = (f"ortools {version('ortools')}",)
COST_BITS = 24
"""Every SKU's largest cost is scaled to this many bits: a relative error of 4e-9, far from overflow."""
BATCH_ARCS = 600
"""SKUs are handed over together until they have so many arcs: fewer calls, and the networks stay small."""
ARCS_AT_ONCE = 200_000
"""Rows are laid out for so many arcs at a time: memory stays flat however many SKUs there are."""
PAYS = 1e-9
"""What a pack must earn, in money, to be worth a thought."""


@dataclass(frozen=True)
class FlowArrays:
    """Transport problems of many SKUs side by side; SKUs, sites and lanes are numbered from 0.

    Arcs, one row each: a SKU on a lane, money per pack, most packs. Blocks, one row each:
    so many packs that a site can send (or receive) of a SKU, at one loss (or gain) per
    pack; blocks of a SKU and site stand together, losses rising and gains falling. Rows are sorted by SKU.
    """

    skus: int
    sites: int
    lanes: int
    arc_sku: IntArray
    arc_origin: IntArray
    arc_destination: IntArray
    arc_lane: IntArray
    arc_most: IntArray
    arc_cost: FloatArray
    send_sku: IntArray
    send_site: IntArray
    send_packs: IntArray
    send_loss: FloatArray
    receive_sku: IntArray
    receive_site: IntArray
    receive_packs: IntArray
    receive_gain: FloatArray

    @classmethod
    def sorted(cls, **columns: IntArray | FloatArray | int) -> FlowArrays:
        """The arrays with every group of rows sorted by SKU, rows of a SKU in the order given."""
        for group in ("arc", "send", "receive"):
            order = np.argsort(columns[f"{group}_sku"], kind="stable")
            for name in [name for name in columns if name.startswith(f"{group}_")]:
                columns[name] = np.asarray(columns[name])[order]
        return cls(**columns)  # type: ignore[arg-type]  # the columns are named by the caller

    def of_skus(self, skus: IntArray, arcs: IntArray) -> FlowArrays:
        """These SKUs alone (sorted), numbered anew; `arcs` are the rows of their arcs."""
        rows = {"arc": arcs}
        for group, sku in (("send", self.send_sku), ("receive", self.receive_sku)):
            first, last = np.searchsorted(sku, skus), np.searchsorted(sku, skus + 1)
            rows[group] = ranges(first, last - first)
        columns: dict[str, IntArray | FloatArray] = {}
        for column in fields(self):
            group, _, name = column.name.partition("_")
            if group in rows:
                values = getattr(self, column.name)[rows[group]]
                columns[column.name] = np.searchsorted(skus, values) if name == "sku" else values
        return FlowArrays(skus=len(skus), sites=self.sites, lanes=self.lanes, **columns)  # type: ignore[arg-type]  # the columns are named by the class itself

    def sent(self, packs: IntArray) -> IntArray:
        """Packs sent, by SKU and site, from packs by arc."""
        return self._by_place(self.arc_origin, packs)

    def received(self, packs: IntArray) -> IntArray:
        """Packs received, by SKU and site, from packs by arc."""
        return self._by_place(self.arc_destination, packs)

    def _by_place(self, site: IntArray, packs: IntArray) -> IntArray:
        found = np.bincount(self.arc_sku * self.sites + site, packs, self.skus * self.sites)
        return np.rint(found).astype(np.int64).reshape(self.skus, self.sites)

    @cached_property
    def first_loss(self) -> FloatArray:
        """The loss of the first pack sent, by SKU and site; infinite where nothing can leave."""
        table = np.full((self.skus, self.sites), np.inf)
        np.minimum.at(table, (self.send_sku, self.send_site), self.send_loss)
        return table

    @cached_property
    def first_gain(self) -> FloatArray:
        """The gain of the first pack received, by SKU and site; minus infinity where nothing may come."""
        table = np.full((self.skus, self.sites), -np.inf)
        np.maximum.at(table, (self.receive_sku, self.receive_site), self.receive_gain)
        return table

    @cached_property
    def arc_margin(self) -> FloatArray:
        """What the first pack on an arc earns before any further charge: no pack can earn more."""
        gain = self.first_gain[self.arc_sku, self.arc_destination]
        return gain - self.first_loss[self.arc_sku, self.arc_origin] - self.arc_cost


@dataclass(frozen=True)
class FlowResult:
    """Packs by arc, and by SKU the money: `value` = c x - gains + losses, `priced` with the extra charges, as a bound.

    `value` is what the packs are worth; `priced` is the solver's own optimum, never above the true one.
    """

    packs: IntArray
    value: FloatArray
    priced: FloatArray


class Flows:
    """The flows of one set of arrays, solved again and again under different charges and with different lanes open."""

    def __init__(self, arrays: FlowArrays) -> None:
        self.arrays = arrays
        self._arcs = _offsets(arrays.arc_sku, arrays.skus)
        self._sends = _offsets(arrays.send_sku, arrays.skus)
        self._receives = _offsets(arrays.receive_sku, arrays.skus)
        self._scale = self._scales()
        self._send_cost = np.floor(arrays.send_loss * self._scale[arrays.send_sku]).astype(np.int64)
        self._receive_cost = np.floor(-arrays.receive_gain * self._scale[arrays.receive_sku]).astype(np.int64)

    def _scales(self) -> FloatArray:
        arrays = self.arrays
        largest = np.full(arrays.skus, 1e-6)
        for sku, cost in (
            (arrays.arc_sku, arrays.arc_cost),
            (arrays.send_sku, arrays.send_loss),
            (arrays.receive_sku, arrays.receive_gain),
        ):
            np.maximum.at(largest, sku, np.abs(cost))
        scales: FloatArray = np.exp2(COST_BITS - np.ceil(np.log2(largest)))
        return scales

    def solve(
        self,
        *,
        extra: FloatArray | None = None,
        usable: BoolArray | None = None,
        most: IntArray | None = None,
        skus: Sequence[int] | IntArray | None = None,
        taken: tuple[IntArray, IntArray] | None = None,
    ) -> FlowResult:
        """The best flows, with `extra` added to the cost of a pack on each arc.

        `usable` masks arcs, `most` replaces their capacity in packs, `skus` are the only
        SKUs solved (all others come back with no packs and value 0). `taken` are packs by
        SKU and site that are sent and received already: they have used up the first blocks.
        Raises ArithmeticError when the solver does not prove optimality.
        """
        arrays = self.arrays
        rows: slice | IntArray = slice(None)
        if skus is not None:
            rows = _rows_of(self._arcs, np.unique(np.asarray(skus, dtype=np.int64)))
        margin = arrays.arc_margin[rows] if extra is None else arrays.arc_margin[rows] - extra[rows]
        limit = arrays.arc_most if most is None else most
        arcs = (margin > PAYS) & (limit[rows] > 0)
        if usable is not None:
            arcs &= usable[rows]
        chosen = np.flatnonzero(arcs) if isinstance(rows, slice) else rows[arcs]
        packs = np.zeros(len(arrays.arc_sku), dtype=np.int64)
        value, priced = np.zeros(arrays.skus), np.zeros(arrays.skus)
        for part in _parts(chosen, arrays.arc_sku):
            cost = arrays.arc_cost[part] if extra is None else arrays.arc_cost[part] + extra[part]
            self._solve_chosen(part, cost, (limit, taken), packs, (value, priced))
        return FlowResult(packs, value, priced)

    def _solve_chosen(
        self,
        chosen: IntArray,
        cost: FloatArray,
        limits: tuple[IntArray, tuple[IntArray, IntArray] | None],
        packs: IntArray,
        into: tuple[FloatArray, FloatArray],
    ) -> None:
        arrays = self.arrays
        limit, taken = limits
        active, of_arc = np.unique(arrays.arc_sku[chosen], return_inverse=True)
        blocks = self._useful_blocks(active, of_arc, chosen, cost)
        sends, receives = blocks
        layout = _Layout(arrays, (active, of_arc), chosen, blocks)
        scaled = np.floor(cost * self._scale[arrays.arc_sku[chosen]]).astype(np.int64)
        unit_cost = layout.column(self._send_cost[sends], scaled, self._receive_cost[receives], 0)
        send_packs, receive_packs = arrays.send_packs[sends], arrays.receive_packs[receives]
        if taken is not None:
            send_packs, receive_packs = self._untaken(taken, sends, receives)
        capacity = layout.column(send_packs, limit[chosen], receive_packs, _NO_LIMIT)
        flow = np.empty(layout.total, dtype=np.int64)
        for start, end in layout.batches:
            solver = SimpleMinCostFlow()
            rows = solver.add_arcs_with_capacity_and_unit_cost(
                layout.tail[start:end], layout.head[start:end], capacity[start:end], unit_cost[start:end]
            )
            status = solver.solve()
            if status != solver.OPTIMAL:
                raise ArithmeticError(f"the flow solver ended with {status!s}")
            flow[start:end] = solver.flows(rows)
        packs[chosen] = flow[layout.arc_rows]
        lost = flow[layout.send_rows] * arrays.send_loss[sends]
        earned = flow[layout.receive_rows] * arrays.receive_gain[receives]
        moved = packs[chosen] * arrays.arc_cost[chosen]
        value, priced = into
        value[active] = (
            np.bincount(layout.of_send, lost, len(active))
            - np.bincount(layout.of_receive, earned, len(active))
            + np.bincount(of_arc, moved, len(active))
        )
        # Whole numbers up to 2^53 are exact in a float, so the bound loses nothing here.
        exact = np.bincount(layout.of_row, (flow * unit_cost).astype(np.float64), len(active))
        priced[active] = exact / self._scale[active]

    def _untaken(
        self, taken: tuple[IntArray, IntArray], sends: IntArray, receives: IntArray
    ) -> tuple[IntArray, IntArray]:
        """What is left of the blocks when the first packs of every SKU and site are gone."""
        a = self.arrays
        gone = taken[0][a.send_sku[sends], a.send_site[sends]] - self._sent_before[sends]
        come = taken[1][a.receive_sku[receives], a.receive_site[receives]] - self._received_before[receives]
        send_packs, receive_packs = a.send_packs[sends], a.receive_packs[receives]
        return send_packs - np.clip(gone, 0, send_packs), receive_packs - np.clip(come, 0, receive_packs)

    @cached_property
    def _sent_before(self) -> IntArray:
        a = self.arrays
        return packs_before(a.send_sku * a.sites + a.send_site, a.send_packs)

    @cached_property
    def _received_before(self) -> IntArray:
        a = self.arrays
        return packs_before(a.receive_sku * a.sites + a.receive_site, a.receive_packs)

    def _useful_blocks(
        self, active: IntArray, of_arc: IntArray, chosen: IntArray, cost: FloatArray
    ) -> tuple[IntArray, IntArray]:
        """Blocks that a flow on the chosen arcs could use: dearer losses and smaller gains find no taker."""
        arrays = self.arrays
        sku, origin, destination = (c[chosen] for c in (arrays.arc_sku, arrays.arc_origin, arrays.arc_destination))
        offered = np.full((len(active), arrays.sites), -np.inf)
        asked = np.full((len(active), arrays.sites), np.inf)
        np.maximum.at(offered, (of_arc, origin), arrays.first_gain[sku, destination] - cost)
        np.minimum.at(asked, (of_arc, destination), arrays.first_loss[sku, origin] + cost)
        sends, receives = _rows_of(self._sends, active), _rows_of(self._receives, active)
        of_send = np.searchsorted(active, arrays.send_sku[sends])
        of_receive = np.searchsorted(active, arrays.receive_sku[receives])
        return (
            sends[arrays.send_loss[sends] < offered[of_send, arrays.send_site[sends]]],
            receives[arrays.receive_gain[receives] > asked[of_receive, arrays.receive_site[receives]]],
        )


_NO_LIMIT = 2**40


class _Layout:
    """Rows of the circulations, SKU after SKU: loss blocks, arcs, gain blocks, and the way back from sink to source.

    Only SKUs with an arc are there. Node numbers start again with every batch; within
    it each SKU has 2 sites + 2 nodes.
    """

    def __init__(
        self,
        arrays: FlowArrays,
        skus: tuple[IntArray, IntArray],
        chosen: IntArray,
        blocks: tuple[IntArray, IntArray],
    ) -> None:
        (active, of_arc), (sends, receives) = skus, blocks
        self.of_send = np.searchsorted(active, arrays.send_sku[sends])
        self.of_receive = np.searchsorted(active, arrays.receive_sku[receives])
        n_arc, n_send, n_receive = (
            np.bincount(of, minlength=len(active)) for of in (of_arc, self.of_send, self.of_receive)
        )
        rows = n_send + n_arc + n_receive + 1
        first = np.concatenate(([0], np.cumsum(rows)))
        self.total = int(first[-1])
        self.send_rows = ranges(first[:-1], n_send)
        self.arc_rows = ranges(first[:-1] + n_send, n_arc)
        self.receive_rows = ranges(first[:-1] + n_send + n_arc, n_receive)
        self._back_rows = first[1:] - 1
        self.of_row = np.repeat(np.arange(len(active)), rows)
        sites, source, sink = arrays.sites, 2 * arrays.sites, 2 * arrays.sites + 1
        self.batches, base = _batches(first, 2 * sites + 2)
        origin, destination = arrays.arc_origin[chosen], sites + arrays.arc_destination[chosen]
        node = np.repeat(base, rows)
        self.tail = node + self.column(source, origin, sites + arrays.receive_site[receives], sink)
        self.head = node + self.column(arrays.send_site[sends], destination, sink, source)

    def column(
        self, send: IntArray | int, arc: IntArray | int, receive: IntArray | int, back: IntArray | int
    ) -> IntArray:
        """One column of the rows, from its four kinds."""
        found = np.empty(self.total, dtype=np.int64)
        found[self.send_rows], found[self.arc_rows] = send, arc
        found[self.receive_rows], found[self._back_rows] = receive, back
        return found


def _parts(chosen: IntArray, arc_sku: IntArray) -> Iterator[IntArray]:
    """The chosen arcs in parts of whole SKUs, so that the rows laid out at once stay within bounds."""
    start = 0
    while start < len(chosen):
        end = min(start + ARCS_AT_ONCE, len(chosen))
        if end < len(chosen):
            end = int(np.searchsorted(arc_sku[chosen], arc_sku[chosen[end - 1]], side="right"))
        yield chosen[start:end]
        start = end


def _batches(first: IntArray, nodes: int) -> tuple[list[tuple[int, int]], IntArray]:
    """Row ranges that are solved together, and for each SKU the number of its first node within its batch."""
    found: list[tuple[int, int]] = []
    base = np.empty(len(first) - 1, dtype=np.int64)
    start = number = 0
    for sku in range(len(first) - 1):
        base[sku] = number * nodes
        number += 1
        if first[sku + 1] - first[start] >= BATCH_ARCS:
            found.append((int(first[start]), int(first[sku + 1])))
            start, number = sku + 1, 0
    if number:
        found.append((int(first[start]), int(first[-1])))
    return found, base


def packs_before(place: IntArray, packs: IntArray) -> IntArray:
    """How many packs of the same place come before each block; blocks of a place stand together in their order."""
    running = np.cumsum(packs) - packs
    starts = np.flatnonzero(np.append(True, np.diff(place) != 0)) if len(place) else place
    before: IntArray = running - np.repeat(running[starts], np.diff(np.append(starts, len(place))))
    return before


def _offsets(sku: IntArray, skus: int) -> IntArray:
    """Where the rows of each SKU begin, and the end of the last."""
    return np.searchsorted(sku, np.arange(skus + 1)).astype(np.int64)


def _rows_of(offsets: IntArray, skus: IntArray) -> IntArray:
    """The rows of these SKUs, given where each SKU's rows begin."""
    return ranges(offsets[skus], offsets[skus + 1] - offsets[skus])
