"""Sessions of browsers: a random cookie whose SHA-256 is kept here, with an end by idleness and one by time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Literal

from sqlalchemy import text
from sqlmodel import Session

from app.auth.configuration import AuthSettings
from app.auth.jwts import not_valid
from app.auth.people import principal_of
from app.auth.roles import Principal
from app.auth.tables import BrowserSession
from app.db.database import database_now
from app.ledger.append import EventType, append

_SEEN = text("""
    update browser_session set seen_at = transaction_timestamp() where session_sha256 in (
        select session_sha256 from browser_session
        where session_sha256 = :fingerprint and seen_at < transaction_timestamp() - interval '1 minute'
        for update skip locked
    )
""")


def begin_session(
    session: Session,
    settings: AuthSettings,
    user_id: str,
    before: str | None,
    by: Literal["directory", "token", "demo"],
) -> str:
    """A new session for somebody who has just signed in, and its cookie. What the browser had before is over: `before`.

    `by`: what they have shown.
    """
    if before:
        end_session(session, before)
    cookie, now = secrets.token_urlsafe(32), database_now(session)
    session.add(
        BrowserSession(
            session_sha256=fingerprint(cookie), user_id=user_id, created_at=now, seen_at=now,
            expires_at=now + timedelta(hours=settings.session_hours),
        )
    )  # fmt: skip
    append(
        session,
        stream=f"person/{user_id}",
        key=f"person/{user_id}/signed_in/{fingerprint(cookie)[:16]}",
        event_type=EventType.PERSON_SIGNED_IN,
        actor=user_id,
        facts={"user_id": user_id, "by": by},
    )
    return cookie


def whose_session(session: Session, settings: AuthSettings, cookie: str) -> Principal:
    """Who is signed in with this cookie, as they stand now. Raises NotSignedInError. Notes that the browser was seen."""
    row, now = session.get(BrowserSession, fingerprint(cookie)), database_now(session)
    idle_since = now - timedelta(minutes=settings.session_idle_minutes)
    if row is None or row.ended_at is not None or row.expires_at <= now or row.seen_at <= idle_since:
        raise not_valid()
    found = principal_of(session, row.user_id)
    if found is None:
        raise not_valid()
    session.connection().execute(_SEEN, {"fingerprint": row.session_sha256})
    return found


def end_session(session: Session, cookie: str) -> None:
    """Make a cookie useless. One that is none changes nothing."""
    row = session.get(BrowserSession, fingerprint(cookie), with_for_update=True)
    if row is not None and row.ended_at is None:
        row.ended_at = database_now(session)
        session.add(row)


def form_token(cookie: str) -> str:
    """What a form of ours has to carry beside the cookie. Only pages that we made for this session know it."""
    return hmac.new(cookie.encode(), b"evenkeel form", hashlib.sha256).hexdigest()


def fingerprint(secret: str) -> str:
    """The SHA-256 of a random value of 256 bits, by which it is found again."""
    return hashlib.sha256(secret.encode()).hexdigest()
