"""Deciding: one transaction that checks everything again, records the decision, reserves, and enqueues the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from app.approvals.freshness import current_violations
from app.approvals.requests import close, get_request, wake_thread
from app.approvals.tables import ApprovalRequest, ApprovalStatus, Decision
from app.auth.people import principal_of
from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.errors import ConflictError, ForbiddenError, InvalidError
from app.governance.state import governance
from app.ledger.append import EventType, append, lock_streams, plan_stream, site_stream, stock_stream
from app.orders.tables import TransferOrder
from app.plans.store import read_plan, read_snapshot
from policies.rules import Violation
from tools.execution import OrderState
from tools.moves import reserve
from tools.transfers import Rejection, TransferPlan, Verdict, request_after_rejection


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a decision. OUTRUN: the world had moved on, so the plan went back instead of being forced."""

    approval_id: UUID
    status: ApprovalStatus
    plan_digest: str
    transfer_ids: tuple[UUID, ...] = ()
    violations: tuple[Violation, ...] = ()


class OutrunError(ConflictError):
    """For whoever decided: the plan was not approved, because the world had moved on. It went back."""

    def __init__(self, decided: Decided) -> None:
        words = " ".join(violation.words for violation in decided.violations[:5])
        super().__init__(
            "outrun", f"the world has moved on since the plan was made, so it went back: {words}",
            "look at the queue for the new plan", approval_id=str(decided.approval_id),
        )  # fmt: skip


def decide(
    session: Session,
    decider: Principal,
    approval_id: UUID,
    verdict: Verdict,
    seen_digest: str,
    rejection: Rejection | None = None,
) -> Decided:
    """Record a decision on exactly the plan that the decider saw, and everything that follows from it.

    Raises ForbiddenError (role, scope, own plan, limits), ConflictError (decided already,
    expired, another digest, kill switch) and InvalidError (a rejection without reason);
    then nothing has changed. The caller commits.
    """
    request = get_request(session, approval_id, lock=True)
    plan = read_plan(session, request.plan_digest)
    require_decider(session, decider, request, plan)
    require_open(session, request, seen_digest)
    if verdict is Verdict.REJECT:
        return _reject(session, decider, request, plan, rejection)
    if rejection is not None:
        raise InvalidError("unexpected_reason", "an approval takes no rejection", "leave it out, or reject")
    return _approve(session, decider, request, plan)


def require_decider(session: Session, decider: Principal, request: ApprovalRequest, plan: TransferPlan) -> None:
    """Raise ForbiddenError unless they may: role, four eyes, scope and limits as they stand now, not when they signed in."""
    now = principal_of(session, decider.user_id)
    if now is None:
        raise ForbiddenError("inactive", f"{decider.user_id} is not an active person", "ask an administrator")
    now.require(Act.DECIDE)
    if not now.touches(request.sites):
        raise ForbiddenError("scope", "the plan lies outside your sites", "ask somebody whose sites it touches")
    if now.user_id in request.authors:
        raise ForbiddenError(
            "four_eyes", f"{now.user_id} had a hand in this plan and cannot decide on it", "ask another approver"
        )
    if not now.covers(request.sites):
        others = len(set(request.sites) - (now.sites or set()))
        words = f"{others} of the {len(request.sites)} sites of this plan {'lies' if others == 1 else 'lie'} outside your scope"
        raise ForbiddenError("scope", words, "ask an approver of all of them")
    if now.value_limit_minor is not None and plan.goods_value_minor > now.value_limit_minor:
        raise ForbiddenError(
            "value_limit",
            f"the plan moves goods worth {plan.goods_value_minor:,} minor units, your limit is {now.value_limit_minor:,}",
            "ask an approver with a higher limit",
        )
    if not now.sees_sensitive and _is_sensitive(session, plan):
        raise ForbiddenError("clearance", "the plan moves SKUs that you may not see", "ask an approver with clearance")


def _is_sensitive(session: Session, plan: TransferPlan) -> bool:
    skus = read_snapshot(session, plan.snapshot_digest).sku_by_id
    return any(skus[line.sku_id].sensitive for line in plan.lines)


def require_open(session: Session, request: ApprovalRequest, seen_digest: str) -> None:
    """Raise ConflictError unless the request still waits, in time, for a decision on the plan with this digest."""
    if request.status is not ApprovalStatus.PENDING:
        decision = session.get(Decision, request.approval_id)
        by = f" by {decision.decided_by}" if decision else ""
        raise ConflictError(
            "already_decided", f"the request is {request.status}{by} already", "look at the queue again",
            status=request.status, decided_by=decision.decided_by if decision else None,
        )  # fmt: skip
    if request.expires_at <= database_now(session):
        raise ConflictError(
            "expired", f"the request expired on {request.expires_at.isoformat()}", "ask for a new plan",
            expires_at=request.expires_at.isoformat(),
        )  # fmt: skip
    if seen_digest != request.plan_digest:
        raise ConflictError(
            "other_plan", f"the decision is about plan {seen_digest[:12]}, the request about {request.plan_digest[:12]}",
            "look at the plan again", plan=request.plan_digest,
        )  # fmt: skip


