"""Retention of checkpoints: old steps go, the conversation stays; then all of it goes, but never of what is in use."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from langchain_core.messages import AnyMessage
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DataError
from sqlmodel import select

from app.plans.tables import PlanRow
from app.service import Service, open_service
from app.settings import Settings
from app.threads.runs import say
from app.threads.tables import Run, RunStatus, Thread
from evals.databases import Servers
from tests.conversation import talk
from tests.installation import PAULA, approve, carry_out, scan, settle_in, waiting

TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


@pytest.fixture(scope="module")
def settled(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a network and people. Every test has threads of its own."""
    with servers.fresh_database() as url:
        addresses = {"DATABASE_URL": SecretStr(url), "REDIS_URL": SecretStr(servers.redis_url)}
        chosen = Settings(data=tmp_path_factory.mktemp("retention"), **addresses)  # type: ignore[arg-type]  # names of variables
        with open_service(chosen.model_copy(update={"openai_api_key": None, "openai_base_url": None})) as service:
            settle_in(service)
            yield service


def age(service: Service, thread_id: UUID, days: int) -> None:
    """Let so many days pass over what a thread has done."""
    with service.database.engine.begin() as connection:
        for statement in (
            "update thread set created_at = created_at - make_interval(days => :days) where thread_id = :thread_id",
            """update run set created_at = created_at - make_interval(days => :days),
                   finished_at = finished_at - make_interval(days => :days) where thread_id = :thread_id""",
        ):
            connection.execute(text(statement), {"days": days, "thread_id": thread_id})


def stored(service: Service, thread_id: UUID) -> dict[str, int]:
    """How many rows LangGraph's tables hold of a thread."""
    with service.database.engine.connect() as connection:
        asked = {"thread": str(thread_id)}
        return {
            table: connection.execute(
                text(f"select count(*) from {table} where thread_id = :thread"), asked
            ).scalar_one()
            for table in TABLES
        }


def said(messages: list[AnyMessage]) -> list[tuple[str, object, str | None]]:
    return [(message.type, message.content, message.id) for message in messages]


def test_of_a_finished_thread_the_last_state_stays_whole_and_the_steps_go(settled: Service) -> None:
    first = talk(settled, "Rebalance P1")
    turn = talk(settled, "How much is there of P1 at S1?", thread_id=first.thread_id)
    before = settled.driver.state(turn.thread_id)
    age(settled, turn.thread_id, 8)
    assert settled.retention.tidy() == {"forgotten": 0, "compacted": 1}
    after = settled.driver.state(turn.thread_id)
    assert said(after.values.pop("messages")) == said(before.values.pop("messages"))
    assert after.values == before.values
    assert (after.tasks, after.interrupts, after.config) == ((), (), before.config)
    assert stored(settled, turn.thread_id)["checkpoints"] == 1
    assert stored(settled, turn.thread_id)["checkpoint_writes"] == 0
    assert len(settled.driver.history(turn.thread_id, 100)) == 1
    assert settled.retention.tidy() == {"forgotten": 0, "compacted": 0}


def test_a_conversation_goes_on_after_its_steps_are_gone_and_is_compacted_again(settled: Service) -> None:
    thread_id = talk(settled, "Rebalance P1").thread_id
    age(settled, thread_id, 8)
    settled.retention.tidy()
    earlier = said(settled.driver.state(thread_id).values["messages"])
    turn = talk(settled, "Why?", thread_id=thread_id)
    assert turn.status is RunStatus.DONE
    assert len(turn.messages) > len(earlier)
    assert [each[2] for each in said(turn.messages)][: len(earlier)] == [each[2] for each in earlier]
    assert settled.retention.tidy()["compacted"] == 0
    age(settled, thread_id, 8)
    assert settled.retention.tidy()["compacted"] == 1
    assert said(settled.driver.state(thread_id).values["messages"]) == said(turn.messages)


