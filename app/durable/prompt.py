"""Runs that begin the moment they are committed, where the runner is in the same process.

The queue is looked at from time to time, and somebody waits for an answer. What a run
rests on is its workflow all the same: it is enqueued in any case, and goes on with
whatever stopped here, or finds nothing left to do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from uuid import UUID

from sqlmodel import Session
from structlog import get_logger

from app.db.database import once_committed
from app.durable.draining import InterruptedRunError, is_outage

PROMPTLY = "begin_promptly"
"""Where a session holds the `PromptRuns` of the runner in its process."""
LEAD_SECONDS = 1.0
"""How long the workflow of a run that begins so stays out of its way: most are over by then."""
_log = get_logger(__name__)


class PromptRuns:
    """The runs that have begun so, at most `at_once` of them; what is more waits for the queue.

    `drive` brings a run to its end or its pause, and `done` is told when it has.
    """

    def __init__(self, drive: Callable[[UUID], None], done: Callable[[UUID], None], at_once: int) -> None:
        self._drive = drive
        self._done = done
        self._at_once = at_once
        self._lock = threading.Lock()
        self._threads: dict[UUID, threading.Thread] = {}

    def begin(self, run_id: UUID) -> None:
        """Drive the run in a thread of its own, if there is room. Returns at once and raises nothing."""
        thread = threading.Thread(target=self._through, args=(run_id,), name=f"run-{run_id}", daemon=True)
        with self._lock:
            if len(self._threads) == self._at_once or run_id in self._threads:
                return
            self._threads[run_id] = thread
        thread.start()

    def wait_for(self, run_id: UUID) -> None:
        """Wait until the run is not driven here any more."""
        with self._lock:
            thread = self._threads.get(run_id)
        if thread is not None:
            thread.join()

    @property
    def has_room(self) -> bool:
        """Whether a run would begin now."""
        with self._lock:
            return len(self._threads) < self._at_once

    @property
    def is_busy(self) -> bool:
        """Whether any run is driven here."""
        with self._lock:
            return bool(self._threads)

    def _through(self, run_id: UUID) -> None:
        try:
            self._drive(run_id)
            self._done(run_id)
        except Exception as failed:  # noqa: BLE001  the run has noted it; the rest is for its workflow
            if isinstance(failed, InterruptedRunError) or is_outage(failed):
                _log.info("run_left_to_the_queue", run_id=str(run_id), why=type(failed).__name__)
            else:
                _log.exception("run_failed", run_id=str(run_id))
        finally:
            with self._lock:
                del self._threads[run_id]


def begins_promptly(session: Session, run_id: UUID) -> bool:
    """Have the run begin once this session has committed, if the runner is in this process and has room."""
    prompt = session.info.get(PROMPTLY)
    if not isinstance(prompt, PromptRuns) or not prompt.has_room:
        return False
    once_committed(session, partial(prompt.begin, run_id))
    return True
