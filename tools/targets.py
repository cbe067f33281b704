"""Targets: how much stock a site should have of a SKU, and how much a SKU matters.

The rule is the periodic-review order-up-to level (R, S) of Silver, Pyke and Thomas
(2017), Inventory and Production Management in Supply Chains, 4th ed., sec. 6.9,
with the demand distribution of `tools.demand` in place of the normal one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import fsum

import numpy as np

from tools.demand import DemandView, quantiles
from tools.inventory import SiteSku, Snapshot

BP = 10_000


class DemandClass(StrEnum):
    """How much of the demand value a SKU carries: A most, C least."""

    A = "A"
    B = "B"
    C = "C"


@dataclass(frozen=True, slots=True)
class Target:
    """What stock a site should have of a SKU.

    `need_units` covers demand until the regular supply at the service level,
    `safety_stock_units` is how much of it lies above the mean, and
    `order_up_to_units` covers one review period more: stock beyond it is surplus.
    """

    site_id: str
    sku_id: str
    service_level_bp: int
    horizon_days: int
    review_days: int
    safety_stock_units: int
    need_units: int
    order_up_to_units: int

    @property
    def key(self) -> SiteSku:
        """The site and SKU."""
        return SiteSku(self.site_id, self.sku_id)


def abc_classes(
    snapshot: Snapshot, view: DemandView, a_share_bp: int = 8_000, b_share_bp: int = 9_500
) -> dict[str, DemandClass]:
    """The class of every SKU by its share of the expected demand value, at sales prices, over the default horizon.

    SKUs are taken from the most valuable on: class A until `a_share_bp` of the value
    is reached (the SKU that reaches it included), then class B until `b_share_bp`. A
    SKU without demand value is C. Only customers' demand counts, so a distribution
    centre without a forecast of its own adds nothing. Silver, Pyke and Thomas (2017), sec. 2.2.
    """
    keys = [forecast.key for forecast in snapshot.forecasts]
    means, _ = view.windows(keys, np.asarray(0), np.asarray(view.default_horizon_days))
    daily: dict[str, list[float]] = {sku.sku_id: [] for sku in snapshot.skus}
    for key, mean in zip(keys, means.tolist(), strict=True):
        daily[key.sku_id].append(mean)
    values = {sku_id: fsum(means) * snapshot.sku_by_id[sku_id].unit_price_e4 for sku_id, means in daily.items()}
    total = fsum(values.values())
    classes: dict[str, DemandClass] = {}
    before = 0.0
    for sku_id in sorted(values, key=lambda sku: (-values[sku], sku)):
        if values[sku_id] <= 0 or before * BP >= b_share_bp * total:
            classes[sku_id] = DemandClass.C
        else:
            classes[sku_id] = DemandClass.A if before * BP < a_share_bp * total else DemandClass.B
        before += values[sku_id]
    return classes


def targets(
    snapshot: Snapshot, view: DemandView, service_level_bp: Callable[[SiteSku], int], review_days_default: int
) -> tuple[Target, ...]:
    """The target of every site-SKU that has a position or a forecast, sorted by site and SKU.

    `service_level_bp` gives the probability, in hundredths of a percent, that demand
    is covered. Raises ValueError where it does not lie between 0 and 10,000.
    """
    keys = sorted(snapshot.position_by_key.keys() | snapshot.forecast_by_key.keys())
    levels = np.asarray([service_level_bp(key) for key in keys], dtype=np.int64)
    reviews = np.asarray([_review_days(snapshot, key, review_days_default) for key in keys], dtype=np.int64)
    horizons = view.horizons(keys)
    mean, variance = view.windows(keys, np.asarray(0), horizons)
    need = quantiles(mean, variance, levels / BP)
    # An uneven forecast can give a longer window a lower quantile; more time never needs less stock.
    order_up_to = np.maximum(need, quantiles(*view.windows(keys, np.asarray(0), horizons + reviews), levels / BP))
    safety = np.maximum(np.ceil(need - mean), 0).astype(np.int64)
    columns = (levels, horizons, reviews, safety, need, order_up_to)
    return tuple(Target(*key, *row) for key, *row in zip(keys, *(each.tolist() for each in columns), strict=True))


def _review_days(snapshot: Snapshot, key: SiteSku, default: int) -> int:
    row = snapshot.replenishment_by_key.get(key)
    return (row and row.review_period_days) or default
