"""The forecasts of a network laid out in arrays, so that the demand of many windows is summed at once.

A row is one forecast; its days lie behind those of the row before it. Sums are
integers in millionths of a unit, exact as long as a double can hold them; rows
beyond that are told apart, and left to the sums of `tools.demand`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tools.inventory import DemandForecast, SiteSku

IntArray = NDArray[np.int64]

EXACT_MAX = 2**53
"""Up to here every integer is a double, so that a quotient of two is rounded once only."""


def ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """All numbers of the ranges, one range after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    found: IntArray = np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)
    return found


@dataclass(frozen=True)
class _Days:
    """Daily figures of many rows: shape (days of all rows,) with a leading zero in `summed`."""

    daily: IntArray
    summed: IntArray
    offsets: IntArray
    last: IntArray
    largest: IntArray

    @classmethod
    def of(cls, rows: Sequence[tuple[int, ...]]) -> Self:
        """The rows one behind the other. A row without days is one day of nothing; figures are cut at 2^53."""
        lengths = np.fromiter((len(row) or 1 for row in rows), dtype=np.int64, count=len(rows))
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        figures = (min(figure, EXACT_MAX) for row in rows for figure in row or (0,))
        daily = np.fromiter(figures, dtype=np.int64, count=int(offsets[-1]))
        largest = np.maximum.reduceat(daily, offsets[:-1]) if len(rows) else np.zeros(0, dtype=np.int64)
        # The sum may wrap round; the differences that are taken of it are right all the same.
        return cls(daily, np.concatenate(([0], np.cumsum(daily))), offsets[:-1], lengths - 1, largest)

    def over(self, rows: IntArray, first: IntArray, end: IntArray) -> IntArray:
        """Sum of days first..end-1 of each row, where the first day goes back and the last goes on for ever."""
        offset, last = self.offsets[rows], self.last[rows]
        before = np.minimum(np.maximum(-first, 0), end - first)
        start, stop = np.maximum(first, 0), np.minimum(np.maximum(end, 0), last)
        stop = np.maximum(stop, np.minimum(start, last))
        inside = self.summed[offset + stop] - self.summed[offset + np.minimum(start, last)]
        after = np.maximum(end - np.maximum(first, last), 0)
        total: IntArray = before * self.daily[offset] + inside + after * self.daily[offset + last]
        return total

    def is_exact(self, rows: IntArray, days: IntArray) -> NDArray[np.bool_]:
        """Whether no sum of so many days of a row can leave the integers that a double holds."""
        return np.asarray(self.largest[rows].astype(np.float64) * days < EXACT_MAX)


@dataclass(frozen=True)
class DemandTable:
    """Forecasts as arrays. `row_by_key` finds the row of a site-SKU; `first_on` holds proleptic ordinals of dates."""

    row_by_key: dict[SiteSku, int]
    first_on: IntArray
    level_cv2_e6: IntArray
    mean: _Days
    variance: _Days

    @classmethod
    def of(cls, forecasts: Sequence[DemandForecast]) -> Self:
        """The table of these forecasts, in their order."""
        count = len(forecasts)
        return cls(
            row_by_key={forecast.key: row for row, forecast in enumerate(forecasts)},
            first_on=np.fromiter((f.first_on.toordinal() for f in forecasts), dtype=np.int64, count=count),
            level_cv2_e6=np.fromiter((f.level_cv2_e6 for f in forecasts), dtype=np.int64, count=count),
            mean=_Days.of([f.mean_e6 for f in forecasts]),
            variance=_Days.of([f.variance_e6 for f in forecasts]),
        )

    def rows_of(self, keys: Sequence[SiteSku]) -> IntArray:
        """The row of every key; -1 where it has no forecast."""
        find = self.row_by_key.get
        return np.fromiter((find(key, -1) for key in keys), dtype=np.int64, count=len(keys))

    def sums_e6(self, rows: IntArray, first: IntArray, end: IntArray) -> tuple[IntArray, IntArray, NDArray[np.bool_]]:
        """Means, variances (without the level's own) and whether they are exact, for the days first..end-1 of each row.

        Days count from each forecast's own first day. All arrays have one shape; where `end <= first` sums are 0.
        """
        days = np.maximum(end - first, 0)
        exact = self.mean.is_exact(rows, days) & self.variance.is_exact(rows, days)
        end = np.where(exact, np.maximum(end, first), first)
        return self.mean.over(rows, first, end), self.variance.over(rows, first, end), exact
