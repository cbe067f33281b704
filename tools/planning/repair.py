"""From packs that overload what SKUs share to a plan that fits: packs are taken out, then others put in.

Taking out alone leaves trucks half empty: a pack dropped from one lane frees room that
another SKU can use. So after dropping the packs worth least for the room they take, the
room that is left is filled with the packs worth most for it, one by one.
"""

from __future__ import annotations

import heapq

import numpy as np
from scipy import sparse

from tools.planning.coupled import SLACK, Coupled
from tools.planning.flow import BoolArray, FloatArray, IntArray
from tools.planning.sku_rules import SkuProblems, best_of_skus

NODES = 8
"""Nodes of branch and bound for a SKU that is solved again in the room left."""
SHARE_DROPPED = 8
"""Of a line on an overloaded lane an eighth is taken at a time, at least one pack."""


def repaired(problem: Coupled, packs: IntArray, price: FloatArray, line_price: float) -> IntArray:
    """Packs that keep every capacity and shared limit, made from `packs` by dropping and inserting.

    `price` is what a pack on each arc uses of capacities and limits, in money at their prices;
    `line_price` what a line costs at them. Lanes that carry nothing are not opened for an insertion.
    """
    fitting = dropped(problem, packs)
    return inserted(problem, fitting, (price, line_price), problem.used(fitting) | (problem.lane_cost <= 0))


def dropped(problem: Coupled, packs: IntArray) -> IntArray:
    """The packs without those worth least for what they use, until everything fits."""
    packs = packs.copy()
    while _drop_from_lanes(problem, packs):
        pass
    for row in range(len(problem.limits.most)):
        while _drop_from_limit(problem, packs, row):
            pass
    return packs


