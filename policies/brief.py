"""The policy in words: what people read, and what the llm is told. Every number is rendered from the document."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from policies.approval_words import approvals_in_words
from policies.rules import RULES
from policies.schema import (
    DataQuality,
    ImbalanceThresholds,
    LaneRules,
    Merchandise,
    Negotiation,
    Policy,
    StaleStock,
    Tier,
)
from tools.counted import counted
from tools.money import money_text


def brief(policy: Policy, currency: str) -> str:
    """The document as short sentences, one subject a line. Every number and every choice of the document is in it."""
    return "\n".join((
        f"Policy {policy.label}: {policy.summary}",
        *_economics(policy, currency),
        *_lanes(policy.lanes),
        *_sizes(policy, currency),
        *_imbalances(policy.imbalance),
        *_data_quality(policy.data_quality),
        *_merchandise(policy.merchandise),
        *(_tier(tier, currency) for tier in policy.tiers),
        *approvals_in_words(policy.approvals, currency),
        *_negotiation(policy.negotiation),
    ))  # fmt: skip


def rule_sentences() -> dict[str, str]:
    """Every rule's name and the sentence that says what it demands."""
    return {rule.__name__: (rule.__doc__ or "").strip() for rule in RULES}


def _economics(policy: Policy, currency: str) -> Iterator[str]:
    costs, levels, keeps, horizon = policy.economics, policy.service_levels, policy.source_protection, policy.horizon
    yield (
        f"A lost sale costs {_percent(costs.lost_sale_margin_bp)} of the margin and at least"
        f" {_percent(costs.lost_sale_price_floor_bp)} of the price; a unit left over costs"
        f" {_percent(costs.leftover_cost_bp)} of its cost, with a shelf life of up to"
        f" {counted(costs.perishable_shelf_life_days, 'day')} {_percent(costs.perishable_leftover_cost_bp)}; a transfer line costs"
        f" {money_text(costs.line_charge_minor, currency)}."
    )
    yield (
        f"Service levels: A {_percent(levels.A)}, B {_percent(levels.B)}, C {_percent(levels.C)}; A SKUs make up the"
        f" first {_percent(levels.a_share_bp)} of the value of demand, A and B together {_percent(levels.b_share_bp)}."
    )
    yield (
        f"Donors keep their own demand until regular supply at A {_percent(keeps.A)}, B {_percent(keeps.B)},"
        f" C {_percent(keeps.C)}."
    )
    yield (
        f"Decisions come every {counted(horizon.review_interval_days, 'day')}, an approval takes"
        f" {counted(horizon.approval_latency_days, 'day')}; where regular supply is not known, it is taken to come in"
        f" {counted(horizon.default_days, 'day')}."
    )
    if policy.departures is not None:
        most = counted(policy.departures.per_lane_max, "departure")
        yield f"Of a lane that can be full a plan uses the next {most} at most."


def _lanes(lanes: LaneRules) -> Iterator[str]:
    pairs = ", ".join(f"from {pair.origin} to {pair.destination}" for pair in lanes.cross_entity_pairs)
    yield {
        "forbidden": "Stock never passes between legal entities.",
        "allowed": "Stock may pass between legal entities.",
        "listed": f"Stock passes between legal entities only {pairs or 'where a pair is listed, and none is'}.",
    }[lanes.cross_entity]
    forbidden = ", ".join(
        f"{ref.origin}→{ref.destination}{f' by {ref.mode}' if ref.mode else ''}" for ref in lanes.forbidden
    )
    yield f"Forbidden lanes: {forbidden or 'none'}."
    yield (
        f"Chilled goods travel by {_or(lanes.chilled_modes)}, frozen goods by {_or(lanes.frozen_modes)},"
        f" hazardous goods by {_or(lanes.hazmat_modes)}."
    )


def _sizes(policy: Policy, currency: str) -> Iterator[str]:
    size = policy.size
    yield f"A SKU that moved does not move back within {counted(policy.cool_down.days, 'day')}."
    yield (
        f"A line must save {money_text(policy.benefit.line_min_minor, currency)}, a departure"
        f" {money_text(policy.benefit.lane_min_minor, currency)}, after cost."
    )
    yield (
        f"At most {size.line_units_max:,} units a line; {size.plan_units_max:,} units, {size.plan_lines_max:,} lines and"
        f" {money_text(size.plan_goods_value_max_minor, currency)} of goods a plan."
    )


