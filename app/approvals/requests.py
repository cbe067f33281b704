"""Asking for a decision, and what ends a request without one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid5

from sqlalchemy import ARRAY, Text, cast, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Principal
from app.db.database import database_now
from app.durable.enqueue import RESUME_THREAD, enqueue
from app.errors import ConflictError, NotFoundError
from app.ledger.append import EventType, append, plan_stream
from policies.schema import Tier
from tools.transfers import TransferPlan

_NAMESPACE = UUID("0b0a2a6e-3f0c-5d1e-8a53-6f2d9c1b7a44")


def request_approval(
    session: Session, plan: TransferPlan, tier: Tier, authors: Sequence[str], thread_id: str | None
) -> ApprovalRequest:
    """Put a plan into the queue. While it waits there, asking again returns the same request.

    Whoever asks again has a hand in the plan from then on, and may not decide on it.
    """
    query = select(ApprovalRequest).where(
        ApprovalRequest.plan_digest == plan.digest, ApprovalRequest.status == ApprovalStatus.PENDING
    )
    waiting = session.exec(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if waiting is not None:
        for author in sorted(set(authors) - set(waiting.authors)):
            waiting.authors = sorted({*waiting.authors, author})
            session.add(waiting)
            _record(
                session,
                waiting,
                EventType.APPROVAL_REQUESTED,
                author,
                author,
                tier=waiting.tier,
                authors=waiting.authors,
            )
        return waiting
    before = session.exec(select(ApprovalRequest).where(ApprovalRequest.plan_digest == plan.digest)).all()
    earlier = len(before)
    # Asking again in the same thread does not make an editor a stranger to the plan.
    hands = [each.authors for each in before if thread_id is not None and each.thread_id == thread_id]
    everybody = sorted({*authors, *(author for each in hands for author in each)})
    now = database_now(session)
    request = ApprovalRequest(
        approval_id=uuid5(_NAMESPACE, f"{plan.digest}/{earlier}"),
        plan_digest=plan.digest,
        attempt=earlier,
        tier=tier.name,
        status=ApprovalStatus.PENDING,
        requested_by=authors[0],
        authors=everybody,
        sites=sorted(plan.sites),
        thread_id=thread_id,
        requested_at=now,
        expires_at=now + timedelta(hours=tier.expires_hours),
        lines=len(plan.lines),
        units=plan.units,
        goods_value_minor=plan.goods_value_minor,
        saving_minor=plan.saving_minor,
        currency=plan.currency,
    )
    try:
        with session.begin_nested():
            session.add(request)
    except IntegrityError:
        # Somebody else has asked for it at this very moment.
        return request_approval(session, plan, tier, authors, thread_id)
    _record(session, request, EventType.APPROVAL_REQUESTED, authors[0], tier=tier.name, authors=request.authors)
    return request


def get_request(session: Session, approval_id: UUID, *, lock: bool = False) -> ApprovalRequest:
    """An approval request. Raises NotFoundError."""
    row = session.get(ApprovalRequest, approval_id, with_for_update=lock or None, populate_existing=lock)
    if row is None:
        raise _unknown(approval_id)
    return row


def _unknown(approval_id: UUID) -> NotFoundError:
    return NotFoundError("unknown_approval", f"there is no approval request {approval_id}", "check the id")


def queue(
    session: Session, principal: Principal, statuses: Sequence[ApprovalStatus], limit: int | None = None
) -> list[ApprovalRequest]:
    """The requests that touch the caller's sites, the most valuable first; all of them, or so many."""
    query = (
        select(ApprovalRequest)
        .where(col(ApprovalRequest.status).in_(statuses))
        .order_by(col(ApprovalRequest.saving_minor).desc(), col(ApprovalRequest.approval_id))
    )
    if principal.sites is not None:
        own = cast(sorted(principal.sites), ARRAY(Text))
        query = query.where(type_coerce(col(ApprovalRequest.sites), JSONB).has_any(own))
    return list(session.exec(query.limit(limit)).all())


def expire_overdue(session: Session) -> int:
    """Close every pending request whose time is over, by the database's clock. Returns how many."""
    overdue = session.exec(
        select(ApprovalRequest)
        .where(ApprovalRequest.status == ApprovalStatus.PENDING, ApprovalRequest.expires_at <= database_now(session))
        .with_for_update(skip_locked=True)
    ).all()
    for request in overdue:
        close(session, request, ApprovalStatus.EXPIRED, EventType.APPROVAL_EXPIRED, request.requested_by)
    return len(overdue)


def withdraw(session: Session, approval_id: UUID, principal: Principal) -> ApprovalRequest:
    """Take a plan back before anybody has decided. Only its authors may."""
    request = get_request(session, approval_id, lock=True)
    if principal.user_id not in request.authors:
        raise _unknown(approval_id)
    if request.status is not ApprovalStatus.PENDING:
        raise ConflictError("not_pending", f"the request is {request.status} already", "", status=request.status)
    close(session, request, ApprovalStatus.WITHDRAWN, EventType.APPROVAL_WITHDRAWN, principal.user_id)
    return request


def close(
    session: Session, request: ApprovalRequest, status: ApprovalStatus, event: EventType, actor: str, **facts: str
) -> None:
    """End a pending request without a decision, record it, and wake the thread that waits for it."""
    request.status, request.closed_at = status, database_now(session)
    session.add(request)
    _record(session, request, event, actor, "", **facts)
    wake_thread(session, request)


def wake_thread(session: Session, request: ApprovalRequest) -> None:
    """Have the waiting graph resumed, in the same transaction as what it waits for."""
    enqueue(session, RESUME_THREAD, f"resume:{request.approval_id}", str(request.approval_id))


def _record(
    session: Session, request: ApprovalRequest, event: EventType, actor: str, of: str = "", **facts: object
) -> None:
    append(
        session,
        stream=plan_stream(request.plan_digest),
        key=f"approval/{request.approval_id}/{event}{f'/{of}' if of else ''}",
        event_type=event,
        actor=actor,
        facts={
            "approval_id": str(request.approval_id),
            "plan": request.plan_digest,
            "expires_at": request.expires_at.isoformat(),
            **facts,
        },
    )
