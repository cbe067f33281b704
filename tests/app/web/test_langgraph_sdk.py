"""The real LangGraph SDK clients, asynchronous and synchronous, against a real server and nothing else: threads, runs, state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError, PermissionDeniedError
from langgraph_sdk.schema import StreamMode, StreamPart

from evals.databases import Servers
from tests.app.ui.pages import cookie_of
from tests.app.web.door import listening
from tests.app.web.sdk import ASSISTANT, KINDS, Clients, Served, in_a_loop, names, said, serving

ALL_MODES: list[StreamMode] = ["values", "updates", "messages-tuple"]


@pytest.fixture(scope="module")
def served(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An installation that all tests of this module share."""
    with serving(servers, tmp_path_factory.mktemp("sdk")) as opened:
        yield opened


@pytest.fixture(scope="module")
def clients(served: Served) -> Iterator[Clients]:
    """Clients of both kinds."""
    with closing(Clients(served.address, served.tokens)) as made:
        yield made


@pytest.fixture(scope="module")
def waiting(served: Served) -> tuple[str, dict[str, Any]]:
    """A thread that waits for a decision, which tests only look at."""
    return served.waiting_thread()


@pytest.fixture(scope="module")
def talk(served: Served) -> tuple[str, list[StreamPart]]:
    """A thread after one message, and all that was heard of its run."""
    client = served.sync_client()
    thread_id = client.threads.create(metadata={"team": "north"})["thread_id"]
    words = f"rebalance {next(served.skus)}"
    return thread_id, list(client.runs.stream(thread_id, ASSISTANT, input=said(words), stream_mode=ALL_MODES))


def run_of(parts: list[StreamPart]) -> str:
    """The run that a stream tells of."""
    run_id: str = parts[0].data["run_id"]
    return run_id


def test_the_one_assistant_is_found_by_its_name_and_by_its_id(served: Served) -> None:
    client = served.sync_client("vera")
    (found,) = client.assistants.search()
    assert found["graph_id"] == ASSISTANT
    assert client.assistants.get(ASSISTANT) == client.assistants.get(found["assistant_id"]) == found
    assert client.assistants.search(graph_id="another") == []
    with pytest.raises(NotFoundError):
        client.assistants.get("another")


def test_probes_answer_without_a_token_and_nothing_else_does(served: Served) -> None:
    assert httpx.get(f"{served.address}/ok").json() == {"ok": True}
    assert httpx.get(f"{served.address}/info").json()["version"]
    for key in (None, "evk_" + "A" * 43):
        headers = {"x-api-key": key} if key else {}
        answer = httpx.post(f"{served.address}/threads/search", json={}, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["detail"]


def test_a_wrong_key_beside_a_right_token_counts_for_nothing(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.tokens['paula']}", "x-api-key": served.tokens["adam"]}
    found = httpx.post(f"{served.address}/threads", json={}, headers=headers).json()
    assert found["metadata"]["owner"] == "paula"
    cookies = cookie_of(served.service, "paula")
    assert httpx.get(f"{served.address}/threads/{found['thread_id']}", cookies=cookies).status_code == 401


def test_a_thread_is_made_once_and_found_again(served: Served) -> None:
    client, thread_id = served.sync_client(), str(uuid4())
    made = client.threads.create(thread_id=thread_id, metadata={"case": "made-once", "owner": "ada"})
    assert (made["thread_id"], made["status"], made["values"], made["interrupts"]) == (thread_id, "idle", {}, {})
    assert (made["metadata"]["case"], made["metadata"]["owner"]) == ("made-once", "paula")
    assert client.threads.create(thread_id=thread_id, if_exists="do_nothing") == made == client.threads.get(thread_id)
    with pytest.raises(ConflictError):
        client.threads.create(thread_id=thread_id)
    with pytest.raises(ConflictError):
        served.sync_client("fern").threads.create(thread_id=thread_id, if_exists="do_nothing")


def test_threads_are_searched_by_labels_ids_and_status_and_only_ones_own(
    served: Served, waiting: tuple[str, dict[str, Any]]
) -> None:
    client = served.sync_client()
    mine = [client.threads.create(metadata={"case": "search", "no": number})["thread_id"] for number in range(3)]

    def found(**wanted: Any) -> list[str]:
        return [thread["thread_id"] for thread in client.threads.search(**wanted)]

    assert found(metadata={"case": "search"}) == mine[::-1]
    assert found(metadata={"case": "search", "graph_id": ASSISTANT}, sort_by="created_at", sort_order="asc") == mine
    assert found(metadata={"case": "search", "no": 1}) == [mine[1]]
    assert found(metadata={"case": "search"}, limit=1, offset=1) == [mine[1]]
    assert found(metadata={"graph_id": "another"}) == found(metadata={"owner": "ada"}) == []
    assert found(ids=[mine[0], waiting[0]], status="interrupted") == [waiting[0]]
    assert waiting[0] not in found(status="idle", limit=100)
    (chosen,) = client.threads.search(ids=[mine[0]], select=["thread_id", "status"])
    assert chosen == {"thread_id": mine[0], "status": "idle"}
    for other in ("ada", "vera", "fern"):
        assert served.sync_client(other).threads.search(ids=[*mine, waiting[0]]) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["values", "updates", "messages", "messages-tuple", "tasks", "custom"])
