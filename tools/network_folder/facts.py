"""What a folder states beyond the facts of `tools.inventory`: forecasts by day, the grain of the sales, notices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """Expected demand of one day, in millionths of a unit. Without a variance the source gave none."""

    site_id: str
    sku_id: str
    on: date
    mean_e6: int
    variance_e6: int | None = None


class SalesGrain(StrEnum):
    """What one sales observation covers."""

    DAY = "day"
    WEEK = "week"


def grain_of(dates: Iterable[date]) -> SalesGrain | None:
    """The grain of sales on these dates, None without any.

    Weekly when there are at least two dates and all fall on one weekday, so that any
    two lie whole weeks apart. A single date says nothing about the next, and one date
    on another weekday means that days are counted: both are daily.
    """
    distinct = set(dates)
    if not distinct:
        return None
    weekly = len(distinct) > 1 and len({on.weekday() for on in distinct}) == 1
    return SalesGrain.WEEK if weekly else SalesGrain.DAY


class NoticeCode(StrEnum):
    """What is odd about a folder and does not stop its import."""

    UNKNOWN_FILE = "unknown_file"
    NO_LANES = "no_lanes"
    UNKNOWN_CATEGORY = "unknown_category"
    STALE_STOCK = "stale_stock"
    MIXED_GRAIN = "mixed_grain"


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning: what was seen, and what it means. `row` is the first line it applies to."""

    code: NoticeCode
    file: str
    words: str
    row: int | None = None
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        """The notice for people."""
        where = self.file if self.row is None else f"{self.file}, row {self.row}"
        return f"{where}: {self.words}."
