"""Threads that somebody else holds, as a frozen process does: their runs keep no worker, and go on once they can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from app.durable import runner as runners
from app.durable.draining import HeldThreadError
from app.erp.simulated import Faults, SimulatedErp
from app.ledger.verify import verify
from app.service import Service, running
from app.threads.driver import lock_key
from app.threads.runs import open_thread, say
from app.threads.tables import Door, Run, RunStatus
from tests.installation import PAULA, approve, orders, run_is_over, submitted, until
from tools.execution import OrderState


def said(service: Service) -> Run:
    """A message in a thread of its own."""
    with service.database.transaction() as session:
        thread = open_thread(session, PAULA, Door.CHAT, "")
        return say(session, PAULA, thread.thread_id, "Where are we short?")


@contextmanager
def held(service: Service, *thread_ids: UUID) -> Iterator[Callable[[], None]]:
    """The threads are somebody else's, until they are given up."""
    with service.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as holder:
        for thread_id in thread_ids:
            holder.execute(text("select pg_advisory_lock(:key)"), {"key": lock_key(thread_id)})

        def give_up() -> None:
            holder.execute(text("select pg_advisory_unlock_all()"))

        yield give_up
        give_up()


def status_of(service: Service, run: Run) -> RunStatus:
    with service.database.transaction() as session:
        return session.get_one(Run, run.run_id).status


def kinds(service: Service, thread_id: UUID) -> list[str]:
    """Who has spoken in a thread, one message after the other."""
    return [message.type for message in service.driver.state(thread_id).values.get("messages", [])]


def works(service: Service) -> dict[str, str]:
    """The status of every workflow by id."""
    with service.database.engine.connect() as connection:
        rows = connection.execute(text("select workflow_uuid, status from dbos.workflow_status"))
        return {row.workflow_uuid: row.status for row in rows}


def test_runs_of_threads_that_are_held_keep_no_worker_and_each_is_carried_out_once_when_they_are_given_up(
    open_with: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "HELD_SECONDS", 0.5)
    erp = SimulatedErp(tmp_path / "erp", Faults(idempotent=False))
    service = open_with(erp=erp, settings={"workers": 2})
    request = submitted(service)
    decided = UUID(request.thread_id or "")
    asked = [said(service) for _ in range(2)]
    approve(service, request)
    other = said(service)
    with held(service, decided, *(run.thread_id for run in asked)) as give_up, running(service):
        until("the thread that nobody holds", lambda: run_is_over(service, other.run_id))
        assert not any(run_is_over(service, run.run_id) for run in asked)
        assert [kinds(service, run.thread_id) for run in asked] == [[], []]
        give_up()
        until("those that were held", lambda: all(run_is_over(service, run.run_id) for run in asked))
        until("the orders", lambda: {order.state for order in orders(service)} == {OrderState.SHIPPED})
        until("the workflows", lambda: set(works(service).values()) == {"SUCCESS"})
    assert {status_of(service, run) for run in asked} == {RunStatus.DONE}
    assert [kinds(service, run.thread_id) for run in asked] == [kinds(service, other.thread_id)] * 2
    assert "approved by ada" in service.driver.last_words(decided)
    assert erp.applied() == {str(order.transfer_id): 1 for order in orders(service)}
    assert verify(service.database).verified


def test_those_that_wait_already_come_before_a_run_whose_thread_was_held(
    open_with: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "HELD_SECONDS", 0.0)
    service = open_with(settings={"workers": 1})
    submitted(service)
    asked = [said(service) for _ in range(3)]
    others = [said(service) for _ in range(2)]
    with held(service, *(run.thread_id for run in asked)), running(service):
        until("those that nobody holds", lambda: all(run_is_over(service, run.run_id) for run in others))
        assert [run_is_over(service, run.run_id) for run in asked] == [False] * len(asked)


def test_a_run_of_a_held_thread_has_not_begun_and_nothing_is_told_of_it(service: Service) -> None:
    submitted(service)
    run = said(service)
    with held(service, run.thread_id), pytest.raises(HeldThreadError):
        service.run_thread(run.run_id)
    assert (status_of(service, run), list(service.stream.read(run.run_id, "0"))) == (RunStatus.RUNNING, [])
    assert service.driver.run(run.run_id) is RunStatus.DONE
