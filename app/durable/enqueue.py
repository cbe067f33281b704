"""Enqueuing durable work inside the caller's own transaction: both commit, or neither."""

from __future__ import annotations

import json

from sqlalchemy import text
from sqlmodel import Session

APPLICATION_VERSION = "1"
"""Kept by hand. Raise it only with a migration of the work in flight: workflows of other versions do not run."""

WORK_QUEUE = "evenkeel_work"
"""Decisions, orders and runs of the graph."""

RESUME_THREAD = "resume_thread"
CARRY_ORDER = "carry_order"
RUN_THREAD = "run_thread"
SCAN_NETWORK = "scan_network"

_ENQUEUE = text("""
    select dbos.enqueue_workflow(
        workflow_name => :name, queue_name => :queue, positional_args => array[cast(:argument as json)],
        workflow_id => :workflow_id, app_version => :version)
""")


def enqueue(session: Session, name: str, workflow_id: str, argument: str) -> None:
    """Have the workflow `name` run with one text argument. The same id again changes nothing."""
    session.connection().execute(
        _ENQUEUE,
        {
            "name": name,
            "queue": WORK_QUEUE,
            "argument": json.dumps(argument),
            "workflow_id": workflow_id,
            "version": APPLICATION_VERSION,
        },
    )
