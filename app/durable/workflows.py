"""What the runner carries out: the workflows of runs, decisions, orders and ticks, declared to DBOS."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.durable.draining import Drain, HeldThreadError, InterruptedRunError, is_outage
from app.durable.enqueue import CARRY_ORDER, RESUME_THREAD, RUN_THREAD
from app.durable.prompt import PromptRuns

TICK = "tick"
EVERY_MINUTE = "0 * * * * *"
TIDYING = "tidying"
EVERY_HOUR = "0 17 * * * *"
WAIT_SECONDS_MAX = 300.0
LOOKS_AT_ONCE = 4
"""How often a confirmed transfer is looked at before it waits for the next tick."""
IN_LINE_SECONDS_MAX, IN_LINE_PAUSE_SECONDS_MAX = 300.0, 10.0
"""How long an order waits in all until its turn with the ERP comes, before the tick takes it up anew; and how long at a time."""
AGAIN_SECONDS, AGAIN_SECONDS_MAX = 0.2, 15.0
"""The first and the longest wait before a run is driven again that the database's absence has interrupted."""
_log = get_logger(__name__)


Scheduled = Callable[[datetime, Any], None]
Begin = Callable[[], None]
"""Asked before each step: returns where this process may carry it out, and else leaves it to the one that may."""
PutBack = Callable[[str], None]
"""Puts a workflow back into its queue, behind what waits there."""


