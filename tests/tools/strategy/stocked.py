"""Facts for tests of the strategic horizon: a centre with stores, rules of policy, and rows without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.builders import a_dc, a_forecast, a_lane, a_position, a_replenishment, a_site, a_sku, a_snapshot, a_supply
from tools.demand import DemandView
from tools.inventory import SiteSku, Snapshot
from tools.strategy import Strategy, StrategyRequest, StrategyRules, propose
from tools.strategy.ladder import Ladder
from tools.strategy.site_skus import SiteSkus
from tools.targets import DemandClass


def a_region(stores: int = 3, skus: Sequence[str] = ("P1",), daily_units: float = 2.0, **fields: Any) -> Snapshot:
    """A centre that waits 21 days for its supply and is reviewed every 14, and stores a day away, reviewed every 7."""
    names = [f"S{n + 1}" for n in range(stores)]
    defaults: dict[str, Any] = {
        "sites": (a_dc("DC1"), *(a_site(name) for name in names)),
        "skus": tuple(a_sku(sku) for sku in skus),
        "lanes": tuple(a_lane("DC1", name) for name in names),
        "positions": tuple(a_position(site, sku) for site in ("DC1", *names) for sku in skus),
        "forecasts": tuple(a_forecast(name, sku, daily_units) for name in names for sku in skus),
        "replenishments": (
            *(a_replenishment(name, sku) for name in names for sku in skus),
            *(a_replenishment("DC1", sku, 14, review_period_days=14) for sku in skus),
        ),
        "supply": (a_supply("DC1", skus[0], 5, 21),),
    }
    return a_snapshot(**defaults | fields)


def rules_for(snapshot: Snapshot, **fields: Any) -> StrategyRules:
    """Every SKU is of class A at 95 %; a lost unit costs 6.00, and a unit that lies for 14 days 0.14."""
    ids = [sku.sku_id for sku in snapshot.skus]
    defaults: dict[str, Any] = {
        "classes": dict.fromkeys(ids, DemandClass.A),
        "level_bp": dict.fromkeys(DemandClass, 9_500),
        "lost_unit_e4": dict.fromkeys(ids, 60_000),
        "leftover_unit_e4": dict.fromkeys(ids, 1_400),
        "leftover_days": 14,
        "review_days": 7,
        "supply_days": 14,
    }
    return StrategyRules(**defaults | fields)


def proposed(snapshot: Snapshot, rules: StrategyRules | None = None, **asked: Any) -> Strategy:
    """The strategy of a snapshot."""
    return propose(DemandView(snapshot, 14), rules or rules_for(snapshot), StrategyRequest(**asked))


def some_rows(
    daily_means: Sequence[float], dispersion: float = 1.0, *, costs: Sequence[int] | None = None, **fields: Any
) -> SiteSkus:
    """Site-SKUs at one site with a lead time of 2 days and a review every 3: rows without a network.

    A unit costs 1.00 unless `costs` has it, a lost one 5.00, and holding one for a day 0.01.
    """
    count = len(daily_means)
    mean = np.array(daily_means, dtype=np.float64)
    whole = np.ones(count, dtype=np.int64)
    defaults: dict[str, Any] = {
        "keys": tuple(SiteSku("S1", f"P{n}") for n in range(count)),
        "site_ids": ("S1",),
        "site": whole * 0,
        "demand_class": whole * 0,
        "supplier": whole * -1,
        "daily_mean": mean,
        "daily_variance": mean * dispersion,
        "level_cv2": np.zeros(count),
        "lead_days": whole * 2,
        "review_days": whole * 3,
        "level_bp": whole * 9_500,
        "cost_e4": np.array(costs, dtype=np.int64) if costs is not None else whole * 10_000,
        "lost_e4": np.full(count, 50_000.0),
        "daily_holding_e4": np.full(count, 100.0),
        "held_units": whole * 0,
    }
    return SiteSkus(**defaults | fields)


def a_ladder(*daily_means: float, **fields: Any) -> Ladder:
    """The ladder of such rows."""
    return Ladder.of(some_rows(daily_means, **fields))
