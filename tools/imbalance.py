"""Imbalances: where stock is short, over, about to expire, or where nobody asks for it; the costliest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tools.coverage import days_of_cover_of, expected_lost_units_of, stock_out_ppm_of
from tools.demand import DemandView, quantiles
from tools.demand_table import IntArray
from tools.inventory import DataHold, SiteKind, SiteSku, Sku, Snapshot
from tools.money import minor_from_e4
from tools.positions import available_units_of, projected_units_of
from tools.targets import BP, Target


class ImbalanceKind(StrEnum):
    """What is wrong with the stock of a SKU at a site."""

    SHORTAGE = "shortage"
    SURPLUS = "surplus"
    EXPIRING = "expiring"
    STRANDED = "stranded"


@dataclass(frozen=True, slots=True)
class Imbalance:
    """Stock that is not where it should be.

    `units` are missing (shortage) or too many. `severity_minor` is the margin of the
    sales expected to be lost, or the cost of the units that are too many, in minor
    units of the snapshot's currency. `days_of_cover` is that of the available units.
    `until` is the day of the regular supply, or of expiry.
    """

    kind: ImbalanceKind
    site_id: str
    sku_id: str
    units: int
    severity_minor: int
    days_of_cover: int | None
    stock_out_ppm: int
    until: date

    @property
    def key(self) -> SiteSku:
        """The site and SKU."""
        return SiteSku(self.site_id, self.sku_id)


@dataclass(frozen=True, slots=True)
class ImbalanceRules:
    """From when on a difference is an imbalance. The values come from policy.

    `shortage_lost_units_e6_min`: expected lost units, in millionths. `surplus_units_min`:
    units beyond the order-up-to level, or a pack where that is more. `expiry_sales_bp`:
    the quantile of demand within the shelf life that is counted on to sell.
    `stranded_demand_e6_max`: the most units, in millionths, expected to be asked for in
    `stranded_days` at a store where stock is stranded.
    """

    shortage_lost_units_e6_min: int
    surplus_units_min: int
    expiring_units_min: int
    expiry_sales_bp: int
    stranded_days: int
    stranded_demand_e6_max: int


@dataclass(frozen=True)
class _Judged:
    """The site-SKUs under examination, and what is asked of each: arrays of shape (targets,)."""

    snapshot: Snapshot
    view: DemandView
    targets: Sequence[Target]
    rules: ImbalanceRules

    @cached_property
    def keys(self) -> list[SiteSku]:
        return [target.key for target in self.targets]

    @cached_property
    def skus(self) -> list[Sku]:
        return [self.snapshot.sku_by_id[target.sku_id] for target in self.targets]

    @cached_property
    def horizon_days(self) -> IntArray:
        return np.asarray([target.horizon_days for target in self.targets], dtype=np.int64)

    @cached_property
    def available_units(self) -> IntArray:
        return available_units_of(self.snapshot, self.keys)

    @cached_property
    def projected_units(self) -> IntArray:
        return projected_units_of(self.snapshot, self.keys, self.horizon_days)

    @cached_property
    def is_stranded(self) -> NDArray[np.bool_]:
        """Whether there is stock at a store where (nearly) nobody asks for it."""
        kinds = self.snapshot.site_by_id
        at_store = np.asarray([kinds[key.site_id].kind is SiteKind.STORE for key in self.keys], dtype=bool)
        asked_for, _ = self.view.windows(self.keys, np.asarray(0), np.asarray(self.rules.stranded_days))
        return at_store & (self.available_units > 0) & (asked_for * 1_000_000 <= self.rules.stranded_demand_e6_max)

    def cost_minor(self, row: int, units: int) -> int:
        """What so many units of a target's SKU cost."""
        return minor_from_e4(units * self.skus[row].unit_cost_e4, self.snapshot.currency)


class _Found(NamedTuple):
    """What a detector found: the target, how many units, what they are worth, and the day on which it ends."""

    row: int
    kind: ImbalanceKind
    units: int
    severity_minor: int
    days: int


def find_imbalances(
    snapshot: Snapshot, view: DemandView, targets: Iterable[Target], rules: ImbalanceRules
) -> tuple[Imbalance, ...]:
    """Every imbalance among the site-SKUs with a target, by falling severity, then site, SKU and kind.

    Site-SKUs on hold are passed over (`held` names them), and so are stores without
    any forecast: what nobody has ever forecast is unknown, not unwanted. Stranded
    stock is not surplus as well.
    """
    judged = _Judged(
        snapshot,
        view,
        [
            target
            for target in targets
            if target.key not in snapshot.hold_by_key and _demand_is_known(snapshot, target.key)
        ],
        rules,
    )
    found = [each for detect in _DETECTORS for each in detect(judged)]
    return tuple(sorted(_described(judged, found), key=lambda r: (-r.severity_minor, r.site_id, r.sku_id, r.kind)))


