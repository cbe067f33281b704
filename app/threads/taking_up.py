"""Taking up runs that nobody carries: active by their row, and without a workflow that would ever drive them again."""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session
from structlog import get_logger

from app.db.database import database_now
from app.durable.enqueue import RESUME_THREAD, RUN_THREAD, enqueue
from app.threads.tables import RunKind

# One statement, and so one moment: a run and its workflow come into being together, and the run's row ends first.
_LEFT_BEHIND = text("""
    with carried as materialized (
        select split_part(split_part(workflow_uuid, ':', 2), '/', 1) as argument from dbos.workflow_status
        where name in (:run, :resume) and status in ('PENDING', 'ENQUEUED', 'DELAYED')
    ), active as (
        select kind, case kind when :resuming then input ->> 'approval_id' else cast(run_id as text) end as argument
        from run where status in ('queued', 'running')
    )
    select kind, argument from active where argument not in (select argument from carried) order by argument
""")
_log = get_logger(__name__)


def take_up_runs(session: Session) -> int:
    """Enqueue every active run whose work was lost: its workflow failed, or was deleted. Returns how many."""
    names = {"run": RUN_THREAD, "resume": RESUME_THREAD, "resuming": RunKind.RESUME.value}
    lost = session.connection().execute(_LEFT_BEHIND, names).all()
    again = f"{database_now(session):%Y%m%dT%H%M%S%f}"
    for kind, argument in lost:
        _log.warning("run_taken_up", kind=kind, argument=argument)
        if kind == RunKind.RESUME:
            enqueue(session, RESUME_THREAD, f"resume:{argument}/{again}", argument)
        else:
            enqueue(session, RUN_THREAD, f"run:{argument}/{again}", argument)
    return len(lost)
