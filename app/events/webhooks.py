"""Sending events to webhooks: one after the other, signed, again after a failure, and passed over after too many.

At least once: a delivery whose answer was lost is made again under the same id. A
subscriber gets each stream in its order, because it gets everything in one order.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select
from structlog import get_logger

from app.db.database import Database, database_now
from app.events.outbox import MEDIA_TYPE, CloudEvent, encoded, read_events
from app.events.signatures import signed_headers
from app.events.subscriptions import secrets_of
from app.events.tables import DeadLetter, EventSubscription
from app.outbound import NoAnswerError, Outbound, RefusedAddressError

BATCH = 50
"""Events that one subscriber is sent before another has its turn."""
AT_ONCE = 8
"""Subscribers that are sent to at the same time: one that is slow holds nobody else up."""
ATTEMPTS_MAX = 12
WAIT_SECONDS, WAIT_SECONDS_MAX = 1, 3_600
"""The first and the longest wait after a failure; it doubles. Twelve attempts take about an hour."""
GONE = 410
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Due:
    """What a subscriber is to be sent now."""

    subscription_id: UUID
    url: str
    secrets: list[str]
    events: list[CloudEvent]
    end: int
    now: datetime


class Webhooks:
    """Delivers what is due. Once it is to stop, it begins no further delivery."""

    def __init__(self, database: Database, outbound: Outbound, stopping: threading.Event | None = None) -> None:
        self._database = database
        self._outbound = outbound
        self._stopping = stopping or threading.Event()

    def deliver(self, size: int) -> int:
        """Send every subscriber what is due of a ledger of `size` events. Returns how many deliveries were taken."""
        with self._database.transaction() as session:
            due = _due(session, size)
        if not due:
            return 0
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="evenkeel-webhook") as pool:
            return sum(pool.map(self._deliver_to, due))

    def _deliver_to(self, due: _Due) -> int:
        for taken, event in enumerate(due.events):
            if self._stopping.is_set():
                return taken
            failure = self._send(due, event)
            if failure is not None:
                with self._database.transaction() as session:
                    _note_failure(session, due, event.data.position, failure)
                return taken
            with self._database.transaction() as session:
                _note_taken(session, due, event.data.position + 1)
        with self._database.transaction() as session:
            _note_taken(session, due, due.end)
        return len(due.events)

    def _send(self, due: _Due, event: CloudEvent) -> str | None:
        """Why the subscriber has not taken the event; None when it has."""
        body = encoded(event)
        with self._database.transaction() as session:
            now = database_now(session)
        headers = {"content-type": f"{MEDIA_TYPE}; charset=utf-8"} | signed_headers(due.secrets, event.id, now, body)
        try:
            answer = self._outbound.send("POST", due.url, headers=headers, content=body)
        except (NoAnswerError, RefusedAddressError) as failed:
            return failed.detail
        return None if 200 <= answer.status < 300 else f"the answer was {answer.status}"


def _due(session: Session, size: int) -> list[_Due]:
    now = database_now(session)
    query = select(EventSubscription).where(
        col(EventSubscription.paused).is_(False),
        EventSubscription.next_at <= now,
        EventSubscription.next_position < size,
    )
    due = []
    for row in session.exec(query.order_by(col(EventSubscription.next_at))).all():
        events = read_events(session, row.next_position, BATCH)
        wanted = [event for event in events if not row.types or event.type in row.types]
        end = min(row.next_position + BATCH, size)
        due.append(_Due(row.subscription_id, row.url, secrets_of(session, row), wanted, end, now))
    return due


def _note_taken(session: Session, due: _Due, next_position: int) -> None:
    row = _unchanged(session, due)
    if row is not None:
        row.next_position, row.attempts, row.error = next_position, 0, ""


def _note_failure(session: Session, due: _Due, position: int, failure: str) -> None:
    row = _unchanged(session, due)
    if row is None:
        return
    now = database_now(session)
    row.next_position, row.attempts, row.error = position, row.attempts + 1, failure[:500]
    row.next_at = now + timedelta(seconds=min(WAIT_SECONDS * 2 ** (row.attempts - 1), WAIT_SECONDS_MAX))
    if failure == f"the answer was {GONE}":
        row.paused = True
    elif row.attempts >= ATTEMPTS_MAX:
        letter = DeadLetter(
            subscription_id=row.subscription_id,
            position=position,
            attempts=row.attempts,
            error=row.error,
            failed_at=now,
        )
        session.merge(letter)
        row.next_position, row.attempts, row.next_at = position + 1, 0, now
    _log.warning("webhook_failed", subscription=row.name, position=position, attempts=row.attempts, error=row.error)


def _unchanged(session: Session, due: _Due) -> EventSubscription | None:
    """The subscription, unless an operator has removed, paused or rewound it since it was looked at."""
    row = session.get(EventSubscription, due.subscription_id, with_for_update=True, populate_existing=True)
    if row is None or row.paused or row.next_at > due.now:
        return None
    return row
