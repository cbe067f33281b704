"""Insert rows or bring them up to date, in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, SQLModel


def upsert(
    session: Session, table: type[SQLModel], rows: Iterable[Mapping[str, Any]], *, newest_by: str | None = None
) -> int:
    """Insert `rows` by primary key, replacing the other columns where the key is there. Returns their number.

    With `newest_by`, a row that is there is replaced only by one that is not older in that column.
    """
    mapper = inspect(table)
    keys = [column.name for column in mapper.primary_key]
    others = [column.name for column in mapper.columns if column.name not in keys]
    listed = list(rows)
    if listed:
        statement = insert(table)
        new = {name: statement.excluded[name] for name in others}
        not_older = None if newest_by is None else mapper.columns[newest_by] <= statement.excluded[newest_by]
        # One statement, many parameter sets: compiled once and pipelined by the driver.
        session.connection().execute(
            statement.on_conflict_do_update(index_elements=keys, set_=new, where=not_older), listed
        )
    return len(listed)
