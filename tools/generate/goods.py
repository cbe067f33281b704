"""What is sold: SKUs in categories, with prices, packs, and a popularity that few of them have much of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tools.generate.places import FloatArray
from tools.inventory import MICROLITRES_PER_LITRE, MILLIGRAMS_PER_KILOGRAM, Sku, Temperature
from tools.money import E4

CENT_E4 = E4 // 100
SLOWEST_UNITS_PER_WEEK, FASTEST_UNITS_PER_WEEK = 0.6, 60.0
_POPULARITY_TAIL = 1.15
"""Exponent of the Pareto law of popularity; near 1, a fifth of the SKUs makes most of the sales."""


@dataclass(frozen=True, slots=True)
class _Category:
    """How the SKUs of a category are drawn. `share` is its part of the range; pairs are lowest and highest.

    `hazmat` and `sensitive` name the nouns that are.
    """

    name: str
    share: float
    nouns: tuple[str, ...]
    price: float
    margin: tuple[float, float]
    litres: float
    kilograms_per_litre: float
    shelf_life_days: tuple[int, int] | None = None
    temperature: Temperature = Temperature.AMBIENT
    hazmat: frozenset[str] = frozenset()
    sensitive: frozenset[str] = frozenset()


_CATEGORIES = (
    _Category("beverages", 0.14, ("oat drink", "apple juice", "ginger ale", "cold brew"), 3.5, (0.25, 0.4), 1.4, 1.0),
    _Category("pantry", 0.17, ("rice", "pasta", "red lentils", "olive oil", "granola"), 5.0, (0.22, 0.38), 1.1, 0.8),
    _Category(
        "dairy", 0.09, ("yogurt", "butter", "soft cheese", "kefir"), 3.2, (0.2, 0.32), 0.6, 1.0, (14, 45),
        Temperature.CHILLED,
    ),
    _Category(
        "frozen", 0.08, ("garden peas", "berry mix", "pizza", "ice cream"), 5.5, (0.25, 0.4), 1.3, 0.7, (120, 360),
        Temperature.FROZEN,
    ),
    _Category(
        "household", 0.15, ("dish soap", "drain cleaner", "bin liners", "lamp oil", "sponges"), 6.5, (0.3, 0.45), 1.5,
        0.9, hazmat=frozenset(("drain cleaner", "lamp oil")),
    ),
    _Category(
        "personal care", 0.13, ("shampoo", "hair spray", "hand cream", "toothpaste"), 7.5, (0.35, 0.5), 0.4, 0.9,
        hazmat=frozenset(("hair spray",)),
    ),
    _Category(
        "health", 0.08, ("pain relief", "cold remedy", "vitamin d", "test kit"), 14.0, (0.35, 0.5), 0.2, 0.5, (270, 900),
        sensitive=frozenset(("pain relief", "test kit")),
    ),
    _Category("electronics", 0.09, ("headphones", "charger", "smart plug", "night light"), 29.0, (0.28, 0.42), 0.9, 0.4),
    _Category("pet supplies", 0.07, ("dog treats", "cat litter", "bird seed", "chew toy"), 9.0, (0.28, 0.4), 3.5, 0.6),
)  # fmt: skip
_BRANDS = ("Alderly", "Brightwell", "Corvo", "Dapple", "Everly", "Fieldmark", "Golden Fern", "Hearth", "Isola", "Juno")
_VARIANTS = ("classic", "extra", "family", "mini", "premium", "value")


@dataclass(frozen=True)
class Goods:
    """The SKUs, and by index into them: popularity, in units a week at an average store, and variance over mean."""

    skus: tuple[Sku, ...]
    weekly_units: FloatArray
    dispersion: FloatArray


def draw_goods(rng: Generator, count: int) -> Goods:
    """`count` SKUs."""
    shares = np.array([category.share for category in _CATEGORIES])
    chosen = rng.choice(len(_CATEGORIES), size=count, p=shares / shares.sum())
    popularity = SLOWEST_UNITS_PER_WEEK * (1.0 + rng.pareto(_POPULARITY_TAIL, count))
    weekly_units = np.minimum(popularity, FASTEST_UNITS_PER_WEEK)
    dispersion = rng.uniform(1.15, 2.5, count)
    digits = max(4, len(str(count)))
    skus = [
        _sku(rng, f"P{index + 1:0{digits}d}", _CATEGORIES[category], float(weekly_units[index]))
        for index, category in enumerate(chosen)
    ]
    return Goods(tuple(skus), weekly_units, dispersion)


def _sku(rng: Generator, sku_id: str, category: _Category, weekly_units: float) -> Sku:
    price_cents = max(20, round(100 * category.price * rng.lognormal(0.0, 0.45)))
    cost_cents = max(10, round(price_cents * (1.0 - rng.uniform(*category.margin))))
    litres = category.litres * rng.lognormal(0.0, 0.4)
    pack_size = _pack_size(weekly_units, price_cents)
    brand, variant, noun = (words[rng.integers(len(words))] for words in (_BRANDS, _VARIANTS, category.nouns))
    return Sku(
        sku_id,
        f"{brand} {variant} {noun}",
        unit_cost_e4=cost_cents * CENT_E4,
        unit_price_e4=price_cents * CENT_E4,
        category=category.name,
        unit_volume_microlitres=max(10, round(litres * 1000)) * (MICROLITRES_PER_LITRE // 1000),
        unit_weight_milligrams=max(10, round(litres * category.kilograms_per_litre * 1000))
        * (MILLIGRAMS_PER_KILOGRAM // 1000),
        pack_size=pack_size,
        min_transfer_units=pack_size * (2 if rng.random() < 0.2 else 1),
        shelf_life_days=int(rng.integers(*category.shelf_life_days)) if category.shelf_life_days else None,
        temperature=category.temperature,
        hazmat=noun in category.hazmat,
        sensitive=noun in category.sensitive,
    )


def _pack_size(weekly_units: float, price_cents: int) -> int:
    """Fast and cheap SKUs come by the dozen, dear and slow ones singly."""
    if weekly_units < 1.0 or price_cents >= 2_500:
        return 1
    return 12 if weekly_units >= 6.0 else 6
