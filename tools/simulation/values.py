"""What units are worth where: falling gains of receivers and rising losses of donors, in blocks of units.

A plan that may be made again next period must not give away today what it can still give
then. So a receiver's gain looks less far ahead than a donor's loss, which counts all
demand until the regular supply. Let far(n) be the probability that the receiver's n-th
unit is wanted before the regular supply, and near(n) that it is wanted before a transfer
of the next period could arrive.

- Look-ahead, as the planner does it: the gain is the share of p + h that
  `tools.planning.look_ahead` makes of both, with its own formula and weights.
- Near horizon, for comparison: the gain is (p + h) near(n), with "near" stretched by a knob.

The leftover cost h cancels between both ends. With a lead time a unit serves only demand
from its arrival on, which caps both chances. Neighbouring units are put into blocks and
valued in the middle, so that fast movers need no more work than slow ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.demand import FloatArray
from tools.planning.flow import FlowArrays
from tools.planning.look_ahead import share_worth
from tools.simulation.cycle import BoolArray, IntArray
from tools.simulation.tails import survival
from tools.simulation.view import View

BLOCKS = 32
SPREAD = 4.0
"""Beyond so many standard deviations from the mean a unit is surely wanted, or surely not."""
VARIANCE_MIN = 0.3
PAYS = 1e-9


@dataclass(frozen=True)
class Horizon:
    """How far ahead gains look.

    `near_periods` beyond the lead time count as near, fractions allowed; infinite looks to
    the end. `unwanted_weight`, above 0 and at most 1, says how much it counts that a unit
    may never be wanted; None values a unit by its near chance alone.
    """

    near_periods: float
    unwanted_weight: float | None = None


@dataclass(frozen=True)
class Blocks:
    """(K, S, B): widths in units and money per unit of each block; within a site gains fall and losses rise."""

    receive_units: IntArray
    receive_gain: FloatArray
    send_units: IntArray
    send_loss: FloatArray


def blocks(view: View, horizon: Horizon) -> Blocks:
    """The blocks of every SKU and site at this moment."""
    worth = (view.cycle.lost_cost + view.cycle.left_cost)[:, None, None]
    receive_units, share = _receiving(view, horizon)
    gain = worth * share
    send_units, share = _sending(view)
    # With a level that is itself uncertain a longer horizon can have a thinner tail; no unit may go in a circle.
    first = np.where(receive_units > 0, gain, 0.0).max(axis=2, keepdims=True)
    loss = np.maximum(worth * share, first)
    return Blocks(receive_units, gain, send_units, loss)


def near_periods(view: View, horizon: Horizon, lead_periods: FloatArray) -> FloatArray:
    """(S,): how many periods ahead the near chance of a unit looks that arrives after so many."""
    ahead: FloatArray = np.minimum(lead_periods + horizon.near_periods, float(view.remaining))
    return ahead


def chance(horizon: Horizon, near: FloatArray, far: FloatArray) -> FloatArray:
    """What share of a lost sale a unit received is worth, from its near and far chances."""
    if horizon.unwanted_weight is None:
        return near
    return share_worth(near, far, horizon.unwanted_weight)


def first_share(view: View, horizon: Horizon, lead_periods: FloatArray) -> FloatArray:
    """(K, S): what share of a lost sale a site's first unit is worth that arrives after so many periods, (S,)."""
    first = view.position[:, :, None].astype(float)
    near = _Want.until(view, near_periods(view, horizon, lead_periods), lead_periods).chance(first)
    if horizon.unwanted_weight is None:
        return near[:, :, 0]
    end = np.full(view.cycle.sites, float(view.remaining))
    return chance(horizon, near, _Want.until(view, end, lead_periods).chance(first))[:, :, 0]


def _receiving(view: View, horizon: Horizon) -> tuple[IntArray, FloatArray]:
    position = view.position.astype(float)
    lead = view.cycle.site_lead_periods.astype(float)
    near = _Want.until(view, near_periods(view, horizon, lead), lead)
    far = near
    if horizon.unwanted_weight is not None:
        far = _Want.until(view, np.full(len(near.end), float(view.remaining)), lead)
    low = np.maximum(position, np.minimum(near.low, far.low))
    high = np.maximum(far.high, low)
    step = np.maximum(np.ceil((high - low) / (BLOCKS - 1)), 1.0)
    inner = np.minimum(low[:, :, None] + step[:, :, None] * np.arange(BLOCKS), high[:, :, None])
    edges = np.concatenate((position[:, :, None], inner), axis=2)
    middle = (edges[:, :, 1:] + edges[:, :, :-1] - 1.0) / 2.0
    near_chance = near.chance(middle)
    share = chance(horizon, near_chance, near_chance if far is near else far.chance(middle))
    return np.diff(edges, axis=2).astype(np.int64), share


