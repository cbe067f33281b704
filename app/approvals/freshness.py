"""Whether the world still admits a plan: the rules again, on the facts, the policy and the kill switch of now."""

from __future__ import annotations

from sqlmodel import Session

from app.governance.state import active_policy, governance
from app.plans.store import snapshot_now
from app.stock.installation import planning_now
from policies.rules import Facts, Violation, check
from tools.transfers import TransferPlan


def facts_now(session: Session) -> Facts:
    """What rules know, as of this transaction."""
    return Facts(
        snapshot=snapshot_now(session),
        policy=active_policy(session),
        now=planning_now(session),
        kill_switch=governance(session).kill_switch,
    )


def current_violations(session: Session, plan: TransferPlan) -> tuple[Violation, ...]:
    """Every rule that the plan would break if it were carried out now."""
    return check(plan, facts_now(session))
