"""Tokens and cancellation through the real LangGraph SDK clients: a run that is not wanted stops and leaves a thread to go on with."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph_sdk.errors import ConflictError, NotFoundError, PermissionDeniedError
from langgraph_sdk.schema import StreamMode, StreamPart
from pydantic import SecretStr
from sqlalchemy import text

from app.threads.cancelling import STOPPED, closing_messages
from evals.databases import Servers
from tests.app.web.door import Door
from tests.app.web.sdk import ASSISTANT, Served, decisions, said, serving
from tests.installation import until
from tests.vendor import CONFIGURED, Vendor, calls, says, scripted_vendor, the_end, words

MODES: list[StreamMode] = ["values", "messages-tuple"]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    """A vendor that answers from a script."""
    with scripted_vendor() as opened:
        yield opened


@pytest.fixture(scope="module")
def served(vendor: Vendor, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An installation whose language model is the scripted vendor."""
    with serving(servers, tmp_path_factory.mktemp("vendor"), **CONFIGURED) as opened:
        yield opened


class Slow(httpx.SyncByteStream, httpx.AsyncByteStream):
    """An answer that says a sentence, and goes on when it may."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        raise TypeError("the vendor's client reads it asynchronously")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield _wire(words("One moment. "))
        await asyncio.to_thread(self.may_go_on.wait, 60)
        yield _wire(words("Please."))
        yield _wire(the_end())
        yield b"data: [DONE]\n\n"


def _wire(event: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


@pytest.fixture
def slow(vendor: Vendor) -> Iterator[Slow]:
    """The vendor's next answer, which waits in the middle."""
    answer = Slow()
    vendor.will(httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=answer))
    yield answer
    answer.may_go_on.set()


def run_of(part: StreamPart) -> str:
    """The run that a stream tells of."""
    run_id: str = part.data["run_id"]
    return run_id


def messages_of(served: Served, thread_id: str) -> list[dict[str, Any]]:
    """The messages of a thread."""
    values: Any = served.sync_client().threads.get_state(thread_id)["values"]
    found: list[dict[str, Any]] = values["messages"]
    return found


def unanswered(messages: list[dict[str, Any]]) -> list[str]:
    """The tool calls that nothing answers."""
    answers = {message.get("tool_call_id") for message in messages}
    calls = [call["id"] for message in messages for call in message.get("tool_calls", [])]
    return [call for call in calls if call not in answers]


@contextmanager
def cancelled_at(served: Served, thread_id: str, table: str, condition: str) -> Iterator[None]:
    """Have the thread's runs cancelled in the moment that a row is written: by the database, so that it never varies."""
    trigger = f"""
        create function cancel_it() returns trigger language plpgsql as $$ begin
            if new.thread_id = '{thread_id}' and {condition} then
                update run set cancel_asked_by = 'paula' where thread_id = '{thread_id}' and status = 'running';
            end if;
            return new;
        end $$;
        create trigger cancel_it after insert on {table} for each row execute function cancel_it();
    """
    with served.service.database.engine.begin() as connection:
        connection.execute(text(trigger))
    yield
    with served.service.database.engine.begin() as connection:
        connection.execute(text("drop function cancel_it cascade"))


def test_what_the_agent_says_is_heard_sentence_by_sentence_under_the_id_of_its_message(
    served: Served, vendor: Vendor
) -> None:
    vendor.will(says("Stock ", "is ", "uneven. ", "Very ", "much"))
    client = served.sync_client()
    thread_id = client.threads.create()["thread_id"]
    parts = list(client.runs.stream(thread_id, ASSISTANT, input=said("how is it?"), stream_mode=MODES))
    pieces: list[Any] = [part.data for part in parts if part.event == "messages"]
    assert [(piece["type"], piece["content"]) for piece, _ in pieces] == [
        ("AIMessageChunk", "Stock is uneven."), ("AIMessageChunk", " Very much"),
    ]  # fmt: skip
    assert {metadata["langgraph_node"] for _, metadata in pieces} == {"planner"}
    assert {piece["id"] for piece, _ in pieces} == {messages_of(served, thread_id)[-1]["id"]}


def test_a_run_is_cancelled_in_the_middle_of_what_the_vendor_says(served: Served, vendor: Vendor, slow: Slow) -> None:
    client = served.sync_client()
    thread_id = client.threads.create()["thread_id"]
    stream = client.runs.stream(thread_id, ASSISTANT, input=said("how is it?"), stream_mode=MODES)
    parts: list[Any] = [next(stream)]
    while parts[-1].event != "messages":
        parts.append(next(stream))
    assert parts[-1].data[0]["content"] == "One moment."
    with pytest.raises(PermissionDeniedError):
        served.sync_client("ada").runs.cancel(thread_id, run_of(parts[0]))
    with pytest.raises(NotFoundError):
        served.sync_client("fern").runs.cancel(thread_id, run_of(parts[0]))
    client.runs.cancel(thread_id, run_of(parts[0]), wait=True)
    assert not slow.may_go_on.is_set()
    parts += stream
    assert parts[-1].data["status"] == "interrupted"
    run = client.runs.get(thread_id, run_of(parts[0]))
    assert (run["status"], run["cancel_reason"]) == ("interrupted", "user")
    thread = client.threads.get(thread_id)
    assert (thread["status"], thread["interrupts"]) == ("idle", {})
    assert [message["content"] for message in messages_of(served, thread_id)] == ["how is it?", STOPPED]
    vendor.will(says("Better."))
    again: Any = client.runs.wait(thread_id, ASSISTANT, input=said("and now?"))
    assert again["messages"][-1]["content"] == "Better."


