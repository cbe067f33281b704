"""What every site holds and expects, drawn round what it should hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.random import Generator

from tools.generate.assortment import Assortment
from tools.generate.goods import Goods
from tools.generate.imbalance import Condition, Conditions
from tools.generate.places import FloatArray, IntArray, Places
from tools.inventory import (
    MICROLITRES_PER_LITRE,
    InboundSupply,
    Replenishment,
    Site,
    SiteKind,
    StockPosition,
    SupplyKind,
)

LEAD_TIME_DAYS = 2
SERVICE_Z = 1.645
"""Standard normal quantile of 95 %: what an order-up-to level should cover."""

SIX_MONTHS_WEEKS = 26
_CENTRE_REVIEW_DAYS = 14
_RESERVED_SHARE = 0.03
_PERISHABLE_DAYS = 60


@dataclass(frozen=True)
class Stock:
    """Positions, open supply and the regular supply to come."""

    positions: tuple[StockPosition, ...]
    inbound: tuple[InboundSupply, ...]
    replenishments: tuple[Replenishment, ...]

    def sites_with_room(self, places: Places, goods: Goods) -> tuple[Site, ...]:
        """The sites, each with storage for what it holds and half as much again, and 2,000 litres at least."""
        volume = {sku.sku_id: sku.unit_volume_microlitres for sku in goods.skus}
        held: dict[str, int] = {}
        for position in self.positions:
            held[position.site_id] = held.get(position.site_id, 0) + position.on_hand_units * volume[position.sku_id]
        step = 1_000 * MICROLITRES_PER_LITRE
        return tuple(
            replace(site, storage_capacity_microlitres=(held.get(site.site_id, 0) * 3 // 2 // step + 2) * step)
            for site in places.sites
        )


def draw_stock(
    rng: Generator, places: Places, goods: Goods, assortment: Assortment, conditions: Conditions, as_of: datetime
) -> Stock:
    """Stock of stores by their conditions, of centres against what their stores draw, and overflow in warehouses."""
    count = _Count(rng, places, goods, as_of)
    _count_stores(count, assortment, conditions)
    wanted = {
        region: assortment.drawn_on(stores, len(goods.skus)) for region, stores in places.stores_by_region.items()
    }
    empty = {
        (int(places.region[assortment.site[pair.short]]), int(assortment.sku[pair.short])) for pair in conditions.pairs
    }
    for centre in places.of_kind(SiteKind.DC):
        region = int(places.region[centre])
        _count_centre(count, centre, wanted[region], {sku for short_in, sku in empty if short_in == region})
    for warehouse in places.of_kind(SiteKind.WAREHOUSE):
        _count_warehouse(count, warehouse, wanted[int(places.region[warehouse])])
    return Stock(tuple(count.positions), tuple(count.inbound), tuple(count.replenishments))


@dataclass
class _Count:
    """The stock count while it is taken."""

    rng: Generator
    places: Places
    goods: Goods
    as_of: datetime
    positions: list[StockPosition] = field(default_factory=list)
    inbound: list[InboundSupply] = field(default_factory=list)
    replenishments: list[Replenishment] = field(default_factory=list)

    @property
    def today(self) -> date:
        """The day of the count, in UTC."""
        return self.as_of.astimezone(UTC).date()

    def hold(self, site: int, sku: int, units: int) -> None:
        """Units on hand; a few of them are reserved now and then."""
        reserved = min(units, int(self.rng.integers(1, 4))) if self.rng.random() < _RESERVED_SHARE else 0
        ids = self.places.sites[site].site_id, self.goods.skus[sku].sku_id
        self.positions.append(StockPosition(*ids, units, reserved, self.as_of))

    def supply_regularly(self, site: int, sku: int, in_days: int, review_days: int) -> None:
        """The next regular supply."""
        ids = self.places.sites[site].site_id, self.goods.skus[sku].sku_id
        self.replenishments.append(Replenishment(*ids, self.today + timedelta(days=in_days), review_days))

    def expect(self, site: int, sku: int, units: int, in_days: int) -> None:
        """A purchase order, in whole packs and at least one."""
        pack = self.goods.skus[sku].pack_size
        self.inbound.append(
            InboundSupply(
                self.places.sites[site].site_id,
                self.goods.skus[sku].sku_id,
                max(1, -(-units // pack)) * pack,
                self.today + timedelta(days=in_days),
                SupplyKind.PURCHASE_ORDER,
                f"PO-{len(self.inbound) + 1:06d}",
            )
        )


def _count_stores(count: _Count, assortment: Assortment, conditions: Conditions) -> None:
    weekly = assortment.weekly_units
    dispersion = count.goods.dispersion[assortment.sku]
    order_up_to = order_up_to_units(weekly, dispersion, conditions.review_days + LEAD_TIME_DAYS)
    on_hand = _on_hand(count.rng, count.goods, assortment, conditions, order_up_to)
    for pair in conditions.pairs:
        lost = weekly[pair.short] * conditions.arrival_days[pair.short] / 7.0
        on_hand[pair.short] = 0
        on_hand[pair.surplus] = order_up_to[pair.surplus] + max(SIX_MONTHS_WEEKS * weekly[pair.surplus], 2.0 * lost)
    ordered = (count.rng.random(len(assortment)) < 0.06) & (conditions.condition == Condition.BALANCED)
    for entry in range(len(assortment)):
        site, sku = int(assortment.site[entry]), int(assortment.sku[entry])
        count.hold(site, sku, round(float(on_hand[entry])))
        if conditions.condition[entry] != Condition.STRANDED:
            in_days = int(conditions.arrival_days[entry])
            count.supply_regularly(site, sku, in_days, int(conditions.review_days[entry]))
            if ordered[entry]:
                count.expect(site, sku, round(float(weekly[entry])), in_days)


def order_up_to_units(weekly_units: FloatArray, dispersion: FloatArray, days: IntArray) -> FloatArray:
    """Mean demand over `days` and 1.645 standard deviations.

    The periodic-review order-up-to level under normal demand: Silver, Pyke and
    Thomas, Inventory and Production Management in Supply Chains, 4th ed., ch. 6.
    """
    mean = weekly_units * days / 7.0
    return mean + SERVICE_Z * np.sqrt(dispersion * mean)


def _on_hand(
    rng: Generator, goods: Goods, assortment: Assortment, conditions: Conditions, order_up_to: FloatArray
) -> FloatArray:
    """Units on hand by condition. Perishables pile up to at most twice what sells before they expire."""
    count = len(assortment)
    weekly = assortment.weekly_units
    until_supply = weekly * conditions.arrival_days / 7.0
    cover_weeks = np.where(rng.random(count) < 0.3, SIX_MONTHS_WEEKS, rng.uniform(5.0, 16.0, count))
    shelf_life = np.array([sku.shelf_life_days or 0 for sku in goods.skus])[assortment.sku]
    perishable = (shelf_life > 0) & (shelf_life <= _PERISHABLE_DAYS)
    expiring_weeks = shelf_life / 7.0 * rng.uniform(1.1, 2.0, count)
    surplus = order_up_to + weekly * np.where(perishable, np.minimum(cover_weeks, expiring_weeks), cover_weeks)
    by_condition = {
        Condition.BALANCED: order_up_to * rng.uniform(0.5, 1.05, count),
        Condition.SHORT: np.floor(until_supply * rng.uniform(0.0, 0.25, count)),
        Condition.SURPLUS: surplus + 1.0,
        Condition.STRANDED: rng.integers(6, 41, count).astype(np.float64),
    }
    return np.choose(conditions.condition, [by_condition[condition] for condition in Condition])


def _count_centre(count: _Count, centre: int, wanted: FloatArray, empty: set[int]) -> None:
    """A distribution centre carries what its stores carry: mostly a few weeks of it, of some nothing, of some far too much."""
    rng = count.rng
    for sku in np.flatnonzero(wanted).tolist():
        chance = rng.random()
        weeks = rng.uniform(1.0, 3.0)
        if chance < 0.12:
            weeks *= 0.05
        elif chance > 0.9:
            weeks += rng.uniform(6.0, 10.0)
        pack = count.goods.skus[sku].pack_size
        units = 0 if sku in empty else round(wanted[sku] * weeks / pack) * pack
        in_days = int(rng.integers(3, _CENTRE_REVIEW_DAYS + 1))
        count.hold(centre, sku, units)
        count.supply_regularly(centre, sku, in_days, _CENTRE_REVIEW_DAYS)
        if rng.random() < 0.25:
            count.expect(centre, sku, round(float(wanted[sku]) * 2), in_days)


def _count_warehouse(count: _Count, warehouse: int, wanted: FloatArray) -> None:
    """A warehouse holds the overflow of some SKUs and has no regular supply."""
    carried = np.flatnonzero(wanted)
    for sku in carried[count.rng.random(len(carried)) < 0.15].tolist():
        count.hold(warehouse, sku, round(float(wanted[sku] * count.rng.uniform(4.0, 10.0))))
