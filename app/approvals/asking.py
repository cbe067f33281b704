"""A question about a plan that is put on record, answered by the agent where the plan's own record holds the answer.

The answer is worked out from the facts that the plan was made on, without any language model: what the solver weighed
for the lines that the question names. Whatever else is asked is for the people who made the plan or decide on it.
"""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session

from app.approvals.comments import Answer, comment, is_new
from app.approvals.questions import is_question, lines_meant
from app.approvals.requests import get_request
from app.approvals.tables import ApprovalRequest
from app.auth.roles import Principal
from app.explanations import words_for_both_ends
from app.views import plan_view


def ask(session: Session, approver: Principal, approval_id: UUID, words: str) -> ApprovalRequest:
    """Record what somebody said about a plan that waits, and the agent's answer to it. Raises as `comments.comment` does."""
    request = get_request(session, approval_id)
    if not is_new(session, approver, request, words):
        return request
    # Before the request is locked: to explain lines takes its time, and others may want to decide meanwhile.
    return comment(session, approver, approval_id, words, _answer(session, approver, request, words))


def _answer(session: Session, approver: Principal, request: ApprovalRequest, words: str) -> Answer | None:
    if not is_question(words):
        return None
    lines = plan_view(session, approver, request.plan_digest).lines
    within = [line for line in lines if approver.covers((line.origin, line.destination))]
    line_nos = tuple(lines_meant(words, within))
    if not line_nos:
        return None
    return Answer(line_nos, "\n".join(words_for_both_ends(session, request.plan_digest, line_nos)))
