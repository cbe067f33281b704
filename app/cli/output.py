"""How commands print: aligned tables for people, one JSON document for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from app.errors import EvenkeelError
from tools.money import money_text

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def print_json(document: object) -> None:
    """One JSON document on standard output."""
    print(json.dumps(_plain(document), indent=2, ensure_ascii=False), flush=True)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Aligned columns; numbers to the right. `empty` is said when there are no rows."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        print(empty)
        return
    widths = [max(len(row[i]) for row in [list(headings), *cells]) for i in range(len(headings))]
    numeric = [all(_is_number(row[i]) for row in cells) for i in range(len(headings))]
    for row in [list(headings), *cells]:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        print("  ".join(padded).rstrip())


def print_error(refused: EvenkeelError, *, as_json: bool) -> None:
    """What was wrong, where, and what to do; for an import every listed fault."""
    from app.stock.importing import ImportRefusedError

    faults = refused.faults if isinstance(refused, ImportRefusedError) else None
    if as_json:
        document: dict[str, Any] = {
            "error": refused.code, "detail": refused.detail, "remedy": refused.remedy, "where": refused.where
        }  # fmt: skip
        if faults is not None:
            document["faults"] = [
                {
                    "code": f.code, "file": f.file, "row": f.row, "column": f.column, "value": f.value,
                    "expected": f.expected,
                }
                for f in faults.faults
            ]  # fmt: skip
            document["faults_not_listed"] = faults.not_listed
        print_json(document)
        return
    if faults is not None:
        print(f"Nothing was imported; the folder has {faults.total:,} faults:", file=sys.stderr)
        for fault in faults.faults:
            print(f"  {fault} [{fault.code}]", file=sys.stderr)
        if faults.not_listed:
            print(f"  … and {faults.not_listed:,} more", file=sys.stderr)
        return
    print(f"Refused ({refused.code}): {refused}.", file=sys.stderr)


def amount(minor: int, currency: str | None) -> str:
    """Money for people."""
    return money_text(minor, currency) if currency else str(minor)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _is_number(cell: str) -> bool:
    return cell == "–" or cell.replace(",", "").replace(".", "").replace("-", "").replace("%", "").strip().isdigit()
