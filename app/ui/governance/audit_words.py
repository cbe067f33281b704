"""Events of the ledger told to people: what kind of thing happened, and its facts by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from app.ledger.append import EventType
from app.ledger.reasons import facts_told
from app.ledger.tables import LedgerEvent

KINDS: dict[str, tuple[EventType, ...]] = {
    "governance": (
        EventType.POLICY_ACTIVATED, EventType.KILL_SWITCH_ENGAGED, EventType.KILL_SWITCH_RELEASED,
        EventType.STOP_ENGAGED, EventType.STOP_RELEASED,
    ),
    "decisions": (
        EventType.PLAN_SIGNED, EventType.PLAN_APPROVED, EventType.PLAN_REJECTED, EventType.PLAN_RELEASED_BY_POLICY,
        EventType.DECISION_REFUSED, EventType.CLIENT_INPUT_REFUSED, EventType.DELEGATION_MADE, EventType.DELEGATION_ENDED,
    ),
    "people": (
        EventType.PERSON_ADDED, EventType.PERSON_FORGOTTEN, EventType.PERSON_SIGNED_IN, EventType.KEY_ADDED,
        EventType.KEY_REVOKED, EventType.SUBSCRIPTION_CHANGED,
    ),
    "data": (EventType.NETWORK_IMPORTED, EventType.SIGNAL_QUARANTINED, EventType.STOCK_COUNTED),
    "plans": tuple(each for each in EventType if each.startswith(("plan_proposed", "approval_", "signatures_"))),
    "transfers": tuple(each for each in EventType if each.startswith(("transfer_", "erp_"))),
}  # fmt: skip
"""Types of events that belong together, for the filter."""

_NAMES = {
    "plan": "plan",
    "policy": "policy document",
    "stop": "stop",
    "sku_id": "SKU",
    "site_id": "site",
    "erp_id": "ERP reference",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of an event, and the page of what it names."""

    name: str
    words: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An event for people. `what` is its type in words; `position` is its place over all streams; None for the newest, which get theirs in a moment."""

    type: str
    what: str
    stream: str
    seq: int
    position: int | None
    at: datetime
    actor: str
    facts: tuple[Fact, ...]
    moves: tuple[str, ...]
    sealed: tuple[str, ...]
    hash: str
    href: str


def told(session: Session, event: LedgerEvent, position: int | None) -> Told:
    """An event with its facts."""
    body: dict[str, Any] = json.loads(event.body)
    facts = facts_told(session, body)
    sealed = (body.get("sealed") or {"fields": {}})["fields"].keys() - facts.keys()
    return Told(
        type=event.type, what=_what(event.type, facts), stream=event.stream, seq=event.seq, position=position, at=event.occurred_at,
        actor=body["actor"], facts=tuple(_facts(facts)), moves=tuple(_moves(body["moves"])),
        sealed=tuple(sorted(sealed)), hash=event.hash.hex(), href=href_of(facts),
    )  # fmt: skip


def _what(event_type: str, facts: Mapping[str, Any]) -> str:
    """What happened. A write-off is booked as a receipt that does not even count what came."""
    if event_type == EventType.TRANSFER_RECEIVED and facts.get("lost_units") and "units" not in facts:
        return "Transfer written off"
    return event_type.replace("_", " ").capitalize()


def href_of(facts: Mapping[str, Any]) -> str:
    """The page of what an event is about; empty for what has none."""
    if facts.get("transfer_id"):
        return f"/orders/{facts['transfer_id']}"
    if facts.get("approval_id"):
        return f"/queue/{facts['approval_id']}"
    if facts.get("release"):
        return f"/governance/policies?after={facts['release']}"
    if facts.get("stop"):
        return "/governance#stops"
    return ""


def _facts(facts: Mapping[str, Any]) -> Iterator[Fact]:
    for name, value in facts.items():
        href = href_of({name: value}) if name in ("transfer_id", "approval_id", "release") else ""
        yield Fact(_NAMES.get(name, name.removesuffix("_id").replace("_", " ")), value_words(value), href)


def value_words(value: object) -> str:
    """A value of a body as text; parts of it with their names."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list():
            return ", ".join(value_words(each) for each in value[:20]) + (" …" if len(value) > 20 else "") or "none"
        case dict():
            return (
                "; ".join(f"{name.replace('_', ' ')} {value_words(inner)}" for name, inner in value.items()) or "none"
            )
        case _:
            return str(value)


def _moves(moves: list[list[Any]]) -> Iterator[str]:
    for sku_id, from_place, to_place, units in moves[:20]:
        yield f"{units:,} of {sku_id}: {place_words(from_place)} → {place_words(to_place)}"
    if len(moves) > 20:
        yield f"{len(moves) - 20:,} more"


def place_words(place: str) -> str:
    """A place of the books: `site/S1/reserved` is `S1 (reserved)`, `outside/count` is `outside (count)`."""
    kind, _, rest = place.partition("/")
    where, _, what = rest.rpartition("/")
    if kind == "site" and where:
        return where if what == "available" else f"{where} ({what.replace('_', ' ')})"
    return f"{kind} ({rest.replace('_', ' ').replace('/', ' to ')})" if rest else kind
