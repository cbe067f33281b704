"""What a made-up network states about its merchandise: sets, displays, lots, ends of life, markdowns, substitutes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from numpy.random import Generator

from tools.inventory import SiteKind, SiteSku, Sku, StockPosition
from tools.merchandise.facts import (
    EVERY_SITE,
    DisplayKind,
    EndOfLife,
    Lot,
    Markdown,
    Merchandise,
    MinimumDisplay,
    SetMember,
    Substitute,
)

SKUS_PER_SET, SKUS_FOR_A_SET = 3, 16
"""One set of three for so many SKUs of the range."""

LOTS_UP_TO_DAYS = 60
"""SKUs with a shelf life up to this are kept by lots."""

_DISPLAY_SHARE = 0.06
_ENDS_SOON_DAYS, _ENDS_EVERYWHERE_DAYS = 5, 21
_SITE_ENDS_MAX = 3


def draw_merchandise(
    rng: Generator,
    kinds: dict[str, SiteKind],
    skus: tuple[Sku, ...],
    positions: tuple[StockPosition, ...],
    at: datetime,
) -> Merchandise:
    """Facts about the goods that are there. `kinds` are the kinds of the sites by id; `at` is the instant of the count."""
    today = at.astimezone(UTC).date()
    held = [position for position in positions if position.on_hand_units > 0]
    in_stores = [position for position in held if kinds[position.site_id] is SiteKind.STORE]
    ends = _ends(rng, skus, in_stores, today)
    return Merchandise(
        set_members=_sets(rng, skus),
        displays=_displays(rng, {sku.sku_id: sku for sku in skus}, in_stores),
        lots=_lots(rng, {sku.sku_id: sku for sku in skus}, held, today),
        ends_of_life=ends,
        markdowns=_markdowns({sku.sku_id: sku for sku in skus}, in_stores, ends),
        substitutes=_substitutes(rng, skus),
    )


def _sets(rng: Generator, skus: tuple[Sku, ...]) -> tuple[SetMember, ...]:
    """Neighbours of one category, each in one set."""
    by_category: dict[str, list[str]] = {}
    for sku in skus:
        if sku.pack_size == 1 or len(skus) < SKUS_FOR_A_SET:
            by_category.setdefault(sku.category, []).append(sku.sku_id)
    groups = [
        of_category[first : first + SKUS_PER_SET]
        for of_category in by_category.values()
        for first in range(0, len(of_category) - SKUS_PER_SET + 1, SKUS_PER_SET)
    ]
    wanted = min(max(1, len(skus) // SKUS_FOR_A_SET), len(groups))
    chosen = sorted(rng.permutation(len(groups))[:wanted].tolist())
    return tuple(
        SetMember(f"SET-{number:03d}", sku_id)
        for number, group in enumerate(chosen, start=1)
        for sku_id in groups[group]
    )


def _displays(rng: Generator, sku_by_id: dict[str, Sku], in_stores: list[StockPosition]) -> tuple[MinimumDisplay, ...]:
    """A few shelves that must not be empty, and more that had better not be: a unit short costs a tenth of the price."""
    displays = []
    for position in in_stores:
        drawn, units = rng.random(), int(rng.integers(1, 5))
        if drawn < _DISPLAY_SHARE / 3:
            displays.append(MinimumDisplay(*position.key, DisplayKind.HARD, units))
        elif drawn < _DISPLAY_SHARE:
            cost = max(sku_by_id[position.sku_id].unit_price_e4 // 10, 1)
            displays.append(MinimumDisplay(*position.key, DisplayKind.SOFT, units, cost))
    return tuple(displays)


def _lots(rng: Generator, sku_by_id: dict[str, Sku], held: list[StockPosition], today: date) -> tuple[Lot, ...]:
    """Up to three lots for each position of a perishable SKU, the oldest with a few days left."""
    lots = []
    for position in held:
        shelf_life = sku_by_id[position.sku_id].shelf_life_days
        if shelf_life is None or shelf_life > LOTS_UP_TO_DAYS:
            continue
        parts = min(int(rng.integers(1, 4)), position.on_hand_units)
        ages = sorted(rng.integers(1, shelf_life + 1, parts).tolist())
        units, rest = divmod(position.on_hand_units, parts)
        lots += [
            Lot(*position.key, f"L{part + 1}-{days:03d}", units + (part < rest), today + timedelta(days=days))
            for part, days in enumerate(ages)
        ]
    return tuple(lots)


def _ends(rng: Generator, skus: tuple[Sku, ...], in_stores: list[StockPosition], today: date) -> tuple[EndOfLife, ...]:
    """One SKU ends everywhere in three weeks; one store has to be rid of a few others within the week."""
    everywhere = skus[int(rng.integers(len(skus)))].sku_id
    ends = [EndOfLife(everywhere, EVERY_SITE, today + timedelta(days=_ENDS_EVERYWHERE_DAYS))]
    if in_stores:
        store = in_stores[int(rng.integers(len(in_stores)))].site_id
        there = [position for position in in_stores if position.site_id == store and position.sku_id != everywhere]
        there = sorted(there, key=lambda position: (-position.available_units, position.sku_id))[:_SITE_ENDS_MAX]
        ends += [EndOfLife(row.sku_id, store, today + timedelta(days=_ENDS_SOON_DAYS)) for row in there]
    return tuple(ends)


def _markdowns(
    sku_by_id: dict[str, Sku], in_stores: list[StockPosition], ends: tuple[EndOfLife, ...]
) -> tuple[Markdown, ...]:
    """What ends somewhere could be marked down there, for six tenths of its cost."""
    ending = {SiteSku(row.site_id, row.sku_id) for row in ends}
    everywhere = {row.sku_id for row in ends if row.site_id == EVERY_SITE}
    return tuple(
        Markdown(*position.key, sku_by_id[position.sku_id].unit_cost_e4 * 6 // 10)
        for position in in_stores
        if position.key in ending or position.sku_id in everywhere
    )


def _substitutes(rng: Generator, skus: tuple[Sku, ...]) -> tuple[Substitute, ...]:
    """One SKU in ten has another of its category that a fifth to a half of its customers would take."""
    substitutes = []
    last_of: dict[str, str] = {}
    for sku in skus:
        other = last_of.get(sku.category)
        drawn, share = rng.random(), int(rng.integers(20, 51)) * 100
        if other is not None and drawn < 0.1:
            substitutes.append(Substitute(sku.sku_id, other, share))
        last_of[sku.category] = sku.sku_id
    return tuple(substitutes)