def _reject(
    session: Session, decider: Principal, request: ApprovalRequest, plan: TransferPlan, rejection: Rejection | None
) -> Decided:
    if rejection is None:
        raise InvalidError("reason_missing", "a rejection needs a coded reason and words", "say why")
    try:
        request_after_rejection(plan, rejection)
    except ValueError as wrong:
        raise InvalidError("reason_does_not_fit", str(wrong), "name lines of this plan") from wrong
    document = rejection.model_dump(mode="json")
    _write(session, request, Verdict.REJECT, decider, document)
    wake_thread(session, request)
    return Decided(request.approval_id, request.status, request.plan_digest)


def _approve(session: Session, decider: Principal, request: ApprovalRequest, plan: TransferPlan) -> Decided:
    # The share lock orders this decision before or after a change of governance, never beside one.
    if governance(session, share=True).kill_switch:
        raise ConflictError("kill_switch", "the kill switch is engaged: nothing is approved", "wait for its release")
    # Both ends, and the sites with their docks and shelves: two decisions that share one are made one after the other.
    ends = [(site_id, line.sku_id) for line in plan.lines for site_id in (line.origin, line.destination)]
    lock_streams(session, [*(stock_stream(*end) for end in ends), *(site_stream(site_id) for site_id, _ in ends)])
    violations = current_violations(session, plan)
    if not violations:
        try:
            with session.begin_nested():
                transfer_ids = _reserve(session, decider, request, plan)
        except IntegrityError:
            # Another plan took the units between the check and the reservation.
            violations = (Violation("stock_taken", "Units of this plan were promised to another transfer meanwhile."),)
    if violations:
        close(session, request, ApprovalStatus.OUTRUN, EventType.DECISION_REFUSED, decider.user_id)
        return Decided(request.approval_id, request.status, request.plan_digest, (), violations)
    _write(session, request, Verdict.APPROVE, decider, None, transfers=[str(each) for each in transfer_ids])
    wake_thread(session, request)
    return Decided(request.approval_id, request.status, request.plan_digest, transfer_ids)


def _reserve(session: Session, decider: Principal, request: ApprovalRequest, plan: TransferPlan) -> tuple[UUID, ...]:
    """Reserve every line at its origin and make its transfer order. Streams in sorted order, so nobody deadlocks."""
    now = database_now(session)
    for line in sorted(plan.lines, key=lambda ln: (ln.origin, ln.sku_id, ln.line_no)):
        transfer_id = plan.transfer_id(line.line_no, request.attempt)
        append(
            session,
            stream=stock_stream(line.origin, line.sku_id),
            key=f"transfer/{transfer_id}/reserved",
            event_type=EventType.TRANSFER_RESERVED,
            actor=decider.user_id,
            facts={"transfer_id": str(transfer_id), "plan": plan.digest, "approval_id": str(request.approval_id)},
            moves=[reserve(line.sku_id, line.lane, line.units)],
        )
        session.add(
            TransferOrder(
                transfer_id=transfer_id, approval_id=request.approval_id, plan_digest=plan.digest,
                line_no=line.line_no, sku_id=line.sku_id, origin=line.origin, destination=line.destination,
                mode=line.mode, units=line.units, planned_on=plan.planned_on, depart_on=line.depart_on,
                arrive_on=line.arrive_on, state=OrderState.RELEASED, state_at=now, reserved=True,
            )
        )  # fmt: skip
    session.flush()
    return tuple(plan.transfer_id(line.line_no, request.attempt) for line in plan.lines)


def _write(
    session: Session,
    request: ApprovalRequest,
    verdict: Verdict,
    decider: Principal,
    rejection: dict[str, Any] | None,
    **facts: Any,
) -> None:
    now = database_now(session)
    approved = verdict is Verdict.APPROVE
    request.status = ApprovalStatus.APPROVED if approved else ApprovalStatus.REJECTED
    request.closed_at = now
    session.add(request)
    session.add(
        Decision(
            approval_id=request.approval_id, verdict=verdict, decided_by=decider.user_id, decided_at=now,
            seen_digest=request.plan_digest, rejection=rejection,
        )
    )  # fmt: skip
    session.flush()
    append(
        session,
        stream=plan_stream(request.plan_digest),
        key=f"approval/{request.approval_id}/decided",
        event_type=EventType.PLAN_APPROVED if approved else EventType.PLAN_REJECTED,
        actor=decider.user_id,
        facts={
            "approval_id": str(request.approval_id),
            "plan": request.plan_digest,
            "tier": request.tier,
            "rejection": rejection,
            **facts,
        },
    )