def test_a_run_that_is_over_is_not_cancelled(served: Served, vendor: Vendor) -> None:
    vendor.will(says("Fine."))
    client = served.sync_client()
    thread_id = client.threads.create()["thread_id"]
    client.runs.wait(thread_id, ASSISTANT, input=said("how is it?"))
    run = client.runs.list(thread_id)[0]
    with pytest.raises(ConflictError):
        client.runs.cancel(thread_id, run["run_id"])
    assert client.runs.list(thread_id) == [run]


def test_a_run_that_nobody_has_begun_is_over_at_once(door: Door) -> None:
    """Nobody carries out the work of this door."""
    thread_id = door.post("/threads", "paula").json()["thread_id"]
    order = {"assistant_id": ASSISTANT, "input": said("status")}
    run_id = door.post(f"/threads/{thread_id}/runs", "paula", order).json()["run_id"]
    path = f"/threads/{thread_id}/runs/{run_id}"
    assert door.get(path, "paula").json()["status"] == "pending"
    assert [door.post(f"{path}/cancel", "paula").status_code for _ in range(2)] == [200, 200]
    assert door.get(path, "paula").json()["status"] == "interrupted"
    assert door.service.driver.run(UUID(run_id)) == "cancelled"
    assert door.get(f"/threads/{thread_id}", "paula").json()["values"] == {}
    told = door.get(f"{path}/stream?stream_mode=updates", "paula").text
    assert [line.removeprefix("event: ") for line in told.split("\r\n") if line.startswith("event")] == [
        "metadata",
        "end",
    ]
    assert door.post(f"/threads/{thread_id}/runs", "paula", order).status_code == 200


def events_of(told: str) -> list[tuple[str, Any]]:
    """The events of a stream that is over: names and data."""
    blocks = [block.split("\r\n") for block in told.split("\r\n\r\n") if "event: " in block]
    return [
        (next(line for line in block if line.startswith("event: "))[7:], json.loads(block[-1].removeprefix("data: ")))
        for block in blocks
    ]


def test_a_run_that_fails_says_so_in_every_way_that_clients_look_at(door: Door) -> None:
    thread_id = door.post("/threads", "paula").json()["thread_id"]
    order = {"assistant_id": ASSISTANT, "input": said("status")}
    run_id = door.post(f"/threads/{thread_id}/runs", "paula", order).json()["run_id"]
    with door.service.database.engine.begin() as connection:
        connection.execute(text("update run set input = '{}' where run_id = :id"), {"id": run_id})
    with pytest.raises(KeyError):
        door.service.driver.run(UUID(run_id))
    path, failed = f"/threads/{thread_id}/runs/{run_id}", {"error": "RunFailed", "message": "the run failed (KeyError)"}
    told = events_of(door.get(f"{path}/stream", "paula").text)
    assert told[1:] == [("error", failed), ("end", {"run_id": run_id, "status": "error"})]
    joined = door.get(f"{path}/join", "paula")
    assert (joined.status_code, joined.json()) == (200, {"__error__": failed})
    assert door.get(path, "paula").json()["status"] == "error"
    assert [thread["thread_id"] for thread in door.post("/threads/search", "paula", {"status": "error"}).json()] == [
        thread_id
    ]


def test_without_redis_a_run_is_waited_for_and_told_from_the_database(door_with: Callable[..., Door]) -> None:
    door = door_with(redis_url=SecretStr("redis://127.0.0.1:1/0"))
    thread_id = door.post("/threads", "paula").json()["thread_id"]
    order = {"assistant_id": ASSISTANT, "input": said("status")}
    run_id = door.post(f"/threads/{thread_id}/runs", "paula", order).json()["run_id"]
    driving = threading.Timer(0.3, door.service.driver.run, (UUID(run_id),))
    driving.start()
    told = events_of(door.get(f"/threads/{thread_id}/runs/{run_id}/stream?stream_mode=values", "paula").text)
    driving.join()
    assert [name for name, _ in told] == ["metadata", "values", "end"]
    assert [message["type"] for message in told[1][1]["messages"]][-1] == "ai"


