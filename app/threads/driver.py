"""Driving the graph: starting, resuming and finishing runs, so that a crash anywhere loses and repeats nothing.

LangGraph has no lock and no notion of a finished run that could be relied on. So a
thread is held by an advisory lock of the database while its graph runs, what to do
next is read from the graph's tasks and from our own rows, and an interrupt is
answered by its id only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid5

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import UnknownInterruptError
from langgraph.types import Command, StateSnapshot
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session
from structlog import get_logger

from app.approvals.requests import get_request
from app.auth.people import SYSTEM, principal_of
from app.auth.roles import Principal
from app.db.database import Database, database_now
from app.errors import ConflictError, ForbiddenError
from app.llm import Llm
from app.settings import Settings
from app.threads.runs import finish
from app.threads.stream import RunStream
from app.threads.tables import Run, RunKind, RunStatus, Thread
from app.world import ServiceWorld
from graphs.rebalance import RECURSION_LIMIT, Graph
from graphs.state import RebalanceState
from graphs.world import Context, RunLimits
from tools.planning import Planner

_RESUMES = UUID("5c7c0c52-7df5-5b0a-8a55-3f4f3a1e6f01")
_log = get_logger(__name__)


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

    def run(self, run_id: UUID) -> RunStatus:
        """Bring a run to its end or to its pause. May be called again at any time; then it goes on where it was."""
        with self._database.transaction() as session:
            run = session.get(Run, run_id)
            if run is None or run.status not in (RunStatus.QUEUED, RunStatus.RUNNING):
                return RunStatus.DONE if run is None else run.status
            run.status = RunStatus.RUNNING
            session.add(run)
            kind, given, thread_id, by = run.kind, run.input, run.thread_id, run.started_by
        with self._thread(thread_id):
            try:
                context = self._context(thread_id, run_id, self._principal(by))
                status = self._drive(thread_id, run_id, _first_input(kind, given, run_id), context)
            except Exception as failed:
                self._close(run_id, RunStatus.FAILED, _words(failed))
                raise
        self._close(run_id, status)
        return status

    def ring(self, approval_id: UUID) -> None:
        """Wake the graph that waits for this request, whatever was decided. Nobody there is fine: then nothing waits."""
        with self._database.transaction() as session:
            request = get_request(session, approval_id)
            thread = session.get(Thread, UUID(request.thread_id)) if request.thread_id else None
            if thread is None:
                return
            thread_id, owner = thread.thread_id, thread.owner
            run_id = uuid5(_RESUMES, str(approval_id))
            _note_resume(session, run_id, thread_id, approval_id)
        with self._thread(thread_id):
            try:
                context = self._context(thread_id, run_id, self._principal(owner))
                status = self._answer(thread_id, str(approval_id), context)
            except Exception as failed:
                self._close(run_id, RunStatus.FAILED, _words(failed))
                raise
        self._close(run_id, status)

    def _drive(self, thread_id: UUID, run_id: UUID, first: RebalanceState, context: Context) -> RunStatus:
        """Start the graph with the run's input, or go on with it when it has taken that input before."""
        config = _config(thread_id)
        before = self._graph.get_state(config)
        if before.values.get("run_id") != str(run_id):
            self._require_no_question_of_its_own(thread_id, before)
            self._graph.invoke(first, config, context=context, durability="sync")
        elif before.tasks and not before.interrupts:
            self._graph.invoke(None, config, context=context, durability="sync")
        return self._where(thread_id)

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

    def _answer(self, thread_id: UUID, approval_id: str, context: Context) -> RunStatus:
        """Answer the one interrupt that waits for this request, by its id, and never any other.

        A graph that a crash stopped on its way to the pause is brought there first.
        """
        config = _config(thread_id)
        for _ in range(2):
            before = self._graph.get_state(config)
            waiting = [each for each in before.interrupts if each.value.get("approval_id") == approval_id]
            if waiting:
                bell: Command[Any] = Command(resume={waiting[0].id: approval_id})
                try:
                    self._graph.invoke(bell, _strictly(config), context=context, durability="sync")
                except UnknownInterruptError:
                    _log.info("interrupt_answered_before", thread_id=str(thread_id), approval_id=approval_id)
                break
            if before.interrupts or not before.tasks:
                break
            self._graph.invoke(None, config, context=context, durability="sync")
        return self._where(thread_id)

    def _where(self, thread_id: UUID) -> RunStatus:
        after = self._graph.get_state(_config(thread_id))
        if after.interrupts:
            return RunStatus.WAITING
        return RunStatus.FAILED if after.tasks else RunStatus.DONE

    def state(self, thread_id: UUID) -> StateSnapshot:
        """The graph's state of a thread."""
        return self._graph.get_state(_config(thread_id))

    def last_words(self, thread_id: UUID) -> str:
        """The last thing the agent said in a thread; empty before it has said anything."""
        messages = self.state(thread_id).values.get("messages", [])
        spoken = [m for m in messages if isinstance(m, AIMessage) and isinstance(m.content, str) and m.content]
        return str(spoken[-1].content) if spoken else ""

    def _context(self, thread_id: UUID, run_id: UUID, principal: Principal) -> Context:
        def tell(step: str, detail: str) -> None:
            self._stream.publish(run_id, step, detail=detail)

        limits = RunLimits(self._settings.run_llm_calls_max, self._settings.run_tool_calls_max)
        llm = self._llm.for_run(lambda token: tell("token", token))
        return Context(ServiceWorld(self._database, principal, thread_id, llm, limits, tell, self._planner))

    def _principal(self, user_id: str) -> Principal:
        with self._database.transaction() as session:
            found = principal_of(session, user_id)
        if found is None:
            raise ForbiddenError("inactive", f"{user_id} is not an active person (any more)")
        return found

    def _close(self, run_id: UUID, status: RunStatus, error: str | None = None) -> None:
        with self._database.transaction() as session:
            finish(session, run_id, status, error)
            run = session.get(Run, run_id)
            thread_id = run.thread_id if run else None
        words = self.last_words(thread_id) if thread_id is not None else ""
        self._stream.publish(run_id, "done", status=status, error=error, words=words)

    @contextmanager
    def _thread(self, thread_id: UUID) -> Iterator[None]:
        """Hold the thread: one run of its graph at a time, in any process. The lock ends with the connection."""
        key = thread_id.int & ((1 << 63) - 1)
        with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("select pg_advisory_lock(:key)"), {"key": key})
            try:
                yield
            finally:
                connection.execute(text("select pg_advisory_unlock(:key)"), {"key": key})


def _note_resume(session: Session, run_id: UUID, thread_id: UUID, approval_id: UUID) -> None:
    """One run for each resume, whoever rings first."""
    row = {
        "run_id": run_id, "thread_id": thread_id, "kind": RunKind.RESUME, "status": RunStatus.RUNNING,
        "started_by": SYSTEM, "input": {"approval_id": str(approval_id)}, "created_at": database_now(session),
    }  # fmt: skip
    session.connection().execute(insert(Run).values(row).on_conflict_do_nothing())


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


def _config(thread_id: UUID) -> RunnableConfig:
    return {"configurable": {"thread_id": str(thread_id)}, "recursion_limit": RECURSION_LIMIT}


def _strictly(config: RunnableConfig) -> RunnableConfig:
    """Have LangGraph refuse an answer to anything but a pending interrupt, before it writes. Its key is internal."""
    return {**config, "configurable": {**config["configurable"], "__pregel_strict_resume": True}}


def _words(failed: Exception) -> str:
    """What may be shown of a failure: our own words, or just its kind."""
    ours = isinstance(failed, ForbiddenError | ConflictError)
    return str(failed) if ours else f"the run failed ({type(failed).__name__})"
