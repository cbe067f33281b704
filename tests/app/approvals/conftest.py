"""What tests of approvals share: one house for all, and each finds it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evals.databases import Servers
from tests.app.approvals.house import House, a_house


@pytest.fixture(scope="session")
def whole_house(servers: Servers) -> Iterator[House]:
    """The house that every test finds again."""
    with a_house(servers) as opened:
        yield opened


@pytest.fixture
def house(whole_house: House) -> Iterator[House]:
    """The house, tidied up afterwards."""
    yield whole_house
    whole_house.tidy()
