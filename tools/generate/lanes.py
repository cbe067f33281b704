"""Which ways exist, and what they cost: trucks from centres, vans between neighbours, reefers for the cold chain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tools.generate.goods import CENT_E4, Goods
from tools.generate.places import Places
from tools.inventory import MICROLITRES_PER_LITRE, Lane, SiteKind, Temperature

CENTRES_LINKED = 3
RETURN_SHARE, REEFER_SHARE, REEFER_VAN_SHARE = 0.4, 0.6, 0.2
RESTRICTED_RETURNS = 2
_TRUCK_WEEKDAYS = ((1, 3, 5), (2, 4), (2, 4, 6), (1, 2, 3, 4, 5))


@dataclass(frozen=True, slots=True)
class _Carrier:
    """A way of carrying: its price by distance (fixed part in currency units), and its room."""

    mode: str
    cost_fixed: float
    cost_per_km: float
    cost_fixed_max: float
    cost_per_unit: tuple[float, float]
    capacity_litres: int
    weekdays: tuple[tuple[int, ...], ...]


_VAN = _Carrier("van", 8.0, 0.4, 30.0, (0.02, 0.06), 4_000, ((1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 4, 5, 6)))
_REEFER_VAN = _Carrier("reefer", 13.0, 0.6, 45.0, (0.04, 0.09), 2_500, ((1, 2, 3, 4, 5, 6),))
_TRUCK = _Carrier("truck", 22.0, 0.25, 55.0, (0.01, 0.04), 24_000, _TRUCK_WEEKDAYS)
_REEFER = _Carrier("reefer", 30.0, 0.3, 60.0, (0.03, 0.07), 12_000, _TRUCK_WEEKDAYS)
_LINE_HAUL = _Carrier("truck", 40.0, 0.05, 60.0, (0.02, 0.05), 60_000, ((2, 5), (1, 4)))


def draw_lanes(rng: Generator, places: Places, goods: Goods) -> tuple[Lane, ...]:
    """Every lane of the network. A store can be reached from the centre of its region, and from its neighbours."""
    cold = sorted({sku.category for sku in goods.skus if sku.temperature is not Temperature.AMBIENT})
    dry = sorted({sku.category for sku in goods.skus if sku.temperature is Temperature.AMBIENT})
    ways = _Ways(rng, places, tuple(cold), tuple(dry))
    lanes = [*ways.from_centres(), *ways.between_neighbours(), *ways.between_centres(), *ways.through_others()]
    return tuple(lanes)


@dataclass(frozen=True, slots=True)
class _Ways:
    rng: Generator
    places: Places
    cold: tuple[str, ...]
    dry: tuple[str, ...]

    def from_centres(self) -> Iterator[Lane]:
        """Trucks to every store of the region, reefers to some, and trucks back from some (two of them for dry goods)."""
        restricted = RESTRICTED_RETURNS if self.dry else 0
        for centre in self.places.of_kind(SiteKind.DC):
            stores = self.places.stores_by_region.get(int(self.places.region[centre]), [])
            for store, km in zip(stores, self.places.distance_km(centre, stores).tolist(), strict=True):
                yield self.lane(_TRUCK, centre, store, km)
                if self.cold and self.rng.random() < REEFER_SHARE:
                    yield self.lane(_REEFER, centre, store, km, self.cold)
                if self.rng.random() < RETURN_SHARE:
                    restricted -= 1
                    yield self.lane(_TRUCK, store, centre, km, self.dry if restricted >= 0 else ())

    def between_neighbours(self) -> Iterator[Lane]:
        """Vans from each store to its nearest stores of the region, a fifth of them beside a reefer."""
        for store, near in self.places.neighbours.items():
            for other, km in zip(near, self.places.distance_km(store, list(near)).tolist(), strict=True):
                yield self.lane(_VAN, store, other, km)
                if self.cold and self.rng.random() < REEFER_VAN_SHARE:
                    yield self.lane(_REEFER_VAN, store, other, km, self.cold)

    def between_centres(self) -> Iterator[Lane]:
        """Line hauls between each centre and its nearest centres, both ways."""
        centres = self.places.of_kind(SiteKind.DC)
        links: dict[tuple[int, int], float] = {}
        for centre in centres:
            others = [other for other in centres if other != centre]
            distances = self.places.distance_km(centre, others)
            for nearest in np.argsort(distances, kind="stable")[:CENTRES_LINKED].tolist():
                km = float(distances[nearest])
                links.setdefault((centre, others[nearest]), km)
                links.setdefault((others[nearest], centre), km)
        for (origin, destination), km in sorted(links.items()):
            yield self.lane(_LINE_HAUL, origin, destination, km)

    def through_others(self) -> Iterator[Lane]:
        """A warehouse and a cross-dock each trade with the centre of their region; a cross-dock also serves its stores."""
        centre_of = {int(self.places.region[centre]): centre for centre in self.places.of_kind(SiteKind.DC)}
        for kind in (SiteKind.WAREHOUSE, SiteKind.CROSS_DOCK):
            for site in self.places.of_kind(kind):
                region = int(self.places.region[site])
                centre = centre_of[region]
                km = float(self.places.distance_km(site, [centre])[0])
                yield self.lane(_TRUCK, centre, site, km)
                yield self.lane(_TRUCK, site, centre, km)
                if kind is SiteKind.CROSS_DOCK:
                    stores = self.places.stores_by_region[region]
                    for store, away in zip(stores, self.places.distance_km(site, stores).tolist(), strict=True):
                        yield self.lane(_TRUCK, site, store, away)

    def lane(
        self, carrier: _Carrier, origin: int, destination: int, km: float, categories: tuple[str, ...] = ()
    ) -> Lane:
        """One lane, priced by its length."""
        fixed = min(carrier.cost_fixed + carrier.cost_per_km * km, carrier.cost_fixed_max) * self.rng.uniform(0.9, 1.1)
        weekdays = carrier.weekdays[self.rng.integers(len(carrier.weekdays))]
        return Lane(
            self.places.sites[origin].site_id,
            self.places.sites[destination].site_id,
            carrier.mode,
            lead_time_days=_lead_time_days(carrier, km),
            cost_fixed_e4=round(fixed * 100) * CENT_E4,
            cost_per_unit_e4=round(self.rng.uniform(*carrier.cost_per_unit) * 10_000),
            lead_time_sd_millidays=int(self.rng.integers(1, 7)) * 100,
            capacity_microlitres_per_departure=carrier.capacity_litres * MICROLITRES_PER_LITRE,
            departure_weekdays=weekdays,
            allowed_categories=categories,
        )


def _lead_time_days(carrier: _Carrier, km: float) -> int:
    """A day as far as a day's tour goes, two beyond, and a day more for every 700 km of a line haul."""
    if carrier is _LINE_HAUL:
        return 2 + int(km // 700)
    return 1 if carrier in (_VAN, _REEFER_VAN) or km <= 60 else 2
