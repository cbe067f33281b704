"""The runner: the one process that carries out durable work, on DBOS.

DBOS recovers the work of a fixed executor id when that executor starts again, and
runs work twice where two live processes share the id. So the id is fixed and a lock
(`runner_lock`) makes sure that only one process has it; every other process of the
service only enqueues, and takes over when the runner is dead or frozen.
"""

from __future__ import annotations

import threading
import time
from importlib.metadata import version
from uuid import UUID

from dbos import DBOS, DBOSPortableJSONSerializer
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.db.database import Database, connecting
from app.durable.abandoned import requeue_abandoned
from app.durable.draining import InterruptedRunError
from app.durable.enqueue import (
    APPLICATION_VERSION,
    ORDER_QUEUE,
    RUN_QUEUE,
    put_back,
    withdraw,
    workflow_of,
)
from app.durable.prompt import PROMPTLY, PromptRuns
from app.durable.runner_lock import RunnerLock, runner_alive
from app.durable.workflows import EVERY_HOUR, EVERY_MINUTE, TICK, TIDYING, Work, register

__all__ = ["EXECUTOR_ID", "Runner", "migrate", "pending_of_other_versions", "runner_alive"]

EXECUTOR_ID = "evenkeel-runner"
POLLING_SECONDS = {RUN_QUEUE: 0.2, ORDER_QUEUE: 0.1}
"""How often the queues are looked at. A look costs milliseconds; runs in the runner's own process do not wait for it."""
TAKE_OVER_SECONDS = 0.5
"""How often a process that is not the runner asks whether it may become it."""
HELD_SECONDS = 5.0
"""So long a run whose thread is held waits for its next turn."""
IDLE_SECONDS_MAX = 30.0
"""So long a transaction of DBOS may lie idle; then the database ends it, and what a frozen process has locked is free."""
_MADE_BY = text("select obj_description(to_regnamespace('dbos'), 'pg_namespace')")
_log = get_logger(__name__)


def migrate(database: Database) -> None:
    """Make DBOS' own tables, so that work can be enqueued before any runner has started.

    The schema remembers which DBOS made it: to find that out by itself, DBOS asks two databases over engines of its own.
    """
    made_by = f"made by DBOS {version('dbos')}"
    with database.engine.connect() as connection:
        if connection.execute(_MADE_BY).scalar_one() == made_by:
            return
    DBOS.migrate(system_database_url=database.url)
    with database.engine.begin() as connection:
        connection.execute(text(f"comment on schema dbos is '{made_by}'"))


class Runner:
    """Carries out the queue in this process while it holds the runner's lock."""

    def __init__(self, database: Database, work: Work, workers: int) -> None:
        self._database = database
        self._work = work
        self._workers = workers
        self._lock = RunnerLock(database)
        self._running = False
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None
        self._prompt = PromptRuns(self._drive, self._withdraw, workers)

    @property
    def running(self) -> bool:
        """Whether this process is the runner, as far as it has noticed."""
        return self._running

    def is_on_duty(self) -> bool:
        """Whether this process is the runner by what the lock says now. Raises SQLAlchemyError while the database is away."""
        return self._running and self._lock.holds()

    def start(self) -> bool:
        """Become the runner; False when another process is. Unfinished work is taken up again."""
        if not self._lock.take():
            return False
        try:
            self._launch()
        except BaseException:
            DBOS.destroy(destroy_registry=True)
            self._lock.give_back()
            raise
        self._running = True
        self._database.session_info[PROMPTLY] = self._prompt
        _log.info("runner_started")
        try:
            self._work.take_up()
        except Exception:  # noqa: BLE001  what was left behind is looked at again with the next tick; the work goes on
            _log.exception("not_taken_up")
        return True

    def _drive(self, run_id: UUID) -> None:
        """Drive a run here and now, unless this process has been replaced meanwhile."""
        if not self._lock.holds():
            raise InterruptedRunError("another process carries out the work")
        self._work.run_thread(run_id)

    def _withdraw(self, run_id: UUID) -> None:
        """A run has come to its end or pause by itself; its workflow would find nothing left to do."""
        with self._database.transaction() as session:
            withdraw(session, workflow_of(run_id))

    def _put_back(self, workflow_id: str) -> None:
        """A run's thread is held, here or by a process that was replaced: it waits without a worker."""
        _log.info("thread_held", workflow_id=workflow_id)
        with self._database.transaction() as session:
            put_back(session, workflow_id, HELD_SECONDS)

    def _launch(self) -> None:
        DBOS(
            config={
                "name": "evenkeel",
                "system_database_url": self._database.url,
                "serializer": DBOSPortableJSONSerializer(),
                "application_version": APPLICATION_VERSION,
                "executor_id": EXECUTOR_ID,
                "log_level": "WARNING",
                "db_engine_kwargs": {"connect_args": connecting(self._database.url)},
                "sys_db_idle_transaction_timeout_sec": IDLE_SECONDS_MAX,
                "notification_listener_polling_interval_sec": 0.1,
            }
        )
        scheduled = register(self._work, self._stopping, self._prompt, self._lock.holds, self._put_back)
        DBOS.launch()
        for queue, seconds in POLLING_SECONDS.items():
            DBOS.register_queue(queue, worker_concurrency=self._workers, polling_interval_sec=seconds)
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

    def _keep(self) -> None:
        """See again and again who is the runner: this process may have been replaced, and another may be dead or frozen."""
        while not self._stopping.wait(TAKE_OVER_SECONDS):
            try:
                if not self._running:
                    self._take_over()
                elif not self._lock.holds():
                    self._step_down()
                else:
                    requeue_abandoned(self._database, EXECUTOR_ID, frozenset(self._work.drain.left))
            except Exception:  # noqa: BLE001  whatever it was, this process must not end to stand by
                _log.warning("runner_cannot_ask", exc_info=True)

    def _take_over(self) -> None:
        """Become the runner, if there is none; one that has been silent for too long is none from the next time on."""
        if not self.start():
            self._lock.end_silent()

    def _step_down(self) -> None:
        """Take up nothing any more: another process is the runner. What has begun here goes on under its own locks."""
        self._running = False
        self._database.session_info.pop(PROMPTLY, None)
        _log.warning("runner_replaced")
        DBOS.destroy(workflow_completion_timeout_sec=0, destroy_registry=True)

    def stop(self, wait_seconds: float = 10) -> None:
        """Bring runs to their next edge and finish the rest, as far as there is time; then stop being the runner.

        What was not finished stays pending and is taken up by the next runner.
        """
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join()
        if not self._running:
            return
        self._database.session_info.pop(PROMPTLY, None)
        self._work.drain.begin()
        deadline = time.monotonic() + wait_seconds
        while self._at_work() and time.monotonic() < deadline:
            time.sleep(0.05)
        self._work.drain.abandoned = self._at_work()
        DBOS.destroy(workflow_completion_timeout_sec=0, destroy_registry=True)
        self._lock.give_back()
        self._running = False
        self._work.drain.end()

    def _at_work(self) -> bool:
        """Whether anything runs here that has not been left to the next. A database that is away has nothing to wait for."""
        if self._prompt.is_busy:
            return True
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
        where status in ('PENDING', 'ENQUEUED', 'DELAYED') and application_version <> :version order by created_at limit 100
    """)
    with database.engine.connect() as connection:
        return [row.workflow_uuid for row in connection.execute(query, {"version": APPLICATION_VERSION})]
