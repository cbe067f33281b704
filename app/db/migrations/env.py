"""What Alembic runs to migrate: on the connection that the service hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from app.db.tables import is_ours, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata(),
    include_object=is_ours,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