def test_a_run_is_streamed_in_each_mode_with_metadata_first_and_end_last(
    clients: Clients, kind: str, mode: StreamMode
) -> None:
    thread_id = clients.use(kind, "paula", lambda client: client.threads.create())["thread_id"]
    order = {"input": said("what is short"), "stream_mode": mode}
    parts = clients.use(kind, "paula", lambda client: client.runs.stream(thread_id, ASSISTANT, **order))
    name = mode.removesuffix("-tuple")
    assert names(parts) == ["metadata", name, "end"]
    assert parts[-1].data == {"run_id": run_of(parts), "status": "success"}
    last: Any = parts[-2].data
    spoken = {
        "values": lambda: last["messages"][-1], "updates": lambda: last["planner"]["messages"][-1],
        "messages": lambda: last[0], "tasks": lambda: last["result"]["messages"][-1],
    }  # fmt: skip
    if name in spoken:
        message = spoken[name]()
        assert message["type"] == "ai"
        assert "K0" in message["content"]
    assert all(part.id for part in parts)
    assert len({part.id for part in parts}) == len(parts)


def test_each_task_of_a_run_begins_with_what_goes_in_and_ends_with_what_comes_out(served: Served) -> None:
    client, sku = served.sync_client(), next(served.skus)
    thread_id = client.threads.create()["thread_id"]
    modes: list[StreamMode] = ["updates", "tasks"]
    heard: list[Any] = list(client.runs.stream(thread_id, ASSISTANT, input=said(f"rebalance {sku}"), stream_mode=modes))
    tasks = [part.data for part in heard if part.event == "tasks"]
    began, ended = tasks[::2], tasks[1::2]
    assert [each["id"] for each in began] == [each["id"] for each in ended]
    assert len({each["id"] for each in began}) == len(began)
    assert all(set(each) == {"id", "name", "triggers", "input"} for each in began)
    assert all(set(each) == {"id", "name", "error", "result", "interrupts"} for each in ended)
    assert [{each["name"]: each["result"]} for each in ended] == [
        part.data for part in heard if part.event == "updates"
    ]
    (message,) = began[0]["input"]["messages"]
    assert (message["type"], message["content"]) == ("human", f"rebalance {sku}")
    shown = {"messages", "plan_digest", "approval_id", "outcome", "notices", "note", "request"}
    assert set().union(*(each.get("input", each.get("result")) for each in tasks)) <= shown
    asked: list[Any] = list(client.runs.stream(thread_id, ASSISTANT, input=said("submit"), stream_mode="tasks"))
    assert (asked[-2].data["name"], asked[-2].data["result"]) == ("approval_gate", {})
    assert asked[-2].data["interrupts"] == client.threads.get_state(thread_id)["interrupts"]


