"""The independent evaluator: what a set of moves is worth, computed again from the facts and the moves alone.

It trusts neither solver nor llm nor editor. Where the solver's side uses closed
forms of the negative binomial over arrays, this module sums the probability mass
function directly; a fault in either shows as a difference. Money is in minor units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from tools.demand import POISSON_BELOW, DemandView, FloatArray, WindowDemand
from tools.inventory import LaneKey, SiteSku, Sku, Snapshot
from tools.money import e4_per_minor
from tools.planning.breaches import Breach, departure_key, departure_of, find_breaches, move_breaches
from tools.planning.calendar import DepartureKey
from tools.planning.limits import Limits
from tools.planning.look_ahead import LATER_WEIGHT, UNWANTED_WEIGHT
from tools.planning.solution import Move
from tools.positions import projected_units
from tools.transfers import PlanRequest


@dataclass(frozen=True, slots=True)
class MoveValue:
    """What one move earns after its own costs, in the order of the plan: the parts add up to the whole."""

    saving: float
    move_cost: float
    whole_horizon_saving: float


@dataclass(frozen=True)
class Evaluation:
    """`objective` counts hurdles and lateness as the solver does; `saving` is what people are told.

    saving = sum of move savings - sum of departures' fixed costs.
    """

    objective: float
    saving: float
    whole_horizon_saving: float
    moves: tuple[MoveValue, ...]
    fixed_costs: dict[DepartureKey, float]
    breaches: tuple[Breach, ...]

    @property
    def priced(self) -> bool:
        """Whether every move could be valued: none is on a lane, or of a SKU, that is not known or does not depart."""
        return not any(breach.code in _WORTHLESS for breach in self.breaches)


_WORTHLESS = frozenset(("unknown_lane", "unknown_sku", "never_departs", "departure_gone"))


def evaluate(snapshot: Snapshot, limits: Limits, request: PlanRequest, moves: Sequence[Move]) -> Evaluation:
    """Value the moves and re-check every constraint. Moves on unknown lanes or SKUs are breaches and worth nothing."""
    breaches = find_breaches(snapshot, limits, request, moves)
    if any(breach.code in _WORTHLESS for breach in breaches):
        return Evaluation(0.0, 0.0, 0.0, tuple(MoveValue(0.0, 0.0, 0.0) for _ in moves), {}, breaches)
    books = _Books(snapshot, limits, request)
    values = tuple(books.enter(move) for move in moves)
    per_minor = e4_per_minor(snapshot.currency)
    used = sorted({departure_key(snapshot, limits, move) for move in moves})
    fixed = {key: snapshot.lane_by_key[key.lane].cost_fixed_e4 / per_minor for key in used}
    departures = sum(fixed.values())
    saving = sum(value.saving for value in values) - departures
    hurdles = len(values) * limits.line_hurdle_minor + len(fixed) * limits.lane_hurdle_minor
    return Evaluation(
        objective=hurdles - saving,
        saving=saving,
        whole_horizon_saving=sum(value.whole_horizon_saving for value in values) - departures,
        moves=values,
        fixed_costs=fixed,
        breaches=breaches,
    )


class _Books:
    """Positions as the moves change them, one move after the other."""

    def __init__(self, snapshot: Snapshot, limits: Limits, request: PlanRequest) -> None:
        self._snapshot = snapshot
        self._limits = limits
        self._request = request
        self._view = DemandView.of(snapshot, limits.default_horizon_days)
        self._per_minor = e4_per_minor(snapshot.currency)
        self._sent: dict[SiteSku, int] = {}
        self._received: dict[SiteSku, int] = {}
        self._soonest: dict[SiteSku, int | None] = {}
        self._lost: dict[tuple[SiteSku, int, int], LostSales] = {}
        self._projected: dict[tuple[SiteSku, int], int] = {}
        self._lanes_to: dict[str, list[tuple[int, LaneKey]]] = {}
        for lane in snapshot.lanes:
            departure = departure_of(snapshot, limits, lane.key)
            if departure is not None:
                self._lanes_to.setdefault(lane.destination, []).append((departure.days_until_arrival, lane.key))
        for lanes in self._lanes_to.values():
            lanes.sort()

    def enter(self, move: Move) -> MoveValue:
        """Book the move and say what it earned, given the moves before it."""
        sku, lane = self._snapshot.sku_by_id[move.sku_id], self._snapshot.lane_by_key[move.lane]
        origin, destination = SiteSku(lane.origin, sku.sku_id), SiteSku(lane.destination, sku.sku_id)
        arrival = departure_of(self._snapshot, self._limits, move.lane, move.depart_on)
        assert arrival is not None  # noqa: S101  evaluate() has refused such moves
        day = arrival.days_until_arrival
        had, gone = self._received.get(destination, 0), self._sent.get(origin, 0)
        soonest = self._soonest_arrival(destination)
        first = day if soonest is None else min(day, soonest)
        gain = sum(self._gain(destination, sku, first, had + n) for n in range(1, move.packs + 1))
        loss = sum(self._loss(origin, sku, gone + n) for n in range(1, move.packs + 1))
        late = 0.0
        if day > first:
            late = max(0.0, self._gain(destination, sku, first, 1) - self._gain(destination, sku, day, 1))
        self._received[destination], self._sent[origin] = had + move.packs, gone + move.packs
        units = move.packs * sku.pack_size
        litres = units * sku.unit_volume_microlitres / 1e6
        freight = (units * lane.cost_per_unit_e4 + litres * lane.cost_per_litre_e4) / self._per_minor
        cost = freight + self._limits.line_charge_minor
        whole = self._whole_horizon(origin, destination, sku, (gone, had, move.packs), day)
        return MoveValue(gain - loss - cost - move.packs * late, cost, whole - cost)

    def _gain(self, key: SiteSku, sku: Sku, day: int, n: int) -> float:
        """What the n-th pack received is worth now when it arrives on `day`, though a later one could help as well.

        In odds: what is wanted soon, against that and what waiting spares (see `look_ahead`).
        """
        supply = self._view.horizon_days(key)
        chance = day + self._limits.review_interval_days
        if chance >= supply:
            return self._gain_until(key, sku, day, n, supply)
        soon = self._sold(key, sku, day, n, chance) / sku.pack_size
        far = max(self._sold(key, sku, day, n, supply) / sku.pack_size, soon)
        spared = UNWANTED_WEIGHT * (1 - far) + LATER_WEIGHT * (far - soon)
        share = min(far, soon / (soon + spared))
        lost_e4, left_e4 = self._costs_e4(key)
        worth = sku.pack_size * ((lost_e4 + left_e4) * share - left_e4) / self._per_minor
        return worth + self._shown(key, (n - 1) * sku.pack_size, n * sku.pack_size)

    def _sold(self, key: SiteSku, sku: Sku, day: int, n: int, end: int) -> float:
        """Units of the n-th pack received on `day` that are expected to sell before `end`."""
        position, more, all_of_it = self._position(key, end), (n - 1) * sku.pack_size, n * sku.pack_size
        whole = self._lost_in(key, 0, end)
        sold = whole.at(position + more) - whole.at(position + all_of_it)
        if day > 0:
            rest = self._lost_in(key, day, end)
            sold = min(sold, rest.at(more) - rest.at(all_of_it))
        return min(max(sold, 0.0), sku.pack_size)

    def _gain_until(self, key: SiteSku, sku: Sku, day: int, n: int, end: int) -> float:
        position = self._position(key, end)
        before, after = position + (n - 1) * sku.pack_size, position + n * sku.pack_size
        whole = self._lost_in(key, 0, end)
        saved = self._cost(whole, key, before) - self._cost(whole, key, after)
        if day > 0:
            rest = self._lost_in(key, day, end)
            saved = min(saved, self._cost(rest, key, before - position) - self._cost(rest, key, after - position))
        return saved + self._shown(key, (n - 1) * sku.pack_size, n * sku.pack_size)

    def _loss(self, key: SiteSku, sku: Sku, n: int) -> float:
        """What the n-th pack sent costs; never less than what the site itself would gain from a first pack.

        What a unit earns by leaving in time comes off after that.
        """
        soonest = self._soonest_arrival(key)
        own = self._gain(key, sku, soonest, 1) if soonest is not None else -math.inf
        return max(self._plain_loss(key, sku, n), own) - self._left(key, sku)

    def _plain_loss(self, key: SiteSku, sku: Sku, n: int) -> float:
        end = self._view.horizon_days(key)
        position = self._position(key, end)
        demand = self._lost_in(key, 0, end)
        after, before = position - n * sku.pack_size, position - (n - 1) * sku.pack_size
        missed = self._cost(demand, key, after) - self._cost(demand, key, before)
        return missed + self._shown(key, -n * sku.pack_size, -(n - 1) * sku.pack_size)

    def _shown(self, key: SiteSku, before: int, after: int) -> float:
        """What a soft minimum display saves when the change of the available units goes from `before` to `after`."""
        display = self._limits.displays.get(key)
        if display is None:
            return 0.0
        position = self._snapshot.position_by_key.get(key)
        there = max(position.on_hand_units - position.reserved_units, 0) if position else 0
        short = [max(display.units - there - change, 0) for change in (before, after)]
        return (short[0] - short[1]) * display.shortfall_e4 / self._per_minor

    def _left(self, key: SiteSku, sku: Sku) -> float:
        """What a pack earns by not being there any more when the SKU ends at the site."""
        return self._limits.leave_e4.get(key, 0) * sku.pack_size / self._per_minor

    def _whole_horizon(
        self, origin: SiteSku, destination: SiteSku, sku: Sku, booked: tuple[int, int, int], day: int
    ) -> float:
        gone, had, packs = booked
        end = self._view.horizon_days(destination)
        gain = sum(self._gain_until(destination, sku, day, had + n, end) for n in range(1, packs + 1))
        loss = sum(self._plain_loss(origin, sku, gone + n) for n in range(1, packs + 1))
        return gain - loss + packs * self._left(origin, sku)

    def _position(self, key: SiteSku, end: int) -> int:
        """Projected units, looked up once for each day: every pack asks again."""
        found = self._projected.get((key, end))
        if found is None:
            found = self._projected[key, end] = projected_units(self._snapshot, key, end)
        return found

    def _lost_in(self, key: SiteSku, first: int, end: int) -> LostSales:
        """What is lost of the demand on days first..end-1, worked out once for each window."""
        found = self._lost.get((key, first, end))
        if found is None:
            found = self._lost[key, first, end] = lost_sales(self._view.window(key, first, end))
        return found

    def _cost(self, demand: LostSales, key: SiteSku, y: int) -> float:
        """C(y) = p E[max(D - y, 0)] + h E[max(y - D, 0)], with the p and h of the site."""
        lost = demand.at(y)
        left = y - demand.mean + lost
        lost_e4, left_e4 = self._costs_e4(key)
        return (lost_e4 * lost + left_e4 * left) / self._per_minor

    def _costs_e4(self, key: SiteSku) -> tuple[int, int]:
        """What a unit lost and a unit left over cost at the site."""
        lost_e4 = self._limits.lost_at_e4.get(key, self._limits.lost_unit_e4[key.sku_id])
        return lost_e4, self._limits.leftover_at_e4.get(key, self._limits.leftover_unit_e4[key.sku_id])

    def _soonest_arrival(self, key: SiteSku) -> int | None:
        """The first day on which any permitted lane could bring the SKU, if that is before the regular supply."""
        if key not in self._soonest:
            horizon = self._view.horizon_days(key)
            self._soonest[key] = next(
                (days for days, lane in self._lanes_to.get(key.site_id, ()) if days < horizon and self._may(lane, key)),
                None,
            )
        return self._soonest[key]

    def _may(self, lane: LaneKey, key: SiteSku) -> bool:
        """Whether the lane may bring the SKU, in some number of packs."""
        sku = self._snapshot.sku_by_id[key.sku_id]
        move = Move(lane, sku.sku_id, -(-sku.min_transfer_units // sku.pack_size))
        found = move_breaches(self._snapshot, self._limits, self._request, move)
        return all(breach.code == "units_per_line" for breach in found)


@dataclass(frozen=True)
class LostSales:
    """E[max(D - y, 0)] for one demand, as sums of the probability mass: P(D > t) added up over t >= y."""

    mean: float
    least: int
    lost: FloatArray

    def at(self, y: int) -> float:
        """Expected units lost with `y` units in stock (a negative `y` is demand that is owed already)."""
        if self.mean <= 0 or y <= 0:
            return max(self.mean - y, 0.0)
        if y < self.least:
            return self.mean - y
        return float(self.lost[y - self.least]) if y - self.least < len(self.lost) else 0.0


@lru_cache(maxsize=65_536)
def lost_sales(demand: WindowDemand) -> LostSales:
    """Everything within 12 standard deviations of the mean, and the geometric tail of the distribution beyond."""
    mean, phi = demand.mean, demand.dispersion
    if mean <= 0:
        return LostSales(0.0, 0, np.zeros(0))
    spread = 12 * math.sqrt(mean * phi) + 45 * phi + 60
    least = max(0, math.floor(mean - spread))
    counts = np.arange(least, math.ceil(mean + spread) + 1, dtype=np.float64)
    if phi <= POISSON_BELOW:
        logs = counts * math.log(mean) - mean - special.gammaln(counts + 1)
    else:
        size = mean / (phi - 1)
        binomial = special.gammaln(counts + size) - special.gammaln(size) - special.gammaln(counts + 1)
        logs = binomial - size * math.log(phi) + counts * math.log1p(-1 / phi)
    at_least = np.cumsum(np.exp(logs)[::-1])[::-1]
    above = np.append(at_least[1:], 0.0)
    return LostSales(mean, least, np.cumsum(above[::-1])[::-1])
