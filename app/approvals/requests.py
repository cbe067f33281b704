"""Asking for a decision, and what ends a request without one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid5

from sqlalchemy import ARRAY, Text, cast, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from app.approvals.freshness import facts_to_check_on
from app.approvals.needs import needed_now, needed_of
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.people import SYSTEM
from app.auth.roles import Principal
from app.db.database import database_now
from app.durable.enqueue import RESUME_THREAD, enqueue
from app.errors import ConflictError, NotFoundError
from app.ledger.append import EventType, append, plan_stream
from policies.schema import Tier
from policies.signatures import Needed
from tools.canonical import digest
from tools.transfers import TransferPlan

_NAMESPACE = UUID("0b0a2a6e-3f0c-5d1e-8a53-6f2d9c1b7a44")


def request_approval(
    session: Session,
    plan: TransferPlan,
    tier: Tier,
    authors: Sequence[str],
    thread_id: str | None,
    at_least: Needed | None = None,
) -> ApprovalRequest:
    """Put a plan into the queue. While it waits there, asking again returns the same request.

    Whoever asks again has a hand in the plan from then on, and may not decide on it; so has everybody who had one in
    this plan or in one that it was edited from, whenever and in whichever thread. `at_least` are signatures that the
    plan needs whatever it has become: those of the plan that it was cut from.
    """
    needed = needed_now(session, plan, tier, facts_to_check_on(session))
    if at_least is not None:
        needed = needed.with_demands_of(at_least)
    query = select(ApprovalRequest).where(
        ApprovalRequest.plan_digest == plan.digest, ApprovalRequest.status == ApprovalStatus.PENDING
    )
    waiting = session.exec(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if waiting is not None:
        for author in sorted(set(authors) - set(waiting.authors)):
            waiting.authors = sorted({*waiting.authors, author})
            session.add(waiting)
            record_about(
                session,
                waiting,
                EventType.APPROVAL_REQUESTED,
                author,
                author,
                tier=waiting.tier,
                authors=waiting.authors,
            )
        raise_needed(session, waiting, needed, authors[0])
        return waiting
    before = session.exec(select(ApprovalRequest).where(ApprovalRequest.plan_digest == plan.digest)).all()
    earlier = len(before)
    everybody = sorted({*authors, *_hands_in(session, before)})
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
        needed=needed.model_dump(mode="json"),
    )
    try:
        with session.begin_nested():
            session.add(request)
    except IntegrityError:
        # Somebody else has asked for it at this very moment.
        return request_approval(session, plan, tier, authors, thread_id, at_least)
    record_about(
        session, request, EventType.APPROVAL_REQUESTED, authors[0], tier=tier.name, authors=request.authors,
        needed=request.needed,
    )  # fmt: skip
    return request


def _hands_in(session: Session, requests: Sequence[ApprovalRequest]) -> set[str]:
    """The authors of these requests and of all that were edited, one after the other, into their plans."""
    seen = {request.approval_id: request for request in requests}
    last: Sequence[ApprovalRequest] = requests
    while last:
        query = select(ApprovalRequest).where(
            col(ApprovalRequest.superseded_by).in_([request.approval_id for request in last])
        )
        edited = {request.plan_digest for request in session.exec(query).all()}
        found = session.exec(select(ApprovalRequest).where(col(ApprovalRequest.plan_digest).in_(edited))).all()
        last = [request for request in found if request.approval_id not in seen]
        seen |= {request.approval_id: request for request in last}
    return {author for request in seen.values() for author in request.authors}


def raise_needed(session: Session, request: ApprovalRequest, needed: Needed, actor: str) -> None:
    """Have a request that waits need what it needs now as well: never fewer signatures than it was shown with."""
    before = needed_of(request)
    both = needed.with_demands_of(before)
    if {demand.model_dump_json() for demand in both.demands} == {each.model_dump_json() for each in before.demands}:
        return
    request.needed = both.model_dump(mode="json")
    session.add(request)
    record_about(
        session, request, EventType.SIGNATURES_RAISED, actor, digest(request.needed)[:16], needed=request.needed
    )


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
    """The requests that touch the caller's sites, those that were escalated and the most valuable first; all, or so many."""
    query = (
        select(ApprovalRequest)
        .where(col(ApprovalRequest.status).in_(statuses))
        .order_by(
            col(ApprovalRequest.escalated_at).is_(None),
            col(ApprovalRequest.saving_minor).desc(),
            col(ApprovalRequest.approval_id),
        )
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
        close(session, request, ApprovalStatus.EXPIRED, EventType.APPROVAL_EXPIRED, SYSTEM)
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
    request.claimed_by = request.claimed_until = None
    session.add(request)
    record_about(session, request, event, actor, "", **facts)
    wake_thread(session, request)


def wake_thread(session: Session, request: ApprovalRequest) -> None:
    """Have the waiting graph resumed, in the same transaction as what it waits for."""
    enqueue(session, RESUME_THREAD, f"resume:{request.approval_id}", str(request.approval_id))


def record_about(
    session: Session, request: ApprovalRequest, event: EventType, actor: str, of: str = "", **facts: object
) -> None:
    """Append an event about the request; `of` tells several of one kind apart."""
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
