"""News for pages that are open: the kinds of things that change, also when the stream they come in is begun anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import httpx2
import pytest

from app.events.outbox import TYPE_PREFIX
from app.events.redis_stream import STREAM
from app.service import Service
from app.ui import live
from tests.app.ui.pages import DEMO
from tests.app.web.door import Door, listening

LINES_MAX = 200
"""Somebody who hears nothing gets ten lines a second."""


@contextmanager
def heard(service: Service) -> Iterator[Iterator[str]]:
    """The lines that an open page of Vera's is told, from the first one on."""
    with listening(service, DEMO) as (_, address), httpx2.Client(base_url=address, timeout=20) as client:
        client.post("/sign-in/demo", data={"person": "vera"}, headers={"Origin": address})
        with client.stream("GET", "/live") as answer:
            yield answer.iter_lines()


def add(service: Service, position: int, event_type: str) -> None:
    service.redis.xadd(STREAM, {"type": f"{TYPE_PREFIX}{event_type}"}, id=f"{position}-0")


def topics(lines: Iterator[str], count: int) -> list[str]:
    """The next kinds of things that have changed, so many, or as many as are told within the next lines."""
    told = islice(lines, LINES_MAX)
    return list(islice((line.removeprefix("data: ") for line in told if line.startswith("data: ")), count))


@pytest.fixture
def service(door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(live, "WAIT_MILLISECONDS", 100)
    door.service.redis.delete(STREAM)
    yield door.service
    door.service.redis.delete(STREAM)


def test_an_open_page_is_told_what_kind_of_thing_has_changed_since_it_was_opened(service: Service) -> None:
    add(service, 20, "stop_engaged")
    with heard(service) as lines:
        assert next(line for line in lines if line.startswith(":")) == ": here"
        next(line for line in lines if line == ": still there")
        add(service, 21, "approval_requested")
        assert topics(lines, 1) == ["queue"]


def test_an_open_page_looks_at_everything_when_the_stream_was_begun_anew_and_hears_what_comes_then(
    service: Service,
) -> None:
    add(service, 20, "stop_engaged")
    with heard(service) as lines:
        next(line for line in lines if line == ": still there")
        service.redis.delete(STREAM)
        add(service, 7, "approval_requested")
        everything = sorted(set(live.TOPICS.values()))
        assert topics(lines, len(everything)) == everything
        add(service, 8, "transfer_posted")
        assert topics(lines, 1) == ["orders"]


def test_an_open_page_looks_at_everything_when_another_stream_has_come_as_far_as_its_own(service: Service) -> None:
    add(service, 20, "stop_engaged")
    with heard(service) as lines:
        next(line for line in lines if line == ": still there")
        with service.redis.pipeline(transaction=True) as at_once:
            at_once.delete(STREAM)
            at_once.xadd(STREAM, {"type": f"{TYPE_PREFIX}approval_requested"}, id="20-0")
            at_once.xadd(STREAM, {"type": f"{TYPE_PREFIX}approval_claimed"}, id="21-0")
            at_once.execute()
        everything = sorted(set(live.TOPICS.values()))
        assert topics(lines, len(everything)) == everything
        add(service, 22, "transfer_posted")
        assert topics(lines, 1) == ["orders"]
