"""Runs that begin the moment they are committed: before the queue is looked at, and never in its stead."""

from __future__ import annotations

import threading
from collections import defaultdict
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from app.durable import enqueue
from app.durable import runner as runners
from app.durable.draining import InterruptedRunError
from app.durable.enqueue import ORDER_QUEUE, RUN_QUEUE
from app.durable.prompt import PROMPTLY, PromptRuns
from app.service import Service, running
from app.threads.runs import start_scan
from app.threads.tables import Run, RunStatus
from tests.installation import PAULA, run_is_over, settle_in, until
from tools.transfers import PlanRequest

NEVER_SECONDS = 3_600.0


def begun(service: Service) -> UUID:
    """A scan that is committed, and that nobody drives here."""
    with service.database.transaction() as session:
        return start_scan(session, PAULA, PlanRequest())[0].run_id


def workflows_of(service: Service, run_id: UUID) -> list[str]:
    """How the workflows of a run stand."""
    query = text("select status from dbos.workflow_status where workflow_uuid like :name")
    with service.database.engine.connect() as connection:
        return list(connection.execute(query, {"name": f"run:{run_id}%"}).scalars())


def status_of(service: Service, run_id: UUID) -> RunStatus:
    with service.database.transaction() as session:
        run = session.get(Run, run_id)
        assert run is not None
        return run.status


@pytest.fixture
def queue_is_never_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "POLLING_SECONDS", {RUN_QUEUE: NEVER_SECONDS, ORDER_QUEUE: NEVER_SECONDS})


@pytest.mark.usefixtures("queue_is_never_looked_at")
@pytest.mark.parametrize("lead_seconds", [0.0, enqueue.LEAD_SECONDS])
def test_a_run_in_the_runners_process_begins_without_the_queue_and_takes_its_workflow_back(
    service: Service, lead_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that lasts longer than its workflow stays out of its way takes it back as well."""
    monkeypatch.setattr(enqueue, "LEAD_SECONDS", lead_seconds)
    settle_in(service)
    with running(service):
        run_id = begun(service)
        until("the run", lambda: run_is_over(service, run_id))
        until("its workflow to be taken back", lambda: not workflows_of(service, run_id))
    assert status_of(service, run_id) is RunStatus.WAITING


def test_a_run_that_stopped_on_its_way_is_driven_on_by_its_workflow(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_in(service)
    drive, first = service.driver.run, threading.Event()

    def stops_at_first(run_id: UUID, held_ms_max: int | None = None) -> RunStatus:
        if not first.is_set():
            first.set()
            raise InterruptedRunError("the process was frozen")
        return drive(run_id, held_ms_max)

    monkeypatch.setattr(service.driver, "run", stops_at_first)
    with running(service):
        run_id = begun(service)
        until("the run", lambda: run_is_over(service, run_id))
        assert first.is_set()
        until("its workflow", lambda: workflows_of(service, run_id) == ["SUCCESS"])


@pytest.mark.usefixtures("queue_is_never_looked_at")
def test_a_run_of_a_transaction_that_is_rolled_back_never_begins(service: Service) -> None:
    settle_in(service)
    driven: list[UUID] = []

    class _TakenBackError(Exception):
        """Why the transaction ends so."""

    service.database.session_info[PROMPTLY] = PromptRuns(driven.append, lambda _: None, at_once=4)
    with pytest.raises(_TakenBackError), service.database.transaction() as session:
        start_scan(session, PAULA, PlanRequest())
        raise _TakenBackError
    assert driven == []
    with service.database.transaction() as session:
        with session.begin_nested():
            run_id = start_scan(session, PAULA, PlanRequest())[0].run_id
        assert driven == [], "a savepoint is no commit"
    until("a run that is committed", lambda: driven == [run_id])


class Gates:
    """Runs each of which lasts until its gate is opened."""

    def __init__(self) -> None:
        self.driven: list[UUID] = []
        self._gates: defaultdict[UUID, threading.Event] = defaultdict(threading.Event)

    def drive(self, run_id: UUID) -> None:
        self.driven.append(run_id)
        assert self._gates[run_id].wait(30)

    def open(self, run_id: UUID) -> None:
        self._gates[run_id].set()


def test_so_many_runs_begin_at_once_and_no_more_and_each_of_them_once() -> None:
    gates = Gates()
    prompt = PromptRuns(gates.drive, lambda _: None, at_once=2)
    one, other, late = uuid4(), uuid4(), uuid4()
    prompt.begin(one)
    prompt.begin(one)
    assert prompt.has_room
    prompt.begin(other)
    assert not prompt.has_room
    prompt.begin(late)
    prompt.wait_for(late)
    gates.open(one)
    prompt.wait_for(one)
    assert (prompt.has_room, prompt.is_busy) == (True, True)
    gates.open(other)
    prompt.wait_for(other)
    assert not prompt.is_busy
    assert sorted(gates.driven) == sorted([one, other])
