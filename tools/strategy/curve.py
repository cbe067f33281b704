"""The curve of fill rate against investment, by marginal analysis, and the levels for a goal or a budget.

Each further unit goes where it buys the most expected sales per money tied up: the
allocation of Fox, Discrete Optimization via Marginal Analysis, Management Science 13(3)
(1966), as Sherbrooke, Optimal Inventory Modeling of Systems, 2nd ed. (2004), ch. 2, uses
it for spares. Since gains fall from unit to unit, what has been bought at any moment
serves the most that so much money can.

The fill rate is that of Silver, Pyke and Thomas (2017), sec. 6.9: 1 - E[(D - S)+] / demand
of a review period. What is short at the start of the review period counts in full, so
it is a lower bound; it is cut at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tools.demand import FloatArray
from tools.demand_table import IntArray
from tools.money import minor_from_e4
from tools.strategy.ladder import Ladder
from tools.strategy.results import CurvePoint

PPM = 1_000_000
MARKS_PPM = (
    0, 500_000, 600_000, 700_000, 750_000, 800_000, 850_000, 875_000, 900_000, 920_000, 940_000, 950_000, 960_000,
    970_000, 975_000, 980_000, 985_000, 990_000, 992_500, 995_000, 997_000, 998_000, 999_000, 999_500, 999_900,
)  # fmt: skip
"""The fill rates that the curve is shown at."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Marginal analysis from nothing to the top of the ladder. Arrays have the shape (steps + 1,)."""

    ladder: Ladder
    currency: str

    @cached_property
    def cost_e4(self) -> IntArray:
        """Money tied up after each step of the order, in ten-thousandths of the currency unit."""
        return np.concatenate(([0], np.cumsum(self.ladder.price_e4[self.ladder.order])))

    @cached_property
    def fill(self) -> FloatArray:
        """Fill rate after each step of the order; it never falls."""
        served = np.concatenate(([0.0], np.cumsum(self.ladder.gain[self.ladder.order])))
        return fill_rate(self.ladder, served)

    def rank_of_fill(self, fill: float) -> int | None:
        """The least steps that reach a fill rate; None where the whole ladder does not."""
        rank = int(np.searchsorted(self.fill, fill))
        return rank if rank < len(self.fill) else None

    def rank_of_cost(self, cost_e4: int) -> int:
        """The most steps that so much money pays for."""
        return int(np.searchsorted(self.cost_e4, cost_e4, side="right")) - 1

    def investment_minor(self, rank: int) -> int:
        """Money tied up after so many steps."""
        return minor_from_e4(int(self.cost_e4[rank]), self.currency)

    def points(self) -> tuple[CurvePoint, ...]:
        """The curve at fill rates that people look for, and at its end; each investment once."""
        marked = {rank for mark in MARKS_PPM if (rank := self.rank_of_fill(mark / PPM)) is not None}
        steps, before, points = self.ladder.steps_by_rank(0), 0, []
        for rank in sorted(marked | {len(self.fill) - 1}):
            steps, before = steps + self.ladder.steps_between(before, rank), rank
            points.append(
                CurvePoint(
                    investment_minor=self.investment_minor(rank),
                    fill_rate_ppm=ppm(float(self.fill[rank])),
                    safety_stock_units=int(safety_units(self.ladder, steps).sum()),
                    order_up_to_units=int(self.ladder.units(steps).sum()),
                )
            )
        return tuple(points)


def fill_rate(ladder: Ladder, served_daily: FloatArray | float) -> FloatArray:
    """The fill rate of so many expected units served a day, cut at 0; 1 where there is no demand.

    `served_daily` counts the sales of the protection days per review day, as the ladder's gains do.
    """
    rows = ladder.rows
    wanted = float(rows.daily_mean.sum())
    if wanted <= 0:
        return np.ones_like(np.asarray(served_daily, dtype=np.float64))
    short = float((rows.mean / rows.review_days).sum()) - np.asarray(served_daily, dtype=np.float64)
    return np.clip(1 - short / wanted, 0.0, 1.0)


def safety_units(ladder: Ladder, steps: IntArray) -> IntArray:
    """What of every row's order-up-to level lies above the mean demand of its protection days, whole units up."""
    above: IntArray = np.maximum(np.ceil(ladder.units(steps) - ladder.rows.mean), 0).astype(np.int64)
    return above


def ppm(share: float) -> int:
    """A share in millionths, cut down, so that a goal is never said to be reached before it is."""
    return int(np.floor(share * PPM + 1e-6))
