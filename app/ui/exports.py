"""Tables as files: CSV (RFC 4180) and Excel. No cell of them is ever a formula, whoever wrote what it shows.

A spreadsheet takes text that begins with certain signs for a formula, also out of a CSV
file. There such text gets an apostrophe before it; in a workbook text is marked as text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Literal

import xlsxwriter
from fastapi.responses import Response

Cell = str | int | float | date | datetime | None
Kind = Literal["csv", "xlsx"]
_FORMULA = re.compile(r"[=+\-@\t\r\n|%]")
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
ROWS_MAX = 100_000
"""More rows than this are not put into one file."""


def file_answer(name: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]], kind: Kind) -> Response:
    """A table as a download called `name` (letters, digits, dashes). Numbers stay numbers, in the units that the heads name."""
    content = as_csv(heads, rows) if kind == "csv" else as_xlsx(heads, rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    return Response(content, media_type=_MEDIA_TYPES[kind], headers=headers)


def as_csv(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """The table in UTF-8 with a byte order mark, by which Excel knows it."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(heads)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return lines.getvalue().encode("utf-8-sig")


def _harmless(cell: Cell) -> Cell:
    if isinstance(cell, (date, datetime)):
        return cell.isoformat()
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def as_xlsx(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """The table as a workbook of one sheet."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet, bold = book.add_worksheet(), book.add_format({"bold": True})
        sheet.freeze_panes(1, 0)
        for column, head in enumerate(heads):
            sheet.write_string(0, column, head, bold)
            sheet.set_column(column, column, max(10, min(40, len(head) + 2)))
        for row_no, row in enumerate(rows, 1):
            for column, cell in enumerate(row):
                if isinstance(cell, bool) or cell is None:
                    sheet.write(row_no, column, cell)
                elif isinstance(cell, (int, float)):
                    sheet.write_number(row_no, column, cell)
                else:
                    words = cell.isoformat() if isinstance(cell, (date, datetime)) else cell
                    sheet.write_string(row_no, column, _NOT_IN_XML.sub("�", words)[:32_767])
    return file.getvalue()
