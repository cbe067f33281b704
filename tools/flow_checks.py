"""Quality checks on what flows: sales, forecasts, inbound supply, lead times and supplier reliability."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil, sqrt

from tools.counted import counted
from tools.demand import E6
from tools.findings import Case, Finding, QualityCheck, QualityContext, QualityVerdict, finding, unknown_ids
from tools.inventory import LaneKey, SiteSku
from tools.signals import (
    ForecastData,
    ForecastReading,
    InboundData,
    InboundReading,
    LeadTimeData,
    SalesData,
    SalesReading,
    SupplierReliabilityData,
)
from tools.stock_checks import too_large

SalesCase = Case[SalesReading, SalesData]
ForecastCase = Case[ForecastReading, ForecastData]
InboundCase = Case[InboundReading, InboundData]

_PERIOD_DAYS = {"day": 1, "week": 7}


def negative_sales(case: SalesCase) -> Finding | None:
    """Returns are not sales: a period sells no units or more."""
    units = case.reading.units
    if units >= 0:
        return None
    words = f"{counted(units, 'unit')} sold on {case.reading.on}; sales cannot be negative"
    return case.quarantined(QualityCheck.NEGATIVE, words, units=units)


def future_sales(case: SalesCase) -> Finding | None:
    """Nothing is sold before its day."""
    days = (case.reading.on - case.context.today).days
    if days <= 0:
        return None
    words = f"sales on {case.reading.on}, {counted(days, 'day')} from now"
    return case.quarantined(QualityCheck.FUTURE, words, days_ahead=days)


def sales_jump(case: SalesCase) -> Finding | None:
    """Sales must not be far above the demand that was forecast; far below they may be."""
    rules = case.context.rules
    demand = case.context.demand(case.key, case.reading.on, _PERIOD_DAYS[case.data.grain])
    if demand is None:
        return None
    units, expected = case.reading.units, round(demand.mean)
    allowed = max(ceil(rules.jump_sds * sqrt(demand.variance)), rules.jump_units_min)
    if units - expected <= allowed:
        return None
    words = (
        f"{counted(units, 'unit')} sold in the {case.data.grain} of {case.reading.on} where {expected:,} were expected; "
        f"a difference above {counted(allowed, 'unit')} is not believed"
    )
    return case.quarantined(
        QualityCheck.SUDDEN_JUMP, words, units=units, expected_units=expected, allowed_units=allowed
    )


def forecast_jump(data: ForecastData, context: QualityContext) -> Iterator[Finding]:
    """The mean of a new forecast must not be many times that of the present one, or a small part of it."""
    rules = context.rules
    for key, positions in _by_site_sku(data).items():
        rows = [data.readings[position] for position in positions]
        first = min(row.on for row in rows)
        days = (max(row.on for row in rows) - first).days + 1
        present = context.demand(key, first, days)
        if present is None:
            continue
        new, old = sum(row.mean_e6 for row in rows) // days, round(present.mean * E6 / days)
        low, high = sorted((new, old))
        if high <= low * rules.forecast_factor_max or high - low <= rules.forecast_daily_e6_min:
            continue
        words = (
            f"{new / E6:g} units a day from {first} on, where {old / E6:g} were forecast; "
            f"more than {rules.forecast_factor_max} times as many or as few are not believed"
        )
        found = finding(
            QualityCheck.SUDDEN_JUMP,
            QualityVerdict.QUARANTINED,
            words,
            key,
            daily_e6=new,
            daily_e6_before=old,
            factor_max=rules.forecast_factor_max,
        )
        yield replace(found, readings=positions)


def stale_forecast(data: ForecastData, context: QualityContext) -> Iterator[Finding]:
    """A forecast must reach today."""
    for key, positions in _by_site_sku(data).items():
        last = max(data.readings[position].on for position in positions)
        days = (context.today - last).days
        if days > 0:
            words = f"the forecast ends on {last}, {counted(days, 'day')} ago"
            found = finding(QualityCheck.STALE, QualityVerdict.WARNED, words, key, days=days)
            yield replace(found, readings=positions)


def negative_inbound(case: InboundCase) -> Finding | None:
    """No order brings less than no units."""
    units = case.reading.units
    if units >= 0:
        return None
    return case.quarantined(
        QualityCheck.NEGATIVE, f"{counted(units, 'unit')} inbound; they cannot be negative", units=units
    )


def impossible_inbound(case: InboundCase) -> Finding | None:
    """An order must fit into the site, and be of use within a foreseeable time."""
    return too_large(case, case.reading.units)


def overdue(case: InboundCase) -> Finding | None:
    """An order that should have come long ago may never come."""
    days, limit = (case.context.today - case.reading.expected_on).days, case.context.rules.overdue_days_max
    if case.reading.units == 0 or days <= limit:
        return None
    words = f"{counted(case.reading.units, 'unit')} expected on {case.reading.expected_on}, {counted(days, 'day')} ago"
    return case.warned(QualityCheck.OVERDUE, words, units=case.reading.units, days=days, days_max=limit)


def unknown_lane(data: LeadTimeData, context: QualityContext) -> Iterator[Finding]:
    """The lane must be in the master data."""
    lane = LaneKey(data.origin, data.destination, data.mode)
    if lane not in context.known.lane_by_key:
        words = f"there is no lane {lane.label} in the master data; add it, or correct the signal"
        yield finding(QualityCheck.UNKNOWN, QualityVerdict.QUARANTINED, words)


def lead_time_jump(data: LeadTimeData, context: QualityContext) -> Iterator[Finding]:
    """A lead time must not change by weeks from one signal to the next."""
    lane = context.known.lane_by_key.get(LaneKey(data.origin, data.destination, data.mode))
    limit = context.rules.lead_time_change_days_max
    if lane is not None and abs(data.lead_time_days - lane.lead_time_days) > limit:
        words = (
            f"{lane.key.label}: {counted(data.lead_time_days, 'day')}, where {lane.lead_time_days:,} were known; "
            f"a change above {counted(limit, 'day')} is not believed"
        )
        yield finding(
            QualityCheck.SUDDEN_JUMP,
            QualityVerdict.QUARANTINED,
            words,
            lead_time_days=data.lead_time_days,
            lead_time_days_before=lane.lead_time_days,
            days_max=limit,
        )


def unknown_supplied(data: SupplierReliabilityData, context: QualityContext) -> Iterator[Finding]:
    """The site and the SKU supplied must be in the master data."""
    words = unknown_ids(data.site_id, data.sku_id, context)
    if words:
        yield finding(QualityCheck.UNKNOWN, QualityVerdict.QUARANTINED, words)


def _by_site_sku(data: ForecastData) -> dict[SiteSku, tuple[int, ...]]:
    grouped: dict[SiteSku, list[int]] = {}
    for position, row in enumerate(data.readings):
        grouped.setdefault(SiteSku(row.site_id, row.sku_id), []).append(position)
    return {key: tuple(grouped[key]) for key in sorted(grouped)}
