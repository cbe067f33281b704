"""Who has changed what is in force, in words for the reader: activations of policies out of the ledger."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from app.approvals.listing import in_scope
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Principal
from app.errors import NotFoundError
from app.governance.state import STREAM
from app.ledger.append import EventType
from app.ledger.reasons import facts_told
from app.ledger.tables import LedgerEvent
from app.plans.store import snapshot_now
from app.plans.tables import PlanRow
from app.stock.installation import installation
from app.stock.tables import MasterRow
from app.views import names_for
from graphs.names import Names
from policies.library import UnknownPolicyError, released
from policies.schema import Policy
from policies.stops import CATEGORY, STOPPABLE

ACTIVATIONS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Activation:
    """A release that was put in force: when, by whom, why, and which was in force until then."""

    at: datetime
    release: str
    name: str
    by: str
    reason: str
    before: str | None
    went_back: bool


def names_of(session: Session, caller: Principal) -> Names | None:
    """What things are called for the caller; None for those from whom nothing is kept, and where there is no network."""
    if caller.sees_everything or installation(session).currency is None:
        return None
    return names_for(session, caller, snapshot_now(session))


def activations(session: Session, names: Names | None) -> list[Activation]:
    """The last times that a policy was put in force, the newest first."""
    query = (
        select(LedgerEvent)
        .where(LedgerEvent.stream == STREAM, LedgerEvent.type == EventType.POLICY_ACTIVATED)
        .order_by(col(LedgerEvent.seq).desc())
    )
    rows = session.exec(query.limit(ACTIVATIONS_SHOWN + 1)).all()
    bodies = [(row.occurred_at, json.loads(row.body)) for row in rows]
    found = []
    for number, (at, body) in enumerate(bodies[:ACTIVATIONS_SHOWN]):
        facts = facts_told(session, body)
        before = bodies[number + 1][1]["facts"]["release"] if number + 1 < len(bodies) else None
        reason = facts["reason"] if names is None else names.words(facts["reason"])
        went_back = before is not None and facts["release"] < before
        found.append(Activation(at, facts["release"], facts["name"], body["actor"], reason, before, went_back))
    return found


def release_named(name: str) -> Policy:
    """The release that an address names. Raises NotFoundError."""
    try:
        return released(name)
    except UnknownPolicyError as unknown:
        raise NotFoundError("unknown_policy", str(unknown), "choose one of the list") from unknown


def waiting_by_policy(session: Session, caller: Principal) -> dict[str, int]:
    """How many requests wait at the caller's sites, by the digest of the policy that their plans were made under."""
    query = (
        select(PlanRow.policy_digest, func.count())
        .join(ApprovalRequest, col(ApprovalRequest.plan_digest) == PlanRow.digest)
        .where(*in_scope(caller), col(ApprovalRequest.status) == ApprovalStatus.PENDING)
        .group_by(col(PlanRow.policy_digest))
    )
    return dict(session.exec(query).all())


@dataclass(frozen=True, slots=True)
class Stoppable:
    """What of the network a caller could stop."""

    sites: Sequence[tuple[str, str]]
    modes: Sequence[str]
    classes: Sequence[tuple[str, str]]


def stoppable(session: Session, sites: Sequence[tuple[str, str]]) -> Stoppable:
    """What a stop can name, at these sites."""
    mode, category = MasterRow.body["mode"].as_string(), MasterRow.body["category"].as_string()
    modes = session.exec(select(mode).where(MasterRow.kind == "lane").distinct()).all()
    categories = session.exec(select(category).where(MasterRow.kind == "sku").distinct()).all()
    classes = [(str(each), f"{each} SKUs") for each in STOPPABLE]
    classes += [(f"{CATEGORY}{each}", f"SKUs of category {each}") for each in sorted(filter(None, categories))]
    return Stoppable(sites, sorted(filter(None, modes)), classes)
