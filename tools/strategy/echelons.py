"""Where in a network safety stock belongs: the guaranteed-service model on spanning trees.

Every stage promises those it supplies an answer within a service time of whole days and
keeps the promise as long as demand stays within a bound. Stage k with inbound service
time SI, lead time T and promise S covers the net replenishment time SI + T - S; its
safety stock is what the bound lies above the mean over that time (Simpson (1958),
In-Process Inventories, Operations Research 6(6); Graves and Willems (2000), Optimizing
Strategic Safety Stock Placement in Supply Chains, M&SOM 2(1): their problem P and their
dynamic programme for spanning trees, with the erratum in M&SOM 5(2), 2003). The
programme is exact on whole days, whatever the bound's shape. All SKUs that share a tree
are solved at once.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tools.demand import FloatArray
from tools.demand_table import IntArray

CELLS_MAX = 4_000_000
"""Cells of one stage's cost table that are held at once; SKUs are taken in portions."""
ANY_PROMISE = 1_000_000
"""A stage that may let others wait as long as it likes."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A place that may hold safety stock, for all SKUs of the tree: every array has the shape (skus,).

    `lead_days` is the time from an order, all inputs at hand, until the stage can serve
    from it, its review period included. `daily_holding` is money per unit and day.
    `daily_variance` and `level_variance` are those of all demand that passes the stage:
    over n days demand has the variance n * daily + n^2 * level. `factor` is how many
    standard deviations the bound lies above the mean. `promise_max` is the longest
    service time that those it serves put up with. `inbound_days` is what a supplier from
    outside promises; it counts only where no stage supplies this one.
    """

    lead_days: IntArray
    daily_holding: FloatArray
    daily_variance: FloatArray
    level_variance: FloatArray
    factor: FloatArray
    promise_max: IntArray
    inbound_days: IntArray

    def safety_stock(self, net_days: IntArray | FloatArray) -> FloatArray:
        """Safety stock in units over net replenishment times of the shape (skus, ...)."""
        shape = (-1,) + (1,) * (np.ndim(net_days) - 1)
        days = np.maximum(net_days, 0)
        variance = self.daily_variance.reshape(shape) * days + self.level_variance.reshape(shape) * days**2
        units: FloatArray = self.factor.reshape(shape) * np.sqrt(variance)
        return units

    def part(self, skus: slice) -> Stage:
        """The stage for some of the SKUs."""
        return replace(self, **{name: getattr(self, name)[skus] for name in self.__dataclass_fields__})


@dataclass(frozen=True, eq=False)
class Placement:
    """Service times of whole days for each stage and SKU: every array has the shape (stages, skus).

    `daily_cost` (skus,) is the holding cost of all safety stock, in the money of the stages.
    """

    inbound_days: IntArray
    promise_days: IntArray
    net_days: IntArray
    safety_stock: FloatArray
    daily_cost: FloatArray