@pytest.mark.parametrize("action", ["rollback", "delete"])
def test_a_run_is_stopped_and_never_rolled_back(served: Served, vendor: Vendor, slow: Slow, action: Any) -> None:
    client = served.sync_client()
    thread_id = client.threads.create()["thread_id"]
    run_id = client.runs.create(thread_id, ASSISTANT, input=said("how is it?"))["run_id"]
    with pytest.raises(httpx.HTTPStatusError, match="rolled back"):
        client.runs.cancel(thread_id, run_id, action=action)
    slow.may_go_on.set()
    client.runs.join(thread_id, run_id)
    assert messages_of(served, thread_id)[-1]["content"] == "One moment. Please."


def test_a_run_cancelled_between_a_tool_call_and_its_answer_leaves_no_call_open(served: Served, vendor: Vendor) -> None:
    client = served.sync_client()
    thread_id = client.threads.create()["thread_id"]
    order: dict[str, Any] = {"input": said("rebalance it"), "stream_mode": ["values", "updates"]}
    proposal = {"mentions": [next(served.skus)]}
    vendor.will(calls(("propose_plan", proposal)))
    with cancelled_at(served, thread_id, "checkpoints", "(new.metadata ->> 'step')::int = 1"):
        parts = list(client.runs.stream(thread_id, ASSISTANT, **order))
    assert parts[-1].data["status"] == "interrupted"
    steps = [step for part in parts if part.event == "updates" for step in part.data]
    # It is noticed at one of the next edges: on a fast machine a step or two have gone by until then.
    assert steps in (
        ["planner", "toolbox", *more, "reporter"] for more in ([], ["drafter"], ["drafter", "constraint_checker"])
    )
    messages = messages_of(served, thread_id)
    assert [message["type"] for message in messages] == ["human", "ai", "tool", "ai"]
    assert unanswered(messages) == []
    values: Any = parts[-2].data
    assert values["messages"] == messages
    assert client.threads.get_state(thread_id)["next"] == []
    vendor.will(calls(("propose_plan", proposal)), says("There is a plan."))
    done: Any = client.runs.wait(thread_id, ASSISTANT, input=said("do it all the same"))
    assert unanswered(done["messages"]) == []
    assert done["plan_digest"]


def test_a_run_cancelled_once_its_plan_is_in_the_queue_comes_to_its_pause(served: Served, vendor: Vendor) -> None:
    client = served.sync_client()
    thread_id = a_thread_with_a_plan(served, vendor)
    with cancelled_at(served, thread_id, "approval_request", "true"):
        paused: Any = client.runs.wait(thread_id, ASSISTANT, input=said("submit it"))
    assert client.threads.get_state(thread_id)["interrupts"] == paused["__interrupt__"]
    assert client.threads.get(thread_id)["status"] == "interrupted"
    approval: Any = decisions({"type": "approve"})
    done: Any = served.sync_client("ada").runs.wait(thread_id, ASSISTANT, command=approval)
    assert done["outcome"] == "released"


def test_the_carrying_out_of_a_decision_is_not_cancelled(served: Served, vendor: Vendor) -> None:
    ada, paula = served.sync_client("ada"), served.sync_client()
    thread_id = a_thread_with_a_plan(served, vendor)
    paula.runs.wait(thread_id, ASSISTANT, input=said("submit it"))
    with served.service.driver._thread(UUID(thread_id)):  # so that the run cannot get on
        approval: Any = decisions({"type": "approve"})
        run_id = ada.runs.create(thread_id, ASSISTANT, command=approval)["run_id"]
        with pytest.raises(ConflictError, match="cannot be cancelled"):
            paula.runs.cancel(thread_id, run_id)
        with pytest.raises(ConflictError):
            paula.runs.create(thread_id, ASSISTANT, input=said("status"))
    until("the decision to be carried out", lambda: paula.runs.get(thread_id, run_id)["status"] == "success")


def a_thread_with_a_plan(served: Served, vendor: Vendor) -> str:
    """A thread with a plan, and a vendor that will have it submitted."""
    client = served.sync_client()
    vendor.will(calls(("propose_plan", {"mentions": [next(served.skus)]})), says("There is a plan."))
    thread_id: str = client.threads.create()["thread_id"]
    client.runs.wait(thread_id, ASSISTANT, input=said("rebalance it"))
    vendor.will(calls(("submit_plan", {})))
    return thread_id


def test_every_open_call_of_a_conversation_is_answered_once() -> None:
    def call(call_id: str) -> dict[str, Any]:
        return {"name": "coverage", "args": {}, "id": call_id, "type": "tool_call"}

    bad = {"name": "coverage", "args": "{", "id": "c", "error": "no", "type": "invalid_tool_call"}
    spoken = [
        HumanMessage("x"), AIMessage("", tool_calls=[call("a"), call("b")], invalid_tool_calls=[bad]),
        ToolMessage("1", tool_call_id="a"),
    ]  # fmt: skip
    closing = closing_messages(spoken)
    assert [message.tool_call_id for message in closing if isinstance(message, ToolMessage)] == ["b", "c"]
    assert closing[-1].content == STOPPED
    assert [message.type for message in closing_messages([HumanMessage("x")])] == ["ai"]
