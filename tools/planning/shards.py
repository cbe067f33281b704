"""One network's problem in shards: groups of SKUs, and what a shard works out when it is asked.

SKUs meet only on lanes and in shared limits. Under given charges per arc, and on given
lanes, each of them is a flow of its own; so are trials of lanes and polishing
within an allotted room. A shard answers such orders from its own SKUs and the order
alone. It keeps nothing between them: whoever computes an answer, and how often, the
answer is the same, byte for byte.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace

import numpy as np

from tools.planning.coupled import SLACK, Coupled, Curves, SharedLimits
from tools.planning.flow import BoolArray, FloatArray, FlowArrays, Flows, IntArray
from tools.planning.repair import polished


@dataclass(frozen=True)
class Shard:
    """Some SKUs of a problem as a problem of their own, on all its sites, lanes and limits.

    `skus` and `arcs` say which of the whole problem's they are, in rising order.
    """

    skus: IntArray
    arcs: IntArray
    part: Coupled


@dataclass(frozen=True)
class FlowOrder:
    """Solve every SKU with `extra` money charged per pack, on the usable arcs alone. Both by arc of the shard."""

    extra: FloatArray
    usable: BoolArray


@dataclass(frozen=True)
class TrialOrder:
    """Flip lanes: first those in `accepted`, for good and all together, then each of `tried` by itself.

    `opened` are the lanes before, `packs` and `value` what the SKUs carried and were worth on them, charges included.
    """

    extra: FloatArray
    opened: BoolArray
    packs: IntArray
    value: FloatArray
    accepted: IntArray
    tried: IntArray


@dataclass(frozen=True)
class AllotOrder:
    """Solve SKUs once more, one after the other, within what the shard is allotted of lanes and limits.

    `room` is volume by lane and `left` the rest of each limit, both beyond what the packs use already;
    departures of open lanes are paid for.
    """

    packs: IntArray
    skus: IntArray
    opened: BoolArray
    room: FloatArray
    left: FloatArray


Order = FlowOrder | TrialOrder | AllotOrder


@dataclass(frozen=True)
class ShardAnswer:
    """Packs by arc; by SKU what they are worth and their part of the bound; by lane tried the change in money."""

    packs: IntArray
    value: FloatArray
    priced: FloatArray
    changes: FloatArray


def split(problem: Coupled, shards: int) -> tuple[Shard, ...]:
    """The problem dealt out to so many shards, fewer where there are not so many SKUs with an arc.

    The heaviest SKU goes to the lightest shard, ties to the first (Graham 1969, SIAM
    Journal on Applied Mathematics 17(2)): within a third of the most even deal there is.
    Raises ValueError for less than one shard.
    """
    if shards < 1:
        raise ValueError(f"a problem is dealt out to at least one shard, not {shards}")
    a = problem.arrays
    arcs = np.bincount(a.arc_sku, minlength=a.skus)
    weight = arcs + np.bincount(a.send_sku, minlength=a.skus) + np.bincount(a.receive_sku, minlength=a.skus)
    able = np.flatnonzero(arcs)
    loads = [(0, shard) for shard in range(max(min(shards, len(able)), 1))]
    dealt: list[list[int]] = [[] for _ in loads]
    for sku in able[np.argsort(-weight[able], kind="stable")].tolist():
        load, shard = heapq.heappop(loads)
        dealt[shard].append(sku)
        heapq.heappush(loads, (load + int(weight[sku]), shard))
    return tuple(_shard(problem, np.asarray(sorted(skus), dtype=np.int64)) for skus in dealt)


def _shard(problem: Coupled, skus: IntArray) -> Shard:
    a, limits = problem.arrays, problem.limits
    arcs, sends, receives = (np.flatnonzero(np.isin(of, skus)) for of in (a.arc_sku, a.send_sku, a.receive_sku))
    arrays = FlowArrays(
        skus=len(skus), sites=a.sites, lanes=a.lanes,
        arc_sku=np.searchsorted(skus, a.arc_sku[arcs]), arc_origin=a.arc_origin[arcs],
        arc_destination=a.arc_destination[arcs], arc_lane=a.arc_lane[arcs], arc_most=a.arc_most[arcs],
        arc_cost=a.arc_cost[arcs],
        send_sku=np.searchsorted(skus, a.send_sku[sends]), send_site=a.send_site[sends],
        send_packs=a.send_packs[sends], send_loss=a.send_loss[sends],
        receive_sku=np.searchsorted(skus, a.receive_sku[receives]), receive_site=a.receive_site[receives],
        receive_packs=a.receive_packs[receives], receive_gain=a.receive_gain[receives],
    )  # fmt: skip
    part = Coupled(
        arrays=arrays,
        gains=_curves_of(problem.gains, skus),
        losses=_curves_of(problem.losses, skus),
        lane_cost=problem.lane_cost,
        lane_capacity=problem.lane_capacity,
        arc_volume=problem.arc_volume[arcs],
        arc_least=problem.arc_least[arcs],
        line_cost=problem.line_cost,
        limits=SharedLimits(limits.per_pack[:, arcs], limits.per_line, limits.per_departure, limits.most),
    )
    return Shard(skus, arcs, part)


def _curves_of(curves: Curves, skus: IntArray) -> Curves:
    """The curves of some SKUs: each SKU's sites stand together."""
    packs = curves.packs[skus]
    lengths = (packs + 1).ravel()
    ends = np.cumsum(lengths)
    first = ends - lengths
    at = np.arange(int(lengths.sum())) + np.repeat(curves.first[skus].ravel() - first, lengths)
    return Curves(first.reshape(packs.shape), packs, curves.total[at])


