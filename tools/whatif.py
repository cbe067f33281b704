"""What-if: the facts as they would be under a request's assumptions. Nothing is written anywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tools.inventory import DemandForecast, Snapshot, SupplyKind
from tools.transfers import DemandChange, Overlays


def assumed(snapshot: Snapshot, overlays: Overlays) -> Snapshot:
    """The snapshot with demand and supply as the overlays assume; the same object when they assume nothing.

    A demand change scales the mean and the variance of the days alike; a supply
    delay moves every open purchase order back. Where two demand changes touch one
    site-SKU both apply.
    """
    if not overlays.demand_changes and not overlays.supply_delay_days:
        return snapshot
    forecasts = tuple(_changed(forecast, overlays.demand_changes) for forecast in snapshot.forecasts)
    delay = timedelta(days=overlays.supply_delay_days)
    supply = tuple(
        replace(row, expected_on=row.expected_on + delay) if row.kind is SupplyKind.PURCHASE_ORDER else row
        for row in snapshot.supply
    )
    return replace(snapshot, forecasts=forecasts, supply=supply)


def _changed(forecast: DemandForecast, changes: tuple[DemandChange, ...]) -> DemandForecast:
    share, whole = 1, 1
    for change in changes:
        if forecast.sku_id in (change.skus or (forecast.sku_id,)) and forecast.site_id in (
            change.sites or (forecast.site_id,)
        ):
            share, whole = share * change.percent, whole * 100
    if share == whole:
        return forecast
    return replace(
        forecast,
        mean_e6=tuple(mean * share // whole for mean in forecast.mean_e6),
        variance_e6=tuple(variance * share // whole for variance in forecast.variance_e6),
    )
