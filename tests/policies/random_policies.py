"""Random facts under random policies: every kind of rule has something to forbid, and something left to permit.

The network and the request are those of the planning tests, with legal entities,
temperatures, hazardous goods, holds and recent moves added to them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator

from policies.limits import limits_of
from policies.rules import Facts
from policies.schema import Policy
from tests.builders import NOW, a_hold, a_policy, a_recent_move
from tests.tools.planning.random_networks import random_case
from tools.inventory import Snapshot, Temperature
from tools.money import e4_per_minor
from tools.planning import make_plan, solve
from tools.transfers import PlanRequest, TransferPlan

MODES = ("van", "truck")
ENTITIES = ("EAST", "WEST")


def random_facts(seed: int) -> tuple[Facts, PlanRequest]:
    """A small network and the policy in force, with a request."""
    rng = np.random.default_rng([seed, 1])
    case = random_case(seed)
    snapshot = _governed(rng, case.snapshot)
    overlays = case.request.overlays
    if rng.random() < 0.1:
        overlays = overlays.model_copy(update={"service_level_bp": int(rng.integers(5_000, 9_999))})
    return Facts(snapshot, _policy(rng, snapshot), NOW), case.request.model_copy(update={"overlays": overlays})


def solved(facts: Facts, request: PlanRequest) -> TransferPlan:
    """The solver's plan for a request under the policy in force."""
    limits = limits_of(facts.policy, facts.snapshot, request)
    return make_plan(facts.snapshot, limits, request, solve(facts.snapshot, limits, request))


def _governed(rng: Generator, snapshot: Snapshot) -> Snapshot:
    def sometimes(chance: float) -> bool:
        return bool(rng.random() < chance)

    keys = [position.key for position in snapshot.positions]
    return replace(
        snapshot,
        currency=str(rng.choice(["USD", "JPY", "KWD"])),
        sites=tuple(replace(site, legal_entity=str(rng.choice(ENTITIES))) for site in snapshot.sites),
        skus=tuple(
            replace(
                sku,
                category=str(rng.choice(["food", "tools"])),
                shelf_life_days=int(rng.integers(10, 50)) if sometimes(0.3) else None,
                temperature=Temperature.CHILLED if sometimes(0.1) else Temperature.AMBIENT,
                hazmat=sometimes(0.1),
            )
            for sku in snapshot.skus
        ),
        lanes=tuple(replace(lane, allowed_categories=("food",)) if sometimes(0.1) else lane for lane in snapshot.lanes),
        holds=tuple(a_hold(*key) for key in keys if sometimes(0.05)),
        recent_moves=tuple(
            a_recent_move(*key, sent=sometimes(0.5), days_ago=int(rng.integers(1, 12)))
            for key in keys
            if sometimes(0.1)
        ),
    )


def _policy(rng: Generator, snapshot: Snapshot) -> Policy:
    def between(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    def modes() -> list[str]:
        return [mode for mode in MODES if rng.random() < 0.8]

    cents = 100 / e4_per_minor(snapshot.currency)
    goods_value, units = round(between(500, 9_000) * cents), between(3, 80)
    levels = {name: between(5_000, 7_500) for name in "ABC"}
    lanes: dict[str, Any] = {
        "forbidden": [
            {"origin": lane.origin, "destination": lane.destination, "mode": lane.mode if rng.random() < 0.5 else None}
            for lane in snapshot.lanes
            if rng.random() < 0.05
        ],
        "cross_entity": str(rng.choice(["forbidden", "listed", "allowed", "allowed", "allowed"])),
        "cross_entity_pairs": [{"origin": "EAST", "destination": "WEST"}],
        "chilled_modes": modes(),
        "hazmat_modes": modes(),
    }
    return a_policy(
        economics={
            "lost_sale_margin_bp": between(8_000, 20_000),
            "leftover_cost_bp": between(0, 500),
            "line_charge_minor": round(between(0, 60) * cents),
        },
        source_protection=levels,
        lanes=lanes,
        cool_down={"days": between(0, 10)},
        benefit={
            # Without any hurdle a plan may save less than half a minor unit: nothing that could be said to pay.
            "line_min_minor": max(round(between(0, 90) * cents) if rng.random() < 0.5 else 0, 1),
            "lane_min_minor": round(between(0, 200) * cents) if rng.random() < 0.5 else 0,
        },
        size={
            "line_units_max": between(3, 40),
            "plan_units_max": units,
            "plan_lines_max": between(1, 6),
            "plan_goods_value_max_minor": goods_value,
        },
        horizon={"review_interval_days": between(2, 7), "approval_latency_days": between(0, 1)},
        data_quality={"held_share_max_bp": 10_000},
        tiers=[
            _tier("small", goods_value // 3, units // 3 + 1, cross_entity=False),
            _tier("large", goods_value, units, cross_entity=True),
        ],
    )


def _tier(name: str, goods_value_minor: int, units: int, *, cross_entity: bool) -> dict[str, Any]:
    most = {"goods_value_max_minor": goods_value_minor, "units_max": units, "cross_entity": cross_entity}
    return {"name": name, "approvals": 1, "expires_hours": 24} | most
