"""Every unit that could be stocked, with what it serves: the steps that marginal analysis takes.

Expected shortage of an order-up-to level S in one review period is E[(D - S)+], D the
demand of lead time and review period (Silver, Pyke and Thomas (2017), 4th ed., sec. 6.9,
the (R, S) system). Unit S+1 lowers it by P(D > S), which falls with S, so the gains of a
site-SKU fall from step to step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from tools.demand import POISSON_BELOW, FloatArray, expected_sales_of, quantiles, survival_of
from tools.demand_table import IntArray
from tools.strategy.site_skus import SiteSkus
from tools.targets import BP

TOP_LEVEL = 0.9999
STEPS_MAX = 64


@dataclass(frozen=True, eq=False)
class Ladder:
    """The steps of all rows one behind the other, up to a service level of 99.99 %.

    `rows` are the site-SKUs; `lots` (rows,) are the units of a step: one, unless that
    would take more than 64 steps. `starts` (rows,) is the first step of each row and
    `counts` (rows,) the number of its steps. By step: `row`; `tail`, P(D > level below
    the step); `served`, E[min(D, level after the step)] in units.
    """

    rows: SiteSkus
    lots: IntArray
    starts: IntArray
    counts: IntArray
    row: IntArray
    tail: FloatArray
    served: FloatArray

    @classmethod
    def of(cls, rows: SiteSkus) -> Ladder:
        """The ladder of these site-SKUs."""
        top = np.maximum(quantiles(rows.mean, rows.variance, TOP_LEVEL), 1)
        lots = -(-top // STEPS_MAX)
        counts = -(-top // lots)
        starts = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.int64) if len(top) else counts
        row = np.repeat(np.arange(len(top)), counts)
        below = (np.arange(len(row)) - starts[row]) * lots[row]
        tail = _tails(rows, lots, starts, row, below)
        return cls(rows, lots, starts, counts, row, tail, _served(rows, lots, starts, row, below, tail))

    @cached_property
    def gain(self) -> FloatArray:
        """Expected units served per day that each step adds."""
        before = np.concatenate(([0.0], self.served[:-1])) if len(self.served) else self.served
        before[self.starts] = 0.0
        gain: FloatArray = (self.served - before) / self.rows.review_days[self.row]
        return gain

    @cached_property
    def price_e4(self) -> IntArray:
        """What the units of each step cost, in ten-thousandths of the currency unit."""
        price: IntArray = (self.lots * self.rows.cost_e4)[self.row]
        return price

    @cached_property
    def order(self) -> IntArray:
        """Steps by what they serve per money, most first; ties go to the earlier row, then to the lower step."""
        return np.argsort(-self.gain / self.price_e4, kind="stable")

    def steps_to(self, level_bp: IntArray | int) -> IntArray:
        """The least steps of every row that reach its service level: shape (rows,)."""
        short_max = 1 - np.asarray(level_bp) / BP
        above = self.tail > (short_max[self.row] if short_max.ndim else short_max)
        if not len(self.starts):
            return self.counts
        steps: IntArray = np.add.reduceat(above, self.starts, dtype=np.int64)
        return steps

    def steps_by_rank(self, rank: int) -> IntArray:
        """The steps of every row among the first `rank` of the order."""
        return self.steps_between(0, rank)

    def steps_between(self, first: int, end: int) -> IntArray:
        """The steps of every row among those of the order from `first` up to but not including `end`."""
        return np.bincount(self.row[self.order[first:end]], minlength=len(self.lots)).astype(np.int64)

    def units(self, steps: IntArray) -> IntArray:
        """The order-up-to levels that so many steps of every row come to."""
        units: IntArray = self.lots * steps
        return units

    def served_at(self, steps: IntArray) -> FloatArray:
        """E[min(D, level)] of every row after so many steps, in units per protection days."""
        at = np.maximum(self.starts + steps - 1, 0)
        served: FloatArray = np.where(steps > 0, self.served[at] if len(self.served) else 0.0, 0.0)
        return served

    def level_at(self, steps: IntArray, rows: IntArray | slice = slice(None)) -> FloatArray:
        """P(D <= level) after so many steps, of every row or of some."""
        mean, variance = self.rows.mean[rows], self.rows.variance[rows]
        levels: FloatArray = 1 - survival_of(mean, variance, self.units(steps)[rows])
        return levels


def _tails(rows: SiteSkus, lots: IntArray, starts: IntArray, row: IntArray, below: IntArray) -> FloatArray:
    """P(D > level below each step). By single units it is summed from probabilities, which costs a fraction of a tail."""
    single = (lots == 1)[row]
    chance = np.where(single, np.exp(_log_chances(rows, row, below)), 0.0)
    summed = np.concatenate(([0.0], np.cumsum(chance)))
    before = summed[starts][row] if len(starts) else summed[1:]
    tail: FloatArray = np.clip(1 - (summed[1:] - before), 0.0, 1.0)
    at = row[~single]
    tail[~single] = survival_of(rows.mean[at], rows.variance[at], below[~single])
    return tail


def _log_chances(rows: SiteSkus, row: IntArray, units: IntArray) -> FloatArray:
    """Logarithm of P(D = units): Poisson, or negative binomial of size mean / (phi - 1), as `tools.demand` has it."""
    phi = np.maximum(rows.variance / rows.mean, 1.0)
    poisson = phi <= POISSON_BELOW
    size = rows.mean / np.where(poisson, 1.0, phi - 1)
    nothing: FloatArray = np.where(poisson, -rows.mean, -size * np.log(phi) - special.gammaln(size))
    each: FloatArray = np.log(np.where(poisson, rows.mean, 1 - 1 / np.where(poisson, 2.0, phi)))
    ways: FloatArray = np.where(poisson[row], 0.0, special.gammaln(units + size[row]))
    chances: FloatArray = nothing[row] + units * each[row] + ways - special.gammaln(units + 1.0)
    return chances


def _served(
    rows: SiteSkus, lots: IntArray, starts: IntArray, row: IntArray, below: IntArray, tail: FloatArray
) -> FloatArray:
    """E[min(D, y)] after each step. By single units it is the sum of tails; larger steps take the closed form."""
    summed = np.concatenate(([0.0], np.cumsum(tail)))
    served = summed[1:] - summed[starts][row] if len(starts) else summed[1:]
    large = lots[row] > 1
    at = row[large]
    served[large] = expected_sales_of(rows.mean[at], rows.variance[at], below[large] + lots[at])
    return served
