"""What SKUs share: departures with a fixed cost and a capacity, lines with a charge, and limits on sums.

    min   sum over SKUs of (c x - gains + losses)  +  sum e w  +  sum f z
    s.t.  volume on a lane <= V z,   x <= M w,   x >= least w,   w <= z
          a x + b w + d z <= C       for every shared limit (handling, storage, totals, budget)
          a site does not send and receive the same SKU

x are packs by arc, w says that the line is used, z that the lane's departure is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from tools.planning.flow import BoolArray, FloatArray, FlowArrays, IntArray, packs_before


class Steps:
    """The money of the next packs at a site-SKU, read from cumulative curves as plain lists."""

    def __init__(self, curves: Curves) -> None:
        self._first, self._packs = curves.first.ravel().tolist(), curves.packs.ravel().tolist()
        self._total = curves.total.tolist()

    def next(self, place: int, had: int, count: int) -> float | None:
        """What `count` packs after the first `had` come to, or None where there are not so many."""
        if had + count > self._packs[place]:
            return None
        at = self._first[place] + had
        money: float = self._total[at + count] - self._total[at]
        return money


@dataclass(frozen=True)
class Curves:
    """Cumulative gains (or losses) by pack for every SKU and site, end to end in one array.

    `total[first + n]` is the money of the first n packs; `packs` is how many there are.
    `first` and `packs` have the shape (SKUs, sites); a site-SKU without packs has one 0.
    """

    first: IntArray
    packs: IntArray
    total: FloatArray

    @classmethod
    def of(cls, skus: int, sites: int, sku: IntArray, site: IntArray, money: FloatArray) -> Curves:
        """From one row per pack, the packs of a SKU and site in their order."""
        place = sku * sites + site
        order = np.argsort(place, kind="stable")
        packs = np.bincount(place, minlength=skus * sites)
        first = np.concatenate(([0], np.cumsum(packs + 1)))[:-1]
        running = np.concatenate(([0.0], np.cumsum(money[order])))
        ends = np.cumsum(packs)
        within = np.arange(len(order) + skus * sites) - np.repeat(first, packs + 1)
        start = np.repeat(ends - packs, packs + 1)
        return cls(first.reshape(skus, sites), packs.reshape(skus, sites), running[start + within] - running[start])

    @cached_property
    def steps(self) -> Steps:
        """The curves pack by pack, laid out once for all who fill."""
        return Steps(self)

    def at(self, packs: IntArray) -> FloatArray:
        """The money of so many packs, by SKU and site."""
        money: FloatArray = self.total[self.first + packs]
        return money

    def of_skus(self, skus: IntArray) -> Curves:
        """The curves of these SKUs, numbered anew."""
        starts, ends = self.first[skus, 0], self.first[skus, -1] + self.packs[skus, -1] + 1
        moved = starts - np.concatenate(([0], np.cumsum(ends - starts)[:-1]))
        total = np.concatenate([self.total[start:end] for start, end in zip(starts, ends, strict=True)])
        return Curves(self.first[skus] - moved[:, None], self.packs[skus], total)

    def packs_at(self, sku: IntArray, site: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        """SKU, site and money of every single pack at these places."""
        first, packs = self.first[sku, site], self.packs[sku, site]
        each = np.repeat(np.arange(len(packs)), packs)
        at = np.arange(len(each)) - (np.cumsum(packs) - packs)[each] + first[each]
        return sku[each], site[each], self.total[at + 1] - self.total[at]

    def step(self, sku: IntArray, site: IntArray, n: IntArray) -> FloatArray:
        """The money of the n-th pack (from 1) at each of the places; NaN where there is no such pack."""
        at = self.first[sku, site] + np.minimum(n, self.packs[sku, site])
        money = self.total[at] - self.total[np.maximum(at - 1, 0)]
        return np.where((n >= 1) & (n <= self.packs[sku, site]), money, np.nan)


@dataclass(frozen=True)
class SharedLimits:
    """Rows a x + b w + d z <= most. `per_pack` has the shape (limits, arcs), `per_departure` (limits, lanes)."""

    per_pack: sparse.csr_array
    per_line: FloatArray
    per_departure: sparse.csr_array
    most: FloatArray

    @classmethod
    def none(cls, arcs: int, lanes: int) -> SharedLimits:
        """No limit at all."""
        return cls(sparse.csr_array((0, arcs)), np.zeros(0), sparse.csr_array((0, lanes)), np.zeros(0))


@dataclass(frozen=True)
class Load:
    """Volume and lines by lane, and what is used of every shared limit by packs alone."""

    volume: FloatArray
    lines: IntArray
    used: FloatArray

    def minus(self, other: Load) -> Load:
        """This load without that one."""
        return Load(self.volume - other.volume, self.lines - other.lines, self.used - other.used)

    def plus(self, other: Load) -> Load:
        """Both loads together."""
        return Load(self.volume + other.volume, self.lines + other.lines, self.used + other.used)


@dataclass(frozen=True)
class Coupled:
    """The SKUs' transport problems and what couples them. Arrays by arc or by lane; infinite capacity is no capacity."""

    arrays: FlowArrays
    gains: Curves
    losses: Curves
    lane_cost: FloatArray
    lane_capacity: FloatArray
    arc_volume: FloatArray
    arc_least: IntArray
    line_cost: float
    limits: SharedLimits

    @cached_property
    def worth_moving(self) -> IntArray:
        """The most packs that could ever pay on an arc without any charge."""
        return self.worth_moving_at(np.zeros(len(self.arc_volume)))

    def worth_moving_at(self, charge: FloatArray) -> IntArray:
        """The most packs that could ever pay on an arc when each is charged so much: at least 1 and the least quantity.

        The n-th pack of an arc gains at most the n-th gain of its receiver and costs at
        least the n-th loss of its donor, whatever else moves; both only get worse with n.
        So this is a valid M of the strong links x <= M w for the problem under the charge.
        """
        every = np.arange(len(charge))
        return np.maximum(np.maximum(self._paying(every, charge), self.arc_least), 1)

    def _paying(self, arcs: IntArray, charge: FloatArray) -> IntArray:
        """How many packs of each arc would pay if nothing else moved: found by halving, as margins fall with every pack."""
        a = self.arrays
        sku, i, j = a.arc_sku[arcs], a.arc_origin[arcs], a.arc_destination[arcs]
        cost = a.arc_cost[arcs] + charge
        low = np.zeros(len(arcs), dtype=np.int64)
        high = np.minimum(np.minimum(self.losses.packs[sku, i], self.gains.packs[sku, j]), a.arc_most[arcs])
        while (low < high).any():
            n = (low + high + 1) // 2
            pays = (self.gains.step(sku, j, n) - self.losses.step(sku, i, n) > cost) & (low < high)
            low, high = np.where(pays, n, low), np.where(pays | (low >= high), high, n - 1)
        return low

    def useless_at(self, charge: FloatArray) -> BoolArray:
        """Arcs whose least quantity cannot pay at this charge, even if nothing else moved.

        The worth of a line alone falls beyond the packs that pay, so it is greatest there,
        or at the least quantity. Beside other lines it is worth less still, so that leaving
        such an arc out loses nothing.
        """
        found = np.zeros(len(charge), dtype=np.bool_)
        arcs = np.flatnonzero(self.arc_least > 1)
        if len(arcs):
            a = self.arrays
            sku, i, j = a.arc_sku[arcs], a.arc_origin[arcs], a.arc_destination[arcs]
            n = np.maximum(self._paying(arcs, charge[arcs]), self.arc_least[arcs])
            there = (n <= self.losses.packs[sku, i]) & (n <= self.gains.packs[sku, j])
            n = np.where(there, n, 0)
            gain = self.gains.total[self.gains.first[sku, j] + n]
            worth = gain - self.losses.total[self.losses.first[sku, i] + n] - n * (a.arc_cost[arcs] + charge[arcs])
            found[arcs] = ~there | (worth <= 0)
        return found

    @cached_property
    def levelled(self) -> FlowArrays:
        """The arrays as flows should see them: what a site must take (or give) at least, it is paid for at its mean.

        All lines into a site bring nothing or at least the smallest of their least quantities,
        and so with all lines out of it. On nothing and every such quantity the levelled
        money is that of the curve and nowhere does it fall below, so that flows still bound every plan, and closely.
        """
        return levelled(self.arrays, self.gains, self.losses, self.arc_least)

    @cached_property
    def couples(self) -> bool:
        """Whether any two SKUs share anything."""
        return bool(self.lane_cost.any() or np.isfinite(self.lane_capacity).any() or len(self.limits.most))

    def load(self, packs: IntArray) -> Load:
        """What packs use of everything shared."""
        a = self.arrays
        lines = np.bincount(a.arc_lane[packs > 0], minlength=a.lanes)
        return Load(self.volume(packs), lines, self.limits.per_pack @ packs.astype(np.float64))

    def load_of(self, sku: int, packs: IntArray) -> Load:
        """What one SKU's packs, on its own arcs, use of everything shared."""
        a, rows = self.arrays, self.rows_of(sku)
        lanes = a.arc_lane[rows]
        volume = np.bincount(lanes, packs * self.arc_volume[rows], a.lanes).astype(np.float64)
        used: FloatArray = self.weights_of(sku) @ packs.astype(np.float64)
        return Load(volume, np.bincount(lanes[packs > 0], minlength=a.lanes), used)

    def part(self, skus: IntArray, others: Load) -> Coupled:
        """The problem of these SKUs (sorted, numbered anew) beside the load of all others.

        What the others use of capacities and limits is gone, and departures that they use are paid for.
        """
        rows = np.concatenate([np.arange(self.rows_of(sku).start, self.rows_of(sku).stop) for sku in skus.tolist()])
        limits, used = self.limits, others.lines > 0
        usage = others.used + limits.per_line * others.lines.sum() + limits.per_departure @ used.astype(np.float64)
        per_lane = limits.per_departure.multiply(~used[None, :]) if limits.per_departure.nnz else limits.per_departure
        return Coupled(
            arrays=self.arrays.of_skus(skus, rows),
            gains=self.gains.of_skus(skus),
            losses=self.losses.of_skus(skus),
            lane_cost=np.where(used, 0.0, self.lane_cost),
            lane_capacity=np.maximum(self.lane_capacity - others.volume, 0.0),
            arc_volume=self.arc_volume[rows],
            arc_least=self.arc_least[rows],
            line_cost=self.line_cost,
            limits=SharedLimits(
                sparse.csr_array(self._by_arc[:, rows]),
                limits.per_line,
                sparse.csr_array(per_lane),
                np.maximum(limits.most - usage, 0.0),
            ),
        )

    @cached_property
    def _first_row(self) -> IntArray:
        return np.searchsorted(self.arrays.arc_sku, np.arange(self.arrays.skus + 1)).astype(np.int64)

    def rows_of(self, sku: int) -> slice:
        """The arcs of a SKU: they stand together."""
        return slice(int(self._first_row[sku]), int(self._first_row[sku + 1]))

    @cached_property
    def _by_arc(self) -> sparse.csc_array:
        return self.limits.per_pack.tocsc()

    def weights_of(self, sku: int) -> sparse.csc_array:
        """What a pack on each arc of a SKU uses of the shared limits."""
        rows = self.rows_of(sku)
        return self._by_arc[:, rows.start : rows.stop]

    def sent(self, packs: IntArray) -> IntArray:
        """Packs sent, by SKU and site."""
        return self.arrays.sent(packs)

    def received(self, packs: IntArray) -> IntArray:
        """Packs received, by SKU and site."""
        return self.arrays.received(packs)

    def line_price(self, prices: FloatArray) -> float:
        """What a line costs at these prices of the shared limits: its charge, and its part of limits on lines."""
        return self.line_cost + float(self.limits.per_line @ prices)

    def taken_worth(self, packs: IntArray, arcs: IntArray, count: IntArray) -> FloatArray:
        """What each of the arcs would lose if so many of its packs did not move, all others staying."""
        a = self.arrays
        sku, i, j = a.arc_sku[arcs], a.arc_origin[arcs], a.arc_destination[arcs]
        got, gone = self.received(packs)[sku, j], self.sent(packs)[sku, i]
        into, out = self.gains.first[sku, j] + got, self.losses.first[sku, i] + gone
        gain = self.gains.total[into] - self.gains.total[into - count]
        loss = self.losses.total[out] - self.losses.total[out - count]
        worth: FloatArray = gain - loss - count * a.arc_cost[arcs]
        return worth

    def sku_cost(self, packs: IntArray) -> FloatArray:
        """Freight less gains plus losses and line charges, c x - g r + l d + e w, by SKU."""
        a = self.arrays
        money = packs * a.arc_cost + self.line_cost * (packs > 0)
        ends = self.losses.at(self.sent(packs)) - self.gains.at(self.received(packs))
        cost: FloatArray = np.bincount(a.arc_sku, money, a.skus) + ends.sum(axis=1)
        return cost

    def cost_of(self, sku: int, packs: IntArray) -> float:
        """The same for one SKU, from the packs on its own arcs."""
        a, rows = self.arrays, self.rows_of(sku)
        sent = np.rint(np.bincount(a.arc_origin[rows], packs, a.sites)).astype(np.int64)
        received = np.rint(np.bincount(a.arc_destination[rows], packs, a.sites)).astype(np.int64)
        ends = self.losses.total[self.losses.first[sku] + sent] - self.gains.total[self.gains.first[sku] + received]
        return float(packs @ a.arc_cost[rows] + self.line_cost * np.count_nonzero(packs) + ends.sum())

    def used(self, packs: IntArray) -> BoolArray:
        """Which lanes carry something."""
        found = np.zeros(self.arrays.lanes, dtype=np.bool_)
        found[self.arrays.arc_lane[packs > 0]] = True
        return found

    def objective(self, packs: IntArray) -> float:
        """The whole objective: change against moving nothing."""
        return float(self.sku_cost(packs).sum() + self.lane_cost[self.used(packs)].sum())

    def volume(self, packs: IntArray) -> FloatArray:
        """Volume by lane."""
        loads: FloatArray = packs * self.arc_volume
        return np.bincount(self.arrays.arc_lane, loads, self.arrays.lanes).astype(np.float64)

    def usage(self, packs: IntArray) -> FloatArray:
        """What the packs use of every shared limit."""
        lines = float(np.count_nonzero(packs))
        used: FloatArray = (
            self.limits.per_pack @ packs.astype(np.float64)
            + self.limits.per_line * lines
            + self.limits.per_departure @ self.used(packs).astype(np.float64)
        )
        return used

    def excess(self, packs: IntArray) -> float:
        """How many times what it admits the packs use of a total, a limit that all lines share; 0 without one."""
        limits, every = self.limits, len(self.arrays.arc_sku)
        total = (limits.per_line > 0) | (np.diff(limits.per_pack.indptr) == every)
        return float((self.usage(packs) / np.maximum(limits.most, 1e-9))[total].max(initial=0.0))

    def fits(self, packs: IntArray) -> bool:
        """Whether every capacity and shared limit holds."""
        full = self.lane_capacity * (1 + SLACK)
        return bool(
            (self.volume(packs) <= full).all()
            and (self.usage(packs) <= self.limits.most + SLACK * np.abs(self.limits.most)).all()
        )


