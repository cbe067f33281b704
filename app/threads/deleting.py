"""Deleting a conversation. What was proposed, decided and moved stays in the ledger, whoever forgets how it came about."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, col, delete, select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Act, Principal
from app.errors import ConflictError, NotFoundError
from app.threads.tables import ACTIVE, Run, Thread

HOLDING = (ApprovalStatus.PENDING, ApprovalStatus.APPROVED)
"""Requests of these statuses hold their thread: it waits for them, or tells how stock came to be moved."""


def delete_thread(session: Session, principal: Principal, thread_id: UUID) -> list[UUID]:
    """Delete a thread of the caller with its runs. Returns the runs that are no more.

    Raises NotFoundError for everybody else's, and ConflictError while a run is active or
    a request for approval holds the thread. The checkpoints are the driver's to forget.
    """
    principal.require(Act.PLAN)
    thread = session.get(Thread, thread_id, with_for_update=True)
    if thread is None or thread.owner != principal.user_id:
        raise NotFoundError("unknown_thread", f"there is no thread {thread_id} of yours", "check the id")
    runs = session.exec(select(Run).where(Run.thread_id == thread_id)).all()
    if any(run.status in ACTIVE for run in runs):
        raise ConflictError("run_active", f"thread {thread_id} has an active run", "cancel it first, or wait")
    query = select(ApprovalRequest).where(
        ApprovalRequest.thread_id == str(thread_id), col(ApprovalRequest.status).in_(HOLDING)
    )
    holding = session.exec(query).first()
    if holding is not None:
        raise ConflictError(
            "thread_held", f"plan {holding.plan_digest[:12]} of this thread is {holding.status}",
            "a thread is kept for as long as its plan is; withdraw a plan that waits", approval_id=str(holding.approval_id),
        )  # fmt: skip
    session.exec(delete(Run).where(col(Run.thread_id) == thread_id))
    session.exec(delete(Thread).where(col(Thread.thread_id) == thread_id))
    return [run.run_id for run in runs]
