"""Approval tiers: whose signatures a plan of this kind needs, whether it may go without any, and for how long it waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from policies.approvals import Automatic, SkuClass, When
from policies.limits import crosses_entities, demand_classes
from policies.schema import Policy, Tier
from policies.signatures import Demand
from tools.inventory import LaneKey, SiteKind, SiteSku, Snapshot, Temperature
from tools.transfers import TransferPlan


def tier_of(policy: Policy, plan: TransferPlan, snapshot: Snapshot) -> Tier | None:
    """The first tier that admits the plan; None means that nobody may approve it.

    Value and units count for the plan as a whole, so that splitting lines changes nothing.
    """
    lanes = {line.lane for line in plan.lines}
    crosses = any(key in snapshot.lane_by_key and crosses_entities(snapshot, key) for key in lanes)
    for tier in policy.tiers:
        fits = plan.goods_value_minor <= tier.goods_value_max_minor and plan.units <= tier.units_max
        if fits and (tier.cross_entity or not crosses):
            return tier
    return None


@dataclass(frozen=True, slots=True)
class Traits:
    """What the rules of approval look at in a plan. What is not known of a site or SKU makes a plan no easier."""

    goods_value_minor: int
    units: int
    modes: frozenset[str]
    site_kinds: frozenset[SiteKind]
    legal_entities: frozenset[str]
    sku_classes: frozenset[SkuClass]
    cross_entity: bool
    novel: bool
    count_hours: int
    held_share_bp: int


def traits_of(
    policy: Policy, plan: TransferPlan, snapshot: Snapshot, used: frozenset[tuple[LaneKey, str]], now: datetime
) -> Traits:
    """The traits of a plan on these facts. `used` are the lanes and SKUs that transfers have moved before."""
    lanes = {line.lane for line in plan.lines}
    sites = [snapshot.site_by_id[site_id] for site_id in plan.sites if site_id in snapshot.site_by_id]
    ends = {SiteSku(site_id, line.sku_id) for line in plan.lines for site_id in (line.origin, line.destination)}
    counted = [snapshot.position_by_key[key].as_of for key in ends if key in snapshot.position_by_key]
    age = max((now - as_of).total_seconds() for as_of in counted) if counted else 0.0
    return Traits(
        goods_value_minor=plan.goods_value_minor,
        units=plan.units,
        modes=frozenset(lane.mode for lane in lanes),
        site_kinds=frozenset(site.kind for site in sites),
        legal_entities=frozenset(site.legal_entity for site in sites),
        sku_classes=frozenset(_sku_classes(policy, plan, snapshot)),
        cross_entity=any(key in snapshot.lane_by_key and crosses_entities(snapshot, key) for key in lanes),
        novel=any((line.lane, line.sku_id) not in used for line in plan.lines),
        count_hours=-int(-age // 3600),
        held_share_bp=len(snapshot.hold_by_key) * 10_000 // max(len(snapshot.positions), 1),
    )


_TEMPERATURES = {Temperature.CHILLED: SkuClass.CHILLED, Temperature.FROZEN: SkuClass.FROZEN}


def _sku_classes(policy: Policy, plan: TransferPlan, snapshot: Snapshot) -> Iterator[SkuClass]:
    demand = demand_classes(policy, snapshot)
    for sku_id in {line.sku_id for line in plan.lines}:
        if sku_id in demand:
            yield SkuClass(demand[sku_id].value)
        sku = snapshot.sku_by_id.get(sku_id)
        if sku is None or sku.sensitive:
            yield SkuClass.SENSITIVE
        if sku is not None and sku.hazmat:
            yield SkuClass.HAZMAT
        if sku is not None and sku.temperature in _TEMPERATURES:
            yield _TEMPERATURES[sku.temperature]


def demands_of(policy: Policy, tier: Tier, traits: Traits) -> tuple[Demand, ...]:
    """What the tier and every signing rule that is about such a plan ask for."""
    rules = policy.approvals.signing if policy.approvals else ()
    return (
        Demand(name=tier.name, approvals=tier.approvals),
        *(
            Demand(name=rule.name, approvals=rule.approvals, both_ends=rule.both_ends, panel=rule.panel)
            for rule in rules
            if _is_about(rule.when, traits)
        ),
    )


def reasons_to_ask(policy: Policy, traits: Traits) -> tuple[str, ...]:
    """Why a person has to be asked, in sentences; empty where policy releases such a plan by itself."""
    automatic = policy.approvals.automatic if policy.approvals else None
    if policy.approvals is None or automatic is None:
        return ("The policy in force releases nothing by itself.",)
    asked = [
        f"The rule {rule.name} asks for people." for rule in policy.approvals.signing if _is_about(rule.when, traits)
    ]
    return (*asked, *_beyond(automatic, traits))


def _beyond(automatic: Automatic, traits: Traits) -> Iterator[str]:
    if SkuClass.SENSITIVE in traits.sku_classes:
        yield "Sensitive SKUs never move without a person."
    if traits.goods_value_minor > automatic.goods_value_max_minor:
        yield f"Its goods are worth more than {automatic.goods_value_max_minor:,} minor units."
    if traits.units > automatic.units_max:
        yield f"It moves more than {automatic.units_max:,} units."
    if not traits.modes <= set(automatic.modes):
        yield f"It travels by {', '.join(sorted(traits.modes - set(automatic.modes)))}."
    if not traits.sku_classes <= {*automatic.sku_classes, SkuClass.SENSITIVE}:
        others = traits.sku_classes - set(automatic.sku_classes) - {SkuClass.SENSITIVE}
        yield f"It moves SKUs of class {', '.join(sorted(others))}."
    if traits.cross_entity and not automatic.cross_entity:
        yield "It passes between legal entities."
    if traits.novel and not automatic.novel:
        yield "A SKU has never travelled on its lane before."
    if traits.count_hours > automatic.count_hours_max:
        yield f"A count is {traits.count_hours:,} hours old."


def _is_about(when: When, traits: Traits) -> bool:
    value, units = when.goods_value_above_minor, when.units_above
    hours, held_bp = when.count_older_than_hours, when.held_share_above_bp
    return all((
        value is None or traits.goods_value_minor > value,
        units is None or traits.units > units,
        not when.modes or not traits.modes.isdisjoint(when.modes),
        not when.site_kinds or not traits.site_kinds.isdisjoint(when.site_kinds),
        not when.legal_entities or not traits.legal_entities.isdisjoint(when.legal_entities),
        not when.sku_classes or not traits.sku_classes.isdisjoint(when.sku_classes),
        not when.cross_entity or traits.cross_entity,
        not when.novel or traits.novel,
        hours is None or traits.count_hours > hours,
        held_bp is None or traits.held_share_bp > held_bp,
    ))  # fmt: skip
