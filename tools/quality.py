"""The quality gate: every signal is judged before its readings may become facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar, assert_never

from tools.findings import Case, Finding, KeyedReading, QualityCheck, QualityContext, QualityVerdict
from tools.flow_checks import (
    ForecastCase,
    InboundCase,
    SalesCase,
    forecast_jump,
    future_sales,
    impossible_inbound,
    lead_time_jump,
    negative_inbound,
    negative_sales,
    overdue,
    sales_jump,
    stale_forecast,
    unknown_lane,
    unknown_supplied,
)
from tools.inventory import DataHold, SiteSku
from tools.signals import (
    ForecastData,
    InboundData,
    LeadTimeData,
    SalesData,
    SignalData,
    StockData,
    SupplierReliabilityData,
    TransitStatusData,
)
from tools.stock_checks import (
    StockCase,
    future,
    impossible_level,
    missing,
    negative,
    over_reserved,
    stale,
    sudden_jump,
    unknown,
)

ReadingT = TypeVar("ReadingT", bound=KeyedReading)
DataT = TypeVar("DataT")

# Checks of a reading: the first that finds something speaks for the reading, so the graver ones come first
# and may rely on those before them (after `unknown`, site and SKU are known).
STOCK_CHECKS: tuple[Callable[[StockCase], Finding | None], ...] = (
    unknown,
    negative,
    over_reserved,
    impossible_level,
    sudden_jump,
)
SALES_CHECKS: tuple[Callable[[SalesCase], Finding | None], ...] = (unknown, negative_sales, future_sales, sales_jump)
FORECAST_CHECKS: tuple[Callable[[ForecastCase], Finding | None], ...] = (unknown,)
INBOUND_CHECKS: tuple[Callable[[InboundCase], Finding | None], ...] = (
    unknown,
    negative_inbound,
    impossible_inbound,
    overdue,
)

# Checks of a signal as a whole.
STOCK_SIGNAL_CHECKS: tuple[Callable[[StockData, QualityContext], Iterator[Finding]], ...] = (future, stale, missing)
FORECAST_SIGNAL_CHECKS: tuple[Callable[[ForecastData, QualityContext], Iterator[Finding]], ...] = (
    forecast_jump,
    stale_forecast,
)
LEAD_TIME_SIGNAL_CHECKS: tuple[Callable[[LeadTimeData, QualityContext], Iterator[Finding]], ...] = (
    unknown_lane,
    lead_time_jump,
)
SUPPLIER_SIGNAL_CHECKS: tuple[Callable[[SupplierReliabilityData, QualityContext], Iterator[Finding]], ...] = (
    unknown_supplied,
)

_FROM_GOOD_TO_BAD = tuple(QualityVerdict)


@dataclass(frozen=True)
class Judgement:
    """What the gate found: findings on the whole signal first, then on its readings in order."""

    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> QualityVerdict:
        """The worst verdict on anything in the signal."""
        return max(
            (found.verdict for found in self.findings), key=_FROM_GOOD_TO_BAD.index, default=_FROM_GOOD_TO_BAD[0]
        )

    @cached_property
    def quarantined_readings(self) -> frozenset[int]:
        """Positions, from 0, of the readings that must stay out of plans."""
        return frozenset(position for found in self._quarantined for position in found.readings)

    @cached_property
    def _quarantined(self) -> tuple[Finding, ...]:
        return tuple(found for found in self.findings if found.verdict is QualityVerdict.QUARANTINED)


def judge(data: SignalData, context: QualityContext) -> Judgement:
    """What is doubtful about a signal, given what was known before it."""
    match data:
        case StockData():
            found = _of_signal(data, context, STOCK_SIGNAL_CHECKS) + _of_readings(
                data, data.readings, context, STOCK_CHECKS
            )
        case SalesData():
            found = _of_readings(data, data.readings, context, SALES_CHECKS)
        case ForecastData():
            found = _of_signal(data, context, FORECAST_SIGNAL_CHECKS) + _of_readings(
                data, data.readings, context, FORECAST_CHECKS
            )
        case InboundData():
            found = _of_readings(data, data.readings, context, INBOUND_CHECKS)
        case LeadTimeData():
            found = _of_signal(data, context, LEAD_TIME_SIGNAL_CHECKS)
        case SupplierReliabilityData():
            found = _of_signal(data, context, SUPPLIER_SIGNAL_CHECKS)
        case TransitStatusData():
            found = []
        case _:
            assert_never(data)
    return Judgement(tuple(found))


def holds(data: SignalData, judgement: Judgement) -> tuple[DataHold, ...]:
    """The site-SKUs that must not be planned on after this signal, each with the first finding against it."""
    held: dict[SiteSku, DataHold] = {}
    readings: Sequence[KeyedReading] = getattr(data, "readings", ())
    for found in judgement.findings:
        if found.verdict is not QualityVerdict.QUARANTINED or found.check is QualityCheck.UNKNOWN:
            continue
        keys = {SiteSku(readings[position].site_id, readings[position].sku_id) for position in found.readings}
        for key in keys | ({found.key} if found.key else set()):
            held.setdefault(key, DataHold(key.site_id, key.sku_id, found.check, found.reason))
    return tuple(held[key] for key in sorted(held))


def _of_signal(
    data: DataT, context: QualityContext, checks: tuple[Callable[[DataT, QualityContext], Iterator[Finding]], ...]
) -> list[Finding]:
    every = (found for check in checks for found in check(data, context))
    return [found for found in every if found.verdict is not QualityVerdict.ACCEPTED]


def _of_readings(
    data: DataT,
    readings: Sequence[ReadingT],
    context: QualityContext,
    checks: tuple[Callable[[Case[ReadingT, DataT]], Finding | None], ...],
) -> list[Finding]:
    findings: list[Finding] = []
    for position, reading in enumerate(readings):
        case = Case(reading, data, context)
        for check in checks:
            found = check(case)
            if found:
                findings.append(replace(found, readings=(position,)))
                break
    return findings
