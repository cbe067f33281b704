"""Who may look at a thread: its owner, and an approver at the question that it waits for.

A conversation is its owner's and nobody else's. But an approver who works through a
client of threads has to find the question and the run that their decision wakes. So an
approver is let in as a guest where a plan of the thread waits that their queue shows
them, or where they have answered. A guest sees that request, never the conversation.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from app.approvals.requests import get_request
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Act, Principal
from app.errors import NotFoundError
from app.threads.resumes import answered_by, answered_by_is
from app.threads.tables import Run, RunKind, RunStatus, Thread


@dataclass(frozen=True, slots=True)
class Access:
    """A thread, and whether it is the caller's own. For a guest `request` is all that they see of it."""

    thread: Thread
    own: bool
    request: ApprovalRequest | None = None


def thread_seen_by(session: Session, principal: Principal, thread_id: UUID) -> Access:
    """The thread as the caller may see it. Raises NotFoundError where they may not know of it."""
    thread = session.get(Thread, thread_id)
    if thread is not None and thread.owner == principal.user_id:
        return Access(thread, own=True, request=pending_request(session, thread_id))
    request = _as_guest(session, principal, thread_id) if thread is not None else None
    if thread is None or request is None:
        raise NotFoundError("unknown_thread", f"there is no thread {thread_id} of yours", "check the id")
    return Access(thread, own=False, request=request)


def is_own(session: Session, principal: Principal, thread_id: UUID) -> bool:
    """Whether the thread is the caller's own."""
    thread = session.get(Thread, thread_id)
    return thread is not None and thread.owner == principal.user_id


def run_seen_by(session: Session, principal: Principal, thread_id: UUID, run_id: UUID) -> tuple[Access, Run]:
    """A run of the thread. A guest sees the runs that their own decisions woke. Raises NotFoundError."""
    access = thread_seen_by(session, principal, thread_id)
    run = session.get(Run, run_id)
    if run is None or run.thread_id != thread_id or not (access.own or answered_by(run) == principal.user_id):
        raise NotFoundError("unknown_run", f"there is no run {run_id} of yours on this thread", "check the id")
    return access, run


def runs_seen_by(
    session: Session,
    principal: Principal,
    access: Access,
    statuses: Collection[RunStatus] | None = None,
    limit: int = 10,
    offset: int = 0,
) -> Sequence[Run]:
    """A page of the runs of a thread that the caller may see, the newest first; those that stand so, if it is said how."""
    query = select(Run).where(Run.thread_id == access.thread.thread_id)
    if not access.own:
        query = query.where(answered_by_is(principal.user_id))
    if statuses is not None:
        query = query.where(col(Run.status).in_(statuses))
    return session.exec(query.order_by(col(Run.created_at).desc(), col(Run.run_id)).limit(limit).offset(offset)).all()


def pending_request(session: Session, thread_id: UUID) -> ApprovalRequest | None:
    """The request that a thread waits for. It has one at most: while it waits, nothing else goes in."""
    query = select(ApprovalRequest).where(
        ApprovalRequest.thread_id == str(thread_id), ApprovalRequest.status == ApprovalStatus.PENDING
    )
    return session.exec(query).first()


def pending_requests(session: Session, thread_ids: Collection[UUID]) -> dict[UUID, ApprovalRequest]:
    """The requests that these threads wait for, by thread."""
    query = select(ApprovalRequest).where(
        col(ApprovalRequest.thread_id).in_([str(thread_id) for thread_id in thread_ids]),
        ApprovalRequest.status == ApprovalStatus.PENDING,
    )
    return {UUID(request.thread_id): request for request in session.exec(query).all()}


def _as_guest(session: Session, principal: Principal, thread_id: UUID) -> ApprovalRequest | None:
    if not principal.may(Act.DECIDE):
        return None
    request = pending_request(session, thread_id)
    if request is not None and principal.touches(request.sites) and principal.user_id not in request.authors:
        return request
    query = select(Run).where(Run.thread_id == thread_id, Run.kind == RunKind.RESUME, answered_by_is(principal.user_id))
    run = session.exec(query.order_by(col(Run.created_at).desc()).limit(1)).first()
    answered = None if run is None else get_request(session, UUID(run.input["approval_id"]))
    return answered if answered is not None and principal.touches(answered.sites) else None
