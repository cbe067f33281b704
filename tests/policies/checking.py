"""A plan and the facts it is checked against: written by hand, or made by the planner with a rule lifted."""

from __future__ import annotations

from typing import Any

from policies.limits import limits_of
from policies.rules import Facts
from policies.schema import Policy
from tests.builders import (
    NOW,
    a_forecast,
    a_needy_network,
    a_plan,
    a_policy,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
)
from tools.inventory import Snapshot
from tools.planning import Move, Solution, evaluate, make_plan
from tools.transfers import FillRate, PlanRequest, SolveStatus, TransferLine, TransferPlan
from tools.whatif import assumed

REQUEST = PlanRequest()


def facts_of(snapshot: Snapshot | None = None, policy: Policy | None = None, **fields: Any) -> Facts:
    """The needy network under the first release, now."""
    return Facts(**{"snapshot": snapshot or a_needy_network(), "policy": policy or a_policy(), "now": NOW} | fields)


def plan_on(facts: Facts, *lines: TransferLine, **fields: Any) -> TransferPlan:
    """The plan that `a_plan` writes by hand, made on these facts."""
    return a_plan(*lines, snapshot=facts.snapshot, policy=facts.policy, **fields)


def planned(
    facts: Facts, *moves: Move, request: PlanRequest = REQUEST, lifted: frozenset[str] = frozenset()
) -> TransferPlan:
    """The plan of these moves with the figures that the planner gives them, whatever the rules lifted say."""
    limits = limits_of(facts.policy, facts.snapshot, request, lifted)
    objective = evaluate(assumed(facts.snapshot, request.overlays), limits, request, moves).objective
    return make_plan(
        facts.snapshot, limits, request, Solution(SolveStatus.OPTIMAL, tuple(moves), objective, objective, "exact")
    )


def a_needy_pair(**fields: Any) -> Snapshot:
    """The needy network with a second SKU, P2, that is like P1 in everything."""
    keys = [(site_id, sku_id) for site_id in ("S1", "S2") for sku_id in ("P1", "P2")]
    defaults: dict[str, Any] = {
        "skus": (a_sku("P1"), a_sku("P2")),
        "positions": [a_position(*key, on_hand_units=100 if key[0] == "S1" else 0) for key in keys],
        "forecasts": [a_forecast(*key, daily_units=0 if key[0] == "S1" else 100) for key in keys],
        "replenishments": [a_replenishment(*key) for key in keys],
    }
    return a_needy_network(**defaults | fields)


def two_stores_in_need(**fields: Any) -> Snapshot:
    """The needy network with a second store like S2, S3; lanes are to be given."""
    sites = ("S1", "S2", "S3")
    defaults: dict[str, Any] = {
        "sites": [a_site(site_id) for site_id in sites],
        "positions": [a_position(site_id, on_hand_units=100 if site_id == "S1" else 0) for site_id in sites],
        "forecasts": [a_forecast(site_id, daily_units=0 if site_id == "S1" else 100) for site_id in sites],
        "replenishments": [a_replenishment(site_id) for site_id in sites],
    }
    return a_needy_network(**defaults | fields)


def served(units: int, wanted: int) -> FillRate:
    """So many of the units wanted are served with the plan, and none without it."""
    return FillRate(before_ppm=0, after_ppm=round(units / wanted * 1e6))
