"""What the tests of the event fabric stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from app.db.database import Database
from evals.databases import Servers
from tests.app.events.receivers import a_ledger, streams


@pytest.fixture(scope="module")
def network(servers: Servers) -> Iterator[Database]:
    """A ledger with a network and some talk. Tests add to it and take nothing away."""
    with a_ledger(servers) as opened:
        yield opened


@pytest.fixture
def redis(servers: Servers) -> Iterator[Redis]:
    """Streams that hold nothing yet."""
    with streams(servers) as client:
        yield client
