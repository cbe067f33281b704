"""One order cycle of several SKUs on one network: what is known before it, and the demand that then comes.

The set-up is that of Meissner and Senicheva (2018), Approximate dynamic programming
for lateral transshipment problems in multi-location inventory systems, European
Journal of Operational Research 265(1): stock at the start, no regular supply until
the end, transfers in between. Money is in major units of any currency as floats,
because only sums and ratios leave the simulation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tools.demand import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Lanes:
    """Ways between sites, L of them. `lead_time_periods` counts from the decision to the arrival, approval included.

    `day_cost` (L,) is paid for each lane used in a period, all its SKUs together; zeros where lanes cost nothing.
    """

    origin: IntArray
    destination: IntArray
    lead_time_periods: IntArray
    day_cost: FloatArray

    def __post_init__(self) -> None:
        """Refuse lanes that lead nowhere. Raises ValueError."""
        lengths = {len(self.origin), len(self.destination), len(self.lead_time_periods), len(self.day_cost)}
        if len(lengths) != 1:
            raise ValueError(f"the columns of lanes have different lengths: {sorted(lengths)}")
        if (self.origin == self.destination).any():
            raise ValueError("a lane leads from a site to another one")
        if (self.lead_time_periods < 0).any() or (self.day_cost < 0).any():
            raise ValueError("lead times and lane costs are not negative")

    def __len__(self) -> int:
        """How many lanes there are."""
        return len(self.origin)

    @property
    def cost_days(self) -> bool:
        """Whether using a lane costs anything beyond the units."""
        return bool(self.day_cost.any())


@dataclass(frozen=True)
class Cycle:
    """K SKUs, T periods, S sites, L lanes.

    `demand` (K, T, S) is what customers will ask for, hidden from every rule; `forecast`
    (K, T, S) its mean as known beforehand, right in shape and uncertain in level;
    `dispersion` (K,) its variance-to-mean ratio; `stock` (K, S) units at the start.
    `lost_cost` (K,) is paid for each unit of demand lost, `left_cost` (K,) for each unit
    left at the end, `move_cost` (K, L) for each unit moved (infinite where a SKU may not
    travel). `level_prior` says how many periods' worth of knowledge the forecast's level
    carries; infinite when it is known. Raises ValueError for arrays that do not fit.
    """

    demand: IntArray
    forecast: FloatArray
    dispersion: FloatArray
    stock: IntArray
    lost_cost: FloatArray
    left_cost: FloatArray
    lanes: Lanes
    move_cost: FloatArray
    level_prior: float = float("inf")

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together."""
        skus, periods, sites = self.demand.shape
        expected = {
            "forecast": (skus, periods, sites),
            "dispersion": (skus,),
            "stock": (skus, sites),
            "lost_cost": (skus,),
            "left_cost": (skus,),
            "move_cost": (skus, len(self.lanes)),
        }
        for name, shape in expected.items():
            found = getattr(self, name).shape
            if found != shape:
                raise ValueError(f"{name} has shape {found}, expected {shape}")
        if len(self.lanes) and max(self.lanes.origin.max(), self.lanes.destination.max()) >= sites:
            raise ValueError(f"a lane names a site beyond the {sites} there are")
        if (self.demand < 0).any() or (self.stock < 0).any() or (self.forecast < 0).any():
            raise ValueError("demand, forecast and stock are not negative")
        if not self.level_prior > 0:
            raise ValueError(f"the level's prior is positive, not {self.level_prior}")

    @property
    def skus(self) -> int:
        """K."""
        return len(self.demand)

    @property
    def periods(self) -> int:
        """T."""
        return int(self.demand.shape[1])

    @property
    def sites(self) -> int:
        """S."""
        return int(self.demand.shape[2])

    @cached_property
    def site_lead_periods(self) -> IntArray:
        """(S,): the shortest lead time of the lanes into a site; 0 where none leads there."""
        least = np.full(self.sites, np.iinfo(np.int64).max)
        np.minimum.at(least, self.lanes.destination, self.lanes.lead_time_periods)
        return np.where(least == np.iinfo(np.int64).max, 0, least)

    @cached_property
    def lead_periods_max(self) -> int:
        """The longest lead time of any lane."""
        return int(self.lanes.lead_time_periods.max(initial=0))

    @cached_property
    def cumulated_forecast(self) -> FloatArray:
        """(K, T + 1, S): forecast of all periods before each."""
        before = np.zeros((self.skus, 1, self.sites))
        return np.concatenate((before, np.cumsum(self.forecast, axis=1)), axis=1)

    def usable_lanes(self, period: int) -> BoolArray:
        """(L,): lanes on which a unit sent at the start of `period` still arrives before the end."""
        usable: BoolArray = self.periods - period - self.lanes.lead_time_periods > 0
        return usable

    def only(self, skus: IntArray) -> Cycle:
        """The same cycle with some of its SKUs."""
        return replace(
            self, demand=self.demand[skus], forecast=self.forecast[skus], dispersion=self.dispersion[skus],
            stock=self.stock[skus], lost_cost=self.lost_cost[skus], left_cost=self.left_cost[skus],
            move_cost=self.move_cost[skus],
        )  # fmt: skip

    def delayed(self, periods: int) -> Cycle:
        """The same cycle when every transfer takes so many periods more, for instance to be approved."""
        lanes = replace(self.lanes, lead_time_periods=self.lanes.lead_time_periods + periods)
        return replace(self, lanes=lanes)

    def misjudged(self, factor: float) -> Cycle:
        """The same cycle when every forecast is `factor` times what it should be."""
        return replace(self, forecast=self.forecast * factor)


def complete_lanes(distance: FloatArray, lead_time_periods: int, day_cost: FloatArray | None = None) -> Lanes:
    """A lane for every ordered pair of sites, from their distances (S, S), by origin and destination.

    `day_cost` (S, S) is what a lane costs in each period it is used in.
    """
    origin, destination = np.nonzero(~np.eye(len(distance), dtype=bool))
    cost = np.zeros(len(origin)) if day_cost is None else day_cost[origin, destination]
    return Lanes(origin, destination, np.full(len(origin), lead_time_periods, dtype=np.int64), cost)
