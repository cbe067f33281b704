"""What is removed once it is over for long: sessions, logins that never came back, and answers that nobody may ask for again."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import Session, col

from app.auth.tables import BrowserSession, KeptAnswer, LoginAttempt
from app.db.database import database_now

SESSIONS_KEPT = timedelta(days=30)
"""After its end."""
ANSWERS_KEPT = timedelta(days=30)


def forget_what_is_over(session: Session) -> None:
    """Remove it. What was done is in the ledger and in tables of its own, for ever."""
    now = database_now(session)
    for statement in (
        delete(BrowserSession).where(col(BrowserSession.expires_at) < now - SESSIONS_KEPT),
        delete(LoginAttempt).where(col(LoginAttempt.expires_at) < now),
        delete(KeptAnswer).where(col(KeptAnswer.answered_at) < now - ANSWERS_KEPT),
    ):
        session.connection().execute(statement)
