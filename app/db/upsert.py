"""Insert rows or bring them up to date, in bulk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from operator import methodcaller
from typing import Any

from sqlalchemy import Text, bindparam, cast, column, func, inspect, select
from sqlalchemy.dialects.postgresql import JSON, insert
from sqlmodel import Session, SQLModel

Row = dict[str, Any]

TOGETHER_MIN = 500
TOGETHER_MAX = 20_000
"""Rows that one statement carries. Fewer than the least go one by one; more than the most go in several statements."""

_PLAIN: frozenset[type] = frozenset((str, int, bool, date, datetime, type(None)))


def upsert(session: Session, table: type[SQLModel], rows: Iterable[Row], *, newest_by: str | None = None) -> int:
    """Insert `rows` by primary key, replacing the other columns where the key is there. Returns their number.

    With `newest_by`, a row that is there is replaced only by one that is not older in that column.
    """
    mapper = inspect(table)
    keys = [column.name for column in mapper.primary_key]
    others = [column.name for column in mapper.columns if column.name not in keys]
    listed = list(rows)
    if not listed:
        return 0
    together = _may_go_together(listed, keys, others)
    statement = _from_document(table, [*keys, *others]) if together else insert(table)
    new = {name: statement.excluded[name] for name in others}
    not_older = None if newest_by is None else mapper.columns[newest_by] <= statement.excluded[newest_by]
    upserting = statement.on_conflict_do_update(index_elements=keys, set_=new, where=not_older)
    if together:
        for start in range(0, len(listed), TOGETHER_MAX):
            session.connection().execute(upserting, {"rows": _document(listed[start : start + TOGETHER_MAX])})
    else:
        # One statement, many parameter sets: compiled once and pipelined by the driver.
        session.connection().execute(upserting, listed)
    return len(listed)


def _may_go_together(rows: Sequence[Row], keys: list[str], others: list[str]) -> bool:
    """Whether there are many rows, whole, of plain values, and no key twice, which one statement must not name twice."""
    if len(rows) < TOGETHER_MIN:
        return False
    names = {*keys, *others}
    return (
        all(row.keys() == names for row in rows)
        and all(_PLAIN.issuperset(map(type, row.values())) for row in rows)
        and len({tuple(row[key] for key in keys) for row in rows}) == len(rows)
    )


def _from_document(table: type[SQLModel], names: list[str]) -> Any:
    """An insert of rows that come as one JSON document: many times as fast as row by row, or as arrays."""
    columns = inspect(table).columns
    given = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
    rows = given.table_valued(*(column(name, columns[name].type) for name in names))
    return insert(table).from_select(names, select(rows.render_derived(name="given", with_types=True)))


def _document(rows: Sequence[Row]) -> str:
    return json.dumps(rows, ensure_ascii=False, allow_nan=False, default=methodcaller("isoformat"))
