"""What a quality check knows and says: the facts before a signal, the rules, and a finding in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from tools.demand import WindowDemand, forecast_window
from tools.inventory import SiteSku, Snapshot


class QualityVerdict(StrEnum):
    """What becomes of a reading, from good to bad: used, used with a warning, or kept apart until a person has looked."""

    ACCEPTED = "accepted"
    WARNED = "warned"
    QUARANTINED = "quarantined"


class QualityCheck(StrEnum):
    """What was looked for."""

    UNKNOWN = "unknown"
    MISSING = "missing"
    STALE = "stale"
    FUTURE = "future"
    NEGATIVE = "negative"
    OVER_RESERVED = "over_reserved"
    SUDDEN_JUMP = "sudden_jump"
    IMPOSSIBLE_LEVEL = "impossible_level"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class QualityRules:
    """From when on a reading is doubtful. The values come from policy.

    A jump is a difference from what was expected above `jump_sds` standard deviations
    of the demand in between plus the units known to be under way, and above
    `jump_units_min`. A level is impossible beyond `impossible_days` of mean demand when it
    is also beyond `impossible_units_min`. A forecast jumps when its mean is more than
    `forecast_factor_max` times the present one, or less than one such part of it, and
    differs by more than `forecast_daily_e6_min` millionths of a unit a day.
    """

    stale_after_hours: int
    stale_verdict: QualityVerdict
    missing_verdict: QualityVerdict
    future_minutes_max: int
    jump_sds: int
    jump_units_min: int
    impossible_days: int
    impossible_units_min: int
    forecast_factor_max: int
    forecast_daily_e6_min: int
    overdue_days_max: int
    lead_time_change_days_max: int


@dataclass(frozen=True, slots=True)
class QualityContext:
    """What is known when a signal is judged.

    `known` are the facts before the signal. `covered_before` are the site-SKUs that
    earlier counts of the same source covered; it is empty for a count that is not
    meant to be a full one.
    """

    known: Snapshot
    now: datetime
    rules: QualityRules
    covered_before: frozenset[SiteSku] = frozenset()

    @property
    def today(self) -> date:
        """The date of `now`."""
        return self.now.date()

    def demand(self, key: SiteSku, first_on: date, days: int) -> WindowDemand | None:
        """Demand on `days` days from `first_on` on, or None without a forecast."""
        forecast = self.known.forecast_by_key.get(key)
        return None if forecast is None else forecast_window(forecast, first_on, 0, days)

    def open_inbound_units(self, key: SiteSku) -> int:
        """Units on order or in transit to the site."""
        return sum(row.units for row in self.known.supply_by_key.get(key, ()))


@dataclass(frozen=True, slots=True)
class Finding:
    """One doubt: what was looked for, what to do, why, and the numbers behind it.

    `readings` are the positions, from 0, of the signal's readings it is about: none
    where something is missing or the signal has no readings. `key` is None where the
    finding is about the whole signal or about a lane.
    """

    check: QualityCheck
    verdict: QualityVerdict
    reason: str
    numbers: tuple[tuple[str, int], ...]
    key: SiteSku | None = None
    readings: tuple[int, ...] = ()


class KeyedReading(Protocol):
    """A reading that names its site and SKU."""

    @property
    def site_id(self) -> str:
        """The site."""

    @property
    def sku_id(self) -> str:
        """The SKU."""


ReadingT = TypeVar("ReadingT", bound=KeyedReading)
DataT = TypeVar("DataT")


@dataclass(frozen=True, slots=True)
class Case(Generic[ReadingT, DataT]):
    """One reading under examination, with the signal that it belongs to."""

    reading: ReadingT
    data: DataT
    context: QualityContext

    @property
    def key(self) -> SiteSku:
        """The site and SKU of the reading."""
        return SiteSku(self.reading.site_id, self.reading.sku_id)

    def quarantined(self, check: QualityCheck, words: str, **numbers: int) -> Finding:
        """The finding that this reading must stay out of plans."""
        return finding(check, QualityVerdict.QUARANTINED, words, self.key, **numbers)

    def warned(self, check: QualityCheck, words: str, **numbers: int) -> Finding:
        """The finding that this reading passes with a warning."""
        return finding(check, QualityVerdict.WARNED, words, self.key, **numbers)


def finding(
    check: QualityCheck, verdict: QualityVerdict, words: str, key: SiteSku | None = None, **numbers: int
) -> Finding:
    """A finding with its numbers by name, and a reason that begins with the site and SKU."""
    reason = f"{key.site_id}/{key.sku_id}: {words}" if key else words
    return Finding(check, verdict, reason, tuple(sorted(numbers.items())), key)


def unknown_ids(site_id: str, sku_id: str | None, context: QualityContext) -> str | None:
    """Which of the two is not in the master data, in words; None when both are (or no SKU is named)."""
    if site_id not in context.known.site_by_id:
        return f"there is no site {site_id} in the master data; add it, or correct the signal"
    if sku_id is not None and sku_id not in context.known.sku_by_id:
        return f"there is no SKU {sku_id} in the master data; add it, or correct the signal"
    return None
