"""Closing: runs stop at the next edge between their nodes and are taken up again, and no other run begins."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from app.durable.runner import Runner
from app.service import Service, running
from app.threads.lost_questions import LOST_QUESTION
from app.threads.resumes import note_resume
from app.threads.runs import open_thread, say
from app.threads.tables import Door, Run, RunStatus
from app.threads.taking_up import take_up_runs
from app.web.server import Server
from graphs.nodes import names
from graphs.nodes.names import TOOLBOX
from graphs.rebalance import _machine, build_graph
from tests.installation import PAULA, approve, carry_out, orders, run_is_over, submitted, until
from tests.vendor import Vendor, calls, says
from tools.execution import OrderState


class HeldBack:
    """A vendor's first answer, which comes when it is let go."""

    def __init__(self, vendor: Vendor) -> None:
        self.asked, self._let_go = threading.Event(), threading.Event()
        self.count = 0
        vendor.always = self._answer

    def _answer(self) -> httpx.Response:
        self.count += 1
        if self.count == 1:
            self.asked.set()
            assert self._let_go.wait(60)
            return calls(("list_imbalances", {}))
        return says("It is balanced.")

    def let_go(self) -> None:
        """Let the answer come."""
        self._let_go.set()


@pytest.fixture
def held(vendor: Vendor) -> Iterator[HeldBack]:
    """A vendor that keeps a run waiting."""
    answer = HeldBack(vendor)
    yield answer
    answer.let_go()


def spoken_to(service: Service) -> Run:
    """A run that nobody drives yet."""
    with service.database.transaction() as session:
        thread = open_thread(session, PAULA, Door.CHAT, "")
        return say(session, PAULA, thread.thread_id, "Where are we short?")


def row_of(service: Service, run: Run) -> Run:
    """The run as it stands."""
    with Session(service.database.engine) as session:
        return session.get_one(Run, run.run_id)


def workflow_of(service: Service, run: Run) -> str:
    """How DBOS calls the state of the run's workflow."""
    with service.database.engine.connect() as connection:
        asked = text("select status from dbos.workflow_status where workflow_uuid = :id")
        return str(connection.execute(asked, {"id": f"run:{run.run_id}"}).scalar_one())


def told(service: Service, run: Run) -> list[str]:
    """The kinds of everything that whoever watches was told."""
    return [event.kind for event in service.stream.read(run.run_id, "0")]


@contextmanager
def closing(runner: Runner, wait_seconds: float) -> Iterator[threading.Thread]:
    """The runner while it stops."""
    stopping = threading.Thread(target=runner.stop, args=(wait_seconds,))
    stopping.start()
    yield stopping
    stopping.join(60)


def test_a_run_stops_at_the_next_edge_when_the_service_closes_and_the_next_process_brings_it_to_its_end(
    agent: Service, held: HeldBack
) -> None:
    run = spoken_to(agent)
    first = Runner(agent.database, agent, 2)
    first.start()
    assert held.asked.wait(60)
    with closing(first, 30):
        until("the closing to begin", lambda: agent.drain.begun)
        held.let_go()
    assert not agent.drain.abandoned
    assert (row_of(agent, run).status, workflow_of(agent, run)) == (RunStatus.RUNNING, "PENDING")
    assert [task.name for task in agent.driver.state(run.thread_id).tasks] == [TOOLBOX]
    assert told(agent, run)[-1] == "interrupted"
    with running(agent):
        until("the run", lambda: run_is_over(agent, run.run_id))
    assert row_of(agent, run).status is RunStatus.DONE
    assert held.count == 2, "what the llm had said was not asked for again"
    kinds = told(agent, run)
    assert kinds[kinds.index("interrupted") + 1] == "resumed"
    assert kinds.count("done") == 1
    assert agent.driver.last_words(run.thread_id) == "It is balanced."