def test_after_a_crash_in_the_middle_a_thread_is_whole_and_is_compacted_the_next_time(
    settled: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = talk(settled, "Rebalance P1")
    age(settled, turn.thread_id, 8)
    before = stored(settled, turn.thread_id)
    with monkeypatch.context() as patch:
        patch.setattr("app.threads.retention._BUT_ONE", [text("select 1/0")])
        with pytest.raises(DataError, match="division by zero"):
            settled.retention.tidy()
    assert stored(settled, turn.thread_id)["checkpoints"] == before["checkpoints"]
    assert said(settled.driver.state(turn.thread_id).values["messages"]) == said(turn.messages)
    assert settled.retention.tidy()["compacted"] == 1
    assert said(settled.driver.state(turn.thread_id).values["messages"]) == said(turn.messages)


def test_of_a_thread_that_nobody_used_for_months_only_our_own_rows_stay(settled: Service) -> None:
    thread_id = talk(settled, "Rebalance P1").thread_id
    age(settled, thread_id, 181)
    assert settled.retention.tidy() == {"forgotten": 1, "compacted": 0}
    assert set(stored(settled, thread_id).values()) == {0}
    with settled.database.transaction() as session:
        assert session.get(Thread, thread_id) is not None
        assert session.exec(select(Run.status).where(Run.thread_id == thread_id)).all() == [RunStatus.DONE]
        assert session.exec(select(PlanRow)).first() is not None
    assert talk(settled, "How much is there of P1?", thread_id=thread_id).status is RunStatus.DONE


def test_a_thread_keeps_every_checkpoint_until_it_has_heard_of_its_decision(settled: Service) -> None:
    thread_id = scan(settled)
    (request,) = waiting(settled)
    before = stored(settled, thread_id)
    age(settled, thread_id, 400)
    assert settled.retention.tidy() == {"forgotten": 0, "compacted": 0}
    assert stored(settled, thread_id) == before
    approve(settled, request)
    assert settled.retention.tidy() == {"forgotten": 0, "compacted": 0}
    carry_out(settled, request)
    assert "approved by ada" in settled.driver.last_words(thread_id)


def test_a_thread_with_an_active_run_keeps_every_checkpoint(settled: Service) -> None:
    thread_id = talk(settled, "What can you do?").thread_id
    with settled.database.transaction() as session:
        run_id = say(session, PAULA, thread_id, "Why?").run_id
    before = stored(settled, thread_id)
    age(settled, thread_id, 400)
    assert settled.retention.tidy() == {"forgotten": 0, "compacted": 0}
    assert stored(settled, thread_id) == before
    assert settled.driver.run(run_id) is RunStatus.DONE


def test_a_thread_that_comes_to_life_after_it_was_found_is_passed_over(
    settled: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id = talk(settled, "What can you do?").thread_id
    age(settled, thread_id, 400)
    found = settled.retention._found

    def found_and_then_spoken_to(days: int, least: int, after: UUID) -> list[UUID]:
        ids = found(days, least, after)
        if thread_id in ids:
            with settled.database.transaction() as session:
                say(session, PAULA, thread_id, "Why?")
        return ids

    with monkeypatch.context() as patch:
        patch.setattr(settled.retention, "_found", found_and_then_spoken_to)
        assert settled.retention.tidy() == {"forgotten": 0, "compacted": 0}
    assert stored(settled, thread_id)["checkpoints"] > 1


def test_checkpoints_without_a_thread_are_removed(settled: Service) -> None:
    thread_id, nobody = talk(settled, "What can you do?").thread_id, uuid4()
    with settled.database.engine.begin() as connection:
        for table in TABLES:
            statement = text(f"update {table} set thread_id = :nobody where thread_id = :thread")
            connection.execute(statement, {"nobody": str(nobody), "thread": str(thread_id)})
    assert stored(settled, nobody)["checkpoints"] > 0
    assert settled.retention.tidy() == {"forgotten": 1, "compacted": 0}
    assert set(stored(settled, nobody).values()) == {0}


def test_more_threads_than_a_batch_are_all_tidied(settled: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.threads.retention.BATCH", 2)
    for _ in range(3):
        age(settled, talk(settled, "What can you do?").thread_id, 8)
    assert settled.retention.tidy()["compacted"] == 3
