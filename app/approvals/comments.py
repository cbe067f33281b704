"""What approvers ask or remark about a plan while it waits, and what the agent answers. It decides nothing; the ledger keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
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
from app.views import names_of_plan

COMMENTS_SHOWN = 40
AGENT = "agent"
"""Who answers questions. It is nobody who could be given a role."""
NOT_YOURS = "(about lines that are not wholly at your sites)"


class Comment(BaseModel):
    """What somebody said about a plan that waits."""

    by: str
    at: datetime
    words: str
    line_nos: list[int] = []
    """The lines that the agent's answer tells of."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent says to a question: of which lines, and in words that may be read by whoever sees both ends of each."""

    line_nos: tuple[int, ...]
    words: str


def comment(
    session: Session, approver: Principal, approval_id: UUID, words: str, answer: Answer | None = None
) -> ApprovalRequest:
    """Record a question or remark, and beside it the agent's answer. The request stays as it is.

    The same words of the same person again change nothing, and are not answered again.

    Raises ForbiddenError for whoever may not decide, and ConflictError once the request waits no more or its time is over.
    """
    request = get_request(session, approval_id, lock=True)
    if not is_new(session, approver, request, words):
        return request
    by, of = approver.user_id, _of(session, approver, words)
    _say(session, request, by, of, Sealed(person(by), {"words": words}))
    if answer is not None:
        # Sealed with the question: whoever is forgotten takes what they were told with them.
        told = Sealed(person(by), {"words": answer.words})
        _say(session, request, AGENT, f"{AGENT}/{of}", told, line_nos=list(answer.line_nos), asked_by=by)
    return request


def is_new(session: Session, approver: Principal, request: ApprovalRequest, words: str) -> bool:
    """Whether these words of somebody who may say them are not there yet, in whatever month they were sealed.

    Raises as `comment` does. For certain only where the caller holds the request.
    """
    require_decider(session, approver, request, read_plan(session, request.plan_digest))
    require_open(session, request, request.plan_digest)
    said = select(LedgerEvent.seq).where(LedgerEvent.key == _key(request, _of(session, approver, words)))
    return session.exec(said).first() is None


def _of(session: Session, approver: Principal, words: str) -> str:
    return f"{approver.user_id}/{fingerprint(session, person(approver.user_id), words)}"


def _key(request: ApprovalRequest, of: str) -> str:
    return f"approval/{request.approval_id}/{EventType.APPROVAL_COMMENTED}/{of}"


def _say(session: Session, request: ApprovalRequest, actor: str, of: str, sealed: Sealed, **facts: object) -> None:
    append(
        session,
        stream=plan_stream(request.plan_digest),
        key=_key(request, of),
        event_type=EventType.APPROVAL_COMMENTED,
        actor=actor,
        facts={"approval_id": str(request.approval_id), "plan": request.plan_digest, **facts},
        sealed=sealed,
    )


def comments_for(session: Session, principal: Principal, request: ApprovalRequest) -> list[Comment]:
    """What was said about the request, as far as the caller may read it: masked, and silent about lines of others."""
    said = comments_on(session, request)
    if not said or principal.sees_everything:
        return said
    names = names_of_plan(session, principal, request.plan_digest)
    lines = read_plan(session, request.plan_digest).lines
    seen = {line.line_no for line in lines if principal.covers((line.origin, line.destination))}
    return [
        row.model_copy(update={"words": names.words(row.words) if seen.issuperset(row.line_nos) else NOT_YOURS})
        for row in said
    ]


def comments_on(session: Session, request: ApprovalRequest) -> list[Comment]:
    """What was said about the request, the newest last. Words as they were sent: `comments_for` is for whoever reads."""
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
    return [
        Comment(
            by=body["actor"], at=body["at"], words=unsealed(session, body)["words"],
            line_nos=body["facts"].get("line_nos", []),
        )
        for body in bodies
    ]  # fmt: skip
