"""How long decisions take here, measured: a plan's goods travel no earlier than somebody has decided on it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text
from sqlmodel import Session

MEASURED_DAYS = 90
DECISIONS_MIN = 10
"""Fewer decisions than these say nothing; the policy's number counts then."""
SHARE = 0.8

LATENCY_SET = "approval_latency_days"
"""The name in a session's `info` under which the operator's own number stands."""
_POLICIES = "policy/%"
"""How the actors of released documents are called; no person can have such a name."""

_WAITS = text("""
    select count(*) as decisions, percentile_disc(:share) within group (order by d.decided_at - r.requested_at) as wait
    from decision d join approval_request r using (approval_id)
    where d.decided_at > transaction_timestamp() - :measured and d.decided_by not like :policies
""")


def latency_of_decisions(session: Session) -> int | None:
    """Whole days within which people made four of five decisions of the last 90 days, rounded up; None for fewer than ten.

    What a policy releases by itself waits for nobody, and does not count. What the operator has set counts instead.
    The percentile is the nearest rank (Hyndman and Fan, 1996, Sample quantiles in statistical packages, definition 1).
    """
    chosen: int | None = session.info.get(LATENCY_SET)
    if chosen is not None:
        return chosen
    asked = {"share": SHARE, "measured": timedelta(days=MEASURED_DAYS), "policies": _POLICIES}
    row = session.connection().execute(_WAITS, asked).one()
    return -(-row.wait // timedelta(days=1)) if row.decisions >= DECISIONS_MIN else None
