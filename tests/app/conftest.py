"""What tests of the service share: a scripted vendor and a service that asks it, and databases that nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from redis import Redis
from sqlmodel import Session

from app.db.database import Database
from app.llm import Llm
from app.service import Service
from app.settings import Settings
from evals.databases import TEMPLATE, Servers
from tests.builders import a_folder
from tests.signals import a_database, signal_network, take_in, undone
from tests.vendor import CONFIGURED, Vendor, scripted_vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor that answers from a script."""
    with scripted_vendor() as opened:
        yield opened


@pytest.fixture
def asking(vendor: Vendor, open_with: Callable[..., Service]) -> Callable[..., Service]:
    """Opens a service with a network and people, whose language model is the scripted vendor; takes more settings."""
    del vendor  # it has to be there before the service asks it

    def opened(**more: object) -> Service:
        return open_with(settings=CONFIGURED | more)

    return opened


@pytest.fixture
def template(request: pytest.FixtureRequest) -> str:
    """Whoever asks the vendor begins with a network and people."""
    begins_with = request.getfixturevalue("settled") if "asking" in request.fixturenames else TEMPLATE
    return str(begins_with)


@pytest.fixture
def agent(asking: Callable[..., Service]) -> Service:
    """A service with a network and people, whose language model is the scripted vendor."""
    return asking()


@pytest.fixture(scope="module")
def llm_with(servers: Servers) -> Iterator[Callable[..., Llm]]:
    """Makes what answers conversations, by the scripted vendor and under more settings, without a service around it."""
    with a_database(servers) as accounts, Redis.from_url(servers.redis_url) as redis:

        def made(**more: object) -> Llm:
            return Llm(Settings().model_copy(update=CONFIGURED | more), accounts, redis)

        yield made


@pytest.fixture(scope="session")
def empty(servers: Servers) -> Iterator[Database]:
    """A database without a network, in which nothing stays."""
    with a_database(servers) as opened:
        yield opened


@pytest.fixture(scope="session")
def database(servers: Servers) -> Iterator[Database]:
    """A database that holds the network, with PO-1 of 5 units for S1, and that no test changes."""
    with a_database(servers) as opened:
        with opened.transaction() as session:
            take_in(session, signal_network())
        yield opened


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A session on the network of which nothing stays."""
    with undone(database) as opened:
        yield opened


@pytest.fixture(scope="session")
def databases(servers: Servers, empty: Database) -> Iterator[dict[str, Database]]:
    """Two databases that no test changes: an empty one, and one that holds a folder's network."""
    with a_database(servers) as filled:
        with filled.transaction() as session:
            take_in(session, a_folder())
        yield {"empty": empty, "filled": filled}
