"""Tables of approval requests and decisions."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel

from app.db.columns import document, instant, word
from tools.transfers import Verdict


class ApprovalStatus(StrEnum):
    """Where an approval request stands. Everything but PENDING is for ever."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    OUTRUN = "outrun"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


class ApprovalRequest(SQLModel, table=True):
    """A plan that waits for a decision. `authors` are all who had a hand in it; none of them may decide.

    `attempt` counts the requests for the same plan before this one: where the orders of
    an earlier one came to nothing, new ones get ids of their own.
    """

    __tablename__ = "approval_request"
    __table_args__ = (
        Index("approval_request_one_pending", "plan_digest", unique=True, postgresql_where=text("status = 'pending'")),
        Index("approval_request_queue", "status", "expires_at"),
    )

    approval_id: UUID = Field(primary_key=True)
    plan_digest: str = Field(index=True, foreign_key="plan.digest")
    attempt: int
    tier: str
    status: ApprovalStatus = Field(sa_column=word(ApprovalStatus))
    requested_by: str
    authors: list[str] = Field(sa_column=document())
    sites: list[str] = Field(sa_column=document())
    thread_id: str | None = Field(default=None, index=True)
    requested_at: datetime = Field(sa_column=instant())
    expires_at: datetime = Field(sa_column=instant())
    closed_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))
    lines: int
    units: int = Field(sa_type=BigInteger)
    goods_value_minor: int = Field(sa_type=BigInteger)
    saving_minor: int = Field(sa_type=BigInteger)
    currency: str


class Decision(SQLModel, table=True):
    """What a person decided, on which digest, and why. One for each request, written once."""

    __tablename__ = "decision"

    approval_id: UUID = Field(primary_key=True, foreign_key="approval_request.approval_id")
    verdict: Verdict = Field(sa_column=word(Verdict))
    decided_by: str
    decided_at: datetime = Field(sa_column=instant())
    seen_digest: str
    rejection: dict[str, Any] | None = Field(default=None, sa_column=document(nullable=True))