def test_no_run_begins_while_the_service_closes_and_it_waits_for_the_next_process(
    agent: Service, vendor: Vendor
) -> None:
    vendor.will(says("Nowhere."))
    run = spoken_to(agent)
    agent.drain.begin()
    with running(agent):
        until("the run to be left", lambda: f"run:{run.run_id}" in agent.drain.left)
    assert (row_of(agent, run).status, vendor.sent) == (RunStatus.QUEUED, [])
    with running(agent):
        until("the run", lambda: run_is_over(agent, run.run_id))
    assert row_of(agent, run).status is RunStatus.DONE


def test_a_step_that_does_not_end_keeps_nobody_waiting_and_its_run_is_driven_again(
    agent: Service, held: HeldBack
) -> None:
    run = spoken_to(agent)
    first = Runner(agent.database, agent, 2)
    first.start()
    assert held.asked.wait(60)
    began = time.monotonic()
    first.stop(0.2)
    assert time.monotonic() - began < 10
    assert agent.drain.abandoned
    assert row_of(agent, run).status is RunStatus.RUNNING
    held.let_go()
    with running(agent):
        until("the run", lambda: run_is_over(agent, run.run_id))
    assert row_of(agent, run).status is RunStatus.DONE
    assert told(agent, run).count("done") == 1


def test_a_signal_stops_runs_before_the_last_request_is_answered(service: Service) -> None:
    server = Server(service)
    server.handle_exit(signal.SIGTERM, None)
    assert service.drain.begun
    assert server.should_exit


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.RUNNING])
def test_an_active_run_whose_work_was_lost_is_taken_up_once(agent: Service, vendor: Vendor, status: RunStatus) -> None:
    vendor.will(says("Nowhere."))
    run = spoken_to(agent)
    assert _taken_up(agent) == 0, "its work is in the queue"
    with agent.database.transaction() as session:
        session.get_one(Run, run.run_id).status = status
        session.connection().execute(text("update dbos.workflow_status set status = 'ERROR'"))
    with running(agent):
        until("the run", lambda: run_is_over(agent, run.run_id))
        assert _taken_up(agent) == 0
    assert row_of(agent, run).status is RunStatus.DONE


def test_a_resume_whose_work_was_lost_is_taken_up(service: Service) -> None:
    request = submitted(service)
    thread_id = UUID(request.thread_id or "")
    approve(service, request)
    with service.database.transaction() as session:
        note_resume(session, thread_id, request.approval_id)
        session.connection().execute(text("update dbos.workflow_status set status = 'ERROR'"))
    with running(service):
        until("the orders", lambda: {each.state for each in orders(service, request)} == {OrderState.SHIPPED})
        until("the thread", lambda: not service.driver.state(thread_id).tasks)
    assert "approved by ada" in service.driver.last_words(thread_id)


def test_a_conversation_that_lost_its_question_says_so_and_its_plan_can_still_be_decided(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = submitted(service)
    thread_id = UUID(request.thread_id or "")
    service.take_up()
    assert endings(service, thread_id) == [(RunStatus.WAITING, None)]
    monkeypatch.setattr(names, "APPROVAL_GATE", "gate_of_another_release")
    monkeypatch.setattr("graphs.rebalance._machine", _machine.__wrapped__)
    monkeypatch.setattr(service.driver, "_graph", build_graph(service.driver._graph.checkpointer))  # type: ignore[arg-type]  # it has one
    service.take_up()
    assert endings(service, thread_id) == [(RunStatus.FAILED, LOST_QUESTION)]
    approve(service, request)
    assert {each.state for each in carry_out(service, request)} == {OrderState.SHIPPED}
    assert endings(service, thread_id) == [(RunStatus.FAILED, LOST_QUESTION)] * 2


def endings(service: Service, thread_id: UUID) -> list[tuple[RunStatus, str | None]]:
    """How the runs of a thread ended."""
    with service.database.transaction() as session:
        found = session.exec(select(Run).where(Run.thread_id == thread_id)).all()
        return [(run.status, run.error) for run in found]


def _taken_up(service: Service) -> int:
    with service.database.transaction() as session:
        return take_up_runs(session)
