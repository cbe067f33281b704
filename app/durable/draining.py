"""Runs that stop before their end and go on later: the process is closing, or the database is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from langgraph.runtime import RunControl
from psycopg.errors import IdleInTransactionSessionTimeout
from psycopg_pool import PoolTimeout
from sqlalchemy.exc import DBAPIError, PendingRollbackError

CLOSING = "the service is closing"
_NOT_NOW = ("08", "57P", "25P03")
"""SQLSTATE of a connection that is gone, of a server that is going down, crashed or coming up, and of a session that it ended."""


class InterruptedRunError(Exception):
    """A run has stopped before its end, and nothing is noted of it: it is to be driven again."""


class HeldThreadError(InterruptedRunError):
    """A run has not begun, because another one of its thread is driven: it is to be driven some time later."""


class Drain:
    """Brings the runs of one process to the next edge between their nodes, and lets no other begin."""

    def __init__(self) -> None:
        self._begun = threading.Event()
        self._controls: set[RunControl] = set()
        self._changing = threading.RLock()  # a signal may come while its own thread changes the set
        self.left: set[str] = set()
        """Workflows that were left to the next process."""
        self.abandoned = False
        """Whether something was at work still when there was no more time to wait for it."""

    @property
    def begun(self) -> bool:
        """Whether the process is closing."""
        return self._begun.is_set()

    def begin(self) -> None:
        """Stop every run at its next edge. Doing it again changes nothing."""
        self._begun.set()
        with self._changing:
            for control in self._controls:
                control.request_drain(CLOSING)

    def end(self) -> None:
        """Let runs begin again: nobody closes any more, or somebody else is the one who drives them."""
        self._begun.clear()
        with self._changing:
            self.left.clear()

    def leave(self, workflow_id: str) -> None:
        """Note that a workflow was left to the next process."""
        with self._changing:
            self.left.add(workflow_id)

    def wait(self, seconds: float) -> bool:
        """Wait, at most so long, for the process to be closing. True when it is."""
        return self._begun.wait(seconds)

    def require_open(self) -> None:
        """Raise InterruptedRunError once the process is closing."""
        if self.begun:
            raise InterruptedRunError(CLOSING)

    @contextmanager
    def control(self) -> Iterator[RunControl]:
        """What stops one run of the graph."""
        control = RunControl()
        with self._changing:
            self._controls.add(control)
            if self.begun:
                control.request_drain(CLOSING)
        try:
            yield control
        finally:
            with self._changing:
                self._controls.discard(control)


def is_outage(failed: BaseException) -> bool:
    """Whether the database was away: then the same thing, tried again, may go well, and nobody knows how far it came."""
    if isinstance(failed, PendingRollbackError | PoolTimeout):
        return True
    cause = failed.orig if isinstance(failed, DBAPIError) else failed
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError | IdleInTransactionSessionTimeout):
        return False
    # Without a state it was not the server that spoke: there is no connection.
    return cause.sqlstate is None or cause.sqlstate.startswith(_NOT_NOW)
