"""Who is told of the ledger's events by webhook: operators' configuration, each change of which the ledger records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

import httpx
from pydantic import BaseModel, Field
from sqlmodel import Session, col, func, select

from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.errors import InvalidError, NotFoundError
from app.events.outbox import TYPES
from app.events.signatures import new_secret
from app.events.tables import DeadLetter, EventSubscription
from app.ledger.append import EventType, append
from app.ledger.sealing import open_secret, seal_secret
from app.ledger.tables import LeafRow
from app.outbound import Outbound

LEDGER_STREAM = "subscriptions"
SUBSCRIPTIONS_MAX = 100


class SubscriptionView(BaseModel):
    """A subscription. Its secret is shown once, when it is made or changed."""

    subscription_id: UUID
    name: str
    url: str
    types: list[str]
    next_position: Annotated[int, Field(ge=0)]
    behind: int
    paused: bool
    attempts: int
    error: str
    dead_letters: int
    created_by: str
    created_at: datetime
    secret: str | None = None


def subscribe(
    session: Session, by: Principal, outbound: Outbound, *, name: str, url: str, types: Iterable[str] = ()
) -> SubscriptionView:
    """Send every event from now on to an address. Raises ForbiddenError, InvalidError and RefusedAddressError."""
    require_operator(by)
    wanted = sorted(set(types))
    unknown = [each for each in wanted if each not in TYPES]
    if unknown:
        raise InvalidError("event_type", f"{unknown[0]!r} is no type of event", "see GET /v1/asyncapi.json")
    if session.exec(select(func.count()).select_from(EventSubscription)).one() >= SUBSCRIPTIONS_MAX:
        raise InvalidError("subscriptions", f"there are {SUBSCRIPTIONS_MAX} subscriptions already", "remove one first")
    outbound.check(url)
    now, secret = database_now(session), new_secret()
    subscription_id = uuid4()
    row = EventSubscription(
        subscription_id=subscription_id, name=name, url=url, types=wanted,
        secret=seal_secret(session, _place(subscription_id), secret), next_position=_size(session), next_at=now,
        created_by=by.user_id, created_at=now,
    )  # fmt: skip
    session.add(row)
    _record(session, by, row, "made")
    return subscription_view(session, row).model_copy(update={"secret": secret})


def list_subscriptions(session: Session, by: Principal) -> list[SubscriptionView]:
    """Every subscription, the oldest first."""
    require_operator(by)
    rows = session.exec(select(EventSubscription).order_by(col(EventSubscription.created_at))).all()
    return [subscription_view(session, row) for row in rows]


def rotate(session: Session, by: Principal, subscription_id: UUID) -> SubscriptionView:
    """A new secret. Messages are signed under both until the next change, so the receiver can follow in its own time."""
    row = _held(session, by, subscription_id)
    secret = new_secret()
    row.secret_before, row.secret = row.secret, seal_secret(session, _place(subscription_id), secret)
    _record(session, by, row, "rotated")
    return subscription_view(session, row).model_copy(update={"secret": secret})


def pause(session: Session, by: Principal, subscription_id: UUID, *, paused: bool) -> SubscriptionView:
    """Send nothing more for now; or go on where it stopped."""
    row = _held(session, by, subscription_id)
    row.paused, row.attempts, row.next_at = paused, 0, database_now(session)
    _record(session, by, row, "paused" if paused else "resumed")
    return subscription_view(session, row)


def replay(session: Session, by: Principal, subscription_id: UUID, position: int) -> SubscriptionView:
    """Send everything again from a position on. Raises InvalidError for one that the ledger has not reached."""
    row = _held(session, by, subscription_id)
    if not 0 <= position <= _size(session):
        raise InvalidError("position", f"the ledger has {_size(session):,} positions", "give one of them, from 0 on")
    row.next_position, row.attempts, row.error, row.next_at = position, 0, "", database_now(session)
    _record(session, by, row, "replayed", position=position)
    return subscription_view(session, row)


def unsubscribe(session: Session, by: Principal, subscription_id: UUID) -> None:
    """End a subscription, with what could not be delivered."""
    row = _held(session, by, subscription_id)
    _record(session, by, row, "removed")
    session.delete(row)


def dead_letters(session: Session, by: Principal, subscription_id: UUID) -> list[DeadLetter]:
    """What could not be delivered and was passed over, the latest first."""
    require_operator(by)
    query = select(DeadLetter).where(DeadLetter.subscription_id == subscription_id)
    return list(session.exec(query.order_by(col(DeadLetter.position).desc()).limit(100)).all())


def secrets_of(session: Session, row: EventSubscription) -> list[str]:
    """The secrets that a message to this subscriber is signed with, the newest first."""
    sealed = [row.secret] if row.secret_before is None else [row.secret, row.secret_before]
    return [open_secret(session, _place(row.subscription_id), each) for each in sealed]


def subscription_view(session: Session, row: EventSubscription) -> SubscriptionView:
    """A subscription as operators see it."""
    dead = select(func.count()).select_from(DeadLetter).where(DeadLetter.subscription_id == row.subscription_id)
    same = SubscriptionView.model_fields.keys() & type(row).model_fields.keys() - {"secret"}
    return SubscriptionView(
        **{name: getattr(row, name) for name in same},
        behind=max(_size(session) - row.next_position, 0),
        dead_letters=session.exec(dead).one(),
    )


def require_operator(by: Principal) -> None:
    """Raise ForbiddenError unless they govern and see everything: events name every site and SKU."""
    by.require(Act.GOVERN)
    by.require_everything("the stream of events")


def _held(session: Session, by: Principal, subscription_id: UUID) -> EventSubscription:
    require_operator(by)
    row = session.get(EventSubscription, subscription_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFoundError("unknown_subscription", f"there is no subscription {subscription_id}", "check the id")
    session.add(row)
    return row


def _size(session: Session) -> int:
    last = session.exec(select(func.coalesce(func.max(LeafRow.position), -1))).one()
    return last + 1


def _place(subscription_id: UUID) -> str:
    return f"subscription/{subscription_id}"


def _record(session: Session, by: Principal, row: EventSubscription, act: str, **facts: object) -> None:
    session.flush()
    append(
        session,
        stream=LEDGER_STREAM,
        key=f"{LEDGER_STREAM}/{row.subscription_id}/{act}/{uuid4()}",
        event_type=EventType.SUBSCRIPTION_CHANGED,
        actor=by.user_id,
        facts={"subscription_id": str(row.subscription_id), "name": row.name, "act": act, **_address(row.url), **facts},
    )


def _address(url: str) -> dict[str, str]:
    """What everybody who reads the ledger may know of an address: its path or query is often a secret."""
    parsed = httpx.URL(url)
    address = f"{parsed.scheme}://{parsed.netloc.decode()}"
    return {"address": address, "url_sha256": hashlib.sha256(url.encode()).hexdigest()}