@dataclass(frozen=True)
class _Want:
    """Demand at the receivers until `end` (S,): of all of it, and of the part that a transfer is in time for; (K, S)."""

    position: FloatArray
    end: FloatArray
    mean: FloatArray
    ratio: FloatArray
    late_mean: FloatArray | None

    @classmethod
    def until(cls, view: View, end: FloatArray, lead: FloatArray) -> _Want:
        mean = view.mean(0, end)
        late = view.mean(np.minimum(lead, end), end) if lead.any() else None
        return cls(view.position.astype(float), end, mean, view.dispersion(mean), late)

    @property
    def low(self) -> FloatArray:
        """Stock up to which one more unit is surely wanted."""
        low, _ = _range(self.mean, self.ratio)
        return low if self.late_mean is None else np.minimum(low, self.position + _range(self.late_mean, self.ratio)[0])

    @property
    def high(self) -> FloatArray:
        """Stock from which one more unit is surely not wanted."""
        _, high = _range(self.mean, self.ratio)
        return (
            high if self.late_mean is None else np.minimum(high, self.position + _range(self.late_mean, self.ratio)[1])
        )

    def chance(self, y: FloatArray) -> FloatArray:
        """(K, S, B): the probability that the unit above stock `y` is wanted, and is in time for it."""
        wanted = survival(self.mean[:, :, None], self.ratio[:, :, None], y)
        if self.late_mean is None:
            return wanted
        beyond = y - self.position[:, :, None]
        return np.minimum(wanted, survival(self.late_mean[:, :, None], self.ratio[:, :, None], beyond))


def _sending(view: View) -> tuple[IntArray, FloatArray]:
    position = view.position.astype(float)
    mean = view.mean(0, view.remaining)
    ratio = view.dispersion(mean)
    low, high = _range(mean, ratio)
    least = position - view.stock
    high = np.clip(high, least, position)
    low = np.clip(low, least, high)
    step = np.maximum(np.ceil((high - low) / (BLOCKS - 1)), 1.0)
    inner = np.maximum(high[:, :, None] - step[:, :, None] * np.arange(BLOCKS), low[:, :, None])
    edges = np.concatenate((position[:, :, None], inner), axis=2)
    units = -np.diff(edges, axis=2)
    middle = (edges[:, :, 1:] + edges[:, :, :-1] - 1.0) / 2.0
    return units.astype(np.int64), survival(mean[:, :, None], ratio[:, :, None], middle)


def _range(mean: FloatArray, ratio: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Stock levels between which one more unit may or may not be wanted."""
    spread = SPREAD * np.sqrt(np.maximum(ratio * mean, VARIANCE_MIN))
    return np.maximum(np.floor(mean - spread), 0.0), np.maximum(np.ceil(mean + spread), 1.0)


def transport(view: View, found: Blocks, cost: FloatArray) -> FlowArrays:
    """The transport problems of all SKUs over the lanes, (K, L) money per unit; only arcs and blocks that can pay."""
    cycle = view.cycle
    first_gain, first_loss = _firsts(found)
    margin = first_gain[:, cycle.lanes.destination] - first_loss[:, cycle.lanes.origin] - cost
    arcs = (margin > PAYS) & cycle.usable_lanes(view.period)
    sku, lane = np.nonzero(arcs)
    sends, receives = _ends(view, arcs)
    send = _chosen(found.send_units, sends)
    receive = _chosen(found.receive_units, receives)
    origin = cycle.lanes.origin[lane]
    return FlowArrays(
        skus=cycle.skus, sites=cycle.sites, lanes=len(cycle.lanes), arc_sku=sku, arc_origin=origin,
        arc_destination=cycle.lanes.destination[lane], arc_lane=lane, arc_most=view.stock[sku, origin],
        arc_cost=cost[sku, lane], send_sku=send[0], send_site=send[1], send_packs=found.send_units[send],
        send_loss=found.send_loss[send], receive_sku=receive[0], receive_site=receive[1],
        receive_packs=found.receive_units[receive], receive_gain=found.receive_gain[receive],
    )  # fmt: skip


def _firsts(found: Blocks) -> tuple[FloatArray, FloatArray]:
    """(K, S) each: gain of the first unit received and loss of the first unit sent, or nothing that pays."""
    gain = np.where(found.receive_units > 0, found.receive_gain, -np.inf).max(axis=2)
    loss = np.where(found.send_units > 0, found.send_loss, np.inf).min(axis=2)
    return gain, loss


def _ends(view: View, arcs: BoolArray) -> tuple[BoolArray, BoolArray]:
    """(K, S) each: sites where an arc starts, and where one ends."""
    lanes = view.cycle.lanes
    starts = np.zeros(view.stock.shape, dtype=np.int64)
    ends = np.zeros(view.stock.shape, dtype=np.int64)
    np.add.at(starts.T, lanes.origin, arcs.T)
    np.add.at(ends.T, lanes.destination, arcs.T)
    return starts > 0, ends > 0


def _chosen(units: IntArray, sites: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    sku, site, block = np.nonzero((units > 0) & sites[:, :, None])
    return sku, site, block
