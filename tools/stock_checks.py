"""Quality checks on stock counts, and on the level of stock that a reading claims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from math import ceil, sqrt
from typing import Any

from tools.counted import counted
from tools.findings import Case, Finding, QualityCheck, QualityContext, QualityVerdict, finding, unknown_ids
from tools.inventory import MICROLITRES_PER_LITRE, SiteSku
from tools.signals import StockData, StockReading

StockCase = Case[StockReading, StockData]

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


def unknown(case: Case[Any, Any]) -> Finding | None:
    """The site and the SKU must be in the master data."""
    words = unknown_ids(case.reading.site_id, case.reading.sku_id, case.context)
    return case.quarantined(QualityCheck.UNKNOWN, words) if words else None


def negative(case: StockCase) -> Finding | None:
    """Nothing can hold or promise less than no units."""
    on_hand, reserved = case.reading.on_hand_units, case.reading.reserved_units
    if on_hand >= 0 and reserved >= 0:
        return None
    words = f"{counted(on_hand, 'unit')} on hand and {reserved:,} reserved; neither can be negative"
    return case.quarantined(QualityCheck.NEGATIVE, words, on_hand_units=on_hand, reserved_units=reserved)


def over_reserved(case: StockCase) -> Finding | None:
    """No more can be promised than there is."""
    on_hand, reserved = case.reading.on_hand_units, case.reading.reserved_units
    if reserved <= on_hand:
        return None
    words = f"{counted(reserved, 'unit')} reserved, but only {on_hand:,} on hand"
    return case.quarantined(QualityCheck.OVER_RESERVED, words, on_hand_units=on_hand, reserved_units=reserved)


def sudden_jump(case: StockCase) -> Finding | None:
    """A count must follow from the one before, the demand since, and the units under way.

    Without an earlier count or a forecast nothing is expected. An increase is not
    judged when regular supply, whose size nobody knows, was due in between.
    """
    before = case.context.known.position_by_key.get(case.key)
    if before is None or case.data.as_of <= before.as_of:
        return None
    days = ceil((case.data.as_of - before.as_of) / timedelta(days=1))
    demand = case.context.demand(case.key, before.as_of.date(), days)
    if demand is None:
        return None
    on_hand = case.reading.on_hand_units
    expected = max(before.on_hand_units - round(demand.mean), 0)
    spread = ceil(case.context.rules.jump_sds * sqrt(demand.variance))
    under_way = case.context.open_inbound_units(case.key) + before.reserved_units
    allowed = max(spread + under_way, case.context.rules.jump_units_min)
    if abs(on_hand - expected) <= allowed or (on_hand > expected and _regular_supply_was_due(case)):
        return None
    words = (
        f"{counted(on_hand, 'unit')} on hand where {expected:,} were expected ({before.on_hand_units:,} counted "
        f"{counted(days, 'day')} before, less demand); a difference above {counted(allowed, 'unit')} is not believed"
    )
    return case.quarantined(
        QualityCheck.SUDDEN_JUMP,
        words,
        on_hand_units=on_hand,
        expected_units=expected,
        allowed_units=allowed,
        days=days,
    )


def impossible_level(case: StockCase) -> Finding | None:
    """A count must fit into the site, and be of use within a foreseeable time."""
    return too_large(case, case.reading.on_hand_units)


def too_large(case: Case[Any, Any], units: int) -> Finding | None:
    """The finding that so many units do not fit into the site, or would last for years."""
    return _larger_than_site(case, units) or _larger_than_demand(case, units)


def stale(data: StockData, context: QualityContext) -> Iterator[Finding]:
    """A count must be recent."""
    age, limit = context.now - data.as_of, context.rules.stale_after_hours
    if age > limit * _HOUR:
        hours = age // _HOUR
        words = f"counted at {data.as_of.isoformat()}, {counted(hours, 'hour')} ago; a count is good for {counted(limit, 'hour')}"
        found = finding(QualityCheck.STALE, context.rules.stale_verdict, words, hours=hours, hours_max=limit)
        yield replace(found, readings=tuple(range(len(data.readings))))


def future(data: StockData, context: QualityContext) -> Iterator[Finding]:
    """A count cannot come from the future, give or take what clocks differ by."""
    ahead, limit = data.as_of - context.now, context.rules.future_minutes_max
    if ahead > limit * _MINUTE:
        minutes = ahead // _MINUTE
        words = f"counted at {data.as_of.isoformat()}, {counted(minutes, 'minute')} from now; clocks may differ by {counted(limit, 'minute')}"
        found = finding(
            QualityCheck.FUTURE, QualityVerdict.QUARANTINED, words, minutes_ahead=minutes, minutes_max=limit
        )
        yield replace(found, readings=tuple(range(len(data.readings))))


def missing(data: StockData, context: QualityContext) -> Iterator[Finding]:
    """A full count covers whatever earlier counts of its source covered."""
    covered = {SiteSku(reading.site_id, reading.sku_id) for reading in data.readings}
    for key in sorted(context.covered_before - covered):
        before = context.known.position_by_key.get(key)
        units = before.on_hand_units if before else 0
        words = f"earlier counts of this source covered it ({counted(units, 'unit')} last), this one does not"
        yield finding(QualityCheck.MISSING, context.rules.missing_verdict, words, key, on_hand_units_before=units)


def _regular_supply_was_due(case: StockCase) -> bool:
    due = case.context.known.replenishment_by_key.get(case.key)
    before = case.context.known.position_by_key[case.key]
    return due is not None and before.as_of.date() <= due.next_arrival_on <= case.data.as_of.date()


def _larger_than_site(case: Case[Any, Any], units: int) -> Finding | None:
    known = case.context.known
    capacity = known.site_by_id[case.key.site_id].storage_capacity_microlitres
    volume = units * known.sku_by_id[case.key.sku_id].unit_volume_microlitres
    if capacity is None or volume <= capacity:
        return None
    litres, litres_max = -(-volume // MICROLITRES_PER_LITRE), capacity // MICROLITRES_PER_LITRE
    words = f"{counted(units, 'unit')} with {litres:,} litres in all, but the whole site holds {litres_max:,}"
    return case.quarantined(
        QualityCheck.IMPOSSIBLE_LEVEL, words, units=units, volume_litres=litres, volume_litres_max=litres_max
    )


def _larger_than_demand(case: Case[Any, Any], units: int) -> Finding | None:
    rules = case.context.rules
    demand = case.context.demand(case.key, case.context.today, rules.impossible_days)
    if demand is None or units <= max(demand.mean, rules.impossible_units_min):
        return None
    asked_for = round(demand.mean)
    words = (
        f"{counted(units, 'unit')}, but only {asked_for:,} are expected to be asked for in {counted(rules.impossible_days, 'day')}; "
        f"above {counted(rules.impossible_units_min, 'unit')} that is not believed"
    )
    return case.quarantined(
        QualityCheck.IMPOSSIBLE_LEVEL,
        words,
        units=units,
        demand_units=asked_for,
        days=rules.impossible_days,
        units_max=rules.impossible_units_min,
    )
