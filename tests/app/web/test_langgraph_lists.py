"""Lists for the real LangGraph SDK clients: what they ask for and nothing else, at a cost that does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langgraph_sdk.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    UnprocessableEntityError,
)
from sqlalchemy import event, text

from app.service import Service
from app.threads.tables import Run, Thread
from evals.databases import Servers
from tests.app.web.conftest import Prepared, _copy
from tests.app.web.door import door_to, listening
from tests.app.web.sdk import ASSISTANT, KINDS, Clients, said

WORD: Any = said("status")
COPIES = 24
RUNS = 40
COPY = """
    insert into thread select cast(:copy as uuid), owner, door, title, created_at + make_interval(secs => :number + 1),
        labels || jsonb_build_object('copy', :number) from thread where cast(thread_id as text) = :thread;
"""
COLUMNS = {
    "checkpoints": "checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata",
    "checkpoint_blobs": "checkpoint_ns, channel, version, type, blob",
    "checkpoint_writes": "checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob, task_path",
}
MORE_RUNS = """
    insert into run select gen_random_uuid(), thread_id, kind, case when n % 4 = 0 then 'failed' else 'done' end,
        started_by, input, created_at - make_interval(secs => n), finished_at, error, labels, cancel_asked_by
    from run, generate_series(1, :more) as n where run_id = :run_id
"""


@dataclass
class Costs:
    """What a request cost the database: our statements, and how often LangGraph's saver was asked for a state."""

    statements: list[str] = field(default_factory=list)
    states: int = 0


@dataclass(frozen=True)
class Lists:
    """Paula's threads: one that waits, one that was talked in, and copies of that one."""

    service: Service
    clients: Clients
    thread_id: str

    def ask(self, work: Any, by: str = "paula", kind: str = "sync") -> Any:
        """Something done with a client."""
        return self.clients.use(kind, by, work)

    @contextmanager
    def costs(self) -> Iterator[Costs]:
        """Count what happens in between. Nobody carries out work here, so nothing else is counted."""
        counted, pool = Costs(), self.service.driver._graph.checkpointer.conn  # type: ignore[union-attr]

        def note(*told: Any) -> None:
            counted.statements.append(told[2])

        asked = pool.get_stats().get("requests_num", 0)
        event.listen(self.service.database.engine, "before_cursor_execute", note)
        try:
            yield counted
        finally:
            event.remove(self.service.database.engine, "before_cursor_execute", note)
            counted.states = pool.get_stats().get("requests_num", 0) - asked


@pytest.fixture(scope="module")
def lists(servers: Servers, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lists]:
    """A conversation whose older steps are gone, copied; and a server without workers."""
    with (
        _copy(servers, prepared, tmp_path_factory.mktemp("lists")) as service, listening(service) as (_, url),
        closing(Clients(url, prepared.tokens)) as clients,
    ):  # fmt: skip
        door = door_to(service, prepared.tokens)
        thread_id: str = door.converse("what is short", "paula")["thread_id"]
        with service.database.transaction() as session:
            assert service.retention._compact(session, UUID(thread_id))
        door.converse("rebalance P2", "paula", thread_id)
        run_id = door.converse("why", "paula", thread_id)["run_id"]
        with service.database.engine.begin() as connection:
            for number in range(COPIES):
                told = {"copy": str(uuid4()), "number": number, "thread": thread_id}
                connection.execute(text(COPY), told)
                for table, columns in COLUMNS.items():
                    connection.execute(
                        text(f"insert into {table} (thread_id, {columns}) select :copy, {columns} from {table}"
                             " where thread_id = :thread"), told,
                    )  # fmt: skip
            connection.execute(text(MORE_RUNS), {"more": RUNS, "run_id": run_id})
        yield Lists(service, clients, thread_id)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("select", [None, ["thread_id", "values"], ["thread_id", "status", "metadata"]], ids=str)
def test_a_page_of_threads_costs_the_same_for_one_as_for_twenty(
    lists: Lists, kind: str, select: list[Any] | None
) -> None:
    costs = []
    for limit in (1, 5, 20):
        with lists.costs() as cost:
            found = lists.ask(lambda client, most=limit: client.threads.search(limit=most, select=select), kind=kind)
        assert len(found) == limit
        assert all(set(each) == set(select or each) for each in found)
        costs.append((len(cost.statements), cost.states))
    assert costs[0][0] <= 8
    assert costs == [(costs[0][0], 0)] * 3