class _LeftToTheNextError(BaseException):
    """Work stops here without an outcome, and waits for the process that comes next or for its next turn.

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
        """Ask the ERP for the transfer, once: `posted`, `refused`, `uncertain`, `in_line` or `stopped`."""

    def note_doubt(self, transfer_id: UUID, why: str) -> None:
        """Tell people that the ERP gives no certain answer about the order."""

    def look(self, transfer_id: UUID) -> str:
        """Ask the ERP whether the goods have left: `shipped`, `cancelled`, `waiting`, `in_line` or `stopped`."""

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


def register(
    work: Work, stopping: threading.Event, prompt: PromptRuns, holds: Callable[[], bool], put_back: PutBack
) -> dict[str, Scheduled]:
    """Declare the workflows. Steps are at-least-once; that is why every method of `Work` may be called twice.

    `holds` says whether this process is the runner still, and is asked before each step: one
    that was frozen while another has taken over wakes in the middle of its work. `put_back`
    is for runs whose thread is held elsewhere: they keep no worker meanwhile.
    Returns those that have a schedule.
    """

    def begin() -> None:
        _wait_for_the_lock(work, stopping, holds)

    _register_runs(work, stopping, prompt, begin, put_back)
    _register_orders(work, begin)
    return {TICK: _register_tick(work, begin), TIDYING: _register_tidying(work, begin)}


def _wait_for_the_lock(work: Work, stopping: threading.Event, holds: Callable[[], bool]) -> None:
    """Return where this process is the runner. While the database is away nobody knows, and that is no outcome of a step."""
    wait = AGAIN_SECONDS
    while True:
        try:
            if holds():
                return
        except SQLAlchemyError as away:
            _log.warning("step_waits_for_the_database", workflow_id=DBOS.workflow_id, why=type(away).__name__)
            if stopping.wait(wait):
                work.drain.leave(str(DBOS.workflow_id))
                raise _LeftToTheNextError from away
        else:
            raise _LeftToTheNextError
        wait = min(wait * 2, AGAIN_SECONDS_MAX)


def _through_outages(
    work: Work, stopping: threading.Event, begin: Begin, put_back: PutBack, drive: Callable[[], None]
) -> None:
    """Drive a run, again after each interruption, to its end. While the process closes it is left to the next one.

    A run whose thread is held by another goes back into the queue, so that other threads go on.
    """
    wait = AGAIN_SECONDS
    while True:
        try:
            begin()
            try:
                return drive()
            except HeldThreadError as held:
                begin()  # another may carry it out by now
                put_back(str(DBOS.workflow_id))
                raise _LeftToTheNextError from held
        except Exception as failed:
            if not (isinstance(failed, InterruptedRunError) or is_outage(failed)):
                raise
            if work.drain.wait(wait) or stopping.is_set():
                work.drain.leave(str(DBOS.workflow_id))
                raise _LeftToTheNextError from failed
            _log.warning("run_driven_again", workflow_id=DBOS.workflow_id, why=type(failed).__name__)
        wait = min(wait * 2, AGAIN_SECONDS_MAX)


def _register_runs(work: Work, stopping: threading.Event, prompt: PromptRuns, begin: Begin, put_back: PutBack) -> None:
    @DBOS.step(name="run_thread_step")
    def run_step(run_id: str) -> None:
        prompt.wait_for(UUID(run_id))
        _through_outages(work, stopping, begin, put_back, lambda: work.run_thread(UUID(run_id)))

    @DBOS.workflow(name=RUN_THREAD)
    def run_thread(run_id: str) -> None:
        run_step(run_id)

    @DBOS.step(name="resume_thread_step", retries_allowed=True, max_attempts=5, interval_seconds=1.0)
    def resume_step(approval_id: str) -> None:
        _through_outages(work, stopping, begin, put_back, lambda: work.resume_thread(UUID(approval_id)))

    @DBOS.step(name="release_step", retries_allowed=True, max_attempts=10, interval_seconds=1.0)
    def release_step(approval_id: str) -> int:
        begin()
        return work.release(UUID(approval_id))

    @DBOS.workflow(name=RESUME_THREAD)
    def resume_thread(approval_id: str) -> int:
        try:
            resume_step(approval_id)
        except Exception:  # noqa: BLE001  what was approved is carried out even when its conversation is broken
            _log.exception("thread_not_resumed", approval_id=approval_id)
        return release_step(approval_id)

    del run_thread, resume_thread


def _register_orders(work: Work, begin: Begin) -> None:
    @DBOS.step(name="post_step")
    def post_step(transfer_id: str) -> str:
        begin()
        return work.post(UUID(transfer_id))

    @DBOS.step(name="look_step")
    def look_step(transfer_id: str) -> str:
        begin()
        return work.look(UUID(transfer_id))

    @DBOS.step(name="note_doubt_step")
    def note_doubt_step(transfer_id: str, why: str) -> None:
        begin()
        work.note_doubt(UUID(transfer_id), why)

    @DBOS.workflow(name=CARRY_ORDER)
    def carry_order(transfer_id: str) -> str:
        outcome = _until_certain(post_step, transfer_id, work, note_doubt_step)
        return _until_certain(look_step, transfer_id, work, note_doubt_step) if outcome == "posted" else outcome

    del carry_order


def _register_tick(work: Work, begin: Begin) -> Scheduled:
    @DBOS.step(name="tick_step")
    def tick_step() -> None:
        begin()
        try:
            work.tick()
        finally:
            _forget_old_ticks()

    @DBOS.workflow(name=TICK)
    def tick(_scheduled_at: datetime, _context: Any) -> None:
        tick_step()

    return tick


def _register_tidying(work: Work, begin: Begin) -> Scheduled:
    @DBOS.step(name="tidying_step")
    def tidying_step() -> None:
        begin()
        work.tidy()

    @DBOS.workflow(name=TIDYING)
    def tidying(_scheduled_at: datetime, _context: Any) -> None:
        tidying_step()

    return tidying


def _until_certain(
    ask: Callable[[str], str], transfer_id: str, work: Work, note_doubt: Callable[[str, str], None]
) -> str:
    """Ask until the answer is certain, a few times: then people are told, and the tick has it asked again.

    So neither an ERP that is down nor a warehouse that takes its time keeps a worker. That others come first says nothing
    about the ERP: an order in line waits, and after a while the tick has it begin anew behind the others.
    """
    doubts, looks, wait, in_line = 0, 0, work.retry_seconds, 0.0
    while doubts < work.attempts_max and in_line < IN_LINE_SECONDS_MAX:
        outcome = _asked(ask, transfer_id)
        if outcome == "in_line":
            pause = min(work.retry_seconds + in_line, IN_LINE_PAUSE_SECONDS_MAX)
            in_line += pause
            DBOS.sleep(pause)
            continue
        looks += outcome == "waiting"
        if outcome not in ("uncertain", "waiting") or looks == LOOKS_AT_ONCE:
            return outcome
        doubts += outcome == "uncertain"
        DBOS.sleep(wait)
        wait = min(wait * 2, WAIT_SECONDS_MAX)
    if doubts < work.attempts_max:
        return "in_line"
    note_doubt(transfer_id, f"the ERP gave no certain answer in {work.attempts_max} attempts")
    return "uncertain"


def _asked(ask: Callable[[str], str], transfer_id: str) -> str:
    """What came of it; a broken connection or an answer that makes no sense is doubt: nobody knows what was done."""
    try:
        return ask(transfer_id)
    except Exception:  # noqa: BLE001  whatever it was, the ERP is asked again
        _log.exception("no_certain_answer", transfer_id=transfer_id)
        return "uncertain"


def _forget_old_ticks() -> None:
    """A tick leaves rows behind, its own and those of orders that it had looked at; after a day nobody asks for them."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    for name in (TICK, TIDYING, CARRY_ORDER):
        old = DBOS.list_workflows(name=name, status=["SUCCESS", "ERROR"], end_time=yesterday, limit=5_000)
        DBOS.delete_workflows([workflow.workflow_id for workflow in old])