def place(stages: Sequence[Stage], links: Sequence[tuple[int, int]]) -> Placement:
    """The service times at which safety stock costs least; ties go to the shorter times.

    `links` are pairs (supplier, customer) of indices in `stages`. Raises ValueError where
    they do not form a forest, or name a stage that is not there.
    """
    walks = _walks(len(stages), links)
    skus = len(stages[0].lead_days) if stages else 0
    inbound = np.zeros((len(stages), skus), dtype=np.int64)
    promise = np.zeros((len(stages), skus), dtype=np.int64)
    portion = max(CELLS_MAX // _cells(stages, links), 1)
    for first in range(0, skus, portion):
        some = slice(first, min(first + portion, skus))
        for walk in walks:
            tree = _Tree([stage.part(some) for stage in stages], links, walk)
            tree.solve(inbound[:, some], promise[:, some])
    return placement_of(stages, inbound, promise)


def placement_of(stages: Sequence[Stage], inbound_days: IntArray, promise_days: IntArray) -> Placement:
    """What given service times come to: arrays of the shape (stages, skus)."""
    lead = np.array([stage.lead_days for stage in stages]).reshape(promise_days.shape)
    net = inbound_days + lead - promise_days
    safety = np.array([stage.safety_stock(net[k]) for k, stage in enumerate(stages)]).reshape(net.shape)
    holding = np.array([stage.daily_holding for stage in stages]).reshape(net.shape)
    return Placement(inbound_days, promise_days, net, safety, (holding * safety).sum(axis=0))


def _walks(count: int, links: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """For each tree its stages from the root outwards, each with the stage that it hangs on (-1 at the root)."""
    beside: dict[int, list[int]] = {stage: [] for stage in range(count)}
    for supplier, customer in links:
        if not (0 <= supplier < count and 0 <= customer < count):
            raise ValueError(f"link {supplier}→{customer} names a stage that is not there; there are {count}")
        beside[supplier].append(customer)
        beside[customer].append(supplier)
    seen: set[int] = set()
    walks = []
    for root in range(count):
        if root in seen:
            continue
        walk, waiting = [], [(root, -1)]
        while waiting:
            stage, hangs_on = waiting.pop()
            walk.append((stage, hangs_on))
            seen.add(stage)
            waiting += [(other, stage) for other in beside[stage] if other != hangs_on]
            if len(walk) > count:
                break
        walks.append(walk)
    if sum(map(len, walks)) != count or len(links) != count - len(walks):
        raise ValueError("the links between stages go round in a circle; the guaranteed-service model needs a tree")
    return walks


def _cells(stages: Sequence[Stage], links: Sequence[tuple[int, int]]) -> int:
    """The cells that one SKU takes in the largest table of the tree."""
    if not stages:
        return 1
    sizes = _Sizes.of(stages, links)
    cells: int = max(map(operator.mul, sizes.inbound, sizes.promise))
    return cells


@dataclass(frozen=True)
class _Sizes:
    """How many inbound and promised service times of each stage there are to try, 0 days included."""

    inbound: tuple[int, ...]
    promise: tuple[int, ...]

    @classmethod
    def of(cls, stages: Sequence[Stage], links: Sequence[tuple[int, int]]) -> _Sizes:
        """Bounds by the longest path: no stage ever waits longer than all lead times before it add up to."""
        suppliers: dict[int, list[int]] = {stage: [] for stage in range(len(stages))}
        for supplier, customer in links:
            suppliers[customer].append(supplier)
        inbound, promise = [0] * len(stages), [0] * len(stages)
        left = list(range(len(stages)))
        while left:
            ready = [stage for stage in left if not set(suppliers[stage]) & set(left)]
            for k in ready:
                waits = [promise[i] - 1 for i in suppliers[k]] or [_most(stages[k].inbound_days)]
                inbound[k] = max(waits) + 1
                promise[k] = min(inbound[k] - 1 + _most(stages[k].lead_days), _most(stages[k].promise_max)) + 1
            left = [stage for stage in left if stage not in ready]
        return cls(tuple(inbound), tuple(promise))


def _most(days: IntArray) -> int:
    return int(days.max()) if len(days) else 0


class _Tree:
    """One pass of the dynamic programme over one tree, for a portion of the SKUs."""

    def __init__(
        self, stages: Sequence[Stage], links: Sequence[tuple[int, int]], walk: Sequence[tuple[int, int]]
    ) -> None:
        self._stages = stages
        self._links = frozenset(links)
        self._walk = walk
        self._sizes = _Sizes.of(stages, links)
        self._supplied = {customer for _, customer in links}
        self._best: dict[int, FloatArray] = {}
        self._choice: dict[int, IntArray] = {}

    def solve(self, inbound: IntArray, promise: IntArray) -> None:
        """Write the best service times of the tree's stages into arrays of the shape (stages, skus)."""
        for stage, hangs_on in reversed(self._walk):
            self._close(stage, hangs_on)
        skus = np.arange(inbound.shape[1])
        for stage, hangs_on in self._walk:
            choice = self._choice[stage]
            if hangs_on < 0:
                inbound[stage], promise[stage] = np.divmod(choice, self._sizes.promise[stage])
            elif (stage, hangs_on) in self._links:
                promise[stage] = self._at_most(stage)[1][skus, inbound[hangs_on].clip(max=self._top(stage))]
                inbound[stage] = choice[skus, promise[stage]]
            else:
                inbound[stage] = self._at_least(stage)[1][skus, promise[hangs_on]]
                promise[stage] = choice[skus, inbound[stage]]

    def _top(self, stage: int) -> int:
        columns: int = self._best[stage].shape[1]
        return columns - 1

    def _close(self, stage: int, hangs_on: int) -> None:
        """Sum up all that hangs on a stage, and keep the best for each service time that its neighbour inwards sets."""
        costs = self._own(stage)
        for other, outwards in self._walk:
            if outwards != stage:
                continue
            if (other, stage) in self._links:
                best = self._at_most(other)[0]
                reach = np.arange(self._sizes.inbound[stage]).clip(max=best.shape[1] - 1)
                costs += best[:, reach][:, :, None]
            else:
                costs += self._at_least(other)[0][:, None, : self._sizes.promise[stage]]
        if hangs_on < 0:
            self._choice[stage] = costs.reshape(len(costs), -1).argmin(axis=1)
            return
        axis = 1 if (stage, hangs_on) in self._links else 2
        self._best[stage], self._choice[stage] = costs.min(axis=axis), costs.argmin(axis=axis)

    def _own(self, stage: int) -> FloatArray:
        """Holding cost by inbound time and promise, infinite where they cannot be: shape (skus, inbound, promise)."""
        figures = self._stages[stage]
        waits = np.arange(self._sizes.inbound[stage])[None, :, None]
        promises = np.arange(self._sizes.promise[stage])[None, None, :]
        net = waits + figures.lead_days[:, None, None] - promises
        costs = figures.daily_holding[:, None, None] * figures.safety_stock(net)
        costs[(net < 0) | (promises > figures.promise_max[:, None, None])] = np.inf
        if stage not in self._supplied:
            costs[np.broadcast_to(waits != figures.inbound_days[:, None, None], costs.shape)] = np.inf
        return costs

    def _at_most(self, supplier: int) -> tuple[FloatArray, IntArray]:
        """The best of a supplier's branch over all promises up to each, and the promise that it is reached at."""
        return _running_least(self._best[supplier])

    def _at_least(self, customer: int) -> tuple[FloatArray, IntArray]:
        """The best of a customer's branch over all inbound times from each on, and the time that it is reached at."""
        least, at = _running_least(self._best[customer][:, ::-1], last=True)
        return least[:, ::-1], self._best[customer].shape[1] - 1 - at[:, ::-1]


def _running_least(values: FloatArray, *, last: bool = False) -> tuple[FloatArray, IntArray]:
    """The least of each row up to each column, and the first (or the last) column that it stands in."""
    least = np.minimum.accumulate(values, axis=1)
    is_new: NDArray[np.bool_] = np.ones(values.shape, dtype=bool)
    is_new[:, 1:] = values[:, 1:] <= least[:, :-1] if last else values[:, 1:] < least[:, :-1]
    at = np.maximum.accumulate(np.where(is_new, np.arange(values.shape[1])[None, :], 0), axis=1)
    return least, at
