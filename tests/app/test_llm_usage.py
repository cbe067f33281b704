"""What the language model uses is on account, by run, person and day, and no limit is gone over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from langchain_core.messages.utils import count_tokens_approximately
from sqlmodel import col, select, update

from app.db.database import Database
from app.llm import Llm
from app.llm_answers import Usage
from app.llm_usage import (
    Limit,
    LimitReachedError,
    LlmUsage,
    Prices,
    RunAccount,
    Tariff,
    money_words,
    usage_by_day,
)
from app.service import Service
from evals.databases import Servers
from graphs.world import Reply
from tests.conversation import talk
from tests.installation import PAULA
from tests.signals import a_database
from tests.vendor import Vendor, calls, fails, recorded, says

MANY = Limit(10_000_000, 10_000_000)
PRICES = Prices(prompt_e4=25_000, completion_e4=100_000)
"""2.50 and 10.00 for a million tokens."""
TARIFF = Tariff(PRICES, MANY, MANY, "USD")
ASKED = [HumanMessage("what is short")]
CALL = Usage(100, 50, is_estimate=True)


@pytest.fixture(scope="module")
def accounts(servers: Servers) -> Iterator[Database]:
    """A database in which every test uses persons of its own."""
    with a_database(servers) as opened:
        yield opened


def rows(database: Database, run_id: UUID) -> list[LlmUsage]:
    """What is on account for a run, the oldest first."""
    with database.transaction() as session:
        return list(session.exec(select(LlmUsage).where(LlmUsage.run_id == run_id).order_by(col(LlmUsage.asked_at))))


@pytest.fixture
def billed(llm_with: Callable[..., Llm], vendor: Vendor) -> Callable[..., tuple[Reply, LlmUsage]]:
    """One message, answered by these exchanges, and what is on account for it."""

    def asked(*exchanges: Any, **more: Any) -> tuple[Reply, LlmUsage]:
        vendor.will(*exchanges)
        llm, run_id = llm_with(llm_breaker_failures_max=1_000, **more), uuid4()
        reply = llm.for_run(run_id, PAULA.user_id, lambda _: None).reply(ASKED, [])
        (row,) = rows(llm._database, run_id)
        return reply, row

    return asked


@pytest.mark.parametrize(
    ("exchange", "prompt", "completion"), [("usage_last", 812, 27), ("usage_with_every_piece", 812, 5)]
)
def test_what_the_vendor_says_is_on_account_at_the_prices_that_are_set(
    billed: Callable[..., tuple[Reply, LlmUsage]], vendor: Vendor, exchange: str, prompt: int, completion: int
) -> None:
    _, row = billed(recorded(exchange), llm_prompt_price_e4=25_000, llm_completion_price_e4=100_000)
    assert (row.prompt_tokens, row.completion_tokens, row.is_estimate) == (prompt, completion, False)
    assert row.cost_e6 == {27: 2_300, 5: 2_080}[completion]
    assert (row.user_id, row.llm, row.day) == (PAULA.user_id, "scripted-1", datetime.now(UTC).date())
    assert vendor.bodies[0]["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("exchange", ["no_usage", "usage_that_makes_no_sense"])
def test_where_the_vendor_says_nothing_sensible_an_estimate_is_on_account_and_marked(
    billed: Callable[..., tuple[Reply, LlmUsage]], vendor: Vendor, exchange: str
) -> None:
    reply, row = billed(recorded(exchange), llm_stream_usage=False)
    assert reply.message.text == "Stock is uneven."
    assert row.is_estimate
    assert 3 <= row.prompt_tokens <= 12
    assert row.completion_tokens == 4
    assert "stream_options" not in vendor.bodies[0]


def test_a_stream_that_breaks_off_is_on_account_beside_the_answer_that_came_as_a_whole(
    billed: Callable[..., tuple[Reply, LlmUsage]],
) -> None:
    _, row = billed(recorded("disconnect", then=httpcore2.ReadError("gone")), recorded("whole"))
    assert row.is_estimate
    assert row.prompt_tokens > 812
    assert row.completion_tokens > 27


@pytest.mark.parametrize(
    ("answers", "is_billed"),
    [
        ([fails(503), fails(503)], False),
        ([fails(401)], False),
        ([httpcore2.ConnectError("refused")] * 2, False),
        ([httpcore2.ReadTimeout("slow")] * 2, True),
        ([httpcore2.ReadError("gone")] * 2, True),
    ],
    ids=["503", "401", "refused", "slow", "gone"],
)
def test_a_call_that_failed_took_nothing_unless_the_vendor_may_have_worked_on_it(
    billed: Callable[..., tuple[Reply, LlmUsage]], answers: list[Any], is_billed: bool
) -> None:
    reply, row = billed(*answers)
    assert reply.llm == "baseline"
    assert (row.prompt_tokens > 0, row.completion_tokens, row.is_estimate) == (is_billed, 0, is_billed)


def test_a_run_that_is_cancelled_in_the_middle_of_an_answer_pays_for_what_it_heard(
    llm_with: Callable[..., Llm], vendor: Vendor
) -> None:
    class NotWantedError(Exception):
        pass

    def hear(_: str) -> None:
        raise NotWantedError

    vendor.will(says("Stock is uneven.", "And so on."))
    llm, run_id = llm_with(), uuid4()
    with pytest.raises(NotWantedError):
        llm.for_run(run_id, PAULA.user_id, hear).reply(ASKED, [])
    (row,) = rows(llm._database, run_id)
    assert (row.completion_tokens, row.is_estimate) == (4, True)


def test_a_process_that_dies_during_a_call_leaves_it_on_account_at_the_most_it_can_have_taken(
    accounts: Database,
) -> None:
    run_id = uuid4()
    RunAccount(accounts, run_id, "dora", "scripted-1", TARIFF).reserve(CALL)
    (row,) = rows(accounts, run_id)
    assert (row.prompt_tokens, row.completion_tokens, row.cost_e6, row.is_estimate) == (100, 50, 750, True)


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**10), st.integers(0, 10**10))
def test_money_is_whole_millionths_and_never_less_than_the_price(
    prompt: int, completion: int, prompt_e4: int, completion_e4: int
) -> None:
    cost_e6 = Prices(prompt_e4, completion_e4).cost_e6(Usage(prompt, completion))
    exact_e10 = prompt * prompt_e4 + completion * completion_e4
    assert exact_e10 <= cost_e6 * 10_000 < exact_e10 + 10_000
    assert cost_e6 < 2**63


def test_money_is_said_with_as_many_digits_as_it_takes() -> None:
    assert [money_words(cost_e6, "USD") for cost_e6 in (0, 2_300, 1_500_000, 1_234_000_001)] == [
        "0.00 USD", "0.0023 USD", "1.50 USD", "1,234.000001 USD"
    ]  # fmt: skip


def _account(accounts: Database, user_id: str, *, run: Limit = MANY, user_day: Limit = MANY) -> RunAccount:
    return RunAccount(accounts, uuid4(), user_id, "scripted-1", Tariff(PRICES, run, user_day, "USD"))


LIMITS = {
    "tokens of a run": ({"run": Limit(449, 10**6)}, "take this run over its limit of 449 tokens"),
    "money of a run": ({"run": Limit(10**6, 22)}, "take this run over its limit of 0.0022 USD"),
    "tokens of a day": ({"user_day": Limit(449, 10**6)}, "over the limit of 449 tokens a day"),
    "money of a day": ({"user_day": Limit(10**6, 22)}, "over the limit of 0.0022 USD a day"),
}


@pytest.mark.parametrize("which", LIMITS)
def test_a_call_that_could_go_over_a_limit_is_not_put_on_account(accounts: Database, which: str) -> None:
    limits, words = LIMITS[which]
    account = _account(accounts, f"user of {which}", **limits)
    for _ in range(2):
        account.reserve(CALL)
    with pytest.raises(LimitReachedError, match="is not asked: another answer could take ") as reached:
        account.reserve(CALL)
    assert words in str(reached.value)
    assert len(rows(accounts, account._run_id)) == 2


def test_what_was_put_on_account_and_not_taken_leaves_room_again(accounts: Database) -> None:
    account = _account(accounts, "rosa", user_day=Limit(200, 10**6))
    first = account.reserve(CALL)
    with pytest.raises(LimitReachedError):
        account.reserve(CALL)
    account.settle(first, Usage(30, 20))
    account.release(account.reserve(CALL))
    account.reserve(CALL)
    assert [row.prompt_tokens + row.completion_tokens for row in rows(accounts, account._run_id)] == [50, 150]


def test_calls_at_the_same_time_do_not_go_over_a_limit_together(accounts: Database) -> None:
    def reserve(_: int) -> bool:
        try:
            _account(accounts, "theo", user_day=Limit(750, 10**6)).reserve(CALL)
        except LimitReachedError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(reserve, range(16))) == 5


def test_a_further_request_of_a_call_is_put_on_account_beside_what_the_call_has_used(accounts: Database) -> None:
    account = _account(accounts, "fay", user_day=Limit(200, 10**6))
    call_id = account.reserve(CALL)
    account.reserve_again(call_id, Usage(30, 20), CALL)
    with pytest.raises(LimitReachedError):
        account.reserve_again(call_id, Usage(31, 20), CALL)
    (row,) = rows(accounts, account._run_id)
    assert (row.prompt_tokens, row.completion_tokens, row.is_estimate) == (130, 70, True)
    assert row.cost_e6 == PRICES.cost_e6(Usage(130, 70))


FURTHER = {
    "after a stream that broke off": lambda: recorded("disconnect", then=httpcore2.ReadError("gone")),
    "after a time-out": lambda: httpcore2.ReadTimeout("slow"),
    "after a connection that broke": lambda: httpcore2.RemoteProtocolError("gone"),
}


@pytest.mark.parametrize("what", FURTHER)
def test_a_further_request_that_could_go_over_a_limit_is_not_made(
    llm_with: Callable[..., Llm], vendor: Vendor, what: str
) -> None:
    """Room for the most of one request, and not for what that one took and the most of another."""
    vendor.will(FURTHER[what]())
    most = {"run_tokens_max": 1_000, "reply_tokens_max": 990}
    llm, run_id = llm_with(llm_breaker_failures_max=1, openai_model=what, **most), uuid4()
    reply = llm.for_run(run_id, PAULA.user_id, lambda _: None).reply(ASKED, [])
    assert "another answer could take this run over its limit of 1,000 tokens" in str(reply.notice)
    assert len(vendor.sent) == 1
    (row,) = rows(llm._database, run_id)
    assert 0 < row.prompt_tokens + row.completion_tokens <= 1_000
    assert llm.left_alone is None


def test_every_attempt_that_may_have_been_worked_on_is_on_account(llm_with: Callable[..., Llm], vendor: Vendor) -> None:
    lost, refused = httpcore2.ReadTimeout("slow"), httpcore2.ConnectError("refused")
    vendor.will(lost, refused, lost)
    llm, run_id = llm_with(llm_breaker_failures_max=1_000, llm_retries_max=2), uuid4()
    llm.for_run(run_id, PAULA.user_id, lambda _: None).reply(ASKED, [])
    (row,) = rows(llm._database, run_id)
    assert row.prompt_tokens == 2 * count_tokens_approximately(ASKED)


def test_another_day_another_person_and_another_run_have_limits_of_their_own(accounts: Database) -> None:
    once = Limit(150, 10**6)
    first = _account(accounts, "una", user_day=once)
    call_id = first.reserve(CALL)
    _account(accounts, "ugo", user_day=once, run=once).reserve(CALL)
    with pytest.raises(LimitReachedError):
        _account(accounts, "una", user_day=once).reserve(CALL)
    with accounts.transaction() as session:
        session.connection().execute(
            update(LlmUsage).where(col(LlmUsage.call_id) == call_id).values(day=date(2026, 1, 1))
        )
    _account(accounts, "una", user_day=once).reserve(CALL)


def test_usage_is_summed_by_day_and_person_the_newest_and_most_expensive_first(servers: Servers) -> None:
    with a_database(servers) as database:
        for user_id, used in (("ida", Usage(10, 5)), ("ida", Usage(1, 1, is_estimate=True)), ("ivo", Usage(900, 90))):
            account = _account(database, user_id)
            account.settle(account.reserve(CALL), used)
        with database.transaction() as session:
            today = datetime.now(UTC).date()
            found = [(each.user_id, each.calls, each.estimated_calls, each.prompt_tokens, each.completion_tokens)
                     for each in usage_by_day(session, today)]  # fmt: skip
            assert found == [("ivo", 1, 0, 900, 90), ("ida", 2, 1, 11, 6)]
            assert [each.cost_e6 for each in usage_by_day(session, limit=1)] == [3_150]
            assert usage_by_day(session, date.max) == []


def test_every_call_of_a_conversation_is_on_its_account(agent: Service, vendor: Vendor) -> None:
    vendor.will(calls(("status", {})), says("That is how it is."))
    turn = talk(agent, "status")
    kept = rows(agent.database, turn.run_id)
    assert [(row.user_id, row.is_estimate) for row in kept] == [(PAULA.user_id, True)] * 2
    assert kept[1].prompt_tokens > kept[0].prompt_tokens > 1_000


@pytest.mark.parametrize(
    ("limits", "words", "again"),
    [
        ({"run_tokens_max": 30_000}, "take this run over its limit of 30,000 tokens", "with your next message."),
        (
            {"user_day_money_e4_max": 900, "llm_prompt_price_e4": 20_000},
            "take paula over the limit of 0.09 USD a day", "from 00:00 UTC.",
        ),
    ],
    ids=["run", "day"],
)  # fmt: skip
def test_a_model_that_never_stops_asking_is_stopped_by_what_it_may_use_and_the_baseline_goes_on(
    asking: Callable[..., Service], vendor: Vendor, limits: dict[str, int], words: str, again: str
) -> None:
    service = asking(run_llm_calls_max=100, run_tool_calls_max=100, **limits)
    vendor.always = lambda: calls(("status", {}))
    turn = talk(service, "what is short")
    (notice,) = turn.notices
    assert notice == (
        f"The language model is not asked: another answer could {words}; the built-in baseline answers."
        f" It is asked again {again}"
    )
    assert turn.words
    with service.database.transaction() as session:
        (used,) = usage_by_day(session)
    assert used.calls == len(vendor.sent) >= 2
    assert used.prompt_tokens + used.completion_tokens <= 30_000 or used.cost_e6 <= 90_000
    sent = len(vendor.sent)
    talk(service, "and now?", thread_id=turn.thread_id)
    assert (len(vendor.sent) > sent) is ("run_tokens_max" in limits)
