"""Deciding through the real LangGraph SDK clients: the answer goes to the approvals module in the name of whoever sends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient
from langgraph_sdk.errors import (
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    UnprocessableEntityError,
)
from langgraph_sdk.schema import StreamMode, StreamPart

from app.approvals.requests import get_request
from app.auth.roles import Role
from app.ledger.verify import verify
from app.orders.queries import orders_of_approval
from evals.databases import Servers
from tests.app.web.sdk import ASSISTANT, KINDS, Clients, Served, decisions, in_a_loop, names, said, serving
from tests.installation import person, until

APPROVE = {"type": "approve"}


@pytest.fixture(scope="module")
def served(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An installation that all tests of this module share; in the end its ledger holds."""
    with serving(servers, tmp_path_factory.mktemp("sdk")) as opened:
        yield opened
        assert verify(opened.service.database).verified


@pytest.fixture
def waiting(served: Served) -> tuple[str, dict[str, Any]]:
    """A thread of Paula's that waits for a decision, and its question."""
    return served.waiting_thread()


def status_of(served: Served, interrupt: dict[str, Any]) -> str:
    """Where the request stands, by our own table."""
    with served.service.database.transaction() as session:
        return get_request(session, UUID(interrupt["value"]["approval_id"])).status.value


def orders_of(served: Served, interrupt: dict[str, Any]) -> int:
    """How many transfer orders an approval has made."""
    with served.service.database.transaction() as session:
        return len(orders_of_approval(session, UUID(interrupt["value"]["approval_id"])))


def question_on(client: SyncLangGraphClient, thread_id: str) -> dict[str, Any]:
    """The one question of a thread."""
    (interrupt,) = client.threads.get_state(thread_id)["interrupts"]
    return dict(interrupt)


def answered(client: SyncLangGraphClient, thread_id: str, answer: dict[str, Any]) -> list[StreamPart]:
    """What whoever answers hears of the run that their answer wakes."""
    modes: list[StreamMode] = ["values", "updates", "messages-tuple", "tasks", "custom"]
    return list(client.runs.stream(thread_id, ASSISTANT, input={}, command=answer, stream_mode=modes))  # type: ignore[call-overload,no-any-return]


def edited(interrupt: dict[str, Any], packs: int) -> dict[str, Any]:
    """The answer that leaves so many packs of the first line."""
    args = interrupt["value"]["action_requests"][0]["args"]
    lines = [args["lines"][0] | {"packs": packs}]
    return {"type": "edit", "edited_action": {"name": "release_transfer_plan", "args": args | {"lines": lines}}}


@pytest.mark.parametrize("kind", KINDS)
def test_with_either_client_a_plan_is_asked_for_remarked_on_edited_approved_and_another_rejected(
    served: Served, kind: str
) -> None:
    with closing(Clients(served.address, served.tokens)) as clients:

        def run(by: str, **order: Any) -> list[Any]:
            modes = ["values", "updates", "messages-tuple"]
            heard: list[Any] = clients.use(
                kind, by, lambda client: client.runs.stream(thread_id, ASSISTANT, stream_mode=modes, **order)
            )
            return heard

        def questions(by: str = "paula") -> list[Any]:
            found: list[Any] = clients.use(kind, by, lambda client: client.threads.get_state(thread_id))["interrupts"]
            return found

        thread_id = clients.use(kind, "paula", lambda client: client.threads.create())["thread_id"]
        planned = run("paula", input=said(f"rebalance {next(served.skus)}"))
        assert {part.event for part in planned} == {"metadata", "values", "updates", "messages", "end"}
        asked = run("paula", input=said("submit"))
        (question,) = asked[-2].data["__interrupt__"]
        assert (asked[-1].data["status"], questions()) == ("interrupted", [question])
        remarked = run("ada", command=decisions({"type": "respond", "message": "why so many?"}))
        assert remarked[-1].data["status"] == "interrupted"
        (asking,) = questions()
        assert (asking["id"], status_of(served, question)) == (question["id"], "pending")
        assert [(each["by"], each["words"]) for each in asking["value"]["comments"]] == [("ada", "why so many?")]
        run("ada", command=decisions(edited(questions("ada")[0], packs=5)))
        (again,) = questions("bob")
        assert again["id"] != question["id"]
        done = run("bob", command={"resume": {again["id"]: {"decisions": [APPROVE]}}})
        assert (done[-1].data["status"], done[-2].data["outcome"]) == ("success", "released")
        assert (orders_of(served, question), orders_of(served, again)) == (0, 1)
        states = clients.use(kind, "paula", lambda client: client.threads.get_history(thread_id, limit=100))
        waited = [state["interrupts"][0]["id"] for state in states if state["next"] == ["approval_gate"]]
        assert list(dict.fromkeys(waited)) == [again["id"], question["id"]]
        thread_id = clients.use(kind, "paula", lambda client: client.threads.create())["thread_id"]
        run("paula", input=said(f"rebalance {next(served.skus)}"))
        (question,) = run("paula", input=said("submit"))[-2].data["__interrupt__"]
        order = {"command": decisions({"type": "reject", "message": "the dock is closed"})}
        values = clients.use(kind, "ada", lambda client: client.runs.wait(thread_id, ASSISTANT, **order))
        assert (values["outcome"], orders_of(served, question)) == ("rejected", 0)
        told = clients.use(kind, "paula", lambda client: client.threads.get_state(thread_id))["values"]["messages"]
        assert "the dock is closed" in told[-1]["content"]


