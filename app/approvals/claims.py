"""Claiming a request for a while, so that two people do not look at the same plan. A claim keeps others from deciding, not for ever."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlmodel import Session

from app.approvals.authority import require_decider
from app.approvals.delegations import is_away
from app.approvals.requests import get_request, record_about
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.people import principal_of
from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.errors import ConflictError, InvalidError
from app.ledger.append import EventType
from app.plans.store import read_plan

CLAIM_MINUTES = 30


def claim(session: Session, approver: Principal, approval_id: UUID) -> ApprovalRequest:
    """Take a request for so many minutes; again, for so many more. Raises ForbiddenError for whoever may not decide, ConflictError."""
    request = _open(session, approval_id)
    require_decider(session, approver, request, read_plan(session, request.plan_digest))
    require_unclaimed(session, request, approver)
    _give(session, request, approver.user_id, by=approver.user_id)
    return request


def unclaim(session: Session, approver: Principal, approval_id: UUID) -> ApprovalRequest:
    """Give a claim back. Raises ConflictError for a claim that is not one's own."""
    request = _open(session, approval_id)
    require_own(session, request, approver)
    request.claimed_by = request.claimed_until = None
    session.add(request)
    record_about(session, request, EventType.APPROVAL_UNCLAIMED, approver.user_id, _moment(session))
    return request


def transfer_claim(session: Session, approver: Principal, approval_id: UUID, to: str) -> ApprovalRequest:
    """Hand one's claim to somebody who may decide as well. Raises ConflictError, and ForbiddenError or InvalidError for them."""
    request = _open(session, approval_id)
    require_own(session, request, approver)
    other = principal_of(session, to)
    if other is None or to == approver.user_id:
        raise InvalidError("claim_to", f"a claim cannot be handed to {to!r}", "name another active person")
    require_decider(session, other, request, read_plan(session, request.plan_digest))
    _give(session, request, to, by=approver.user_id)
    return request


def claimed_by(session: Session, request: ApprovalRequest) -> str | None:
    """Who holds a claim that counts: in time, and somebody who still decides at all."""
    if request.claimed_by is None or request.claimed_until is None or request.claimed_until <= database_now(session):
        return None
    holder = principal_of(session, request.claimed_by)
    if holder is None or not holder.may(Act.DECIDE) or is_away(session, holder.user_id):
        return None
    return holder.user_id


def require_unclaimed(session: Session, request: ApprovalRequest, approver: Principal) -> None:
    """Raise ConflictError where somebody else holds a claim that counts."""
    holder = claimed_by(session, request)
    if holder is not None and holder != approver.user_id:
        raise ConflictError(
            "claimed", f"{holder} has claimed the request until {request.claimed_until:%H:%M} UTC",
            "ask them, or wait", claimed_by=holder,
        )  # fmt: skip


def require_own(session: Session, request: ApprovalRequest, approver: Principal) -> None:
    """Raise ConflictError unless the approver holds the claim."""
    if claimed_by(session, request) != approver.user_id:
        raise ConflictError("not_claimed", "you hold no claim to the request (any more)", "claim it")


def _open(session: Session, approval_id: UUID) -> ApprovalRequest:
    request = get_request(session, approval_id, lock=True)
    if request.status is not ApprovalStatus.PENDING or request.expires_at <= database_now(session):
        raise ConflictError("not_pending", "the request waits for nobody any more", "look at the queue again")
    return request


def _give(session: Session, request: ApprovalRequest, to: str, *, by: str) -> None:
    request.claimed_by = to
    request.claimed_until = database_now(session) + timedelta(minutes=CLAIM_MINUTES)
    session.add(request)
    until = request.claimed_until.isoformat()
    record_about(session, request, EventType.APPROVAL_CLAIMED, by, f"{to}/{until}", claimed_by=to, until=until)


def _moment(session: Session) -> str:
    return database_now(session).isoformat()
