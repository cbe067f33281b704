"""Tables of approval requests, signatures and decisions, of delegations, and of what approvals have used of budgets."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
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
    an earlier one came to nothing, new ones get ids of their own. `needed` are the
    signatures that were needed when it was asked for (`policies.signatures.Needed`), raised
    where the facts have come to ask for more; None is one approver of every site.
    `superseded_by` is the request for the plan that an edit has put in its place. A claim
    counts until `claimed_until`.
    """

    __tablename__ = "approval_request"
    __table_args__ = (
        Index("approval_request_one_pending", "plan_digest", unique=True, postgresql_where=text("status = 'pending'")),
        Index("approval_request_queue", "status", "expires_at"),
        Index(
            "approval_request_order", "status", text("(escalated_at is null)"), text("saving_minor desc"), "approval_id"
        ),
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
    needed: dict[str, Any] | None = Field(default=None, sa_column=document(nullable=True))
    superseded_by: UUID | None = Field(default=None, index=True)
    claimed_by: str | None = None
    claimed_until: datetime | None = Field(default=None, sa_column=instant(nullable=True))
    reminded_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))
    escalated_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))


class ApprovalSignature(SQLModel, table=True):
    """One person's approval of a plan with this digest. The last one that is needed makes the decision.

    `authority` is the person whose sites and limit it rests on: the signer, or whoever delegated to them. It counts once.
    """

    __tablename__ = "approval_signature"
    __table_args__ = (UniqueConstraint("approval_id", "signed_by", name="approval_signature_one_each"),)

    approval_id: UUID = Field(primary_key=True, foreign_key="approval_request.approval_id")
    authority: str = Field(primary_key=True)
    signed_by: str
    signed_at: datetime = Field(sa_column=instant())
    seen_digest: str


class Decision(SQLModel, table=True):
    """What a person decided, on which digest, and why. One for each request, written once."""

    __tablename__ = "decision"

    approval_id: UUID = Field(primary_key=True, foreign_key="approval_request.approval_id")
    verdict: Verdict = Field(sa_column=word(Verdict))
    decided_by: str
    decided_at: datetime = Field(sa_column=instant())
    seen_digest: str
    rejection: dict[str, Any] | None = Field(default=None, sa_column=document(nullable=True))


class Delegation(SQLModel, table=True):
    """Somebody's sites and limit, lent for a while. `away`: the delegator does not decide meanwhile; then there may be no delegate.

    `sites` None lends all that the delegator has, `value_limit_minor` None their whole limit. What they have is asked
    at each use.
    """

    __tablename__ = "delegation"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="delegation_dates"),
        CheckConstraint("delegate is null or delegate <> delegator", name="delegation_to_another"),
        CheckConstraint("delegate is not null or away", name="delegation_says_something"),
    )

    delegation_id: UUID = Field(primary_key=True)
    delegator: str = Field(index=True)
    delegate: str | None = Field(default=None, index=True)
    starts_at: datetime = Field(sa_column=instant())
    ends_at: datetime = Field(sa_column=instant())
    sites: list[str] | None = Field(default=None, sa_column=document(nullable=True))
    value_limit_minor: int | None = Field(default=None, sa_type=BigInteger)
    away: bool
    reason: str
    ended_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))


class BudgetUse(SQLModel, table=True):
    """What a transfer order takes of the budgets of the day it was approved on. It gives that back by coming to nothing.

    Amounts are in minor units; the cost of a departure stands with the first order on it.
    """

    __tablename__ = "budget_use"

    transfer_id: UUID = Field(primary_key=True, foreign_key="transfer_order.transfer_id")
    day: date = Field(index=True)
    automatic: bool
    units: int = Field(sa_type=BigInteger)
    goods_value_minor: int = Field(sa_type=BigInteger)
    transport_minor: int = Field(sa_type=BigInteger)
