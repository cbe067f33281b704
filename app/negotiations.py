"""How plans were negotiated, for callers: the stored transcript without what lies outside their sites, and all of it in words."""

from __future__ import annotations

from sqlmodel import Session

from app.auth.roles import Principal
from app.plans.store import read_negotiation, read_snapshot
from app.views import names_for, plan_in_reach
from graphs.negotiation.record import Record
from graphs.negotiation.transcript import negotiation_sentences, seen_by, sees_whole


class NegotiationView(Record):
    """The transcript of a plan's negotiation. Money is in minor units; an llm's words are text and decide nothing."""

    plan_digest: str
    currency: str
    sentences: list[str]


def negotiation_view(session: Session, principal: Principal, digest: str) -> NegotiationView:
    """The negotiation of a plan as the caller may see it. Raises NotFoundError where it touches none of their sites."""
    plan = plan_in_reach(session, principal, digest)
    names = names_for(session, principal, read_snapshot(session, plan.snapshot_digest))
    record = Record.read(read_negotiation(session, digest) or {})
    seen = seen_by(record, names, sees_whole=sees_whole(plan, principal.sites))
    return NegotiationView(
        **dict(seen),
        plan_digest=plan.digest,
        currency=plan.currency,
        sentences=negotiation_sentences(seen, plan.currency),
    )