def levelled(a: FlowArrays, gains: Curves, losses: Curves, arc_least: IntArray) -> FlowArrays:
    """As `Coupled.levelled`, for any blocks of these curves."""
    if not (arc_least > 1).any():
        return a
    receive_packs, receive_gain = _level(
        a, (a.receive_sku, a.receive_site), (a.receive_packs, a.receive_gain), gains, (a.arc_destination, arc_least)
    )
    send_packs, send_loss = _level(
        a, (a.send_sku, a.send_site), (a.send_packs, a.send_loss), losses, (a.arc_origin, arc_least)
    )
    return replace(
        a, receive_packs=receive_packs, receive_gain=receive_gain, send_packs=send_packs, send_loss=send_loss
    )


def _level(
    a: FlowArrays,
    place: tuple[IntArray, IntArray],
    blocks: tuple[IntArray, FloatArray],
    curves: Curves,
    lines: tuple[IntArray, IntArray],
) -> tuple[IntArray, FloatArray]:
    """Blocks with the first packs, up to the least that must move, at their mean; none where so many are not there."""
    (packs, money), (end, arc_least) = blocks, lines
    least = np.full((a.skus, a.sites), np.iinfo(np.int64).max)
    np.minimum.at(least, (a.arc_sku, end), np.maximum(arc_least, 1))
    least = np.where(least == np.iinfo(np.int64).max, 1, least)
    there = least <= curves.packs
    mean = curves.at(np.where(there, least, 0)) / least
    first = packs_before(place[0] * a.sites + place[1], packs) < least[place]
    return np.where(there[place], packs, 0), np.where(first, np.where(there, mean, 0.0)[place], money)


SLACK = 1e-12
"""Sums of floats may exceed a limit by this share of it; the evaluator counts again in whole numbers."""