def test_an_approval_releases_the_orders_and_the_run_that_it_wakes_is_streamed_to_its_end(
    served: Served, waiting: tuple[str, dict[str, Any]]
) -> None:
    thread_id, interrupt = waiting
    ada, paula = served.sync_client("ada"), served.sync_client()
    assert question_on(ada, thread_id)["value"]["review_configs"][0]["allowed_decisions"] == [
        "approve", "edit", "reject", "respond",
    ]  # fmt: skip
    assert interrupt["value"]["review_configs"][0]["allowed_decisions"] == []
    parts = answered(ada, thread_id, decisions(APPROVE))
    assert (parts[0].event, parts[-1].data["status"]) == ("metadata", "success")
    assert status_of(served, interrupt) == "approved"
    assert orders_of(served, interrupt) == 1
    state = paula.threads.get_state(thread_id)
    assert (state["next"], state["interrupts"]) == ([], [])
    assert "was approved by ada" in state["values"]["messages"][-1]["content"]
    assert paula.threads.get(thread_id)["status"] == "idle"
    assert [run["status"] for run in paula.runs.list(thread_id)] == ["success", "interrupted", "success"]


def test_an_approver_hears_how_far_it_is_and_nothing_of_the_conversation(
    served: Served, waiting: tuple[str, dict[str, Any]]
) -> None:
    thread_id, interrupt = waiting
    ada = served.sync_client("ada")
    fields = {"plan_digest", "approval_id", "outcome"}
    thread = ada.threads.get(thread_id)
    assert set(thread["values"]) == fields
    assert set(thread["metadata"]) == {"graph_id", "assistant_id"}
    (state,) = ada.threads.get_history(thread_id, limit=100)
    assert set(state["values"]) == fields
    assert ada.runs.list(thread_id) == []
    with pytest.raises(PermissionDeniedError):
        ada.runs.create(thread_id, ASSISTANT, input=said("why"))
    parts = answered(ada, thread_id, decisions(APPROVE))
    assert names(parts)[0] == "metadata"
    assert {part.event for part in parts} == {"metadata", "values", "updates", "tasks", "end"}
    told = [part.data for part in parts if part.event == "tasks"]
    assert {each["name"] for each in told} >= {"approval_gate", "executor", "reporter"}
    assert all(each.get("input", each.get("result")) == {} for each in told)
    assert all(set(part.data) <= fields for part in parts if part.event == "values")
    assert all(list(part.data.values()) == [{}] for part in parts if part.event == "updates")
    (run,) = ada.runs.list(thread_id)
    assert ada.runs.join(thread_id, run["run_id"]) == parts[-2].data
    assert interrupt["value"]["plan_digest"] == parts[-2].data["plan_digest"]
    assert set(ada.threads.get(thread_id)["values"]) == fields


