"""The strategic horizon for a caller: calculated within their own sites, with SKUs named as far as they may be.

It reads facts and policy and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from app.approvals.freshness import facts_now
from app.auth.roles import Act, Principal
from app.errors import InvalidError
from graphs.names import Names, UnclearError
from policies.limits import demand_classes, leftover_unit_e4, lost_unit_e4, view_of
from policies.rules import Facts
from tools.strategy import Strategy, StrategyRequest, StrategyRules, propose
from tools.targets import DemandClass


@dataclass(frozen=True)
class Mentions:
    """What a person named, in their own words: ids, names, or the aliases of masked SKUs."""

    skus: Sequence[str] = ()
    categories: Sequence[str] = ()
    sites: Sequence[str] = ()


def strategy_now(session: Session, caller: Principal, mentions: Mentions, request: StrategyRequest) -> Strategy:
    """The strategy as of this transaction, for `request` about what is mentioned, within the caller's sites.

    Raises ForbiddenError without the right to read, and InvalidError for a mention that
    stands for nothing the caller knows.
    """
    caller.require(Act.READ)
    facts = facts_now(session)
    names = Names(facts.snapshot, caller.sites, sees_sensitive=caller.sees_sensitive)
    asked = request.model_copy(
        update={
            "skus": _meant(names, mentions.skus, "skus"),
            "categories": _meant(names, mentions.categories, "categories"),
            "sites": _meant(names, mentions.sites, "sites"),
            "within_sites": None if caller.sites is None else tuple(sorted(caller.sites)),
        }
    )
    found = propose(view_of(facts.policy, facts.snapshot), strategy_rules(facts), asked)
    return _named(found, names)


def strategy_rules(facts: Facts) -> StrategyRules:
    """What the policy in force says about costs and levels."""
    policy, skus = facts.policy, facts.snapshot.skus
    return StrategyRules(
        classes=demand_classes(policy, facts.snapshot),
        level_bp={each: policy.service_levels.of(each) for each in DemandClass},
        lost_unit_e4={sku.sku_id: lost_unit_e4(policy, sku) for sku in skus},
        leftover_unit_e4={sku.sku_id: leftover_unit_e4(policy, sku) for sku in skus},
        leftover_days=policy.horizon.default_days,
        review_days=policy.horizon.review_interval_days,
        supply_days=policy.horizon.default_days,
    )


def _meant(names: Names, mentions: Sequence[str], kind: str) -> tuple[str, ...]:
    """Ids of one kind that the mentions stand for."""
    found: set[str] = set()
    one = {"skus": "SKU", "categories": "category", "sites": "site"}[kind]
    for mention in mentions:
        try:
            meant = getattr(names.meant([mention]), kind)
        except UnclearError as unclear:
            raise InvalidError("unclear_name", str(unclear), f"name a {one} of your own", field=kind) from unclear
        if not meant:
            raise InvalidError("unclear_name", f"{mention!r} is no {one}", f"name a {one} of your own", field=kind)
        found.update(meant)
    return tuple(sorted(found))


def _named(strategy: Strategy, names: Names) -> Strategy:
    """The same with SKUs called what they are called for the caller."""
    echelons = strategy.echelons
    placed = tuple(line.model_copy(update={"sku_id": names.sku(line.sku_id)}) for line in echelons.lines)
    return strategy.model_copy(
        update={
            "lines": tuple(line.model_copy(update={"sku_id": names.sku(line.sku_id)}) for line in strategy.lines),
            "echelons": echelons.model_copy(update={"lines": placed}),
        }
    )