def test_custom_events_tell_what_the_run_is_at_and_no_piece_of_what_is_said(served: Served) -> None:
    client, sku = served.sync_client(), next(served.skus)
    thread_id = client.threads.create()["thread_id"]
    heard: list[Any] = list(
        client.runs.stream(thread_id, ASSISTANT, input=said(f"rebalance {sku}"), stream_mode="custom")
    )
    told = [part.data for part in heard if part.event == "custom"]
    assert {"step": "drafter", "detail": "solving"} in told
    assert {"planner", "tool", "drafter", "constraint_checker"} <= {each["step"] for each in told}
    assert "token" not in {each["step"] for each in told}


def test_values_show_the_conversation_and_where_the_plan_stands_and_nothing_of_the_machinery(
    talk: tuple[str, list[StreamPart]],
) -> None:
    shown = [set(part.data) for part in talk[1] if part.event == "values"]
    assert set().union(*shown) == {"messages", "plan_digest", "approval_id", "outcome", "notices", "note", "request"}
    assert [set(part.data) for part in talk[1] if part.event == "updates"] == [
        {step} for step in ("planner", "toolbox", "drafter", "constraint_checker", "negotiator", "presenter", "planner")
    ]


def test_a_message_has_one_id_in_every_mode(served: Served, talk: tuple[str, list[StreamPart]]) -> None:
    thread_id, parts = talk
    final = [message["id"] for message in served.sync_client().threads.get_state(thread_id)["values"]["messages"]]
    heard = [part.data[0]["id"] for part in parts if part.event == "messages"]
    assert final[0] == run_of(parts)
    assert heard == final[1:]


def test_the_client_is_told_which_run_it_began(served: Served) -> None:
    client, begun = served.sync_client(), []
    thread_id = client.threads.create()["thread_id"]
    parts = list(client.runs.stream(thread_id, ASSISTANT, input=said("status"), on_run_created=begun.append))
    assert begun == [{"run_id": run_of(parts), "thread_id": thread_id}]


def test_a_run_is_created_listed_and_joined(served: Served) -> None:
    async def conversation() -> None:
        client = served.client()
        thread_id = (await client.threads.create())["thread_id"]
        run = await client.runs.create(thread_id, ASSISTANT, input=said("status"), metadata={"from": "a test"})
        assert (run["thread_id"], run["metadata"], run["multitask_strategy"]) == (
            thread_id,
            {"from": "a test"},
            "reject",
        )
        values: Any = await client.runs.join(thread_id, run["run_id"])
        assert values["messages"][-1]["type"] == "ai"
        done = await client.runs.get(thread_id, run["run_id"])
        assert done["status"] == "success"
        assert await client.runs.list(thread_id) == [done]
        assert await client.runs.list(thread_id, status="error") == []
        again = await client.runs.wait(thread_id, ASSISTANT, input=said("status"))
        assert len(again["messages"]) > len(values["messages"])
        assert len(await client.runs.list(thread_id)) == 2

    in_a_loop(conversation)


def test_a_missing_thread_is_made_with_its_first_run_if_that_is_wanted(served: Served) -> None:
    client, thread_id = served.sync_client(), str(uuid4())
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        client.runs.wait(thread_id, ASSISTANT, input=said("status"))
    client.runs.wait(thread_id, ASSISTANT, input=said("status"), if_not_exists="create")
    assert client.threads.get(thread_id)["metadata"]["owner"] == "paula"