def test_the_owner_hears_all_of_the_run_that_an_approver_woke(
    served: Served, waiting: tuple[str, dict[str, Any]]
) -> None:
    async def conversation() -> None:
        thread_id, _ = waiting
        ada, paula = served.client("ada"), served.client()
        done: Any = await ada.runs.wait(thread_id, ASSISTANT, command=decisions(APPROVE))
        assert done["outcome"] == "released"
        run = (await paula.runs.list(thread_id))[0]
        parts = [
            part
            async for part in paula.runs.join_stream(thread_id, run["run_id"], stream_mode=["values", "messages-tuple"])
        ]
        (message, _), *_ = [part.data for part in parts if part.event == "messages"]
        assert "was approved by ada" in message["content"]
        assert parts[-2].data["messages"][-1]["id"] == message["id"]

    in_a_loop(conversation)


def test_a_rejection_with_a_coded_reason_brings_another_plan_and_another_question(
    served: Served, waiting: tuple[str, dict[str, Any]]
) -> None:
    thread_id, interrupt = waiting
    bob = served.sync_client("bob")
    reject = {"type": "reject", "message": "too much at once", "reason": "too_many_units", "limit": 20}
    parts = answered(bob, thread_id, decisions(reject))
    assert parts[-1].data["status"] == "interrupted"
    (again,) = parts[-2].data["__interrupt__"]
    assert again["id"] != interrupt["id"]
    assert sum(line["packs"] for line in again["value"]["action_requests"][0]["args"]["lines"]) <= 20
    assert question_on(bob, thread_id) == again
    with pytest.raises(ConflictError):
        answered(bob, thread_id, {"resume": {interrupt["id"]: {"decisions": [APPROVE]}}})
    done = answered(bob, thread_id, {"resume": {again["id"]: {"decisions": [APPROVE]}}})
    assert done[-1].data["status"] == "success"
    assert (orders_of(served, interrupt), orders_of(served, again)) == (0, 1)


def test_an_edit_asks_again_and_somebody_else_decides_on_it(
    served: Served, waiting: tuple[str, dict[str, Any]]
) -> None:
    thread_id, interrupt = waiting
    ada, bob = served.sync_client("ada"), served.sync_client("bob")
    parts = answered(ada, thread_id, decisions(edited(interrupt, packs=5)))
    assert parts[-1].data["status"] == "interrupted"
    assert (status_of(served, interrupt), orders_of(served, interrupt)) == ("superseded", 0)
    again = question_on(served.sync_client(), thread_id)
    (line,) = again["value"]["action_requests"][0]["args"]["lines"]
    assert line["packs"] == 5
    assert again["value"]["plan_digest"] != interrupt["value"]["plan_digest"]
    with pytest.raises(PermissionDeniedError):
        answered(ada, thread_id, {"resume": {again["id"]: {"decisions": [APPROVE]}}})
    with pytest.raises(ConflictError, match="which question"):
        answered(bob, thread_id, decisions(APPROVE))
    head = bob.threads.get_state(thread_id)["checkpoint"]  # as a chat page names what it shows
    done: Any = bob.runs.wait(thread_id, ASSISTANT, command=decisions(APPROVE), checkpoint=head)
    assert done["outcome"] == "released"
    assert orders_of(served, again) == 1


def test_an_answer_sent_again_changes_nothing(served: Served, waiting: tuple[str, dict[str, Any]]) -> None:
    thread_id, interrupt = waiting
    ada = served.sync_client("ada")
    assert answered(ada, thread_id, decisions(APPROVE))[-1].data["status"] == "success"
    for by in ("ada", "bob"):
        with pytest.raises((ConflictError, NotFoundError)):
            answered(served.sync_client(by), thread_id, decisions(APPROVE))
    assert orders_of(served, interrupt) == 1


