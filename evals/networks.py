"""Small networks in which the right answer is plain to see. Their own day is 2026-03-02, and it is their today."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tools.inventory import Lane, Replenishment, Site, SiteKind, Sku, StockPosition
from tools.network_folder import ForecastRow, NetworkFolder

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
SUPPLY_IN_DAYS = 14
E4, E6 = 10_000, 1_000_000

Stock = Mapping[tuple[str, str], int]


def network(
    stock: Stock,
    daily_units: Mapping[tuple[str, str], int] | int = 3,
    *,
    names: Mapping[str, str] | None = None,
    counted_at: Mapping[str, datetime] | None = None,
) -> NetworkFolder:
    """Stores that hold `stock` by (site, SKU), sell so many units a day, and are supplied in 14 days.

    Each SKU costs 4.00 and sells for 10.00; a van goes every day between any two stores
    for 5.00. `names` gives SKUs other names; `counted_at` sites an older count.
    """
    sites = sorted({site_id for site_id, _ in stock})
    skus = sorted({sku_id for _, sku_id in stock})
    daily = dict.fromkeys(stock, daily_units) if isinstance(daily_units, int) else dict(daily_units)
    return NetworkFolder(
        currency="USD",
        sites=tuple(Site(site_id, f"Store {site_id}", SiteKind.STORE) for site_id in sites),
        skus=tuple(
            Sku(
                sku_id, (names or {}).get(sku_id, f"SKU {sku_id}"), unit_cost_e4=4 * E4, unit_price_e4=10 * E4,
                unit_volume_microlitres=E6,
            )
            for sku_id in skus
        ),
        lanes=tuple(
            Lane(origin, destination, "van", lead_time_days=1, cost_fixed_e4=5 * E4)
            for origin in sites
            for destination in sites
            if origin != destination
        ),
        positions=tuple(
            StockPosition(site_id, sku_id, units, 0, (counted_at or {}).get(site_id, NOW))
            for (site_id, sku_id), units in stock.items()
        ),
        forecasts=tuple(
            ForecastRow(site_id, sku_id, NOW.date() + timedelta(days=day), units * E6, units * E6)
            for (site_id, sku_id), units in daily.items()
            for day in range(2 * SUPPLY_IN_DAYS)
        ),
        replenishments=tuple(
            Replenishment(site_id, sku_id, NOW.date() + timedelta(days=SUPPLY_IN_DAYS), 7) for site_id, sku_id in stock
        ),
    )  # fmt: skip


SHORTAGE_BESIDE_SURPLUS: Stock = {
    ("S1", "P1"): 200, ("S2", "P1"): 2, ("S3", "P1"): 45,
    ("S1", "P2"): 120, ("S2", "P2"): 1, ("S3", "P2"): 45,
}  # fmt: skip
"""S1 sits on far too much of both SKUs, S2 has nearly nothing, S3 has enough."""

TWO_CLAIMS_ON_ONE_POOL: Stock = {("S1", "P1"): 90, ("S2", "P1"): 0, ("S3", "P1"): 0}
"""S1 can spare about 40 units of the one SKU that S2 and S3 both have none of."""
