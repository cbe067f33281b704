"""Where things are: regions with a distribution centre each, towns in them, and stores in and round the towns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tools.inventory import Site, SiteKind

SITES_PER_CENTRE = 13
SITES_PER_WAREHOUSE = 40
SITES_PER_CROSS_DOCK = 60
STORES_PER_TOWN = 6
SITES_WITH_TWO_LEGAL_ENTITIES = 20
NEIGHBOURS = 7
NEIGHBOUR_KM_MAX = 120.0
KM_PER_DEGREE = 111.32
"""Length of a degree of latitude, and of a degree of longitude at the equator."""

_SOUTH, _NORTH, _WEST, _EAST = 32.0, 46.0, -99.0, -88.0
_IDS = {SiteKind.DC: ("DC", 2), SiteKind.WAREHOUSE: ("WH", 2), SiteKind.CROSS_DOCK: ("XD", 2), SiteKind.STORE: ("S", 3)}
"""Prefix and least number of digits; a kind's ids have the same length, so that they sort as their numbers do."""

_TIMEZONE = "America/Chicago"
_REGIONS = ("north", "south", "east", "west", "lakes", "plains", "hills", "valley")
_FIRST = (
    "Alder", "Amber", "Ash", "Birch", "Bram", "Cedar", "Clay", "Copper", "Dun", "Elm", "Fern", "Glen", "Harrow", "Hazel",
    "Iron", "Juniper", "Kestrel", "Lark", "Linden", "Maple", "Marl", "Oak", "Otter", "Pine", "Quarry", "Rowan", "Sable",
    "Thorn", "Willow", "Wren",
)  # fmt: skip
_LAST = (
    "burg",
    "dale",
    "field",
    "ford",
    "gate",
    "ham",
    "haven",
    "mere",
    "mont",
    "port",
    "ridge",
    "ton",
    "view",
    "wick",
)
_QUARTERS = (
    "Market Street", "Station Road", "Riverside", "Old Town", "Mill Lane", "Northgate", "Orchard Park", "College Hill",
    "Harbor Square", "Sunset Avenue",
)  # fmt: skip

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Places:
    """The sites, and by index into them: region, degrees and size.

    `size` is how much a store sells, 1 on average.
    """

    sites: tuple[Site, ...]
    region: IntArray
    latitude: FloatArray
    longitude: FloatArray
    size: FloatArray

    def of_kind(self, kind: SiteKind) -> list[int]:
        """Indices of the sites of a kind."""
        return self._by_kind.get(kind, [])

    @cached_property
    def _by_kind(self) -> dict[SiteKind, list[int]]:
        indices: dict[SiteKind, list[int]] = {}
        for index, site in enumerate(self.sites):
            indices.setdefault(site.kind, []).append(index)
        return indices

    @cached_property
    def stores_by_region(self) -> dict[int, list[int]]:
        """Indices of stores by region."""
        stores: dict[int, list[int]] = {}
        for index in self.of_kind(SiteKind.STORE):
            stores.setdefault(int(self.region[index]), []).append(index)
        return stores

    @cached_property
    def neighbours(self) -> dict[int, tuple[int, ...]]:
        """For each store its nearest stores of the same region, nearest first and none too far for a van's day."""
        nearest: dict[int, tuple[int, ...]] = {}
        for stores in self.stores_by_region.values():
            for store in stores:
                others = [other for other in stores if other != store]
                distances = self.distance_km(store, others)
                order = np.argsort(distances, kind="stable")[:NEIGHBOURS].tolist()
                nearest[store] = tuple(others[index] for index in order if distances[index] <= NEIGHBOUR_KM_MAX)
        return nearest

    def distance_km(self, one: int, others: list[int]) -> FloatArray:
        """Distances on a flat map that is right near `one` (equirectangular projection)."""
        north = self.latitude[others] - self.latitude[one]
        east = (self.longitude[others] - self.longitude[one]) * np.cos(np.radians(self.latitude[one]))
        distances: FloatArray = KM_PER_DEGREE * np.hypot(north, east)
        return distances


class _Spot(NamedTuple):
    """A site before it has an id."""

    kind: SiteKind
    name: str
    region: int
    degrees: FloatArray


