"""Service levels by demand class and site: the cheapest common level of each group, and what a level means.

Holding is charged on E[(S - D)+] per day and lost sales on E[(D - S)+] per review period
(Silver, Pyke and Thomas (2017), 4th ed., sec. 6.9). For a single site-SKU the least cost
lies at P(D <= S) >= lost / (lost + holding of a review period), the newsvendor's ratio. A
group that shares one level takes the level with the least cost in sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.demand import FloatArray
from tools.demand_table import IntArray
from tools.money import minor_from_e4
from tools.strategy.curve import ppm, safety_units
from tools.strategy.ladder import Ladder
from tools.strategy.results import Standing
from tools.targets import BP

LEVELS_BP = (
    5_000, 5_500, 6_000, 6_500, 7_000, 7_500, 8_000, 8_250, 8_500, 8_750, 9_000, 9_100, 9_200, 9_300, 9_400, 9_500,
    9_550, 9_600, 9_650, 9_700, 9_750, 9_800, 9_825, 9_850, 9_875, 9_900, 9_920, 9_940, 9_950, 9_960, 9_970, 9_980,
    9_985, 9_990, 9_995, 9_999,
)  # fmt: skip
"""The levels that are tried: those that policy can demand, closer together where they matter."""


@dataclass(frozen=True, eq=False)
class Groups:
    """The site-SKUs by demand class and site. `of_row` (rows,) is the group of each row."""

    of_row: IntArray
    demand_class: IntArray
    site: IntArray

    def __len__(self) -> int:
        """How many groups there are."""
        return len(self.site)

    @classmethod
    def of(cls, ladder: Ladder) -> Groups:
        """The groups of a ladder's rows, in the order of class and site."""
        rows = ladder.rows
        sites = len(rows.site_ids)
        codes, of_row = np.unique(rows.demand_class * sites + rows.site, return_inverse=True)
        return cls(of_row, codes // max(sites, 1), codes % max(sites, 1))

    def sums(self, values: FloatArray | IntArray) -> FloatArray:
        """Sums of a figure of the rows by group."""
        return np.bincount(self.of_row, values, minlength=len(self)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Levels:
    """A level for every site-SKU: `steps` of the ladder, and the service level `level_bp` meant by them; both (rows,)."""

    steps: IntArray
    level_bp: FloatArray


def levels_of(ladder: Ladder, level_bp: IntArray) -> Levels:
    """The order-up-to levels that reach given service levels: shape (rows,)."""
    return Levels(ladder.steps_to(level_bp), level_bp.astype(np.float64))


def levels_at(ladder: Ladder, rank: int) -> Levels:
    """The levels after the first `rank` steps of marginal analysis, and the service levels that they come to."""
    steps = ladder.steps_by_rank(rank)
    return Levels(steps, ladder.level_at(steps) * BP)


def cheapest_levels(ladder: Ladder, groups: Groups) -> Levels:
    """The level common to each group at which holding and lost sales cost least; of equals the lowest."""
    best = np.full(len(groups), np.inf)
    best_bp = np.full(len(groups), LEVELS_BP[0], dtype=np.int64)
    for level_bp in LEVELS_BP:
        cost = groups.sums(daily_cost_e4(ladder, ladder.steps_to(level_bp)))
        # Sums of floats: a saving must be more than noise before more stock is asked for.
        better = cost < best * (1 - 1e-12)
        best[better], best_bp[better] = cost[better], level_bp
    return levels_of(ladder, best_bp[groups.of_row] if len(groups) else np.zeros(0, dtype=np.int64))


def daily_cost_e4(ladder: Ladder, steps: IntArray) -> FloatArray:
    """Expected cost of holding and of lost sales of every row, per day, in ten-thousandths of the currency unit."""
    rows = ladder.rows
    served = ladder.served_at(steps)
    left, short = ladder.units(steps) - served, np.maximum(rows.mean - served, 0.0)
    cost: FloatArray = rows.daily_holding_e4 * left + rows.lost_e4 * short / rows.review_days
    return cost


@dataclass(frozen=True, eq=False)
class Sums:
    """What levels come to, by group: every array has the shape (groups,)."""

    weight: FloatArray
    level: FloatArray
    safety: FloatArray
    units: FloatArray
    invested_e4: FloatArray
    served: FloatArray
    wanted: FloatArray
    cost_e4: FloatArray

    @classmethod
    def of(cls, ladder: Ladder, groups: Groups, levels: Levels) -> Sums:
        """The sums of these levels."""
        rows, steps = ladder.rows, levels.steps
        units = ladder.units(steps)
        return cls(
            weight=groups.sums(rows.daily_mean),
            level=groups.sums(rows.daily_mean * levels.level_bp),
            safety=groups.sums(safety_units(ladder, steps)),
            units=groups.sums(units),
            invested_e4=groups.sums((units * rows.cost_e4).astype(np.float64)),
            served=groups.sums(ladder.served_at(steps) / rows.review_days),
            wanted=groups.sums(rows.mean / rows.review_days),
            cost_e4=groups.sums(daily_cost_e4(ladder, steps)),
        )

    def standing(self, chosen: IntArray, currency: str) -> Standing:
        """The standing of some of the groups together."""

        def total(values: FloatArray) -> float:
            return float(values[chosen].sum())

        weight = total(self.weight)
        short = total(self.wanted) - total(self.served)
        return Standing(
            service_level_bp=round(total(self.level) / weight) if weight > 0 else BP,
            safety_stock_units=round(total(self.safety)),
            order_up_to_units=round(total(self.units)),
            investment_minor=minor_from_e4(round(total(self.invested_e4)), currency),
            fill_rate_ppm=ppm(min(max(1 - short / weight, 0.0), 1.0)) if weight > 0 else ppm(1.0),
            daily_cost_minor=minor_from_e4(round(total(self.cost_e4)), currency),
        )
