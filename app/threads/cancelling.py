"""Cancelling: a run stops at its next step and leaves a thread that can be gone on with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetError
from contextvars import copy_context
from typing import Any, TypeVar
from uuid import UUID

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from sqlmodel import Session, select

from app.auth.roles import Act, Principal
from app.db.database import Database, database_now
from app.errors import ConflictError
from app.threads.tables import ACTIVE, Run, RunKind, RunStatus

LOOK_SECONDS = 0.2
"""How often a run that waits for the language model looks whether it is still wanted."""
UNANSWERED = '{"error": "this call was interrupted"}'
STOPPED = "Stopped, as you asked. Nothing was submitted."
AnswerT = TypeVar("AnswerT")


class CancelledRunError(Exception):
    """The run is not wanted any more."""


def ask_to_cancel(session: Session, principal: Principal, run: Run) -> RunStatus:
    """Have a run stopped; one that nobody has begun is over at once. Asking again changes nothing.

    Raises ConflictError for a run that is over, and for one that carries out a decision.
    """
    principal.require(Act.PLAN if run.kind is RunKind.MESSAGE else Act.SCAN)
    session.refresh(run, with_for_update=True)
    if run.status is RunStatus.CANCELLED:
        return run.status
    if run.status not in ACTIVE:
        raise ConflictError("run_over", f"run {run.run_id} is over already ({run.status})", "read the thread")
    if run.kind is RunKind.RESUME:
        raise ConflictError(
            "decided", "this run carries out what was decided, and that cannot be cancelled", "wait until it is done"
        )
    run.cancel_asked_by = principal.user_id
    if run.status is RunStatus.QUEUED:
        run.status, run.finished_at = RunStatus.CANCELLED, database_now(session)
    session.add(run)
    return run.status


class Watch:
    """Looks whether one run is still wanted."""

    def __init__(self, database: Database, run_id: UUID) -> None:
        self._database = database
        self._run_id = run_id
        self._looked_at = 0.0
        self._cancelled = False

    def cancelled(self, seconds_old: float = 0.0) -> bool:
        """Whether somebody has asked the run to stop, by an answer that is no older than this."""
        if not self._cancelled and time.monotonic() - self._looked_at >= seconds_old:
            query = select(Run.cancel_asked_by).where(Run.run_id == self._run_id)
            with self._database.engine.connect() as connection:
                self._cancelled = connection.execute(query).scalar_one_or_none() is not None
            self._looked_at = time.monotonic()
        return self._cancelled

    def require_wanted(self) -> None:
        """Raise CancelledRunError once somebody has asked the run to stop."""
        if self.cancelled(LOOK_SECONDS):
            raise CancelledRunError

    def waiting_for(self, work: Callable[[], AnswerT]) -> AnswerT:
        """What `work` answers. Raises CancelledRunError without waiting for it when the run is cancelled meanwhile.

        What is left behind ends by its own limits, and nobody takes its answer.
        """
        answer: Future[AnswerT] = Future()
        context = copy_context()

        def carry_out() -> None:
            try:
                answer.set_result(context.run(work))
            except BaseException as failed:  # noqa: BLE001  raised again where the answer is taken
                answer.set_exception(failed)

        threading.Thread(target=carry_out, name="llm-reply", daemon=True).start()
        while True:
            try:
                return answer.result(timeout=LOOK_SECONDS)
            except NotYetError:
                if answer.done():
                    raise
                self.require_wanted()


def closing_messages(messages: list[AnyMessage]) -> list[AnyMessage]:
    """What ends a conversation that was stopped: an answer for each tool call that has none, and a word about it."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    dangling: list[tuple[Any, Any]] = []
    for message in messages:
        if isinstance(message, AIMessage):
            calls = [*message.tool_calls, *message.invalid_tool_calls]
            dangling += [(call["id"], call["name"]) for call in calls if call["id"] not in answered]
    answers = [ToolMessage(UNANSWERED, tool_call_id=str(call_id), name=str(name)) for call_id, name in dangling]
    return [*answers, AIMessage(STOPPED)]