def draw_places(rng: Generator, count: int) -> Places:
    """`count` sites: one distribution centre for 13 sites, warehouses and cross-docks in large networks, stores."""
    centres = max(1, round(count / SITES_PER_CENTRE))
    spots = list(_spots(rng, count, centres))
    totals = Counter(spot.kind for spot in spots)
    numbers: Counter[SiteKind] = Counter()
    sites: list[Site] = []
    for spot in spots:
        numbers[spot.kind] += 1
        prefix, digits = _IDS[spot.kind]
        site_id = f"{prefix}{numbers[spot.kind]:0{max(digits, len(str(totals[spot.kind])))}d}"
        second_entity = count >= SITES_WITH_TWO_LEGAL_ENTITIES and spot.region >= (centres + 1) // 2
        sites.append(_site(site_id, spot, "RETAIL-2" if second_entity else "RETAIL-1"))
    degrees = np.array([spot.degrees for spot in spots])
    regions = np.array([spot.region for spot in spots])
    return Places(tuple(sites), regions, degrees[:, 0], degrees[:, 1], rng.lognormal(-0.08, 0.4, count))


def _spots(rng: Generator, count: int, centres: int) -> Iterator[_Spot]:
    """Centres, warehouses and cross-docks lie near the middle of a region, stores round the towns of theirs."""
    regions = _grid(rng, centres)
    names = _city_names(rng)
    others = (
        (SiteKind.DC, "distribution center", centres),
        (SiteKind.WAREHOUSE, "warehouse", count // SITES_PER_WAREHOUSE),
        (SiteKind.CROSS_DOCK, "cross-dock", count // SITES_PER_CROSS_DOCK),
    )
    for kind, words, number in others:
        for index in range(number):
            region = index % centres
            yield _Spot(kind, f"{next(names)} {words}", region, regions[region] + rng.normal(0.0, 0.15, 2))
    stores = count - sum(number for *_, number in others)
    for region, in_region in enumerate(np.array_split(np.arange(stores), centres)):
        for in_town in np.array_split(in_region, max(1, ceil(len(in_region) / STORES_PER_TOWN))):
            town, middle = next(names), regions[region] + rng.normal(0.0, 0.35, 2)
            for quarter in rng.permutation(len(_QUARTERS))[: len(in_town)]:
                name = f"{town} {_QUARTERS[quarter]}"
                yield _Spot(SiteKind.STORE, name, region, middle + rng.normal(0.0, 0.1, 2))


def _site(site_id: str, spot: _Spot, legal_entity: str) -> Site:
    handled = {SiteKind.STORE: (400, 200), SiteKind.DC: (20_000, 20_000)}.get(spot.kind, (8_000, 8_000))
    return Site(
        site_id,
        spot.name,
        spot.kind,
        region=_region_name(spot.region),
        legal_entity=legal_entity,
        country="US",
        latitude_e6=round(float(spot.degrees[0]) * 1e6),
        longitude_e6=round(float(spot.degrees[1]) * 1e6),
        timezone=_TIMEZONE,
        inbound_units_per_day=handled[0],
        outbound_units_per_day=handled[1],
    )


def _region_name(region: int) -> str:
    round_trip, name = divmod(region, len(_REGIONS))
    return _REGIONS[name] if round_trip == 0 else f"{_REGIONS[name]}-{round_trip + 1}"


def _grid(rng: Generator, regions: int) -> FloatArray:
    """Middles of regions: one for each field of a grid over the country, none at its edge."""
    across = ceil(regions**0.5)
    down = ceil(regions / across)
    fields = np.arange(regions)
    within = rng.uniform(0.3, 0.7, (regions, 2))
    latitude = _SOUTH + (_NORTH - _SOUTH) * (fields // across + within[:, 0]) / down
    longitude = _WEST + (_EAST - _WEST) * (fields % across + within[:, 1]) / across
    return np.column_stack((latitude, longitude))


def _city_names(rng: Generator) -> Iterator[str]:
    """Names that sound like towns, all different: a second round through them is called New."""
    fresh = ""
    while True:
        for number in rng.permutation(len(_FIRST) * len(_LAST)):
            yield f"{fresh}{_FIRST[number // len(_LAST)]}{_LAST[number % len(_LAST)]}"
        fresh += "New "
