"""What one caller sees of the world: the facts of now, names as they may be told, and the plans that are theirs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from graphs.names import Meant, Names
from graphs.planning import imbalances_of
from graphs.shortfalls import NothingToExplainError
from graphs.world import Caller, World
from policies.rules import Facts
from tools.imbalance import Imbalance
from tools.inventory import SiteSku
from tools.money import E4, e4_per_minor
from tools.transfers import Overlays, PlanRequest, Scope, TransferPlan

PLAN_SHOWN_CHARACTERS = 12


class Seen:
    """The world for the caller of a run, from one thread.

    `plan_digest` is the thread's current plan, and `thread_plans` are the ids of those
    that were made in it, the oldest first.
    """

    def __init__(self, world: World, plan_digest: str | None, thread_plans: tuple[str, ...] = ()) -> None:
        self.world = world
        self.plan_digest = plan_digest
        self._thread_plans = thread_plans

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.world.caller

    @cached_property
    def facts(self) -> Facts:
        """The facts of now."""
        return self.world.facts()

    @cached_property
    def names(self) -> Names:
        """The names that the caller may use and see now."""
        return self._names(self.facts)

    def _names(self, facts: Facts) -> Names:
        now = frozenset(sku.sku_id for sku in self.facts.snapshot.skus if sku.sensitive)
        return Names(facts.snapshot, self.caller.sites, sees_sensitive=self.caller.sees_sensitive, sensitive_now=now)

    @cached_property
    def imbalances(self) -> tuple[Imbalance, ...]:
        """Every imbalance of now at the caller's sites, the costliest first."""
        return tuple(each for each in imbalances_of(self.facts) if self.sees(each.site_id))

    def sees(self, site_id: str) -> bool:
        """Whether the site is the caller's."""
        return self.caller.sites is None or site_id in self.caller.sites

    def words(self, text: str, names: Names | None = None) -> str:
        """Words of rules and people as the caller may read them; `names` are those of the facts they are about."""
        sees_everything = self.caller.sites is None and self.caller.sees_sensitive
        return text if sees_everything or not text else (names or self.names).words(text)

    def covers(self, meant: Meant, key: SiteSku) -> bool:
        """Whether a site-SKU is the caller's and among what is meant; nothing named means everything."""
        return (
            self.sees(key.site_id)
            and (not meant.skus or key.sku_id in meant.skus)
            and (not meant.sites or key.site_id in meant.sites)
            and (not meant.categories or self.facts.snapshot.sku_by_id[key.sku_id].category in meant.categories)
        )

    def keys_of(self, meant: Meant) -> list[SiteSku]:
        """The caller's site-SKUs with stock or a forecast among what is meant, by site and SKU."""
        snapshot = self.facts.snapshot
        known = snapshot.position_by_key.keys() | snapshot.forecast_by_key.keys()
        return sorted(key for key in known if self.covers(meant, key))

    def minor(self, whole: int | None) -> int | None:
        """Whole currency units in minor units."""
        return None if whole is None else whole * E4 // e4_per_minor(self.facts.snapshot.currency)

    def request(self, scope: Scope, overlays: Overlays, within_days: int | None = None) -> PlanRequest:
        """A plan request within the caller's own sites."""
        return PlanRequest(scope=scope, overlays=overlays, within_days=within_days).cut_to(self.caller.sites)

    def dated(self, answer: dict[str, Any]) -> dict[str, Any]:
        """An answer with the instant of the facts it rests on."""
        snapshot = self.facts.snapshot
        return {"as_of": snapshot.as_of.isoformat(), "snapshot": snapshot.digest[:12], **answer}

    def current_plan(self) -> TransferPlan:
        """The plan of this conversation. Raises NothingToExplainError while there is none within the caller's sites."""
        if self.plan_digest is None:
            raise NothingToExplainError("there is no plan in this conversation yet; ask for one first")
        plan = self.world.plan(self.plan_digest)
        if not self._covers(plan.sites):
            # The caller's sites have changed since the plan was made for them.
            raise NothingToExplainError("the plan of this conversation lies outside your sites; ask for a new one")
        return plan

    def plan_named(self, start: str | None) -> TransferPlan:
        """The plan whose id begins so, or the current one. Raises NothingToExplainError where there is none, or several."""
        if start is None or (self.plan_digest or "").startswith(start):
            return self.current_plan()
        return self._one_plan(start)

    def plan_before(self, plan: TransferPlan) -> TransferPlan:
        """The plan made last in this thread before the current one, other than `plan`. Raises NothingToExplainError."""
        earlier = [digest for digest in self._thread_plans if digest != plan.digest]
        if not earlier:
            raise NothingToExplainError("there is no other plan in this conversation; name one by the start of its id")
        return self._one_plan(earlier[-1])

    def _one_plan(self, start: str) -> TransferPlan:
        found = self.world.plans_named(start)
        shown = start[:PLAN_SHOWN_CHARACTERS]
        if not found:
            raise NothingToExplainError(f"there is no plan {shown} within your sites; check its id")
        if len(found) > 1:
            raise NothingToExplainError(f"the ids of several plans begin with {shown}; write more of it")
        return found[0]

    def _covers(self, sites: Iterable[str]) -> bool:
        return all(self.sees(site_id) for site_id in sites)

    def facts_of(self, plan: TransferPlan) -> Facts:
        """The facts and the policy that a plan was made on."""
        same = (plan.snapshot_digest, plan.policy_digest) == (self.facts.snapshot.digest, self.facts.policy.digest)
        return self.facts if same else self.world.facts_of(plan)

    def names_of(self, plan: TransferPlan) -> Names:
        """The names of a plan: what was sensitive then or is now stays masked."""
        facts = self.facts_of(plan)
        return self.names if facts is self.facts else self._names(facts)
