"""The news of a run for whoever watches it over HTTP, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool

from app.auth.people import principal_of
from app.auth.roles import Principal
from app.service import Service
from app.threads.runs import get_run
from app.threads.stream import StreamEvent
from app.threads.tables import ACTIVE, Run

POLL_SECONDS = 0.1
"""How long a watcher waits before looking again. Waiting takes no thread, so watchers cannot starve other callers."""
QUIET_SECONDS = 5.0
"""After so long without news the database is asked whether the run is over."""


async def news(service: Service, caller: Principal, run_id: UUID, after: str) -> AsyncIterator[str]:
    """Events from Redis, up to `done`; without Redis, or once its news have expired, the end from the database."""
    quiet, is_up, over = QUIET_SECONDS, True, None
    while True:
        read = await run_in_threadpool(_read, service, run_id, after) if is_up else None
        is_up, events = read is not None, read or []
        for event in events:
            yield f"id: {event.event_id}\nevent: {event.kind}\ndata: {event.data}\n\n"
            if event.kind == "done":
                return
            after = event.event_id
        if over is not None and not events:
            yield await run_in_threadpool(_done, service, over)
            return
        if events:
            quiet = 0.0
        elif quiet < (QUIET_SECONDS if is_up else 1.0):
            await asyncio.sleep(POLL_SECONDS)
            quiet += POLL_SECONDS
        else:
            try:
                quiet, run = 0.0, await run_in_threadpool(_run, service, caller, run_id)
            except OperationalError:
                quiet = 0.0
                yield ": the database does not answer\n\n"
                continue
            if run is None:
                return
            if run.status in ACTIVE:
                yield ": still there\n\n"
            else:
                over = run  # and look once more: its last steps may have come in between


def _read(service: Service, run_id: UUID, after: str) -> list[StreamEvent] | None:
    """What has come after an event; None where Redis does not answer."""
    try:
        return service.stream.read(run_id, after)
    except RedisError:
        return None


def _run(service: Service, caller: Principal, run_id: UUID) -> Run | None:
    """The run as it stands; None once whoever watches is not active any more."""
    with service.database.transaction() as session:
        return get_run(session, caller, run_id) if principal_of(session, caller.user_id) is not None else None


def _done(service: Service, run: Run) -> str:
    words = service.driver.last_words(run.thread_id)
    return f"event: done\ndata: {json.dumps({'status': run.status, 'error': run.error, 'words': words})}\n\n"
