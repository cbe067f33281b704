"""Work that was taken from its queue and that nobody here carries out: the database broke off in between.

DBOS marks a workflow as taken in one transaction and begins it after that. When the
connection breaks at that moment the workflow stays pending, and DBOS itself would only
look for it when a process starts.
"""

from __future__ import annotations

from dbos import DBOS
from dbos._dbos import _get_dbos_instance
from sqlalchemy import text
from structlog import get_logger

from app.db.database import Database

QUIET_SECONDS = 5
"""So long between being taken and being begun is no longer a hand-over."""
_PENDING = text("""
    select workflow_uuid, queue_name from dbos.workflow_status
    where status = 'PENDING' and executor_id = :executor and queue_name is not null
    and updated_at < (extract(epoch from clock_timestamp()) - :quiet) * 1000 order by created_at
    for update skip locked
""")
"""A process that is frozen in a transaction of its own keeps that row for as long as it is: the others do not wait for it."""
_log = get_logger(__name__)


def requeue_abandoned(database: Database, executor_id: str, left: frozenset[str] = frozenset()) -> int:
    """Put such work back into its queue; returns how much. `left` is what this process has left to the next on purpose.

    An execution that is alive after all parks at its next write: DBOS lets one of the two go on.
    """
    begun = {*_get_dbos_instance()._active_workflows_set.activeList(), *left}  # noqa: SLF001  DBOS has no public list
    with database.engine.connect() as connection:
        pending = connection.execute(_PENDING, {"executor": executor_id, "quiet": QUIET_SECONDS}).all()
    abandoned = [(workflow_id, queue) for workflow_id, queue in pending if workflow_id not in begun]
    for workflow_id, queue in abandoned:
        _log.warning("work_put_back", workflow_id=workflow_id)
        DBOS.resume_workflow(workflow_id, queue_name=queue)
    return len(abandoned)
