"""Signals that come through a Redis stream: the same signed messages as by webhook, one in each entry.

An entry has the fields `webhook-id`, `webhook-timestamp`, `webhook-signature` and `body`.
It is acknowledged once what it brought is committed, and taken up again after a crash;
what does not fit goes to a stream of its own with the reason.
"""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.exceptions import ResponseError
from structlog import get_logger

from app.db.database import Database
from app.errors import EvenkeelError
from app.events.inbox import receive_signed

STREAM, GROUP, CONSUMER = "evenkeel:signals", "evenkeel", "runner"
REFUSED = "evenkeel:signals:refused"
REFUSED_KEPT = 10_000
BATCH = 50
_log = get_logger(__name__)

Entry = tuple[bytes, dict[bytes, bytes]]


def take_signals(database: Database, redis: Redis) -> int:
    """Take in what has come. Returns how many entries were taken or refused. Raises redis.RedisError.

    First what was read before and never acknowledged, then what is new.
    """
    done = 0
    for start in ("0", ">"):
        while entries := _read(redis, start):
            for entry_id, fields in entries:
                _take(database, redis, entry_id, fields)
            done += len(entries)
    return done


def _read(redis: Redis, start: str) -> list[Entry]:
    try:
        found: Any = redis.xreadgroup(GROUP, CONSUMER, {STREAM: start}, count=BATCH)
    except ResponseError as missing:
        if "NOGROUP" not in str(missing):
            raise
        redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        found = redis.xreadgroup(GROUP, CONSUMER, {STREAM: start}, count=BATCH)
    streams = found.items() if isinstance(found, dict) else found
    entries: list[Entry] = []
    for _, listed in streams or ():
        entries += listed[0] if listed and isinstance(listed[0], list) else listed
    return entries


def _take(database: Database, redis: Redis, entry_id: bytes, fields: dict[bytes, bytes] | None) -> None:
    """One entry. An outage of the database leaves it for later; everything else is its sender's to mend."""
    if fields:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in fields.items() if name != b"body"}
        try:
            with database.transaction() as session:
                receive_signed(session, headers, fields.get(b"body", b""))
        except EvenkeelError as refused:
            _log.warning("signal_refused", entry=entry_id.decode(), code=refused.code, detail=refused.detail)
            reason: dict[Any, Any] = {**fields, b"code": refused.code, b"detail": refused.detail}
            redis.xadd(REFUSED, reason, maxlen=REFUSED_KEPT, approximate=True)
    redis.xack(STREAM, GROUP, entry_id)
