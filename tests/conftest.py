"""What all tests share: repeatable examples, real databases, and a service on a database of its own."""

from __future__ import annotations

import app  # first of all: it makes LangGraph's serializer strict

# isort: split
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings as hypothesis_settings

from app.service import Service, open_service
from app.settings import Settings
from evals.databases import TEMPLATE, Servers, embedded_servers
from tests.installation import scan, settings_on, settle_in
from tests.logs import log_plainly

# The same examples on every run and machine, nothing kept between runs, and no limit that a busy machine could break.
hypothesis_settings.register_profile(
    "repeatable", deadline=None, derandomize=True, database=None, max_examples=int(os.environ.get("EXAMPLES", "25"))
)
hypothesis_settings.load_profile("repeatable")
log_plainly()

assert app.__doc__, "imported for what it does"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: at the end no worker waits for another one that has just begun them."""
    items.sort(key=lambda item: item.path.parent.name != "crash")


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """A PostgreSQL and a Valkey for this test process. The schema lies ready in a template."""
    with embedded_servers() as running:
        yield running


@pytest.fixture(scope="session")
def prepare(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Makes a database to begin with, of what is done once in a service on a copy of another one. Returns its name."""
    with ExitStack() as stack:

        def prepared(do: Callable[[Service], object], template: str = TEMPLATE) -> str:
            name = f"prepared_{uuid4().hex}"
            url = stack.enter_context(servers.database(name, template))
            with open_service(settings_on(servers, url, tmp_path_factory.mktemp("prepared"))) as service:
                do(service)
            return name

        yield prepared


@pytest.fixture(scope="session")
def settled(prepare: Callable[..., str]) -> str:
    """A database to begin with: the small network and its people."""
    return prepare(settle_in)


@pytest.fixture(scope="session")
def plan_waiting(prepare: Callable[..., str], settled: str) -> str:
    """A database to begin with: the small network, its people, and a plan of Paula's that waits in the queue."""
    return prepare(scan, settled)


@pytest.fixture
def template() -> str:
    """What the database of a test is a copy of: nothing but the schema, unless a module says otherwise."""
    return TEMPLATE


@pytest.fixture
def settings(servers: Servers, template: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings for a service on a database of its own."""
    with servers.fresh_database(template) as url:
        yield settings_on(servers, url, tmp_path / "data")


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    """An open service with the built-in ERP and the baseline. Nobody carries out its work."""
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
