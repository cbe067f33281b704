"""The ledger's events in a Redis stream, for consumer groups. Redis is never truth: what it loses is filled in again.

An entry's id is the event's position, plus one because Redis has no entry 0. So an event
that is sent twice is refused by Redis itself, and the last id says where to go on.
"""

from __future__ import annotations

import json
from typing import Any

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
    last, kept = _last(redis)
    if last > size or not all(_is_ours(session, *entry) for entry in kept):
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


def _last(redis: Redis) -> tuple[int, list[tuple[Any, Any]]]:
    """How many events the stream has been given, and its last entry, if it holds any."""
    try:
        found: Any = redis.xinfo_stream(STREAM)
    except ResponseError as missing:
        if "no such key" not in str(missing).lower():
            raise
        return 0, []
    return _number(found["last-generated-id"]), [found["last-entry"]] if found["last-entry"] else []


def _is_ours(session: Session, place: Any, fields: dict[Any, Any]) -> bool:
    """Whether our ledger has the event of an entry where the entry says."""
    body = next((value for name, value in fields.items() if name in ("event", b"event")), "")
    try:
        event_id = json.loads(body)["id"]
    except (ValueError, TypeError, KeyError):
        return False
    return [event_id] == [event.id for event in read_events(session, _number(place) - 1, 1)]


def _number(place: bytes | str) -> int:
    return int((place.decode() if isinstance(place, bytes) else place).partition("-")[0])
