"""What tests of conversations share: a scripted vendor, and a service that asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.service import Service
from tests.installation import settle_in
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
        service = open_with(settings=CONFIGURED | more)
        settle_in(service)
        return service

    return opened


@pytest.fixture
def agent(asking: Callable[..., Service]) -> Service:
    """A service with a network and people, whose language model is the scripted vendor."""
    return asking()
