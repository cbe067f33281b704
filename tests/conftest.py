"""What all tests share: repeatable examples, real databases, and a service on a database of its own."""

from __future__ import annotations

import app  # first of all: it makes LangGraph's serializer strict

# isort: split
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings as hypothesis_settings
from langgraph.checkpoint.postgres import PostgresSaver
from pydantic import SecretStr
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from app.db.database import Database
from app.db.migrate import migrate_schema
from app.durable.runner import migrate
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey
from app.service import Service, open_service
from app.settings import Settings

# The same examples on every run and machine, nothing kept between runs, and no limit that a busy machine could break.
hypothesis_settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
hypothesis_settings.load_profile("repeatable")

assert app.__doc__, "imported for what it does"
TEMPLATE = "evenkeel_template"


@pytest.fixture(scope="session")
def servers() -> Iterator[tuple[str, str]]:
    """A PostgreSQL and a Valkey for this test process: their addresses. The schema lies ready in a template."""
    root = Path(tempfile.mkdtemp(prefix="evenkeel-tests-"))
    root.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        postgres, valkey = EmbeddedPostgres(root), EmbeddedValkey(root)
        database_url, redis_url = postgres.enter(), valkey.enter()
        stack.callback(postgres.leave)
        stack.callback(valkey.leave)
        _admin(database_url, f"create database {TEMPLATE}")
        url = _named(database_url, TEMPLATE)
        database = Database(url)
        migrate_schema(database)
        migrate(database)
        database.close()
        with PostgresSaver.from_conn_string(url.replace("+psycopg", "")) as saver:
            saver.setup()
        yield database_url, redis_url


@pytest.fixture
def settings(servers: tuple[str, str], tmp_path: Path) -> Iterator[Settings]:
    """Settings for a service on an empty database of its own."""
    database_url, redis_url = servers
    name = f"test_{uuid4().hex}"
    _admin(database_url, f"create database {name} template {TEMPLATE}")
    yield Settings(
        data=tmp_path / "data",
        database_url=SecretStr(_named(database_url, name)),
        redis_url=SecretStr(redis_url),
        openai_api_key=None,
        openai_base_url=None,
        erp_retry_seconds=0.02,
    )
    _admin(database_url, f"drop database {name} with (force)")


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    """An open service with the built-in ERP and the baseline, on an empty database. Nobody carries out its work."""
    with open_service(settings) as opened:
        yield opened


@pytest.fixture
def open_with(settings: Settings) -> Iterator[Callable[..., Service]]:
    """Opens a service on the test's database with another ERP, vendor or settings."""
    with ExitStack() as stack:

        def opened(**parts: object) -> Service:
            changes = parts.pop("settings", {})
            chosen = settings.model_copy(update=changes)  # type: ignore[arg-type]
            return stack.enter_context(open_service(chosen, **parts))  # type: ignore[arg-type]

        yield opened


def _admin(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _named(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)
