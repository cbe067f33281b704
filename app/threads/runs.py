"""Starting runs: what a caller may ask of a thread, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, SQLModel, col, select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.durable.enqueue import RUN_THREAD, enqueue, workflow_of
from app.errors import ConflictError, InvalidError, NotFoundError
from app.threads.tables import ACTIVE, Door, Run, RunKind, RunStatus, Thread
from tools.transfers import PlanRequest

MESSAGE_CHARACTERS_MAX = 4_000
TITLE_CHARACTERS_MAX = 80
RowT = TypeVar("RowT", bound=SQLModel)


def open_thread(
    session: Session,
    owner: Principal,
    door: Door,
    title: str,
    thread_id: UUID | None = None,
    labels: Mapping[str, Any] | None = None,
) -> Thread:
    """A new thread of the caller. Raises ConflictError for an id that is taken."""
    owner.require(Act.SCAN if door is Door.SCAN else Act.PLAN)
    thread = Thread(
        thread_id=thread_id or uuid4(),
        owner=owner.user_id,
        door=door,
        title=title.strip()[:TITLE_CHARACTERS_MAX] or "Untitled",
        created_at=database_now(session),
        labels=dict(labels or {}),
    )
    added = _added(session, thread)
    if added is None:
        raise ConflictError("thread_exists", f"there is a thread {thread_id} already", "use another id")
    return added


def own_thread(session: Session, principal: Principal, thread_id: UUID) -> Thread:
    """A thread of the caller. Raises NotFoundError for everybody else's."""
    thread = session.get(Thread, thread_id)
    if thread is None or thread.owner != principal.user_id:
        raise NotFoundError("unknown_thread", f"there is no thread {thread_id} of yours", "check the id")
    return thread


def threads_of(session: Session, principal: Principal, limit: int = 50) -> Sequence[Thread]:
    """The caller's threads, the newest first."""
    query = select(Thread).where(Thread.owner == principal.user_id).order_by(col(Thread.created_at).desc())
    return session.exec(query.limit(limit)).all()


def say(
    session: Session,
    principal: Principal,
    thread_id: UUID,
    text: str,
    labels: Mapping[str, Any] | None = None,
    modes: Sequence[str] | None = None,
) -> Run:
    """Bring a message into a thread. Raises ConflictError while a run is active or a plan waits for its decision.

    `modes` are those in which the client follows the run.
    """
    principal.require(Act.PLAN)
    thread = own_thread(session, principal, thread_id)
    words = text.strip()
    if not words or len(words) > MESSAGE_CHARACTERS_MAX:
        raise InvalidError(
            "message", f"a message has 1 to {MESSAGE_CHARACTERS_MAX:,} characters, this one {len(words):,}",
            "say it shorter", field="text",
        )  # fmt: skip
    waiting = session.exec(
        select(ApprovalRequest).where(
            ApprovalRequest.thread_id == str(thread_id), ApprovalRequest.status == ApprovalStatus.PENDING
        )
    ).first()
    if waiting is not None:
        raise ConflictError(
            "decision_pending", f"plan {waiting.plan_digest[:12]} of this thread waits for a decision",
            "ask in another thread, or withdraw the plan first", approval_id=str(waiting.approval_id),
        )  # fmt: skip
    given = {"text": words} | ({} if modes is None else {"modes": list(modes)})
    return _start(session, thread, RunKind.MESSAGE, principal.user_id, given, labels=labels)


def start_scan(
    session: Session, principal: Principal, request: PlanRequest, run_id: UUID | None = None
) -> tuple[Run, bool]:
    """Scan the network: a plan request without any llm, put into the queue if it pays.

    With a `run_id` of the caller's a repeat starts nothing. Returns the run, and
    whether it is new.
    """
    principal.require(Act.SCAN)
    known = session.get(Run, run_id) if run_id is not None else None
    if known is not None:
        return known, False
    given = {"request": request.cut_to(principal.sites).model_dump(mode="json")}
    thread = open_thread(session, principal, Door.SCAN, "Scan")
    run = _start(session, thread, RunKind.SCAN, principal.user_id, given, run_id)
    return run, True


def _start(
    session: Session,
    thread: Thread,
    kind: RunKind,
    by: str,
    given: dict[str, Any],
    run_id: UUID | None = None,
    labels: Mapping[str, Any] | None = None,
) -> Run:
    run = Run(
        run_id=run_id or uuid4(), thread_id=thread.thread_id, kind=kind, status=RunStatus.QUEUED,
        started_by=by, input=given, created_at=database_now(session), labels=dict(labels or {}),
    )  # fmt: skip
    added = _added(session, run)
    if added is None:
        raise ConflictError("run_active", f"thread {thread.thread_id} has an active run", "wait until it has answered")
    enqueue(session, RUN_THREAD, workflow_of(run.run_id), str(run.run_id))
    return added


def _added(session: Session, row: RowT) -> RowT | None:
    """The row once it is in its table; None where another one is in its place."""
    statement = insert(type(row)).values(row.model_dump()).on_conflict_do_nothing().returning(type(row))
    return session.scalars(statement).one_or_none()


def get_run(session: Session, principal: Principal, run_id: UUID) -> Run:
    """A run on a thread of the caller. Raises NotFoundError."""
    run = session.get(Run, run_id)
    thread = None if run is None else session.get(Thread, run.thread_id)
    if run is None or thread is None or thread.owner != principal.user_id:
        raise NotFoundError("unknown_run", f"there is no run {run_id} of yours", "check the id")
    return run


def finish(session: Session, run_id: UUID, status: RunStatus, error: str | None = None) -> None:
    """Note how a run ended."""
    run = session.get(Run, run_id, with_for_update=True)
    if run is not None and (run.status in ACTIVE or run.status is RunStatus.WAITING):
        run.status, run.finished_at, run.error = status, database_now(session), error
        session.add(run)
