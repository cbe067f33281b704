"""The ledger's events in a Redis stream, for consumer groups. Redis is never truth: what it loses is filled in again.

An entry's id is the event's position, plus one because Redis has no entry 0. So an event
that is sent twice is refused by Redis itself, and the last id says where to go on.
"""

from __future__ import annotations

from redis import Redis
from redis.exceptions import ResponseError
from sqlmodel import Session
from structlog import get_logger

from app.events.outbox import encoded, read_events

STREAM = "evenkeel:events"
KEPT = 100_000
"""Events that the stream holds, about. Older ones are read from the service (`GET /v1/events`)."""
BATCH = 500
_log = get_logger(__name__)


def publish(session: Session, redis: Redis, size: int) -> int:
    """Bring the stream up to a ledger of `size` events. Returns how many events were added. Raises redis.RedisError."""
    last = _last(redis)
    if last > size:
        # The stream comes from a ledger that has lost events, or from another one; ours is the truth.
        _log.info("event_stream_replaced", stream=STREAM, position=last, ledger=size)
        redis.delete(STREAM)
        last = 0
    first, added = max(last, size - KEPT), 0
    while first < size:
        events = read_events(session, first, BATCH)
        for event in events:
            added += _add(redis, event.data.position, event.type, encoded(event))
        first += BATCH
    return added


def _add(redis: Redis, position: int, event_type: str, body: bytes) -> bool:
    fields: dict[str | bytes, str | bytes] = {"type": event_type, "event": body}
    try:
        redis.xadd(STREAM, fields, id=f"{position + 1}-0", maxlen=KEPT, approximate=True)  # type: ignore[arg-type]  # a dictionary is invariant in its keys
    except ResponseError as refused:
        if "equal or smaller" not in str(refused):
            raise
        return False  # another process has sent it
    return True


def _last(redis: Redis) -> int:
    """How many events the stream has been given."""
    try:
        found = redis.xinfo_stream(STREAM)["last-generated-id"]
    except ResponseError as missing:
        if "no such key" not in str(missing).lower():
            raise
        return 0
    return int((found.decode() if isinstance(found, bytes) else str(found)).partition("-")[0])
