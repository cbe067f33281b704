"""The policy in words: what people read, and what the llm is told. Every number is rendered from the document."""

from __future__ import annotations

from policies.rules import RULES
from policies.schema import Policy
from tools.money import money_text


def brief(policy: Policy, currency: str) -> str:
    """The document as short sentences, one subject a line."""
    levels, keeps, horizon, size = policy.service_levels, policy.source_protection, policy.horizon, policy.size
    lanes, quality = policy.lanes, policy.data_quality
    entities = {
        "forbidden": "Stock never passes between legal entities.",
        "allowed": "Stock may pass between legal entities.",
        "listed": "Stock passes between legal entities only "
        + ", ".join(f"from {pair.origin} to {pair.destination}" for pair in lanes.cross_entity_pairs)
        + ".",
    }[lanes.cross_entity]
    tiers = "; ".join(
        f"{tier.name}: up to {money_text(tier.goods_value_max_minor, currency)} and {tier.units_max:,} units,"
        f" {tier.approvals} approval{'s' if tier.approvals > 1 else ''}, expires after {tier.expires_hours} hours"
        for tier in policy.tiers
    )
    return "\n".join((
        f"Policy {policy.label}: {policy.summary}",
        f"Service levels: A {_percent(levels.A)}, B {_percent(levels.B)}, C {_percent(levels.C)}.",
        (f"Donors keep their own demand until regular supply at A {_percent(keeps.A)}, B {_percent(keeps.B)},"
        f" C {_percent(keeps.C)}."),
        entities,
        f"Forbidden lanes: {', '.join(f'{ref.origin}→{ref.destination}' for ref in lanes.forbidden) or 'none'}.",
        (f"Chilled goods travel by {_or(lanes.chilled_modes)}, frozen goods by {_or(lanes.frozen_modes)},"
        f" hazardous goods by {_or(lanes.hazmat_modes)}."),
        f"A SKU that moved does not move back within {policy.cool_down.days} days.",
        (f"A line must save {money_text(policy.benefit.line_min_minor, currency)}, a departure"
        f" {money_text(policy.benefit.lane_min_minor, currency)}, after cost."),
        (f"At most {size.line_units_max:,} units a line; {size.plan_units_max:,} units, {size.plan_lines_max:,} lines and"
        f" {money_text(size.plan_goods_value_max_minor, currency)} of goods a plan."),
        f"Decisions come every {horizon.review_interval_days} days, an approval takes {horizon.approval_latency_days}.",
        (f"Stock figures may be {quality.stale_after_hours} hours old; more than"
        f" {_percent(quality.held_share_max_bp)} of bad data stops a plan."),
        f"Approval tiers: {tiers}.",
        (f"Competing claims are settled by {policy.negotiation.mechanism}, in at most"
        f" {policy.negotiation.rounds_max} rounds."),
    ))  # fmt: skip


def rule_sentences() -> dict[str, str]:
    """Every rule's name and the sentence that says what it demands."""
    return {rule.__name__: (rule.__doc__ or "").strip() for rule in RULES}


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:g} %"


def _or(modes: tuple[str, ...]) -> str:
    return " or ".join(modes) or "no mode"
