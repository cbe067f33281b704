"""What policy, facts and request cost a plan: when that is worth knowing, and each limit that could be relaxed at its price.

Nothing of it goes into a plan: it is for the people who could relax it.
"""

from __future__ import annotations

from typing import NamedTuple

from graphs.planning import draft, nothing_moved
from graphs.shortfalls import worst_shortages
from policies.limits import limits_of
from policies.rules import Facts
from tools.concessions import Concession, price_concessions
from tools.lifts import Question
from tools.planning import Limits
from tools.planning.blocked import Blocked, find_conflict
from tools.planning.obstacles import Wanted
from tools.relaxations import price_next_relaxations, price_relaxations
from tools.shortfall import blocked_words, seen_from
from tools.stakes import skus_at_stake
from tools.transfers import PlanRequest, TransferPlan

CONFLICTS_KEPT = 3
RELAXATIONS_PRICED = 3
"""So many relaxations are priced for a plan in a round: each is a solve while somebody waits."""
RELAXATIONS_PRICED_LARGE = 2
"""The same for a plan that the fast path made."""
SITE_SKUS_TOUCHED = 600
"""There a relaxation is priced by planning SKUs of so many sites again, those with most at stake, beside all others."""


class Priced(NamedTuple):
    """Concessions, the most valuable first, what blocks what is wanted most, and how the prices were found."""

    concessions: tuple[Concession, ...] = ()
    conflicts: tuple[str, ...] = ()
    pricing: str = ""


def at_a_limit(facts: Facts, request: PlanRequest, plan: TransferPlan) -> bool:
    """Whether a total of policy or request holds the plan back, so that its price is worth knowing."""
    size, overlays = facts.policy.size, request.overlays
    totals = (
        (plan.units, size.plan_units_max),
        (plan.units, overlays.max_units),
        (len(plan.lines), size.plan_lines_max),
        (len(plan.lines), overlays.max_lines),
        (plan.goods_value_minor, size.plan_goods_value_max_minor),
        (plan.transfer_cost_minor, overlays.transport_budget_minor),
    )
    return any(most is not None and used * 10 >= most * 9 for used, most in totals)


def price(facts: Facts, request: PlanRequest, plan: TransferPlan | None) -> Priced:
    """What relaxing policy, facts or request would be worth, each by itself, and what blocks what is wanted most.

    For a plan that the fast path made, nothing is solved whole again: that would take as
    long as the plan itself, each time.
    """
    limits = limits_of(facts.policy, facts.snapshot, request)
    compared = plan or nothing_moved(facts, request)
    conflicts = _conflicts(facts, request, limits, plan)
    touched = _touched(facts, request, limits, compared)
    relaxed = _relaxed(Question(facts.snapshot, limits, request), facts, compared, conflicts, touched)
    covered = {concession.rule for concession in relaxed}
    negotiable = facts.policy.negotiation.negotiable_rules
    rules = [rule for rule in negotiable if rule not in covered] if touched is None else []
    lifted = price_concessions(compared, rules, lambda rule: draft(facts, request, frozenset((rule,))).plan)
    currency = facts.snapshot.currency
    return Priced(
        ranked((*relaxed, *lifted)),
        tuple(blocked_words(conflict, currency) for conflict in conflicts),
        "" if touched is None else _pricing(len(touched)),
    )


def price_more(facts: Facts, request: PlanRequest, plan: TransferPlan) -> tuple[Concession, ...]:
    """The relaxations that come next after those of `price`, as many again, found in the same way."""
    limits = limits_of(facts.policy, facts.snapshot, request)
    conflicts, touched = _conflicts(facts, request, limits, plan), _touched(facts, request, limits, plan)
    return _relaxed(Question(facts.snapshot, limits, request), facts, plan, conflicts, touched, further=True)


def ranked(concessions: tuple[Concession, ...]) -> tuple[Concession, ...]:
    """The most valuable first."""
    return tuple(sorted(concessions, key=lambda concession: (-concession.extra_saving_minor, concession.code)))


def _relaxed(
    question: Question,
    facts: Facts,
    compared: TransferPlan,
    conflicts: list[Blocked],
    touched: frozenset[str] | None,
    *,
    further: bool = False,
) -> tuple[Concession, ...]:
    at_a_time = RELAXATIONS_PRICED if touched is None else RELAXATIONS_PRICED_LARGE
    asked = price_next_relaxations if further else price_relaxations
    negotiable = facts.policy.negotiation.negotiable_rules
    return asked(question, compared, conflicts, negotiable=negotiable, solves_max=at_a_time, touched=touched)


def _touched(facts: Facts, request: PlanRequest, limits: Limits, compared: TransferPlan) -> frozenset[str] | None:
    """The SKUs to plan again for a price; None where the whole request is solved again."""
    if compared.solver.path != "fast":
        return None
    most = max(SITE_SKUS_TOUCHED // len(facts.snapshot.sites), 1)
    return frozenset(skus_at_stake(facts.snapshot, limits, request.scope, most))


def _pricing(skus: int) -> str:
    return (
        f"The request is large: what relaxing a limit saves was found by planning the {skus} SKUs with most at stake"
        " again beside all other lines, so more may be possible; rules of policy that bind no line were not priced."
    )


def _conflicts(facts: Facts, request: PlanRequest, limits: Limits, plan: TransferPlan | None) -> list[Blocked]:
    """What blocks the moves that have to be made, or the costliest shortage that a plan without lines leaves."""
    if plan is None:
        wishes = [Wanted(key.site_id, key.sku_id, units, "out") for key, units in sorted(limits.must_leave.items())]
    else:
        wishes = [] if plan.lines else worst_shortages(facts, request, plan, 1)
    within = request.scope.within_sites
    snapshot = seen_from(facts.snapshot, frozenset(within)) if within else facts.snapshot
    found = [find_conflict(snapshot, limits, request, wish) for wish in wishes[:CONFLICTS_KEPT]]
    return [blocked for blocked in found if blocked.conflict]
