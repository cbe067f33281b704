"""Which SKUs most money is lost on while nothing moves: where planning again is most worth its time."""

from __future__ import annotations

import numpy as np

from tools.inventory import Snapshot
from tools.planning.limits import Limits
from tools.planning.plan import without_moves
from tools.transfers import Scope


def skus_at_stake(facts: Snapshot, limits: Limits, scope: Scope, most: int) -> tuple[str, ...]:
    """At most so many SKUs of a scope, those first of which most money is expected to be lost for want of stock.

    The money of a SKU is what its lost sales until the regular supply cost at all its
    sites. SKUs that lose nothing are left out; ties go to the earlier id.
    """
    without = without_moves(facts, limits.default_horizon_days)
    lost = np.maximum(without.mean - without.served, 0.0)
    money: dict[str, float] = {}
    for key, units in zip(facts.forecast_by_key, lost.tolist(), strict=True):
        money[key.sku_id] = money.get(key.sku_id, 0.0) + units * limits.lost_e4(key)
    wanted = [
        sku_id
        for sku_id, at_stake in money.items()
        if at_stake > 0
        and (not scope.skus or sku_id in scope.skus)
        and (not scope.categories or facts.sku_by_id[sku_id].category in scope.categories)
    ]
    return tuple(sorted(wanted, key=lambda sku_id: (-money[sku_id], sku_id))[:most])
