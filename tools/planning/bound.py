"""A lower bound on every plan, from prices on what SKUs share, and the prices themselves.

Charge every shared limit at a price, every lane's volume at a price, and spread what
remains of a lane's fixed cost over its arcs. With nonnegative prices the SKUs fall
apart into flows, and

    L = sum F_k(priced costs)  -  sum price C  +  sum over lanes min(0, f - price V)

is below the cost of every feasible plan, whether the prices have converged or not
(Fisher 1981, Management Science 27(1), section 2; Geoffrion 1974, Mathematical
Programming Study 2). Lines and fixed costs enter through x <= M w and x <= M z, the
strong links, so that the best such bound is that of the linear relaxation with them.

Prices follow the volume algorithm's smoothed subgradients (Barahona and Anbil 2000,
Mathematical Programming 87) with Polyak's step. All prices are kept in money: a limit's
price times the limit, a lane's volume price times its capacity, a share of its fixed cost.
The three kinds move at paces of their own: a few limits among a hundred thousand shares
would hardly move by a common step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tools.planning.coupled import Coupled
from tools.planning.flow import FloatArray, FlowResult, Flows, IntArray
from tools.planning.sku_rules import SkuProblems, best_of_skus

STEPS = (2.0, 0.2)
"""Polyak's factor falls geometrically between these, so that a short run converges too."""
STEPS_WITH_LIMITS = (1.5, 0.03)
"""The same where capacities or limits are priced: their prices must settle, and long last steps keep them swinging."""
SMOOTHING = 0.6


@dataclass(frozen=True)
class Prices:
    """Money per unit of each shared limit and per volume on each lane; each arc's share of its lane's fixed cost."""

    limit: FloatArray
    lane: FloatArray
    share: FloatArray


@dataclass(frozen=True)
class Bound:
    """The best lower bound found, and the prices that gave it."""

    value: float
    prices: Prices


def price_per_pack(problem: Coupled, prices: Prices, strong: IntArray) -> FloatArray:
    """What a pack on each arc is charged beyond its own cost; `strong` is M of the strong links at these prices."""
    a, limits = problem.arrays, problem.limits
    left = departure_cost_left(problem, prices)
    line = problem.line_cost + float(limits.per_line @ prices.limit)
    linked = (prices.share * left[a.arc_lane] + line) / strong
    return linked + limit_charge(problem, prices)


def strong_links(problem: Coupled, prices: Prices) -> IntArray:
    """M of x <= M w and x <= M z: what an arc could carry at most while capacities and limits are charged for."""
    if not prices.limit.any() and not prices.lane.any():
        return problem.worth_moving
    return problem.worth_moving_at(limit_charge(problem, prices))


def limit_charge(problem: Coupled, prices: Prices) -> FloatArray:
    """What a pack on each arc pays for capacities and shared limits alone, without any share of a fixed cost."""
    charge: FloatArray = (
        prices.lane[problem.arrays.arc_lane] * problem.arc_volume + problem.limits.per_pack.T @ prices.limit
    )
    return charge


def departure_cost_left(problem: Coupled, prices: Prices) -> FloatArray:
    """What a full departure's capacity price leaves of its cost, never below 0."""
    return np.maximum(_departure_cost(problem, prices) - _capacity_price(problem, prices), 0.0)


def _departure_cost(problem: Coupled, prices: Prices) -> FloatArray:
    cost: FloatArray = problem.lane_cost + problem.limits.per_departure.T @ prices.limit
    return cost


def _capacity_price(problem: Coupled, prices: Prices) -> FloatArray:
    """What a full departure would pay for its volume; 0 without a capacity."""
    return np.where(
        prices.lane > 0, prices.lane * np.where(np.isfinite(problem.lane_capacity), problem.lane_capacity, 0.0), 0.0
    )


def bound_at(problem: Coupled, prices: Prices, flows: FlowResult) -> float:
    """L at these prices, from the flows solved under them."""
    lanes = np.minimum(_departure_cost(problem, prices) - _capacity_price(problem, prices), 0.0)
    return float(flows.priced.sum() - prices.limit @ problem.limits.most + lanes.sum())


