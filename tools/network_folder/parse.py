"""The import's one door: the files of a folder become a network, or a list of every fault in them.

A row with a fault is left out and reading goes on, so that one import finds all.
Ids are looked up only in a sites.csv and skus.csv of which every id could be read, so that one fault
there does not show up again in every file that refers to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tools.inventory import InboundSupply, Lane, Replenishment, SalesObservation, Site, Sku, StockPosition
from tools.network_folder.columns import (
    FILES,
    FORECAST,
    INBOUND,
    LANES,
    REPLENISHMENT,
    SALES,
    SITES,
    SKUS,
    STOCK,
    FileFormat,
)
from tools.network_folder.csv_text import SIZE_LIMIT_BYTES, content_fault
from tools.network_folder.facts import ForecastRow, Notice, NoticeCode
from tools.network_folder.faults import Fault, FaultCode, FaultList, ImportFaults, shown
from tools.network_folder.merchandise import Tables, read_merchandise
from tools.network_folder.network import NetworkFolder
from tools.network_folder.rows import TableReader, Values

UNKNOWN_FILES_NAMED_MAX = 20
MOSTLY_WEEKLY = 0.8
"""Where this share of daily observations falls on one weekday, the file may be weekly with a few wrong dates."""


def read_network(
    files: Mapping[str, bytes],
    now: datetime,
    stale_after: timedelta,
    size_limit_bytes: int = SIZE_LIMIT_BYTES,
    *,
    own_day: bool = False,
) -> NetworkFolder | ImportFaults:
    """The network that `files` (bytes by file name) state, or every fault that keeps them from being imported.

    Stock counted after `now` is a fault; stock counted more than `stale_after` before
    it is a warning. With `own_day` the network lies in the past and its latest count
    is its now. Raises ValueError when `now` has no zone.
    """
    if now.tzinfo is None:
        raise ValueError("`now` must have a zone, or no stock count can be compared with it")
    reading = _Reading(files, now.astimezone(UTC), stale_after, size_limit_bytes, own_day)
    network = reading.network()
    return reading.faults.closed() if reading.faults.counts else network


@dataclass(slots=True)
class _Reading:
    """One folder while it is read: its faults and notices so far, and the ids it names."""

    files: Mapping[str, bytes]
    now: datetime
    stale_after: timedelta
    size_limit_bytes: int
    own_day: bool
    faults: FaultList = field(default_factory=FaultList)
    notices: list[Notice] = field(default_factory=list)
    known: dict[str, frozenset[str]] = field(default_factory=dict)

    def network(self) -> NetworkFolder:
        """Everything that could be read. Worth something only without faults."""
        self._notice_unknown_files()
        sites = self._sites()
        skus, currency = self._skus()
        lanes = self._lanes({sku.category for sku in skus})
        faults_before = self.faults.counts.total()
        positions = self._positions()
        sound = self.faults.counts.total() == faults_before
        inbound = [InboundSupply(**values) for _, values in self._table(INBOUND)]
        sales, forecasts = self._demand()
        replenishments = [Replenishment(**values) for _, values in self._table(REPLENISHMENT)]
        tables = Tables(self._table, self.faults.counts.total, self._fault)
        merchandise = read_merchandise(tables, positions if sound else None)
        return NetworkFolder(
            currency=currency,
            sites=tuple(sites),
            skus=tuple(skus),
            lanes=tuple(lanes),
            positions=tuple(positions),
            inbound=tuple(inbound),
            sales=tuple(sales),
            forecasts=tuple(forecasts),
            replenishments=tuple(replenishments),
            **merchandise,
            warnings=tuple(self.notices),
        )

    def _table(self, file_format: FileFormat) -> Iterator[tuple[int, Values]]:
        """The sound rows of a file of the format."""
        name = file_format.name
        data = self.files.get(name)
        if data is None:
            if file_format.required:
                self.faults.add(Fault(FaultCode.MISSING_FILE, name, f"{_and_more(_REQUIRED)} in the folder"))
            return
        refused = content_fault(name, data, self.size_limit_bytes)
        if refused is not None:
            self.faults.add(refused)
            return
        reader = TableReader(file_format, self.known, self.faults)
        yield from reader.rows(data)
        if reader.named is not None:
            self.known[name] = reader.named

    def _sites(self) -> list[Site]:
        return [Site(**values) for _, values in self._table(SITES)]

    def _skus(self) -> tuple[list[Sku], str]:
        """The SKUs and the currency of the first: every other price must be in it too."""
        skus: list[Sku] = []
        first_row, currency = 0, ""
        for row, values in self._table(SKUS):
            own = values.pop("currency")
            if not currency:
                first_row, currency = row, own
            elif own != currency:
                expected = f"{currency}, as in row {first_row}: a network has one currency"
                self._fault(SKUS, FaultCode.MIXED_CURRENCIES, row, "currency", own, expected)
            skus.append(Sku(**values))
        return skus, currency

    def _lanes(self, categories: set[str]) -> list[Lane]:
        lanes: list[Lane] = []
        unknown: dict[str, int] = {}
        for row, values in self._table(LANES):
            lane = Lane(**values)
            lanes.append(lane)
            if lane.origin == lane.destination:
                expected = "a destination that is not the origin"
                self._fault(LANES, FaultCode.LANE_TO_ITSELF, row, "destination", lane.destination, expected)
            for category in lane.allowed_categories:
                if category not in categories:
                    unknown.setdefault(category, row)
        for category, row in unknown.items():
            words = f"no SKU has the category {shown(category)!r}, so allowing it on a lane has no effect"
            column = "allowed_categories"
            self.notices.append(Notice(NoticeCode.UNKNOWN_CATEGORY, LANES.name, words, row, column, shown(category)))
        if not lanes:
            words = "there is no lane, so nothing can be transferred"
            self.notices.append(Notice(NoticeCode.NO_LANES, LANES.name, words))
        return lanes

    def _positions(self) -> list[StockPosition]:
        positions: list[StockPosition] = []
        counted: list[tuple[datetime, int]] = []
        for row, values in self._table(STOCK):
            position = StockPosition(**values)
            positions.append(position)
            if position.reserved_units > position.on_hand_units:
                expected = f"at most the {position.on_hand_units:,} units on hand"
                reserved = str(position.reserved_units)
                self._fault(STOCK, FaultCode.RESERVED_ABOVE_ON_HAND, row, "reserved", reserved, expected)
            if position.as_of > self.now:
                expected = f"an instant not after now, {self.now:%Y-%m-%dT%H:%M:%SZ}"
                self._fault(STOCK, FaultCode.AS_OF_IN_FUTURE, row, "as_of", position.as_of.isoformat(), expected)
            else:
                counted.append((position.as_of, row))
        today = max(counted)[0] if self.own_day and counted else self.now
        oldest = today - self.stale_after
        stale = [each for each in counted if each[0] < oldest]
        if stale:
            at, row = min(stale)
            words = f"{len(stale):,} of {len(positions):,} positions were counted before {oldest:%Y-%m-%dT%H:%M:%SZ}"
            notice = Notice(NoticeCode.STALE_STOCK, STOCK.name, words, row, "as_of", at.isoformat())
            self.notices.append(notice)
        return positions

    def _demand(self) -> tuple[list[SalesObservation], list[ForecastRow]]:
        """Sales and forecasts. One of them must state something."""
        found_before = self.faults.counts.total()
        sales = [SalesObservation(**values) for _, values in self._table(SALES)]
        forecasts = [ForecastRow(**values) for _, values in self._table(FORECAST)]
        if not (sales or forecasts) and self.faults.counts.total() == found_before:
            expected = f"{SALES.name} or {FORECAST.name} with at least one row"
            self.faults.add(Fault(FaultCode.NO_DEMAND, SALES.name, expected))
        self._notice_mixed_grain(sales)
        return sales, forecasts

    def _notice_mixed_grain(self, sales: list[SalesObservation]) -> None:
        """Weekly sales with a few wrong dates are read as daily, which makes demand seven times as high."""
        rows_of = Counter(observation.on for observation in sales)
        weekdays: Counter[int] = Counter()
        for on, count in rows_of.items():
            weekdays[on.weekday()] += count
        if len(weekdays) < 2:
            return
        weekday, count = weekdays.most_common(1)[0]
        if count >= MOSTLY_WEEKLY * len(sales):
            words = (
                f"read as daily sales, although {count:,} of {len(sales):,} observations lie on a {_WEEKDAYS[weekday]};"
                " if they are weekly, correct the dates of the others"
            )
            self.notices.append(Notice(NoticeCode.MIXED_GRAIN, SALES.name, words))

    def _notice_unknown_files(self) -> None:
        extra = sorted(set(self.files) - {file_format.name for file_format in FILES})
        for name in extra[:UNKNOWN_FILES_NAMED_MAX]:
            words = f"not a file of the format, ignored; the format has {_and_more([file.name for file in FILES])}"
            self.notices.append(Notice(NoticeCode.UNKNOWN_FILE, shown(name), words))
        if len(extra) > UNKNOWN_FILES_NAMED_MAX:
            left = len(extra) - UNKNOWN_FILES_NAMED_MAX
            words = f"{left:,} more files that are not in the format, ignored"
            self.notices.append(Notice(NoticeCode.UNKNOWN_FILE, "the folder", words))

    def _fault(self, file: FileFormat, code: FaultCode, row: int, column: str, value: str, expected: str) -> None:
        self.faults.add(Fault(code, file.name, expected, row, column, shown(value)))


_REQUIRED = [file_format.name for file_format in FILES if file_format.required]
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _and_more(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
