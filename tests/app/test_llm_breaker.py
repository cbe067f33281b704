"""The circuit breaker: a vendor that fails again and again is left alone by every process, and tried again by one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from redis import Redis

from app.llm import Llm, RunLlm
from app.llm_breaker import (
    WAIT_SECONDS_MAX,
    Admitted,
    Breaker,
    BreakerRules,
    BreakerState,
    LeftAlone,
    admitted,
    after_failure,
    after_nothing,
)
from evals.databases import Servers
from tests.installation import PAULA
from tests.shell import free_port
from tests.vendor import Vendor, fails, recorded, says, words
from tools.catalog import CATALOG

RULES = BreakerRules(failures_max=3, window_seconds=100, pause_seconds=30)
WHY = "cannot be reached (HTTP status 503)"


def failing(*instants: float, state: BreakerState | None = None) -> BreakerState:
    """The state after failures at these instants."""
    now = state or BreakerState()
    for at in instants:
        now, _ = after_failure(now, RULES, at, WHY)
    return now


def run_of(llm: Llm) -> RunLlm:
    return llm.for_run(uuid4(), PAULA.user_id, lambda _: None)


def test_a_vendor_is_left_alone_after_enough_failures_within_the_window_and_not_before() -> None:
    assert admitted(failing(1, 2), RULES, 3)[1] == Admitted()
    assert admitted(failing(1, 2, 3), RULES, 4)[1] == LeftAlone(WHY, 29)
    assert admitted(failing(1, 2, 101.5), RULES, 102)[1] == Admitted()


def test_after_the_pause_one_tries_and_the_others_wait_for_what_comes_of_it() -> None:
    trying, admission = admitted(failing(1, 2, 3), RULES, 33)
    assert admission == Admitted(trial_until=63)
    assert admitted(trying, RULES, 33)[1] == LeftAlone(WHY, 30)
    assert admitted(failing(35, state=trying), RULES, 36)[1] == LeftAlone(WHY, 29)
    assert admitted(trying, RULES, 63)[1] == Admitted(trial_until=93)  # whoever tried has never come back


def test_after_a_trial_that_has_shown_nothing_the_next_one_tries_and_no_failure_is_forgotten() -> None:
    trying, _ = admitted(failing(1, 2, 3), RULES, 33)
    after, _ = after_nothing(trying, 40, 63)
    assert after.failed_at == trying.failed_at
    trying, admission = admitted(after, RULES, 40)
    assert admission == Admitted(trial_until=70)
    assert admitted(trying, RULES, 40)[1] == LeftAlone(WHY, 30)


def test_what_has_shown_nothing_ends_neither_a_pause_nor_the_trial_of_another() -> None:
    opened = failing(1, 2, 3)
    assert after_nothing(opened, 4, 0)[0] == opened  # it was asked before the pause began
    trying, _ = admitted(failing(1, 2, 3), RULES, 70)  # the trial of 33 to 63 has never come back
    assert after_nothing(trying, 71, 63)[0] == trying


def test_a_wait_that_the_vendor_asks_for_is_kept_and_no_longer_than_sense_allows() -> None:
    waiting, alone = after_failure(BreakerState(), RULES, 10, WHY, 45)
    assert alone == LeftAlone(WHY, 45)
    assert admitted(waiting, RULES, 54)[1] == LeftAlone(WHY, 1)
    after, admission = admitted(waiting, RULES, 55)
    assert admission == Admitted()
    assert admitted(after, RULES, 55)[1] == Admitted()  # it was one failure: everybody may ask again
    assert after_failure(BreakerState(), RULES, 10, WHY, 1e9)[1] == LeftAlone(WHY, WAIT_SECONDS_MAX)
    assert after_failure(BreakerState(), RULES, 10, WHY, 0.2)[1] is None


def test_a_clock_that_was_set_back_leaves_the_vendor_alone_for_a_bounded_time() -> None:
    alone = admitted(failing(1e6, 1e6, 1e6), RULES, 5)[1]
    assert isinstance(alone, LeftAlone)
    assert alone.seconds <= WAIT_SECONDS_MAX + RULES.pause_seconds


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 40)), max_size=40))
def test_while_it_fails_a_vendor_is_asked_no_more_often_than_once_a_pause(steps: list[tuple[bool, float]]) -> None:
    state, now, asked = failing(0, 0, 0), 0.0, [0.0]
    for fails_late, seconds in steps:
        now += seconds
        state, admission = admitted(state, RULES, now)
        if isinstance(admission, Admitted):
            assert now - asked[-1] >= RULES.pause_seconds
            asked.append(now)
            state = failing(now, state=state)
        elif fails_late:  # of a question that was under way when the others failed
            state = failing(now, state=state)


@pytest.fixture
def shared(servers: Servers) -> Iterator[Callable[..., Breaker]]:
    """Breakers of different processes, for one address of this test."""
    address = uuid4().hex
    with Redis.from_url(servers.redis_url) as redis:
        yield lambda **rules: Breaker(redis, BreakerRules(**{**_BRIEF, **rules}), address)


_BRIEF = {"failures_max": 3, "window_seconds": 100, "pause_seconds": 0.1}


def test_all_processes_know_of_a_failure_and_of_a_recovery(shared: Callable[..., Breaker]) -> None:
    one, other = shared(pause_seconds=60), shared(pause_seconds=60)
    assert [one.failed(WHY), other.failed(WHY)] == [None, None]
    assert one.failed(WHY) == LeftAlone(WHY, 60)
    assert other.look() is not None
    assert isinstance(other.admit(), LeftAlone)
    one.succeeded()
    assert other.admit() == Admitted()


def test_of_many_that_come_after_the_pause_exactly_one_tries(shared: Callable[..., Breaker]) -> None:
    breakers = [shared() for _ in range(8)]
    for breaker in breakers[:3]:
        breaker.failed(WHY)
    time.sleep(0.11)
    patient = [shared(pause_seconds=60) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda breaker: breaker.admit(), patient))
    assert sum(isinstance(answer, Admitted) for answer in answers) == 1


def test_failures_at_the_same_time_are_all_counted(shared: Callable[..., Breaker]) -> None:
    breakers = [shared(failures_max=24, pause_seconds=60) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda breaker: [breaker.failed(WHY) for _ in range(3)], breakers))
    assert isinstance(breakers[0].admit(), LeftAlone)


def test_what_another_version_has_stored_is_started_anew(servers: Servers, shared: Callable[..., Breaker]) -> None:
    breaker = shared()
    with Redis.from_url(servers.redis_url) as redis:
        redis.set(breaker._key, b'{"failed_at": "always"}')
    assert breaker.admit() == Admitted()
    assert [breaker.failed(WHY) for _ in range(2)] == [None, None]


def test_without_redis_each_process_has_a_breaker_of_its_own() -> None:
    with Redis.from_url(f"redis://127.0.0.1:{free_port()}") as nobody:
        breaker = Breaker(nobody, RULES, "address")
        assert [breaker.failed(WHY) for _ in range(3)][:2] == [None, None]
        alone = breaker.admit()
        assert isinstance(alone, LeftAlone)
        assert alone.why == WHY
        breaker.succeeded()
        assert breaker.admit() == Admitted()


def test_a_vendor_that_fails_in_run_after_run_is_left_alone_and_the_notice_says_why_and_until_when(
    llm_with: Callable[..., Llm], vendor: Vendor
) -> None:
    llm = llm_with(openai_model="failing", llm_retries_max=0)
    asked = [HumanMessage("what is short")]
    vendor.will(*(fails(503) for _ in range(3)))
    notices = [run_of(llm).reply(asked, []).notice for _ in range(4)]
    down = f"The language model {WHY}; the built-in baseline answers."
    assert notices[:2] == [f"{down} It is asked again with your next message."] * 2
    assert notices[2] == f"{down} It is tried again in about 30 seconds."
    assert str(notices[3]).startswith(
        f"The language model is left alone for now: it {WHY}; the built-in baseline answers. It is tried again in about "
    )
    assert len(vendor.sent) == 3
    assert llm.left_alone is not None


def test_a_vendor_that_answers_in_between_is_not_left_alone(llm_with: Callable[..., Llm], vendor: Vendor) -> None:
    llm = llm_with(openai_model="unsteady", llm_retries_max=0)
    vendor.will(fails(500), fails(500), says("Hello."), fails(500), fails(500), says("Here I am."))
    replies = [run_of(llm).reply([HumanMessage("hello")], []) for _ in range(6)]
    assert [reply.message.text for reply in replies if reply.notice is None] == ["Hello.", "Here I am."]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_the_vendor_refuses_is_no_failure_of_the_vendor(
    llm_with: Callable[..., Llm], vendor: Vendor, status: int
) -> None:
    llm = llm_with(openai_model=f"strict-{status}", llm_breaker_failures_max=1)
    vendor.will(fails(status), says("Hello."))
    assert run_of(llm).reply([HumanMessage("hello")], []).notice is not None
    assert run_of(llm).reply([HumanMessage("hello")], []).message.text == "Hello."


async def told(text: str) -> AsyncIterator[bytes]:
    """An event with these words every twentieth of a second, for ever."""
    while True:
        yield f"data: {json.dumps(words(text))}\n\n".encode()
        await asyncio.sleep(0.05)


def telling(text: str) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=told(text))


@pytest.mark.parametrize(
    ("patience_seconds", "text", "is_down"), [(30, "", False), (0.5, "", True), (0.5, "word ", False)],
    ids=["silent, for less than it may be", "silent for longer than it may be", "slow, and never silent"],
)  # fmt: skip
def test_a_vendor_that_a_deadline_of_ours_cuts_off_has_failed_only_if_it_had_its_full_time(
    llm_with: Callable[..., Llm], vendor: Vendor, patience_seconds: float, text: str, is_down: bool
) -> None:
    vendor.always = lambda: telling(text)
    once = {"llm_breaker_failures_max": 1, "llm_timeout_seconds": patience_seconds}
    llm = llm_with(openai_model=f"late {patience_seconds}{text}", run_seconds_max=0.9, **once)
    assert "took too long" in str(run_of(llm).reply([HumanMessage("hello")], []).notice)
    assert (llm.left_alone is not None) is is_down


def test_a_short_question_beside_the_conversation_that_comes_to_its_end_is_no_failure_of_the_vendor(
    llm_with: Callable[..., Llm], vendor: Vendor
) -> None:
    vendor.always = lambda: telling("")
    llm = llm_with(openai_model="asked in between", llm_breaker_failures_max=1)
    assert run_of(llm).consult([HumanMessage("which?")], CATALOG["status"].schema(), 0.2).failure == "took too long"
    vendor.always = lambda: says("Here I am.")
    assert run_of(llm).reply([HumanMessage("hello")], []).message.text == "Here I am."


SHOWS_NOTHING = {
    "our own deadline": lambda: telling(""),
    "the content filter": lambda: recorded("content_filter"),
    "a refusal of the request": lambda: fails(400),
    "too many words": lambda: says("x" * 60_000),
}


@pytest.mark.parametrize("what", SHOWS_NOTHING)
def test_what_shows_nothing_forgets_no_failure_and_lets_the_next_one_try(
    llm_with: Callable[..., Llm], vendor: Vendor, what: str
) -> None:
    brief = {"llm_retries_max": 0, "llm_breaker_failures_max": 2, "llm_breaker_pause_seconds": 0.2}
    llm, hurried = (llm_with(openai_model=what, **brief, run_seconds_max=seconds) for seconds in (180, 0.2))

    def ask(answer: httpx.Response, of: Llm = llm) -> str:
        vendor.always = lambda: answer
        return str(run_of(of).reply([HumanMessage("hello")], []).notice)

    ask(fails(503))
    ask(SHOWS_NOTHING[what](), hurried if what == "our own deadline" else llm)
    assert "tried again in about 1 second" in ask(fails(503))  # the second in a row: nothing was forgotten in between
    time.sleep(0.21)
    ask(SHOWS_NOTHING[what](), hurried if what == "our own deadline" else llm)
    assert "tried again in about 1 second" in ask(fails(503))  # asked at once, in a trial of its own


def test_an_answer_that_is_cut_off_before_its_first_word_shows_that_the_vendor_works(
    llm_with: Callable[..., Llm], vendor: Vendor
) -> None:
    llm = llm_with(openai_model="long in thought", llm_retries_max=0, llm_breaker_failures_max=2)
    vendor.will(fails(503), recorded("cut_off_before_a_word"), fails(503))
    for _ in range(3):
        run_of(llm).reply([HumanMessage("hello")], [])
    assert llm.left_alone is None


def test_a_trial_of_a_run_that_is_cancelled_leaves_the_next_trial_to_the_others(
    llm_with: Callable[..., Llm], vendor: Vendor
) -> None:
    class NotWantedError(Exception):
        pass

    def hear(_: str) -> None:
        raise NotWantedError

    brief = {"llm_retries_max": 0, "llm_breaker_failures_max": 1}
    llm, soon = (
        llm_with(openai_model="cancelled", **brief | {"llm_breaker_pause_seconds": pause}) for pause in (60, 0.1)
    )
    vendor.will(fails(503), says("Here I am."), says("Here I am."))
    run_of(soon).reply([HumanMessage("hello")], [])
    time.sleep(0.11)
    with pytest.raises(NotWantedError):
        llm.for_run(uuid4(), PAULA.user_id, hear).reply([HumanMessage("hello")], [])
    assert run_of(llm).reply([HumanMessage("hello")], []).message.text == "Here I am."


def test_a_vendor_that_has_recovered_is_asked_by_everybody_again(llm_with: Callable[..., Llm], vendor: Vendor) -> None:
    llm = llm_with(
        openai_model="recovering", llm_retries_max=0, llm_breaker_failures_max=1, llm_breaker_pause_seconds=1
    )
    vendor.will(fails(503), says("Here I am."), says("And here."))
    assert run_of(llm).reply([HumanMessage("hello")], []).notice is not None
    time.sleep(1.01)
    assert run_of(llm).reply([HumanMessage("hello")], []).message.text == "Here I am."
    assert run_of(llm).reply([HumanMessage("hello")], []).message.text == "And here."
