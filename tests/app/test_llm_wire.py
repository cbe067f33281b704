"""Exchanges with OpenAI-compatible vendors as they go over the wire, from files: what the llm asked for is what is heard.

The files lie in `exchanges/`, one response each, in the vendors' own framing. They
arrive in pieces of a few bytes, so that every line and character is torn somewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import httpcore2
import httpx
import pytest
from langchain_core.messages import HumanMessage

from app.llm import Llm
from app.llm_vendor import retry_after_seconds
from graphs.world import Reply
from tests.installation import PAULA
from tests.vendor import EXCHANGES, Vendor, recorded
from tools.catalog import CATALOG

SCHEMAS = [tool.schema() for tool in CATALOG.values()]
COVERAGE = ("coverage", {"mentions": ["P1"]})
STATUS = ("status", {})
UNEVEN = "Stock is uneven."
AGAIN = "; the built-in baseline answers. It is asked again with your next message."

Ask = Callable[..., Reply]


@pytest.fixture
def heard() -> list[str]:
    """What whoever watches the run saw being written."""
    return []


@pytest.fixture
def ask(llm_with: Callable[..., Llm], vendor: Vendor, heard: list[str]) -> Ask:
    """One message to the scripted vendor in a run of its own; it answers with these exchanges."""

    def asked(*exchanges: str | httpx.Response, **more: Any) -> Reply:
        vendor.will(*(recorded(each) if isinstance(each, str) else each for each in exchanges))
        llm = llm_with(llm_breaker_failures_max=1_000, **more)
        return llm.for_run(uuid4(), PAULA.user_id, heard.append).reply([HumanMessage("what is short")], SCHEMAS)

    return asked


def calls_of(reply: Reply) -> list[tuple[str, dict[str, Any]]]:
    return [(call["name"], call["args"]) for call in reply.message.tool_calls]


def is_the_baselines(reply: Reply) -> bool:
    return reply.llm == "baseline" and [name for name, _ in calls_of(reply)] == ["find_imbalances"]


@pytest.mark.parametrize(
    ("exchange", "asked_for"),
    [
        ("name_in_pieces", [COVERAGE]),
        ("name_with_every_piece", [COVERAGE]),
        ("inside_a_unicode_escape", [("coverage", {"mentions": ['P1 \U0001f69a é"x"']})]),
        ("ids_late", [COVERAGE, STATUS]),
        ("no_ids", [COVERAGE, STATUS]),
        ("one_index_for_all", [COVERAGE, ("coverage", {"mentions": ["P2"]}), STATUS]),
        ("no_index", [COVERAGE]),
        ("parallel_and_interleaved", [COVERAGE, STATUS, ("coverage", {"mentions": ["P2"]})]),
    ],
)
def test_tool_calls_are_put_together_wherever_the_vendor_splits_them(
    ask: Ask, exchange: str, asked_for: list[tuple[str, dict[str, Any]]]
) -> None:
    reply = ask(exchange)
    assert (calls_of(reply), reply.message.invalid_tool_calls, reply.notice) == (asked_for, [], None)
    assert len({call["id"] for call in reply.message.tool_calls}) == len(asked_for)


@pytest.mark.parametrize(
    "exchange",
    [
        "usage_last", "usage_with_every_piece", "no_usage", "keep_alive_comments", "empty_choices",
        "ids_and_retry_fields", "no_farewell",
    ],
)  # fmt: skip
def test_words_are_heard_whatever_stands_between_them(ask: Ask, heard: list[str], exchange: str) -> None:
    reply = ask(exchange)
    assert (reply.message.text, "".join(heard), reply.notice) == (UNEVEN, UNEVEN, None)
    assert (reply.llm, reply.temperature) == ("scripted-1", 0.0)
    assert not calls_of(reply)


@pytest.mark.parametrize("newline", [b"\r\n", b"\r"], ids=["CRLF", "CR"])
def test_lines_may_end_in_every_way_that_the_standard_of_event_streams_has(
    ask: Ask, heard: list[str], newline: bytes
) -> None:
    assert ask(recorded("crlf", newline=newline)).message.text == "".join(heard) == UNEVEN


def test_characters_that_the_network_tears_apart_are_whole_again(ask: Ask, heard: list[str]) -> None:
    assert ask("utf8").message.text == "".join(heard) == "Münster → S2 \U0001f69a"


def test_words_before_a_call_are_kept(ask: Ask, heard: list[str]) -> None:
    reply = ask("words_and_a_call")
    assert (reply.message.text, calls_of(reply)) == ("I look it up.", [COVERAGE])
    assert heard == ["I look", " it up."]


@pytest.mark.parametrize(
    ("exchanges", "words"),
    [
        (["refusal"], "I'm sorry, I can't help with that."),
        (["refusal_with_a_call"], "I can't do that."),
        (["disconnect", "whole_refusal"], "I can't help with that."),
    ],
)
def test_a_refusal_is_passed_on_as_such_and_asks_for_nothing(ask: Ask, exchanges: list[str], words: str) -> None:
    reply = ask(*exchanges)
    assert (reply.message.text, reply.notice) == (words, "The language model declined this request.")
    assert not reply.message.tool_calls
    assert not reply.message.invalid_tool_calls


def test_words_that_were_cut_off_are_passed_on_as_such(ask: Ask) -> None:
    reply = ask("cut_off_in_words", reply_tokens_max=1_200)
    assert reply.message.text == "The first three sites are S1, S2 and"
    assert reply.notice == "The language model's answer was cut off at its limit of 1,200 tokens."


@pytest.mark.parametrize(
    "exchanges",
    [["cut_off_before_arguments"], ["cut_off_after_arguments"], ["error_in_the_stream", "whole_cut_off"]],
)
def test_calls_of_an_answer_that_was_cut_off_are_not_made(ask: Ask, exchanges: list[str]) -> None:
    """Without arguments it would ask for a plan of everything."""
    reply = ask(*exchanges)
    assert not reply.message.tool_calls
    (call,) = reply.message.invalid_tool_calls
    assert call["name"] == "propose_plan"
    assert "cut off at its limit of tokens" in str(call["error"])


def test_an_answer_that_was_cut_off_before_its_first_word_is_not_asked_for_again(ask: Ask) -> None:
    reply = ask("cut_off_before_a_word")
    assert is_the_baselines(reply)
    assert reply.notice == f"The language model used up the tokens of a reply before it said anything{AGAIN}"


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        ("content_filter", "was stopped by the vendor's content filter"),
        ("content_filter_of_the_request", "was stopped by the vendor's content filter (HTTP status 400)"),
    ],
)
def test_what_the_vendors_filter_stops_is_answered_by_the_baseline(ask: Ask, exchange: str, words: str) -> None:
    reply = ask(exchange)
    assert is_the_baselines(reply)
    assert reply.notice == f"The language model {words}{AGAIN}"


@pytest.mark.parametrize("exchange", ["error_in_the_stream", "error_event"])
def test_an_error_in_the_middle_of_a_stream_is_asked_for_again_as_a_whole(
    ask: Ask, vendor: Vendor, exchange: str
) -> None:
    assert ask(exchange, "whole").message.text == UNEVEN
    assert [bool(body.get("stream")) for body in vendor.bodies] == [True, False]


@pytest.mark.parametrize("gone", [httpcore2.ReadError("gone"), httpcore2.RemoteProtocolError("incomplete")])
def test_a_connection_that_is_lost_in_a_stream_is_asked_for_again_as_a_whole(ask: Ask, gone: Exception) -> None:
    reply = ask(recorded("disconnect", then=gone), "whole")
    assert (reply.message.text, reply.message.tool_calls, reply.notice) == (UNEVEN, [], None)


@pytest.mark.parametrize("exchange", ["overloaded", "bad_gateway"])
def test_a_server_error_is_tried_again(ask: Ask, vendor: Vendor, exchange: str) -> None:
    assert ask(exchange, "usage_last").message.text == UNEVEN
    assert len(vendor.sent) == 2


def test_a_rate_limit_in_seconds_is_waited_for(ask: Ask, vendor: Vendor) -> None:
    assert ask(recorded("rate_limit_seconds", seconds="0.02"), "usage_last").message.text == UNEVEN
    assert len(vendor.sent) == 2


@pytest.mark.parametrize("exchange", ["rate_limit_seconds", "rate_limit_date"])
def test_a_wait_beyond_the_deadline_of_the_run_is_not_begun_and_the_vendor_left_alone_that_long(
    ask: Ask, vendor: Vendor, exchange: str
) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    reply = ask(recorded(exchange, seconds="90", date=until), run_seconds_max=60, openai_model=exchange)
    assert is_the_baselines(reply)
    assert str(reply.notice).startswith("The language model is over its rate limit or quota (HTTP status 429); ")
    assert any(f"tried again in about {seconds} seconds" in str(reply.notice) for seconds in (88, 89, 90))
    assert len(vendor.sent) == 1


def test_a_quota_that_is_used_up_is_not_tried_again(ask: Ask, vendor: Vendor) -> None:
    assert is_the_baselines(ask("quota"))
    assert len(vendor.sent) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": "Thu, 01 Jan 99999 00:00:00 GMT"}, None),
    ],
)
def test_how_long_to_wait_is_read_in_every_form_and_nonsense_is_none(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_seconds(headers) == seconds


def test_a_date_to_wait_for_is_so_many_seconds_from_now() -> None:
    for zone in ("GMT", "-0000"):
        until = (datetime.now(UTC) + timedelta(seconds=60)).strftime(f"%a, %d %b %Y %H:%M:%S {zone}")
        assert 55 < (retry_after_seconds({"retry-after": until}) or 0) <= 60


def test_every_exchange_that_is_kept_is_played() -> None:
    played = "".join(path.read_text(encoding="utf-8") for path in EXCHANGES.parent.glob("test_llm_*.py"))
    assert [path.stem for path in EXCHANGES.iterdir() if f'"{path.stem}"' not in played] == []