def held(snapshot: Snapshot, targets: Iterable[Target]) -> tuple[DataHold, ...]:
    """The data holds that kept a site-SKU with a target from being judged, by site and SKU."""
    keys = {target.key for target in targets}
    return tuple(snapshot.hold_by_key[key] for key in sorted(snapshot.hold_by_key.keys() & keys))


def _described(judged: _Judged, found: Sequence[_Found]) -> Iterator[Imbalance]:
    """The imbalances, with the cover and the risk of their site-SKUs."""
    rows = sorted({each.row for each in found})
    keys = [judged.keys[row] for row in rows]
    cover = dict(zip(rows, days_of_cover_of(judged.view, keys, judged.available_units[rows]), strict=True))
    risk = dict(zip(rows, stock_out_ppm_of(judged.snapshot, judged.view, keys).tolist(), strict=True))
    as_of = judged.snapshot.as_of.date()
    for row, kind, units, severity_minor, days in found:
        yield Imbalance(
            kind=kind,
            site_id=judged.keys[row].site_id,
            sku_id=judged.keys[row].sku_id,
            units=units,
            severity_minor=severity_minor,
            days_of_cover=cover[row],
            stock_out_ppm=risk[row],
            until=as_of + timedelta(days=days),
        )


def _shortages(judged: _Judged) -> Iterator[_Found]:
    """Projected units that do not cover demand until the regular supply at the service level."""
    need = np.asarray([target.need_units for target in judged.targets], dtype=np.int64)
    short = need - judged.projected_units
    rows = np.flatnonzero(short > 0)
    keys = [judged.keys[row] for row in rows.tolist()]
    lost = expected_lost_units_of(judged.snapshot, judged.view, keys)
    for row, lost_units in zip(rows.tolist(), lost.tolist(), strict=True):
        if lost_units * 1_000_000 < judged.rules.shortage_lost_units_e6_min:
            continue
        sku = judged.skus[row]
        margin_e4 = max(sku.unit_price_e4 - sku.unit_cost_e4, 0)
        severity = minor_from_e4(round(lost_units * margin_e4), judged.snapshot.currency)
        yield _Found(row, ImbalanceKind.SHORTAGE, int(short[row]), severity, int(judged.horizon_days[row]))


def _surpluses(judged: _Judged) -> Iterator[_Found]:
    """Projected units beyond the order-up-to level, by a pack at least."""
    levels = np.asarray([target.order_up_to_units for target in judged.targets], dtype=np.int64)
    packs = np.asarray([sku.pack_size for sku in judged.skus], dtype=np.int64)
    over = judged.projected_units - levels
    enough = over >= np.maximum(packs, judged.rules.surplus_units_min)
    for row in np.flatnonzero(enough & ~judged.is_stranded).tolist():
        units = int(over[row])
        cost = judged.cost_minor(row, units)
        yield _Found(row, ImbalanceKind.SURPLUS, units, cost, int(judged.horizon_days[row]))


def _expiring(judged: _Judged) -> Iterator[_Found]:
    """Available units that will not be asked for within the shelf life, were they all fresh today."""
    perishable = [(row, days) for row, sku in enumerate(judged.skus) if (days := sku.shelf_life_days) is not None]
    keys = [judged.keys[row] for row, _ in perishable]
    shelf_lives = np.asarray([days for _, days in perishable], dtype=np.int64)
    window = judged.view.windows(keys, np.asarray(0), shelf_lives)
    sold = quantiles(*window, judged.rules.expiry_sales_bp / BP)
    for (row, days), sold_units in zip(perishable, sold.tolist(), strict=True):
        left = int(judged.available_units[row]) - sold_units
        if left >= max(judged.rules.expiring_units_min, 1):
            yield _Found(row, ImbalanceKind.EXPIRING, left, judged.cost_minor(row, left), days)


def _stranded(judged: _Judged) -> Iterator[_Found]:
    """Stock at a store where (nearly) nobody asks for it."""
    for row in np.flatnonzero(judged.is_stranded).tolist():
        units = int(judged.available_units[row])
        cost = judged.cost_minor(row, units)
        yield _Found(row, ImbalanceKind.STRANDED, units, cost, int(judged.horizon_days[row]))


_DETECTORS: tuple[Callable[[_Judged], Iterator[_Found]], ...] = (_shortages, _surpluses, _expiring, _stranded)


def _demand_is_known(snapshot: Snapshot, key: SiteSku) -> bool:
    return key in snapshot.forecast_by_key or snapshot.site_by_id[key.site_id].kind is not SiteKind.STORE
