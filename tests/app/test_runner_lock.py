"""A frozen process: its silence is noticed, what it holds is freed, and what lost its lock begins nothing any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from dbos._dbos import _get_dbos_instance
from sqlalchemy import Connection, text
from sqlalchemy.exc import InternalError, OperationalError

from app.db.database import Database
from app.durable import runner_lock
from app.durable.draining import is_outage
from app.durable.runner import Runner, runner_alive
from app.durable.runner_lock import RunnerLock
from app.erp.simulated import SimulatedErp
from app.service import Service, running
from app.threads.runs import start_scan
from app.threads.tables import Run, RunStatus
from tests.installation import PAULA, approve, orders, run_is_over, submitted, until
from tools.execution import OrderState
from tools.transfers import PlanRequest

OF_A_THREAD = 7


@pytest.fixture
def locks(service: Service) -> Iterator[tuple[RunnerLock, RunnerLock]]:
    """The lock as the runner and as one who stands by see it."""
    runner, other = RunnerLock(service.database), RunnerLock(service.database)
    assert (runner.take(), other.take()) == (True, False)
    yield runner, other
    other.give_back()
    runner.give_back()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is long."""
    monkeypatch.setattr(runner_lock, "SILENT_SECONDS", 1.0)


@contextmanager
def frozen(lock: RunnerLock) -> Iterator[None]:
    """Nothing is said for the lock."""
    with lock._asking:
        yield


@contextmanager
def left_open(database: Database) -> Iterator[Connection]:
    """A session in the middle of a transaction; it may be ended meanwhile."""
    connection = database.engine.connect()
    connection.execute(text("select 1"))
    yield connection
    connection.invalidate()
    connection.close()


@contextmanager
def replaced(service: Service) -> Iterator[Runner]:
    """A runner whose lock is another's, before it has looked."""
    runner, other = Runner(service.database, service, 2), RunnerLock(service.database)
    assert runner.start()
    try:
        with frozen(runner._lock):
            _end_sessions(service.database)
            until("the lock", other.take)
        yield runner
    finally:
        runner.stop(wait_seconds=0)
        other.give_back()


