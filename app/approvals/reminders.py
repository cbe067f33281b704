"""Reminding those who may decide, and escalating: once each, by the database's clock, when policy says so."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, false
from sqlmodel import Session, col, select
from structlog import get_logger

from app.approvals.authority import may_sign
from app.approvals.requests import record_about
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.people import SYSTEM
from app.db.database import Database, database_now
from app.governance.state import active_policy
from app.ledger.append import EventType
from app.plans.store import DamagedError, read_plan

AT_ONCE_MAX = 50
"""So many requests are looked at in a minute; the rest wait for the next one."""
_log = get_logger(__name__)


def remind_and_escalate(database: Database) -> int:
    """Record what is due now. Returns how many. Each request is a transaction of its own: no decision waits for the others.

    An escalated request stands first in the queue, and no claim from before holds it. Who may decide can claim it anew.
    """
    told = 0
    for event in (EventType.APPROVAL_ESCALATED, EventType.APPROVAL_REMINDED):
        with database.transaction() as session:
            due = select(ApprovalRequest.approval_id).where(*_due(session, event))
            approval_ids = session.exec(due.order_by(col(ApprovalRequest.requested_at)).limit(AT_ONCE_MAX)).all()
        told += sum(_told(database, approval_id, event) for approval_id in approval_ids)
    return told


def _told(database: Database, approval_id: UUID, event: EventType) -> bool:
    """Note that a request has waited long. One whose plan somebody has damaged keeps no other from being told of."""
    try:
        with database.transaction() as session:
            still = select(ApprovalRequest).where(ApprovalRequest.approval_id == approval_id, *_due(session, event))
            request = session.exec(still.with_for_update(skip_locked=True)).one_or_none()
            if request is not None:
                _tell(session, request, event)
            return request is not None
    except DamagedError:
        _log.exception("not_told", approval_id=str(approval_id))
        return False


def _due(session: Session, event: EventType) -> list[ColumnElement[bool]]:
    """That a request has waited so long that the policy in force has it reminded of, or escalated, and that it was not yet."""
    rules = active_policy(session).approvals
    if rules is None or rules.reminders is None:
        return [false()]
    now, when = database_now(session), rules.reminders
    requested, escalated = col(ApprovalRequest.requested_at), col(ApprovalRequest.escalated_at)
    waits = [
        col(ApprovalRequest.status) == ApprovalStatus.PENDING, col(ApprovalRequest.expires_at) > now, escalated.is_(None),
    ]  # fmt: skip
    if event is EventType.APPROVAL_ESCALATED:
        return [*waits, requested <= now - timedelta(hours=when.escalate_after_hours)]
    reminded = col(ApprovalRequest.reminded_at)
    return [*waits, reminded.is_(None), requested <= now - timedelta(hours=when.remind_after_hours)]


def _tell(session: Session, request: ApprovalRequest, event: EventType) -> None:
    """Record to whom it goes: those who can sign; once it is escalated, those of them who have every site come first."""
    is_escalated, now = event is EventType.APPROVAL_ESCALATED, database_now(session)
    if is_escalated:
        request.escalated_at, request.claimed_by, request.claimed_until = now, None, None
    else:
        request.reminded_at = now
    session.add(request)
    people = may_sign(session, request, read_plan(session, request.plan_digest), everywhere_first=is_escalated)
    record_about(session, request, event, SYSTEM, to=people)
