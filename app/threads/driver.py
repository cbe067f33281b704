"""Driving the graph: starting, resuming and finishing runs, so that a crash anywhere loses and repeats nothing.

LangGraph has no lock and no notion of a finished run that could be relied on. So a
thread is held by an advisory lock of the database while its graph runs, what to do
next is read from the graph's tasks and from our own rows, and an interrupt is
answered by its id only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphDrained, UnknownInterruptError
from langgraph.types import Command, StateSnapshot
from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session
from structlog import get_logger

from app.approvals.requests import get_request
from app.auth.people import principal_of
from app.auth.roles import Principal
from app.db.database import Database
from app.durable.draining import CLOSING, Drain, HeldThreadError, InterruptedRunError, is_outage
from app.errors import ConflictError, ForbiddenError
from app.llm import Llm
from app.settings import Settings
from app.threads.cancelling import CancelledRunError, Watch, closing_messages
from app.threads.heads import latest_states
from app.threads.lost_questions import LOST_QUESTION, is_lost
from app.threads.narration import Narrator, last_words
from app.threads.resumes import note_resume
from app.threads.runs import finish
from app.threads.stream import RunStream
from app.threads.tables import ACTIVE, Run, RunKind, RunStatus, Thread
from app.threads.watched import WatchedWorld, Watchers
from graphs.nodes.names import REPORTER
from graphs.rebalance import RECURSION_LIMIT, Graph
from graphs.state import RebalanceState
from graphs.world import Context, RunLimits
from tools.planning import Planner

HELD_MS_MAX = 1_000
"""So long a worker waits for a thread that is held: others need the worker."""
EDGE_SECONDS = 0.1
"""Whether a run is wanted is asked at each edge between its nodes; edges that follow each other so soon ask once."""
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Drive:
    """One run while it is driven. Without a watch it cannot be cancelled."""

    thread_id: UUID
    run_id: UUID
    context: Context
    narrator: Narrator
    watch: Watch | None = None

    def is_cancelled(self) -> bool:
        """Whether somebody has asked the run to stop."""
        return self.watch is not None and self.watch.cancelled(EDGE_SECONDS)


class Driver:
    """Runs the graph for one service."""

    def __init__(
        self,
        database: Database,
        graph: Graph,
        llm: Llm,
        stream: RunStream,
        settings: Settings,
        planner: Planner,
    ) -> None:
        self._database = database
        self._graph = graph
        self._llm = llm
        self._stream = stream
        self._settings = settings
        self._planner = planner
        self.drain = Drain()

    def run(self, run_id: UUID, held_ms_max: int | None = None) -> RunStatus:
        """Bring a run to its end or to its pause. May be called again at any time; then it goes on where it was.

        Raises HeldThreadError where its thread is held for longer than that.
        """
        self.drain.require_open()
        with self._database.transaction() as session:
            run = session.get(Run, run_id, with_for_update=True)
            if run is None or run.status not in ACTIVE:
                return RunStatus.DONE if run is None else run.status
            run.status = RunStatus.RUNNING
            session.add(run)
            kind, given, thread_id, by = run.kind, run.input, run.thread_id, run.started_by
            principal = principal_of(session, by)
        with self._attempt(run_id), self._thread(thread_id, held_ms_max):
            drive = self._drive_for(thread_id, run_id, _active(principal, by), Watch(self._database, run_id))
            status = self._drive(drive, _first_input(kind, given, run_id))
        self._close(run_id, status, self._why_failed(thread_id, status), drive.narrator.last_words)
        return status

    def ring(self, approval_id: UUID, held_ms_max: int | None = None) -> None:
        """Wake the graph that waits for this request, whatever was decided. Nobody there is fine: then nothing waits.

        Raises HeldThreadError where its thread is held for longer than that.
        """
        self.drain.require_open()
        with self._database.transaction() as session:
            request = get_request(session, approval_id)
            thread = session.get(Thread, UUID(request.thread_id)) if request.thread_id else None
            if thread is None:
                return
            thread_id, owner = thread.thread_id, thread.owner
            run_id = note_resume(session, thread_id, approval_id).run_id
            principal = principal_of(session, owner)
        with self._attempt(run_id), self._thread(thread_id, held_ms_max):
            drive = self._drive_for(thread_id, run_id, _active(principal, owner))
            status = self._answer(drive, str(approval_id))
        self._close(run_id, status, self._why_failed(thread_id, status), drive.narrator.last_words)

    @contextmanager
    def _attempt(self, run_id: UUID) -> Iterator[None]:
        """Note that a run has failed; but one that was only interrupted stays active, and whoever watches is told.

        Raises InterruptedRunError for a run that is to be driven again.
        """
        try:
            yield
        except HeldThreadError:
            raise  # it has not begun, and there is nothing to tell
        except Exception as failed:
            away, left = is_outage(failed), isinstance(failed, InterruptedRunError) or self.drain.begun
            if not (away or left):
                self._close(run_id, RunStatus.FAILED, _words(failed), words="")
                raise
            why = CLOSING if left else "the database does not answer"
            self._stream.publish(run_id, "interrupted", detail=f"Interrupted: {why}. The run goes on by itself.")
            _log.warning("run_interrupted", run_id=str(run_id), why=why)
            raise InterruptedRunError(why) from failed

    def _drive(self, drive: Drive, first: RebalanceState) -> RunStatus:
        """Start the graph with the run's input, or go on with it when it has taken that input before."""
        before = self._graph.get_state(_config(drive.thread_id))
        drive.narrator.know(before.values.get("messages", []))
        if before.values.get("run_id") != str(drive.run_id):
            if drive.is_cancelled():
                return RunStatus.CANCELLED
            self._require_no_question_of_its_own(drive.thread_id, before)
            self._advance(drive, first)
        elif before.tasks and not before.interrupts:
            self._stream.publish(drive.run_id, "resumed", detail="The run goes on where it was.")
            self._advance(drive, None)
        return self._stopped(drive) if drive.is_cancelled() else self._where(drive)

    def _advance(self, drive: Drive, given: RebalanceState | Command[Any] | None, *, strictly: bool = False) -> None:
        """Let the graph go on to its end or pause, or to the next edge between nodes once nobody wants the run any more."""
        config = _strictly(_config(drive.thread_id)) if strictly else _config(drive.thread_id)
        with self.drain.control() as control:
            steps = self._graph.stream(
                given, config, context=drive.context, durability="sync", stream_mode=["updates", "values", "tasks"],
                control=control,
            )  # fmt: skip
            try:
                for mode, chunk in cast("Iterator[tuple[str, dict[str, Any]]]", steps):
                    drive.narrator.take(mode, chunk)
                    if mode == "values" and drive.is_cancelled():
                        control.request_drain("cancelled")
            except (GraphDrained, CancelledRunError):
                if not drive.is_cancelled():
                    raise InterruptedRunError(CLOSING) from None
                _log.info("run_cancelled", run_id=str(drive.run_id))

    def _stopped(self, drive: Drive) -> RunStatus:
        """Leave a thread that can be gone on with: no call without its answer, nothing half done.

        A plan that is in the queue already waits there; its thread is brought to the pause.
        """
        config = _config(drive.thread_id)
        after = self._graph.get_state(config)
        if not after.tasks or after.interrupts:
            return self._where(drive)
        if after.values.get("outcome") == "waiting":
            self._advance(replace(drive, watch=None), None)
            return self._where(drive)
        closing = {"messages": closing_messages(after.values["messages"]), "outcome": "cancelled", "call_id": None}
        self._graph.update_state(config, closing, as_node=REPORTER)
        drive.narrator.take("updates", {REPORTER: closing})
        drive.narrator.take("values", self._graph.get_state(config).values)
        return RunStatus.CANCELLED

    def _require_no_question_of_its_own(self, thread_id: UUID, before: StateSnapshot) -> None:
        """Raise ConflictError while the graph waits for a decision that will wake it: new input would drop the question.

        A message is refused when it is sent while a plan waits. This is for the plan
        that came into the queue between then and now. A question that nobody will
        answer, because another thread asked for the same plan first, may be dropped.
        """
        for each in before.interrupts:
            with self._database.transaction() as session:
                request = get_request(session, UUID(each.value["approval_id"]))
            if request.thread_id == str(thread_id):
                raise ConflictError(
                    "decision_pending", f"plan {request.plan_digest[:12]} of this thread waits for its decision",
                    "say it again once the decision is carried out, or ask in another thread",
                )  # fmt: skip

    def _answer(self, drive: Drive, approval_id: str) -> RunStatus:
        """Answer the one interrupt that waits for this request, by its id, and never any other.

        A graph that a crash stopped on its way to the pause is brought there first.
        """
        for _ in range(2):
            before = self._graph.get_state(_config(drive.thread_id))
            drive.narrator.know(before.values.get("messages", []))
            waiting = [each for each in before.interrupts if each.value.get("approval_id") == approval_id]
            if waiting:
                bell: Command[Any] = Command(resume={waiting[0].id: approval_id})
                try:
                    self._advance(drive, bell, strictly=True)
                except UnknownInterruptError:
                    _log.info("interrupt_answered_before", thread_id=str(drive.thread_id), approval_id=approval_id)
                break
            if before.interrupts or not before.tasks:
                break
            self._advance(drive, None)
        return self._where(drive)

    def _where(self, drive: Drive) -> RunStatus:
        after = self._graph.get_state(_config(drive.thread_id))
        if after.interrupts:
            question = after.interrupts[0].value
            drive.narrator.pause(after.values, question)
            return RunStatus.WAITING
        return RunStatus.FAILED if after.tasks or is_lost(after) else RunStatus.DONE

    def _why_failed(self, thread_id: UUID, status: RunStatus) -> str | None:
        """What is said of a run whose graph neither ended nor waits for an answer."""
        if status is not RunStatus.FAILED:
            return None
        if is_lost(self.state(thread_id)):
            _log.error("question_lost", thread_id=str(thread_id))
            return LOST_QUESTION
        return "the run stopped before its end"

    def state(self, thread_id: UUID, checkpoint_id: str | None = None) -> StateSnapshot:
        """The graph's state of a thread: the latest, or the one at a checkpoint."""
        return self._graph.get_state(_config(thread_id) if checkpoint_id is None else _at(thread_id, checkpoint_id))

    def states(self, session: Session, thread_ids: Sequence[UUID]) -> dict[UUID, StateSnapshot]:
        """The latest states of many threads, read at once."""
        return latest_states(session, self._graph, thread_ids)

    def last_words(self, thread_id: UUID) -> str:
        """The last thing the agent said in a thread; empty before it has said anything."""
        return last_words(self.state(thread_id).values.get("messages", []))

    def history(self, thread_id: UUID, limit: int, before: str | None = None) -> list[StateSnapshot]:
        """The states of a thread, the newest first; those before a checkpoint, if one is named."""
        earlier = None if before is None else _at(thread_id, before)
        return list(self._graph.get_state_history(_config(thread_id), before=earlier, limit=limit))

    def forget(self, thread_id: UUID) -> None:
        """Drop everything that the graph remembers of a thread."""
        saver = self._graph.checkpointer
        if isinstance(saver, BaseCheckpointSaver):
            saver.delete_thread(str(thread_id))

    def _drive_for(self, thread_id: UUID, run_id: UUID, principal: Principal, watch: Watch | None = None) -> Drive:
        watchers = Watchers(Narrator(self._stream, run_id, principal), watch)
        chosen = self._settings
        limits = RunLimits(
            llm_calls_max=chosen.run_llm_calls_max, tool_calls_max=chosen.run_tool_calls_max,
            tokens_max=chosen.run_tokens_max, seconds_max=chosen.run_seconds_max,
            money_e4_max=chosen.run_money_e4_max, memory_characters_max=chosen.llm_memory_characters_max,
        )  # fmt: skip
        llm = self._llm.for_run(run_id, principal.user_id, watchers.hear)
        world = WatchedWorld(self._database, principal, thread_id, llm, limits, self._planner, watchers)
        return Drive(thread_id, run_id, Context(world), watchers.narrator, watch)

    def _context(self, thread_id: UUID, run_id: UUID, principal: Principal) -> Context:
        return self._drive_for(thread_id, run_id, principal).context

    def _close(self, run_id: UUID, status: RunStatus, error: str | None, words: str) -> None:
        with self._database.transaction() as session:
            finish(session, run_id, status, error)
        self.announce_end(run_id, status, error, words)

    def announce_end(self, run_id: UUID, status: RunStatus, error: str | None = None, words: str = "") -> None:
        """Tell whoever watches that a run is over."""
        done = {"status": status, "error": error, "words": words}
        failed = [] if error is None else [("error", {"error": "RunFailed", "message": error})]
        end = {"run_id": str(run_id), "status": status}
        self._stream.tell(run_id, [("done", done)], [*failed, ("end", end)])

    @contextmanager
    def _thread(self, thread_id: UUID, held_ms_max: int | None = None) -> Iterator[None]:
        """Hold the thread: one run of its graph at a time, in any process. The lock ends with the connection.

        Raises HeldThreadError where somebody else keeps it for longer than that.
        """
        key = {"key": lock_key(thread_id)}
        with self._database.engine.connect() as connection:
            try:
                with connection.begin():  # the wait is bounded in it; the lock outlives it
                    connection.execute(text(f"set local lock_timeout = {held_ms_max or 0}"))
                    connection.execute(text("select pg_advisory_lock(:key)"), key)
            except OperationalError as waited:
                if isinstance(waited.orig, LockNotAvailable):
                    raise HeldThreadError(f"thread {thread_id} is held") from waited
                raise
            connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                yield
            finally:
                connection.execute(text("select pg_advisory_unlock(:key)"), key)


