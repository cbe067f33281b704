"""Tables of snapshots, plans and negotiation records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from app.db.columns import document, instant, octets


class SnapshotRow(SQLModel, table=True):
    """Frozen facts, so that every plan can be explained and made again."""

    __tablename__ = "snapshot"

    digest: str = Field(primary_key=True)
    as_of: datetime = Field(sa_column=instant())
    frozen_at: datetime = Field(sa_column=instant())
    body: bytes = Field(sa_column=octets())


class SnapshotOfFacts(SQLModel, table=True):
    """Which snapshot stands for a state of the facts."""

    __tablename__ = "snapshot_of_facts"

    key: str = Field(primary_key=True)
    digest: str = Field(foreign_key="snapshot.digest")


class PlanRow(SQLModel, table=True):
    """A transfer plan as canonical bytes. The digest of the content is the key, so a plan cannot be edited."""

    __tablename__ = "plan"

    digest: str = Field(primary_key=True)
    snapshot_digest: str = Field(foreign_key="snapshot.digest")
    policy_digest: str
    planned_at: datetime = Field(sa_column=instant(index=True))
    body: bytes = Field(sa_column=octets())


class NegotiationRow(SQLModel, table=True):
    """What was claimed, bid, settled and conceded on the way to a plan."""

    __tablename__ = "negotiation"

    plan_digest: str = Field(primary_key=True, foreign_key="plan.digest")
    record: dict[str, Any] = Field(sa_column=document())


class PlanProvenance(SQLModel, table=True):
    """What a plan is put down to; whoever stored it first is recorded. It is no part of the plan's digest.

    Without an llm nobody formed the request in words: a scan, or an edit. A plan that is made again, after a rejection
    or because the world moved on, is put down to what asked for the first one; the ledger's event of its proposal names
    the request before it. The baseline has a name and no temperature. Temperatures are in thousandths.
    """

    __tablename__ = "plan_provenance"

    plan_digest: str = Field(primary_key=True, foreign_key="plan.digest")
    llm: str | None = None
    temperature_e3: int | None = None
    prompt_digest: str | None = None
    catalogue_digest: str | None = None
    solver_versions: list[str] = Field(sa_column=document())
    recorded_at: datetime = Field(sa_column=instant())
