"""Which store carries which SKU, and how much of it people there want."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator

from tools.generate.goods import Goods
from tools.generate.places import FloatArray, IntArray, Places
from tools.inventory import SiteKind

CARRIED_SHARE = 0.75
"""Share of the range that an average store carries."""

SITE_SKUS_MAX = 100_000
"""Stores together carry about so many site-SKUs at most, so that the largest networks fit in memory."""

_TASTE_SIGMA = 0.5


@dataclass(frozen=True)
class Assortment:
    """One entry for each SKU at each store: index of the site, index of the SKU, mean demand in units a week."""

    site: IntArray
    sku: IntArray
    weekly_units: FloatArray

    def __len__(self) -> int:
        """Site-SKUs of stores."""
        return len(self.site)

    @cached_property
    def entry_by_pair(self) -> dict[tuple[int, int], int]:
        """The entry of a site index and a SKU index."""
        return {pair: entry for entry, pair in enumerate(zip(self.site.tolist(), self.sku.tolist(), strict=True))}

    def drawn_on(self, sites: list[int], skus: int) -> FloatArray:
        """Units a week of every SKU that these stores want together."""
        there = np.isin(self.site, sites)
        return np.bincount(self.sku[there], weights=self.weekly_units[there], minlength=skus).astype(np.float64)


def draw_assortment(rng: Generator, places: Places, goods: Goods) -> Assortment:
    """Larger stores carry more, popular SKUs are in more stores, and every town has its own taste."""
    stores = places.of_kind(SiteKind.STORE)
    skus = len(goods.skus)
    carried = min(CARRIED_SHARE * skus, SITE_SKUS_MAX / len(stores))
    attraction = 0.5 * np.log(goods.weekly_units)
    sites: list[IntArray] = []
    chosen: list[IntArray] = []
    for store in stores:
        number = int(np.clip(round(carried * places.size[store] ** 0.3), 1, skus))
        # The largest of log weight + Gumbel noise are a weighted draw without replacement: the logarithms of the
        # keys u^(1/w) in Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006.
        drawn = np.argpartition(-(attraction + rng.gumbel(size=skus)), number - 1)[:number]
        chosen.append(np.sort(drawn))
        sites.append(np.full(number, store))
    site, sku = np.concatenate(sites), np.concatenate(chosen)
    taste = rng.lognormal(-(_TASTE_SIGMA**2) / 2, _TASTE_SIGMA, len(site))
    return Assortment(site, sku, goods.weekly_units[sku] * places.size[site] * taste)
