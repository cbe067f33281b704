"""How a run begins: with something said, by the owner of the thread, or with an answer to what the thread waits for."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from app.approvals.human_in_the_loop import answer
from app.approvals.tables import ApprovalStatus
from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.errors import ConflictError, EvenkeelError
from app.service import Service
from app.threads.access import pending_request, thread_seen_by
from app.threads.resumes import expect_resume
from app.threads.runs import open_thread, own_thread, say
from app.threads.tables import ACTIVE, Door, Run, RunKind, RunStatus, Thread
from app.web.routes.langgraph.requests import RunOrder
from app.web.routes.langgraph.shapes import require_assistant


def begin(
    service: Service, session: Session, caller: Principal, thread_id: UUID, order: RunOrder
) -> Run | EvenkeelError:
    """The run that begins. An error that is returned instead of raised is told to the client, and what was done stays."""
    caller.require(Act.DECIDE if order.is_answer else Act.PLAN)
    require_assistant(order.assistant_id)
    labels = {**(order.config.metadata if order.config else {}), **(order.metadata or {})}
    thread = session.get(Thread, thread_id)  # kept until the end, so that who asks for it again is given this one
    if thread is None and order.if_not_exists == "create" and not order.is_answer:
        order.require_head(thread_id, None)
        thread = open_thread(session, caller, Door.CHAT, "", thread_id)
        return say(session, caller, thread_id, order.words, labels, order.modes)
    if order.is_answer:
        thread_seen_by(session, caller, thread_id)
    else:
        own_thread(session, caller, thread_id)
    snapshot = service.driver.state(thread_id) if order.is_answer or order.names_head else None
    order.require_head(thread_id, None if snapshot is None else snapshot.config["configurable"].get("checkpoint_id"))
    _require_idle(session, thread_id)
    if order.is_answer:
        asked = snapshot.interrupts if snapshot is not None and order.names_head else ()
        seen = {str(each.value["approval_id"]) for each in asked}
        return _answered(session, caller, thread_id, order, labels, seen)
    return say(session, caller, thread_id, order.words, labels, order.modes)


def _require_idle(session: Session, thread_id: UUID) -> None:
    """One run at a time, and the run that carries out a decision is one of them."""
    query = select(Run).where(Run.thread_id == thread_id, col(Run.status).in_(ACTIVE))
    active = session.exec(query).first()
    if active is not None:
        raise ConflictError(
            "run_active", f"thread {thread_id} has an active run", "join it, cancel it, or wait until it has answered",
            run_id=str(active.run_id),
        )  # fmt: skip


def _answered(
    session: Session, caller: Principal, thread_id: UUID, order: RunOrder, labels: dict[str, Any], seen: set[str]
) -> Run | EvenkeelError:
    """Put an answer before the approvals. What it is worth is theirs to say; the run is only what it wakes.

    `seen` are the questions at the checkpoint that the client names.
    """
    request = pending_request(session, thread_id)
    if request is None:
        raise ConflictError("no_open_question", "the thread waits for no decision", "read the thread again")
    done = answer(session, caller, request.approval_id, order.resume, seen=str(request.approval_id) in seen)
    if done.status is ApprovalStatus.PENDING:  # a remark, or one signature of several: nothing wakes yet
        run = _noted(session, caller, thread_id, request.approval_id, labels)
    else:
        run = expect_resume(session, thread_id, request.approval_id, caller.user_id, labels)
        run.input = {**run.input, "modes": list(order.modes)}
    return run if done.refusal is None else done.refusal


def _noted(session: Session, caller: Principal, thread_id: UUID, approval_id: UUID, labels: dict[str, Any]) -> Run:
    """The run of a remark: over at once, for nothing was decided and the thread goes on waiting."""
    now = database_now(session)
    run = Run(
        run_id=uuid4(), thread_id=thread_id, kind=RunKind.RESUME, status=RunStatus.WAITING, started_by=caller.user_id,
        input={"approval_id": str(approval_id), "answered_by": caller.user_id}, created_at=now, finished_at=now,
        labels=labels,
    )  # fmt: skip
    session.add(run)
    session.flush()
    return run
