"""What approvers ask or remark about a plan while it waits. A comment decides nothing; the ledger keeps it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session, col, select

from app.approvals.decisions import require_decider, require_open
from app.approvals.requests import get_request
from app.approvals.tables import ApprovalRequest
from app.auth.roles import Principal
from app.ledger.append import EventType, append, plan_stream
from app.ledger.tables import LedgerEvent
from app.plans.store import read_plan
from tools.canonical import digest

COMMENTS_SHOWN = 20


class Comment(BaseModel):
    """What somebody said about a plan that waits."""

    by: str
    at: datetime
    words: str


def comment(session: Session, approver: Principal, approval_id: UUID, words: str) -> ApprovalRequest:
    """Record a question or remark. The request stays as it is; the same words of the same person again change nothing.

    Raises ForbiddenError for whoever may not decide, and ConflictError once the request waits no more or its time is over.
    """
    request = get_request(session, approval_id, lock=True)
    require_decider(session, approver, request, read_plan(session, request.plan_digest))
    require_open(session, request, request.plan_digest)
    by = approver.user_id
    append(
        session,
        stream=plan_stream(request.plan_digest),
        key=f"approval/{approval_id}/{EventType.APPROVAL_COMMENTED}/{digest({'by': by, 'words': words})[:16]}",
        event_type=EventType.APPROVAL_COMMENTED,
        actor=by,
        facts={"approval_id": str(approval_id), "plan": request.plan_digest, "words": words},
    )
    return request


def comments_on(session: Session, request: ApprovalRequest) -> list[Comment]:
    """What was said about the request, the newest last. Words as they were sent: mask them for whoever reads."""
    bodies = bodies_about(session, request, EventType.APPROVAL_COMMENTED)
    return [Comment(by=body["actor"], at=body["at"], words=body["facts"]["words"]) for body in bodies]


def bodies_about(session: Session, request: ApprovalRequest, event_type: EventType) -> list[dict[str, Any]]:
    """The latest events of this type about the request, the newest last."""
    query = (
        select(LedgerEvent.body)
        .where(LedgerEvent.stream == plan_stream(request.plan_digest), LedgerEvent.type == event_type)
        .order_by(col(LedgerEvent.seq).desc())
        .limit(COMMENTS_SHOWN)
    )
    bodies = [json.loads(body) for body in session.exec(query).all()]
    return [body for body in reversed(bodies) if body["facts"]["approval_id"] == str(request.approval_id)]
