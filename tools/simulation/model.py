"""Plays one cycle under a rule: arrivals, decision, sales, learning, period by period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tools.demand import FloatArray
from tools.simulation.cycle import BoolArray, Cycle, IntArray
from tools.simulation.view import Level, View


class Rule(Protocol):
    """Decides what to move."""

    def __call__(self, view: View) -> IntArray:
        """Units to send now by SKU and lane, (K, L)."""


@dataclass(frozen=True)
class Outcome:
    """What a rule made of a cycle. By SKU (K,): units and money; by SKU and lane (K, L): units moved in the cycle.

    `lane_days` (T, L) tells which lanes were used when; `stock_mean` (K,) is the mean stock
    of the chain at the end of a period, units in transit included.
    """

    demanded: IntArray
    lost: IntArray
    left: IntArray
    stock_mean: FloatArray
    moved: IntArray
    move_cost: FloatArray
    stock_cost: FloatArray
    lane_days: BoolArray
    lane_cost: float

    @property
    def sku_cost(self) -> FloatArray:
        """(K,): cost without that of lanes, which SKUs share."""
        total: FloatArray = self.move_cost + self.stock_cost
        return total

    @property
    def total_cost(self) -> float:
        """Lost sales, stock left, moves and lanes."""
        return float(self.sku_cost.sum()) + self.lane_cost


def play(cycle: Cycle, rule: Rule) -> Outcome:
    """Play the cycle: the same demand for every rule.

    In each period units arrive; from the second period on, and while anything sent can
    still arrive in time, the rule decides; sales follow, and what cannot be served is
    lost. A rule that sends more than a site has gets its lines there scaled down.
    """
    lanes, demand = cycle.lanes, cycle.demand
    stock = cycle.stock.copy()
    arriving = np.zeros((cycle.periods + cycle.lead_periods_max + 1, cycle.skus, cycle.sites), dtype=np.int64)
    moved = np.zeros((cycle.skus, len(lanes)), dtype=np.int64)
    lane_days = np.zeros((cycle.periods, len(lanes)), dtype=bool)
    lost = np.zeros(cycle.skus, dtype=np.int64)
    held = np.zeros(cycle.skus)
    level = Level.before(cycle)
    for period in range(cycle.periods):
        stock += arriving[period]
        usable = cycle.usable_lanes(period)
        if period >= 1 and usable.any():
            position = stock + arriving[period + 1 :].sum(axis=0)
            seen = View(cycle, period, stock.copy(), position, level, moved.copy())
            sent = _possible(cycle, stock, rule(seen) * usable)
            moved += sent
            lane_days[period] = sent.any(axis=0)
            np.subtract.at(stock.T, lanes.origin, sent.T)
            for lead in np.unique(lanes.lead_time_periods):
                on = lanes.lead_time_periods == lead
                target = stock if lead == 0 else arriving[period + lead]
                np.add.at(target.T, lanes.destination[on], sent[:, on].T)
        sold = np.minimum(stock, demand[:, period])
        stock -= sold
        lost += (demand[:, period] - sold).sum(axis=1)
        held += stock.sum(axis=1) + arriving[period + 1 :].sum(axis=(0, 2))
        level = level.after(cycle.forecast[:, period], sold, stock, cycle.dispersion)
    left = stock.sum(axis=1) + arriving[cycle.periods :].sum(axis=(0, 2))
    prices = np.where(moved > 0, cycle.move_cost, 0.0)
    return Outcome(
        demanded=demand.sum(axis=(1, 2)), lost=lost, left=left, stock_mean=held / cycle.periods, moved=moved,
        move_cost=(moved * prices).sum(axis=1), stock_cost=cycle.lost_cost * lost + cycle.left_cost * left,
        lane_days=lane_days, lane_cost=float((lane_days * lanes.day_cost).sum()),
    )  # fmt: skip


def _possible(cycle: Cycle, stock: IntArray, wanted: IntArray) -> IntArray:
    """The lines as wanted, scaled down and rounded down where an origin lacks the units."""
    if (wanted < 0).any():
        raise ValueError("a rule sends negative units")
    if (wanted[np.isinf(cycle.move_cost)] > 0).any():
        raise ValueError("a rule uses a lane that the SKU may not travel")
    sending = np.zeros_like(stock)
    np.add.at(sending.T, cycle.lanes.origin, wanted.T)
    if (sending <= stock).all():
        return wanted
    share = np.minimum(stock / np.maximum(sending, 1), 1.0)
    scaled: IntArray = np.floor(wanted * share[:, cycle.lanes.origin] + 1e-9).astype(np.int64)
    return scaled


def no_transfers(view: View) -> IntArray:
    """Leave everything where it is."""
    return np.zeros((view.cycle.skus, len(view.cycle.lanes)), dtype=np.int64)
