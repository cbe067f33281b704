"""The approval queue: decisions, claims, and delegations of those who decide."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, status
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from app.approvals.claims import claim, transfer_claim, unclaim
from app.approvals.decisions import Decided, OutrunError, decide
from app.approvals.delegations import Loan, delegate_to, delegations_of, end_delegation
from app.approvals.parts import approve_part, approve_together
from app.approvals.reasons import reasons_counted
from app.approvals.requests import get_request, queue, withdraw
from app.approvals.tables import ApprovalStatus, Delegation
from app.approvals.views import ApprovalView, approval_view, approval_views, visible_request
from app.auth.roles import Act
from app.errors import InvalidError
from app.web.bodies import JsonRejection, Text
from app.web.dependencies import Caller, InSession
from app.web.idempotency import OnceRoute
from app.web.problems import refusal
from tools.rejections import RejectionCode
from tools.transfers import Verdict

router = APIRouter(tags=["approvals"], route_class=OnceRoute)
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PersonName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{1,39}$")]


class DecisionOrder(BaseModel):
    """A decision on exactly the plan with this digest. A rejection needs a coded reason.

    `line_nos`: approve these lines only; what is left is a plan of its own, checked from scratch.
    """

    model_config = {"extra": "forbid"}
    verdict: Literal["approve", "reject"]
    plan_digest: Digest
    rejection: JsonRejection | None = None
    line_nos: Annotated[list[Annotated[int, Field(ge=1, le=100_000)]] | None, Field(max_length=100_000)] = None


class NarrowedView(BaseModel):
    """A line that carries less than was decided on, because the world of then admitted less."""

    line_no: int
    decided_units: int
    units: int


class DecisionAnswer(BaseModel):
    """What came of it. As long as the request is pending, others have to sign: see `approval.signing`."""

    approval: ApprovalView
    transfer_ids: list[UUID]
    narrowed: list[NarrowedView] = []


class SeenPlan(BaseModel):
    """A request, and the plan that was seen in it."""

    model_config = {"extra": "forbid"}
    approval_id: UUID
    plan_digest: Digest


class BulkOrder(BaseModel):
    """Approve several small plans. `set_digest` is the SHA-256 of the canonical JSON object {approval id: plan digest}."""

    model_config = {"extra": "forbid"}
    plans: Annotated[list[SeenPlan], Field(min_length=1, max_length=200)]
    set_digest: Digest


class ClaimOrder(BaseModel):
    """Claim a request for oneself, or hand one's claim to somebody."""

    model_config = {"extra": "forbid"}
    to: PersonName | None = None


class DelegationOrder(BaseModel):
    """Lend one's sites and limit from an instant to another. `away`: one decides nothing meanwhile."""

    model_config = {"extra": "forbid"}
    delegate: PersonName | None = None
    starts_at: datetime
    ends_at: datetime
    reason: Annotated[Text, Field(min_length=1, max_length=500)]
    away: bool = False
    sites: Annotated[list[Annotated[Text, Field(max_length=40)]] | None, Field(max_length=10_000)] = None
    value_limit_minor: Annotated[int, Field(ge=0, le=10**15)] | None = None


class DelegationView(BaseModel):
    """What somebody has lent or was lent. Sites None: all that the delegator has."""

    delegation_id: UUID
    delegator: str
    delegate: str | None
    starts_at: datetime
    ends_at: datetime
    sites: list[str] | None
    value_limit_minor: int | None
    away: bool
    reason: str
    ended_at: datetime | None


class ReasonCount(BaseModel):
    """How often plans that touch the caller's sites were rejected for a reason, in the last `days`."""

    code: RejectionCode
    count: int
    days: int


@router.get("/approvals")
def list_approvals(
    session: InSession,
    caller: Caller,
    status: Literal["pending", "approved", "rejected", "expired", "outrun", "withdrawn", "superseded"] = "pending",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ApprovalView]:
    """The approval queue: what was escalated first, then the greatest saving."""
    caller.require(Act.READ)
    rows = queue(session, caller, [ApprovalStatus(status)], limit)
    return approval_views(session, caller, rows)


@router.get("/approvals/{approval_id}")
def read_approval(session: InSession, caller: Caller, approval_id: UUID) -> ApprovalView:
    """One approval request, with who could still sign it."""
    caller.require(Act.READ)
    return approval_view(session, caller, visible_request(session, caller, approval_id), detailed=True)


