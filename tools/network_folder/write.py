"""Records back to CSV: the same records give the same bytes, with LF line ends and escaped formulas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from tools.network_folder.columns import Column, FileFormat

CELLS_REMEMBERED = 65_536
_NEEDS_QUOTES = frozenset(',"\r\n')


def write_table(file_format: FileFormat, records: Iterable[object], currency: str) -> bytes:
    """The file of these records, in their order. A SKU has no currency of its own; all share `currency`."""
    columns = file_format.columns
    writers = [_writer(column) for column in columns]
    fields = [column.target for column in columns]
    lines = [",".join(column.name for column in columns)]
    for record in records:
        values = (currency if field == "currency" else getattr(record, field) for field in fields)
        lines.append(",".join([write(value) for write, value in zip(writers, values, strict=True)]))
    return ("\n".join(lines) + "\n").encode()


def _writer(column: Column) -> Callable[[Any], str]:
    @lru_cache(CELLS_REMEMBERED)
    def write(value: Any) -> str:
        return "" if value is None else _quoted(column.cell.write(value))

    return write


def _quoted(cell: str) -> str:
    return cell if _NEEDS_QUOTES.isdisjoint(cell) else '"' + cell.replace('"', '""') + '"'
