"""Migrations of an installation that is in use: from the first schema through every revision, and nothing is lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, MetaData, Table, inspect, select, text
from sqlalchemy.dialects.postgresql import JSONB

from app.db.columns import Words
from app.db.database import Database
from app.db.migrate import alembic_config
from app.db.tables import is_ours, metadata
from evals.databases import Servers
from tests.shell import Shell

FIRST = Path(__file__).parent / "rows_at_0001.sql"
TOKEN = "evk_" + "m" * 43
"""Issued to an administrator before the first migration."""
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
OF_TYPE: Mapping[type, Any] = {
    str: "x", int: 1, bool: True, bytes: b"{}", date: NOW.date(), datetime: NOW, UUID: UUID(int=1),
}  # fmt: skip
"""What a column is filled with, by its type."""
OTHERWISE: Mapping[str, Mapping[str, Any]] = {
    "minimum_display": {"kind": "soft"},
    "substitute": {"substitute_id": "y"},
    "delegation": {"delegate": "y", "ends_at": NOW + timedelta(days=1)},
}
"""What the checks of a table want instead. Tables of later revisions whose row the database refuses go here."""
FROM_THE_LEDGER = {"ledger_leaf", "ledger_node", "ledger_checkpoint"}
"""Made from the ledger's events by the service: a row that was made up would be one that does not fit."""


def revisions() -> list[str]:
    """Every revision there is, the first one first."""
    return [each.revision for each in ScriptDirectory.from_config(alembic_config()).walk_revisions()][::-1]


@pytest.fixture
def database(servers: Servers) -> Iterator[Database]:
    """A database without anything."""
    with servers.fresh_database("template1") as url:
        opened = Database(url)
        yield opened
        opened.close()


def migrate_to(database: Database, revision: str) -> None:
    """Run the one migration that leads to a revision."""
    config = alembic_config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def fill(connection: Connection, table: Table) -> None:
    """One row, with something in every column."""
    row = {column.name: _value(connection, column) for column in table.columns if column.identity is None}
    connection.execute(table.insert().values(row | OTHERWISE.get(table.name, {})))


def _value(connection: Connection, column: Column[Any]) -> Any:
    """What the column refers to, a word of its vocabulary, or something of its type."""
    for key in column.foreign_keys:
        return connection.execute(select(key.column).limit(1)).scalar_one()
    declared = metadata().tables[column.table.name].columns
    if column.name in declared and isinstance(words := declared[column.name].type, Words):
        return next(iter(words.vocabulary)).value
    return {} if isinstance(column.type, JSONB) else OF_TYPE[column.type.python_type]


Contents = dict[str, list[dict[str, Any]]]


def contents(connection: Connection) -> Contents:
    """Every row of every table of ours."""
    names = [name for name in inspect(connection).get_table_names() if is_ours(None, name, "table", False, None)]
    return {
        name: list(connection.execute(text(f'select to_jsonb(t) from "{name}" t')).scalars()) for name in sorted(names)
    }


def lost(before: Contents, after: Contents) -> list[str]:
    """Rows that are not there any more, or differ in a column that they had before and still have."""
    missing = []
    for name, rows in before.items():
        kept = {key for row in after.get(name, [])[:1] for key in row}
        common = {key for row in rows for key in row} & kept
        still = Counter(_shown(row, common) for row in after.get(name, []))
        gone = Counter(_shown(row, common) for row in rows) - still
        missing += [f"{name}: {row}" for row in gone.elements()]
    return missing


def _shown(row: dict[str, Any], columns: set[str]) -> str:
    return json.dumps({key: value for key, value in row.items() if key in columns}, sort_keys=True)


def test_an_installation_in_use_loses_nothing_on_the_way_through_every_revision(
    database: Database, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    base, *later = revisions()
    migrate_to(database, base)
    with database.engine.begin() as connection:
        connection.exec_driver_sql(FIRST.read_text(encoding="utf-8"))
        before = contents(connection)
    assert [name for name, rows in before.items() if not rows] == []
    for revision in later:
        migrate_to(database, revision)
        with database.engine.begin() as connection:
            after = contents(connection)
            assert lost(before, after) == [], f"revision {revision}"
            reflected = MetaData()
            reflected.reflect(connection)
            new = {name for name in after.keys() - before.keys() - FROM_THE_LEDGER if not after[name]}
            for table in reflected.sorted_tables:  # what is referred to comes first
                if table.name in new:
                    fill(connection, table)
            before = contents(connection)
    is_read_by_the_service_of_today(database)

    environment = {
        "DATABASE_URL": database.engine.url.render_as_string(hide_password=False), "REDIS_URL": servers.redis_url,
        "EVENKEEL_DATA": str(tmp_path),
    }  # fmt: skip
    said = Shell(monkeypatch, capsys, environment)("verify", "--json", token=TOKEN)
    assert (said.status, said.document["problems"], said.document["verified"]) == (0, [], True)
    with database.engine.begin() as connection:
        assert lost(before, contents(connection)) == []


def is_read_by_the_service_of_today(database: Database) -> None:
    """Every table has rows, and each of them is one by today's types."""
    with database.engine.connect() as connection:
        for table in metadata().sorted_tables:
            if table.name not in FROM_THE_LEDGER:
                assert connection.execute(select(table)).all(), table.name
