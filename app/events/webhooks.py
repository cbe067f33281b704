"""Sending events to webhooks: one after the other, signed, again after a failure, and passed over after too many.

At least once: a delivery whose answer was lost is made again under the same id. A
subscriber gets each stream in its order, because it gets everything in one order: it has
one turn at a time. Nobody waits for a turn, and no turn takes long.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select
from structlog import get_logger

from app.db.database import Database, database_now
from app.errors import EvenkeelError
from app.events.outbox import MEDIA_TYPE, CloudEvent, encoded, read_events
from app.events.signatures import signed_headers
from app.events.subscriptions import secrets_of
from app.events.tables import DeadLetter, EventSubscription
from app.outbound import NoAnswerError, Outbound, RefusedAddressError

BATCH = 50
"""Events that one subscriber is sent in a turn, at most."""
TURN_SECONDS = 5.0
"""After so long a turn begins no further delivery: where many are slow, the others do not wait for whole batches of theirs."""
AT_ONCE = 8
"""Subscribers that are sent to at the same time."""
ATTEMPTS_MAX = 12
WAIT_SECONDS, WAIT_SECONDS_MAX = 1, 3_600
"""The first and the longest wait after a failure; it doubles. Twelve attempts take about an hour."""
GONE = 410
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Due:
    """What a subscriber is to be sent now: the events that it wants of the positions from `start` until before `end`."""

    subscription_id: UUID
    url: str
    secrets: list[str]
    events: list[CloudEvent]
    start: int
    end: int
    now: datetime


class Webhooks:
    """Delivers what is due, in turns of their own threads. Once it is to stop, it begins no further delivery."""

    def __init__(self, database: Database, outbound: Outbound, stopping: threading.Event | None = None) -> None:
        self._database = database
        self._outbound = outbound
        self._stopping = stopping or threading.Event()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="evenkeel-webhook")
        self._turns: dict[UUID, Future[int]] = {}

    def begin(self, size: int) -> int:
        """Begin a turn for each subscriber that a ledger of `size` events has something for and that has none under way.

        Returns how many deliveries were taken in turns that have ended since it was last asked. Waits for none.
        """
        taken = self._ended()
        with self._database.transaction() as session:
            due = _due(session, size)
        for subscription_id in due:
            if subscription_id not in self._turns:
                self._turns[subscription_id] = self._pool.submit(self._turn, subscription_id, size)
        return taken

    def finish(self, seconds_max: float) -> int:
        """Wait, at most so long, for the turns under way; no other is begun. Returns what `begin` would."""
        wait(self._turns.values(), seconds_max)
        taken = self._ended()
        self._pool.shutdown(wait=False, cancel_futures=True)
        return taken

    def _ended(self) -> int:
        ended = [subscription_id for subscription_id, turn in self._turns.items() if turn.done()]
        return sum(self._turns.pop(subscription_id).result() for subscription_id in ended)

    def _turn(self, subscription_id: UUID, size: int) -> int:
        """How many deliveries one subscriber took. What breaks a turn off is tried again with the next one."""
        try:
            with self._database.transaction() as session:
                due = _due_to(session, subscription_id, size)
            return 0 if due is None else self._deliver_to(due)
        except (SQLAlchemyError, EvenkeelError) as failed:
            _log.warning("webhook_turn_failed", subscription=str(subscription_id), reason=str(failed)[:200])
        except Exception:  # noqa: BLE001  it is logged; what one subscriber brings about is nobody else's
            _log.exception("webhook_turn_failed", subscription=str(subscription_id))
        return 0

    def _deliver_to(self, due: _Due) -> int:
        ends, reached = time.monotonic() + TURN_SECONDS, due.start
        for taken, event in enumerate(due.events):
            if self._stopping.is_set() or (taken and time.monotonic() >= ends):
                return taken
            failure = self._send(due, event)
            if failure is not None:
                with self._database.transaction() as session:
                    _note_failure(session, due, reached, event.data.position, failure)
                return taken
            with self._database.transaction() as session:
                if not _note_taken(session, due, reached, event.data.position + 1):
                    return taken + 1
            reached = event.data.position + 1
        with self._database.transaction() as session:
            _note_taken(session, due, reached, due.end)
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


def _due(session: Session, size: int) -> list[UUID]:
    """Who is to be sent something now; whoever has waited longest comes first."""
    query = select(EventSubscription.subscription_id).where(
        col(EventSubscription.paused).is_(False),
        EventSubscription.next_at <= database_now(session),
        EventSubscription.next_position < size,
    )
    return list(session.exec(query.order_by(col(EventSubscription.next_at))).all())


def _due_to(session: Session, subscription_id: UUID, size: int) -> _Due | None:
    """What a subscriber is to be sent now that its turn begins; None where an operator has changed that."""
    row, now = session.get(EventSubscription, subscription_id), database_now(session)
    if row is None or row.paused or row.next_at > now or row.next_position >= size:
        return None
    start, end = row.next_position, min(row.next_position + BATCH, size)
    events = read_events(session, start, end - start)
    wanted = [event for event in events if not row.types or event.type in row.types]
    return _Due(row.subscription_id, row.url, secrets_of(session, row), wanted, start, end, now)


def _note_taken(session: Session, due: _Due, reached: int, next_position: int) -> bool:
    """Go on to the next position. False where the subscription has changed, so that the turn is over."""
    row = _unchanged(session, due, reached)
    if row is not None:
        row.next_position, row.attempts, row.error = next_position, 0, ""
    return row is not None


def _note_failure(session: Session, due: _Due, reached: int, position: int, failure: str) -> None:
    row = _unchanged(session, due, reached)
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


def _unchanged(session: Session, due: _Due, reached: int) -> EventSubscription | None:
    """The subscription, unless an operator has removed, paused or rewound it, or another process has gone on with it."""
    row = session.get(EventSubscription, due.subscription_id, with_for_update=True, populate_existing=True)
    if row is None or row.paused or row.next_at > due.now or row.next_position != reached:
        return None
    return row
