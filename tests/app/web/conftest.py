"""What tests of the HTTP door share: a prepared database that each test gets a copy of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy.engine import make_url

from app.service import Service, open_service
from evals.databases import Servers
from tests.app.web.door import Door, door_to, welcome
from tests.installation import scan, settings_on


class Prepared(NamedTuple):
    """A database with a network, people and a plan of Paula's that waits, to be copied."""

    template: str
    tokens: dict[str, str]


@pytest.fixture(scope="session")
def prepared(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """The database that others are copied from."""
    with servers.fresh_database() as url:
        with open_service(settings_on(servers, url, tmp_path_factory.mktemp("prepared"))) as service:
            tokens = welcome(service)
            scan(service)
        name = make_url(url).database
        assert name is not None
        yield Prepared(name, tokens)


@contextmanager
def _copy(servers: Servers, prepared: Prepared, data: Path, **changes: object) -> Iterator[Service]:
    with servers.fresh_database(prepared.template) as url:
        settings = settings_on(servers, url, data).model_copy(update=changes)
        with open_service(settings) as service:
            yield service


@pytest.fixture
def door(servers: Servers, prepared: Prepared, tmp_path: Path) -> Iterator[Door]:
    """A door of one's own, with a plan of Paula's that waits."""
    with _copy(servers, prepared, tmp_path) as service:
        yield door_to(service, prepared.tokens)


@pytest.fixture(scope="module")
def house(servers: Servers, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door that all tests of a module share: they only read, or are refused."""
    with _copy(servers, prepared, tmp_path_factory.mktemp("house")) as service:
        yield door_to(service, prepared.tokens)


@pytest.fixture
def door_with(servers: Servers, prepared: Prepared, tmp_path: Path) -> Iterator[Callable[..., Door]]:
    """Opens a door of one's own under other settings."""
    with ExitStack() as stack:

        def opened(**changes: object) -> Door:
            return door_to(stack.enter_context(_copy(servers, prepared, tmp_path, **changes)), prepared.tokens)

        yield opened
