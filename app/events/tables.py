"""Tables of subscriptions to the ledger's events, of what could not be delivered, and of sources of signals.

Secrets are kept under the master key. After a change the one before is still good, until the next change.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary
from sqlmodel import Field, SQLModel

from app.db.columns import big_integer, document, instant, octets


class EventSubscription(SQLModel, table=True):
    """A webhook. It is sent every event from `next_position` on, one after the other; no types mean all of them.

    `attempts` counts the failures in a row with the next event, which is tried again at `next_at`.
    """

    __tablename__ = "event_subscription"

    subscription_id: UUID = Field(primary_key=True)
    name: str
    url: str
    types: list[str] = Field(sa_column=document())
    secret: bytes = Field(sa_column=octets())
    secret_before: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    next_position: int = Field(sa_column=big_integer())
    paused: bool = False
    attempts: int = 0
    next_at: datetime = Field(sa_column=instant())
    error: str = ""
    created_by: str
    created_at: datetime = Field(sa_column=instant())


class DeadLetter(SQLModel, table=True):
    """An event that a webhook did not take. It is passed over, so that those behind it are not held up for ever."""

    __tablename__ = "dead_letter"

    subscription_id: UUID = Field(
        sa_column=Column(
            "subscription_id", ForeignKey("event_subscription.subscription_id", ondelete="CASCADE"), primary_key=True
        )
    )
    position: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    attempts: int
    error: str
    failed_at: datetime = Field(sa_column=instant())


class SignalSource(SQLModel, table=True):
    """Who may send signals without a token, by signing them: one source of CloudEvents. `sites` None means every site."""

    __tablename__ = "signal_source"

    source: str = Field(primary_key=True)
    secret: bytes = Field(sa_column=octets())
    secret_before: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    sites: list[str] | None = Field(default=None, sa_column=document(nullable=True))
    created_by: str
    created_at: datetime = Field(sa_column=instant())