def test_a_thread_in_a_list_has_the_values_the_status_and_the_question_that_it_has_alone(lists: Lists) -> None:
    listed = lists.ask(lambda client: client.threads.search(limit=100))
    assert len(listed) == COPIES + 2
    with lists.costs() as cost:
        alone = [lists.ask(lambda client, each=each: client.threads.get(each["thread_id"])) for each in listed]
    assert cost.states >= len(listed), "the other way asks for each"
    assert [each | {"interrupts": {}} for each in listed] == [each | {"interrupts": {}} for each in alone]
    assert len(alone[0]["values"]["messages"]) > 6
    questions = [
        [(task, asked["id"], asked["value"]["plan_digest"]) for task, (asked,) in each["interrupts"].items()]
        for each in (*listed, *alone)
    ]
    assert questions[: len(listed)] == questions[len(listed) :]
    assert sum(map(len, questions)) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_threads_are_counted_as_they_are_found(lists: Lists, kind: str) -> None:
    def count(**wanted: Any) -> Any:
        return lists.ask(lambda client: client.threads.count(**wanted), kind=kind)

    assert count() == COPIES + 2
    assert count(status="interrupted") == 1
    assert count(metadata={"copy": 3}) == count(metadata={"copy": 3, "graph_id": ASSISTANT}) == 1
    assert count(metadata={"owner": "ada"}) == count(status="busy") == 0
    assert lists.ask(lambda client: client.threads.count(), by="fern", kind=kind) == 0
    with pytest.raises(UnprocessableEntityError):
        count(values={"outcome": "approved"})


