"""Where a request stands for whoever looks: what they may do about it, and if not, why, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from app.approvals.authority import require_decider
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.approvals.views import ApprovalView
from app.auth.roles import Act, Principal
from app.errors import EvenkeelError
from tools.transfers import TransferPlan


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody may do with a request. `why_not` says why they may not decide; "" where they may."""

    waits: bool
    decides: bool
    approves: bool
    why_not: str
    author: bool
    claims: bool
    holds: bool


def standing_of(
    session: Session, caller: Principal, request: ApprovalRequest, plan: TransferPlan, view: ApprovalView, now: datetime
) -> Standing:
    """Where it stands for the caller, asked of the same rules that the decision asks."""
    waits = request.status is ApprovalStatus.PENDING and request.expires_at > now
    author = bool(set(caller.hands) & set(request.authors))
    why_not = _why_not(session, caller, request, plan) if waits else ""
    decides = waits and not why_not
    holds = view.claimed_by == caller.user_id
    others = view.claimed_by is not None and not holds
    signed = any(caller.user_id in (each.signed_by, each.authority) for each in view.signing.signed)
    if decides and signed:
        why_not = "You have signed it. Somebody else signs next."
    elif decides and others:
        why_not = f"{view.claimed_by} has claimed it until {view.claimed_until:%H:%M} UTC and decides on it meanwhile. Ask them, or wait."
    elif decides and view.stopped:
        why_not = f"{view.stopped} is stopped: it can be rejected, but not approved."
    return Standing(
        waits=waits, decides=decides and not (others or signed), approves=decides and not why_not, why_not=why_not,
        author=author, claims=decides and not others and not holds, holds=holds,
    )  # fmt: skip


def _why_not(session: Session, caller: Principal, request: ApprovalRequest, plan: TransferPlan) -> str:
    if set(caller.hands) & set(request.authors) and caller.may(Act.DECIDE):
        return "You had a hand in this plan, so somebody else has to decide on it."
    if set(caller.hands) & set(request.authors):
        return "This is your plan. An approver has to decide on it."
    if not caller.may(Act.DECIDE):
        return "Your role looks at plans; an approver decides on them."
    try:
        require_decider(session, caller, request, plan)
    except EvenkeelError as refused:
        words = f"{refused.detail}. {refused.remedy}".strip()
        return f"{words[:1].upper()}{words[1:].rstrip('.')}."
    return ""


def outcome_words(view: ApprovalView) -> Iterator[str]:
    """What came of a request that waits no more."""
    by = f" by {view.decided_by}" if view.decided_by else ""
    said = {
        "approved": f"Approved{by}. Its transfers are reserved and on their way to the ERP.",
        "rejected": f"Rejected{by}. Nothing moves.",
        "expired": "Nobody decided in time. Nothing moves; a new plan can be asked for.",
        "outrun": "The world had moved on when it was decided on, so it went back to be planned again. Nothing moves.",
        "withdrawn": "Taken back by its author before anybody had decided.",
        "superseded": "Replaced by a smaller plan, which is decided on instead.",
    }
    if view.status in said:
        yield said[view.status]
