"""Whether the decision that released an order still stands: asked of whoever made it, as they are at the moment of its use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from app.approvals.authority import POLICY, counts_as, plan_of_release, principal_of_policy, signature_rows
from app.approvals.needs import needed_of
from app.approvals.requests import get_request
from app.approvals.tables import ApprovalRequest, ApprovalSignature, Decision
from app.auth.roles import Act
from app.errors import ForbiddenError
from app.governance.state import active_policy
from app.plans.store import DamagedError, read_plan
from app.stock.tables import MasterRow
from policies.signatures import missing
from tools.transfers import TransferPlan, Verdict


def reasons_not_to_rely_on(session: Session, approval_id: UUID) -> Iterator[str]:
    """Why the decision does not carry an order any more, in sentences.

    There is none on this plan; people have signed it who may not now, and too few are left; or a policy released it
    that is not in force any more, or would not release it now.
    """
    request, decision = get_request(session, approval_id), session.get(Decision, approval_id)
    decided = None if decision is None else (decision.verdict, decision.seen_digest)
    if decision is None or decided != (Verdict.APPROVE, request.plan_digest):
        yield "No decision to move it is on record."
        return
    try:
        plan = read_plan(session, request.plan_digest)
    except DamagedError as damaged:
        yield f"The plan that was approved has been tampered with: {damaged}."
        return
    if decision.decided_by.startswith(POLICY):
        yield from _policy_now(session, request, decision, plan)
    else:
        yield from _signers_now(session, request, decision, plan)


def _signers_now(session: Session, request: ApprovalRequest, decision: Decision, plan: TransferPlan) -> Iterator[str]:
    signed = [(row, counts_as(session, row, request, plan)) for row in _signatures(session, request, decision)]
    if not missing(needed_of(request), [counts for _, counts in signed if counts is not None]):
        return
    gone = [row.signed_by for row, counts in signed if counts is None]
    yield from (f"{name} has approved it, and may not do so any more." for name in gone)
    if not gone:
        yield "It lacks signatures that it needs."


def _signatures(session: Session, request: ApprovalRequest, decision: Decision) -> Sequence[ApprovalSignature]:
    """Of a request from before signatures were recorded, whoever decided has signed it."""
    rows = signature_rows(session, request)
    if rows or request.needed is not None:
        return rows
    return [
        ApprovalSignature(
            approval_id=request.approval_id, authority=decision.decided_by, signed_by=decision.decided_by,
            signed_at=decision.decided_at, seen_digest=decision.seen_digest,
        )
    ]  # fmt: skip


def _policy_now(session: Session, request: ApprovalRequest, decision: Decision, plan: TransferPlan) -> Iterator[str]:
    """A policy answers for what it has released for as long as it is in force; what it may release is asked again."""
    policy = active_policy(session)
    released_by = principal_of_policy(policy)
    if decision.decided_by != released_by.user_id:
        yield "A policy has released it that is not in force any more, and nobody has signed it."
        return
    if policy.approvals is None or policy.approvals.automatic is None:
        yield "The policy in force releases nothing by itself."
        return
    try:
        released_by.require(Act.APPROVE, plan_of_release(session, request, plan))
    except ForbiddenError as refused:
        yield f"Nobody has signed it, and the rules refuse that: {refused}."
    skus = {line.sku_id for line in plan.lines}
    now_sensitive = select(MasterRow.key).where(
        MasterRow.kind == "sku", col(MasterRow.key).in_(skus), MasterRow.body["sensitive"].as_boolean()
    )
    for sku_id in session.exec(now_sensitive.order_by(MasterRow.key)).all():
        yield f"{sku_id} is sensitive now, and nobody has signed it."
