"""Bringing the schema up to date, once, whoever starts first."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.db.database import Database

_LOCK_KEY = 0x6D69677261746500  # "migrate"


def migrate_schema(database: Database) -> None:
    """Run every migration that the database does not have yet. Processes that start together wait for each other."""
    config = alembic_config()
    newest = _newest()
    with database.engine.connect() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        if MigrationContext.configure(connection).get_current_revision() != newest:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        connection.commit()


@cache
def _newest() -> str | None:
    """The last migration of this process' code, which does not change while it runs."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def alembic_config() -> Config:
    """Alembic's configuration; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
