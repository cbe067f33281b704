"""Lost questions: a plan waits in the queue, and the conversation that asked for it does not wait any more.

LangGraph says of a thread whose pending node is gone, because a release has renamed it,
that it has finished. So what it says is compared with our own rows. The plan can still
be decided, and what is approved is carried out; only its conversation hears nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from langgraph.types import StateSnapshot
from sqlmodel import col, select
from structlog import get_logger

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.db.database import Database
from app.threads.runs import finish
from app.threads.tables import Run, RunStatus

LOST_QUESTION = (
    "this conversation no longer waits for the decision on its plan; decide it in the queue: what is approved there is"
    " carried out all the same"
)
_log = get_logger(__name__)


def is_lost(state: StateSnapshot) -> bool:
    """Whether the graph looks finished although its last step went to wait for a decision."""
    return not state.tasks and not state.interrupts and state.values.get("outcome") == "waiting"


def report_lost_questions(database: Database, state_of: Callable[[UUID], StateSnapshot]) -> list[UUID]:
    """Note on the run that brought a plan into the queue that its question is lost. Returns the requests concerned.

    To be asked when a process starts, for that is when a node may have been renamed.
    """
    with database.transaction() as session:
        query = select(ApprovalRequest.approval_id, ApprovalRequest.thread_id).where(
            ApprovalRequest.status == ApprovalStatus.PENDING, col(ApprovalRequest.thread_id).is_not(None)
        )
        waiting = [(approval_id, UUID(thread_id)) for approval_id, thread_id in session.exec(query) if thread_id]
    lost = [(approval_id, thread_id) for approval_id, thread_id in waiting if is_lost(state_of(thread_id))]
    for approval_id, thread_id in lost:
        _log.error("question_lost", thread_id=str(thread_id), approval_id=str(approval_id))
        with database.transaction() as session:
            runs = select(Run.run_id).where(Run.thread_id == thread_id, Run.status == RunStatus.WAITING)
            for run_id in session.exec(runs).all():
                finish(session, run_id, RunStatus.FAILED, LOST_QUESTION)
    return [approval_id for approval_id, _ in lost]
