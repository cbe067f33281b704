"""What has changed, for pages that are open: only the kind of thing, so that it can be told to anybody who may read.

It is heard of in the Redis stream of the ledger's events. Without Redis nothing is
told, and pages look again by themselves from time to time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from app.auth.people import principal_of
from app.events.outbox import TYPE_PREFIX
from app.events.redis_stream import STREAM
from app.service import Service
from app.ui.rendering import render
from app.ui.visitor import Looking, PageRoute

router = APIRouter(route_class=PageRoute)
WAIT_MILLISECONDS = 10_000
STILL_SOMEBODY_SECONDS = 60
DOWN_SECONDS = 5.0
TOPICS = {
    "approval": "queue", "plan": "queue", "signatures": "queue", "decision": "queue", "delegation": "queue",
    "transfer": "orders", "erp": "orders", "policy": "governance", "kill": "governance", "stop": "governance",
    "network": "stock", "stock": "stock", "signal": "stock", "person": "people", "key": "people",
}  # fmt: skip
"""What of the service an event changes, by the first word of its type."""
Entry = tuple[object, dict[object, object]]
"""The place of an entry in the stream, and its fields: at an equal place, another ledger has other ones."""
NOTHING: Entry = (b"0-0", {})


@router.get("/live")
async def follow(request: Request, looking: Looking) -> StreamingResponse:
    """The kinds of things that change from now on, as server-sent events."""
    service: Service = request.app.state.service
    told = _told(service, looking.caller.user_id)
    return StreamingResponse(told, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/stopped")
def stopped(request: Request, looking: Looking) -> Response:
    """What is stopped, alone: the head of every page that is open follows it."""
    return render(request, "stopped.html", {"looking": looking})


async def _told(service: Service, user_id: str) -> AsyncIterator[str]:
    last: Entry | None = None  # not known yet
    asked = time.monotonic()
    yield "retry: 3000\n: here\n\n"
    async with service.stream.connection_to_wait_on() as redis:
        while True:
            try:
                last, types = await _changed(redis, last)
            except RedisError:
                yield ": nothing is heard\n\n"
                await asyncio.sleep(DOWN_SECONDS)
                continue
            for topic in sorted({TOPICS[first] for first in map(_first_word, types) if first in TOPICS}):
                yield f"event: changed\ndata: {topic}\n\n"
            if not types:
                yield ": still there\n\n"
            if time.monotonic() - asked > STILL_SOMEBODY_SECONDS:
                asked = time.monotonic()
                if not await run_in_threadpool(_is_somebody, service, user_id):
                    return


async def _changed(redis: Redis, last: Entry | None) -> tuple[Entry, list[str]]:
    """The last entry, and the types of those that came; none if none came for a while."""
    if last is None:  # it is asked for once: by "$" each time, what comes in between would be missed
        last = await _newest(redis)
    answer = await redis.xread({STREAM: _text(last[0])}, count=500, block=WAIT_MILLISECONDS)
    if last != NOTHING and await redis.xrange(STREAM, _text(last[0]), _text(last[0])) != [last]:
        # The stream was begun anew, and has come further or not as far: what we missed is not known.
        return await _newest(redis), list(TOPICS)
    entries = [entry for _, found in _pairs(answer) for entry in found]
    return (entries[-1] if entries else last), [_type(fields) for _, fields in entries]


async def _newest(redis: Redis) -> Entry:
    newest: Any = await redis.xrevrange(STREAM, count=1)
    return newest[0] if newest else NOTHING


def _pairs(answer: object) -> Iterable[tuple[object, list[Entry]]]:
    """redis-py answers with a mapping of lists or a list of pairs, by protocol version."""
    if isinstance(answer, dict):
        return [(name, rows[0] if rows and isinstance(rows[0], list) else rows) for name, rows in answer.items()]
    return list(answer) if isinstance(answer, list) else []


def _type(fields: dict[object, object]) -> str:
    return next((_text(value) for name, value in fields.items() if _text(name) == "type"), "")


def _first_word(event_type: str) -> str:
    return event_type.removeprefix(TYPE_PREFIX).partition("_")[0]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _is_somebody(service: Service, user_id: str) -> bool:
    with service.database.transaction() as session:
        return principal_of(session, user_id) is not None