def test_an_interrupt_shows_after_submit_in_the_stream_the_state_and_the_thread(served: Served) -> None:
    client, sku = served.sync_client(), next(served.skus)
    thread_id = client.threads.create()["thread_id"]
    client.runs.wait(thread_id, ASSISTANT, input=said(f"rebalance {sku}"))
    parts = list(client.runs.stream(thread_id, ASSISTANT, input=said("submit"), stream_mode=["values", "updates"]))
    assert parts[-1].data["status"] == "interrupted"
    asked = [part for part in parts if "__interrupt__" in part.data]
    assert [part.event for part in asked] == ["updates", "values"]
    (interrupt,) = asked[1].data["__interrupt__"]
    assert asked[0].data == {"__interrupt__": [interrupt]}
    action = interrupt["value"]["action_requests"][0]
    assert {line["sku_id"] for line in action["args"]["lines"]} == {sku}
    assert interrupt["value"]["plan_digest"] == asked[1].data["plan_digest"]
    assert interrupt["response_schema"] == interrupt["value"]["response_schema"]
    state = client.threads.get_state(thread_id)
    assert (state["next"], state["interrupts"]) == (["approval_gate"], [interrupt])
    (task,) = state["tasks"]
    assert (task["name"], task["interrupts"]) == ("approval_gate", [interrupt])
    thread = client.threads.get(thread_id)
    assert (thread["status"], thread["interrupts"]) == ("interrupted", {task["id"]: [interrupt]})


def test_what_waits_takes_no_new_message(served: Served, waiting: tuple[str, dict[str, Any]]) -> None:
    client = served.sync_client()
    before = client.threads.get_state(waiting[0])
    with pytest.raises(ConflictError, match="waits for a decision"):
        list(client.runs.stream(waiting[0], ASSISTANT, input=said("approve it")))
    assert client.threads.get_state(waiting[0]) == before


def test_the_history_of_a_thread_goes_back_to_its_beginning(
    served: Served, waiting: tuple[str, dict[str, Any]]
) -> None:
    async def read() -> None:
        client, thread_id = served.client(), waiting[0]
        states = await client.threads.get_history(thread_id, limit=100)
        assert states[0] == await client.threads.get_state(thread_id)
        assert states[-1]["metadata"]["source"] == "input"
        steps = [state["checkpoint"]["checkpoint_id"] for state in states]
        parents = [state["parent_checkpoint"] and state["parent_checkpoint"]["checkpoint_id"] for state in states]
        assert parents == [*steps[1:], None]
        lengths = [len(state["values"].get("messages", [])) for state in states]
        assert lengths == sorted(lengths, reverse=True)
        earlier = await client.threads.get_history(thread_id, limit=2, before=steps[3])
        assert [state["checkpoint"]["checkpoint_id"] for state in earlier] == steps[4:6]

    in_a_loop(read)


def test_a_stream_is_joined_again_after_any_event_without_a_loss_or_a_repeat(
    served: Served, talk: tuple[str, list[StreamPart]]
) -> None:
    """At another server, which has nothing but Redis in common with the first."""
    thread_id, parts = talk
    with listening(served.service) as (_, elsewhere):
        client = Served(served.service, elsewhere, served.tokens, served.skus).sync_client()

        def joined(after: str | None) -> list[StreamPart]:
            modes = ["values", "updates", "messages-tuple"]
            return list(client.runs.join_stream(thread_id, run_of(parts), stream_mode=modes, last_event_id=after))

        assert joined(None) == joined("-1") == parts
        for seen in range(1, len(parts)):
            assert joined(parts[seen - 1].id) == parts[seen:]


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_goes_away_while_a_run_is_under_way_comes_back_to_the_rest_of_it(
    served: Served, clients: Clients, kind: str
) -> None:
    thread_id = clients.use(kind, "paula", lambda client: client.threads.create())["thread_id"]
    order: dict[str, Any] = {"input": said(f"rebalance {next(served.skus)}"), "stream_mode": ALL_MODES}
    seen = clients.use(kind, "paula", lambda client: client.runs.stream(thread_id, ASSISTANT, **order), first=3)

    def joined(**after: Any) -> list[StreamPart]:
        parts: list[StreamPart] = clients.use(
            kind, "paula", lambda client: client.runs.join_stream(thread_id, run_of(seen), **after)
        )
        return parts

    rest, whole = joined(last_event_id=seen[-1].id), joined()
    assert seen + rest == whole
    assert whole[-1].data["status"] == "success"
    assert len({part.id for part in whole}) == len(whole)


