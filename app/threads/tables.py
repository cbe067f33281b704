"""Tables of threads and runs."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from app.db.columns import document, instant, word


class Door(StrEnum):
    """How a thread came into being."""

    CHAT = "chat"
    SCAN = "scan"


class RunKind(StrEnum):
    """What a run brings into its thread."""

    MESSAGE = "message"
    SCAN = "scan"
    RESUME = "resume"


class RunStatus(StrEnum):
    """Where a run stands. WAITING: it is over, and the thread waits for a decision."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = (RunStatus.QUEUED, RunStatus.RUNNING)


class Thread(SQLModel, table=True):
    """A conversation or a scan, and whose it is. `labels` are what a client of the owner noted on it."""

    __tablename__ = "thread"

    thread_id: UUID = Field(primary_key=True)
    owner: str = Field(index=True)
    door: Door = Field(sa_column=word(Door))
    title: str
    created_at: datetime = Field(sa_column=instant(index=True))
    labels: dict[str, Any] = Field(default_factory=dict, sa_column=document())


class Run(SQLModel, table=True):
    """One turn of the graph on a thread. The index lets a thread have one active run and no more.

    `cancel_asked_by` is who wants it to stop; it does so at its next step.
    """

    __tablename__ = "run"
    __table_args__ = (
        Index(
            "run_one_active", "thread_id", unique=True,
            postgresql_where=text("status in ('queued', 'running') and kind <> 'resume'"),
        ),
    )  # fmt: skip

    run_id: UUID = Field(primary_key=True)
    thread_id: UUID = Field(index=True, foreign_key="thread.thread_id")
    kind: RunKind = Field(sa_column=word(RunKind))
    status: RunStatus = Field(sa_column=word(RunStatus))
    started_by: str
    input: dict[str, Any] = Field(sa_column=document())
    created_at: datetime = Field(sa_column=instant(index=True))
    finished_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))
    error: str | None = None
    labels: dict[str, Any] = Field(default_factory=dict, sa_column=document())
    cancel_asked_by: str | None = None