def test_nobody_decides_on_their_own_plan_nor_without_the_role_nor_out_of_scope(
    served: Served, waiting: tuple[str, dict[str, Any]]
) -> None:
    thread_id, interrupt = waiting
    before = served.sync_client().threads.get(thread_id)
    for by in ("paula", "vera", "otto", "nora"):
        with pytest.raises(PermissionDeniedError):
            answered(served.sync_client(by), thread_id, decisions(APPROVE))
    with pytest.raises(NotFoundError):
        answered(served.sync_client("fern"), thread_id, decisions(APPROVE))
    assert served.sync_client().threads.get(thread_id) == before
    assert (status_of(served, interrupt), orders_of(served, interrupt)) == ("pending", 0)


def test_an_author_with_every_role_needs_somebody_else(served: Served) -> None:
    served.admit(person("alma", *Role))
    thread_id, interrupt = served.waiting_thread("alma")
    with pytest.raises(PermissionDeniedError, match="had a hand in this plan"):
        answered(served.sync_client("alma"), thread_id, decisions(APPROVE))
    assert status_of(served, interrupt) == "pending"


@pytest.mark.parametrize(
    "answer",
    [
        {"resume": "approve"},
        {"resume": {"decisions": []}},
        {"resume": {"decisions": [APPROVE, APPROVE]}},
        {"resume": {"decisions": [{"type": "accept"}]}},
        {"resume": {"decisions": [APPROVE]}, "goto": "executor"},
        {"resume": {"decisions": [APPROVE]}, "update": {"outcome": "approved"}},
        {"goto": "executor"},
        {"update": {"outcome": "approved"}},
    ],
    ids=str,
)
def test_an_answer_that_is_none_or_steers_is_refused_and_the_question_stays(
    served: Served, asked_once: tuple[str, dict[str, Any]], answer: dict[str, Any]
) -> None:
    thread_id, interrupt = asked_once
    with pytest.raises(UnprocessableEntityError):
        answered(served.sync_client("ada"), thread_id, answer)
    assert question_on(served.sync_client("ada"), thread_id)["id"] == interrupt["id"]
    assert (status_of(served, interrupt), orders_of(served, interrupt)) == ("pending", 0)


@pytest.fixture(scope="module")
def asked_once(served: Served) -> tuple[str, dict[str, Any]]:
    """A thread that waits and that nobody answers."""
    return served.waiting_thread()


def test_a_thread_that_waits_for_nothing_takes_no_answer(served: Served) -> None:
    alma = served.sync_client()
    thread_id = alma.threads.create()["thread_id"]
    with pytest.raises(NotFoundError):
        answered(served.sync_client("ada"), thread_id, decisions(APPROVE))


def test_the_owner_takes_their_plan_back_by_ending_the_thread(
    served: Served, waiting: tuple[str, dict[str, Any]]
) -> None:
    thread_id, interrupt = waiting
    paula = served.sync_client()
    with pytest.raises(PermissionDeniedError):
        served.sync_client("ada").threads.update_state(thread_id, None, as_node="__end__")
    for values, node in (
        ({"outcome": "approved"}, "approval_gate"),
        ({"outcome": "approved"}, "__end__"),
        (None, None),
    ):
        with pytest.raises(UnprocessableEntityError):
            paula.threads.update_state(thread_id, values, as_node=node)
    assert status_of(served, interrupt) == "pending"
    assert paula.threads.update_state(thread_id, None, as_node="__end__")["checkpoint"]["thread_id"] == thread_id
    assert status_of(served, interrupt) == "withdrawn"
    until(
        "the thread to be told",
        lambda: paula.threads.get(thread_id)["status"] == "idle" and not paula.threads.get_state(thread_id)["next"],
    )
    messages: Any = paula.threads.get_state(thread_id)["values"]
    assert "was withdrawn" in messages["messages"][-1]["content"]


def test_an_approver_whose_part_of_the_plan_is_masked_sees_no_more_through_the_thread(served: Served) -> None:
    served.admit(person("nell", Role.APPROVER, sites=frozenset({"S2"})))
    thread_id, _ = served.waiting_thread()
    nell = served.sync_client("nell")
    shown = httpx.get(f"{served.address}/threads/{thread_id}/state", headers={"x-api-key": served.tokens["nell"]}).text
    assert "S2" in shown
    assert "S1" not in shown
    with pytest.raises(PermissionDeniedError):
        answered(nell, thread_id, decisions(APPROVE))