def first_prices(problem: Coupled, packs: IntArray) -> Prices:
    """A price on the limit that is exceeded most; a lane's fixed cost shared by the packs it carries, or evenly."""
    a = problem.arrays
    on_lane = np.bincount(a.arc_lane, packs, a.lanes)
    arcs = np.bincount(a.arc_lane, minlength=a.lanes)
    even = 1.0 / np.maximum(arcs, 1)
    share = np.where(on_lane[a.arc_lane] > 0, packs / np.maximum(on_lane, 1)[a.arc_lane], even[a.arc_lane])
    return Prices(_price_of_worst(problem, packs), np.zeros(a.lanes), share)


def _price_of_worst(problem: Coupled, packs: IntArray) -> FloatArray:
    """Where lines must go to keep the limit that is exceeded most: what the best of those would earn for its use."""
    limits = problem.limits
    price = np.zeros(len(limits.most))
    used = np.flatnonzero(packs)
    if not len(price) or not len(used):
        return price
    worst = int(np.argmax(problem.usage(packs) / np.maximum(limits.most, 1e-9)))
    use = np.full(len(packs), limits.per_line[worst])
    start, end = limits.per_pack.indptr[worst : worst + 2]
    columns = limits.per_pack.indices[start:end]
    use[columns] += limits.per_pack.data[start:end] * packs[columns]
    used = used[use[used] > 0]
    earned = (problem.taken_worth(packs, used, packs[used]) - problem.line_cost) / use[used]
    order = np.argsort(-earned, kind="stable")
    beyond = order[np.cumsum(use[used][order]) > limits.most[worst]]
    if len(beyond):
        price[worst] = max(float(earned[beyond[0]]), 0.0)
    return price


def lower_bound(
    problem: Coupled,
    flows: Flows,
    start: Prices,
    best_known: float,
    iterations: int,
    watch: Callable[[int, Prices, FlowResult, float], float] | None = None,
) -> Bound:
    """The best bound of so many iterations.

    `best_known` is the objective of some feasible plan (0 is always one). `watch` sees the flows
    of every iteration and returns the objective of the best plan known by then.
    """
    prices = best_prices = start
    best = -np.inf
    smoothed: _Subgradient | None = None
    least = bool((problem.arc_least > 1).any())
    limited = bool(np.isfinite(problem.lane_capacity).any() or len(problem.limits.most))
    steps = STEPS_WITH_LIMITS if limited else STEPS
    for iteration in range(iterations):
        strong = strong_links(problem, prices)
        charge = price_per_pack(problem, prices, strong)
        found = flows.solve(extra=charge, usable=~problem.useless_at(charge) if least else None)
        value = bound_at(problem, prices, found)
        if watch is not None:
            best_known = min(best_known, watch(iteration, prices, found, value))
        if value > best:
            best, best_prices = value, prices
        slope = _subgradient(problem, prices, found.packs / strong, found.packs)
        smoothed = slope if smoothed is None else smoothed.mixed_with(slope)
        factor = steps[0] * (steps[1] / steps[0]) ** (iteration / iterations)
        distance = factor * max(best_known - value, 1e-9 * abs(value))
        prices = _stepped(problem, prices, smoothed.paced(distance))
    return Bound(best, best_prices)


def tightened(problem: Coupled, flows: Flows, bound: Bound, nodes: int) -> tuple[IntArray, float]:
    """The packs of every SKU on its own at the bound's prices, rules kept and lines whole, and the bound that they give.

    The flows let a part of a line pay for a part of the line. Here w is 0 or 1, and a SKU's part of L is
    what branch and bound proves with so many nodes, where that is more.
    """
    prices, a = bound.prices, problem.arrays
    strong, charge = strong_links(problem, prices), limit_charge(problem, prices)
    line = prices.share * departure_cost_left(problem, prices)[a.arc_lane] + problem.line_price(prices.limit)
    linked = charge + line / strong
    found = flows.solve(extra=linked, usable=~problem.useless_at(linked))
    skus = np.unique(a.arc_sku[found.packs > 0])
    if not nodes or not len(skus):
        return found.packs, bound.value
    rows = np.isin(a.arc_sku, skus)
    part = SkuProblems.of(problem, skus, charge[rows], line_charge=line[rows], strong=strong[rows])
    packs = np.zeros_like(found.packs)
    packs[part.rows], proven = best_of_skus(part, nodes)
    gained = np.maximum(proven - found.priced[skus], 0.0)
    return packs, max(bound.value, bound_at(problem, prices, found) + float(gained.sum()))


