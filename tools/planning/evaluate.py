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
from tools.planning.breaches import Breach, departure_of, find_breaches, move_breaches
from tools.planning.limits import Limits
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
    fixed_costs: dict[LaneKey, float]
    breaches: tuple[Breach, ...]

    @property
    def priced(self) -> bool:
        """Whether every move could be valued: none is on a lane, or of a SKU, that is not known or never departs."""
        return not any(breach.code in _WORTHLESS for breach in self.breaches)


_WORTHLESS = frozenset(("unknown_lane", "unknown_sku", "never_departs"))


def evaluate(snapshot: Snapshot, limits: Limits, request: PlanRequest, moves: Sequence[Move]) -> Evaluation:
    """Value the moves and re-check every constraint. Moves on unknown lanes or SKUs are breaches and worth nothing."""
    breaches = find_breaches(snapshot, limits, request, moves)
    if any(breach.code in _WORTHLESS for breach in breaches):
        return Evaluation(0.0, 0.0, 0.0, tuple(MoveValue(0.0, 0.0, 0.0) for _ in moves), {}, breaches)
    books = _Books(snapshot, limits, request)
    values = tuple(books.enter(move) for move in moves)
    per_minor = e4_per_minor(snapshot.currency)
    fixed = {key: snapshot.lane_by_key[key].cost_fixed_e4 / per_minor for key in sorted({m.lane for m in moves})}
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
        self._view = DemandView(snapshot, limits.default_horizon_days)
        self._per_minor = e4_per_minor(snapshot.currency)
        self._sent: dict[SiteSku, int] = {}
        self._received: dict[SiteSku, int] = {}
        self._soonest: dict[SiteSku, int | None] = {}
        self._lanes_to: dict[str, list[LaneKey]] = {}
        for lane in snapshot.lanes:
            self._lanes_to.setdefault(lane.destination, []).append(lane.key)

    def enter(self, move: Move) -> MoveValue:
        """Book the move and say what it earned, given the moves before it."""
        sku, lane = self._snapshot.sku_by_id[move.sku_id], self._snapshot.lane_by_key[move.lane]
        origin, destination = SiteSku(lane.origin, sku.sku_id), SiteSku(lane.destination, sku.sku_id)
        arrival = departure_of(self._snapshot, self._limits, move.lane)
        assert arrival is not None  # noqa: S101  evaluate() has refused such moves
        day = arrival.days_until_arrival
        had, gone = self._received.get(destination, 0), self._sent.get(origin, 0)
        soonest = self._soonest_arrival(destination)
        first = day if soonest is None else soonest
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
        """What the n-th pack received saves when it arrives on `day`."""
        end = min(day + self._limits.review_interval_days, self._view.horizon_days(key))
        return self._gain_until(key, sku, day, n, end)

    def _gain_until(self, key: SiteSku, sku: Sku, day: int, n: int, end: int) -> float:
        position = projected_units(self._snapshot, key, end)
        before, after = position + (n - 1) * sku.pack_size, position + n * sku.pack_size
        whole = self._view.window(key, 0, end)
        saved = self._cost(whole, sku, before) - self._cost(whole, sku, after)
        if day > 0:
            rest = self._view.window(key, day, end)
            saved = min(saved, self._cost(rest, sku, before - position) - self._cost(rest, sku, after - position))
        return saved

    def _loss(self, key: SiteSku, sku: Sku, n: int) -> float:
        """What the n-th pack sent costs; never less than what the site itself would gain from a first pack."""
        soonest = self._soonest_arrival(key)
        own = self._gain(key, sku, soonest, 1) if soonest is not None else -math.inf
        return max(self._plain_loss(key, sku, n), own)

    def _plain_loss(self, key: SiteSku, sku: Sku, n: int) -> float:
        end = self._view.horizon_days(key)
        position = projected_units(self._snapshot, key, end)
        demand = self._view.window(key, 0, end)
        after, before = position - n * sku.pack_size, position - (n - 1) * sku.pack_size
        return self._cost(demand, sku, after) - self._cost(demand, sku, before)

    def _whole_horizon(
        self, origin: SiteSku, destination: SiteSku, sku: Sku, booked: tuple[int, int, int], day: int
    ) -> float:
        gone, had, packs = booked
        end = self._view.horizon_days(destination)
        gain = sum(self._gain_until(destination, sku, day, had + n, end) for n in range(1, packs + 1))
        return gain - sum(self._plain_loss(origin, sku, gone + n) for n in range(1, packs + 1))

    def _cost(self, demand: WindowDemand, sku: Sku, y: int) -> float:
        """C(y) = p E[max(D - y, 0)] + h E[max(y - D, 0)]."""
        lost = lost_sales(demand).at(y)
        left = y - demand.mean + lost
        lost_e4, left_e4 = self._limits.lost_unit_e4[sku.sku_id], self._limits.leftover_unit_e4[sku.sku_id]
        return (lost_e4 * lost + left_e4 * left) / self._per_minor

    def _soonest_arrival(self, key: SiteSku) -> int | None:
        """The first day on which any permitted lane could bring the SKU, if that is before the regular supply."""
        if key not in self._soonest:
            sku = self._snapshot.sku_by_id[key.sku_id]
            least = -(-sku.min_transfer_units // sku.pack_size)
            days = []
            for lane in self._lanes_to.get(key.site_id, ()):
                move = Move(lane, sku.sku_id, least)
                found = move_breaches(self._snapshot, self._limits, self._request, move)
                arrival = departure_of(self._snapshot, self._limits, lane)
                if arrival is not None and all(breach.code == "units_per_line" for breach in found):
                    days.append(arrival.days_until_arrival)
            self._soonest[key] = min((d for d in days if d < self._view.horizon_days(key)), default=None)
        return self._soonest[key]


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
