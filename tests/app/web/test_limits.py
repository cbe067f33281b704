"""What one caller may ask of a door: so many calls in a minute, and so many at once that solve, in all processes together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from redis import Redis

from app.errors import TooManyError
from app.web import limits
from app.web.limits import CallerLimits
from evals.databases import Servers
from tests.shell import free_port

Limits = Callable[..., CallerLimits]


@pytest.fixture
def shared(servers: Servers) -> Iterator[Limits]:
    """Limits of different processes, for one door of this test: three calls a minute, two that solve."""
    door = uuid4().hex
    with Redis.from_url(servers.redis_url) as redis:
        yield lambda calls=3, solving=2: CallerLimits(redis, door, calls, solving)


@pytest.fixture
def alone() -> Iterator[CallerLimits]:
    """The limits of a process whose Redis is away."""
    with Redis.from_url(f"redis://127.0.0.1:{free_port()}") as nobody:
        yield CallerLimits(nobody, "door", 3, 2)


def test_all_processes_count_the_calls_of_a_caller_together_and_each_caller_by_itself(shared: Limits) -> None:
    one, other = shared(), shared()
    for each in (one, other, one):
        each.count_call("paula")
    with pytest.raises(TooManyError, match="paula has made 3 calls within a minute") as refused:
        other.count_call("paula")
    assert 50 <= refused.value.retry_after_seconds <= 60
    other.count_call("vera")


def test_of_many_calls_at_the_same_time_no_more_than_the_limit_pass(shared: Limits) -> None:
    def passes(_: int) -> bool:
        try:
            shared(calls=7).count_call("paula")
        except TooManyError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(passes, range(30))) == 7


def test_when_the_minute_is_over_calls_are_taken_again(shared: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MINUTE_SECONDS", 1)
    once = shared(calls=1)
    once.count_call("paula")
    with pytest.raises(TooManyError, match="call again in 1 second"):
        once.count_call("paula")
    time.sleep(1.05)
    once.count_call("paula")


def test_calls_that_solve_have_places_and_give_them_back(shared: Limits) -> None:
    one, other = shared(), shared()
    with one.solving("paula"), other.solving("paula"):
        for each in (one, other):
            with pytest.raises(TooManyError, match="paula already has") as refused, each.solving("paula"):
                pass
            assert refused.value.retry_after_seconds > 0
        with one.solving("vera"):
            pass
    with pytest.raises(ZeroDivisionError), one.solving("paula"):
        raise ZeroDivisionError
    with one.solving("paula"), other.solving("paula"):
        pass


def test_the_place_of_a_process_that_died_is_free_again_when_its_time_is_over(
    shared: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = shared(solving=1)
    died = once.solving("paula")
    died.__enter__()  # and never left
    with pytest.raises(TooManyError), once.solving("paula"):
        pass
    monkeypatch.setattr(limits, "SOLVING_SECONDS_MAX", -1)
    with once.solving("paula"):
        assert died is not None  # a generator that nobody holds would give its place back by itself


def test_without_redis_each_process_counts_for_itself_and_lets_a_caller_solve_one_thing_at_a_time(
    alone: CallerLimits,
) -> None:
    for _ in range(3):
        alone.count_call("paula")
    with pytest.raises(TooManyError) as refused:
        alone.count_call("paula")
    assert 50 <= refused.value.retry_after_seconds <= 60
    alone.count_call("vera")
    with alone.solving("paula"), alone.solving("vera"), pytest.raises(TooManyError), alone.solving("paula"):
        pass
    with alone.solving("paula"):
        pass
