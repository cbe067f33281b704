"""Pages over HTTP without a browser: who is signed in, and markup taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.service import Service
from tests.app.ui.pages import Browsing
from tests.app.web.conftest import *  # noqa: F403  the same houses and doors
from tests.app.web.door import Door


@pytest.fixture(scope="module")
def pages(house: Door) -> Callable[[str], Browsing]:
    """A browser of somebody in the house that a module shares."""
    return lambda person: Browsing.of(house.service, person)


@pytest.fixture
def own_pages(door: Door) -> Iterator[Callable[[str], Browsing]]:
    """A browser of somebody in the house of one test."""
    service: Service = door.service
    return lambda person: Browsing.of(service, person)
