"""People, what they may, and until when they can sign in. No secret is read: none is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from app.approvals.tables import Delegation
from app.auth.tables import AccessToken, BrowserSession, Person
from app.db.database import database_now


@dataclass(frozen=True, slots=True)
class PersonShown:
    """A person. `tokens` are good now, the last of them until `good_until`; `sessions` are open in browsers."""

    person: Person
    tokens: int
    good_until: datetime | None
    sessions: int


def people(session: Session) -> list[PersonShown]:
    """Everybody, in three statements."""
    now = database_now(session)
    tokens = select(AccessToken.user_id, func.count(), func.max(AccessToken.expires_at)).where(
        col(AccessToken.revoked_at).is_(None), AccessToken.expires_at > now
    )
    good = {
        user_id: (count, until) for user_id, count, until in session.exec(tokens.group_by(AccessToken.user_id)).all()
    }
    sessions = select(BrowserSession.user_id, func.count()).where(
        col(BrowserSession.ended_at).is_(None), BrowserSession.expires_at > now
    )
    open_now = dict(session.exec(sessions.group_by(BrowserSession.user_id)).all())
    rows = session.exec(select(Person).order_by(col(Person.active).desc(), Person.user_id)).all()
    found = []
    for row in rows:
        count, until = good.get(row.user_id, (0, None))
        found.append(PersonShown(row, count, until, open_now.get(row.user_id, 0)))
    return found


def delegations(session: Session) -> Sequence[Delegation]:
    """What anybody has lent or will have lent, until it is over."""
    now = database_now(session)
    query = select(Delegation).where(Delegation.ends_at > now, col(Delegation.ended_at).is_(None))
    return session.exec(query.order_by(col(Delegation.starts_at), col(Delegation.delegation_id))).all()