@router.post("/approvals/{approval_id}/decision", response_model=DecisionAnswer)
def decide_on_it(
    session: InSession, caller: Caller, approval_id: UUID, order: DecisionOrder
) -> DecisionAnswer | JSONResponse:
    """Approve, approve some lines, or reject. The decision, the reservation and the work that follows are one transaction.

    409 with the code `outrun` means that the world has moved on since the plan was made:
    the plan went back to be made again.
    """
    caller.require(Act.DECIDE)
    visible_request(session, caller, approval_id)
    if order.line_nos is None:
        done = decide(session, caller, approval_id, Verdict(order.verdict), order.plan_digest, order.rejection)
    elif order.verdict == "reject" or order.rejection is not None:
        raise InvalidError("line_nos", "a rejection is about the whole plan", "name lines in its reason")
    else:
        done = approve_part(session, caller, approval_id, order.plan_digest, order.line_nos)
    if done.status is ApprovalStatus.OUTRUN:
        # Returned and not raised: that the plan went back is a fact to be kept, and the caller hears of it as a refusal.
        return refusal(OutrunError(done))
    return _answer(session, caller, done)


@router.post("/approvals/decisions")
def decide_on_several(session: InSession, caller: Caller, order: BulkOrder) -> list[DecisionAnswer]:
    """Approve several plans of low tiers with one digest over the set: all, or none. One that was outrun goes back."""
    caller.require(Act.DECIDE)
    seen = {each.approval_id: each.plan_digest for each in order.plans}
    if len(seen) < len(order.plans):
        raise InvalidError("plans", "a request is named twice", "name each once")
    for approval_id in seen:
        visible_request(session, caller, approval_id)
    return [_answer(session, caller, done) for done in approve_together(session, caller, seen, order.set_digest)]


@router.post("/approvals/{approval_id}/withdrawal")
def withdraw_it(session: InSession, caller: Caller, approval_id: UUID) -> ApprovalView:
    """Take one's own plan back before anybody has decided."""
    caller.require(Act.PLAN)
    return approval_view(session, caller, withdraw(session, approval_id, caller))


@router.post("/approvals/{approval_id}/claim")
def claim_it(session: InSession, caller: Caller, approval_id: UUID, order: ClaimOrder) -> ApprovalView:
    """Claim a request for half an hour, or hand one's claim to another approver. Meanwhile nobody else decides on it."""
    caller.require(Act.DECIDE)
    visible_request(session, caller, approval_id)
    if order.to is None:
        return approval_view(session, caller, claim(session, caller, approval_id))
    return approval_view(session, caller, transfer_claim(session, caller, approval_id, order.to))


@router.post("/approvals/{approval_id}/unclaim")
def unclaim_it(session: InSession, caller: Caller, approval_id: UUID) -> ApprovalView:
    """Give one's claim back."""
    caller.require(Act.DECIDE)
    visible_request(session, caller, approval_id)
    return approval_view(session, caller, unclaim(session, caller, approval_id))


@router.get("/rejections")
def count_reasons(
    session: InSession, caller: Caller, days: Annotated[int, Query(ge=1, le=366)] = 90
) -> list[ReasonCount]:
    """Why plans were rejected: how often each reason was given, the most frequent first."""
    caller.require(Act.READ)
    counted = reasons_counted(session, caller, days)
    return [ReasonCount(code=code, count=count, days=days) for code, count in counted]


@router.get("/delegations")
def list_delegations(session: InSession, caller: Caller) -> list[DelegationView]:
    """What the caller has lent or was lent, and that is not over."""
    caller.require(Act.READ)
    return [_delegation_view(row) for row in delegations_of(session, caller.user_id)]


@router.post("/delegations", status_code=status.HTTP_201_CREATED)
def delegate(session: InSession, caller: Caller, order: DelegationOrder) -> DelegationView:
    """Lend one's sites and limit to another approver for a while, or say that one is away."""
    caller.require(Act.DECIDE)
    row = delegate_to(
        session, caller,
        Loan(
            order.delegate, order.starts_at, order.ends_at, order.reason, order.away,
            None if order.sites is None else tuple(order.sites), order.value_limit_minor,
        ),
    )  # fmt: skip
    return _delegation_view(row)


@router.post("/delegations/{delegation_id}/end")
def end_it(session: InSession, caller: Caller, delegation_id: UUID) -> DelegationView:
    """End a delegation or absence now."""
    caller.require(Act.READ)
    return _delegation_view(end_delegation(session, caller, delegation_id))


def _answer(session: InSession, caller: Caller, done: Decided) -> DecisionAnswer:
    return DecisionAnswer(
        approval=approval_view(session, caller, get_request(session, done.approval_id)),
        transfer_ids=list(done.transfer_ids),
        narrowed=[
            NarrowedView(line_no=each.line_no, decided_units=each.decided_units, units=each.units)
            for each in done.narrowed
        ],
    )


def _delegation_view(row: Delegation) -> DelegationView:
    return DelegationView(**{name: getattr(row, name) for name in DelegationView.model_fields})
