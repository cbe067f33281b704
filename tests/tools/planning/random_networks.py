"""Small random networks in which every kind of constraint occurs, and the best plan found by trying everything.

The search prices each combination of moves with the independent evaluator and keeps
what breaks no constraint. It knows nothing of pruning, segments or solvers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import permutations

import numpy as np
from numpy.random import Generator

from tests.builders import (
    a_forecast,
    a_lane,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
    a_snapshot,
    a_supply,
    limits_for,
)
from tools.inventory import Lane, SiteSku, Snapshot, SupplyKind
from tools.planning import Limits, Move, evaluate
from tools.planning.calendar import NEXT, offered_departures
from tools.transfers import DemandChange, LaneRef, LineRef, Overlays, PlanRequest, Scope, UnitCap
from tools.whatif import assumed

COMBINATIONS_MAX = 2_000


@dataclass(frozen=True)
class Case:
    """A question for the solver."""

    snapshot: Snapshot
    limits: Limits
    request: PlanRequest


def random_case(seed: int) -> Case:
    """A network of two or three sites and one or two SKUs, with limits and a request."""
    rng = np.random.default_rng(seed)
    snapshot = _snapshot(rng)
    return Case(snapshot, _limits(rng, snapshot), _request(rng, snapshot))


def _sometimes(rng: Generator, chance: float) -> bool:
    return bool(rng.random() < chance)


def _between(rng: Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def _snapshot(rng: Generator) -> Snapshot:
    sites = tuple(
        a_site(
            f"S{number}",
            inbound_units_per_day=_between(rng, 0, 14) if _sometimes(rng, 0.2) else None,
            outbound_units_per_day=_between(rng, 0, 10) if _sometimes(rng, 0.2) else None,
            storage_capacity_microlitres=_between(rng, 8, 40) * 1_000_000 if _sometimes(rng, 0.2) else None,
        )
        for number in range(_between(rng, 2, 4))
    )
    skus = tuple(
        a_sku(
            f"P{number}",
            pack_size=_between(rng, 1, 3),
            min_transfer_units=_between(rng, 2, 9) if _sometimes(rng, 0.4) else 1,
            unit_volume_microlitres=_between(rng, 200_000, 1_500_000),
            unit_cost_e4=_between(rng, 10_000, 80_001),
        )
        for number in range(_between(rng, 1, 2))
    )
    pairs = [pair for pair in permutations([site.site_id for site in sites], 2) if _sometimes(rng, 0.8)]
    lanes = tuple(
        a_lane(
            *pair,
            mode,
            lead_time_days=_between(rng, 0, 3),
            cost_fixed_e4=_between(rng, 0, 60_000),
            cost_per_unit_e4=_between(rng, 0, 2_999),
            cost_per_litre_e4=_between(rng, 0, 1_501),
            capacity_microlitres_per_departure=_between(rng, 1_000_000, 12_000_000) if _sometimes(rng, 0.3) else None,
            departure_weekdays=(1, 2, 3, 4, 5, 6, 7) if _sometimes(rng, 0.7) else (_between(rng, 1, 7),),
        )
        for pair in pairs
        for mode in (("van", "truck") if _sometimes(rng, 0.2) else ("van",))
    )
    keys = [SiteSku(site.site_id, sku.sku_id) for site in sites for sku in skus]
    pack = {sku.sku_id: sku.pack_size for sku in skus}
    donors = {sku.sku_id: _between(rng, 1, len(sites) - 1) for sku in skus}
    has_plenty = {key: (int(key.site_id[1:]) + int(key.sku_id[1:])) % len(sites) < donors[key.sku_id] for key in keys}
    positions = [
        a_position(
            *key,
            _between(rng, pack[key.sku_id], pack[key.sku_id] * 6) if has_plenty[key] else _between(rng, 0, 2),
            reserved_units=_between(rng, 0, 1),
        )
        for key in keys
    ]
    return a_snapshot(
        sites=sites,
        skus=skus,
        lanes=lanes,
        positions=positions,
        forecasts=[
            a_forecast(
                *key,
                daily_units=float(rng.uniform(0, 0.3) if has_plenty[key] else rng.uniform(0.6, 4)),
                dispersion=float(rng.choice([1.0, 1.5, 3.0])),
                level_cv2_e6=int(rng.choice([0, 0, 100_000])),
            )
            for key in keys
            if _sometimes(rng, 0.95)
        ],
        supply=[
            a_supply(*key, units=_between(rng, 1, 8), days=_between(rng, -1, 9), kind=SupplyKind(kind))
            for key in keys
            for kind in ("purchase_order", "transfer")
            if _sometimes(rng, 0.15)
        ],
        replenishments=[a_replenishment(*key, days=_between(rng, 5, 14)) for key in keys if _sometimes(rng, 0.8)],
    )


def _limits(rng: Generator, snapshot: Snapshot) -> Limits:
    skus = [sku.sku_id for sku in snapshot.skus]
    keys = [position.key for position in snapshot.positions]
    return limits_for(
        lost_unit_e4={sku_id: _between(rng, 20_000, 200_000) for sku_id in skus},
        leftover_unit_e4={sku_id: _between(rng, 0, 9_000) for sku_id in skus},
        protected_units={key: _between(rng, 1, 6) for key in keys if _sometimes(rng, 0.15)},
        closed_lanes={lane.key: "forbidden_lane" for lane in snapshot.lanes if _sometimes(rng, 0.05)},
        no_send={key: "cool_down" for key in keys if _sometimes(rng, 0.04)},
        no_receive={key: "cool_down" for key in keys if _sometimes(rng, 0.04)},
        line_charge_minor=_between(rng, 0, 60),
        line_hurdle_minor=_between(rng, 0, 90) if _sometimes(rng, 0.5) else 0,
        lane_hurdle_minor=_between(rng, 0, 300) if _sometimes(rng, 0.5) else 0,
        line_units_max=_between(rng, 2, 12) if _sometimes(rng, 0.2) else None,
        lines_max=_between(rng, 1, 3) if _sometimes(rng, 0.2) else None,
        units_max=_between(rng, 2, 14) if _sometimes(rng, 0.2) else None,
        goods_value_max_minor=_between(rng, 500, 6_000) if _sometimes(rng, 0.2) else None,
        review_interval_days=_between(rng, 2, 7),
        approval_latency_days=_between(rng, 0, 1),
        default_horizon_days=_between(rng, 5, 14),
    )


def _request(rng: Generator, snapshot: Snapshot) -> PlanRequest:
    keys = [position.key for position in snapshot.positions]
    lanes, skus = [lane.key for lane in snapshot.lanes], [sku.sku_id for sku in snapshot.skus]

    def caps(chance: float) -> tuple[UnitCap, ...]:
        return tuple(
            UnitCap(site_id=key.site_id, sku_id=key.sku_id, units=_between(rng, 0, 10))
            for key in keys
            if _sometimes(rng, chance)
        )

    overlays = Overlays(
        excluded_lanes=tuple(
            LaneRef(origin=lane.origin, destination=lane.destination, mode=lane.mode if _sometimes(rng, 0.5) else None)
            for lane in lanes
            if _sometimes(rng, 0.03)
        ),
        excluded_lines=tuple(
            LineRef(sku_id=sku_id, origin=lane.origin, destination=lane.destination)
            for lane in lanes
            for sku_id in skus
            if _sometimes(rng, 0.03)
        ),
        receive_caps=caps(0.1),
        send_caps=caps(0.1),
        demand_changes=(DemandChange(percent=_between(rng, 40, 250)),) if _sometimes(rng, 0.2) else (),
        supply_delay_days=_between(rng, 1, 6) if _sometimes(rng, 0.1) else 0,
        transport_budget_minor=_between(rng, 100, 2_500) if _sometimes(rng, 0.2) else None,
        max_units=_between(rng, 0, 14) if _sometimes(rng, 0.1) else None,
        max_lines=_between(rng, 0, 2) if _sometimes(rng, 0.1) else None,
    )
    scope = Scope(sites=("S0",)) if _sometimes(rng, 0.1) else Scope()
    return PlanRequest(
        scope=scope, overlays=overlays, within_days=_between(rng, 1, 6) if _sometimes(rng, 0.1) else None
    )


def crowded_case(seed: int) -> Case:
    """One or two SKUs into one site, by trucks or docks that are soon full, where two or three departures are looked at."""
    rng = np.random.default_rng(seed)
    skus = tuple(
        a_sku(f"P{n}", pack_size=_between(rng, 1, 2), min_transfer_units=_between(rng, 1, 3))
        for n in range(_between(rng, 1, 2))
    )
    full = _between(rng, 0, 2)
    lanes = tuple(
        a_lane(
            origin, "S0", lead_time_days=_between(rng, 0, 2), cost_fixed_e4=_between(rng, 0, 20_000),
            cost_per_unit_e4=_between(rng, 0, 2_000),
            capacity_microlitres_per_departure=_between(rng, 1, 4) * 1_000_000 if full == 0 else None,
            departure_weekdays=tuple(day for day in range(1, 8) if _sometimes(rng, 0.6)),
        )
        for origin in ("S1", "S2")[: _between(rng, 1, 2)]
    )  # fmt: skip
    sites = (
        a_site("S0", inbound_units_per_day=_between(rng, 1, 4) if full == 1 else None),
        *(a_site(f"S{n}", outbound_units_per_day=_between(rng, 1, 4) if full == 2 else None) for n in (1, 2)),
    )
    snapshot = a_snapshot(
        sites=sites, skus=skus, lanes=lanes,
        positions=[
            a_position(site, sku.sku_id, 0 if site == "S0" else _between(rng, 2, 3) * sku.pack_size)
            for site in ("S0", "S1", "S2") for sku in skus
        ],
        forecasts=[a_forecast("S0", sku.sku_id, float(rng.uniform(0.2, 2)), float(rng.choice([1.0, 2.0]))) for sku in skus],
        replenishments=[a_replenishment("S0", sku.sku_id, days=_between(rng, 5, 12)) for sku in skus],
    )  # fmt: skip
    limits = limits_for(
        *(sku.sku_id for sku in skus), line_charge_minor=_between(rng, 0, 40), lane_departures=_between(rng, 2, 3),
        lane_hurdle_minor=_between(rng, 0, 60), approval_latency_days=_between(rng, 0, 1),
        lines_max=_between(rng, 1, 3) if _sometimes(rng, 0.2) else None,
    )  # fmt: skip
    within = _between(rng, 2, 5) if _sometimes(rng, 0.2) else None
    return Case(snapshot, limits, PlanRequest(within_days=within))


def days_of(facts: Snapshot, limits: Limits, lane: Lane) -> list[date]:
    """The days that moves on the lane may name."""
    offered = offered_departures(facts, limits, lane)
    return [NEXT, *(departure.depart_on for departure in offered[1:])]


def brute_force(case: Case) -> tuple[float, tuple[Move, ...]] | None:
    """The least objective of all permitted combinations of moves, and one that has it; None when there are too many.

    Every constraint is an upper limit or one on a line by itself, so a combination
    that breaks one is not completed.
    """
    facts = assumed(case.snapshot, case.request.overlays)
    choices = []
    for lane in facts.lanes:
        for day in days_of(facts, case.limits, lane):
            for sku in facts.skus:
                position = facts.position_by_key.get(SiteSku(lane.origin, sku.sku_id))
                packs = max(position.available_units, 0) // sku.pack_size if position else 0
                moves = [Move(lane.key, sku.sku_id, count, day) for count in range(1, packs + 1)]
                choices.append(
                    [each for each in moves if not evaluate(facts, case.limits, case.request, [each]).breaches]
                )
    if np.prod([len(moves) + 1 for moves in choices]) > COMBINATIONS_MAX:
        return None
    best: tuple[float, tuple[Move, ...]] = (0.0, ())
    permitted: list[tuple[Move, ...]] = [()]
    for moves in choices:
        for move in moves:
            for others in [each for each in permitted if not each or each[-1] not in moves]:
                tried = (*others, move)
                found = evaluate(facts, case.limits, case.request, tried)
                if not found.breaches:
                    permitted.append(tried)
                    if found.objective < best[0]:
                        best = (found.objective, tried)
    return best
