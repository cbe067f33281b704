"""What a plan leaves behind at sites that it had to leave, as callers see it."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel

from app.auth.roles import Principal
from graphs.names import Names
from policies.leaving import left_behind
from policies.library import released
from tools.inventory import Snapshot
from tools.transfers import TransferPlan


class LeftBehindView(BaseModel):
    """Units that had to leave a site by a date and do not leave with the plan: how many, why, and what can be done."""

    site_id: str
    sku_id: str
    due_units: int
    left_units: int
    leave_by: date
    words: str


def left_behind_views(
    principal: Principal, plan: TransferPlan, snapshot: Snapshot, names: Names
) -> list[LeftBehindView]:
    """What the plan leaves behind at the caller's sites, the first date first."""
    return [
        LeftBehindView(
            site_id=each.unmet.key.site_id, sku_id=names.sku(each.unmet.key.sku_id), due_units=each.unmet.due_units,
            left_units=each.unmet.left_units, leave_by=each.leave_by, words=names.words(each.words),
        )
        for each in left_behind(released(plan.policy_digest), snapshot, plan, principal.sites)
    ]  # fmt: skip
