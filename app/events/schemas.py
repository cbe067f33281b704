"""What events and signals look like, for machines: JSON Schemas by name, and an AsyncAPI description of every channel."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from app.errors import NotFoundError
from app.events import inbound_stream, redis_stream
from app.events.outbox import MEDIA_TYPE, SCHEMA, TYPES, CloudEvent, LedgerEventData
from app.events.signatures import ID, SIGNATURE, TIMESTAMP
from tools.signals import DATA_SCHEMAS, Envelope

LEDGER_ENVELOPE, SIGNAL_ENVELOPE = "ledger-event-envelope.v1", "signal-envelope.v1"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_names() -> list[str]:
    """The names of all schemas."""
    return sorted([SCHEMA, LEDGER_ENVELOPE, SIGNAL_ENVELOPE, *(kind.value for kind in DATA_SCHEMAS)])


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of this name. Raises NotFoundError."""
    known: dict[str, type[BaseModel]] = {kind.value: data for kind, data in DATA_SCHEMAS.items()}
    known |= {SCHEMA: LedgerEventData, LEDGER_ENVELOPE: CloudEvent, SIGNAL_ENVELOPE: Envelope}
    described = known.get(name)
    if described is None:
        raise NotFoundError("unknown_schema", f"there is no schema {name!r}", "see GET /v1/schemas")
    return {"$schema": _DIALECT, "$id": f"/v1/schemas/{name}", **described.model_json_schema()}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document: what is sent, what is taken, and where."""
    named = (ID, TIMESTAMP, SIGNATURE)
    properties = {name: {"type": "string"} for name in named}
    headers = {"type": "object", "required": list(named), "properties": properties}
    event = _message("An event of the ledger", LEDGER_ENVELOPE)
    signal = _message("A signal", SIGNAL_ENVELOPE)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Evenkeel", "version": "1",
            "description": "Events of the ledger, at least once and in one order over all streams; signals, known by source and id.",
        },
        "defaultContentType": MEDIA_TYPE,
        "channels": {
            "events": {"address": redis_stream.STREAM, "description": "A Redis stream.", "messages": {"event": event}},
            "webhooks": {
                "address": None, "description": "Each subscription's address.",
                "messages": {"event": event | {"headers": headers}},
            },
            "signals": {
                "address": inbound_stream.STREAM, "description": "A Redis stream.",
                "messages": {"signal": signal | {"headers": headers}},
            },
            "inbox": {
                "address": "/v1/signals/inbox", "description": "Signed webhooks.",
                "messages": {"signal": signal | {"headers": headers}},
            },
        },
        "operations": {
            name: {"action": action, "channel": {"$ref": f"#/channels/{name}"}}
            for name, action in (("events", "send"), ("webhooks", "send"), ("signals", "receive"), ("inbox", "receive"))
        },
        "components": {"schemas": {name: schema(name) for name in schema_names()}},
        "x-event-types": list(TYPES),
    }  # fmt: skip


def _message(title: str, name: str) -> dict[str, Any]:
    return {"title": title, "contentType": MEDIA_TYPE, "payload": {"$ref": f"#/components/schemas/{name}"}}
