"""Why sites do not get what they want: the wish that a question means, and what a plan's answer to it is."""

from __future__ import annotations

from graphs.names import Meant
from graphs.planning import draft, imbalances_of, nothing_moved
from policies.limits import limits_of
from policies.rules import Facts
from tools.catalog import ExplainBlocked
from tools.imbalance import Imbalance
from tools.planning.obstacles import Wanted
from tools.shortfall import Shortfall, explain_shortfall
from tools.transfers import PlanRequest, Scope, TransferPlan

SOLVES_IN_A_CONVERSATION = 2
"""So many relaxations are priced while somebody waits for the answer."""


class NothingToExplainError(ValueError):
    """There is no current plan in this conversation, it has no such line, or nothing is short there."""


def wish_of(facts: Facts, sites: frozenset[str] | None, meant: Meant, arguments: ExplainBlocked) -> Wanted:
    """What is wanted: the units asked for, or what the SKU is short of at the site; the costliest shortage that is meant.

    A SKU at a site that is not short wants a pack. Raises NothingToExplainError where nothing is short.
    """
    shortages = [
        each for each in imbalances_of(facts) if each.kind == "shortage" and _is_meant(facts, each, meant, sites)
    ]
    if len(meant.skus) == 1 and len(meant.sites) == 1:
        site_id, sku_id = meant.sites[0], meant.skus[0]
    elif shortages:
        site_id, sku_id = shortages[0].site_id, shortages[0].sku_id
    else:
        raise NothingToExplainError("nothing is short there; name one SKU and one site to ask about them all the same")
    short = next((each.units for each in shortages if (each.site_id, each.sku_id) == (site_id, sku_id)), None)
    units = arguments.units_wanted or short or facts.snapshot.sku_by_id[sku_id].pack_size
    return Wanted(site_id, sku_id, units, within_days=arguments.within_days)


def shortfall_of(facts: Facts, sites: frozenset[str] | None, wish: Wanted, plan: TransferPlan | None) -> Shortfall:
    """Why a plan does not meet a wish; without one, the best plan for the SKU alone is made first."""
    if plan is None:
        request = PlanRequest(scope=Scope(skus=(wish.sku_id,))).cut_to(sites)
        plan = draft(facts, request).plan or nothing_moved(facts, request)
    limits = limits_of(facts.policy, facts.snapshot, plan.request)
    return explain_shortfall(facts.snapshot, limits, plan, wish, sites, solves_max=SOLVES_IN_A_CONVERSATION)


def worst_shortages(facts: Facts, request: PlanRequest, plan: TransferPlan, most: int) -> list[Wanted]:
    """The costliest shortages that a request is about and its plan brings nothing for."""
    scope = request.scope
    meant = Meant(scope.skus, scope.destinations or scope.sites, scope.categories)
    within = frozenset(scope.within_sites) or None
    wishes = [
        Wanted(each.site_id, each.sku_id, each.units)
        for each in imbalances_of(facts)
        if each.kind == "shortage" and _is_meant(facts, each, meant, within)
    ]
    served = {(key.site_id, key.sku_id) for key in plan.received_units}
    return [wish for wish in wishes if (wish.site_id, wish.sku_id) not in served][:most]


def _is_meant(facts: Facts, imbalance: Imbalance, meant: Meant, sites: frozenset[str] | None) -> bool:
    category = facts.snapshot.sku_by_id[imbalance.sku_id].category
    return (
        (sites is None or imbalance.site_id in sites)
        and (not meant.skus or imbalance.sku_id in meant.skus)
        and (not meant.sites or imbalance.site_id in meant.sites)
        and (not meant.categories or category in meant.categories)
    )
