"""The runner's lock: a session of the database holds it, and shows by what it says that its process lives.

A process that dies loses the session, and with it the lock. One that is frozen (stopped,
swapped out, paused) keeps both. So the session says something every few seconds, and
the database notes when, by its own clock. Whoever stands by ends a session that has been
silent for too long, together with those that its process has left in the middle of something,
whenever they spoke last: row locks, and conversations with the ERP, that others wait for.

A process that wakes after that finds its session gone. No step of a workflow and no round of
the relay begins before the lock has been asked for (`holds`), so it begins none any more.
What it had begun goes on, beside the process that has taken over, and doubles nothing:

- A transaction whose session was ended cannot be committed.
- DBOS lets only one of two executions of a workflow write its next step.
- An ERP is asked for a transfer under its permanent key, and makes one of it however often
  and late it is asked; what it answers is booked once, as the ledger takes an event's key once.
- A run is driven under the lock of its thread. That session is at rest meanwhile and is
  left alone: a conversation waits for the process that has begun to answer in it, and keeps
  no worker meanwhile.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.db.database import Database

BEAT_SECONDS = 2.0
"""How often the session that holds the lock says something at least."""
SILENT_SECONDS = 30.0
"""A session that has said nothing for so long is a frozen process': a dozen beats, and half of the minute that a take-over may take."""
LOCK_KEY = 0x4576656E6B65656C  # "Evenkeel"
_HELD = """
    locktype = 'advisory' and granted and objsubid = 1
    and database = (select oid from pg_database where datname = current_database())
    and ((classid::bigint << 32) | objid::bigint) = :key
"""
_SOMEBODY = text(f"""
    select exists (select 1 from pg_locks left join pg_stat_activity using (pid) where {_HELD}
                   and (state_change is null or state_change >= clock_timestamp() - make_interval(secs => :seconds)))
""")  # noqa: S608  a constant
_TAKE, _GIVE_BACK = text("select pg_try_advisory_lock(:key)"), text("select pg_advisory_unlock(:key)")
_BEAT = text("select 1")
# One look decides: where a number has gone to another session by now, that one has just begun and is not silent.
# Of the others none has to be silent for as long: one that spoke right after the holder, or that still waits for a lock,
# would be left behind, as nobody looks for silent sessions any more once the lock is taken.
_END_SILENT = text(f"""
    with activity as materialized (
        select pid, application_name, state, state_change < clock_timestamp() - make_interval(secs => :seconds) as silent
        from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
    ), holder as (
        select pid, application_name from activity where silent and pid in (select pid from pg_locks where {_HELD})
    )
    select count(*) filter (where pg_terminate_backend(activity.pid)) from activity join holder
    on activity.pid = holder.pid or (activity.application_name = holder.application_name and activity.state <> 'idle')
""")  # noqa: S608  a constant
_log = get_logger(__name__)


class RunnerLock:
    """The lock as one process sees it. Every method may be called by any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking = threading.RLock()  # a session is asked one thing at a time
        self._session: Connection | None = None
        self._is_mine = False
        self._given_back = threading.Event()

    def take(self) -> bool:
        """Take the lock; False when another process holds it."""
        with self._asking:
            self._session = self._taken()
            self._is_mine = self._session is not None
            if self._is_mine:
                self._given_back.set()  # whoever still beats for a lock that was lost
                self._given_back = threading.Event()
                beat = threading.Thread(
                    target=self._beat, args=(self._given_back,), name="evenkeel-runner-beat", daemon=True
                )
                beat.start()
            return self._is_mine

    def holds(self) -> bool:
        """Whether this process holds the lock, asked of the session that took it.

        A session that broke has given the lock back; it is taken again where nobody was
        faster. Raises SQLAlchemyError while the database is away.
        """
        with self._asking:
            if not self._is_mine or self._answers():
                return self._is_mine
            self._session = self._taken()
            self._is_mine = self._session is not None
            return self._is_mine

    def end_silent(self) -> int:
        """End a holder that has been silent for too long, and what it has left in the middle; returns how many sessions."""
        with self._database.engine.connect() as connection:
            ended: int = connection.execute(_END_SILENT, {"key": LOCK_KEY, "seconds": SILENT_SECONDS}).scalar_one()
        if ended:
            _log.warning("silent_runner_ended", sessions=ended, silent_seconds=SILENT_SECONDS)
        return ended

    def give_back(self) -> None:
        """Let the next one take it."""
        with self._asking:
            self._given_back.set()
            self._is_mine = False
            if self._session is not None:
                with suppress(SQLAlchemyError):  # a session that broke has given the lock back by itself
                    self._session.execute(_GIVE_BACK, {"key": LOCK_KEY})
                self._session.close()
                self._session = None

    def _taken(self) -> Connection | None:
        """A session of its own that has taken the lock; None where another holds it."""
        session = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()  # the lock belongs to the session, and in the pool that would live on after its close
        if session.execute(_TAKE, {"key": LOCK_KEY}).scalar_one():
            return session
        session.close()
        return None

    def _answers(self) -> bool:
        """Whether the session lives. One that broke is never asked again: it would be replaced by one without the lock."""
        if self._session is None:
            return False
        try:
            self._session.execute(_BEAT)
        except SQLAlchemyError as broke:
            _log.warning("runner_session_broke", why=type(broke).__name__)
            with suppress(SQLAlchemyError):
                self._session.close()
            self._session = None
            return False
        return True

    def _beat(self, given_back: threading.Event) -> None:
        """Say something again and again, whatever else the process is busy with: starting, closing, looking for work."""
        while not given_back.wait(BEAT_SECONDS):
            try:
                if not self.holds():
                    return
            except SQLAlchemyError as away:
                _log.warning("runner_cannot_beat", why=type(away).__name__)


def runner_alive(database: Database) -> bool:
    """Whether some process holds the runner's lock and is not frozen."""
    with database.engine.connect() as connection:
        return bool(connection.execute(_SOMEBODY, {"key": LOCK_KEY, "seconds": SILENT_SECONDS}).scalar_one())
