"""Approval tiers: who may decide on a plan of this size, and for how long."""

from __future__ import annotations

from policies.limits import crosses_entities
from policies.schema import Policy, Tier
from tools.inventory import Snapshot
from tools.transfers import TransferPlan


def tier_of(policy: Policy, plan: TransferPlan, snapshot: Snapshot) -> Tier | None:
    """The first tier that admits the plan; None means that nobody may approve it.

    Value and units count for the plan as a whole, so that splitting lines changes nothing.
    """
    lanes = {line.lane for line in plan.lines}
    crosses = any(key in snapshot.lane_by_key and crosses_entities(snapshot, key) for key in lanes)
    for tier in policy.tiers:
        fits = plan.goods_value_minor <= tier.goods_value_max_minor and plan.units <= tier.units_max
        if fits and (tier.cross_entity or not crosses):
            return tier
    return None
