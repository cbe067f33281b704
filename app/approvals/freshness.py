"""Whether the world still admits a plan: the rules again, on the facts, the policy and the stops of now."""

from __future__ import annotations

from sqlmodel import Session

from app.governance.state import active_policy
from app.governance.stops import stops_in_force
from app.plans.store import snapshot_now, snapshot_to_check_on
from app.stock.installation import planning_now
from policies.narrowing import Fresh, fresh
from policies.rules import Facts
from tools.inventory import Snapshot
from tools.transfers import TransferPlan


def facts_now(session: Session) -> Facts:
    """What rules know, as of this transaction: for plans, which name the snapshot that they are made on."""
    return _facts(session, snapshot_now(session))


def facts_to_check_on(session: Session) -> Facts:
    """The same facts for a check that leaves no plan behind: their snapshot need not be stored."""
    return _facts(session, snapshot_to_check_on(session))


def _facts(session: Session, snapshot: Snapshot) -> Facts:
    return Facts(
        snapshot=snapshot,
        policy=active_policy(session),
        now=planning_now(session),
        stops=stops_in_force(session),
    )


def fresh_now(session: Session, plan: TransferPlan) -> tuple[Fresh, Facts]:
    """What the world of now admits of the plan, and the facts of now."""
    facts = facts_to_check_on(session)
    return fresh(plan, facts), facts
