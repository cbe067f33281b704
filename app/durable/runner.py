"""The runner: the one process that carries out durable work, on DBOS.

DBOS recovers the work of a fixed executor id when that executor starts again, and
runs work twice where two live processes share the id. So the id is fixed and an
advisory lock makes sure that only one process has it; every other process of the
service only enqueues.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from dbos import DBOS, DBOSPortableJSONSerializer
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.db.database import Database
from app.durable.abandoned import requeue_abandoned
from app.durable.draining import Drain, InterruptedRunError, is_outage
from app.durable.enqueue import (
    APPLICATION_VERSION,
    CARRY_ORDER,
    ORDER_QUEUE,
    RESUME_THREAD,
    RUN_QUEUE,
    RUN_THREAD,
)

EXECUTOR_ID = "evenkeel-runner"
TICK = "tick"
EVERY_MINUTE = "0 * * * * *"
TIDYING = "tidying"
EVERY_HOUR = "0 17 * * * *"
WAIT_SECONDS_MAX = 300.0
LOOKS_AT_ONCE = 4
"""How often a confirmed transfer is looked at before it waits for the next tick."""
TAKE_OVER_SECONDS = 0.5
"""How often a process that is not the runner asks whether it may become it."""
_LOCK_KEY = 0x4576656E6B65656C  # "Evenkeel"
_LOCK_HELD = text("""
    select exists (select 1 from pg_locks where locktype = 'advisory' and granted and objsubid = 1
                   and database = (select oid from pg_database where datname = current_database())
                   and ((classid::bigint << 32) | objid::bigint) = :key and (pid = pg_backend_pid() or not :mine))
""")
AGAIN_SECONDS, AGAIN_SECONDS_MAX = 0.2, 15.0
"""The first and the longest wait before a run is driven again that the database's absence has interrupted."""
_log = get_logger(__name__)


Scheduled = Callable[[datetime, Any], None]


class _LeftToTheNextError(BaseException):
    """Work stops here without an outcome, and stays pending for the process that comes next.

    No `Exception`, because DBOS would record one as the outcome.
    """


class Work(Protocol):
    """What the workflows do. Every method may be called twice for the same thing."""

    def run_thread(self, run_id: UUID) -> None:
        """Drive a run to its end or pause."""

    def resume_thread(self, approval_id: UUID) -> None:
        """Wake the graph that waits for a request."""

    def release(self, approval_id: UUID) -> int:
        """Set going what an approval released, if the graph has not done so."""

    def post(self, transfer_id: UUID) -> str:
        """Ask the ERP for the transfer, once: `posted`, `refused`, `uncertain` or `stopped`."""

    def note_doubt(self, transfer_id: UUID, why: str) -> None:
        """Tell people that the ERP gives no certain answer about the order."""

    def look(self, transfer_id: UUID) -> str:
        """Ask the ERP whether the goods have left: `shipped`, `cancelled`, `waiting` or `stopped`."""

    def tick(self) -> None:
        """What is done every minute: expiry, and orders and runs that nobody carries."""

    def take_up(self) -> None:
        """What is done when a process begins to carry out work: see what an earlier one has left behind."""

    def tidy(self) -> None:
        """What is done every hour: forget what nobody needs any more."""

    @property
    def drain(self) -> Drain:
        """What stops the runs of this process when it closes."""

    @property
    def attempts_max(self) -> int:
        """How often the ERP is asked in a row before people are told."""

    @property
    def retry_seconds(self) -> float:
        """The first wait between two attempts; it doubles."""


def migrate(database: Database) -> None:
    """Make DBOS' own tables, so that work can be enqueued before any runner has started."""
    DBOS.migrate(system_database_url=database.url)


