"""What a flow does not know about a SKU: least quantities, line charges, and that a site does not send what it receives.

Branch and bound on the SKUs' flows, all SKUs side by side: of each SKU one node is
solved at a time, and the nodes of all SKUs are solved together. A search goes down until
it meets no fault or cannot win, then on from the lowest bound that is left. A line below
its least quantity is either closed or forced up to it; a site that does both either
sends nothing or receives nothing; a line that pays its charge in part is either closed
or pays it whole. The flow of a node is a lower bound on everything below it. Packs that
are forced onto an arc use up the first loss and gain blocks at its ends, because losses
rise and gains fall, so a node is again a plain flow.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from tools.planning.coupled import Coupled, Curves, levelled
from tools.planning.flow import BoolArray, FloatArray, FlowArrays, Flows, IntArray

NODES_MAX = 200
PACKS_MAX = 500_000
"""With more packs than this at all places together, the curves are offered in blocks."""
BETTER = 1e-7


@dataclass(frozen=True)
class SkuProblems:
    """Some SKUs on their own, numbered anew. By arc: its row in the whole problem, least packs, M, charge of a line."""

    arrays: FlowArrays
    gains: Curves
    losses: Curves
    rows: IntArray
    least: IntArray
    strong: IntArray
    line_charge: FloatArray

    @classmethod
    def of(
        cls,
        problem: Coupled,
        skus: IntArray,
        extra: FloatArray,
        *,
        most: IntArray | None = None,
        usable: BoolArray | None = None,
        line_charge: FloatArray | None = None,
        strong: IntArray | None = None,
    ) -> SkuProblems:
        """The part of a problem that is these SKUs' own (sorted), with packs on an arc charged `extra`.

        All arrays are by arc of these SKUs, as `rows_of` lists them: packs go on usable arcs up to `most`; a line is
        charged `line_charge`, or else what lines cost; `strong` is M under the charges. Curves are offered pack by
        pack, unless that would be very many packs: then in the blocks that the flows know.
        """
        every = np.concatenate([np.arange(rows.start, rows.stop) for rows in map(problem.rows_of, skus.tolist())])
        a = problem.arrays
        most = a.arc_most[every] if most is None else np.minimum(most, a.arc_most[every])
        least = np.maximum(problem.arc_least[every], 1)
        kept = most >= least if usable is None else usable & (most >= least)
        rows = every[kept]
        gains, losses = problem.gains.of_skus(skus), problem.losses.of_skus(skus)
        arrays = a.of_skus(skus, rows)
        if gains.packs.sum() + losses.packs.sum() <= PACKS_MAX:
            arrays = _pack_by_pack(arrays, gains, losses)
        arrays = levelled(arrays, gains, losses, least[kept])
        charge = np.full(len(every), problem.line_cost) if line_charge is None else line_charge
        return cls(
            replace(arrays, arc_most=most[kept], arc_cost=arrays.arc_cost + extra[kept]),
            gains, losses, rows, least[kept],
            (problem.worth_moving[every] if strong is None else strong)[kept], charge[kept],
        )  # fmt: skip

    def cost(self, packs: IntArray) -> FloatArray:
        """Freight less gains plus losses and line charges, c x - g r + l d + e w, by SKU."""
        a = self.arrays
        money = packs * a.arc_cost + self.line_charge * (packs > 0)
        ends = self.losses.at(self.arrays.sent(packs)) - self.gains.at(self.arrays.received(packs))
        cost: FloatArray = np.bincount(a.arc_sku, money, a.skus) + ends.sum(axis=1)
        return cost

    def there(self, packs: IntArray) -> BoolArray:
        """SKUs whose every site has the packs that it would send, and takes those that it would receive."""
        short = (self.arrays.sent(packs) > self.losses.packs) | (self.arrays.received(packs) > self.gains.packs)
        return np.asarray(~np.any(short, axis=1), dtype=np.bool_)

    @cached_property
    def bounds(self) -> IntArray:
        """Where the arcs of each SKU begin, and the end of the last."""
        return np.searchsorted(self.arrays.arc_sku, np.arange(self.arrays.skus + 1)).astype(np.int64)


def _pack_by_pack(a: FlowArrays, gains: Curves, losses: Curves) -> FlowArrays:
    """The arrays with a block for every single pack."""
    receivers = np.unique(a.arc_sku * a.sites + a.arc_destination)
    senders = np.unique(a.arc_sku * a.sites + a.arc_origin)
    receive_sku, receive_site, receive_gain = gains.packs_at(receivers // a.sites, receivers % a.sites)
    send_sku, send_site, send_loss = losses.packs_at(senders // a.sites, senders % a.sites)
    return replace(
        a, send_sku=send_sku, send_site=send_site, send_packs=np.ones_like(send_site), send_loss=send_loss,
        receive_sku=receive_sku, receive_site=receive_site, receive_packs=np.ones_like(receive_site),
        receive_gain=receive_gain,
    )  # fmt: skip


def best_of_skus(part: SkuProblems, nodes_max: int = NODES_MAX) -> tuple[IntArray, FloatArray]:
    """Packs by arc that keep every SKU's rules, and by SKU a lower bound on what any such packs cost.

    Of a SKU with more than `nodes_max` nodes to look at, the best packs found by then, and the bound of what is left.
    """
    search = _BranchAndBound(part)
    for _ in range(nodes_max):
        if not search.step():
            break
    return search.packs, search.bound()


@dataclass(frozen=True)
class _Node:
    """By arc of one SKU: whether it is closed, how many packs it must carry at least, whether its line is paid for."""

    closed: BoolArray
    forced: IntArray
    paid: BoolArray

    def closing(self, arcs: BoolArray) -> _Node:
        return replace(self, closed=self.closed | arcs)


class _BranchAndBound:
    """The best packs known of every SKU, and its nodes that are still to be looked at, the lowest bound first."""

    def __init__(self, part: SkuProblems) -> None:
        arrays = part.arrays
        self._part, self._flows = part, Flows(arrays)
        self._ends = list(pairwise(part.bounds.tolist()))
        self.packs = np.zeros(len(arrays.arc_sku), dtype=np.int64)
        self._cost = np.zeros(arrays.skus)
        self._waiting: list[list[tuple[float, int, _Node]]] = [
            [(-np.inf, 0, _root(end - start))] if end > start else [] for start, end in self._ends
        ]
        self._below: list[tuple[float, _Node] | None] = [None] * arrays.skus
        self._settled = np.full(arrays.skus, np.inf)
        self._made = 0

    def bound(self) -> FloatArray:
        """By SKU the cost below which nothing can be: of the best packs, or of the nodes not looked at."""
        lowest = self._settled.copy()
        for sku, (heap, below) in enumerate(zip(self._waiting, self._below, strict=True)):
            lowest[sku] = min(lowest[sku], heap[0][0] if heap else np.inf, below[0] if below else np.inf)
        bound: FloatArray = np.minimum(self._cost, lowest)
        return bound

    def step(self) -> bool:
        """Look at one more node of every SKU; False when there is none."""
        nodes = self._next()
        if not nodes:
            return False
        closed = np.ones(len(self.packs), dtype=np.bool_)
        forced, paid = np.zeros_like(self.packs), np.zeros_like(closed)
        for sku, node in nodes.items():
            start, end = self._ends[sku]
            closed[start:end], forced[start:end], paid[start:end] = node.closed, node.forced, node.paid
        packs, bound = self._solved(closed, forced, paid, np.asarray(sorted(nodes)))
        part = self._part
        one_sided = self._one_sided(packs)
        self._offer(packs)
        self._offer(np.where(one_sided >= part.least, one_sided, 0))
        self._offer(np.where(one_sided > 0, np.maximum(one_sided, part.least), 0))
        self._branch(nodes, packs, bound, paid)
        return True

    def _next(self) -> dict[int, _Node]:
        """The node to look at of every SKU that has one: the one below the last, or that with the lowest bound."""
        found = {}
        for sku, heap in enumerate(self._waiting):
            below, self._below[sku] = self._below[sku], None
            if below is not None and below[0] < self._cost[sku] - BETTER:
                found[sku] = below[1]
            elif heap and heap[0][0] < self._cost[sku] - BETTER:
                found[sku] = heapq.heappop(heap)[2]
            else:
                heap.clear()
        return found

    def _one_sided(self, packs: IntArray) -> IntArray:
        """The packs without the lesser side of every site that sends and receives."""
        part, a = self._part, self._part.arrays
        sent, received = part.arrays.sent(packs), part.arrays.received(packs)
        both = (sent > 0) & (received > 0)
        less_sent = both & (sent < received)
        refused = less_sent[a.arc_sku, a.arc_origin] | (both & ~less_sent)[a.arc_sku, a.arc_destination]
        return np.where(refused, 0, packs)

    def _solved(
        self, closed: BoolArray, forced: IntArray, paid: BoolArray, skus: IntArray
    ) -> tuple[IntArray, FloatArray]:
        """The packs of the nodes and their bounds; infinite where forced packs are not there."""
        part, a = self._part, self._part.arrays
        there = part.there(forced)
        charge = np.where(paid, 0.0, part.line_charge / part.strong)
        within = np.where(there[a.arc_sku], forced, 0)
        found = self._flows.solve(
            extra=charge, usable=~closed, most=a.arc_most - within, skus=skus[there[skus]],
            taken=(part.arrays.sent(within), part.arrays.received(within)),
        )  # fmt: skip
        fixed = replace(part, line_charge=np.zeros(len(charge))).cost(within)
        fixed += np.bincount(a.arc_sku, part.line_charge * paid, a.skus)
        return within + found.packs, np.where(there, fixed + found.priced, np.inf)

    def _offer(self, packs: IntArray) -> None:
        """Keep the packs of every SKU where they keep its rules and are the best so far."""
        part, a = self._part, self._part.arrays
        there = part.there(packs) & (np.bincount(a.arc_sku, packs > a.arc_most, a.skus) == 0)
        packs = np.where(there[a.arc_sku], packs, 0)
        cost = part.cost(packs)
        small = np.bincount(a.arc_sku, (packs > 0) & (packs < part.least), a.skus) > 0
        both = ((part.arrays.sent(packs) > 0) & (part.arrays.received(packs) > 0)).any(axis=1)
        better = ~small & ~both & (cost < self._cost - BETTER)
        self._cost[better] = cost[better]
        rows = better[a.arc_sku]
        self.packs[rows] = packs[rows]

    def _branch(self, nodes: dict[int, _Node], packs: IntArray, bound: FloatArray, paid: BoolArray) -> None:
        """The two ways out of the first fault of every node that could still win, the more promising one last."""
        part, a = self._part, self._part.arrays
        small = _first(a.arc_sku, (packs > 0) & (packs < part.least), packs)
        unpaid = np.where(~paid & (packs > 0), part.line_charge * (1 - packs / part.strong), 0.0)
        dear = _first(a.arc_sku, unpaid > BETTER, -unpaid)
        sent, received = part.arrays.sent(packs), part.arrays.received(packs)
        both = (sent > 0) & (received > 0)
        for sku, node in nodes.items():
            if bound[sku] >= self._cost[sku] - BETTER:
                continue
            start, end = self._ends[sku]
            arc = small.get(sku)
            if arc is not None:
                children = _closed_or_forced(node, arc - start, int(part.least[arc]))
            elif both[sku].any():
                site = int(np.argmax(both[sku]))
                sides = [a.arc_origin, a.arc_destination]
                if sent[sku, site] < received[sku, site]:
                    sides.reverse()
                ways = (node.closing(side[start:end] == site) for side in sides)
                children = [way for way in ways if not (way.closed & (way.forced > 0)).any()]
            elif sku in dear:
                children = _closed_or_forced(node, dear[sku] - start, 0)
            else:  # blocks wider than a pack are priced at its first, so a node without a fault may promise too much
                self._settled[sku] = min(self._settled[sku], float(bound[sku]))
                continue
            if children:
                self._below[sku] = (float(bound[sku]), children[-1])
            for child in children[:-1]:
                self._made += 1
                heapq.heappush(self._waiting[sku], (float(bound[sku]), -self._made, child))


def _root(arcs: int) -> _Node:
    none = np.zeros(arcs, dtype=np.bool_)
    return _Node(none, np.zeros(arcs, dtype=np.int64), none)


def _closed_or_forced(node: _Node, arc: int, least: int) -> list[_Node]:
    """The arc closed, or its line paid for and carrying at least so much."""
    one = np.arange(len(node.closed)) == arc
    forced = replace(node, forced=np.where(one, np.maximum(node.forced, least), node.forced), paid=node.paid | one)
    closed = [] if node.forced[arc] else [node.closing(one)]
    return [*closed, forced]


def _first(sku: IntArray, chosen: BoolArray, key: IntArray | FloatArray) -> dict[int, int]:
    """Of every SKU the chosen arc with the least key."""
    rows = np.flatnonzero(chosen)
    rows = rows[np.lexsort((rows, key[rows], sku[rows]))]
    firsts = rows[np.append(True, np.diff(sku[rows]) != 0)] if len(rows) else rows
    return dict(zip(sku[firsts].tolist(), firsts.tolist(), strict=True))


def rule_breakers(problem: Coupled, packs: IntArray) -> IntArray:
    """SKUs whose packs break a rule of their own: a line below its least quantity, or a site that does both."""
    a = problem.arrays
    small = a.arc_sku[(packs > 0) & (packs < problem.arc_least)]
    both = np.flatnonzero(((problem.sent(packs) > 0) & (problem.received(packs) > 0)).any(axis=1))
    return np.union1d(small, both).astype(np.int64)