def _bites(problem: Coupled, packs: IntArray, used: IntArray) -> IntArray:
    """How many packs of each line go at a time: a part of it, or all where too few would stay."""
    bite = np.maximum(packs[used] // SHARE_DROPPED, 1)
    return np.where(packs[used] - bite < problem.arc_least[used], packs[used], bite)


def _drop_from_lanes(problem: Coupled, packs: IntArray) -> bool:
    """One pass over all lanes at once: from each overloaded one the least dense packs that make up its excess."""
    a = problem.arrays
    excess = problem.volume(packs) - problem.lane_capacity
    over = excess > SLACK * np.where(np.isfinite(problem.lane_capacity), problem.lane_capacity, 0.0)
    used = np.flatnonzero((packs > 0) & over[a.arc_lane])
    if not len(used):
        return False
    volume = problem.arc_volume[used]
    bite = _bites(problem, packs, used)
    density = problem.taken_worth(packs, used, bite) / np.maximum(bite * volume, 1e-12)
    order = np.lexsort((used, density, a.arc_lane[used]))
    used, volume, lane, bite = used[order], volume[order], a.arc_lane[used[order]], bite[order]
    running = np.cumsum(bite * volume)
    starts = np.flatnonzero(np.append(True, lane[1:] != lane[:-1]))
    before = running - bite * volume
    before -= np.repeat(before[starts], np.diff(np.append(starts, len(lane))))
    taken = before < excess[lane]
    packs[used[taken]] -= bite[taken]
    return True


def _drop_from_limit(problem: Coupled, packs: IntArray, row: int) -> bool:
    """One pass over one shared limit: packs, lines and departures that use it, those worth least for it first."""
    a, limits = problem.arrays, problem.limits
    excess = float(problem.usage(packs)[row] - limits.most[row])
    if excess <= SLACK * abs(limits.most[row]):
        return False
    weight = np.zeros(len(packs))
    start, end = limits.per_pack.indptr[row : row + 2]
    weight[limits.per_pack.indices[start:end]] = limits.per_pack.data[start:end]
    departure = limits.per_departure[[row], :].toarray()[0] if limits.per_departure.nnz else np.zeros(a.lanes)
    lines_on = np.bincount(a.arc_lane[packs > 0], minlength=a.lanes)
    whole = limits.per_line[row] + departure[a.arc_lane] / np.maximum(lines_on, 1)[a.arc_lane]
    used = np.flatnonzero((packs > 0) & ((weight > 0) | (whole > 0)))
    bite = np.where(weight[used] > 0, _bites(problem, packs, used), packs[used])
    freed = bite * weight[used] + whole[used] * (bite == packs[used])
    density = problem.taken_worth(packs, used, bite) / np.maximum(freed, 1e-12)
    order = np.lexsort((used, density))
    before = np.cumsum(freed[order]) - freed[order]
    taken = order[before < excess]
    packs[used[taken]] -= bite[taken]
    return len(taken) > 0


def inserted(problem: Coupled, packs: IntArray, price: tuple[FloatArray, float], lanes: BoolArray) -> IntArray:
    """The packs and every further one that pays and fits, those first that earn most for the room they take."""
    return _Filling(problem, packs, price, lanes).filled()


def with_new_departures(
    problem: Coupled, packs: IntArray, price: tuple[FloatArray, float], trials_max: int
) -> IntArray:
    """The packs and every further departure that pays once it is filled, the most promising first."""
    best, objective = packs, problem.objective(packs)
    a, limits = problem.arrays, problem.limits
    if (limits.most - problem.usage(packs) < limits.per_line).any():
        return best
    for lane in _promising(problem, packs)[:trials_max].tolist():
        only = np.zeros(a.lanes, dtype=np.bool_)
        only[lane] = True
        filled = _Filling(problem, best, price, only, opening=True).filled()
        worth = problem.objective(filled)
        if worth < objective - 1e-9 and problem.fits(filled):
            best, objective = filled, worth
    return best


def _promising(problem: Coupled, packs: IntArray) -> IntArray:
    """Closed lanes on which the first packs alone would earn a good part of the departure, the best first."""
    a = problem.arrays
    sent, received = problem.sent(packs), problem.received(packs)
    rows = np.flatnonzero(~problem.used(packs)[a.arc_lane])
    sku, i, j = a.arc_sku[rows], a.arc_origin[rows], a.arc_destination[rows]
    gain = problem.gains.step(sku, j, received[sku, j] + 1)
    loss = problem.losses.step(sku, i, sent[sku, i] + 1)
    earned = np.nan_to_num(gain - loss - a.arc_cost[rows], nan=0.0)
    free = (sent[sku, j] == 0) & (received[sku, i] == 0)
    # Two packs a line is a fair guess of what would follow the first.
    worth = 2 * np.bincount(a.arc_lane[rows], np.where(free, np.maximum(earned, 0.0), 0.0), a.lanes) - problem.lane_cost
    lanes = np.flatnonzero(worth > 0)
    return lanes[np.argsort(-worth[lanes], kind="stable")]


class _Filling:
    """Insertion, pack by pack, with what is left of every capacity and limit kept up to date.

    Everything is in plain lists: single elements of them are read several times faster than those of arrays.
    """

    def __init__(
        self,
        problem: Coupled,
        packs: IntArray,
        prices: tuple[FloatArray, float],
        lanes: BoolArray,
        *,
        opening: bool = False,
    ) -> None:
        a, limits = problem.arrays, problem.limits
        price, self._line_price = prices
        open_lanes = lanes if opening or not limits.per_departure.nnz else lanes & problem.used(packs)
        sent, received = problem.sent(packs), problem.received(packs)
        rows = np.flatnonzero(open_lanes[a.arc_lane] & (packs < a.arc_most))
        sku, i, j = a.arc_sku[rows], a.arc_origin[rows], a.arc_destination[rows]
        gain = problem.gains.step(sku, j, received[sku, j] + 1)
        loss = problem.losses.step(sku, i, sent[sku, i] + 1)
        with np.errstate(invalid="ignore"):
            rows = rows[gain - loss - a.arc_cost[rows] > 1e-9]
        self._all, self._rows = packs.copy(), rows
        sku, i, j = a.arc_sku[rows], a.arc_origin[rows], a.arc_destination[rows]
        self._from, self._to = (sku * a.sites + i).tolist(), (sku * a.sites + j).tolist()
        self._lane, self._volume = a.arc_lane[rows].tolist(), problem.arc_volume[rows].tolist()
        self._cost, self._price = a.arc_cost[rows].tolist(), price[rows].tolist()
        self._packs, self._most = packs[rows].tolist(), a.arc_most[rows].tolist()
        self._least = np.maximum(problem.arc_least[rows], 1).tolist()
        self._sent, self._received = sent.ravel().tolist(), received.ravel().tolist()
        self._gain, self._loss = problem.gains.steps, problem.losses.steps
        self._line_cost = problem.line_cost
        self._room = (problem.lane_capacity * (1 + SLACK) - problem.volume(packs)).tolist()
        self._left = (limits.most + SLACK * np.abs(limits.most) - problem.usage(packs)).tolist()
        columns = limits.per_pack.tocsc()[:, rows]
        self._starts, self._limits = columns.indptr.tolist(), columns.indices.tolist()
        self._weights = columns.data.tolist()
        self._per_line = {row: float(use) for row, use in enumerate(limits.per_line) if use > 0}

    def filled(self) -> IntArray:
        """Fill until nothing fits that pays. Ties go to the earlier arc."""
        heap = [(-rank, arc) for arc in range(len(self._packs)) if (rank := self._rank(arc)) is not None]
        heapq.heapify(heap)
        while heap:
            minus_rank, arc = heapq.heappop(heap)
            rank = self._rank(arc)
            if rank is None:
                continue
            if -rank > minus_rank + 1e-12:
                heapq.heappush(heap, (-rank, arc))
                continue
            count = 1 if self._packs[arc] else self._least[arc]
            if self._fits(arc, count):
                self._add(arc, count)
                heapq.heappush(heap, (-rank, arc))
        self._all[self._rows] = self._packs
        return self._all

    def _rank(self, arc: int) -> float | None:
        """What the next portion earns beyond the price of the room it takes; None when it does not pay at all.

        A portion is one pack, or the least quantity of a new line.
        """
        i, j, packs = self._from[arc], self._to[arc], self._packs[arc]
        count = 1 if packs else self._least[arc]
        if packs + count > self._most[arc] or self._sent[j] or self._received[i]:
            return None
        gain, loss = self._gain.next(j, self._received[j], count), self._loss.next(i, self._sent[i], count)
        if gain is None or loss is None:
            return None
        earned = gain - loss - count * self._cost[arc] - (0.0 if packs else self._line_cost)
        if earned <= 1e-9:
            return None
        rank: float = earned - count * self._price[arc] - (0.0 if packs else self._line_price - self._line_cost)
        return rank

    def _fits(self, arc: int, count: int) -> bool:
        """Whether so many packs, with the line that they open, find room everywhere."""
        if count * self._volume[arc] > self._room[self._lane[arc]]:
            return False
        opened = {} if self._packs[arc] else self._per_line
        if any(self._left[row] < use for row, use in opened.items()):
            return False
        return all(
            count * self._weights[n] + opened.get(self._limits[n], 0.0) <= self._left[self._limits[n]]
            for n in range(self._starts[arc], self._starts[arc + 1])
        )

    def _add(self, arc: int, count: int) -> None:
        if not self._packs[arc]:
            for row, use in self._per_line.items():
                self._left[row] -= use
        for n in range(self._starts[arc], self._starts[arc + 1]):
            self._left[self._limits[n]] -= count * self._weights[n]
        self._room[self._lane[arc]] -= count * self._volume[arc]
        self._packs[arc] += count
        self._sent[self._from[arc]] += count
        self._received[self._to[arc]] += count


def polished(problem: Coupled, packs: IntArray, skus: IntArray) -> IntArray:
    """Each of the SKUs solved again, one after the other, in the room that the others leave on the lanes in use.

    The rules of a SKU (least quantities, no site that does both) hold for those solved.
    """
    a = problem.arrays
    packs = packs.copy()
    lanes = problem.used(packs) | (problem.lane_cost <= 0)
    room = problem.lane_capacity * (1 + SLACK) - problem.volume(packs)
    left = problem.limits.most + SLACK * np.abs(problem.limits.most) - problem.usage(packs)
    charge = line_charge(problem, packs, problem.line_cost)
    for sku in skus.tolist():
        rows = problem.rows_of(sku)
        mine, lane, volume = packs[rows], a.arc_lane[rows], problem.arc_volume[rows]
        weights = problem.weights_of(sku)
        own_room = room + np.bincount(lane, mine * volume, a.lanes)
        own_left = left + weights @ mine + problem.limits.per_line * np.count_nonzero(mine)
        most = _most_within(a.arc_most[rows], own_room[lane], volume, own_left, weights)
        one, free = np.asarray([sku]), np.zeros(len(mine))
        part = SkuProblems.of(problem, one, charge[rows], most=most, usable=lanes[lane], line_charge=free)
        found = np.zeros_like(mine)
        found[part.rows - rows.start] = best_of_skus(part, NODES)[0]
        room_after = own_room - np.bincount(lane, found * volume, a.lanes)
        left_after = own_left - weights @ found - problem.limits.per_line * np.count_nonzero(found)
        fits = (room_after >= 0).all() and (left_after >= 0).all()
        if fits and problem.cost_of(sku, found) < problem.cost_of(sku, mine) - 1e-9:
            packs[rows], room, left = found, room_after, left_after
    return packs


def line_charge(problem: Coupled, packs: IntArray, line_cost: float) -> FloatArray:
    """A line's cost per pack: over the packs it carries, or over those that an unused one would carry if it paid fully."""
    charge: FloatArray = line_cost / np.where(packs > 0, packs, problem.worth_moving)
    return charge


def _most_within(
    most: IntArray, room: FloatArray, volume: FloatArray, left: FloatArray, weights: sparse.csc_array
) -> IntArray:
    """The most packs that each arc alone may carry in the room left."""
    with np.errstate(divide="ignore", invalid="ignore"):
        fitting = np.where(volume > 0, np.floor(room / volume), np.inf)
        entries = weights.tocoo()
        np.minimum.at(fitting, entries.col, np.floor(np.maximum(left[entries.row], 0.0) / entries.data))
    fits: IntArray = np.minimum(most, np.clip(fitting, 0, 2**31)).astype(np.int64)
    return fits
