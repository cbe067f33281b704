"""Bodies of the LangGraph dialect: what real clients send is taken, and what would steer the graph is told apart from mistakes."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from app.errors import ConflictError
from app.web.routes.langgraph.reading import HistoryOrder, RunPage, ThreadCount, ThreadSearch
from app.web.routes.langgraph.requests import (
    METADATA_CHARACTERS_MAX,
    METADATA_KEYS_MAX,
    STEERING,
    WHY,
    Body,
    CancelQuery,
    RunOrder,
    StateOrder,
    ThreadChange,
    ThreadOrder,
)

THREAD = UUID("7f000000-0000-4000-8000-000000000001")
HEAD = "1f0c9e5a-4d2c-6b1e-8003-5a0f6f2f7b11"
HUMAN = {"id": "b1", "type": "human", "content": [{"type": "text", "text": "what is short?"}]}
CHAT_UI = {
    "assistant_id": "rebalance",
    "stream_mode": ["values", "custom"],
    "stream_subgraphs": True,
    "stream_resumable": True,
    "on_disconnect": "continue",
    "checkpoint": {"checkpoint_id": HEAD, "checkpoint_ns": "", "checkpoint_map": None},
}
"""What a React client sends with each run: it names the checkpoint that it sees."""


def steering(kind: type[Body], body: dict[str, Any]) -> bool:
    """Whether a body is refused, and then whether for what it would steer."""
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(body)
    return any(fault["type"] in (STEERING, "extra_forbidden") for fault in caught.value.errors())


def test_what_a_chat_page_sends_is_taken_with_its_words_and_nothing_else() -> None:
    placeholder = {"type": "tool", "id": "do-not-render-1", "tool_call_id": "1", "content": "Successfully handled."}
    order = RunOrder.model_validate(CHAT_UI | {"input": {"messages": [placeholder, HUMAN]}})
    assert (order.words, order.is_answer, order.modes) == ("what is short?", False, ["values", "custom"])
    order.require_head(THREAD, HEAD)
    assert "do-not-render" not in order.model_dump_json()


def test_what_a_chat_page_answers_is_taken_with_an_empty_input() -> None:
    resume = {"decisions": [{"type": "approve"}]}
    order = RunOrder.model_validate(CHAT_UI | {"input": {}, "command": {"resume": resume}})
    assert (order.words, order.is_answer, order.resume) == ("", True, resume)


@pytest.mark.parametrize(
    "more",
    [
        {}, {"stream_mode": "messages-tuple"}, {"config": {"tags": ["x"], "recursion_limit": 25, "configurable": {}}},
        {"metadata": {"source": "notebook", "try": 3}}, {"if_not_exists": "create"}, {"multitask_strategy": "reject"},
        {"durability": "exit"}, {"strict_resume": False}, {"interrupt_before": []}, {"context": {}}, {"webhook": None},
        {"feedback_keys": []}, {"on_disconnect": "cancel"}, {"stream_resumable": False}, {"stream_subgraphs": False},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize(
    "message",
    [
        HUMAN, {"role": "user", "content": "what is short?"}, {"type": "human", "content": "what is short?"},
        {"type": "human", "content": "what is short?", "additional_kwargs": {}, "response_metadata": {}, "name": None},
    ],
    ids=["blocks", "role", "type", "serialised"],
)  # fmt: skip
def test_what_the_sdk_sends_is_taken(message: dict[str, Any], more: dict[str, Any]) -> None:
    body = {"assistant_id": "rebalance", "input": {"messages": [message]}} | more
    assert RunOrder.model_validate_json(json.dumps(body)).words == "what is short?"


RUN = {"assistant_id": "rebalance", "input": {"messages": [HUMAN]}}


@pytest.mark.parametrize(
    "field", sorted(set(RunOrder.model_fields) & set(WHY) - {"checkpoint", "checkpoint_id", "metadata"})
)
@pytest.mark.parametrize("value", ["x", 1, True, ["x"], {"x": 1}], ids=str)
def test_a_field_that_would_steer_is_refused_whatever_it_holds(field: str, value: object) -> None:
    assert steering(RunOrder, RUN | {field: value})


@pytest.mark.parametrize("field", ["goto", "update", "graph", "send"])
def test_a_command_holds_an_answer_and_nothing_else(field: str) -> None:
    command = {"resume": {"decisions": [{"type": "approve"}]}, field: "executor"}
    assert steering(RunOrder, {"assistant_id": "rebalance", "command": command})


@pytest.mark.parametrize(
    "key", ["thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map", "__pregel_resume_map", "user_id", "x"]
)
def test_nothing_is_configurable(key: str) -> None:
    assert steering(RunOrder, RUN | {"config": {"configurable": {key: "x"}}})


@pytest.mark.parametrize(
    "body",
    [
        RUN | {"stream_mode": "debug"}, RUN | {"stream_mode": ["values", "checkpoints"]}, RUN | {"durability": "never"},
        RUN | {"metadata": {"a": {"b": 1}}}, RUN | {"metadata": {"a": "x" * (METADATA_CHARACTERS_MAX + 1)}},
        RUN | {"metadata": {str(n): n for n in range(METADATA_KEYS_MAX + 1)}}, RUN | {"metadata": {"a": "\x00"}},
        RUN | {"input": {"messages": [HUMAN, HUMAN]}}, RUN | {"input": {"messages": "hello"}},
        RUN | {"input": {"messages": [{"type": "human", "content": [{"type": "image_url", "image_url": "x"}]}]}},
        RUN | {"input": {"messages": [{"type": "human", "content": 5}]}}, {"input": {"messages": [HUMAN]}},
        RUN | {"input": {"messages": [{"type": "human", "content": "a\x00b"}]}},
        {"assistant_id": "rebalance", "command": {"resume": None}}, {"assistant_id": "rebalance", "command": {"resume": {}}},
    ],
)  # fmt: skip
def test_a_mistake_is_refused_and_is_no_attempt_to_steer(body: dict[str, Any]) -> None:
    assert not steering(RunOrder, body)


@pytest.mark.parametrize(
    "named",
    [
        {"checkpoint_id": HEAD[:-1] + "2"}, {"checkpoint": {"checkpoint_id": HEAD[:-1] + "2"}},
        {"checkpoint": {"checkpoint_id": HEAD, "thread_id": str(uuid4())}},
        {"checkpoint_id": HEAD[:-1] + "2", "checkpoint": {"checkpoint_id": HEAD}},
    ],
)  # fmt: skip
def test_no_run_starts_from_a_checkpoint_of_the_past_or_of_another_thread(named: dict[str, Any]) -> None:
    order = RunOrder.model_validate(RUN | named)
    with pytest.raises(ConflictError):
        order.require_head(THREAD, HEAD)
    RunOrder.model_validate(RUN | {"checkpoint_id": HEAD}).require_head(THREAD, HEAD)
    RunOrder.model_validate(RUN).require_head(THREAD, None)


def test_the_state_is_changed_in_one_way_only() -> None:
    StateOrder.model_validate({"values": None, "as_node": "__end__"})
    for body in (
        {"values": None}, {"values": {}, "as_node": "executor"}, {"values": {"a": 1}, "as_node": "__end__"},
        {"values": [], "as_node": None}, {"values": None, "as_node": "__end__", "checkpoint": {"checkpoint_id": HEAD}},
        {"values": None, "as_node": "__end__", "checkpoint_id": HEAD}, {"values": None, "as_node": "__start__"},
        {"values": None, "as_node": "__end__", "task_id": "1"},
    ):  # fmt: skip
        assert steering(StateOrder, body)


def test_threads_are_made_and_found_by_labels_and_never_by_their_state() -> None:
    made = {"thread_id": str(THREAD), "metadata": {"graph_id": "rebalance"}, "if_exists": "do_nothing"}
    assert ThreadOrder.model_validate(made).thread_id == THREAD
    ThreadSearch.model_validate({"metadata": {"graph_id": "rebalance"}, "limit": 100, "offset": 0, "status": "idle"})
    for body in ({"supersteps": [{"updates": []}]}, {"ttl": {"ttl": 1, "strategy": "delete"}}, {"values": {"a": 1}}):
        assert steering(ThreadOrder, body)
    for body in ({"values": {"outcome": "approved"}}, {"extract": {"a": "values.outcome"}}, {"owner": "ada"}):
        assert steering(ThreadSearch, body)
    for body in (
        {"limit": 10**6}, {"offset": -1}, {"sort_by": "owner; drop table"}, {"ids": ["x"]}, {"metadata": []},
        {"select": ["owner"]}, {"limit": 101}, {"limit": 101, "select": ["status", "values"]}, {"sort_order": "up"},
    ):  # fmt: skip
        assert not steering(ThreadSearch, body)
    assert ThreadSearch.model_validate({"limit": 1_000, "select": ["thread_id"]}).limit == 1_000
    assert steering(ThreadCount, {"values": {"outcome": "approved"}})
    assert steering(ThreadChange, {"metadata": {}, "ttl": 5})


def test_runs_are_listed_by_fields_that_runs_have() -> None:
    assert RunPage.model_validate({"status": "success", "select": ["run_id", "status"]}).limit == 10
    for body in ({"status": "done"}, {"limit": 0}, {"offset": -1}, {"select": ["input"]}):
        assert not steering(RunPage, body)


@pytest.mark.parametrize("mode", ["debug", "checkpoints", "events", "tools", "lifecycle", "everything"])
def test_a_stream_mode_that_is_not_told_is_refused_with_those_that_are(mode: str) -> None:
    for given in (mode, ["values", mode]):
        with pytest.raises(ValidationError, match="values, updates, messages, messages-tuple, tasks, custom"):
            RunOrder.model_validate(RUN | {"stream_mode": given})


def test_history_takes_no_filter() -> None:
    assert HistoryOrder.model_validate({"limit": 10, "before": {"checkpoint_id": HEAD}}).before_id == HEAD
    assert HistoryOrder.model_validate({"before": HEAD}).before_id == HEAD
    for body in ({"metadata": {"source": "loop"}}, {"filter": {"a": 1}}, {"checkpoint": {"checkpoint_ns": "executor"}}):
        assert steering(HistoryOrder, body)
    assert not steering(HistoryOrder, {"before": "' or 1=1 --"})


def test_a_run_is_stopped_and_never_rolled_back() -> None:
    assert CancelQuery.model_validate({"wait": "1", "action": "interrupt"}).wait
    assert steering(CancelQuery, {"action": "rollback"})
