"""Imbalances: where stock is short, over, about to expire, or where nobody asks for it; the costliest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from tools.coverage import days_of_cover, expected_lost_units, stock_out_ppm
from tools.demand import DemandView, quantile
from tools.inventory import DataHold, SiteKind, SiteSku, Sku, Snapshot
from tools.money import minor_from_e4
from tools.positions import available_units, projected_units
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


@dataclass(frozen=True, slots=True)
class _Case:
    """One site-SKU under examination."""

    snapshot: Snapshot
    view: DemandView
    target: Target
    rules: ImbalanceRules
    sku: Sku

    @property
    def key(self) -> SiteSku:
        return self.target.key

    @property
    def available_units(self) -> int:
        return available_units(self.snapshot, self.key)

    @property
    def projected_units(self) -> int:
        return projected_units(self.snapshot, self.key, self.target.horizon_days)

    def cost_minor(self, units: int) -> int:
        """What so many units cost."""
        return minor_from_e4(units * self.sku.unit_cost_e4, self.snapshot.currency)

    def found(self, kind: ImbalanceKind, units: int, severity_minor: int, days: int) -> Imbalance:
        """The imbalance of this site-SKU that ends in so many days."""
        return Imbalance(
            kind=kind,
            site_id=self.key.site_id,
            sku_id=self.key.sku_id,
            units=units,
            severity_minor=severity_minor,
            days_of_cover=days_of_cover(self.view, self.key, self.available_units),
            stock_out_ppm=stock_out_ppm(self.snapshot, self.view, self.key),
            until=self.snapshot.as_of.date() + timedelta(days=days),
        )


def find_imbalances(
    snapshot: Snapshot, view: DemandView, targets: Iterable[Target], rules: ImbalanceRules
) -> tuple[Imbalance, ...]:
    """Every imbalance among the site-SKUs with a target, by falling severity, then site, SKU and kind.

    Site-SKUs on hold are passed over (`held` names them), and so are stores without
    any forecast: what nobody has ever forecast is unknown, not unwanted. Stranded
    stock is not surplus as well.
    """
    found = [
        imbalance
        for target in targets
        if target.key not in snapshot.hold_by_key and _demand_is_known(snapshot, target.key)
        for detect in _DETECTORS
        if (imbalance := detect(_Case(snapshot, view, target, rules, snapshot.sku_by_id[target.sku_id])))
    ]
    return tuple(sorted(found, key=lambda row: (-row.severity_minor, row.site_id, row.sku_id, row.kind)))


def held(snapshot: Snapshot, targets: Iterable[Target]) -> tuple[DataHold, ...]:
    """The data holds that kept a site-SKU with a target from being judged, by site and SKU."""
    keys = {target.key for target in targets}
    return tuple(snapshot.hold_by_key[key] for key in sorted(snapshot.hold_by_key.keys() & keys))


def shortage(case: _Case) -> Imbalance | None:
    """Projected units that do not cover demand until the regular supply at the service level."""
    short = case.target.need_units - case.projected_units
    if short <= 0:
        return None
    lost = expected_lost_units(case.snapshot, case.view, case.key)
    if lost * 1_000_000 < case.rules.shortage_lost_units_e6_min:
        return None
    margin_e4 = max(case.sku.unit_price_e4 - case.sku.unit_cost_e4, 0)
    severity = minor_from_e4(round(lost * margin_e4), case.snapshot.currency)
    return case.found(ImbalanceKind.SHORTAGE, short, severity, case.target.horizon_days)


def surplus(case: _Case) -> Imbalance | None:
    """Projected units beyond the order-up-to level, by a pack at least."""
    over = case.projected_units - case.target.order_up_to_units
    if over < max(case.sku.pack_size, case.rules.surplus_units_min) or _is_stranded(case):
        return None
    return case.found(ImbalanceKind.SURPLUS, over, case.cost_minor(over), case.target.horizon_days)


def expiring(case: _Case) -> Imbalance | None:
    """Available units that will not be asked for within the shelf life, were they all fresh today."""
    days = case.sku.shelf_life_days
    if days is None:
        return None
    sold = quantile(case.view.window(case.key, 0, days), case.rules.expiry_sales_bp / BP)
    left = case.available_units - sold
    if left < max(case.rules.expiring_units_min, 1):
        return None
    return case.found(ImbalanceKind.EXPIRING, left, case.cost_minor(left), days)


def stranded(case: _Case) -> Imbalance | None:
    """Stock at a store where (nearly) nobody asks for it."""
    if not _is_stranded(case):
        return None
    units = case.available_units
    return case.found(ImbalanceKind.STRANDED, units, case.cost_minor(units), case.target.horizon_days)


_DETECTORS: tuple[Callable[[_Case], Imbalance | None], ...] = (shortage, surplus, expiring, stranded)


def _is_stranded(case: _Case) -> bool:
    if case.snapshot.site_by_id[case.key.site_id].kind is not SiteKind.STORE or not case.available_units:
        return False
    asked_for = case.view.window(case.key, 0, case.rules.stranded_days).mean
    return asked_for * 1_000_000 <= case.rules.stranded_demand_e6_max


def _demand_is_known(snapshot: Snapshot, key: SiteSku) -> bool:
    return key in snapshot.forecast_by_key or snapshot.site_by_id[key.site_id].kind is not SiteKind.STORE
