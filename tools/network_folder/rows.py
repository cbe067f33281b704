"""From the rows of a file to typed values by field, with a fault for everything that does not fit its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tools.network_folder.cells import SPACE, CellError
from tools.network_folder.columns import Column, FileFormat
from tools.network_folder.csv_text import UnreadableTextError, numbered_rows
from tools.network_folder.faults import Fault, FaultCode, FaultList, shown

CELLS_REMEMBERED = 65_536
"""Most cells of a column repeat (ids, dates, small numbers), so a column remembers what it read."""

_UNKNOWN = {
    "sites.csv": (FaultCode.UNKNOWN_SITE, "a site_id of sites.csv"),
    "skus.csv": (FaultCode.UNKNOWN_SKU, "a sku_id of skus.csv"),
}

Values = dict[str, Any]
KnownIds = Mapping[str, frozenset[str]]
"""Ids by the file that names them. A file of which not every id could be read is not in it."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A column where the header has it."""

    column: Column
    index: int
    read: Callable[[str], Any]


@dataclass(slots=True)
class TableReader:
    """Reads one file. Once `rows` is used up, `named` holds the ids it names, or None if some could not be read."""

    file_format: FileFormat
    known: KnownIds
    faults: FaultList
    named: frozenset[str] | None = None

    def rows(self, data: bytes) -> Iterator[tuple[int, Values]]:
        """The sound rows, each with its line and its values by field. Everything else becomes a fault."""
        try:
            yield from self._rows(data)
        except UnreadableTextError as broken:
            self.faults.add(broken.fault)

    def fault(self, code: FaultCode, expected: str, row: int | None = None, column: str = "", value: str = "") -> None:
        """Add a fault of this file."""
        self.faults.add(Fault(code, self.file_format.name, expected, row, column or None, shown(value) or None))

    def _rows(self, data: bytes) -> Iterator[tuple[int, Values]]:
        numbered = numbered_rows(self.file_format.name, data)
        first = next(numbered, None)
        if first is None:
            self.fault(FaultCode.EMPTY_FILE, f"a header with {_listed(self.file_format.columns)}")
            return
        places = self._places(*first)
        absent = [column for column in self.file_format.columns if column.name not in {p.column.name for p in places}]
        defaults = {column.target: column.default for column in absent if not column.required}
        named: set[str | None] = set()
        count = 0
        for row, values, sound in self._values(numbered, len(first[1]), places, defaults):
            count += 1
            if self.file_format.names:
                named.add(values.get(self.file_format.names))
            if sound:
                yield row, values
        if count == 0 and self.file_format.rows_required:
            self.fault(FaultCode.NO_ROWS, "at least one row under the header", row=first[0])
        if named and None not in named:
            self.named = frozenset(filter(None, named))

    def _places(self, row: int, header: list[str]) -> list[_Place]:
        """Where the columns stand. A name that is there twice counts where it stands first."""
        by_name = {column.name: column for column in self.file_format.columns}
        places: dict[str, _Place] = {}
        for index, cell in enumerate(header):
            name = cell.strip(SPACE)
            column = by_name.get(name)
            if column is None:
                expected = f"only the columns {_listed(self.file_format.columns)}"
                self.fault(FaultCode.UNKNOWN_COLUMN, expected, row, shown(name) or f"number {index + 1}", name)
            elif name in places:
                self.fault(FaultCode.DUPLICATE_COLUMN, "every column once", row, name)
            else:
                places[name] = _Place(column, index, self._reader(column))
        for name, column in by_name.items():
            if column.required and name not in places:
                self.fault(FaultCode.MISSING_COLUMN, f"a column {name} with {column.cell.expected}", row, name)
        return list(places.values())

    def _reader(self, column: Column) -> Callable[[str], Any]:
        known = self.known.get(column.refers_to) if column.refers_to else None

        @lru_cache(CELLS_REMEMBERED)
        def read(cell: str) -> Any:
            text = cell.strip(SPACE)
            if not text:
                if column.required:
                    raise CellError(FaultCode.MISSING_VALUE)
                return column.default
            value = column.cell.read(text)
            if column.refers_to and known is not None and value not in known:
                raise CellError(_UNKNOWN[column.refers_to][0])
            return value

        return read

    def _values(
        self, numbered: Iterator[tuple[int, list[str]]], width: int, places: list[_Place], defaults: Values
    ) -> Iterator[tuple[int, Values, bool]]:
        """For each row its line, the values that could be read, and whether it is free of faults."""
        first_row: dict[tuple[Any, ...], int] = {}
        key_fields = self.file_format.key_fields
        for row, cells in numbered:
            values = defaults.copy()
            if len(cells) == width:
                for place in places:
                    try:
                        values[place.column.target] = place.read(cells[place.index])
                    except CellError as error:
                        self._cell_fault(error.code, row, place.column, cells[place.index])
                sound = len(values) == len(self.file_format.columns)
                key = tuple([values.get(field) for field in key_fields])
                if None not in key and first_row.setdefault(key, row) != row:
                    self._duplicate(row, first_row[key], cells, places)
                    sound = False
            else:
                sound = False
                code = FaultCode.TOO_FEW_FIELDS if len(cells) < width else FaultCode.TOO_MANY_FIELDS
                expected = f"{width} fields as in the header; a cell that holds a comma needs quotes"
                self.fault(code, expected, row, value=f"{len(cells)} fields")
            yield row, values, sound

    def _cell_fault(self, code: FaultCode, row: int, column: Column, cell: str) -> None:
        expected = column.cell.expected
        if code in (FaultCode.UNKNOWN_SITE, FaultCode.UNKNOWN_SKU):
            expected = _UNKNOWN[column.refers_to or ""][1]
        self.fault(code, expected, row, column.name, cell)

    def _duplicate(self, row: int, first_row: int, cells: list[str], places: list[_Place]) -> None:
        by_name = {place.column.name: cells[place.index] for place in places}
        key = self.file_format.key
        value = ", ".join(by_name.get(name, "") for name in key)
        columns = ", ".join(key)
        self.fault(FaultCode.DUPLICATE_KEY, f"one row for each {columns}; row {first_row} has it", row, columns, value)


def _listed(columns: tuple[Column, ...]) -> str:
    return ", ".join(column.name for column in columns)
