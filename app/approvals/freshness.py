"""Whether the world still admits a plan: the rules again, on the facts, the policy and the stops of now."""

from __future__ import annotations

from sqlmodel import Session

from app.governance.state import active_policy
from app.governance.stops import stops_in_force
from app.plans.store import snapshot_now
from app.stock.installation import planning_now
from policies.narrowing import Fresh, fresh
from policies.rules import Facts
from tools.transfers import TransferPlan


def facts_now(session: Session) -> Facts:
    """What rules know, as of this transaction."""
    return Facts(
        snapshot=snapshot_now(session),
        policy=active_policy(session),
        now=planning_now(session),
        stops=stops_in_force(session),
    )


def fresh_now(session: Session, plan: TransferPlan) -> tuple[Fresh, Facts]:
    """What the world of now admits of the plan, and the facts of now."""
    facts = facts_now(session)
    return fresh(plan, facts), facts
