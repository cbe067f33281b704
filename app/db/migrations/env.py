"""What Alembic runs to migrate: on the connection that the service hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from app.db.tables import metadata

OTHERS = ("checkpoint", "alembic")
"""Tables of libraries in our database; their owners migrate them."""


def _is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _compare_to: object) -> bool:
    return not (kind == "table" and name is not None and name.startswith(OTHERS))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata(),
    include_object=_is_ours,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
