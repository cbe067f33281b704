"""Signals that come through a Redis stream: the same signed messages as by webhook, one in each entry.

An entry has the fields `webhook-id`, `webhook-timestamp`, `webhook-signature` and `body`.
It is acknowledged once what it brought is committed, and taken up again after a crash or
an outage; what cannot be taken for a reason of its own goes to a stream of its own with
that reason, so that it holds up nothing behind it.
"""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from structlog import get_logger

from app.db.database import Database
from app.durable.draining import is_outage
from app.errors import EvenkeelError, InvalidError
from app.events.inbox import receive_signed

STREAM, GROUP, CONSUMER = "evenkeel:signals", "evenkeel", "runner"
REFUSED = "evenkeel:signals:refused"
REFUSED_KEPT = 10_000
BATCH = 50
ROUND_MAX = 500
"""So many entries are looked at in one round: whatever has piled up, events go out and the relay can be stopped meanwhile."""
_NOT_ITS_OWN = ("08", "25", "28", "40", "42", "53", "55", "57", "58")
"""Classes of SQLSTATE that say nothing of an entry: connections, locks, resources, operators, the schema."""
_log = get_logger(__name__)

Entry = tuple[bytes, dict[bytes, bytes]]


def take_signals(database: Database, redis: Redis) -> int:
    """Take in what has come, at most `ROUND_MAX` entries of it. Returns how many entries were taken or refused.

    First what was read before and never acknowledged, then what is new. Raises
    redis.RedisError, and what an outage of the database raises; then the rest is left for later, as is what is too many.
    """
    done = 0
    for start in ("0", ">"):
        while done < ROUND_MAX and (entries := _read(redis, start, min(BATCH, ROUND_MAX - done))):
            for entry_id, fields in entries:
                _take(database, redis, entry_id, fields)
            done += len(entries)
    return done


def _read(redis: Redis, start: str, at_most: int) -> list[Entry]:
    try:
        found: Any = redis.xreadgroup(GROUP, CONSUMER, {STREAM: start}, count=at_most)
    except ResponseError as missing:
        if "NOGROUP" not in str(missing):
            raise
        redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        found = redis.xreadgroup(GROUP, CONSUMER, {STREAM: start}, count=at_most)
    streams = found.items() if isinstance(found, dict) else found
    entries: list[Entry] = []
    for _, listed in streams or ():
        entries += listed[0] if listed and isinstance(listed[0], list) else listed
    return entries


def _take(database: Database, redis: Redis, entry_id: bytes, fields: dict[bytes, bytes] | None) -> None:
    """One entry. An outage of the database leaves it for later; everything else is its sender's to mend."""
    refused = _refusal(database, entry_id, fields) if fields else None
    if refused is not None:
        detail = refused.detail.encode(errors="replace")  # words of others may hold what is no text
        _log.warning("signal_refused", entry=entry_id.decode(), code=refused.code, detail=detail.decode())
        reason: dict[Any, Any] = {**(fields or {}), b"code": refused.code, b"detail": detail}
        redis.xadd(REFUSED, reason, maxlen=REFUSED_KEPT, approximate=True)
    redis.xack(STREAM, GROUP, entry_id)


def _refusal(database: Database, entry_id: bytes, fields: dict[bytes, bytes]) -> EvenkeelError | None:
    """Why an entry cannot be taken; None when it is. Raises what has nothing to do with the entry."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in fields.items() if name != b"body"}
    try:
        with database.transaction() as session:
            receive_signed(session, headers, fields.get(b"body", b""))
    except EvenkeelError as refused:
        return refused
    except Exception as fault:
        if not _is_its_own(fault):
            raise
        _log.exception("signal_faulty", entry=entry_id.decode())
        return InvalidError(
            "signal_fault", f"the entry cannot be taken in ({type(fault).__name__})",
            "send it in another form, and tell the operator: the log has more",
        )  # fmt: skip
    return None


def _is_its_own(fault: Exception) -> bool:
    """Whether it is the entry that brings the fault about, so that it would do so every time."""
    if isinstance(fault, (NoConnectionError, OSError, RedisError)) or is_outage(fault):
        return False
    state = getattr(fault.orig, "sqlstate", None) if isinstance(fault, DBAPIError) else None
    return not (state or "").startswith(_NOT_ITS_OWN)
