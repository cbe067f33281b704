"""The runner: the one process that carries out durable work, on DBOS.

DBOS recovers the work of a fixed executor id when that executor starts again, and
runs work twice where two live processes share the id. So the id is fixed and an
advisory lock makes sure that only one process has it; every other process of the
service only enqueues.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from uuid import UUID

from dbos import DBOS, DBOSPortableJSONSerializer
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.db.database import Database
from app.durable.abandoned import requeue_abandoned
from app.durable.enqueue import (
    APPLICATION_VERSION,
    ORDER_QUEUE,
    RUN_QUEUE,
    withdraw,
    workflow_of,
)
from app.durable.prompt import PROMPTLY, PromptRuns
from app.durable.workflows import EVERY_HOUR, EVERY_MINUTE, TICK, TIDYING, Work, register

EXECUTOR_ID = "evenkeel-runner"
POLLING_SECONDS = {RUN_QUEUE: 0.2, ORDER_QUEUE: 0.1}
"""How often the queues are looked at. A look costs milliseconds; runs in the runner's own process do not wait for it."""
TAKE_OVER_SECONDS = 0.5
"""How often a process that is not the runner asks whether it may become it."""
_LOCK_KEY = 0x4576656E6B65656C  # "Evenkeel"
_LOCK_HELD = text("""
    select exists (select 1 from pg_locks where locktype = 'advisory' and granted and objsubid = 1
                   and database = (select oid from pg_database where datname = current_database())
                   and ((classid::bigint << 32) | objid::bigint) = :key and (pid = pg_backend_pid() or not :mine))
""")
_log = get_logger(__name__)


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
        self._prompt = PromptRuns(work.run_thread, self._withdraw, workers)

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
        self._database.session_info[PROMPTLY] = self._prompt
        _log.info("runner_started")
        try:
            self._work.take_up()
        except Exception:  # noqa: BLE001  what was left behind is looked at again with the next tick; the work goes on
            _log.exception("not_taken_up")
        return True

    def _withdraw(self, run_id: UUID) -> None:
        """A run has come to its end or pause by itself; its workflow would find nothing left to do."""
        with self._database.transaction() as session:
            withdraw(session, workflow_of(run_id))

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
        scheduled = register(self._work, self._stopping, self._prompt)
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
                        self._database.session_info.pop(PROMPTLY, None)
                        _log.warning("runner_replaced")
                        DBOS.destroy(workflow_completion_timeout_sec=0, destroy_registry=True)
                else:
                    requeue_abandoned(self._database, EXECUTOR_ID, frozenset(self._work.drain.left))
            except Exception:  # noqa: BLE001  whatever it was, this process must not end to stand by
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
        self._database.session_info.pop(PROMPTLY, None)
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


def runner_alive(database: Database) -> bool:
    """Whether some process holds the runner's lock."""
    with database.engine.connect() as connection:
        return _is_held(connection, mine=False)


def _is_held(connection: Connection, *, mine: bool) -> bool:
    return bool(connection.execute(_LOCK_HELD, {"key": _LOCK_KEY, "mine": mine}).scalar_one())
