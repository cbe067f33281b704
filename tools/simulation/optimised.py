"""Rules that solve a transport problem at every decision: by mean demand, over the full horizon, and ours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.demand import FloatArray
from tools.planning.flow import FlowArrays, Flows
from tools.planning.look_ahead import UNWANTED_WEIGHT
from tools.simulation.cycle import IntArray
from tools.simulation.lane_days import ship_by_lane_days
from tools.simulation.values import Blocks, Horizon, blocks, first_share, transport
from tools.simulation.view import View


@dataclass(frozen=True)
class Knobs:
    """What can differ between rules that solve a transport problem. As they are set here, they are the planner's.

    `near_periods`: how many periods beyond its lead time count as near to a receiver; one,
    where a decision is taken in every period. `unwanted_weight`: how much it counts that a
    unit may never be wanted; None looks at the near horizon alone. `caution`: by how much a
    transfer must earn more than its cost, and a lane by `lane_caution`, as the hurdle does
    that a policy sets for departures. `every_periods`: a decision is taken in the second
    period and then so often. Raises ValueError for values without a meaning.
    """

    near_periods: float = 1.0
    unwanted_weight: float | None = UNWANTED_WEIGHT
    caution: float = 0.0
    lane_caution: float = 0.0
    every_periods: int = 1

    def __post_init__(self) -> None:
        """Refuse knobs without a meaning."""
        if not self.near_periods > 0 or self.every_periods < 1:
            raise ValueError(f"near periods and the interval are positive: {self}")
        if min(self.caution, self.lane_caution) < 0:
            raise ValueError(f"caution is at least 0: {self}")
        if self.unwanted_weight is not None and not 0 < self.unwanted_weight <= 1:
            raise ValueError(f"the weight of an unwanted unit lies above 0 and is at most 1: {self}")

    @property
    def horizon(self) -> Horizon:
        """How far ahead gains look."""
        return Horizon(self.near_periods, self.unwanted_weight)


NEAR_HORIZON = Knobs(near_periods=2.0, unwanted_weight=None)
"""The plain asymmetric horizon: lead time + 2 periods for receivers, all that remain for donors."""


@dataclass(frozen=True)
class Ours:
    """The planner's gains and losses, cautious costs; over lanes that cost money, slope scaling.

    What went from one site to another does not come back within the cycle.
    """

    knobs: Knobs = Knobs()

    def __call__(self, view: View) -> IntArray:
        """Units by SKU and lane."""
        if (view.period - 1) % self.knobs.every_periods:
            return _nothing(view)
        found = blocks(view, self.knobs.horizon)
        cost = view.cycle.move_cost * (1.0 + self.knobs.caution) + _lateness(view, self.knobs.horizon)
        if view.moved.any():
            cost = np.where(view.moved_back() > 0, np.inf, cost)
        arrays = transport(view, found, cost)
        if view.cycle.lanes.cost_days:
            lane_cost = view.cycle.lanes.day_cost * (1.0 + self.knobs.lane_caution)
            return _by_lane(view, arrays, ship_by_lane_days(arrays, lane_cost))
        return _by_lane(view, arrays, Flows(arrays).solve().packs)


@dataclass(frozen=True)
class FullHorizon:
    """The one-shot stochastic plan: gains and losses both until the regular supply; every period, or once in the middle."""

    once: bool = False

    def __call__(self, view: View) -> IntArray:
        """Units by SKU and lane."""
        if self.once and view.period != view.cycle.periods // 2:
            return _nothing(view)
        arrays = transport(view, blocks(view, Horizon(float("inf"))), view.cycle.move_cost)
        return _by_lane(view, arrays, Flows(arrays).solve().packs)


def mean_demand(view: View) -> IntArray:
    """A transport plan for mean demand: shortages below the mean, surpluses above it, each unit worth p + h."""
    mean = view.mean(0, view.remaining)
    short = np.maximum(np.ceil(mean - view.position), 0).astype(np.int64)
    spare = np.clip(np.floor(view.position - mean).astype(np.int64), 0, view.stock)
    return _by_lane(view, *_transported(view, short, spare))


def _transported(view: View, short: IntArray, spare: IntArray) -> tuple[FlowArrays, IntArray]:
    arrays = plain_transport(view, short, spare)
    return arrays, Flows(arrays).solve().packs


def plain_transport(view: View, short: IntArray, spare: IntArray) -> FlowArrays:
    """Shortages (K, S) against surpluses (K, S): p + h for each unit served, nothing lost at the donor."""
    worth = np.broadcast_to((view.cycle.lost_cost + view.cycle.left_cost)[:, None, None], (*short.shape, 1))
    found = Blocks(short[:, :, None], worth, spare[:, :, None], np.zeros((*spare.shape, 1)))
    return transport(view, found, view.cycle.move_cost)


def _lateness(view: View, horizon: Horizon) -> FloatArray:
    """(K, L): what the first unit is worth less on a lane that is slower than the fastest into its destination."""
    cycle = view.cycle
    lead = cycle.lanes.lead_time_periods
    slower = lead > cycle.site_lead_periods[cycle.lanes.destination]
    charge = np.zeros((cycle.skus, len(cycle.lanes)))
    if not slower.any():
        return charge
    worth = (cycle.lost_cost + cycle.left_cost)[:, None]
    soonest = first_share(view, horizon, cycle.site_lead_periods.astype(float))
    for each in np.unique(lead[slower]):
        later = first_share(view, horizon, np.full(cycle.sites, float(each)))
        on = slower & (lead == each)
        charge[:, on] = (worth * np.maximum(soonest - later, 0.0))[:, cycle.lanes.destination[on]]
    return charge


def _by_lane(view: View, arrays: FlowArrays, packs: IntArray) -> IntArray:
    sent = _nothing(view)
    sent[arrays.arc_sku, arrays.arc_lane] = packs
    return sent


def _nothing(view: View) -> IntArray:
    return np.zeros((view.cycle.skus, len(view.cycle.lanes)), dtype=np.int64)