class Runner:
    """Carries out the queue in this process while it holds the runner's lock."""

    def __init__(self, database: Database, work: Work, workers: int) -> None:
        self._database = database
        self._work = work
        self._workers = workers
        self._lock: Connection | None = None
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether this process is the runner."""
        return self._lock is not None

    def start(self) -> bool:
        """Become the runner; False when another process is. Unfinished work is taken up again."""
        lock = self._locked()
        if lock is None:
            return False
        try:
            self._launch()
        except BaseException:
            DBOS.destroy(destroy_registry=True)
            lock.close()
            raise
        self._lock = lock
        _log.info("runner_started")
        try:
            self._work.take_up()
        except Exception:  # noqa: BLE001  what was left behind is looked at again with the next tick; the work goes on
            _log.exception("not_taken_up")
        return True

    def _launch(self) -> None:
        DBOS(
            config={
                "name": "evenkeel",
                "system_database_url": self._database.url,
                "serializer": DBOSPortableJSONSerializer(),
                "application_version": APPLICATION_VERSION,
                "executor_id": EXECUTOR_ID,
                "log_level": "WARNING",
                "notification_listener_polling_interval_sec": 0.1,
            }
        )
        scheduled = _register(self._work, self._stopping)
        DBOS.launch()
        for queue in (RUN_QUEUE, ORDER_QUEUE):
            DBOS.register_queue(queue, worker_concurrency=self._workers, polling_interval_sec=0.1)
        DBOS.apply_schedules(
            [
                {"schedule_name": name, "workflow_fn": scheduled[name], "schedule": when, "context": None}
                for name, when in ((TICK, EVERY_MINUTE), (TIDYING, EVERY_HOUR))
            ]
        )

    def start_when_free(self) -> None:
        """Become the runner now, or as soon as the present one is gone; and again after the lock was lost."""
        self.start()
        self._keeper = threading.Thread(target=self._keep, name="evenkeel-runner-keeper", daemon=True)
        self._keeper.start()

    def _locked(self) -> Connection | None:
        """The runner's lock, held by a connection of its own; None where another process holds it."""
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # the lock belongs to the connection, and in the pool that would live on after its close
        if connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": _LOCK_KEY}).scalar_one():
            return connection
        connection.close()
        return None

    def _keep(self) -> None:
        """Ask for the lock again and again: it is another's, or it may be gone with a connection of ours that broke."""
        while not self._stopping.wait(TAKE_OVER_SECONDS):
            try:
                if self._lock is None:
                    self.start()
                elif not self._holds_lock():
                    self._lock = self._locked()
                    if self._lock is None:
                        _log.warning("runner_replaced")
                        DBOS.destroy(workflow_completion_timeout_sec=0, destroy_registry=True)
                else:
                    requeue_abandoned(self._database, EXECUTOR_ID, frozenset(self._work.drain.left))
            except SQLAlchemyError:
                _log.warning("runner_cannot_ask", exc_info=True)

    def _holds_lock(self) -> bool:
        """Asked of the connection that took it: one that broke may have been replaced by another without the lock."""
        try:
            return self._lock is not None and _is_held(self._lock, mine=True)
        except SQLAlchemyError:
            return False

    def stop(self, wait_seconds: float = 10) -> None:
        """Bring runs to their next edge and finish the rest, as far as there is time; then stop being the runner.

        What was not finished stays pending and is taken up by the next runner.
        """
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join()
        if self._lock is None:
            return
        self._work.drain.begin()
        deadline = time.monotonic() + wait_seconds
        while self._at_work() and time.monotonic() < deadline:
            time.sleep(0.05)
        self._work.drain.abandoned = self._at_work()
        DBOS.destroy(workflow_completion_timeout_sec=0, destroy_registry=True)
        with suppress(SQLAlchemyError):  # a connection that broke has given the lock back by itself
            self._lock.execute(text("select pg_advisory_unlock(:key)"), {"key": _LOCK_KEY})
        self._lock.close()
        self._lock = None
        self._work.drain.end()

    def _at_work(self) -> bool:
        """Whether anything runs here that has not been left to the next. A database that is away has nothing to wait for."""
        query = text("select workflow_uuid from dbos.workflow_status where status = 'PENDING' and executor_id = :id")
        try:
            with self._database.engine.connect() as connection:
                pending = set(connection.execute(query, {"id": EXECUTOR_ID}).scalars())
        except SQLAlchemyError:
            return False
        return bool(pending - self._work.drain.left)


def pending_of_other_versions(database: Database) -> list[str]:
    """Work that this version will never carry out. An operator has to know of it."""
    query = text("""
        select workflow_uuid from dbos.workflow_status
        where status in ('PENDING', 'ENQUEUED') and application_version <> :version order by created_at limit 100
    """)
    with database.engine.connect() as connection:
        return [row.workflow_uuid for row in connection.execute(query, {"version": APPLICATION_VERSION})]


def _register(work: Work, stopping: threading.Event) -> dict[str, Scheduled]:
    """Declare the workflows. Steps are at-least-once; that is why every method of `Work` may be called twice.

    Returns those that have a schedule.
    """
    _register_runs(work, stopping)
    _register_orders(work)
    return {TICK: _register_tick(work), TIDYING: _register_tidying(work)}


def _through_outages(work: Work, stopping: threading.Event, drive: Callable[[], None]) -> None:
    """Drive a run, again after each interruption, to its end. While the process closes it is left to the next one."""
    wait = AGAIN_SECONDS
    while True:
        try:
            return drive()
        except Exception as failed:
            if not (isinstance(failed, InterruptedRunError) or is_outage(failed)):
                raise
            if work.drain.wait(wait) or stopping.is_set():
                work.drain.leave(str(DBOS.workflow_id))
                raise _LeftToTheNextError from failed
            _log.warning("run_driven_again", workflow_id=DBOS.workflow_id, why=type(failed).__name__)
        wait = min(wait * 2, AGAIN_SECONDS_MAX)


