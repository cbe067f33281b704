"""From what a caller asks for to a plan request, and the plan as things are beside the plan as they would be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphs.desk.seen import Seen
from graphs.names import Meant
from graphs.planning import Draft, draft, draft_beside
from graphs.summaries import difference_summary, plan_summary
from policies.leaving import left_behind
from tools.catalog import ProposePlan, WhatIf
from tools.plan_difference import compare
from tools.transfers import DemandChange, Overlays, PlanRequest, Scope, SupplyDelay
from tools.whatif import days_late

LINES_SHOWN = 5
_OTHER_WORLD = "Its saving is reckoned in the assumed world, so the difference is not what the change would cost."


class WhatIfAnswers:
    """Plan requests, and what-ifs: the same request with assumptions. Nothing is kept."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def plan_request(self, arguments: ProposePlan) -> PlanRequest:
        """The plan request that the arguments stand for, within the caller's own sites. Raises UnclearError."""
        names = self._seen.names
        meant, without = names.meant(arguments.mentions), self._left_out(arguments.without)
        scope = Scope(
            skus=meant.skus,
            categories=meant.categories,
            sites=meant.sites,
            origins=names.sites(arguments.from_sites),
            destinations=names.sites(arguments.to_sites),
        )
        overlays = Overlays(
            excluded_lanes=names.lanes(arguments.closed_lanes),
            excluded_sites=without.sites,
            excluded_skus=without.skus,
            max_lines=arguments.lines_max,
            max_units=arguments.units_max,
            transport_budget_minor=self._seen.minor(arguments.transport_budget),
            emergency_rescue=arguments.emergency_rescue,
        )
        return self._seen.request(scope, overlays, arguments.within_days)

    def what_if(self, arguments: WhatIf) -> dict[str, Any]:
        """The plan as things are beside the plan as they would be."""
        seen, facts = self._seen, self._seen.facts
        meant = seen.names.meant(arguments.mentions)
        base = seen.request(Scope(skus=meant.skus, sites=meant.sites, categories=meant.categories), Overlays())
        now, supposed = draft(facts, base), seen.request(base.scope, self._overlays(arguments))
        then = draft(facts, supposed) if now.plan is None else draft_beside(facts, supposed, now.plan)
        difference = None
        if now.plan is not None and then.plan is not None:
            difference = difference_summary(compare(then.plan, now.plan), now.plan.currency)
            if facts_differ(supposed.overlays):
                difference["words"] = f"{difference['words']} {_OTHER_WORLD}"
        late = {"purchase_orders_late": self._orders_late(supposed.overlays)} if arguments.supply_delay_days else {}
        return seen.dated(
            {"as_things_are": self._side(now), "what_if": self._side(then), "difference": difference, **late}
        )

    def _overlays(self, arguments: WhatIf) -> Overlays:
        names, level = self._seen.names, arguments.service_level_percent
        without = self._left_out(arguments.without)
        return Overlays(
            excluded_lanes=names.lanes(arguments.closed_lanes),
            excluded_sites=without.sites,
            excluded_skus=without.skus,
            demand_changes=self._demand_changes(arguments),
            supply_delay_days=0 if arguments.supply_delay_of else arguments.supply_delay_days or 0,
            supply_delays=self._supply_delays(arguments),
            service_level_bp=None if level is None else level * 100,
            transport_budget_minor=self._seen.minor(arguments.transport_budget),
            max_lines=arguments.lines_max,
            max_units=arguments.units_max,
        )

    def _left_out(self, mentions: Iterable[str]) -> Meant:
        """The sites and SKUs that stay out; a category stands for its SKUs."""
        meant = self._seen.names.meant(mentions)
        skus = {sku.sku_id for sku in self._seen.facts.snapshot.skus if sku.category in meant.categories}
        return Meant(tuple(sorted(skus.union(meant.skus))), meant.sites)

    def _demand_changes(self, arguments: WhatIf) -> tuple[DemandChange, ...]:
        """The change for what is named, at the caller's own sites: what happens elsewhere is not theirs to see."""
        if arguments.demand_percent is None:
            return ()
        skus, sites = self._skus_and_sites(arguments.demand_of)
        return (DemandChange(percent=arguments.demand_percent, skus=skus, sites=sites),)

    def _supply_delays(self, arguments: WhatIf) -> tuple[SupplyDelay, ...]:
        """The delay of what is named, at the caller's own sites."""
        if not arguments.supply_delay_of:
            return ()
        skus, sites = self._skus_and_sites(arguments.supply_delay_of)
        return (SupplyDelay(days=arguments.supply_delay_days or 0, skus=skus, sites=sites),)

    def _skus_and_sites(self, mentions: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The SKUs that mentions stand for, a category for its own, and the sites: without any, the caller's own."""
        meant = self._seen.names.meant(mentions)
        of_category = (sku.sku_id for sku in self._seen.facts.snapshot.skus if sku.category in meant.categories)
        return tuple(sorted({*meant.skus, *of_category})), meant.sites or tuple(sorted(self._seen.caller.sites or ()))

    def _orders_late(self, overlays: Overlays) -> int:
        """How many open purchase orders at the caller's sites are assumed to come later."""
        rows = self._seen.facts.snapshot.supply
        return sum(days_late(row, overlays) > 0 for row in rows if self._seen.sees(row.site_id))

    def _side(self, made: Draft) -> dict[str, Any]:
        if made.plan is None:
            return {"plan": None, "note": made.note}
        facts = self._seen.facts
        left = left_behind(facts.policy, facts.snapshot, made.plan, self._seen.caller.sites)
        summary = plan_summary(made.plan, self._seen.names, made.note, left)
        del summary["plan"]  # a what-if is not kept, so there is nothing to refer to
        summary["top_lines"] = summary["top_lines"][:LINES_SHOWN]
        summary["lines_not_shown"] = max(len(made.plan.lines) - LINES_SHOWN, 0)
        return summary


def facts_differ(overlays: Overlays) -> bool:
    """Whether a request assumes other facts, and not only other limits: then savings cannot be compared."""
    assumes_service = overlays.service_level_bp is not None
    return bool(overlays.demand_changes or overlays.supply_delay_days or overlays.supply_delays) or assumes_service
