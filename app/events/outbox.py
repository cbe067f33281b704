"""The ledger's events as CloudEvents, in the one order over all streams.

The outbox is the ledger itself. An event is read once it has its position (see
`app.ledger.tree`), and positions are given to what has committed, without gaps: whoever
has read up to a position has missed nothing, and every stream comes in its own order.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from app.ledger.append import EventType
from app.ledger.tables import LeafRow, LedgerEvent

TYPE_PREFIX, VERSION = "evenkeel.ledger.", ".v1"
SOURCE = "urn:evenkeel:ledger"
SCHEMA = "ledger-event.v1"
MEDIA_TYPE, BATCH_MEDIA_TYPE = "application/cloudevents+json", "application/cloudevents-batch+json"


class LedgerEventData(BaseModel):
    """An event of the ledger. Words of people stay sealed; `moves` are SKU, from, to and units."""

    model_config = ConfigDict(frozen=True)
    stream: str
    seq: Annotated[int, Field(ge=1)]
    position: Annotated[int, Field(ge=0)]
    hash: str
    actor: str
    facts: dict[str, Any]
    moves: list[tuple[str, str, str, int]]
    sealed: dict[str, Any] | None = None


class CloudEvent(BaseModel):
    """An event of the ledger in a CloudEvents 1.0 envelope, structured mode.

    `id` is the event's own hash: the same event has it in every delivery. `sequence` orders all
    events, and `partitionkey` is the stream that it belongs to.
    """

    model_config = ConfigDict(frozen=True)
    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = SOURCE
    type: str
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str = f"/v1/schemas/{SCHEMA}"
    sequence: Annotated[str, Field(pattern=r"^[0-9]{20}$")]
    partitionkey: str
    data: LedgerEventData


def type_of(event_type: str) -> str:
    """The CloudEvents type of a kind of event."""
    return f"{TYPE_PREFIX}{event_type}{VERSION}"


TYPES = tuple(sorted(type_of(each) for each in EventType))


def read_events(session: Session, first: int, limit: int) -> list[CloudEvent]:
    """The events from position `first` on, so many at most. What has no position yet is not among them."""
    query = (
        select(LeafRow.position, LedgerEvent)
        .join(LedgerEvent, (col(LeafRow.stream) == LedgerEvent.stream) & (col(LeafRow.seq) == LedgerEvent.seq))
        .where(LeafRow.position >= first, LeafRow.position < first + limit)
        .order_by(col(LeafRow.position))
    )
    return [_cloud_event(position, event) for position, event in session.exec(query).all()]


def encoded(event: CloudEvent) -> bytes:
    """The envelope as it is sent."""
    return event.model_dump_json(exclude_none=True).encode()


def _cloud_event(position: int, event: LedgerEvent) -> CloudEvent:
    body = json.loads(event.body)
    return CloudEvent(
        id=event.hash.hex(),
        type=type_of(event.type),
        subject=event.stream,
        time=body["at"],
        sequence=f"{position:020d}",
        partitionkey=event.stream,
        data=LedgerEventData(
            stream=event.stream, seq=event.seq, position=position, hash=event.hash.hex(), actor=body["actor"],
            facts=body["facts"], moves=body["moves"], sealed=body.get("sealed"),
        ),
    )  # fmt: skip