def _register_runs(work: Work, stopping: threading.Event) -> None:
    @DBOS.step(name="run_thread_step")
    def run_step(run_id: str) -> None:
        _through_outages(work, stopping, lambda: work.run_thread(UUID(run_id)))

    @DBOS.workflow(name=RUN_THREAD)
    def run_thread(run_id: str) -> None:
        run_step(run_id)

    @DBOS.step(name="resume_thread_step", retries_allowed=True, max_attempts=5, interval_seconds=1.0)
    def resume_step(approval_id: str) -> None:
        _through_outages(work, stopping, lambda: work.resume_thread(UUID(approval_id)))

    @DBOS.step(name="release_step", retries_allowed=True, max_attempts=10, interval_seconds=1.0)
    def release_step(approval_id: str) -> int:
        return work.release(UUID(approval_id))

    @DBOS.workflow(name=RESUME_THREAD)
    def resume_thread(approval_id: str) -> int:
        try:
            resume_step(approval_id)
        except Exception:  # noqa: BLE001  what was approved is carried out even when its conversation is broken
            _log.exception("thread_not_resumed", approval_id=approval_id)
        return release_step(approval_id)

    del run_thread, resume_thread


def _register_orders(work: Work) -> None:
    @DBOS.step(name="post_step")
    def post_step(transfer_id: str) -> str:
        return work.post(UUID(transfer_id))

    @DBOS.step(name="look_step")
    def look_step(transfer_id: str) -> str:
        return work.look(UUID(transfer_id))

    @DBOS.step(name="note_doubt_step")
    def note_doubt_step(transfer_id: str, why: str) -> None:
        work.note_doubt(UUID(transfer_id), why)

    @DBOS.workflow(name=CARRY_ORDER)
    def carry_order(transfer_id: str) -> str:
        outcome = _until_certain(post_step, transfer_id, work, note_doubt_step)
        return _until_certain(look_step, transfer_id, work, note_doubt_step) if outcome == "posted" else outcome

    del carry_order


def _register_tick(work: Work) -> Scheduled:
    @DBOS.step(name="tick_step")
    def tick_step() -> None:
        work.tick()
        _forget_old_ticks()

    @DBOS.workflow(name=TICK)
    def tick(_scheduled_at: datetime, _context: Any) -> None:
        tick_step()

    return tick


def _register_tidying(work: Work) -> Scheduled:
    @DBOS.step(name="tidying_step")
    def tidying_step() -> None:
        work.tidy()

    @DBOS.workflow(name=TIDYING)
    def tidying(_scheduled_at: datetime, _context: Any) -> None:
        tidying_step()

    return tidying


def _until_certain(
    ask: Callable[[str], str], transfer_id: str, work: Work, note_doubt: Callable[[str, str], None]
) -> str:
    """Ask until the answer is certain, a few times: then people are told, and the tick has it asked again.

    So neither an ERP that is down nor a warehouse that takes its time keeps a worker.
    """
    doubts, looks, wait = 0, 0, work.retry_seconds
    while doubts < work.attempts_max:
        try:
            outcome = ask(transfer_id)
        except Exception:  # noqa: BLE001  a broken connection or an answer that makes no sense: nobody knows what was done
            _log.exception("no_certain_answer", transfer_id=transfer_id)
            outcome = "uncertain"
        looks += outcome == "waiting"
        if outcome not in ("uncertain", "waiting") or looks == LOOKS_AT_ONCE:
            return outcome
        doubts += outcome == "uncertain"
        DBOS.sleep(wait)
        wait = min(wait * 2, WAIT_SECONDS_MAX)
    note_doubt(transfer_id, f"the ERP gave no certain answer in {work.attempts_max} attempts")
    return "uncertain"


def _forget_old_ticks() -> None:
    """A tick leaves rows behind, its own and those of orders that it had looked at; after a day nobody asks for them."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    for name in (TICK, TIDYING, CARRY_ORDER):
        old = DBOS.list_workflows(name=name, status=["SUCCESS", "ERROR"], end_time=yesterday, limit=5_000)
        DBOS.delete_workflows([workflow.workflow_id for workflow in old])


def runner_alive(database: Database) -> bool:
    """Whether some process holds the runner's lock."""
    with database.engine.connect() as connection:
        return _is_held(connection, mine=False)


def _is_held(connection: Connection, *, mine: bool) -> bool:
    return bool(connection.execute(_LOCK_HELD, {"key": _LOCK_KEY, "mine": mine}).scalar_one())
