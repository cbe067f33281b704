"""What a rule may see when it decides, and how the level of demand is learned from sales.

Per site-SKU the level is a Gamma-distributed factor on the forecast with mean 1 at
first (a Poisson-Gamma model; one overdispersed unit carries 1/dispersion of the
information of a Poisson unit). A period that ran out of stock below its forecast says
only "at least so much" and teaches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.demand import FloatArray
from tools.simulation.cycle import Cycle, IntArray

EXACT_DECIMALS = 6
"""Means are rounded so before floors and ceilings, so that 24.0000001 does not count as 25."""


@dataclass(frozen=True)
class Level:
    """Gamma(shape, rate) of the factor on the forecast, both (K, S)."""

    shape: FloatArray
    rate: FloatArray
    known: bool

    @classmethod
    def before(cls, cycle: Cycle) -> Level:
        """What is known before the cycle starts."""
        known = bool(np.isinf(cycle.level_prior))
        prior = np.full((cycle.skus, cycle.sites), 1.0 if known else cycle.level_prior)
        return cls(prior, prior, known)

    @property
    def factor(self) -> FloatArray:
        """(K, S): its mean."""
        mean: FloatArray = np.ones_like(self.shape) if self.known else self.shape / self.rate
        return mean

    @property
    def cv2(self) -> FloatArray:
        """(K, S): its squared coefficient of variation."""
        relative: FloatArray = np.zeros_like(self.shape) if self.known else 1.0 / self.shape
        return relative

    def after(self, forecast: FloatArray, sold: IntArray, left: IntArray, dispersion: FloatArray) -> Level:
        """What is known after a period with this forecast, these sales and this stock at its end; all (K, S)."""
        if self.known:
            return self
        tells = (left > 0) | (sold >= forecast)
        per_unit = dispersion[:, None]
        shape = np.where(tells, self.shape + sold / per_unit, self.shape)
        rate = np.where(tells, self.rate + forecast / per_unit, self.rate)
        return Level(shape, rate, known=False)


@dataclass(frozen=True)
class View:
    """The state at the start of `period`, after arrivals and before sales.

    `stock` (K, S) can leave; `position` (K, S) counts units in transit as well; `moved`
    (K, L) is what was sent in this cycle so far.
    """

    cycle: Cycle
    period: int
    stock: IntArray
    position: IntArray
    level: Level
    moved: IntArray

    @classmethod
    def at(cls, cycle: Cycle, period: int, stock: IntArray) -> View:
        """A state with nothing in transit, nothing moved and nothing learned yet."""
        moved = np.zeros((cycle.skus, len(cycle.lanes)), dtype=np.int64)
        return cls(cycle, period, stock, stock, Level.before(cycle), moved)

    @property
    def remaining(self) -> int:
        """Periods until the regular supply arrives."""
        return self.cycle.periods - self.period

    def mean(self, first: FloatArray | int, end: FloatArray | int) -> FloatArray:
        """(K, S): expected demand from `first` to `end` periods from here, scalars or (S,), fractions of periods allowed."""
        total = (self._before(end) - self._before(first)) * self.level.factor
        return np.round(np.maximum(total, 0.0), EXACT_DECIMALS).astype(np.float64)

    def dispersion(self, mean: FloatArray) -> FloatArray:
        """(K, S): variance-to-mean ratio of demand with this mean, the level's own uncertainty included."""
        ratio: FloatArray = self.cycle.dispersion[:, None] + self.level.cv2 * mean
        return ratio

    def moved_back(self) -> IntArray:
        """(K, L): units of this cycle that went the other way between the two ends of each lane."""
        lanes = self.cycle.lanes
        back: IntArray = moved_between(self.cycle, self.moved)[:, lanes.destination, lanes.origin]
        return back

    def _before(self, end: FloatArray | int) -> FloatArray:
        at = np.minimum(
            self.period + np.broadcast_to(np.asarray(end, dtype=float), self.cycle.sites), self.cycle.periods
        )
        whole = np.floor(at).astype(np.int64)
        part = at - whole
        cumulated = self.cycle.cumulated_forecast
        sites = np.arange(self.cycle.sites)
        low: FloatArray = cumulated[:, whole, sites]
        if not part.any():
            return low
        high = cumulated[:, np.minimum(whole + 1, self.cycle.periods), sites]
        between: FloatArray = low + part * (high - low)
        return between


def moved_between(cycle: Cycle, moved: IntArray) -> IntArray:
    """(K, S, S): units of each SKU that were `moved` (K, L), from row to column, over all lanes between the two."""
    total = np.zeros((cycle.sites * cycle.sites, cycle.skus), dtype=np.int64)
    np.add.at(total, cycle.lanes.origin * cycle.sites + cycle.lanes.destination, moved.T)
    return total.T.reshape(cycle.skus, cycle.sites, cycle.sites)
