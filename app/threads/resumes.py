"""The runs of resumes: one for each approval request, whoever rings first."""

from __future__ import annotations

from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, type_coerce
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import Session, col

from app.auth.people import SYSTEM
from app.db.database import database_now
from app.threads.tables import Run, RunKind, RunStatus

_RESUMES = UUID("5c7c0c52-7df5-5b0a-8a55-3f4f3a1e6f01")


def resume_id(approval_id: UUID) -> UUID:
    """The run that goes on once the request is closed."""
    return uuid5(_RESUMES, str(approval_id))


def note_resume(session: Session, thread_id: UUID, approval_id: UUID) -> Run:
    """The run of a resume that begins now, if it has not been noted before."""
    return _note(session, thread_id, approval_id, RunStatus.RUNNING, SYSTEM, {})


def expect_resume(
    session: Session, thread_id: UUID, approval_id: UUID, answerer: str, labels: dict[str, object]
) -> Run:
    """The run of a resume that somebody's answer has put into the queue, so that they can follow it from now on."""
    return _note(session, thread_id, approval_id, RunStatus.QUEUED, answerer, labels)


def answered_by(run: Run) -> str | None:
    """Whose answer woke a run; None for a run that no client's answer did."""
    answerer = run.input.get("answered_by")
    return None if answerer is None else str(answerer)


def answered_by_is(user_id: str) -> ColumnElement[bool]:
    """Whether a run was woken by this person's answer, for the database to say."""
    answerer: ColumnElement[str] = type_coerce(col(Run.input), JSONB)["answered_by"].as_string()
    return answerer == user_id


def _note(
    session: Session, thread_id: UUID, approval_id: UUID, status: RunStatus, by: str, labels: dict[str, object]
) -> Run:
    given = {"approval_id": str(approval_id)} | ({} if by == SYSTEM else {"answered_by": by})
    row = {
        "run_id": resume_id(approval_id), "thread_id": thread_id, "kind": RunKind.RESUME, "status": status,
        "started_by": SYSTEM, "input": given, "created_at": database_now(session), "labels": labels,
    }  # fmt: skip
    session.connection().execute(insert(Run).values(row).on_conflict_do_nothing())
    run = session.get_one(Run, row["run_id"], with_for_update=True)
    if run.status is RunStatus.QUEUED and status is RunStatus.RUNNING:
        run.status = RunStatus.RUNNING
        session.add(run)
    return run