def _imbalances(when: ImbalanceThresholds) -> Iterator[str]:
    yield (
        f"An imbalance is: a shortage that is expected to lose {_units(when.shortage_lost_units_e6_min)} units or more; a"
        f" surplus of {_count(when.surplus_units_min)} or more; {_count(when.expiring_units_min)} or more that expire"
        f" before they sell, at the {_percent(when.expiry_sales_bp)} quantile of demand; stock of which at most"
        f" {_units(when.stranded_demand_e6_max)} units are wanted in {counted(when.stranded_days, 'day')}."
    )


def _data_quality(quality: DataQuality) -> Iterator[str]:
    stale = {
        StaleStock.BLOCK: "older ones stop a plan",
        StaleStock.WARN: "older ones are warned about",
    }[quality.stale_stock]
    yield (
        f"Stock figures may be {quality.stale_after_hours:,} hours old; {stale}. More than"
        f" {_percent(quality.held_share_max_bp)} of bad data stops a plan."
    )
    yield (
        f"Stale data is {quality.stale_verdict}, missing data is {quality.missing_verdict}. Data is doubtful when it is"
        f" more than {quality.future_minutes_max:,} minutes in the future; when stock jumps by more than"
        f" {quality.jump_sds:,} standard deviations of demand and {quality.jump_units_min:,} units; when it would last"
        f" {counted(quality.impossible_days, 'day')} and is {quality.impossible_units_min:,} units or more; when a forecast changes more"
        f" than {quality.forecast_factor_max:,} times and {_units(quality.forecast_daily_e6_min)} units a day; when supply"
        f" is more than {counted(quality.overdue_days_max, 'day')} overdue; when a lead time changes by more than"
        f" {counted(quality.lead_time_change_days_max, 'day')}."
    )


def _tier(tier: Tier, currency: str) -> str:
    return (
        f"Approval tier {tier.name}: up to {money_text(tier.goods_value_max_minor, currency)} and {tier.units_max:,}"
        f" units, {'also' if tier.cross_entity else 'not'} between legal entities; {tier.approvals}"
        f" approval; expires after {tier.expires_hours:,} hours."
    )


def _negotiation(negotiation: Negotiation) -> Iterator[str]:
    first = f", first {', '.join(negotiation.priority_sites)}" if negotiation.priority_sites else ""
    yield (
        f"Competing claims are settled by {negotiation.mechanism}{first}, in at most {negotiation.rounds_max} rounds."
    )
    rules = ", ".join(rule.replace("_", " ") for rule in negotiation.negotiable_rules)
    yield f"Rules whose price is worked out: {rules or 'none'}."


def _merchandise(section: Merchandise | None) -> Iterator[str]:
    """Nothing where the document says nothing."""
    if section is None:
        return
    yield (
        f"Sets are {'kept and delivered whole' if section.whole_sets else 'not looked at'}; a display that has a price"
        f" {'counts' if section.soft_displays else 'does not count'}; a planned markdown"
        f" {'is' if section.markdowns else 'is not'} weighed against a transfer; a shortage costs"
        f" {'less where a substitute is left' if section.substitution else 'the same whether or not a substitute is left'}."
    )
    yield (
        f"Lots arrive with {counted(section.least_life_days, 'day')} and {_percent(section.least_life_share_bp)} of the shelf life"
        f" left at least. An end of life counts from {counted(section.end_of_life_days, 'day')} before its date on. A line to a site"
        f" that runs out with {_percent(section.rescue_stock_out_bp)} or more is a rescue."
    )
    if section.emergency is None:
        yield "Emergency rescues are not provided for."
    else:
        yield (
            f"In an emergency rescue donors keep their own demand at {_percent(section.emergency.keep_level_bp)}, and only"
            f" sites that run out with {_percent(section.emergency.stock_out_bp)} or more are served."
        )


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:g} %"


def _units(millionths: int) -> str:
    return f"{Decimal(millionths).scaleb(-6):,f}".rstrip("0").rstrip(".")


def _count(units: int) -> str:
    return counted(units, "unit")


def _or(modes: tuple[str, ...]) -> str:
    return " or ".join(modes) or "no mode"