def lock_key(thread_id: UUID) -> int:
    """By this the database knows the lock of a thread."""
    return thread_id.int & ((1 << 63) - 1)


def _first_input(kind: RunKind, given: dict[str, Any], run_id: UUID) -> RebalanceState:
    """What a run brings into the state. Everything that belongs to one turn starts anew; the current plan stays."""
    fresh: RebalanceState = {
        "run_id": str(run_id), "calls": {}, "notices": [], "call_id": None, "outcome": "started", "note": "",
        "violations": [], "negotiation": {}, "round": 0, "approval_id": None,
    }  # fmt: skip
    if kind is RunKind.SCAN:
        return {**fresh, "door": "scan", "request": given["request"], "submit": True, "plan_digest": None}
    message = HumanMessage(given["text"], id=str(run_id))
    return {**fresh, "door": "chat", "messages": [message], "submit": False}


def _active(found: Principal | None, user_id: str) -> Principal:
    if found is None:
        raise ForbiddenError("inactive", f"{user_id} is not an active person (any more)")
    return found


def _config(thread_id: UUID) -> RunnableConfig:
    return {"configurable": {"thread_id": str(thread_id)}, "recursion_limit": RECURSION_LIMIT}


def _at(thread_id: UUID, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": str(thread_id), "checkpoint_ns": "", "checkpoint_id": checkpoint_id}}


def _strictly(config: RunnableConfig) -> RunnableConfig:
    """Have LangGraph refuse an answer to anything but a pending interrupt, before it writes. Its key is internal."""
    return {**config, "configurable": {**config["configurable"], "__pregel_strict_resume": True}}


def _words(failed: Exception) -> str:
    """What may be shown of a failure: our own words, or just its kind."""
    ours = isinstance(failed, ForbiddenError | ConflictError)
    return str(failed) if ours else f"the run failed ({type(failed).__name__})"
