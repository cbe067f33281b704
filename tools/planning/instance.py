"""From facts to the numbers of the optimisation: pack gains, pack losses, arcs, and exact pruning.

Notation: the receiver's gain of its n-th pack and the donor's loss of its n-th
pack are differences of the expected cost

    C(y) = p E[max(D - y, 0)] + h E[max(y - D, 0)]

which is convex in the position y, so gains fall and losses rise with n. The two
ends use different horizons: a receiver counts demand only until the next decision
could still help it (arrival + review interval), a donor until its regular supply.
Planning with one long horizon at both ends churns stock; see docs/decisions/0004.

All money here is float in minor units; integers come back when the plan is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from tools.demand import DemandView, expected_sales
from tools.inventory import MICROLITRES_PER_LITRE, Lane, LaneKey, SiteSku, Sku, Snapshot
from tools.money import e4_per_minor
from tools.planning.calendar import Departure
from tools.planning.limits import Limits
from tools.planning.scope import Reach
from tools.positions import available_units, projected_units
from tools.transfers import PlanRequest

TOLERANCE = 1e-9
_SEGMENTS_MAX = 4096
"""More packs than this at one site-SKU are cut off; a plan that would need more is far beyond a truck."""


@dataclass(frozen=True)
class Node:
    """A site-SKU with what each further pack received gains (falling) and each pack sent loses (rising)."""

    key: SiteSku
    gains: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class Arc:
    """A SKU on a lane. Costs are per pack; `late` prices the demand that a faster lane would still have served."""

    sku: Sku
    lane: Lane
    departure: Departure
    move_cost: float
    late: float
    packs_min: int
    packs_max: int

    @property
    def origin(self) -> SiteSku:
        """The sending site-SKU."""
        return SiteSku(self.lane.origin, self.sku.sku_id)

    @property
    def destination(self) -> SiteSku:
        """The receiving site-SKU."""
        return SiteSku(self.lane.destination, self.sku.sku_id)


@dataclass(frozen=True)
class Instance:
    """What the solver sees. Nodes and arcs are sorted by id and hold only what some optimum may use."""

    nodes: dict[SiteSku, Node]
    arcs: tuple[Arc, ...]
    departures: dict[LaneKey, Departure]
    arcs_considered: int


def fixed_cost(lane: Lane, currency: str) -> float:
    """What one departure of the lane costs, in minor units."""
    return lane.cost_fixed_e4 / e4_per_minor(currency)


def pack_move_cost(sku: Sku, lane: Lane, currency: str) -> float:
    """Freight for one pack of the SKU on the lane, in minor units, without the departure's fixed cost."""
    per_unit_e4 = lane.cost_per_unit_e4 + lane.cost_per_litre_e4 * sku.unit_volume_microlitres / MICROLITRES_PER_LITRE
    return sku.pack_size * per_unit_e4 / e4_per_minor(currency)


