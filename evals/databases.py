"""Real servers for judging: an embedded PostgreSQL and Valkey, and an empty database for every scenario."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from langgraph.checkpoint.postgres import PostgresSaver
from psycopg import connect
from sqlalchemy.engine import make_url

from app.db.database import Database
from app.db.migrate import migrate_schema
from app.durable.runner import migrate
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey

TEMPLATE = "evenkeel_template"
_MEMORY = Path("/dev/shm")  # noqa: S108  what lies there is a private directory, and gone with the servers
_MEMORY_BYTES_MIN = 2 << 30
"""Where less than this is free, the servers lie on the disk, as they do where there is no such place."""


class Servers(NamedTuple):
    """Running servers. The template database holds the schema, so that a new one costs a copy and no migration."""

    database_url: str
    redis_url: str

    @contextmanager
    def fresh_database(self, template: str = TEMPLATE) -> Iterator[str]:
        """The address of a new database, which is dropped afterwards."""
        with self.database(f"fresh_{uuid4().hex}", template) as url:
            yield url

    @contextmanager
    def database(self, name: str, template: str = TEMPLATE) -> Iterator[str]:
        """The address of a new database with this name. Files are copied as they are: half the time of writing them to the log."""
        self.admin(f"create database {name} template {template} strategy file_copy")
        try:
            yield self.named(name)
        finally:
            self.admin(f"drop database {name} with (force)")

    def named(self, name: str) -> str:
        """The address of the database with this name."""
        return make_url(self.database_url).set(database=name).render_as_string(hide_password=False)

    def admin(self, statement: str) -> None:
        """Run one statement that cannot be part of a transaction. An engine would ask the server about itself first."""
        with connect(_of_the_driver(self.database_url), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def embedded_servers(*, durable: bool = False) -> Iterator[Servers]:
    """Servers in a directory of their own, gone afterwards. Raises SetUpError where they cannot be started.

    `durable` ones lie on the disk and write as those of an installation do.
    """
    root = Path(tempfile.mkdtemp(prefix="evenkeel-servers-", dir=None if durable else _memory()))
    root.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        postgres, valkey = EmbeddedPostgres(root), EmbeddedValkey(root)
        stack.callback(postgres.leave)
        database_url = postgres.enter()
        stack.callback(valkey.leave)
        servers = Servers(database_url, valkey.enter())
        if not durable:
            _trust_the_machine(servers)
        servers.admin(f"create database {TEMPLATE}")
        _lay_schema(servers.named(TEMPLATE))
        yield servers


def _memory() -> Path | None:
    """Where a copied database costs no disk: six hundred files each, on some file systems half a second of work."""
    try:
        return _MEMORY if shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES_MIN and os.access(_MEMORY, os.W_OK) else None
    except OSError:
        return None


def _trust_the_machine(servers: Servers) -> None:
    """Leave out what is for a machine that loses power: these databases would not outlive it. A killed server loses nothing."""
    for setting in ("fsync", "full_page_writes"):
        servers.admin(f"alter system set {setting} = off")
    servers.admin("select pg_reload_conf()")


def _lay_schema(url: str) -> None:
    database = Database(url)
    migrate_schema(database)
    migrate(database)
    database.close()
    with PostgresSaver.from_conn_string(_of_the_driver(url)) as saver:
        saver.setup()


def _of_the_driver(url: str) -> str:
    """The address as the driver itself takes it."""
    return url.replace("+psycopg", "", 1)
