"""The migrations make exactly the tables that the code declares."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from app.db.migrate import migrate_schema
from app.db.tables import is_ours, metadata
from app.service import Service


def test_the_migrated_schema_is_the_declared_one(service: Service) -> None:
    options = {"include_object": is_ours, "compare_type": True}
    with service.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata()) == []


def test_migrating_again_changes_nothing(service: Service) -> None:
    migrate_schema(service.database)
    with service.database.engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() is not None
