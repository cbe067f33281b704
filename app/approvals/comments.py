"""What approvers ask or remark about a plan while it waits. A comment decides nothing; the ledger keeps it."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session, col, select

from app.approvals.authority import require_decider
from app.approvals.decisions import require_open
from app.approvals.requests import get_request
from app.approvals.tables import ApprovalRequest
from app.auth.roles import Principal
from app.ledger.append import EventType, append, plan_stream
from app.ledger.sealing import Sealed, fingerprint, person, unsealed
from app.ledger.tables import LedgerEvent
from app.plans.store import read_plan

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
        key=f"approval/{approval_id}/{EventType.APPROVAL_COMMENTED}/{by}/{fingerprint(session, person(by), words)}",
        event_type=EventType.APPROVAL_COMMENTED,
        actor=by,
        facts={"approval_id": str(approval_id), "plan": request.plan_digest},
        sealed=Sealed(person(by), {"words": words}),
    )
    return request


def comments_on(session: Session, request: ApprovalRequest) -> list[Comment]:
    """What was said about the request, the newest last. Words as they were sent: mask them for whoever reads."""
    query = (
        select(LedgerEvent.body)
        .where(
            LedgerEvent.stream == plan_stream(request.plan_digest),
            LedgerEvent.type == EventType.APPROVAL_COMMENTED,
            col(LedgerEvent.key).startswith(f"approval/{request.approval_id}/", autoescape=True),
        )
        .order_by(col(LedgerEvent.seq).desc())
        .limit(COMMENTS_SHOWN)
    )
    bodies = [json.loads(body) for body in reversed(session.exec(query).all())]
    return [Comment(by=body["actor"], at=body["at"], words=unsealed(session, body)["words"]) for body in bodies]