@dataclass(frozen=True)
class _Subgradient:
    """Slopes of L in money: by limit, by lane's volume price, by arc's share of the fixed cost."""

    limit: FloatArray
    lane: FloatArray
    share: FloatArray

    def paced(self, distance: float) -> _Subgradient:
        """The move that would close `distance` if L were linear.

        Polyak's step in the metric that divides each kind of price by the length of its own
        slopes: (distance / sum |g|) g / |g|, so that no kind stands still beside a longer one.
        """
        lengths = [math.sqrt(float(slope @ slope)) for slope in (self.limit, self.lane, self.share)]
        whole = max(sum(lengths), 1e-6)
        limit, lane, share = (distance / whole / max(length, 1e-6) for length in lengths)
        return _Subgradient(limit * self.limit, lane * self.lane, share * self.share)

    def mixed_with(self, newer: _Subgradient) -> _Subgradient:
        old, new = 1 - SMOOTHING, SMOOTHING
        return _Subgradient(
            old * self.limit + new * newer.limit,
            old * self.lane + new * newer.lane,
            old * self.share + new * newer.share,
        )


def _subgradient(problem: Coupled, prices: Prices, fraction: FloatArray, packs: IntArray) -> _Subgradient:
    """The slopes at these flows; `fraction` is how much of each line and its departure they use."""
    a, limits = problem.arrays, problem.limits
    left = _departure_cost(problem, prices) - _capacity_price(problem, prices)
    departs = np.where(left > 0, np.bincount(a.arc_lane, prices.share * fraction, a.lanes), 1.0)
    used = (
        limits.per_pack @ packs.astype(np.float64) + limits.per_line * fraction.sum() + limits.per_departure @ departs
    )
    limit = used / np.maximum(limits.most, 1.0) - np.where(limits.most > 0, 1.0, 0.0)
    limit = np.where((prices.limit <= 0) & (limit < 0), 0.0, limit)
    lane = np.zeros(a.lanes)
    capped = np.isfinite(problem.lane_capacity)
    volume = np.bincount(a.arc_lane, packs * problem.arc_volume, a.lanes)
    lane[capped] = volume[capped] / np.maximum(problem.lane_capacity[capped], 1e-12) - departs[capped]
    lane = np.where((prices.lane <= 0) & (lane < 0), 0.0, lane)
    share = np.where(left[a.arc_lane] > 0, fraction, 0.0) * _dearness(problem)[a.arc_lane]
    return _Subgradient(limit, lane, share)


def _dearness(problem: Coupled) -> FloatArray:
    """Each lane's fixed cost against the mean: dear departures take longer steps."""
    mean = float(problem.lane_cost[problem.lane_cost > 0].mean()) if problem.lane_cost.any() else 1.0
    return problem.lane_cost / mean


def _stepped(problem: Coupled, prices: Prices, move: _Subgradient) -> Prices:
    capacity = np.where(np.isfinite(problem.lane_capacity), problem.lane_capacity, 1.0)
    limit = np.maximum(prices.limit + move.limit / np.maximum(problem.limits.most, 1.0), 0.0)
    lane = np.maximum(prices.lane + move.lane / np.maximum(capacity, 1e-12), 0.0)
    left = np.maximum(problem.lane_cost, 1e-9)
    share = prices.share + move.share * (_dearness(problem) / left)[problem.arrays.arc_lane]
    return Prices(limit, lane, _on_simplex(share, problem.arrays.arc_lane, problem.arrays.lanes))


def _on_simplex(share: FloatArray, group: IntArray, groups: int) -> FloatArray:
    """Each group's shares moved to the nearest ones that are nonnegative and sum to 1.

    Held, Wolfe and Crowder 1974, Mathematical Programming 6, p. 78, for all groups at once.
    """
    order = np.lexsort((-share, group))
    ordered, of = share[order], group[order]
    count = np.bincount(of, minlength=groups)
    start = np.concatenate(([0], np.cumsum(count)[:-1]))
    running = np.cumsum(ordered)
    before = np.where(start > 0, running[np.maximum(start - 1, 0)], 0.0)
    rank = np.arange(len(ordered)) - start[of] + 1
    level = (running - before[of] - 1.0) / rank
    kept = ordered > level
    last = np.zeros(groups, dtype=np.int64)
    np.maximum.at(last, of, np.where(kept, rank, 0))
    cut = np.zeros(groups)
    filled = count > 0
    cut[filled] = level[(start + np.maximum(last, 1) - 1)[filled]]
    return np.maximum(share - cut[group], 0.0)
