"""The migrations make exactly the tables that the code declares."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from app.db.migrate import migrate_schema
from app.db.tables import is_ours, metadata
from app.durable.runner import migrate
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


def test_the_tables_of_durable_work_are_looked_at_again_by_another_version_of_their_maker_only(
    service: Service,
) -> None:
    newest = text("select max(version) from dbos.dbos_migrations")
    with service.database.engine.begin() as connection:
        made = connection.execute(newest).scalar_one()
        connection.execute(text("update dbos.dbos_migrations set version = version - 1"))
    migrate(service.database)
    with service.database.engine.begin() as connection:
        assert connection.execute(newest).scalar_one() == made - 1, "nobody looked"
        connection.execute(text("comment on schema dbos is 'made by DBOS 2.0.0'"))
    migrate(service.database)
    with service.database.engine.begin() as connection:
        assert connection.execute(newest).scalar_one() == made
        said = connection.execute(text("select obj_description(to_regnamespace('dbos'), 'pg_namespace')")).scalar_one()
    assert said != "made by DBOS 2.0.0"
