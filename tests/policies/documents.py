"""Policy documents with one value changed, and where every number of a document may lie."""

from __future__ import annotations

import json
from typing import Any

from policies.library import released
from policies.schema import Policy

NUMBERS: dict[str, tuple[int, int]] = {
    "economics.lost_sale_margin_bp": (0, 100_000),
    "economics.lost_sale_price_floor_bp": (0, 10_000),
    "economics.leftover_cost_bp": (0, 10_000),
    "economics.perishable_leftover_cost_bp": (0, 10_000),
    "economics.perishable_shelf_life_days": (0, 365),
    "economics.line_charge_minor": (0, 10**15),
    "service_levels.A": (5_000, 9_999),
    "service_levels.B": (5_000, 9_999),
    "service_levels.C": (5_000, 9_999),
    "service_levels.a_share_bp": (0, 10_000),
    "service_levels.b_share_bp": (0, 10_000),
    "source_protection.A": (5_000, 9_999),
    "source_protection.B": (5_000, 9_999),
    "source_protection.C": (5_000, 9_999),
    "cool_down.days": (0, 90),
    "benefit.line_min_minor": (0, 10**15),
    "benefit.lane_min_minor": (0, 10**15),
    "size.line_units_max": (1, 10**9),
    "size.plan_units_max": (1, 10**9),
    "size.plan_lines_max": (1, 10**9),
    "size.plan_goods_value_max_minor": (0, 10**15),
    "horizon.review_interval_days": (1, 90),
    "horizon.approval_latency_days": (0, 365),
    "horizon.default_days": (1, 365),
    "departures.per_lane_max": (1, 14),
    "imbalance.shortage_lost_units_e6_min": (0, 10**15),
    "imbalance.surplus_units_min": (1, 10**9),
    "imbalance.expiring_units_min": (1, 10**9),
    "imbalance.expiry_sales_bp": (1, 9_999),
    "imbalance.stranded_days": (1, 365),
    "imbalance.stranded_demand_e6_max": (0, 10**15),
    "data_quality.stale_after_hours": (1, 100_000),
    "data_quality.held_share_max_bp": (0, 10_000),
    "data_quality.future_minutes_max": (0, 1_440),
    "data_quality.jump_sds": (1, 100),
    "data_quality.jump_units_min": (1, 10**9),
    "data_quality.impossible_days": (30, 36_500),
    "data_quality.impossible_units_min": (1, 10**9),
    "data_quality.forecast_factor_max": (2, 1_000),
    "data_quality.forecast_daily_e6_min": (0, 10**15),
    "data_quality.overdue_days_max": (0, 365),
    "data_quality.lead_time_change_days_max": (0, 365),
    "tiers.0.goods_value_max_minor": (0, 10**15),
    "tiers.0.units_max": (1, 10**9),
    "tiers.0.approvals": (1, 1),
    "tiers.0.expires_hours": (1, 720),
    "negotiation.rounds_max": (1, 3),
    "merchandise.end_of_life_days": (0, 365),
    "merchandise.least_life_days": (0, 365),
    "merchandise.least_life_share_bp": (0, 10_000),
    "merchandise.rescue_stock_out_bp": (1, 10_000),
    "merchandise.emergency.keep_level_bp": (1, 9_999),
    "merchandise.emergency.stock_out_bp": (1, 10_000),
}
"""Every number that a document holds, by its place, with the least and the most it may be."""


def a_document(**values: Any) -> dict[str, Any]:
    """The first release as plain values, with the third's section on merchandise and its departures, one tier, and no
    number that holds another one back.

    Values are replaced by their place, with `__` between its parts.
    """
    document: dict[str, Any] = released("2026-01").model_dump(mode="json")
    document["tiers"] = document["tiers"][:1]
    document["merchandise"] = released("2026-11").model_dump(mode="json")["merchandise"]
    document["departures"] = {"per_lane_max": 3}
    document["service_levels"] |= {"a_share_bp": 0, "b_share_bp": 10_000}
    for place, value in values.items():
        put(document, place.replace("__", "."), value)
    return document


def put(document: dict[str, Any], place: str, value: Any) -> None:
    """Replace what stands at `place`, such as `size.line_units_max` or `tiers.0.approvals`."""
    section, key = _at(document, place)
    section[key] = value


def without(document: dict[str, Any], place: str) -> dict[str, Any]:
    """The document without what stands at `place`."""
    section, key = _at(document, place)
    del section[key]
    return document


def _at(document: dict[str, Any], place: str) -> tuple[Any, str | int]:
    section: Any = document
    *keys, last = (int(part) if part.isdecimal() else part for part in place.split("."))
    for key in keys:
        section = section[key]
    return section, last


def policy_of(document: dict[str, Any]) -> Policy:
    """The policy that a document describes. Raises pydantic.ValidationError."""
    return Policy.model_validate_json(json.dumps(document))


def policy_with(place: str, value: Any) -> Policy:
    """The document of `a_document` with one value replaced."""
    document = a_document()
    put(document, place, value)
    return policy_of(document)


def numbers_in(document: Any, place: str = "") -> dict[str, int]:
    """Every number of a document, by its place."""
    if isinstance(document, int) and not isinstance(document, bool):
        return {place: document}
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return {
        where: number
        for key, value in inner
        for where, number in numbers_in(value, f"{place}.{key}" if place else str(key)).items()
    }
