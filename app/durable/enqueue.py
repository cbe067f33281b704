"""Enqueuing durable work inside the caller's own transaction: both commit, or neither."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from app.durable.prompt import LEAD_SECONDS, begins_promptly

APPLICATION_VERSION = "1"
"""Kept by hand. Raise it only with a migration of the work in flight: workflows of other versions do not run."""

RUN_QUEUE = "evenkeel_runs"
"""Runs of the graph, and what follows from decisions."""

ORDER_QUEUE = "evenkeel_orders"
"""Conversations with the ERP: apart, because they wait, and nobody else should wait for them."""

RESUME_THREAD = "resume_thread"
CARRY_ORDER = "carry_order"
RUN_THREAD = "run_thread"

_ENQUEUE = text("""
    select dbos.enqueue_workflow(
        workflow_name => :name, queue_name => :queue, positional_args => array[cast(:argument as json)],
        workflow_id => :workflow_id, app_version => :version,
        delay_until_epoch_ms => cast(extract(epoch from clock_timestamp() + cast(:wait as interval)) * 1000 as bigint))
""")


_WITHDRAW = text("""
    delete from dbos.workflow_status where workflow_uuid = :workflow_id and status in ('DELAYED', 'ENQUEUED')
""")


_PUT_BACK = text("""
    with now as (select cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as ms)
    update dbos.workflow_status set status = 'DELAYED', delay_until_epoch_ms = ms + :wait_ms, created_at = ms, updated_at = ms,
    owner_xid = null, started_at_epoch_ms = null, recovery_attempts = 0 from now
    where workflow_uuid = :workflow_id and status = 'PENDING' and queue_name is not null
""")


def put_back(session: Session, workflow_id: str, wait_seconds: float) -> None:
    """Give the worker of a workflow back: it is begun again no sooner than this, and after all that waits by now."""
    session.connection().execute(_PUT_BACK, {"workflow_id": workflow_id, "wait_ms": round(wait_seconds * 1000)})


def withdraw(session: Session, workflow_id: str) -> None:
    """Take back a workflow that has not begun, whether its time has come or not."""
    session.connection().execute(_WITHDRAW, {"workflow_id": workflow_id})


def workflow_of(run_id: UUID) -> str:
    """The id of the workflow that a run rests on from its beginning."""
    return f"run:{run_id}"


def enqueue(session: Session, name: str, workflow_id: str, argument: str) -> None:
    """Have the workflow `name` run with one text argument. The same id again changes nothing."""
    is_prompt = name == RUN_THREAD and begins_promptly(session, UUID(argument))
    session.connection().execute(
        _ENQUEUE,
        {
            "name": name,
            "queue": ORDER_QUEUE if name == CARRY_ORDER else RUN_QUEUE,
            "argument": json.dumps(argument),
            "workflow_id": workflow_id,
            "version": APPLICATION_VERSION,
            "wait": timedelta(seconds=LEAD_SECONDS) if is_prompt else None,
        },
    )
