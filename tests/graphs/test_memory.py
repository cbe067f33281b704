"""The memory of a thread: what is kept of older turns, what the llm is sent, and that replays come to the same messages."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage

from graphs.memory import kept, sent

ROWS = {"as_of": "2026-03-02", "units": 4_321, "not_shown": 0, "rows": [{"sku": "P1", "units": 17}] * 40}


def turn(number: int) -> list[AnyMessage]:
    """A question, a call, its result with rows, and an answer that says a number of its own."""
    call = {"name": "coverage", "args": {"mentions": ["P1"]}, "id": f"call_{number}", "type": "tool_call"}
    return [
        HumanMessage(f"question {number}", id=f"run-{number}"),
        AIMessage("", tool_calls=[call]),
        ToolMessage(json.dumps(ROWS), tool_call_id=f"call_{number}", name="coverage"),
        AIMessage(f"It is 777 in turn {number}."),
    ]


def thread(turns: int) -> list[AnyMessage]:
    return kept([], [message for number in range(turns) for message in turn(number)])


def test_results_of_the_last_two_turns_stay_whole_and_older_ones_keep_their_plain_figures() -> None:
    results = [json.loads(str(each.text)) for each in thread(4) if isinstance(each, ToolMessage)]
    plain = {"as_of": "2026-03-02", "units": 4_321, "not_shown": 0}
    assert results == [plain, plain, ROWS, ROWS]


def test_a_replay_gives_messages_without_an_id_the_same_ids() -> None:
    assert [each.id for each in thread(3)] == [each.id for each in thread(3)]
    assert len({each.id for each in thread(3)}) == 12


updates = st.lists(st.sampled_from([m for number in range(4) for m in turn(number)]), max_size=12)


@given(updates, updates)
def test_updates_in_other_batches_come_to_the_same_messages(first: list[Any], second: list[Any]) -> None:
    assert kept(kept([], first), second) == kept([], [*first, *second])
    assert kept(kept([], first), []) == kept([], first)


def test_a_short_conversation_is_sent_as_it_is() -> None:
    messages = thread(3)
    assert sent(messages, 100_000) == messages


def test_a_long_one_is_sent_as_a_summary_and_its_last_turns() -> None:
    messages = thread(8)
    summary, understood, *rest = sent(messages, 2_900)
    assert rest == messages[-len(rest) :]
    assert isinstance(rest[0], HumanMessage)
    assert [summary.type, understood.type] == ["human", "ai"]
    assert (
        'The user said: "question 3". coverage: {"as_of": "2026-03-02", "not_shown": 0, "units": 4321}' in summary.text
    )
    assert sum(len(str(each.text)) for each in (summary, *rest)) <= 2_900


def test_the_numbers_of_a_summary_come_from_results_and_the_user() -> None:
    summary, *_ = sent(thread(8), 2_900)
    assert "777" not in summary.text
    assert set(re.findall(r"\d+", summary.text)) <= {*map(str, range(8)), "2026", "03", "02", "4321"}


def test_the_present_turn_is_sent_whole_however_long_it_is() -> None:
    messages = thread(3)
    assert sent(messages, 500)[-4:] == messages[-4:]


def test_a_summary_that_would_be_too_long_keeps_the_newest_turns() -> None:
    messages: list[BaseMessage] = [each for number in range(200) for each in turn(number)[::3]]
    summary, *_ = sent(messages, 4_000)
    assert len(summary.text) < 1_200
    assert 'question 0"' not in summary.text
