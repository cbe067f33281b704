"""Small coupled problems written down in plain Python, and the best packs found by trying all of them.

The prices and the rules here are worked out from the tuples alone: they share nothing
with the arrays of the fast path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from scipy import sparse

from benchmarks.instances import arrays_of, curves
from tools.planning.coupled import Coupled, Curves, SharedLimits
from tools.planning.flow import FlowArrays, IntArray

Place = tuple[int, int]
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Way:
    """A SKU from one site to another: money and volume per pack, least packs of a line, most packs."""

    sku: int
    origin: int
    destination: int
    cost: float = 0.0
    most: int = 10
    volume: float = 1.0
    least: int = 1

    @property
    def lane(self) -> Place:
        return self.origin, self.destination


@dataclass(frozen=True)
class Shared:
    """A limit on a sum: weights by way, per line, per departure of a lane (origin, destination)."""

    most: float
    per_pack: tuple[float, ...] = ()
    per_line: float = 0.0
    per_departure: Mapping[Place, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """Ways sorted by SKU; gains and losses by (SKU, site); costs and capacities by lane (origin, destination)."""

    ways: tuple[Way, ...]
    gains: Mapping[Place, tuple[float, ...]]
    losses: Mapping[Place, tuple[float, ...]]
    lane_cost: Mapping[Place, float] = field(default_factory=dict)
    capacity: Mapping[Place, float] = field(default_factory=dict)
    line_cost: float = 0.0
    shared: tuple[Shared, ...] = ()

    @property
    def skus(self) -> int:
        return 1 + max(way.sku for way in self.ways)

    @property
    def sites(self) -> int:
        return 1 + max(max(way.lane) for way in self.ways)

    def flow_arrays(self) -> FlowArrays:
        sends = [(sku, site, loss) for (sku, site), losses in sorted(self.losses.items()) for loss in losses]
        receives = [(sku, site, gain) for (sku, site), gains in sorted(self.gains.items()) for gain in gains]
        ways = self.ways
        return FlowArrays(
            skus=self.skus, sites=self.sites, lanes=self.sites**2,
            arc_sku=_whole(way.sku for way in ways), arc_origin=_whole(way.origin for way in ways),
            arc_destination=_whole(way.destination for way in ways),
            arc_lane=_whole(way.origin * self.sites + way.destination for way in ways),
            arc_most=_whole(way.most for way in ways), arc_cost=np.asarray([way.cost for way in ways], dtype=np.float64),
            send_sku=_whole(row[0] for row in sends), send_site=_whole(row[1] for row in sends),
            send_packs=np.ones(len(sends), dtype=np.int64),
            send_loss=np.asarray([row[2] for row in sends], dtype=np.float64),
            receive_sku=_whole(row[0] for row in receives), receive_site=_whole(row[1] for row in receives),
            receive_packs=np.ones(len(receives), dtype=np.int64),
            receive_gain=np.asarray([row[2] for row in receives], dtype=np.float64),
        )  # fmt: skip

    def coupled(self) -> Coupled:
        a = self.flow_arrays()
        lane_cost, capacity = np.zeros(a.lanes), np.full(a.lanes, np.inf)
        for (i, j), cost in self.lane_cost.items():
            lane_cost[i * self.sites + j] = cost
        for (i, j), most in self.capacity.items():
            capacity[i * self.sites + j] = most
        return Coupled(
            arrays=a,
            gains=Curves.of(a.skus, a.sites, a.receive_sku, a.receive_site, a.receive_gain),
            losses=Curves.of(a.skus, a.sites, a.send_sku, a.send_site, a.send_loss),
            lane_cost=lane_cost,
            lane_capacity=capacity,
            arc_volume=np.asarray([way.volume for way in self.ways], dtype=np.float64),
            arc_least=_whole(way.least for way in self.ways),
            line_cost=self.line_cost,
            limits=self._limits(a.lanes),
        )

    def _limits(self, lanes: int) -> SharedLimits:
        if not self.shared:
            return SharedLimits.none(len(self.ways), lanes)
        per_departure = np.zeros((len(self.shared), lanes))
        for number, row in enumerate(self.shared):
            for (i, j), use in row.per_departure.items():
                per_departure[number, i * self.sites + j] = use
        return SharedLimits(
            sparse.csr_array(np.asarray([self._weights(row) for row in self.shared], dtype=np.float64)),
            np.asarray([row.per_line for row in self.shared]),
            sparse.csr_array(per_departure),
            np.asarray([row.most for row in self.shared], dtype=np.float64),
        )

    def _weights(self, row: Shared) -> tuple[float, ...]:
        return row.per_pack or (0.0,) * len(self.ways)

    def price(self, packs: tuple[int, ...], *, charges: bool = True) -> float | None:
        """What the packs cost against moving nothing; None where a site has not so many packs to send or to take."""
        sent: dict[Place, int] = {}
        received: dict[Place, int] = {}
        total = 0.0
        used = [(way, count) for way, count in zip(self.ways, packs, strict=True) if count]
        for way, count in used:
            sent[way.sku, way.origin] = sent.get((way.sku, way.origin), 0) + count
            received[way.sku, way.destination] = received.get((way.sku, way.destination), 0) + count
            total += way.cost * count + (self.line_cost if charges else 0.0)
        for book, curve, sign in ((sent, self.losses, 1), (received, self.gains, -1)):
            for place, count in book.items():
                if count > len(curve.get(place, ())):
                    return None
                total += sign * sum(curve[place][:count])
        fixed = sum(self.lane_cost.get(lane, 0.0) for lane in {way.lane for way, _ in used})
        return total + (fixed if charges else 0.0)

    def permits(self, packs: tuple[int, ...]) -> bool:
        """Whether the packs keep every rule and limit."""
        used = [(way, count) for way, count in zip(self.ways, packs, strict=True) if count]
        if any(count < way.least or count > way.most for way, count in used):
            return False
        if {(way.sku, way.origin) for way, _ in used} & {(way.sku, way.destination) for way, _ in used}:
            return False
        lanes = {way.lane for way, _ in used}
        for lane in lanes:
            load = sum(way.volume * count for way, count in used if way.lane == lane)
            if load > self.capacity.get(lane, np.inf) + TOLERANCE:
                return False
        for row in self.shared:
            use = sum(weight * count for weight, count in zip(self._weights(row), packs, strict=True))
            use += row.per_line * len(used) + sum(row.per_departure.get(lane, 0.0) for lane in lanes)
            if use > row.most + TOLERANCE:
                return False
        return True

    def best(self, *, rules: bool = True) -> float:
        """The least price of all packs; without `rules` no limit but those of the ways, and no charge, counts."""
        least = 0.0
        for packs in product(*(range(way.most + 1) for way in self.ways)):
            cost = self.price(packs, charges=rules)
            if cost is not None and cost < least and (not rules or self.permits(packs)):
                least = cost
        return least


def _whole(values: Iterable[int]) -> IntArray:
    return np.asarray(list(values), dtype=np.int64)


def random_network(seed: int, *, coupled: bool = True, rules: bool = True) -> Network:
    """Two or three sites and one or two SKUs, up to five ways; curves that fall and rise; money to a quarter."""
    rng = np.random.default_rng(seed)
    sites, skus = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    pairs = [(k, i, j) for k in range(skus) for i in range(sites) for j in range(sites) if i != j]
    chosen = sorted(rng.permutation(len(pairs))[: int(rng.integers(2, 6))].tolist())
    ways = []
    for k, i, j in (pairs[number] for number in chosen):
        least = int(rng.integers(1, 4)) if rules and rng.random() < 0.4 else 1
        most = int(rng.integers(least, 5))
        ways.append(Way(k, i, j, _money(rng, 0, 3), most, float(rng.integers(1, 4)), least))
    gains, losses = {}, {}
    for place in sorted({(w.sku, w.origin) for w in ways} | {(w.sku, w.destination) for w in ways}):
        falling = sorted((_money(rng, 0, 14) for _ in range(int(rng.integers(1, 6)))), reverse=True)
        rich = rng.random() < 0.5
        gains[place] = tuple(money - (9 if rich else 0) for money in falling)
        floor, packs = gains[place][0], int(rng.integers(0, 6))
        losses[place] = tuple(sorted(max(_money(rng, -2, 6 if rich else 18), floor) for _ in range(packs)))
    if not coupled:
        return Network(tuple(ways), gains, losses, line_cost=_money(rng, 0, 3) if rules else 0.0)
    lanes = sorted({way.lane for way in ways})
    lane_cost = {lane: _money(rng, 0.25, 12) for lane in lanes if rng.random() < 0.7}
    return Network(
        tuple(ways), gains, losses,
        lane_cost=lane_cost,
        capacity={lane: float(rng.integers(2, 9)) for lane in lanes if rng.random() < 0.5},
        line_cost=_money(rng, 0, 3) if rules and rng.random() < 0.6 else 0.0,
        shared=_shared(rng, len(ways), lane_cost),
    )  # fmt: skip


def _shared(rng: np.random.Generator, ways: int, lane_cost: dict[Place, float]) -> tuple[Shared, ...]:
    """Sometimes a limit on units, on lines, on money with what departures cost."""
    shared = []
    if rng.random() < 0.5:
        shared.append(Shared(float(rng.integers(1, 9)), tuple(float(rng.integers(0, 3)) for _ in range(ways))))
    if rng.random() < 0.3:
        shared.append(Shared(float(rng.integers(1, 3)), per_line=1.0))
    if rng.random() < 0.3:
        freight = tuple(_money(rng, 0, 3) for _ in range(ways))
        shared.append(Shared(_money(rng, 2, 20), freight, _money(rng, 0, 2), lane_cost))
    return tuple(shared)


def _money(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.round(rng.uniform(low, high) * 4) / 4)


def benchmark_problem(skus: int = 200, capacity: float = np.inf) -> Coupled:
    """The synthetic instance of the benchmarks, with its fixed costs of departures and a capacity on every lane."""
    found = curves(skus)
    a = arrays_of(found)
    return Coupled(
        arrays=a,
        gains=Curves.of(a.skus, a.sites, a.receive_sku, a.receive_site, a.receive_gain),
        losses=Curves.of(a.skus, a.sites, a.send_sku, a.send_site, a.send_loss),
        lane_cost=found.lane_cost.ravel(),
        lane_capacity=np.full(a.lanes, capacity),
        arc_volume=found.pack_volume[a.arc_sku],
        arc_least=np.ones(len(a.arc_sku), dtype=np.int64),
        line_cost=0.0,
        limits=SharedLimits.none(len(a.arc_sku), a.lanes),
    )
