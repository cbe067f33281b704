"""The one way into the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from app.db.database import driver_row
from app.errors import ConflictError
from app.ledger.sealing import Sealed, sealed_document
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
    STOP_ENGAGED = "stop_engaged"
    STOP_RELEASED = "stop_released"
    PERSON_ADDED = "person_added"
    PERSON_FORGOTTEN = "person_forgotten"
    SUBSCRIPTION_CHANGED = "subscription_changed"
    PERSON_SIGNED_IN = "person_signed_in"
    KEY_ADDED = "key_added"
    KEY_REVOKED = "key_revoked"
    PLAN_PROPOSED = "plan_proposed"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_WITHDRAWN = "approval_withdrawn"
    APPROVAL_SUPERSEDED = "approval_superseded"
    APPROVAL_COMMENTED = "approval_commented"
    APPROVAL_CLAIMED = "approval_claimed"
    APPROVAL_UNCLAIMED = "approval_unclaimed"
    APPROVAL_REMINDED = "approval_reminded"
    APPROVAL_ESCALATED = "approval_escalated"
    SIGNATURES_RAISED = "signatures_raised"
    PLAN_SIGNED = "plan_signed"
    PLAN_RELEASED_BY_POLICY = "plan_released_by_policy"
    DELEGATION_MADE = "delegation_made"
    DELEGATION_ENDED = "delegation_ended"
    PLAN_APPROVED = "plan_approved"
    PLAN_REJECTED = "plan_rejected"
    DECISION_REFUSED = "decision_refused"
    CLIENT_INPUT_REFUSED = "client_input_refused"
    TRANSFER_RESERVED = "transfer_reserved"
    TRANSFER_SHRUNK = "transfer_shrunk"
    TRANSFER_REQUESTED = "transfer_requested"
    TRANSFER_RESUMED = "transfer_resumed"
    TRANSFER_VALIDATED = "transfer_validated"
    TRANSFER_POSTED = "transfer_posted"
    TRANSFER_REFUSED = "transfer_refused"
    TRANSFER_CANCELLING = "transfer_cancelling"
    TRANSFER_CANCELLED = "transfer_cancelled"
    TRANSFER_SHIPPED = "transfer_shipped"
    TRANSFER_RECEIVED = "transfer_received"
    TRANSFER_RETURNED = "transfer_returned"
    TRANSFER_CLOSED = "transfer_closed"
    TRANSFER_NEEDS_ATTENTION = "transfer_needs_attention"
    TRANSFER_OVERDUE = "transfer_overdue"
    TRANSFER_ACKNOWLEDGED = "transfer_acknowledged"
    ERP_DIFFERENCE_SETTLED = "erp_difference_settled"


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


# The time is put into the body by the database whose clock it is: asking for it first would be a journey of its own.
APPEND = """
    select outcome, event_seq, event_hash from ledger_append(%s, %s,
      %s::bytea || convert_to(to_char(transaction_timestamp() at time zone 'UTC',
        'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), 'UTF8') || %s::bytea)
"""
_AT = b',"at":"'
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


def append(  # noqa: PLR0913  an event has as many parts
    session: Session,
    *,
    stream: str,
    key: str,
    event_type: EventType,
    actor: str,
    facts: Mapping[str, Any] | None = None,
    moves: Sequence[StockMove] = (),
    sealed: Sealed | None = None,
) -> Appended:
    """Append an event with its stock moves; balances change in the same transaction.

    `sealed` are words of a person, which can be forgotten later without a change of the chain.

    Appending the same event under the same key again changes nothing; with sealed words
    only in the same month, because each has a key of its own. Raises KeyTakenError when
    the key belongs to another event, and the database's CheckViolation when a balance
    inside the network would become negative.
    """
    document: dict[str, Any] = {
        "schema": EVENT_SCHEMA,
        "stream": stream,
        "key": key,
        "type": event_type.value,
        "at": "",
        "actor": actor,
        "facts": dict(facts or {}),
        "moves": [[move.sku_id, move.from_place, move.to_place, move.units] for move in moves],
    }
    if sealed is not None:
        document["sealed"] = sealed_document(session, key, sealed)
    before, at, after = canonical_json(document).partition(_AT)
    outcome, seq, event_hash = driver_row(session, APPEND, (stream, key, before + at, after))
    if outcome == "exists_different":
        raise KeyTakenError(key, stream)
    return Appended(stream, seq, event_hash.hex(), outcome == "appended")