def test_threads_are_sorted_paged_and_chosen_by_the_database(lists: Lists) -> None:
    def found(**wanted: Any) -> list[Any]:
        return [each["metadata"].get("copy") for each in lists.ask(lambda client: client.threads.search(**wanted))]

    assert found(sort_by="created_at", sort_order="desc", limit=3) == [23, 22, 21]
    assert found(sort_by="created_at", sort_order="asc", limit=3, offset=2) == [0, 1, 2]
    assert found(sort_by="created_at", limit=2, offset=22) == [1, 0]
    assert found(status="interrupted") == [None]
    assert found(ids=[lists.thread_id], metadata={"copy": 1}) == []
    ids = lists.ask(lambda client: client.threads.search(sort_by="thread_id", sort_order="asc", select=["thread_id"]))
    assert ids == sorted(ids, key=lambda each: each["thread_id"])
    for wrong in ({"select": ["owner"]}, {"sort_by": "owner"}, {"limit": 0}, {"status": "done"}, {"limit": 101}):
        with pytest.raises(UnprocessableEntityError):
            found(**wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_of_the_runs_of_a_thread_only_the_page_is_read(lists: Lists, kind: str) -> None:
    loaded: list[Run] = []

    def note(run: Run, *_: Any) -> None:
        loaded.append(run)

    def runs(**wanted: Any) -> Any:
        return lists.ask(lambda client: client.runs.list(lists.thread_id, **wanted), kind=kind)

    event.listen(Run, "load", note)
    try:
        page = runs(limit=5, offset=2)
        assert len(loaded) == len(page) == 5
        failed = runs(limit=4, status="error")
        assert len(loaded) == 9
    finally:
        event.remove(Run, "load", note)
    everything = runs(limit=100)
    assert len(everything) == RUNS + 3
    assert page == everything[2:7]
    assert failed == [each for each in everything if each["status"] == "error"][:4]
    assert runs(status="timeout") == runs(offset=100) == []
    assert runs(limit=1, select=["run_id", "status"]) == [{name: everything[0][name] for name in ("run_id", "status")}]
    with pytest.raises(UnprocessableEntityError):
        runs(select=["input"])
    with pytest.raises(NotFoundError):
        lists.ask(lambda client: client.runs.list(lists.thread_id), by="ada", kind=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_shown_in_part_and_as_it_was_at_any_checkpoint(lists: Lists, kind: str) -> None:
    def state(**wanted: Any) -> Any:
        return lists.ask(lambda client: client.threads.get_state(lists.thread_id, **wanted), kind=kind)

    whole = state()
    assert state(select=["next", "values.messages"]) == {
        "next": whole["next"], "values": {"messages": whole["values"]["messages"]},
    }  # fmt: skip
    history = lists.ask(lambda client: client.threads.get_history(lists.thread_id, limit=100), kind=kind)
    for past in (history[0], history[3], history[-1]):
        checkpoint = past["checkpoint"]
        assert state(checkpoint=checkpoint) == state(checkpoint_id=checkpoint["checkpoint_id"]) == past
    assert state(checkpoint=history[3]["checkpoint"], select=["metadata"]) == {"metadata": history[3]["metadata"]}
    short = lists.ask(
        lambda client: client.threads.get_history(lists.thread_id, limit=2, select=["values.outcome"]), kind=kind
    )
    assert short == [{"values": {"outcome": past["values"]["outcome"]}} for past in history[:2]]
    wrongs: tuple[dict[str, Any], ...] = (
        {"checkpoint_id": "1ef00000-0000-6000-8000-000000000000"},
        {"checkpoint": history[1]["checkpoint"] | {"thread_id": str(uuid4())}},
    )
    for wrong in wrongs:
        with pytest.raises(NotFoundError):
            state(**wrong)
    with pytest.raises(UnprocessableEntityError):
        state(select=["machinery"])


def test_a_guest_sees_no_state_of_the_past(lists: Lists) -> None:
    (waiting,) = lists.ask(lambda client: client.threads.search(status="interrupted"))
    thread_id = waiting["thread_id"]
    newest, before = lists.ask(lambda client: client.threads.get_history(thread_id, limit=2))

    def seen(past: Any) -> Any:
        checkpoint_id = past["checkpoint"]["checkpoint_id"]
        return lists.ask(lambda client: client.threads.get_state(thread_id, checkpoint_id=checkpoint_id), by="ada")

    assert set(seen(newest)["values"]) == {"plan_digest", "approval_id", "outcome"}
    with pytest.raises(NotFoundError):
        seen(before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thread_is_labelled_anew_by_its_owner(lists: Lists, kind: str) -> None:
    thread_id = lists.ask(lambda client: client.threads.create(metadata={"a": 1, "b": 2}), kind=kind)["thread_id"]

    def update(by: str = "paula", **change: Any) -> Any:
        return lists.ask(lambda client: client.threads.update(thread_id, **change), by=by, kind=kind)

    changed = update(metadata={"b": 3, "owner": "ada"})
    assert {name: changed["metadata"][name] for name in ("a", "b", "owner")} == {"a": 1, "b": 3, "owner": "paula"}
    assert update(metadata={"c": 4}, return_minimal=True) is None
    with lists.service.database.transaction() as session:
        assert session.get_one(Thread, UUID(thread_id)).labels == {"a": 1, "b": 3, "c": 4}
    for wrong in ({"metadata": {str(n): n for n in range(30)}}, {"metadata": {}, "ttl": 1}, {"metadata": {"a": {}}}):
        with pytest.raises(UnprocessableEntityError):
            update(**wrong)
    for by, refusal in (("fern", NotFoundError), ("vera", PermissionDeniedError)):
        with pytest.raises(refusal):
            update(by, metadata={"a": 2})
    lists.ask(lambda client: client.threads.delete(thread_id), kind=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_assistant_says_what_it_takes_and_what_it_shows(lists: Lists, kind: str) -> None:
    def ask(work: Any) -> Any:
        return lists.ask(lambda client: work(client.assistants), by="vera", kind=kind)

    assert ask(lambda those: those.count()) == ask(lambda those: those.count(name="even")) == 1
    assert ask(lambda those: those.count(graph_id="another")) == 0
    assert ask(lambda those: those.search(name="another")) == ask(lambda those: those.search(metadata={"a": 1})) == []
    assert ask(lambda those: those.search(select=["graph_id"], sort_by="name")) == [{"graph_id": ASSISTANT}]
    assert ask(lambda those: those.search(offset=1, response_format="object")) == {"assistants": [], "next": None}
    assert ask(lambda those: those.get_subgraphs(ASSISTANT)) == {}
    schemas = ask(lambda those: those.get_schemas(ASSISTANT))
    assert set(schemas["input_schema"]["properties"]) == {"messages"}
    values = lists.ask(lambda client: client.threads.get_state(lists.thread_id), kind=kind)["values"]
    assert set(values) <= set(schemas["output_schema"]["properties"])
    assert (schemas["config_schema"], schemas["context_schema"]) == (None, None)
    with pytest.raises(NotFoundError):
        ask(lambda those: those.get_schemas("another"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_sdk_can_ask_for_and_is_not_here_is_refused_in_words_and_recorded(lists: Lists, kind: str) -> None:
    thread_id = lists.thread_id
    run_id = lists.ask(lambda client: client.runs.list(thread_id, limit=1))[0]["run_id"]
    calls: list[Any] = [
        lambda client: client.threads.copy(thread_id), lambda client: client.threads.prune([thread_id]),
        lambda client: client.threads.join_stream(thread_id),
        lambda client: client.runs.create(None, ASSISTANT, input=WORD),
        lambda client: client.runs.wait(None, ASSISTANT, input=WORD),
        lambda client: client.runs.stream(None, ASSISTANT, input=WORD),
        lambda client: client.runs.create_batch([{"assistant_id": ASSISTANT, "input": WORD}]),
        lambda client: client.runs.cancel_many(thread_id=thread_id, status="all"),
        lambda client: client.runs.delete(thread_id, run_id),
        lambda client: client.assistants.create(ASSISTANT), lambda client: client.assistants.delete(ASSISTANT),
        lambda client: client.assistants.update(ASSISTANT, name="x"),
        lambda client: client.assistants.get_graph(ASSISTANT), lambda client: client.assistants.get_versions(ASSISTANT),
        lambda client: client.assistants.set_latest(ASSISTANT, 2),
        lambda client: client.assistants.get_subgraphs(ASSISTANT, "executor"),
        lambda client: client.crons.create(ASSISTANT, schedule="* * * * *"),
        lambda client: client.crons.create_for_thread(thread_id, ASSISTANT, schedule="* * * * *"),
        lambda client: client.crons.search(), lambda client: client.crons.count(),
        lambda client: client.crons.delete("1"), lambda client: client.crons.update("1", enabled=False),
        lambda client: client.store.put_item(("a",), "k", {}), lambda client: client.store.get_item(("a",), "k"),
        lambda client: client.store.delete_item(("a",), "k"), lambda client: client.store.search_items(("a",)),
        lambda client: client.store.list_namespaces(("a",)),
    ]  # fmt: skip
    before = _refusals(lists.service)
    for call in calls:
        with pytest.raises(Exception, match="is not offered here") as caught:
            lists.ask(call, kind=kind)
        assert caught.value.response.status_code == 422  # type: ignore[attr-defined]
    assert _refusals(lists.service) == before + len(calls)


def _refusals(service: Service) -> int:
    query = "select count(*) from ledger_event where type = 'client_input_refused'"
    with service.database.engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_mode_that_is_not_told_is_refused_with_those_that_are(lists: Lists, kind: str) -> None:
    run_id = lists.ask(lambda client: client.runs.list(lists.thread_id, limit=1))[0]["run_id"]
    told = "values, updates, messages, messages-tuple, tasks, custom"
    for mode in ("debug", "checkpoints", "events", "tools", "lifecycle"):
        for call in (
            lambda client, mode=mode: client.runs.stream(lists.thread_id, ASSISTANT, input=WORD, stream_mode=mode),
            lambda client, mode=mode: client.runs.create(
                lists.thread_id, ASSISTANT, input=WORD, stream_mode=["values", mode]
            ),
            lambda client, mode=mode: client.runs.join_stream(lists.thread_id, run_id, stream_mode=mode),
        ):
            with pytest.raises(UnprocessableEntityError, match=told):
                lists.ask(call, kind=kind)


@pytest.mark.parametrize("by", ["vera", "otto", "nora"])
def test_who_does_not_plan_neither_opens_a_thread_nor_speaks_in_one(lists: Lists, by: str) -> None:
    for call in (
        lambda client: client.threads.create(),
        lambda client: client.runs.create(lists.thread_id, ASSISTANT, input=WORD),
    ):
        with pytest.raises(PermissionDeniedError):
            lists.ask(call, by=by)


@pytest.mark.parametrize(("by", "kind"), [("ada", "sync"), ("vera", "async"), ("fern", "sync"), ("adam", "async")])
def test_a_conversation_is_nobody_elses(lists: Lists, by: str, kind: str) -> None:
    thread_id = lists.thread_id
    run_id = lists.ask(lambda client: client.runs.list(thread_id, limit=1))[0]["run_id"]
    calls: list[Any] = [
        lambda client: client.threads.get(thread_id), lambda client: client.threads.get_state(thread_id),
        lambda client: client.threads.get_history(thread_id), lambda client: client.runs.list(thread_id),
        lambda client: client.runs.get(thread_id, run_id), lambda client: client.runs.join_stream(thread_id, run_id),
        lambda client: client.runs.join(thread_id, run_id),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(httpx.HTTPStatusError) as caught:
            lists.ask(call, by=by, kind=kind)
        assert caught.value.response.status_code == 404
    assert lists.ask(lambda client: client.threads.search(ids=[thread_id]), by=by, kind=kind) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_is_not_good_is_told_so_as_the_sdk_knows_it(lists: Lists, kind: str) -> None:
    lists.clients.tokens.setdefault("nobody", "evk_" + "B" * 43)
    with pytest.raises(AuthenticationError):
        lists.ask(lambda client: client.threads.create(), by="nobody", kind=kind)


def test_an_active_run_keeps_the_thread_busy_in_lists_too(lists: Lists) -> None:
    """The last test: nobody carries out the run that it begins."""
    lists.ask(lambda client: client.runs.create(lists.thread_id, ASSISTANT, input=WORD))
    (busy,) = lists.ask(lambda client: client.threads.search(status="busy"))
    assert busy["thread_id"] == lists.thread_id
    with pytest.raises(ConflictError):
        lists.ask(lambda client: client.runs.create(lists.thread_id, ASSISTANT, input=WORD))
