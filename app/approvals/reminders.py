"""Reminding those who may decide, and escalating: once each, by the database's clock, when policy says so."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select
from structlog import get_logger

from app.approvals.authority import PEOPLE_NAMED_MAX, may_sign
from app.approvals.requests import record_about
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.people import SYSTEM, principal_of
from app.db.database import database_now
from app.governance.state import active_policy
from app.ledger.append import EventType
from app.plans.store import DamagedError, read_plan

AT_ONCE_MAX = 50
"""So many requests are looked at in one transaction; the rest wait for the next minute."""
_log = get_logger(__name__)


def remind_and_escalate(session: Session) -> int:
    """Record what is due now. Returns how many.

    An escalated request stands first in the queue, and no claim from before holds it. Who may decide can claim it anew.
    """
    rules = active_policy(session).approvals
    if rules is None or rules.reminders is None:
        return 0
    now, when = database_now(session), rules.reminders
    requested, escalated = col(ApprovalRequest.requested_at), col(ApprovalRequest.escalated_at)
    reminded = col(ApprovalRequest.reminded_at)
    late = escalated.is_(None) & (requested <= now - timedelta(hours=when.escalate_after_hours))
    waits = reminded.is_(None) & escalated.is_(None) & (requested <= now - timedelta(hours=when.remind_after_hours))
    told = [_told(session, request, EventType.APPROVAL_ESCALATED, now) for request in _due(session, late, now)]
    told += [_told(session, request, EventType.APPROVAL_REMINDED, now) for request in _due(session, waits, now)]
    return sum(told)


def _told(session: Session, request: ApprovalRequest, event: EventType, now: datetime) -> bool:
    """Note that a request has waited long. One whose plan somebody has damaged keeps no other from being told of."""
    try:
        with session.begin_nested():
            if event is EventType.APPROVAL_ESCALATED:
                request.escalated_at, request.claimed_by, request.claimed_until = now, None, None
            else:
                request.reminded_at = now
            _tell(session, request, event)
    except DamagedError:
        _log.exception("not_told", approval_id=str(request.approval_id))
        return False
    return True


def _due(session: Session, which: ColumnElement[bool], now: datetime) -> list[ApprovalRequest]:
    query = select(ApprovalRequest).where(
        ApprovalRequest.status == ApprovalStatus.PENDING, ApprovalRequest.expires_at > now, which
    )
    return list(session.exec(query.limit(AT_ONCE_MAX).with_for_update(skip_locked=True)).all())


def _tell(session: Session, request: ApprovalRequest, event: EventType) -> None:
    """Record to whom it goes: those who can sign; once it is escalated, those of them who have every site come first."""
    session.add(request)
    people = may_sign(session, request, read_plan(session, request.plan_digest), at_most=None)
    if event is EventType.APPROVAL_ESCALATED:
        people = sorted(people, key=lambda user_id: (_is_local(session, user_id), user_id))
    people = people[:PEOPLE_NAMED_MAX]
    record_about(session, request, event, SYSTEM, to=people)


def _is_local(session: Session, user_id: str) -> bool:
    person = principal_of(session, user_id)
    return person is None or person.sites is not None
