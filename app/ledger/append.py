"""The one way into the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from app.db.database import database_now
from app.errors import ConflictError
from tools.canonical import canonical_json
from tools.moves import StockMove

EVENT_SCHEMA = "evenkeel.event/1"


class EventType(StrEnum):
    """What can be recorded."""

    NETWORK_IMPORTED = "network_imported"
    SIGNAL_QUARANTINED = "signal_quarantined"
    STOCK_COUNTED = "stock_counted"
    POLICY_ACTIVATED = "policy_activated"
    KILL_SWITCH_ENGAGED = "kill_switch_engaged"
    KILL_SWITCH_RELEASED = "kill_switch_released"
    PERSON_ADDED = "person_added"
    PLAN_PROPOSED = "plan_proposed"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_WITHDRAWN = "approval_withdrawn"
    APPROVAL_SUPERSEDED = "approval_superseded"
    APPROVAL_COMMENTED = "approval_commented"
    PLAN_APPROVED = "plan_approved"
    PLAN_REJECTED = "plan_rejected"
    DECISION_REFUSED = "decision_refused"
    CLIENT_INPUT_REFUSED = "client_input_refused"
    TRANSFER_RESERVED = "transfer_reserved"
    TRANSFER_REQUESTED = "transfer_requested"
    TRANSFER_RESUMED = "transfer_resumed"
    TRANSFER_POSTED = "transfer_posted"
    TRANSFER_REFUSED = "transfer_refused"
    TRANSFER_CANCELLED = "transfer_cancelled"
    TRANSFER_SHIPPED = "transfer_shipped"
    TRANSFER_RECEIVED = "transfer_received"
    TRANSFER_CLOSED = "transfer_closed"
    TRANSFER_NEEDS_ATTENTION = "transfer_needs_attention"


@dataclass(frozen=True, slots=True)
class Appended:
    """Where an event stands. `new` is False when the same event was there already."""

    stream: str
    seq: int
    hash: str
    new: bool


class KeyTakenError(ConflictError):
    """The ledger already holds another event under this key."""

    def __init__(self, key: str, stream: str) -> None:
        super().__init__(
            "ledger_key_taken", f"the ledger holds another event under the key {key!r}", "", key=key, stream=stream
        )


def stock_stream(site_id: str, sku_id: str) -> str:
    """The stream of a SKU's stock at a site."""
    return f"stock/{site_id}/{sku_id}"


def site_stream(site_id: str) -> str:
    """The stream of a site as a whole. It holds no events: who decides on something that shares its docks locks it."""
    return f"site/{site_id}"


def plan_stream(plan_digest: str) -> str:
    """The stream of everything decided about a plan."""
    return f"plan/{plan_digest}"


def client_stream(user_id: str) -> str:
    """The stream of what clients tried in a person's name and were refused."""
    return f"client/{user_id}"


_OPEN = text("""
    insert into ledger_head (stream, seq, hash) values (:stream, 0, decode(repeat('00', 32), 'hex'))
    on conflict do nothing
""")
_LOCK = text("select stream from ledger_head where stream = any(:streams) order by stream for update")


def lock_streams(session: Session, streams: Iterable[str]) -> None:
    """Hold the streams until the transaction ends, so that what is checked next is still true when it is appended."""
    wanted = sorted(set(streams))
    session.connection().execute(_OPEN, [{"stream": stream} for stream in wanted])
    session.connection().execute(_LOCK, {"streams": wanted})


def append(
    session: Session,
    *,
    stream: str,
    key: str,
    event_type: EventType,
    actor: str,
    facts: Mapping[str, Any] | None = None,
    moves: Sequence[StockMove] = (),
) -> Appended:
    """Append an event with its stock moves; balances change in the same transaction.

    Appending the same event under the same key again changes nothing. Raises
    KeyTakenError when the key belongs to another event, and the database's
    CheckViolation when a balance inside the network would become negative.
    """
    body = canonical_json(
        {
            "schema": EVENT_SCHEMA,
            "stream": stream,
            "key": key,
            "type": event_type,
            "at": database_now(session).isoformat(),
            "actor": actor,
            "facts": dict(facts or {}),
            "moves": [[move.sku_id, move.from_place, move.to_place, move.units] for move in moves],
        }
    )
    row = (
        session.connection()
        .execute(
            text("select outcome, event_seq, event_hash from ledger_append(:stream, :key, :body)"),
            {"stream": stream, "key": key, "body": body},
        )
        .one()
    )
    if row.outcome == "exists_different":
        raise KeyTakenError(key, stream)
    return Appended(stream, row.event_seq, row.event_hash.hex(), row.outcome == "appended")