def test_a_run_whose_news_are_gone_ends_with_its_values_from_the_database(
    served: Served, waiting: tuple[str, dict[str, Any]]
) -> None:
    client, (thread_id, interrupt) = served.sync_client(), waiting
    run_id = client.runs.list(thread_id)[0]["run_id"]
    served.service.stream.forget([UUID(run_id)])
    parts = list(client.runs.join_stream(thread_id, run_id, stream_mode="values"))
    assert [part.event for part in parts] == ["metadata", "values", "end"]
    assert parts[1].data["__interrupt__"] == [interrupt]
    assert parts[1].data["messages"]
    assert client.runs.join(thread_id, run_id) == parts[1].data


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_run_is_refused_while_one_is_active_and_the_first_goes_on_or_is_cancelled(
    served: Served, clients: Clients, kind: str
) -> None:
    def ask(work: Any) -> Any:
        return clients.use(kind, "paula", work)

    def second(call: str) -> Any:
        return lambda client: getattr(client.runs, call)(thread_id, ASSISTANT, input=said("what is short"))

    thread_id = ask(lambda client: client.threads.create())["thread_id"]
    with served.service.driver._thread(UUID(thread_id)):  # so that the run cannot get on
        run_id = ask(lambda client: client.runs.create(thread_id, ASSISTANT, input=said("status")))["run_id"]
        assert ask(lambda client: client.threads.get(thread_id))["status"] == "busy"
        for call in ("create", "stream", "wait"):
            with pytest.raises(httpx.HTTPStatusError, match=r"409|active run"):
                ask(second(call))
        with pytest.raises(ConflictError):
            ask(lambda client: client.threads.delete(thread_id))
    values = ask(lambda client: client.runs.join(thread_id, run_id))
    assert [message["type"] for message in values["messages"]].count("human") == 1
    assert ask(lambda client: client.threads.get(thread_id))["status"] == "idle"
    with served.service.driver._thread(UUID(thread_id)):
        run_id = ask(lambda client: client.runs.create(thread_id, ASSISTANT, input=said("what is short")))["run_id"]
        ask(lambda client: client.runs.cancel(thread_id, run_id))
    ask(lambda client: client.runs.join(thread_id, run_id))
    run = ask(lambda client: client.runs.get(thread_id, run_id))
    assert (run["status"], run["cancel_reason"]) == ("interrupted", "user")
    after = ask(lambda client: client.threads.get(thread_id))
    assert (after["status"], after["values"]["messages"]) == ("idle", values["messages"])


def test_an_idle_thread_of_ones_own_is_deleted_and_one_with_a_plan_is_kept(
    served: Served, waiting: tuple[str, dict[str, Any]]
) -> None:
    client = served.sync_client()
    thread_id = client.threads.create()["thread_id"]
    run_id = client.runs.create(thread_id, ASSISTANT, input=said("status"))["run_id"]
    client.runs.join(thread_id, run_id)
    for other in ("ada", "vera"):
        with pytest.raises(PermissionDeniedError):
            served.sync_client(other).threads.delete(thread_id)
    with pytest.raises(NotFoundError):
        served.sync_client("fern").threads.delete(thread_id)
    client.threads.delete(thread_id)
    for call in (client.threads.get, client.threads.get_state, client.threads.delete):
        with pytest.raises(NotFoundError):
            call(thread_id)
    assert served.service.driver.state(UUID(thread_id)).values == {}
    with pytest.raises(ConflictError):
        client.threads.delete(waiting[0])
    assert client.threads.get(waiting[0])["status"] == "interrupted"