def test_a_session_that_says_something_now_and_then_is_never_ended(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_lock, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(runner_lock, "SILENT_SECONDS", 1.0)
    runner, other = RunnerLock(service.database), RunnerLock(service.database)
    with left_open(service.database) as busy:
        assert runner.take()
        for _ in range(15):
            assert other.end_silent() == 0
            time.sleep(0.1)
        busy.execute(text("select 1"))
    assert (other.take(), runner.holds()) == (False, True)
    runner.give_back()


@pytest.mark.usefixtures("soon")
def test_one_that_is_silent_counts_for_nothing_is_ended_and_does_not_hold_the_lock_when_it_wakes(
    service: Service, locks: tuple[RunnerLock, RunnerLock]
) -> None:
    runner, other = locks
    assert runner_alive(service.database)
    with frozen(runner):
        until("its silence to be noticed", lambda: not runner_alive(service.database))
        until("the silent session to be ended", lambda: other.end_silent() == 1)
        until("the lock", other.take)
    assert (runner.holds(), other.holds()) == (False, True)


@pytest.mark.usefixtures("soon")
def test_what_a_frozen_process_has_locked_in_a_transaction_is_free_and_the_lock_of_its_thread_stays(
    service: Service, locks: tuple[RunnerLock, RunnerLock]
) -> None:
    runner, other = locks
    with service.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as thread:
        thread.execute(text("select pg_advisory_lock(:key)"), {"key": OF_A_THREAD})
        with left_open(service.database) as transaction, frozen(runner):
            time.sleep(1.2)
            assert other.end_silent() == 2
            with pytest.raises(OperationalError) as ended:
                transaction.execute(text("select 1"))
        assert is_outage(ended.value), "a run to which this happens is driven again"
        assert thread.execute(text("select pg_advisory_unlock(:key)"), {"key": OF_A_THREAD}).scalar_one()


@pytest.mark.usefixtures("soon")
def test_what_a_frozen_process_said_last_and_what_it_still_waits_for_is_ended_too(
    service: Service, locks: tuple[RunnerLock, RunnerLock]
) -> None:
    runner, other = locks
    failed: list[Exception] = []

    def stand_in_line() -> None:
        with left_open(service.database) as waiting:
            try:
                waiting.execute(text("select pg_advisory_xact_lock(:key)"), {"key": OF_A_THREAD})
            except OperationalError as ended:
                failed.append(ended)

    with service.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as thread:
        thread.execute(text("select pg_advisory_lock(:key)"), {"key": OF_A_THREAD})
        in_line = threading.Thread(target=stand_in_line)
        with left_open(service.database) as transaction, frozen(runner):
            until("the holder to be silent", lambda: not runner_alive(service.database))
            in_line.start()
            until("the other to stand in line", lambda: _somebody_waits(service))
            transaction.execute(text("select 1"))
            assert other.end_silent() == 3
            with pytest.raises(OperationalError):
                transaction.execute(text("select 1"))
        in_line.join()
        assert [is_outage(each) for each in failed] == [True]
        assert thread.execute(text("select pg_advisory_unlock(:key)"), {"key": OF_A_THREAD}).scalar_one()


def test_a_session_that_broke_takes_the_lock_again_where_nobody_was_faster(
    service: Service, locks: tuple[RunnerLock, RunnerLock]
) -> None:
    runner, other = locks
    with service.database.engine.connect() as connection:
        connection.execute(
            text("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
                 " and pid <> pg_backend_pid()")
        )  # fmt: skip
    assert (runner.holds(), other.take()) == (True, False)


def test_a_runner_that_has_been_replaced_begins_nothing_although_nobody_has_told_it(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    erp = SimulatedErp(tmp_path / "erp")
    service = open_with(erp=erp)
    request = submitted(service)
    with replaced(service) as runner:
        approve(service, request)
        with service.database.transaction() as session:
            run_id = start_scan(session, PAULA, PlanRequest())[0].run_id
        until("what was decided to be taken from its queue", lambda: _taken(service, f"resume:{request.approval_id}"))
        until("the run to be left to the queue", lambda: not runner._prompt.is_busy)
        time.sleep(0.5)
        assert (runner.running, runner.is_on_duty()) == (True, False), "no round of the relay begins either"
        assert {order.state for order in orders(service)} == {OrderState.RELEASED}
        assert (_status(service, run_id), erp.calls("create")) == (RunStatus.QUEUED, 0)
    with running(service):
        until("the orders", lambda: {order.state for order in orders(service)} == {OrderState.SHIPPED})
        until("the run", lambda: run_is_over(service, run_id))
    assert erp.calls("create") == request.lines


def test_a_transaction_that_lies_idle_is_ended_as_a_broken_connection_is_and_the_next_one_begins(
    service: Service,
) -> None:
    with service.database.transaction() as session:
        assert session.connection().execute(text("show idle_in_transaction_session_timeout")).scalar_one() == "15min"
    with pytest.raises(InternalError) as ended, service.database.transaction() as session:
        session.connection().execute(text("set local idle_in_transaction_session_timeout = 100"))
        time.sleep(0.4)
        session.connection().execute(text("select 1"))
    assert is_outage(ended.value)
    with service.database.transaction() as session:
        assert session.connection().execute(text("select 1")).scalar_one() == 1


def test_the_durable_engine_lets_no_transaction_lie_idle_for_longer_than_a_take_over_may_take(service: Service) -> None:
    with running(service), _get_dbos_instance()._sys_db.engine.connect() as connection:
        asked = text(
            "select current_setting('idle_in_transaction_session_timeout'), current_setting('application_name')"
        )
        mine = text("select current_setting('application_name')")
        with service.database.engine.connect() as own:
            name = own.execute(mine).scalar_one()
        assert tuple(connection.execute(asked).one()) == ("30s", name)


def test_a_database_that_a_broken_network_swallows_is_given_up_soon_unless_its_address_says_otherwise(
    service: Service,
) -> None:
    patient = Database(f"{service.database.url}&tcp_user_timeout=7")
    with running(service):
        engines = [service.database.engine, _get_dbos_instance()._sys_db.engine, patient.engine]
        found = []
        for engine in engines:
            with engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert isinstance(driver, psycopg.Connection)
                asked = driver.info.get_parameters()
            found.append((asked["tcp_user_timeout"], asked["keepalives_idle"], asked["connect_timeout"]))
    patient.close()
    assert found == [("20000", "10", "10")] * 2 + [("7", "10", "10")]


def _end_sessions(database: Database) -> None:
    """End whoever holds the runner's lock."""
    with database.engine.connect() as connection:
        connection.execute(
            text(f"select pg_terminate_backend(pid) from pg_locks where {runner_lock._HELD}"),
            {"key": runner_lock.LOCK_KEY},
        )


def _somebody_waits(service: Service) -> bool:
    """Whether somebody stands in line for an advisory lock."""
    with service.database.engine.connect() as connection:
        query = text("select exists (select 1 from pg_locks where locktype = 'advisory' and not granted)")
        return bool(connection.execute(query).scalar_one())


def _taken(service: Service, workflow_id: str) -> bool:
    """Whether a workflow has been taken from its queue, and has not ended."""
    query = text("select status = 'PENDING' from dbos.workflow_status where workflow_uuid = :id")
    with service.database.engine.connect() as connection:
        return bool(connection.execute(query, {"id": workflow_id}).scalar_one_or_none())


def _status(service: Service, run_id: UUID) -> RunStatus:
    with service.database.transaction() as session:
        return session.get_one(Run, run_id).status
