"""Deciding: one transaction that checks everything again, records the decision, reserves, and enqueues the work.

A plan that needs several signatures collects them one by one; the one that completes
them makes the decision. Until then nothing is reserved and nothing is released.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from app.approvals.authority import Authority, require_decider, require_unsigned, signature_rows, signatures_now
from app.approvals.claims import require_unclaimed
from app.approvals.freshness import fresh_now
from app.approvals.needs import needed_now, needed_of
from app.approvals.releasing import lock_ends, over_budget, reserve_lines
from app.approvals.requests import close, get_request, raise_needed, wake_thread
from app.approvals.tables import ApprovalRequest, ApprovalSignature, ApprovalStatus, Decision
from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.errors import ConflictError, InvalidError
from app.governance.state import active_policy
from app.governance.stops import stop_on_plan
from app.ledger.append import EventType, append, plan_stream
from app.ledger.sealing import Sealed, person
from app.plans.store import read_plan
from policies.narrowing import Fresh, NarrowedLine
from policies.rules import Facts, Violation
from policies.signatures import Missing, missing
from policies.tiers import tier_of
from tools.rejections import Rejection, request_after_rejection
from tools.transfers import TransferPlan, Verdict


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a decision. OUTRUN: the world had moved on, so the plan went back instead of being forced.

    PENDING: it was signed, and `missing` still has to be. `narrowed` are lines that carry less than was decided,
    because the world of now admits less.
    """

    approval_id: UUID
    status: ApprovalStatus
    plan_digest: str
    transfer_ids: tuple[UUID, ...] = ()
    violations: tuple[Violation, ...] = ()
    missing: tuple[Missing, ...] = ()
    narrowed: tuple[NarrowedLine, ...] = ()


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

    Raises ForbiddenError (role, scope, own plan, limits), ConflictError (decided or signed
    already, claimed by another, expired, another digest, kill switch, a budget that is
    spent) and InvalidError (a rejection without reason); then nothing has changed. The
    caller commits.
    """
    request = get_request(session, approval_id, lock=True)
    plan = read_plan(session, request.plan_digest)
    require_decider(session, decider, request, plan)
    require_open(session, request, seen_digest)
    require_unclaimed(session, request, decider)
    if verdict is Verdict.REJECT:
        return _reject(session, decider, request, plan, rejection)
    if rejection is not None:
        raise InvalidError("unexpected_reason", "an approval takes no rejection", "leave it out, or reject")
    return approve(session, decider, request, plan)


def require_open(session: Session, request: ApprovalRequest, seen_digest: str) -> None:
    """Raise ConflictError unless the request still waits, in time, for a decision on the plan with this digest."""
    decision = session.get(Decision, request.approval_id)
    require_open_at(request, seen_digest, database_now(session), decision.decided_by if decision else None)


def require_open_at(request: ApprovalRequest, seen_digest: str, now: datetime, decided_by: str | None = None) -> None:
    """As `require_open`, at an instant, with whoever has decided already."""
    if request.status is not ApprovalStatus.PENDING:
        by = f" by {decided_by}" if decided_by else ""
        raise ConflictError(
            "already_decided", f"the request is {request.status}{by} already", "look at the queue again",
            status=request.status, decided_by=decided_by,
        )  # fmt: skip
    if request.expires_at <= now:
        raise ConflictError(
            "expired", f"the request expired on {request.expires_at.isoformat()}", "ask for a new plan",
            expires_at=request.expires_at.isoformat(),
        )  # fmt: skip
    if seen_digest != request.plan_digest:
        raise ConflictError(
            "other_plan", f"the decision is about plan {seen_digest[:12]}, the request about {request.plan_digest[:12]}",
            "look at the plan again", plan=request.plan_digest,
        )  # fmt: skip


def approve(
    session: Session, decider: Principal, request: ApprovalRequest, plan: TransferPlan, **facts: object
) -> Decided:
    """Sign a request that the caller has locked and found open; release the plan if nothing more is missing.

    `facts` go into the record of the signature.
    """
    # The share lock orders this decision before or after a change of governance, never beside one.
    stopped = stop_on_plan(session, plan, share=True) is not None
    authority = require_decider(session, decider, request, plan, Act.APPROVE, stopped=stopped)
    policy = active_policy(session)
    lock_ends(session, [plan], policy)
    now_admits, known = fresh_now(session, plan)
    if now_admits.violations:
        return _outrun(session, decider.user_id, request, now_admits.violations)
    lacks = _sign(session, authority, request, plan, known, facts)
    if lacks:
        return Decided(request.approval_id, request.status, request.plan_digest, missing=lacks)
    spent = over_budget(session, policy, plan, automatic=False)
    if spent:
        raise ConflictError("budget_spent", spent[0].words, "approve it tomorrow, or ask for a smaller plan")
    return release(session, decider.user_id, request, plan, now_admits, known)


def release(
    session: Session,
    actor: str,
    request: ApprovalRequest,
    plan: TransferPlan,
    now_admits: Fresh,
    known: Facts,
    *,
    automatic: bool = False,
) -> Decided:
    """Reserve a plan that is signed for, and record the decision. The caller holds its ends and has checked everything."""
    try:
        with session.begin_nested():
            transfer_ids = reserve_lines(session, actor, request, plan, known.policy, now_admits, automatic=automatic)
    except IntegrityError:
        # Something other than a decision took the units between the check and the reservation.
        words = "Units of this plan were promised to another transfer meanwhile."
        return _outrun(session, actor, request, (Violation("stock_taken", words),))
    signed = [row.signed_by for row in signature_rows(session, request)]
    event = EventType.PLAN_RELEASED_BY_POLICY if automatic else EventType.PLAN_APPROVED
    _write(
        session,
        request,
        Verdict.APPROVE,
        actor,
        None,
        event,
        transfers=[str(each) for each in transfer_ids],
        signed_by=signed,
    )
    wake_thread(session, request)
    return Decided(request.approval_id, request.status, request.plan_digest, transfer_ids, narrowed=now_admits.narrowed)


def _sign(
    session: Session,
    authority: Authority,
    request: ApprovalRequest,
    plan: TransferPlan,
    known: Facts,
    facts: dict[str, object],
) -> tuple[Missing, ...]:
    """Record one person's approval. What is still missing then, of all that was needed when it was shown and is needed now.

    Signatures of people who may not decide any more do not count.
    """
    tier = tier_of(known.policy, plan, known.snapshot)
    if tier is not None:
        raise_needed(session, request, needed_now(session, plan, tier, known), authority.person.user_id)
    before = signatures_now(session, request)
    require_unsigned((row for row, _ in before), authority)
    session.add(
        ApprovalSignature(
            approval_id=request.approval_id, authority=authority.owner, signed_by=authority.person.user_id,
            signed_at=database_now(session), seen_digest=request.plan_digest,
        )
    )  # fmt: skip
    session.flush()
    counting = [counts for _, counts in before if counts is not None]
    lacks = missing(needed_of(request), [*counting, authority.signature])
    request.claimed_by = request.claimed_until = None
    session.add(request)
    append(
        session,
        stream=plan_stream(request.plan_digest),
        key=f"approval/{request.approval_id}/signed/{authority.person.user_id}",
        event_type=EventType.PLAN_SIGNED,
        actor=authority.person.user_id,
        facts={
            "approval_id": str(request.approval_id),
            "plan": request.plan_digest,
            "authority": authority.owner,
            "missing": [each.demand.name for each in lacks],
            **facts,
        },
    )
    return lacks


def _outrun(session: Session, actor: str, request: ApprovalRequest, violations: tuple[Violation, ...]) -> Decided:
    close(session, request, ApprovalStatus.OUTRUN, EventType.DECISION_REFUSED, actor)
    return Decided(request.approval_id, request.status, request.plan_digest, (), violations)


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
    _write(session, request, Verdict.REJECT, decider.user_id, document, EventType.PLAN_REJECTED)
    wake_thread(session, request)
    return Decided(request.approval_id, request.status, request.plan_digest)


def _write(
    session: Session,
    request: ApprovalRequest,
    verdict: Verdict,
    actor: str,
    rejection: dict[str, Any] | None,
    event: EventType,
    **facts: Any,
) -> None:
    now = database_now(session)
    request.status = ApprovalStatus.APPROVED if verdict is Verdict.APPROVE else ApprovalStatus.REJECTED
    request.closed_at = now
    request.claimed_by = request.claimed_until = None
    session.add(request)
    session.add(
        Decision(
            approval_id=request.approval_id, verdict=verdict, decided_by=actor, decided_at=now,
            seen_digest=request.plan_digest, rejection=rejection,
        )
    )  # fmt: skip
    session.flush()
    append(
        session,
        stream=plan_stream(request.plan_digest),
        key=f"approval/{request.approval_id}/decided",
        event_type=event,
        actor=actor,
        facts={
            "approval_id": str(request.approval_id),
            "plan": request.plan_digest,
            "tier": request.tier,
            "rejection": rejection and {name: value for name, value in rejection.items() if name != "words"},
            **facts,
        },
        sealed=None if rejection is None else Sealed(person(actor), {"rejection_words": rejection["words"]}),
    )
