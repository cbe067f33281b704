"""Which signatures a plan needs: what policy asks for on the facts of now, and what a request was shown with."""

from __future__ import annotations

from sqlmodel import Session, col, select

from app.approvals.tables import ApprovalRequest
from app.orders.tables import CAME_TO_NOTHING, TransferOrder
from policies.rules import Facts
from policies.schema import Tier
from policies.signatures import Demand, Needed, needed_for
from policies.tiers import Traits, demands_of, traits_of
from tools.inventory import LaneKey
from tools.transfers import TransferPlan


def needed_now(session: Session, plan: TransferPlan, tier: Tier, facts: Facts) -> Needed:
    """The signatures that the policy in force asks for on these facts."""
    if facts.policy.approvals is None:
        return needed_for(plan, (Demand(name=tier.name, approvals=tier.approvals),))
    return needed_for(plan, demands_of(facts.policy, tier, traits_now(session, plan, facts)))


def traits_now(session: Session, plan: TransferPlan, facts: Facts) -> Traits:
    """What the rules of approval look at, with the lanes that transfers have moved these SKUs on before."""
    query = select(TransferOrder.origin, TransferOrder.destination, TransferOrder.mode, TransferOrder.sku_id).where(
        col(TransferOrder.sku_id).in_({line.sku_id for line in plan.lines}),
        col(TransferOrder.origin).in_({line.origin for line in plan.lines}),
        col(TransferOrder.state).not_in(CAME_TO_NOTHING),
    )
    used = frozenset((LaneKey(*ends), sku_id) for *ends, sku_id in session.exec(query.distinct()).all())
    return traits_of(facts.policy, plan, facts.snapshot, used, facts.now)


def needed_of(request: ApprovalRequest) -> Needed:
    """The signatures that a request waits for; one from before they were recorded waits for one approver of every site."""
    if request.needed is None:
        return Needed(demands=(Demand(name=request.tier, approvals=1),), origins=(), destinations=())
    return Needed.model_validate(request.needed, strict=False)
