"""What a flow does not know about one SKU: least quantities, line charges, and that a site does not send what it receives.

Branch and bound on one SKU's flows. A line below its least quantity is either closed
or forced up to it; a site that does both either sends nothing or receives nothing; a
line that pays its charge in part is either closed or pays it whole. The flow of a node
is a lower bound on everything below it. Packs that are forced onto an arc use up the
first loss and gain blocks at its ends, because losses rise and gains fall, so a node
is again a plain flow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tools.planning.coupled import Coupled
from tools.planning.flow import BoolArray, FloatArray, FlowArrays, Flows, IntArray

NODES_MAX = 200
BETTER = 1e-7


@dataclass(frozen=True)
class SkuProblem:
    """One SKU on its own: arcs numbered as `rows` of the whole problem, most packs and least packs by arc."""

    arrays: FlowArrays
    rows: IntArray
    least: IntArray
    strong: IntArray
    line_cost: float

    @property
    def without_line_cost(self) -> SkuProblem:
        """The same with lines for nothing: they are charged for by the pack."""
        return replace(self, line_cost=0.0)

    @classmethod
    def of(cls, problem: Coupled, sku: int, most: IntArray, usable: BoolArray, extra: FloatArray) -> SkuProblem:
        """The SKU's part of a problem, with packs on an arc charged `extra`, on usable arcs up to `most`.

        `most`, `usable` and `extra` are by arc of the SKU, as `rows_of` lists them.
        """
        a = problem.arrays
        every = problem.rows_of(sku)
        kept = usable & (most >= np.maximum(problem.arc_least[every], 1))
        rows = np.arange(every.start, every.stop)[kept]
        none = np.zeros(len(rows), dtype=np.int64)
        senders, receivers = np.unique(a.arc_origin[rows]), np.unique(a.arc_destination[rows])
        send_site, send_loss = problem.losses.packs_at(sku, senders)
        receive_site, receive_gain = problem.gains.packs_at(sku, receivers)
        arrays = FlowArrays(
            skus=1, sites=a.sites, lanes=a.lanes,
            arc_sku=none, arc_origin=a.arc_origin[rows], arc_destination=a.arc_destination[rows],
            arc_lane=a.arc_lane[rows], arc_most=np.minimum(most[kept], a.arc_most[rows]),
            arc_cost=a.arc_cost[rows] + extra[kept],
            send_sku=np.zeros_like(send_site), send_site=send_site,
            send_packs=np.ones_like(send_site), send_loss=send_loss,
            receive_sku=np.zeros_like(receive_site), receive_site=receive_site,
            receive_packs=np.ones_like(receive_site), receive_gain=receive_gain,
        )  # fmt: skip
        return cls(arrays, rows, np.maximum(problem.arc_least[rows], 1), problem.worth_moving[rows], problem.line_cost)


@dataclass(frozen=True)
class _Node:
    """Which arcs are closed, how many packs each must carry at least, and which lines are paid for already."""

    closed: BoolArray
    forced: IntArray
    paid: BoolArray


def best_of_sku(sku: SkuProblem, nodes_max: int = NODES_MAX) -> tuple[IntArray, float]:
    """Packs by arc of the SKU that keep every rule, and a lower bound on what any such packs cost.

    With more than `nodes_max` nodes to look at, the best packs found by then, and the bound of what is left.
    """
    arcs = len(sku.rows)
    best, best_cost = np.zeros(arcs, dtype=np.int64), 0.0
    none = np.zeros(arcs, dtype=np.bool_)
    waiting = [(-np.inf, _Node(none, np.zeros(arcs, dtype=np.int64), none))]
    left_over: list[float] = []
    for _ in range(nodes_max):
        if not waiting:
            break
        above, node = waiting.pop()
        if above >= best_cost - BETTER:
            continue
        solved = _solved(sku, node)
        if solved is None or solved[1] >= best_cost - BETTER:
            continue
        packs, bound = solved
        for candidate in (packs, _kept(sku, packs)):
            cost = true_cost(sku, candidate)
            if cost < best_cost - BETTER and not _fault(sku, candidate):
                best, best_cost = candidate, cost
        waiting.extend((bound, child) for child in _children(sku, node, packs))
    left_over = [bound for bound, _ in waiting]
    return best, min([best_cost, *left_over])


def true_cost(sku: SkuProblem, packs: IntArray) -> float:
    """Freight less gains plus losses and line charges: c x - g r + l d + e w."""
    a = sku.arrays
    lines = sku.line_cost * float(np.count_nonzero(packs))
    sent = np.bincount(a.arc_origin, packs, a.sites).astype(np.int64)
    received = np.bincount(a.arc_destination, packs, a.sites).astype(np.int64)
    ends = _first_blocks(a.send_site, a.send_packs, a.send_loss, sent) - _first_blocks(
        a.receive_site, a.receive_packs, a.receive_gain, received
    )
    return float(packs @ a.arc_cost) + lines + ends


def _first_blocks(site: IntArray, width: IntArray, money: FloatArray, packs: IntArray) -> float:
    """The money of the first so many packs at every site."""
    used = np.clip(packs[site] - _before(site, width), 0, width)
    return float(used @ money)


def _before(site: IntArray, width: IntArray) -> IntArray:
    """How many packs of the same site come before each block; blocks of a site stand together in their order."""
    running = np.cumsum(width) - width
    starts = np.flatnonzero(np.append(True, site[1:] != site[:-1])) if len(site) else np.zeros(0, dtype=np.int64)
    lengths = np.diff(np.append(starts, len(site)))
    return np.asarray(running - np.repeat(running[starts], lengths), dtype=np.int64)


def _solved(sku: SkuProblem, node: _Node) -> tuple[IntArray, float] | None:
    """The packs of a node and its bound; None when its forced packs are not there."""
    a = sku.arrays
    sent = np.bincount(a.arc_origin, node.forced, a.sites).astype(np.int64)
    received = np.bincount(a.arc_destination, node.forced, a.sites).astype(np.int64)
    send_left = np.clip(
        a.send_packs - np.clip(sent[a.send_site] - _before(a.send_site, a.send_packs), 0, None), 0, None
    )
    receive_left = np.clip(
        a.receive_packs - np.clip(received[a.receive_site] - _before(a.receive_site, a.receive_packs), 0, None), 0, None
    )
    there = np.bincount(a.send_site, a.send_packs, a.sites), np.bincount(a.receive_site, a.receive_packs, a.sites)
    if (sent > there[0]).any() or (received > there[1]).any():
        return None
    open_arcs = ~node.closed
    charge = np.where(node.paid, 0.0, sku.line_cost / sku.strong)
    sends, receives = send_left > 0, receive_left > 0
    rest = FlowArrays(
        skus=1, sites=a.sites, lanes=a.lanes, arc_sku=a.arc_sku[open_arcs], arc_origin=a.arc_origin[open_arcs],
        arc_destination=a.arc_destination[open_arcs], arc_lane=a.arc_lane[open_arcs],
        arc_most=(a.arc_most - node.forced)[open_arcs], arc_cost=(a.arc_cost + charge)[open_arcs],
        send_sku=a.send_sku[sends], send_site=a.send_site[sends], send_packs=send_left[sends],
        send_loss=a.send_loss[sends], receive_sku=a.receive_sku[receives], receive_site=a.receive_site[receives],
        receive_packs=receive_left[receives], receive_gain=a.receive_gain[receives],
    )  # fmt: skip
    found = Flows(rest).solve()
    packs = node.forced.copy()
    packs[open_arcs] += found.packs
    fixed = true_cost(replace(sku, line_cost=0.0), node.forced) + sku.line_cost * float(node.paid.sum())
    return packs, fixed + float(found.priced[0])


def _kept(sku: SkuProblem, packs: IntArray) -> IntArray:
    """The packs without lines that are too small."""
    return np.where(packs >= sku.least, packs, 0)


def _fault(sku: SkuProblem, packs: IntArray) -> bool:
    """Whether a line is too small or a site sends what it receives."""
    return bool(((packs > 0) & (packs < sku.least)).any()) or len(_both(sku, packs)) > 0


def _both(sku: SkuProblem, packs: IntArray) -> IntArray:
    """Sites that send and receive."""
    a = sku.arrays
    return np.intersect1d(a.arc_origin[packs > 0], a.arc_destination[packs > 0])


def _children(sku: SkuProblem, node: _Node, packs: IntArray) -> list[_Node]:
    """The two ways out of the first fault, the more promising one last; none when the node is settled."""
    a = sku.arrays
    small = np.flatnonzero((packs > 0) & (packs < sku.least))
    if len(small):
        arc = int(small[np.argmin(packs[small])])
        forced, paid = node.forced.copy(), node.paid.copy()
        forced[arc], paid[arc] = sku.least[arc], True
        return [_closing(node, np.arange(len(packs)) == arc), replace(node, forced=forced, paid=paid)]
    both = _both(sku, packs)
    if len(both):
        site = both[0]
        ways = [_closing(node, side == site) for side in (a.arc_destination, a.arc_origin)]
        return [way for way in ways if not (way.closed & (way.forced > 0)).any()]
    unpaid = np.where(~node.paid & (packs > 0), sku.line_cost * (1 - packs / sku.strong), 0.0)
    if unpaid.max(initial=0.0) <= BETTER:
        return []
    arc = int(np.argmax(unpaid))
    paid = node.paid.copy()
    paid[arc] = True
    return [_closing(node, np.arange(len(packs)) == arc), replace(node, paid=paid)]


def _closing(node: _Node, arcs: BoolArray) -> _Node:
    return replace(node, closed=node.closed | arcs)


def rule_breakers(problem: Coupled, packs: IntArray) -> IntArray:
    """SKUs whose packs break a rule of their own: a line below its least quantity, or a site that does both."""
    a = problem.arrays
    small = a.arc_sku[(packs > 0) & (packs < problem.arc_least)]
    both = np.flatnonzero(((problem.sent(packs) > 0) & (problem.received(packs) > 0)).any(axis=1))
    return np.union1d(small, both).astype(np.int64)
