"""Transactions that stand still in the way of one that must not be kept waiting, and are ended for it.

A process that is frozen in the middle of a transaction (stopped, swapped out, paused) keeps
what it has locked. Whoever has to be through within a second cannot wait until it wakes. A
frozen process is silent in all its sessions, so one that speaks in any of them is waited
for, and so is whoever works in the process that asks: that one lives. What is ended is
rolled back as a whole, as in a crash, which everything that writes survives.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session
from structlog import get_logger

STILL_SECONDS = 0.5
"""So long a process said nothing whose transaction is ended: a living one says something every few milliseconds."""
LOOK_SECONDS = 0.05
"""How often it is looked who stands in the way."""
_END_STILL = text("""
    with activity as materialized (
        select pid, application_name as process, state, clock_timestamp() - state_change as silence from pg_stat_activity
        where datname = current_database() and application_name <> current_setting('application_name')
    ), silent as (
        select process, round(extract(epoch from min(silence)), 3)::float as seconds from activity
        group by process having min(silence) > make_interval(secs => :seconds)
    ), still as materialized (
        select pid, process, seconds from activity join silent using (process)
        where pid = any(pg_blocking_pids(:waiting)) and state like 'idle in transaction%'
    )
    select pid, process, seconds, pg_terminate_backend(pid) as ended from still
""")
_log = get_logger(__name__)


@contextmanager
def not_kept_waiting(session: Session) -> Iterator[None]:
    """Whatever the session waits for meanwhile, it does not wait for a transaction of another process that is silent.

    One of a process that says something is waited for as ever.
    """
    pid = session.connection().execute(text("select pg_backend_pid()")).scalar_one()
    through = threading.Event()
    clearing = threading.Thread(
        target=_clear, args=(session.connection().engine, pid, through), name="evenkeel-in-the-way", daemon=True
    )
    clearing.start()
    try:
        yield
    finally:
        through.set()
        clearing.join(1)  # it may stand in line for a connection, and looks at nothing any more once it has one


def _clear(engine: Engine, pid: int, through: threading.Event) -> None:
    """End again and again what stands still in the way of this session, until it is through."""
    while not through.wait(LOOK_SECONDS):
        try:
            with engine.connect() as connection:
                if through.is_set():
                    return
                ended = connection.execute(_END_STILL, {"waiting": pid, "seconds": STILL_SECONDS}).all()
        except SQLAlchemyError as failed:
            _log.warning("cannot_look_who_is_in_the_way", why=type(failed).__name__)
            continue
        for each in ended:
            _log.warning("stood_in_the_way", pid=each.pid, process=each.process, seconds=each.seconds, ended=each.ended)
