"""Local search over departures: drop one, add one, and solve again only the SKUs that could use it.

Facility-location moves (Kuehn and Hamburger 1963, Management Science 9(4)) on top of
slope scaling. Trying a lane costs the flows of the SKUs that have an arc on it, so
candidates are ranked by an estimate first and each round ends after so many failures in
a row: a count, so that the plan does not depend on the machine's speed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tools.planning.coupled import Coupled
from tools.planning.flow import BoolArray, FloatArray, Flows, IntArray

BETTER = 1e-6


@dataclass
class OpenLanes:
    """The state of the search: which lanes are open, each SKU's flows on them and what they are worth."""

    problem: Coupled
    flows: Flows
    extra: FloatArray
    opened: BoolArray
    packs: IntArray
    value: FloatArray
    trials: int = 0
    touching: list[IntArray] = field(default_factory=list)

    @classmethod
    def at(cls, problem: Coupled, flows: Flows, packs: IntArray, extra: FloatArray) -> OpenLanes:
        """The lanes that the packs use, all SKUs solved again on them."""
        a = problem.arrays
        opened = problem.used(packs)
        found = flows.solve(extra=extra, usable=opened[a.arc_lane])
        order = np.argsort(a.arc_lane, kind="stable")
        bounds = np.searchsorted(a.arc_lane[order], np.arange(a.lanes + 1))
        touching = [np.unique(a.arc_sku[order[s:e]]) for s, e in pairwise(bounds.tolist())]
        value = found.value + np.bincount(a.arc_sku, extra * found.packs, a.skus)
        return cls(problem, flows, extra, opened, found.packs, value, touching=touching)

    @property
    def total(self) -> float:
        """The objective, charges included."""
        return float(self.value.sum() + self.problem.lane_cost[self.opened].sum())

    def flip(self, lane: int) -> bool:
        """Open the lane, or close it; keep that if it pays, and say whether it does."""
        self.trials += 1
        a, skus = self.problem.arrays, self.touching[lane]
        self.opened[lane] = not self.opened[lane]
        found = self.flows.solve(extra=self.extra, usable=self.opened[a.arc_lane], skus=skus)
        value = found.value[skus]
        rows = np.flatnonzero(np.isin(a.arc_sku, skus))
        value = value + np.bincount(a.arc_sku[rows], self.extra[rows] * found.packs[rows], a.skus)[skus]
        fixed = self.problem.lane_cost[lane] if self.opened[lane] else -self.problem.lane_cost[lane]
        if float((value - self.value[skus]).sum()) + fixed >= -BETTER:
            self.opened[lane] = not self.opened[lane]
            return False
        self.value[skus] = value
        self.packs[rows] = found.packs[rows]
        return True


def improve_lanes(state: OpenLanes, trials_max: int, failures_max: int) -> None:
    """Rounds of drops and adds until one changes nothing, or so many trials were made."""
    while state.trials < trials_max:
        dropped = _try(state, drops(state), trials_max, failures_max)
        added = _try(state, adds(state), trials_max, failures_max)
        if not dropped and not added:
            return


def _try(state: OpenLanes, lanes: IntArray, trials_max: int, failures_max: int) -> int:
    accepted = failures = 0
    for lane in lanes.tolist():
        if failures >= failures_max or state.trials >= trials_max:
            break
        if state.flip(lane):
            accepted, failures = accepted + 1, 0
        else:
            failures += 1
    return accepted


def drops(state: OpenLanes) -> IntArray:
    """Open lanes, those first whose packs would be missed least: their value without any other way, less the fixed cost."""
    problem, a = state.problem, state.problem.arrays
    sent, received = problem.sent(state.packs), problem.received(state.packs)
    used = np.flatnonzero(state.packs)
    sku, i, j = a.arc_sku[used], a.arc_origin[used], a.arc_destination[used]
    last_gain = problem.gains.step(sku, j, received[sku, j])
    last_loss = problem.losses.step(sku, i, sent[sku, i])
    earned = state.packs[used] * (last_gain - last_loss - a.arc_cost[used] - state.extra[used])
    missed = np.bincount(a.arc_lane[used], np.maximum(earned, 0.0), a.lanes) - problem.lane_cost
    opened = np.flatnonzero(state.opened)
    return opened[np.argsort(missed[opened], kind="stable")]


def adds(state: OpenLanes) -> IntArray:
    """Closed lanes, those first that would earn most beyond their cost at the margin of the present plan."""
    problem, a = state.problem, state.problem.arrays
    asked, offered = _margins(state)
    closed = ~state.opened[a.arc_lane]
    sku, i, j = a.arc_sku[closed], a.arc_origin[closed], a.arc_destination[closed]
    profit = offered[sku, j] - asked[sku, i] - a.arc_cost[closed] - state.extra[closed]
    worth = np.bincount(a.arc_lane[closed], np.maximum(profit, 0.0), a.lanes) - problem.lane_cost / 3
    lanes = np.flatnonzero((worth > 0) & ~state.opened)
    return lanes[np.argsort(-worth[lanes], kind="stable")]


def _margins(state: OpenLanes) -> tuple[FloatArray, FloatArray]:
    """By SKU and site: for what a site would part with a pack, and what a pack would be worth delivered to it.

    A pack may replace one that comes (or goes) by a dearer way in the present plan.
    """
    problem, a = state.problem, state.problem.arrays
    sent, received = problem.sent(state.packs), problem.received(state.packs)
    shape = (a.skus, a.sites)
    sku, site = (grid.ravel() for grid in np.indices(shape))
    asked = problem.losses.step(sku, site, sent.ravel() + 1).reshape(shape)
    offered = problem.gains.step(sku, site, received.ravel() + 1).reshape(shape)
    asked, offered = np.where(np.isnan(asked), np.inf, asked), np.where(np.isnan(offered), -np.inf, offered)
    used = np.flatnonzero(state.packs)
    k, i, j = a.arc_sku[used], a.arc_origin[used], a.arc_destination[used]
    cost = a.arc_cost[used] + state.extra[used]
    np.minimum.at(asked, (k, i), problem.gains.step(k, j, received[k, j]) - cost)
    np.maximum.at(offered, (k, j), problem.losses.step(k, i, sent[k, i]) + cost)
    return asked, offered