def shard_round(part: Coupled, flows: Flows, order: Order) -> ShardAnswer:
    """The answer to an order; `flows` are those of the part's arrays."""
    if isinstance(order, FlowOrder):
        found = flows.solve(extra=order.extra, usable=order.usable)
        return ShardAnswer(found.packs, found.value, found.priced, np.zeros(0))
    if isinstance(order, TrialOrder):
        return _tried(part, flows, order)
    none = np.zeros(0)
    return ShardAnswer(_polished(part, order), none, none, none)


def _tried(part: Coupled, flows: Flows, order: TrialOrder) -> ShardAnswer:
    """Packs and values after the accepted flips, and by how much each tried lane would change the sum of the values."""
    a = part.arrays
    opened, packs, value = order.opened.copy(), order.packs.copy(), order.value.copy()
    opened[order.accepted] = ~opened[order.accepted]
    if len(order.accepted):
        skus = np.unique(a.arc_sku[np.isin(a.arc_lane, order.accepted)])
        rows = np.isin(a.arc_sku, skus)
        packs[rows], value[skus] = _flows_on(part, flows, opened, order.extra, skus, rows)
    changes = np.zeros(len(order.tried))
    for number, lane in enumerate(order.tried.tolist()):
        skus = np.unique(a.arc_sku[a.arc_lane == lane])
        if not len(skus):
            continue
        opened[lane] = not opened[lane]
        after = _flows_on(part, flows, opened, order.extra, skus, np.isin(a.arc_sku, skus))[1]
        opened[lane] = not opened[lane]
        changes[number] = float((after - value[skus]).sum())
    return ShardAnswer(packs, value, np.zeros(0), changes)


def _flows_on(
    part: Coupled, flows: Flows, opened: BoolArray, extra: FloatArray, skus: IntArray, rows: BoolArray
) -> tuple[IntArray, FloatArray]:
    """Packs on the rows of some SKUs, and by SKU what they are worth, charges included."""
    a = part.arrays
    found = flows.solve(extra=extra, usable=opened[a.arc_lane], skus=skus)
    charged = np.bincount(a.arc_sku[rows], extra[rows] * found.packs[rows], a.skus)
    return found.packs[rows], (found.value + charged)[skus]


def _polished(part: Coupled, order: AllotOrder) -> IntArray:
    """The SKUs polished as if the shard were alone in the room that its packs take up and the room allotted to it."""
    departures = type(part.limits.per_departure)(part.limits.per_departure.shape)
    limits = replace(part.limits, per_departure=departures)
    # A departure of an open lane costs this shard nothing, so that the lane counts as in use whoever fills it.
    mine = replace(part, lane_cost=np.where(order.opened, 0.0, 1.0), limits=limits)
    most = mine.usage(order.packs) + order.left
    mine = replace(
        mine,
        lane_capacity=mine.volume(order.packs) + order.room,
        limits=replace(limits, most=np.maximum(most - SLACK * np.abs(most), 0.0)),
    )
    return polished(mine, order.packs, order.skus)
