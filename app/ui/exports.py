"""Tables as files: CSV (RFC 4180) and Excel. No cell of them is ever a formula, whoever wrote what it shows.

A spreadsheet takes text that begins with certain signs for a formula, also out of a CSV
file. There such text gets an apostrophe before it; in a workbook text is marked as text.
Some spreadsheets begin a cell also after a semicolon or a tab, whatever the file says,
and then a line break within quotes ends a row for them: what follows those is looked at as well.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import xlsxwriter
from fastapi import APIRouter, Depends
from fastapi.responses import Response

from app.db.database import database_now
from app.web.dependencies import InSession

Cell = str | int | float | date | datetime | None
Kind = Literal["csv", "xlsx"]
FILES = (".csv", ".xlsx")
_UNSEEN = r"[\s\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\"'`]*"
"""What a spreadsheet or a person may overlook before a sign: spaces, marks without width, quotes."""
_FORMULA = re.compile(rf"(^|[;\t\r\n])(?={_UNSEEN}[=+\-@|%＝＋－＠﹢﹣﹦﹫−])")
"""Where a formula may begin. The signs of East Asian width and the mathematical minus are turned into plain ones by some."""
_BEGINS_BADLY = re.compile(r"[\t\r\n]")
_NOT_IN_FILES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_WIDTH_MIN, _WIDTH_MAX = 10, 40
_UNITS_MAX = 32_767
"""A cell of a workbook holds so many UTF-16 units."""
_EXACT_MAX = 10**15
"""A spreadsheet keeps fifteen digits: longer whole numbers are text, so that none of their digits is lost."""
_FIRST_YEAR = 1900
ROWS_MAX = 100_000
"""More rows than this are not put into one file. The file then says so in its last row."""
NOT_ALL = "There are more rows than fit into a file. Filter the list."


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a page as a file: what the file is (letters, digits, dashes), its heads, and its rows."""

    name: str
    heads: Sequence[str]
    rows: Iterable[Sequence[Cell]]


def downloads(router: APIRouter, path: str) -> Callable[[Callable[..., Table]], Callable[..., Table]]:
    """Offer the table that a function gives at `path.csv` and `path.xlsx`. It asks for what it needs as any handler does."""

    def offered(table: Callable[..., Table]) -> Callable[..., Table]:
        # Not `kind`: lists are filtered by a kind, and a name in the path would stand for that one, too.
        def file(
            session: InSession, kind_of_file: Kind, found: Table = Depends(table)  # noqa: B008  no annotation can name it
        ) -> Response:  # fmt: skip
            return file_answer(found, kind_of_file, database_now(session).date())

        router.add_api_route(f"{path}.{{kind_of_file}}", file, methods=["GET"], name=table.__name__)
        return table

    return offered


def file_answer(table: Table, kind: Kind, made_on: date) -> Response:
    """A table as a download: its name says what it is and when it was made. Numbers stay numbers, in the units of the heads."""
    content = as_csv(table.heads, table.rows) if kind == "csv" else as_xlsx(table.heads, table.rows)
    headers = {"Content-Disposition": f'attachment; filename="{table.name}-{made_on.isoformat()}.{kind}"'}
    return Response(content, media_type=_MEDIA_TYPES[kind], headers=headers)


def as_csv(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """The table in UTF-8 with a byte order mark, by which Excel knows it."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow([_harmless(head) for head in heads])
    writer.writerows([_harmless(cell) for cell in row] for row in _bounded(rows))
    return lines.getvalue().encode("utf-8-sig")


def _bounded(rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
    for row_no, row in enumerate(rows):
        if row_no == ROWS_MAX:
            yield (NOT_ALL,)
            return
        yield row


def _harmless(cell: Cell) -> Cell:
    if isinstance(cell, (date, datetime)):
        return cell.isoformat()
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    if not isinstance(cell, str):
        return cell
    words = _FORMULA.sub(r"\1'", _readable(cell))
    return f"'{words}" if _BEGINS_BADLY.match(words) else words


def _readable(words: str) -> str:
    return _NOT_IN_FILES.sub("\ufffd", words)


def as_xlsx(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """The table as a workbook of one sheet. Days and instants are such for Excel, too; instants are in UTC."""
    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, options) as book:
        sheet, bold = book.add_worksheet(), book.add_format({"bold": True})
        formats = {
            "day": book.add_format({"num_format": "yyyy-mm-dd"}),
            "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
        }
        sheet.freeze_panes(1, 0)
        for column, head in enumerate(heads):
            sheet.write_string(0, column, _fitting(head), bold)
            sheet.set_column(column, column, max(_WIDTH_MIN, min(_WIDTH_MAX, len(head) + 2)))
        for row_no, row in enumerate(_bounded(rows), 1):
            for column, cell in enumerate(row):
                _write(sheet, (row_no, column), cell, formats)
    return file.getvalue()


def _write(sheet: Any, at: tuple[int, int], cell: Cell, formats: dict[str, Any]) -> None:
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return
    if isinstance(cell, bool):
        sheet.write_boolean(*at, cell)
    elif isinstance(cell, (int, float)):
        if isinstance(cell, int) and abs(cell) >= _EXACT_MAX:
            sheet.write_string(*at, str(cell))
        else:
            sheet.write_number(*at, cell)
    elif isinstance(cell, str):
        sheet.write_string(*at, _fitting(cell))
    elif cell.year < _FIRST_YEAR:  # a workbook knows no earlier days
        sheet.write_string(*at, cell.isoformat())
    elif isinstance(cell, datetime):
        naive = cell.astimezone(UTC).replace(tzinfo=None) if cell.tzinfo else cell
        sheet.write_datetime(*at, naive, formats["instant"])
    else:
        sheet.write_datetime(*at, cell, formats["day"])


def _fitting(words: str) -> str:
    """Text that a cell can hold, cut between characters."""
    words = _readable(words)
    units = words.encode("utf-16-le")
    return words if len(units) <= 2 * _UNITS_MAX else units[: 2 * _UNITS_MAX].decode("utf-16-le", "ignore")
