"""What-if: the facts as they would be under a request's assumptions. Nothing is written anywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tools.inventory import DemandForecast, InboundSupply, Snapshot, SupplyKind
from tools.transfers import DemandChange, Overlays, SupplyDelay


def assumed(snapshot: Snapshot, overlays: Overlays) -> Snapshot:
    """The snapshot with demand and supply as the overlays assume; the same object when they assume nothing.

    A demand change scales the mean and the variance of the days alike; where two touch
    one site-SKU both apply. A supply delay moves open purchase orders back; where several
    are said of one order it is late by the longest.
    """
    late = any(delay.days for delay in _delays(overlays))
    if not overlays.demand_changes and not late:
        return snapshot
    forecasts = tuple(_changed(forecast, overlays.demand_changes) for forecast in snapshot.forecasts)
    supply = tuple(_delayed(row, overlays) for row in snapshot.supply) if late else snapshot.supply
    return replace(snapshot, forecasts=forecasts, supply=supply)


def days_late(row: InboundSupply, overlays: Overlays) -> int:
    """By how many days the overlays make a supply late: none for what is on the road from another site already."""
    if row.kind is not SupplyKind.PURCHASE_ORDER:
        return 0
    return max(delay.days for delay in _delays(overlays) if is_said_of(delay, row.site_id, row.sku_id))


def is_said_of(change: DemandChange | SupplyDelay, site_id: str, sku_id: str) -> bool:
    """Whether a change is about a SKU at a site."""
    return sku_id in (change.skus or (sku_id,)) and site_id in (change.sites or (site_id,))


def _delays(overlays: Overlays) -> tuple[SupplyDelay, ...]:
    """The delays of what is named, and of everything."""
    return (*overlays.supply_delays, SupplyDelay(days=overlays.supply_delay_days))


def _delayed(row: InboundSupply, overlays: Overlays) -> InboundSupply:
    days = days_late(row, overlays)
    return replace(row, expected_on=row.expected_on + timedelta(days=days)) if days else row


def _changed(forecast: DemandForecast, changes: tuple[DemandChange, ...]) -> DemandForecast:
    share, whole = 1, 1
    for change in changes:
        if is_said_of(change, forecast.site_id, forecast.sku_id):
            share, whole = share * change.percent, whole * 100
    if share == whole:
        return forecast
    return replace(
        forecast,
        mean_e6=tuple(mean * share // whole for mean in forecast.mean_e6),
        variance_e6=tuple(variance * share // whole for variance in forecast.variance_e6),
    )
