"""Why somebody did something, in their own words: sealed like all words of people, and read by whoever may see the event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session

from app.auth.people import SYSTEM
from app.ledger.append import EventType
from app.ledger.sealing import Sealed, person, unsealed

TOLD = frozenset((
    *(each for each in EventType if each.startswith("transfer_")),
    EventType.POLICY_ACTIVATED, EventType.KILL_SWITCH_ENGAGED, EventType.KILL_SWITCH_RELEASED,
    EventType.STOP_ENGAGED, EventType.STOP_RELEASED, EventType.ERP_DIFFERENCE_SETTLED,
))  # fmt: skip
"""Events whose reasons stand with them. What people say to one another (remarks, rejections, why they are away) is read
where it was said, and nowhere else."""


def reason_of(actor: str, **words: str) -> Sealed | None:
    """Words of whoever acts, to be sealed. The service itself says nothing that would have to be forgotten."""
    return None if actor == SYSTEM else Sealed(person(actor), words)


def facts_told(session: Session, body: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of an event, with the reason of whoever acted where it stands with the event."""
    return unsealed(session, body) if body["type"] in TOLD else dict(body["facts"])
