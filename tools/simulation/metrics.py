"""What cycles under a rule come to: cost, service, turns, reversals, and how much of the possible was reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import default_rng

from tools.demand import FloatArray
from tools.simulation.cycle import Cycle
from tools.simulation.model import Outcome
from tools.simulation.view import moved_between

RESAMPLES = 300
RESAMPLING_SEED = 0


@dataclass(frozen=True)
class Score:
    """Sums over all cycles: money in the cycles' currency, units, and ratios.

    `fill_rate` is the share of demand served, `turns` units sold over the mean stock of
    the chain within a cycle, `reversed_units` what was moved from A to B and the same SKU
    from B to A within a cycle, counted once. `foresight_gap_closed` is the share of the
    cost between doing nothing and perfect foresight that the rule saves, with an interval
    of 95 % over bootstrap samples of the instances (Efron and Tibshirani, 1993, An
    Introduction to the Bootstrap, sec. 13.3); lane costs, which SKUs share, widen no
    interval: there is none then.
    """

    total_cost: float
    transfer_cost: float
    lane_cost: float
    demanded_units: int
    lost_units: int
    left_units: int
    moved_units: int
    reversed_units: int
    lane_days: int
    fill_rate: float
    turns: float
    foresight_gap_closed: float
    interval: tuple[float, float] | None

    @property
    def reversed_share(self) -> float:
        """Share of the moved units that went back."""
        return self.reversed_units / self.moved_units if self.moved_units else 0.0


def score(
    cycles: Sequence[Cycle], outcomes: Sequence[Outcome], nothing: Sequence[Outcome], foresight: Sequence[FloatArray]
) -> Score:
    """The sums of a rule's outcomes, one for each cycle, against those of doing nothing and of foresight (K,)."""
    demanded = sum(int(each.demanded.sum()) for each in outcomes)
    lost = sum(int(each.lost.sum()) for each in outcomes)
    held = sum(float(each.stock_mean.sum()) for each in outcomes)
    idle = np.concatenate([each.sku_cost for each in nothing])
    cost = np.concatenate([each.sku_cost for each in outcomes])
    least = np.concatenate(list(foresight))
    lanes = sum(each.lane_cost for each in outcomes)
    gap = float(idle.sum() - least.sum())
    return Score(
        total_cost=float(cost.sum()) + lanes,
        transfer_cost=sum(float(each.move_cost.sum()) for each in outcomes),
        lane_cost=lanes,
        demanded_units=demanded,
        lost_units=lost,
        left_units=sum(int(each.left.sum()) for each in outcomes),
        moved_units=sum(int(each.moved.sum()) for each in outcomes),
        reversed_units=sum(reversed_units(*pair) for pair in zip(cycles, outcomes, strict=True)),
        lane_days=sum(int(each.lane_days.sum()) for each in outcomes),
        fill_rate=1.0 - lost / demanded if demanded else 1.0,
        turns=(demanded - lost) / held if held else 0.0,
        foresight_gap_closed=(float(idle.sum() - cost.sum()) - lanes) / gap if gap > 0 else 0.0,
        interval=None if lanes else _interval(idle, cost, least),
    )


def reversed_units(cycle: Cycle, outcome: Outcome) -> int:
    """Units of a SKU that went one way between two sites and back within the cycle."""
    forth = moved_between(cycle, outcome.moved)
    return int(np.minimum(forth, forth.transpose(0, 2, 1)).sum()) // 2


def _interval(idle: FloatArray, cost: FloatArray, least: FloatArray) -> tuple[float, float] | None:
    rng = default_rng(RESAMPLING_SEED)
    drawn = rng.integers(0, len(cost), (RESAMPLES, len(cost)))
    gaps = (idle - least)[drawn].sum(axis=1)
    if (gaps <= 0).any():
        return None
    shares = (idle - cost)[drawn].sum(axis=1) / gaps
    low, high = np.percentile(shares, (2.5, 97.5))
    return float(low), float(high)
