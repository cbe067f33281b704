"""What had to leave a site with a plan and stays there: how much, by which date, why, and what can be done."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from threading import Lock

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

ANSWERS_KEPT = 64


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """Units that had to leave a site with a plan and do not in time. `why` is empty where nobody looked for the reason.

    `late_units` are those that the plan does send, on a departure after the date.
    """

    unmet: UnmetMove
    leave_by: date
    late_units: int = 0
    why: str = ""
    remedy: str = ""

    @property
    def words(self) -> str:
        """All of it for people."""
        key = self.unmet.key
        stay = "stay there with this plan"
        if self.late_units:
            stay = f"do not leave by then with this plan, which sends {self.late_units:,} only after that date"
        said = (
            f"{self.unmet.left_units:,} of {self.unmet.due_units:,} {key.sku_id} that must leave {key.site_id} by {self.leave_by}"
            f" {stay}, and the next plan would be too late."
        )
        return " ".join(filter(None, (said, self.why, self.remedy)))


_Question = tuple[str, str, frozenset[str] | None]
_KEPT: OrderedDict[_Question, tuple[LeftBehind, ...]] = OrderedDict()
"""The answers given last, by policy, plan and sites: a plan is looked at many times. Its digest covers its snapshot's."""
_KEPT_LOCK = Lock()


def left_behind(
    policy: Policy, snapshot: Snapshot, plan: TransferPlan, sites: frozenset[str] | None = None
) -> tuple[LeftBehind, ...]:
    """What must leave and stays, of what the plan's request is about: the first date first, then the most units.

    `snapshot` is the one that the plan was made on. `sites` are those of whoever asks,
    None for all: other sites' goods are left out, and why goods stay is said only to
    those who see every site that the plan could use. A rescue is about nothing that leaves.
    """
    question = (policy.digest, plan.digest, sites)
    with _KEPT_LOCK:
        kept = _KEPT.get(question)
    found = _left_behind(policy, snapshot, plan, sites) if kept is None else kept
    with _KEPT_LOCK:
        _KEPT[question] = found
        _KEPT.move_to_end(question)
        while len(_KEPT) > ANSWERS_KEPT:
            _KEPT.popitem(last=False)
    return found


def _left_behind(
    policy: Policy, snapshot: Snapshot, plan: TransferPlan, sites: frozenset[str] | None
) -> tuple[LeftBehind, ...]:
    if plan.request.overlays.emergency_rescue:
        return ()
    due = {
        key: units
        for key, units in must_leave_units(policy, snapshot).items()
        if _is_meant(snapshot, plan.request, key) and (sites is None or key.site_id in sites)
    }
    rows = leaving_rows(policy, snapshot)
    sent = [(SiteSku(line.origin, line.sku_id), line) for line in plan.lines]
    in_time, late = Counter[SiteSku](), Counter[SiteSku]()
    for key, line in sent:
        if key in due:
            (in_time if line.depart_on <= rows[key].leave_by else late)[key] += line.units
    unmet = unmet_moves(due, in_time.items())
    if not unmet:
        return ()
    found = [LeftBehind(each, rows[each.key].leave_by, late[each.key]) for each in unmet]
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
    wanted = Wanted(key.site_id, key.sku_id, unmet.due_units, "out", leave_by=left.leave_by)
    found = explain_shortfall(snapshot, limits, plan, wanted, plan.request.scope.within_sites or None)
    return replace(left, why=_why(found, unmet), remedy=_remedy(found, left))


def _why(found: Shortfall, unmet: UnmetMove) -> str:
    more = found.blocked.possible_units - unmet.leaving_units
    # Beside a part that does leave, an offer for the whole is no reason.
    in_the_way = found.why if found.blocked.conflict or not unmet.leaving_units else ""
    return " ".join(filter(None, (in_the_way, _of_more(found, more, bool(unmet.leaving_units)) if more > 0 else "")))


def _of_more(found: Shortfall, more: int, part_leaves: bool) -> str:
    """What is known of units that nothing holds back and that stay: only an offer that falls short says that none gains."""
    offer = found.offer
    if offer is not None and offer.worth_minor <= offer.asked_minor:
        return f"{more:,} more could leave, but no receiver was found that gains what that costs."
    if offer is not None and not part_leaves:
        return f"{offer.destination} would gain by that, and no other line is in the way, but this plan does not send them."
    return f"{more:,} more could leave, but this plan does not send them."


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
