"""What is wrong where: the condition of each site-SKU, and shortages put beside a surplus on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.random import Generator

from tools.generate.assortment import Assortment
from tools.generate.goods import Goods
from tools.generate.places import IntArray, Places
from tools.inventory import SiteKind, Temperature

SHORT_SHARE, SURPLUS_SHARE, STRANDED_SHARE = 0.15, 0.15, 0.03
STORES_PER_PAIR = 3
"""Among so many stores one shortage is put beside a surplus."""

_ROBUST_SHELF_LIFE_DAYS = 180
_LATEST_ARRIVAL_DAYS = 14


class Condition(IntEnum):
    """How the stock of a site-SKU stands against its demand."""

    BALANCED = 0
    SHORT = 1
    SURPLUS = 2
    STRANDED = 3


@dataclass(frozen=True, slots=True)
class ShortBesideSurplus:
    """A SKU that one store runs out of while a neighbour has far too much. Both are entries."""

    short: int
    surplus: int


@dataclass(frozen=True)
class Conditions:
    """By entry of the assortment: its condition, days until its regular supply, and the pairs made on purpose."""

    condition: IntArray
    arrival_days: IntArray
    review_days: IntArray
    pairs: tuple[ShortBesideSurplus, ...]


def draw_conditions(rng: Generator, places: Places, goods: Goods, assortment: Assortment) -> Conditions:
    """Conditions by chance, then the pairs."""
    count = len(assortment)
    shares = (SHORT_SHARE, SURPLUS_SHARE, STRANDED_SHARE)
    condition = rng.choice(4, size=count, p=(1.0 - sum(shares), *shares)).astype(np.int64)
    review_of_site = rng.choice((7, 14), size=len(places.sites))
    review_days = review_of_site[assortment.site].astype(np.int64)
    arrival_days = rng.integers(3, review_days + 1)
    pairs = tuple(_pairs(rng, places, goods, assortment))
    for pair in pairs:
        condition[pair.short], condition[pair.surplus] = Condition.SHORT, Condition.SURPLUS
        arrival_days[pair.short] = review_days[pair.short] = _LATEST_ARRIVAL_DAYS
    return Conditions(condition, arrival_days, review_days, pairs)


def _pairs(rng: Generator, places: Places, goods: Goods, assortment: Assortment) -> Iterator[ShortBesideSurplus]:
    """A pair for each of the SKUs and stores that lose most, each SKU and each short store once."""
    margin_e4 = np.array([sku.unit_price_e4 - sku.unit_cost_e4 for sku in goods.skus])
    keeps = np.array(
        [
            sku.temperature is Temperature.AMBIENT
            and not sku.hazmat
            and (sku.shelf_life_days or _ROBUST_SHELF_LIFE_DAYS) >= _ROBUST_SHELF_LIFE_DAYS
            for sku in goods.skus
        ]
    )
    earned = margin_e4[assortment.sku] * assortment.weekly_units * keeps[assortment.sku]
    best = np.argsort(-earned, kind="stable")[: max(4, len(earned) // 20)]
    wanted = max(1, len(places.of_kind(SiteKind.STORE)) // STORES_PER_PAIR)
    used_skus: set[int] = set()
    used_stores: set[int] = set()
    for short in rng.permutation(best).tolist():
        store, sku = int(assortment.site[short]), int(assortment.sku[short])
        if len(used_skus) == wanted:
            return
        if earned[short] <= 0 or sku in used_skus or store in used_stores:
            continue
        suppliers = [other for other in places.neighbours[store] if store in places.neighbours[other]]
        entries = [assortment.entry_by_pair.get((other, sku)) for other in suppliers]
        donors = [entry for entry in entries if entry is not None]
        if donors:
            used_skus.add(sku)
            used_stores.add(store)
            yield ShortBesideSurplus(short, min(donors, key=lambda entry: assortment.weekly_units[entry]))
