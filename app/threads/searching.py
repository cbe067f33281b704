"""Finding the caller's threads by what our own tables know of them. No client's filter reaches a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, case, cast, func, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Session, col, select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Principal
from app.threads.tables import ACTIVE, Run, RunStatus, Thread


class ThreadStatus(StrEnum):
    """Where a thread stands, by its runs and by what it waits for."""

    IDLE = "idle"
    BUSY = "busy"
    INTERRUPTED = "interrupted"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Standing:
    """A thread, where it stands, and when it was last gone on with."""

    thread: Thread
    status: ThreadStatus
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Search:
    """Which threads are wanted: with these labels, of this status, `limit` of them from the `offset`th on."""

    labels: Mapping[str, Any] = field(default_factory=dict)
    ids: Sequence[UUID] = ()
    status: ThreadStatus | None = None
    sort_by: str = "created_at"
    descending: bool = True
    limit: int = 10
    offset: int = 0


def standing_of(session: Session, thread: Thread) -> Standing:
    """Where one thread stands."""
    query = select(_status(), _updated_at()).where(Thread.thread_id == thread.thread_id)
    status, updated_at = session.exec(query).one()
    return Standing(thread, ThreadStatus(status), updated_at)


def search_threads(session: Session, principal: Principal, wanted: Search) -> list[Standing]:
    """The caller's own threads that fit."""
    keys: dict[str, Any] = {
        "thread_id": cast(col(Thread.thread_id), Text), "status": _status(), "created_at": col(Thread.created_at),
    }  # fmt: skip
    key = keys.get(wanted.sort_by, _updated_at())
    query = (
        select(Thread, _status(), _updated_at())
        .where(*_fitting(principal, wanted))
        .order_by(key.desc() if wanted.descending else key.asc(), col(Thread.thread_id))
    )
    rows = session.exec(query.limit(wanted.limit).offset(wanted.offset)).all()
    return [Standing(thread, ThreadStatus(status), updated_at) for thread, status, updated_at in rows]


def count_threads(session: Session, principal: Principal, wanted: Search) -> int:
    """How many of the caller's own threads fit, whatever part of them is listed."""
    return session.exec(select(func.count()).select_from(Thread).where(*_fitting(principal, wanted))).one()


def _fitting(principal: Principal, wanted: Search) -> list[ColumnElement[bool]]:
    conditions = [col(Thread.owner) == principal.user_id]
    if wanted.labels:
        conditions.append(type_coerce(col(Thread.labels), JSONB).contains(dict(wanted.labels)))
    if wanted.ids:
        conditions.append(col(Thread.thread_id).in_(wanted.ids))
    if wanted.status is not None:
        conditions.append(_status() == wanted.status.value)
    return conditions


def _status() -> ColumnElement[str]:
    runs = select(Run.status).where(Run.thread_id == Thread.thread_id)
    active = runs.where(col(Run.status).in_(ACTIVE)).exists()
    last = runs.order_by(col(Run.created_at).desc()).limit(1).scalar_subquery()
    waits = (
        select(ApprovalRequest.approval_id)
        .where(ApprovalRequest.thread_id == cast(col(Thread.thread_id), Text))
        .where(ApprovalRequest.status == ApprovalStatus.PENDING)
        .exists()
    )
    return case(
        (active, ThreadStatus.BUSY.value),
        (waits, ThreadStatus.INTERRUPTED.value),
        (last == RunStatus.FAILED, ThreadStatus.ERROR.value),
        else_=ThreadStatus.IDLE.value,
    )


def _updated_at() -> ColumnElement[datetime]:
    last = (
        select(func.max(func.coalesce(Run.finished_at, Run.created_at)))
        .where(Run.thread_id == Thread.thread_id)
        .scalar_subquery()
    )
    return func.greatest(col(Thread.created_at), last)
