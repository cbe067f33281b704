"""Why plans were rejected: counted, and standing against the next plans for as long as policy says."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ARRAY, Text, cast, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Session, col, func, select

from app.approvals.tables import ApprovalRequest, Decision
from app.auth.roles import Principal
from app.db.database import database_now
from app.governance.state import active_policy
from app.plans.store import read_plan
from tools.rejections import Rejection, RejectionCode, overlays_of
from tools.transfers import PlanRequest, Verdict

STANDING_MAX = 200
"""So many rejections of the days that count are looked at, the latest first."""


def reasons_counted(session: Session, principal: Principal, days: int) -> list[tuple[RejectionCode, int]]:
    """How often each reason was given for plans that touch the principal's sites, the most frequent first."""
    code = col(Decision.rejection)["code"].as_string()
    query = (
        select(code, func.count())
        .join(ApprovalRequest, col(ApprovalRequest.approval_id) == col(Decision.approval_id))
        .where(
            Decision.verdict == Verdict.REJECT,
            col(Decision.decided_at) > database_now(session) - timedelta(days=days),
        )
        .group_by(code)
    )
    if principal.sites is not None:
        own = cast(sorted(principal.sites), ARRAY(Text))
        query = query.where(type_coerce(col(ApprovalRequest.sites), JSONB).has_any(own))
    found = [(RejectionCode(name), count) for name, count in session.exec(query).all()]
    return sorted(found, key=lambda each: (-each[1], each[0]))


def with_standing_reasons(session: Session, request: PlanRequest, thread_id: str) -> PlanRequest:
    """The plan request with the reasons added that stand in its thread: what was rejected there lately is not asked for again.

    What was said of lines, lanes, sites and SKUs stands; a ceiling was about one plan only.
    """
    rules = active_policy(session).approvals
    if rules is None or rules.reasons_stand_days == 0:
        return request
    query = (
        select(Decision, ApprovalRequest.plan_digest)
        .join(ApprovalRequest, col(ApprovalRequest.approval_id) == col(Decision.approval_id))
        .where(
            Decision.verdict == Verdict.REJECT,
            ApprovalRequest.thread_id == thread_id,
            col(Decision.decided_at) > database_now(session) - timedelta(days=rules.reasons_stand_days),
        )
        .order_by(col(Decision.decided_at).desc())
        .limit(STANDING_MAX)
    )
    for decision, plan_digest in session.exec(query).all():
        rejection = Rejection.model_validate(decision.rejection, strict=False)
        if rejection.code is RejectionCode.OTHER:
            continue
        found = overlays_of(read_plan(session, plan_digest), rejection)
        request = request.with_overlays(**{name: value for name, value in found.items() if isinstance(value, tuple)})
    return request
