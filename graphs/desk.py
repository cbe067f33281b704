"""The desk: where the catalogue's tools get their answers for one caller and one thread."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from graphs.names import Names
from graphs.planning import draft, draft_beside, imbalances_of
from graphs.shortfalls import NothingToExplainError, shortfall_of, wish_of
from graphs.summaries import plan_summary
from graphs.world import World
from policies.brief import brief, rule_sentences
from policies.leaving import LeftBehind, left_behind
from policies.limits import limits_of, targets_of, view_of
from policies.rules import Facts
from policies.urgency import urgencies
from tools.catalog import Coverage, ExplainBlocked, ExplainLine, Imbalances, PolicyInWords, ProposePlan, Status, WhatIf
from tools.coverage import days_of_cover, stock_out_on, stock_out_ppm
from tools.explanation import explain_line
from tools.money import E4, e4_per_minor, money_text
from tools.positions import available_units, projected_units
from tools.transfers import DemandChange, Overlays, PlanRequest, Scope, TransferPlan

__all__ = ["AtDesk", "NothingToExplainError"]


class AtDesk:
    """Answers for one caller. Implements `tools.catalog.Desk`."""

    def __init__(self, world: World, plan_digest: str | None) -> None:
        self._world = world
        self._plan_digest = plan_digest

    @cached_property
    def _facts(self) -> Facts:
        return self._world.facts()

    @cached_property
    def names(self) -> Names:
        """The names that this caller may use and see."""
        caller = self._world.caller
        return Names(self._facts.snapshot, caller.sites, sees_sensitive=caller.sees_sensitive)

    def words(self, text: str) -> str:
        """Words of rules and people as this caller may read them."""
        caller = self._world.caller
        sees_everything = caller.sites is None and caller.sees_sensitive
        return text if sees_everything or not text else self.names.words(text)

    def imbalances(self, arguments: Imbalances) -> dict[str, Any]:
        """Imbalances, the costliest first."""
        meant = self.names.meant(arguments.mentions)
        currency = self._facts.snapshot.currency
        skus = self._facts.snapshot.sku_by_id
        found = [
            imbalance
            for imbalance in imbalances_of(self._facts)
            if self._sees(imbalance.site_id)
            and (not arguments.kinds or imbalance.kind in arguments.kinds)
            and (not meant.skus or imbalance.sku_id in meant.skus)
            and (not meant.sites or imbalance.site_id in meant.sites)
            and (not meant.categories or skus[imbalance.sku_id].category in meant.categories)
        ]
        counts: dict[str, int] = {}
        for imbalance in found:
            counts[imbalance.kind] = counts.get(imbalance.kind, 0) + 1
        return self._dated(
            {
                "counts": dict(sorted(counts.items())),
                "imbalances": [
                    {
                        "kind": imbalance.kind,
                        "sku": self.names.sku(imbalance.sku_id),
                        "site": imbalance.site_id,
                        "units": imbalance.units,
                        "at_stake": money_text(imbalance.severity_minor, currency),
                        "days_of_cover": imbalance.days_of_cover,
                        "stock_out_percent": f"{imbalance.stock_out_ppm / 1e4:.1f}",
                        "until": imbalance.until.isoformat(),
                    }
                    for imbalance in found[: arguments.limit]
                ],
                "not_shown": max(len(found) - arguments.limit, 0),
                "held_back_for_bad_data": sum(self._sees(hold.site_id) for hold in self._facts.snapshot.holds),
            }
        )

    def coverage(self, arguments: Coverage) -> dict[str, Any]:
        """Stock against demand and target, the shortest cover first."""
        meant = self.names.meant(arguments.mentions)
        snapshot, policy = self._facts.snapshot, self._facts.policy
        view = view_of(policy, snapshot)
        rows = []
        for target in targets_of(policy, snapshot):
            key = target.key
            wanted = (not meant.skus or key.sku_id in meant.skus) and (not meant.sites or key.site_id in meant.sites)
            in_category = not meant.categories or snapshot.sku_by_id[key.sku_id].category in meant.categories
            if not (wanted and in_category and self._sees(key.site_id)):
                continue
            free = available_units(snapshot, key)
            cover, out_on = days_of_cover(view, key, free), stock_out_on(snapshot, view, key)
            rows.append(
                {
                    "sku": self.names.sku(key.sku_id),
                    "site": key.site_id,
                    "available_units": free,
                    "projected_units": projected_units(snapshot, key, target.horizon_days),
                    "demand_a_day": f"{view.daily_mean(key):.2f}",
                    "days_of_cover": cover,
                    "runs_out_on": out_on.isoformat() if out_on else None,
                    "stock_out_percent": f"{stock_out_ppm(snapshot, view, key) / 1e4:.1f}",
                    "needs_units": target.need_units,
                    "order_up_to_units": target.order_up_to_units,
                    "days_until_supply": target.horizon_days,
                }
            )
        rows.sort(key=lambda row: (row["days_of_cover"] is None, row["days_of_cover"], row["sku"], row["site"]))
        return self._dated({"rows": rows[: arguments.limit], "not_shown": max(len(rows) - arguments.limit, 0)})

    def what_if(self, arguments: WhatIf) -> dict[str, Any]:
        """The plan as things are beside the plan as they would be."""
        meant, without = self.names.meant(arguments.mentions), self.names.meant(arguments.without)
        base = self._request(Scope(skus=meant.skus, sites=meant.sites, categories=meant.categories), Overlays())
        changes = () if arguments.demand_percent is None else (DemandChange(percent=arguments.demand_percent),)
        level = arguments.service_level_percent
        overlays = Overlays(
            excluded_lanes=self.names.lanes(arguments.closed_lanes),
            excluded_sites=without.sites,
            excluded_skus=without.skus,
            demand_changes=changes,
            supply_delay_days=arguments.supply_delay_days or 0,
            service_level_bp=None if level is None else level * 100,
            transport_budget_minor=self._minor(arguments.transport_budget),
        )
        now, supposed = draft(self._facts, base), self._request(base.scope, overlays)
        then = draft(self._facts, supposed) if now.plan is None else draft_beside(self._facts, supposed, now.plan)
        return self._dated(
            {"as_things_are": self._side(now.plan, now.note), "what_if": self._side(then.plan, then.note)}
        )

    def _side(self, plan: TransferPlan | None, note: str) -> dict[str, Any]:
        if plan is None:
            return {"plan": None, "note": note}
        summary = plan_summary(plan, self.names, note, self.left_behind(plan))
        del summary["plan"]  # a what-if is not kept, so there is nothing to refer to
        summary["top_lines"] = summary["top_lines"][:5]
        return summary

    def left_behind(self, plan: TransferPlan) -> tuple[LeftBehind, ...]:
        """What had to leave one of the caller's sites with a plan and stays, by the facts that the plan was made on."""
        same = (plan.snapshot_digest, plan.policy_digest) == (self._facts.snapshot.digest, self._facts.policy.digest)
        facts = self._facts if same else self._world.facts_of(plan)
        return left_behind(facts.policy, facts.snapshot, plan, self._world.caller.sites)

    def explain_line(self, arguments: ExplainLine) -> dict[str, Any]:
        """A line of the current plan, explained from the facts it was made on."""
        plan = self.current_plan()
        if not plan.lines:
            raise NothingToExplainError("the current plan moves nothing, so there is no line to explain")
        number = arguments.line_no or max(plan.lines, key=lambda line: (line.saving_minor, -line.line_no)).line_no
        if number > len(plan.lines):
            raise NothingToExplainError(f"the current plan has {len(plan.lines)} lines; there is no line {number}")
        facts = self._world.facts_of(plan)
        limits = limits_of(facts.policy, facts.snapshot, plan.request)
        urgency = urgencies(facts.policy, facts.snapshot, plan)[number - 1]
        found = explain_line(facts.snapshot, limits, plan, number, self._world.caller.sites, urgency)
        return self._dated(
            {
                "plan": plan.digest,
                "line_no": number,
                "sku": self.names.sku(found.sku_id),
                "units": found.units,
                "from": found.donor.site_id,
                "to": found.receiver.site_id,
                "words": self.words(found.words),
            }
        )

    def explain_blocked(self, arguments: ExplainBlocked) -> dict[str, Any]:
        """Why a site does not get a SKU, by the current plan if that is about the SKU, else by the best plan for it."""
        meant = self.names.meant(arguments.mentions)
        wish = wish_of(self._facts, self._world.caller.sites, meant, arguments)
        plan = self._plan_about(wish.sku_id)
        facts = self._facts if plan is None else self._world.facts_of(plan)
        found = shortfall_of(facts, self._world.caller.sites, wish, plan)
        return self._dated(
            {
                "site": wish.site_id,
                "sku": self.names.sku(wish.sku_id),
                "wanted_units": wish.units,
                "planned_units": found.planned_units,
                "possible_units": found.blocked.possible_units,
                "words": self.words(found.words),
            }
        )

    def _plan_about(self, sku_id: str) -> TransferPlan | None:
        """The plan of this conversation, if there is one that could have moved the SKU."""
        if self._plan_digest is None:
            return None
        plan, category = self.current_plan(), self._facts.snapshot.sku_by_id[sku_id].category
        scope = plan.request.scope
        about = sku_id in (scope.skus or (sku_id,)) and category in (scope.categories or (category,))
        return plan if about else None

    def current_plan(self) -> TransferPlan:
        """The plan of this conversation. Raises NothingToExplainError while there is none within the caller's sites."""
        if self._plan_digest is None:
            raise NothingToExplainError("there is no plan in this conversation yet; ask for one first")
        plan = self._world.plan(self._plan_digest)
        if not all(self._sees(site_id) for site_id in plan.sites):
            # The caller's sites have changed since the plan was made for them.
            raise NothingToExplainError("the plan of this conversation lies outside your sites; ask for a new one")
        return plan

    def status(self, arguments: Status) -> dict[str, Any]:
        """What waits, and where orders stand."""
        return {"waiting": self._world.queue(arguments.limit), "orders": self._world.orders(arguments.limit)}

    def policy(self, _: PolicyInWords) -> dict[str, Any]:
        """The policy in force, in words."""
        return {
            "policy": brief(self._facts.policy, self._facts.snapshot.currency),
            "rules": rule_sentences(),
            "kill_switch_engaged": self._facts.kill_switch,
        }

    def plan_request(self, arguments: ProposePlan) -> PlanRequest:
        """The plan request that the arguments stand for, within the caller's own sites. Raises UnclearError."""
        meant, without = self.names.meant(arguments.mentions), self.names.meant(arguments.without)
        scope = Scope(
            skus=meant.skus,
            categories=meant.categories,
            sites=meant.sites,
            origins=self.names.sites(arguments.from_sites),
            destinations=self.names.sites(arguments.to_sites),
        )
        overlays = Overlays(
            excluded_lanes=self.names.lanes(arguments.closed_lanes),
            excluded_sites=without.sites,
            excluded_skus=without.skus,
            max_lines=arguments.lines_max,
            max_units=arguments.units_max,
            transport_budget_minor=self._minor(arguments.transport_budget),
            emergency_rescue=arguments.emergency_rescue,
        )
        return self._request(scope, overlays, arguments.within_days)

    def _request(self, scope: Scope, overlays: Overlays, within_days: int | None = None) -> PlanRequest:
        request = PlanRequest(scope=scope, overlays=overlays, within_days=within_days)
        return request.cut_to(self._world.caller.sites)

    def _minor(self, whole: int | None) -> int | None:
        return None if whole is None else whole * E4 // e4_per_minor(self._facts.snapshot.currency)

    def _sees(self, site_id: str) -> bool:
        sites = self._world.caller.sites
        return sites is None or site_id in sites

    def _dated(self, answer: dict[str, Any]) -> dict[str, Any]:
        snapshot = self._facts.snapshot
        return {"as_of": snapshot.as_of.isoformat(), "snapshot": snapshot.digest[:12], **answer}
