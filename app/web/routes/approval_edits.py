"""What else approvers do with a plan that waits: ask for less of it, and ask or remark something about it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.approvals.asking import ask
from app.approvals.edits import edit
from app.approvals.views import ApprovalView, approval_view, visible_request
from app.auth.roles import Act
from app.errors import InvalidError
from app.plans.store import read_plan
from app.web.bodies import Text
from app.web.dependencies import Caller, InSession
from app.web.idempotency import OnceRoute
from app.web.routes.approvals import Digest

router = APIRouter(tags=["approvals"], route_class=OnceRoute)


class LinePacks(BaseModel):
    """So many packs on a line; 0 drops it."""

    model_config = {"extra": "forbid"}
    line_no: Annotated[int, Field(ge=1, le=100_000)]
    packs: Annotated[int, Field(ge=0, le=10**9)]


class EditOrder(BaseModel):
    """Fewer packs on some lines of exactly the plan with this digest. Lines that are not named stay as they are."""

    model_config = {"extra": "forbid"}
    plan_digest: Digest
    packs: Annotated[list[LinePacks], Field(min_length=1, max_length=100_000)]


class CommentOrder(BaseModel):
    """A question or a remark."""

    model_config = {"extra": "forbid"}
    words: Annotated[Text, Field(min_length=1, max_length=2_000)]


@router.post("/approvals/{approval_id}/edit")
def edit_it(session: InSession, caller: Caller, approval_id: UUID, order: EditOrder) -> ApprovalView:
    """Put an edited plan in the place of one that waits: another plan, checked from scratch, that somebody else decides on.

    The answer is the request for the edited plan.
    """
    caller.require(Act.DECIDE)
    request = visible_request(session, caller, approval_id)
    wanted = {each.line_no: each.packs for each in order.packs}
    if len(wanted) < len(order.packs):
        raise InvalidError("edit", "a line is named twice", "name each once")
    plan = read_plan(session, request.plan_digest)
    seen = {line.line_no for line in plan.lines if caller.touches((line.origin, line.destination))}
    if unknown := sorted(set(wanted) - seen):
        raise InvalidError("edit", f"there is no line {unknown[0]} for you to edit", "name lines that you see")
    packs = {line.line_no: line.packs for line in plan.lines} | wanted
    done = edit(session, caller, approval_id, order.plan_digest, packs)
    return approval_view(session, caller, done.successor)


@router.post("/approvals/{approval_id}/comments")
def comment_on_it(session: InSession, caller: Caller, approval_id: UUID, order: CommentOrder) -> ApprovalView:
    """Ask or remark something about a plan that waits. It goes on waiting; the ledger keeps the words.

    A question that names lines, SKUs or sites of the plan is answered beside it by the agent, with why those lines are in it.
    """
    caller.require(Act.DECIDE)
    visible_request(session, caller, approval_id)
    if not order.words.strip():
        raise InvalidError("words", "nothing was said", "write a question or a remark")
    return approval_view(session, caller, ask(session, caller, approval_id, order.words.strip()))
