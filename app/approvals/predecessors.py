"""The plans that a plan was edited from: each edit and each approval of a part leaves the request before it superseded."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from app.approvals.tables import ApprovalRequest


def predecessors(session: Session, plan_digest: str, last_attempt: int | None = None) -> list[ApprovalRequest]:
    """The requests whose plans were edited, one after the other, into a plan; the nearest first.

    `last_attempt` leaves out what was edited into it only for a request after that one.
    """
    found: dict[UUID, ApprovalRequest] = {}
    last = _requests(session, plan_digest, last_attempt)
    while last:
        before = [each for each in _edited_into(session, last) if each.approval_id not in found]
        found |= {request.approval_id: request for request in before}
        last = [each for request in before for each in _requests(session, request.plan_digest, request.attempt)]
    return list(found.values())


def _requests(session: Session, plan_digest: str, last_attempt: int | None) -> Sequence[ApprovalRequest]:
    query = select(ApprovalRequest).where(ApprovalRequest.plan_digest == plan_digest)
    if last_attempt is not None:
        query = query.where(ApprovalRequest.attempt <= last_attempt)
    return session.exec(query).all()


def _edited_into(session: Session, requests: Sequence[ApprovalRequest]) -> Sequence[ApprovalRequest]:
    ids = [request.approval_id for request in requests]
    query = select(ApprovalRequest).where(col(ApprovalRequest.superseded_by).in_(ids))
    return session.exec(query.order_by(col(ApprovalRequest.requested_at), col(ApprovalRequest.approval_id))).all()