class ValueOfPacks:
    """Gains and losses by pack for the site-SKUs of one snapshot."""

    def __init__(self, snapshot: Snapshot, limits: Limits) -> None:
        self._snapshot = snapshot
        self._limits = limits
        self._view = DemandView(snapshot, limits.default_horizon_days)
        self._per_minor = e4_per_minor(snapshot.currency)

    def horizon_days(self, key: SiteSku) -> int:
        """Days until the regular supply."""
        return self._view.horizon_days(key)

    def gains(self, key: SiteSku, sku: Sku, arrival_day: int, packs: int) -> tuple[float, ...]:
        """The gain of each of the first `packs` packs that arrive on `arrival_day`.

        A pack that arrives after some demand has passed cannot serve it, so its gain
        is at most what it earns against the demand from its arrival on.
        """
        horizon = min(arrival_day + self._limits.review_interval_days, self.horizon_days(key))
        steps = np.arange(packs + 1, dtype=np.int64) * sku.pack_size
        position = projected_units(self._snapshot, key, horizon)
        served = np.diff(expected_sales(self._view.window(key, 0, horizon), position + steps))
        if arrival_day > 0:
            after_arrival = np.diff(expected_sales(self._view.window(key, arrival_day, horizon), steps))
            served = np.minimum(served, after_arrival)
        return tuple((self._worth(sku) * served - self._leftover(sku) * sku.pack_size).tolist())

    def worths(self, key: SiteSku, sku: Sku, first_gain: float, packs: int) -> tuple[float, ...]:
        """Minus the loss of each of the first `packs` packs sent: falls with every pack.

        A loss is never below the site's own first gain, else a site would both send and receive.
        """
        horizon = self.horizon_days(key)
        steps = np.arange(packs + 1, dtype=np.int64) * sku.pack_size
        position = projected_units(self._snapshot, key, horizon)
        missed = -np.diff(expected_sales(self._view.window(key, 0, horizon), position - steps))
        loss = self._worth(sku) * missed - self._leftover(sku) * sku.pack_size
        return tuple((-np.maximum(loss, first_gain)).tolist())

    def _worth(self, sku: Sku) -> float:
        """A unit that is sold saves the lost sale and the leftover: p + h."""
        return self._limits.lost_unit_e4[sku.sku_id] / self._per_minor + self._leftover(sku)

    def _leftover(self, sku: Sku) -> float:
        return self._limits.leftover_unit_e4[sku.sku_id] / self._per_minor


def build_instance(snapshot: Snapshot, limits: Limits, request: PlanRequest) -> Instance:
    """The pruned instance: nodes and arcs that an optimal plan may use, and no others that can be told apart cheaply."""
    reach = Reach(snapshot, limits, request)
    values = ValueOfPacks(snapshot, limits)
    lanes = [(snapshot.lane_by_key[key], departure) for key, departure in reach.departures.items()]
    arcs: list[Arc] = []
    nodes: dict[SiteSku, Node] = {}
    considered = 0
    for sku in reach.skus:
        open_lanes = [(lane, departure) for lane, departure in lanes if reach.why_not(sku, lane) is None]
        considered += len(open_lanes)
        sku_nodes, sku_arcs = _of_one_sku(sku, open_lanes, reach, values)
        nodes.update(sku_nodes)
        arcs.extend(sku_arcs)
    return Instance(nodes, tuple(arcs), reach.departures, considered)


