"""What had to leave a site with a plan and stays there: how much, by which date, why, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from policies.limits import limits_of
from policies.merchandise import leaving_rows, must_leave_units
from policies.schema import Policy
from tools.inventory import SiteSku, Snapshot
from tools.merchandise.leaving import UnmetMove, unmet_moves
from tools.planning import Limits
from tools.planning.obstacles import Kind, Wanted
from tools.shortfall import Shortfall, explain_shortfall
from tools.transfers import PlanRequest, TransferPlan

REASONS_MAX = 5
"""For so many site-SKUs, the most urgent, it is found out why they stay: each takes a search of its own."""


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """Units that had to leave a site with a plan and do not. `why` is empty where nobody looked for the reason."""

    unmet: UnmetMove
    leave_by: date
    why: str = ""
    remedy: str = ""

    @property
    def words(self) -> str:
        """All of it for people."""
        key = self.unmet.key
        said = (
            f"{self.unmet.left_units:,} of {self.unmet.due_units:,} {key.sku_id} that must leave {key.site_id} by {self.leave_by}"
            " stay there with this plan, and the next plan would be too late."
        )
        return " ".join(filter(None, (said, self.why, self.remedy)))


def left_behind(
    policy: Policy, snapshot: Snapshot, plan: TransferPlan, sites: frozenset[str] | None = None
) -> tuple[LeftBehind, ...]:
    """What must leave and stays, of what the plan's request is about: the first date first, then the most units.

    `snapshot` is the one that the plan was made on. `sites` are those of whoever asks,
    None for all: other sites' goods are left out, and why goods stay is said only to
    those who see every site that the plan could use. A rescue is about nothing that leaves.
    """
    if plan.request.overlays.emergency_rescue:
        return ()
    due = {
        key: units
        for key, units in must_leave_units(policy, snapshot).items()
        if _is_meant(snapshot, plan.request, key) and (sites is None or key.site_id in sites)
    }
    unmet = unmet_moves(due, plan.sent_units.items())
    if not unmet:
        return ()
    rows = leaving_rows(policy, snapshot)
    found = [LeftBehind(each, rows[each.key].leave_by) for each in unmet]
    found.sort(key=lambda each: (each.leave_by, -each.unmet.left_units, each.unmet.key))
    within = frozenset(plan.request.scope.within_sites)
    if sites is not None and not (within and within <= sites):
        return tuple(found)
    limits = limits_of(policy, snapshot, plan.request)
    explained = [_explained(snapshot, limits, plan, each) for each in found[:REASONS_MAX]]
    return (*explained, *found[REASONS_MAX:])


def _is_meant(snapshot: Snapshot, request: PlanRequest, key: SiteSku) -> bool:
    """Whether the request is about the site and the SKU: a plan for other goods leaves nothing behind."""
    scope, category = request.scope, snapshot.sku_by_id[key.sku_id].category
    return (
        (not scope.skus or key.sku_id in scope.skus)
        and (not scope.categories or category in scope.categories)
        and all(not some or key.site_id in some for some in (scope.sites, scope.origins, scope.within_sites))
    )


def _explained(snapshot: Snapshot, limits: Limits, plan: TransferPlan, left: LeftBehind) -> LeftBehind:
    key, unmet = left.unmet.key, left.unmet
    wanted = Wanted(key.site_id, key.sku_id, unmet.due_units, "out")
    found = explain_shortfall(snapshot, limits, plan, wanted, plan.request.scope.within_sites or None)
    return replace(left, why=_why(found, unmet), remedy=_remedy(found, left))


def _why(found: Shortfall, unmet: UnmetMove) -> str:
    more = found.blocked.possible_units - unmet.leaving_units
    unpaid = f"{more:,} more could leave, but no receiver was found that gains what that costs." if more > 0 else ""
    # Beside a part that does leave, an offer for the whole is no reason.
    in_the_way = found.why if found.blocked.conflict or not unmet.leaving_units else ""
    return " ".join(filter(None, (in_the_way, unpaid)))


def _remedy(found: Shortfall, left: LeftBehind) -> str:
    """The last resort is always to sell the goods off where they are; what can be relaxed before that is named first."""
    sell = f"mark them down or write them off at {left.unmet.key.site_id} by {left.leave_by}"
    kinds = {obstacle.kind for obstacle in found.blocked.conflict}
    if not kinds:
        return f"What to do: {sell}."
    return f"What to do: {_relaxing(kinds)}, or {sell}."


def _relaxing(kinds: Iterable[Kind]) -> str:
    """What could take an obstacle away; of a conflict one is enough, so the easiest is named."""
    if Kind.REQUEST in kinds:
        return "ask for a plan without what this request limits"
    if Kind.POLICY in kinds:
        return "have that limit of the policy reviewed"
    return "find a lane or a receiver with room for them in time"
