"""What the last import stated about merchandise: replaced as a whole by every import, read as a whole by every snapshot."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import delete, insert, inspect, select
from sqlmodel import Session, SQLModel

from app.stock.tables import (
    EndOfLifeRow,
    LotRow,
    MarkdownRow,
    MinimumDisplayRow,
    SetMemberRow,
    SubstituteRow,
)
from tools.merchandise.facts import Merchandise

_TABLES: dict[str, type[SQLModel]] = {
    "set_members": SetMemberRow,
    "displays": MinimumDisplayRow,
    "lots": LotRow,
    "ends_of_life": EndOfLifeRow,
    "markdowns": MarkdownRow,
    "substitutes": SubstituteRow,
}
"""The table of each fact. Its columns are the fields of the fact."""

_ADAPTER = TypeAdapter(Merchandise)


def replace_merchandise(session: Session, merchandise: Merchandise) -> None:
    """Put what a folder states in the place of what the one before stated; nothing stated leaves nothing."""
    for field in fields(Merchandise):
        table, rows = _TABLES[field.name], getattr(merchandise, field.name)
        session.connection().execute(delete(table))
        if rows:
            session.connection().execute(insert(table), [asdict(row) for row in rows])


def stated_merchandise(session: Session) -> Merchandise:
    """The facts, each tuple sorted by its key."""
    return _ADAPTER.validate_python({name: _rows(session, table) for name, table in _TABLES.items()})


def _rows(session: Session, table: type[SQLModel]) -> tuple[dict[str, Any], ...]:
    columns = inspect(table).columns
    keys = [column for column in columns if column.primary_key]
    found = session.connection().execute(select(*columns).order_by(*(column.collate("C") for column in keys)))
    return tuple(dict(row) for row in found.mappings())