def _of_one_sku(
    sku: Sku, open_lanes: list[tuple[Lane, Departure]], reach: Reach, values: ValueOfPacks
) -> tuple[dict[SiteSku, Node], list[Arc]]:
    """Nodes and arcs of one SKU. Most lanes fall away on the first pack alone, before any curve is computed."""
    soonest = _soonest_arrival(sku, open_lanes, values)
    first_gain = {key: values.gains(key, sku, day, 1)[0] for key, day in soonest.items()}
    sendable = {
        SiteSku(lane.origin, sku.sku_id): sendable_packs(reach, SiteSku(lane.origin, sku.sku_id), sku)
        for lane, _ in open_lanes
    }
    first_loss = {
        key: -values.worths(key, sku, first_gain.get(key, -np.inf), 1)[0]
        for key, packs in sendable.items()
        if packs > 0
    }
    arcs: list[Arc] = []
    for lane, departure in open_lanes:
        origin, destination = SiteSku(lane.origin, sku.sku_id), SiteSku(lane.destination, sku.sku_id)
        if origin not in first_loss or destination not in first_gain:
            continue
        if departure.days_until_arrival >= values.horizon_days(destination):
            continue
        move = pack_move_cost(sku, lane, reach.snapshot.currency)
        margin = first_gain[destination] - first_loss[origin] - move
        if margin <= TOLERANCE:
            continue
        late = 0.0
        if departure.days_until_arrival > soonest[destination]:
            here = values.gains(destination, sku, departure.days_until_arrival, 1)[0]
            late = max(0.0, first_gain[destination] - here)
        limit = _line_limit(sku, sendable[origin], destination, reach)
        packs_min = -(-sku.min_transfer_units // sku.pack_size)
        if margin - late > TOLERANCE and limit >= packs_min:
            arcs.append(Arc(sku, lane, departure, move, late, packs_min, limit))
    return _curves(sku, arcs, soonest, sendable, first_gain, (reach, values)), arcs


def _soonest_arrival(sku: Sku, open_lanes: list[tuple[Lane, Departure]], values: ValueOfPacks) -> dict[SiteSku, int]:
    """For each receiver the day on which the fastest open lane arrives, where that is before its regular supply."""
    soonest: dict[SiteSku, int] = {}
    for lane, departure in open_lanes:
        key = SiteSku(lane.destination, sku.sku_id)
        day = departure.days_until_arrival
        if day < values.horizon_days(key):
            soonest[key] = min(day, soonest.get(key, day))
    return soonest


def sendable_packs(reach: Reach, key: SiteSku, sku: Sku) -> int:
    """Whole packs that may leave: available units less what policy protects, within the request's cap."""
    units = available_units(reach.snapshot, key) - reach.limits.protected_units.get(key, 0)
    cap = reach.send_cap(key)
    if cap is not None:
        units = min(units, cap)
    return min(max(units, 0) // sku.pack_size, _SEGMENTS_MAX)


def _line_limit(sku: Sku, sendable: int, destination: SiteSku, reach: Reach) -> int:
    limit = sendable
    for units in (reach.limits.line_units_max, reach.receive_cap(destination)):
        if units is not None:
            limit = min(limit, units // sku.pack_size)
    return limit


def _curves(
    sku: Sku,
    arcs: list[Arc],
    soonest: dict[SiteSku, int],
    sendable: dict[SiteSku, int],
    first_gain: dict[SiteSku, float],
    of: tuple[Reach, ValueOfPacks],
) -> dict[SiteSku, Node]:
    """Gain and loss curves as far as they can matter.

    A receiver's n-th pack matters while it gains more than the cheapest pack it could
    get costs; a donor's while it loses less than the best receiver would pay. A least
    quantity may force up to `packs_min - 1` packs beyond that point.
    """
    reach, values = of
    best_price: dict[SiteSku, float] = {}
    best_offer: dict[SiteSku, float] = {}
    intake: dict[SiteSku, int] = {}
    first_loss: dict[SiteSku, float] = {}
    for arc in arcs:
        if arc.origin not in first_loss:
            first_loss[arc.origin] = -values.worths(arc.origin, sku, first_gain.get(arc.origin, -np.inf), 1)[0]
        cost = arc.move_cost + arc.late
        price = first_loss[arc.origin] + cost
        offer = first_gain[arc.destination] - cost
        best_price[arc.destination] = min(price, best_price.get(arc.destination, price))
        best_offer[arc.origin] = max(offer, best_offer.get(arc.origin, offer))
        intake[arc.destination] = min(intake.get(arc.destination, 0) + arc.packs_max, _SEGMENTS_MAX)
        cap = reach.receive_cap(arc.destination)
        if cap is not None:
            intake[arc.destination] = min(intake[arc.destination], cap // sku.pack_size)
    spare = max((arc.packs_min for arc in arcs), default=1) - 1
    gains = {
        key: _while_useful(partial(values.gains, key, sku, soonest[key]), intake[key], price, spare)
        for key, price in best_price.items()
    }
    worths = {
        key: _while_useful(partial(values.worths, key, sku, first_gain.get(key, -np.inf)), sendable[key], -offer, spare)
        for key, offer in best_offer.items()
    }
    return {
        key: Node(key, gains.get(key, ()), tuple(-worth for worth in worths.get(key, ())))
        for key in sorted(gains.keys() | worths.keys())
    }


def _while_useful(
    curve: Callable[[int], tuple[float, ...]], most: int, threshold: float, spare: int
) -> tuple[float, ...]:
    """The falling curve's values above `threshold`, and `spare` more, looking at twice as many packs each time.

    Only a value at or below the threshold shows that the useful ones have ended.
    """
    packs = min(16, most)
    while True:
        values = curve(packs)
        useful = sum(value > threshold + TOLERANCE for value in values)
        if useful + max(spare, 1) <= packs or packs >= most:
            return tuple(values[: useful + spare])
        packs = min(packs * 2, most)
