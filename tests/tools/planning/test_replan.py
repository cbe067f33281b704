from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from benchmarks.fast_path import problem_of
from benchmarks.instances import curves
from tests.builders import a_forecast, a_lane, a_position, a_replenishment, a_site, a_sku, a_snapshot, a_supply
from tests.builders import limits_for as limits_of
from tools.inventory import BookedLoad
from tools.planning import evaluate, make_plan, moves_of, solve
from tools.planning.fast import Effort, plan_fast
from tools.planning.limits import WholeSet
from tools.planning.replan import Standing, bound_holds, changed_skus, replan, touched_by, with_sets
from tools.transfers import DemandChange, LaneRef, LineRef, Overlays, PlanRequest, SupplyDelay, UnitCap
from tools.whatif import assumed

REQUEST = PlanRequest()
MONEY = {
    "lost_unit_e4": {"P1": 60_000, "P2": 60_000, "P3": 60_000},
    "leftover_unit_e4": {"P1": 800, "P2": 800, "P3": 800},
}
SKUS = ("P1", "P2", "P3")


def limits_for(**fields):
    return limits_of(**MONEY, **fields)


def a_network(*, capacity: int | None = None):
    """One donor and two stores in need of three SKUs."""
    sites = ("S1", "S2", "S3")
    stock = {"S1": 60, "S2": 0, "S3": 2}
    return a_snapshot(
        sites=tuple(a_site(site) for site in sites),
        skus=tuple(a_sku(sku, unit_volume_microlitres=1_000_000) for sku in SKUS),
        lanes=tuple(
            a_lane("S1", to, cost_fixed_e4=20_000, capacity_microlitres_per_departure=capacity) for to in ("S2", "S3")
        ),
        positions=tuple(a_position(site, sku, on_hand_units=units) for site, units in stock.items() for sku in SKUS),
        forecasts=tuple(
            a_forecast(site, sku, daily_units=daily)
            for site, daily in (("S1", 0.1), ("S2", 1), ("S3", 2))
            for sku in SKUS
        ),
        replenishments=tuple(a_replenishment(site, sku, days=14) for site in sites for sku in SKUS),
    )


def plan_of(snapshot, request=REQUEST, limits=None):
    limits = limits or limits_for()
    return make_plan(snapshot, limits, request, solve(snapshot, limits, request))


def without(plan, sku_id):
    lines = tuple(
        LineRef(sku_id=sku_id, origin=line.origin, destination=line.destination)
        for line in plan.lines
        if line.sku_id == sku_id
    )
    return REQUEST.with_overlays(excluded_lines=lines)


def test_only_the_lines_of_touched_skus_change():
    snapshot = a_network()
    plan = plan_of(snapshot)
    request = without(plan, "P1")
    touched = touched_by(plan, request.overlays, snapshot)
    assert touched == {"P1"}
    again = replan(snapshot, limits_for(), request, moves_of(plan), touched)
    assert [move for move in again.moves if move.sku_id != "P1"] == [m for m in moves_of(plan) if m.sku_id != "P1"]
    assert not [move for move in again.moves if move.sku_id == "P1"]
    assert not evaluate(snapshot, limits_for(), request, again.moves).breaches


def test_a_touched_sku_is_planned_as_well_as_if_everything_were():
    snapshot = a_network()
    plan = plan_of(snapshot)
    standing = tuple(move for move in moves_of(plan) if move.sku_id != "P2")
    again = replan(snapshot, limits_for(), REQUEST, standing, frozenset(("P2",)))
    assert again.objective == pytest.approx(plan.solver.objective_minor, abs=1)


def test_standing_lines_keep_their_room_on_the_truck():
    snapshot = a_network(capacity=10_000_000)
    plan = plan_of(snapshot)
    again = replan(snapshot, limits_for(), REQUEST, moves_of(plan), frozenset(("P3",)))
    assert not evaluate(snapshot, limits_for(), REQUEST, again.moves).breaches
    assert (
        again.objective
        <= evaluate(snapshot, limits_for(), REQUEST, [m for m in moves_of(plan) if m.sku_id != "P3"]).objective + 1e-6
    )


def test_totals_of_policy_count_standing_lines():
    snapshot = a_network()
    limits = limits_for(lines_max=4, units_max=30)
    plan = plan_of(snapshot, limits=limits)
    again = replan(snapshot, limits, REQUEST, moves_of(plan), frozenset(("P1", "P2")))
    assert not evaluate(snapshot, limits, REQUEST, again.moves).breaches


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (Overlays(excluded_skus=("P2",)), {"P2"}),
        (Overlays(excluded_sites=("S3",)), set(SKUS)),
        (Overlays(excluded_lanes=(LaneRef(origin="S1", destination="S2"),)), set(SKUS)),
        (Overlays(receive_caps=(UnitCap(site_id="S2", sku_id="P3", units=1),)), {"P3"}),
        (Overlays(demand_changes=(DemandChange(percent=120, skus=("P1",)),)), {"P1"}),
        (Overlays(demand_changes=(DemandChange(percent=120),)), None),
        (Overlays(max_lines=3), None),
        (Overlays(supply_delay_days=2), None),
    ],
)
def test_what_a_change_touches(after, expected):
    snapshot = a_network()
    assert touched_by(plan_of(snapshot), after, snapshot) == expected


def test_a_delay_of_some_supply_touches_the_skus_that_it_delays():
    snapshot = replace(a_network(), supply=(a_supply("S2", "P2"), a_supply("S3", "P1")))
    for named, touched in (({"sites": ("S2",)}, {"P2"}), ({"skus": ("P1",)}, {"P1"}), ({"skus": ("P3",)}, set())):
        assert (
            touched_by(plan_of(snapshot), Overlays(supply_delays=(SupplyDelay(days=2, **named),)), snapshot) == touched
        )


def test_what_is_planned_again_for_late_supply_is_worth_what_planning_everything_is():
    snapshot = replace(
        a_network(), supply=(a_supply("S2", "P2", units=20, days=2), a_supply("S3", "P1", units=9, days=2))
    )
    overlays = Overlays(supply_delays=(SupplyDelay(days=9, skus=("P2",), sites=("S2",)),))
    before, request = plan_of(snapshot), PlanRequest(overlays=overlays)
    touched = touched_by(before, overlays, snapshot)
    again = replan(snapshot, limits_for(), request, moves_of(before), touched)
    whole = evaluate(assumed(snapshot, overlays), limits_for(), request, solve(snapshot, limits_for(), request).moves)
    assert {move.sku_id for move in set(again.moves) ^ set(moves_of(before))} == {"P2"}
    assert again.objective == pytest.approx(whole.objective)


def test_giving_a_restriction_up_touches_everything():
    snapshot = a_network()
    request = PlanRequest(overlays=Overlays(excluded_skus=("P2",)))
    assert touched_by(plan_of(snapshot, request), Overlays(), snapshot) is None


@pytest.mark.parametrize(
    ("after", "holds"),
    [
        (Overlays(excluded_skus=("P1",)), True),
        (Overlays(receive_caps=(UnitCap(site_id="S2", sku_id="P3", units=1),)), True),
        (Overlays(send_caps=(UnitCap(site_id="S1", sku_id="P3", units=1),)), True),
        (Overlays(excluded_lines=(LineRef(sku_id="P1", origin="S1", destination="S2"),)), False),
        (Overlays(excluded_lanes=(LaneRef(origin="S1", destination="S2"),)), False),
        (Overlays(excluded_sites=("S3",)), False),
        (Overlays(demand_changes=(DemandChange(percent=50, skus=("P1",)),)), False),
    ],
)
def test_a_bound_survives_only_what_leaves_every_soonest_arrival_as_it_is(after, holds):
    assert bound_holds(Overlays(), after) is holds
    assert not bound_holds(after, Overlays())


def a_fast_lane_that_is_not_used():
    """S3 is near S2 and has nothing to give; S1 is far and has: what arrives late at S2 is worth less."""
    fast = a_lane("S3", "S2", lead_time_days=0, cost_fixed_e4=1_000, cost_per_unit_e4=20_000)
    return a_snapshot(
        sites=tuple(a_site(site) for site in ("S1", "S2", "S3")),
        skus=(a_sku("P1"), a_sku("P2")),
        lanes=(a_lane("S1", "S2", lead_time_days=5, cost_fixed_e4=1_000), fast),
        positions=(
            a_position("S1", on_hand_units=20),
            a_position("S2", on_hand_units=5),
            a_position("S3", on_hand_units=1),
            a_position("S3", "P2"),
        ),
        forecasts=(
            a_forecast("S1", daily_units=0),
            a_forecast("S2", daily_units=1),
            a_forecast("S3", daily_units=3),
        ),
        replenishments=[a_replenishment(site, days=14) for site in ("S1", "S2", "S3")],
    )


def test_to_forbid_a_lane_that_is_not_used_touches_what_could_travel_on_it():
    snapshot, limits = a_fast_lane_that_is_not_used(), limits_of("P1", "P2", review_interval_days=2)
    plan = plan_of(snapshot, limits=limits)
    assert {line.origin for line in plan.lines} == {"S1"}
    for after in (
        Overlays(excluded_lanes=(LaneRef(origin="S3", destination="S2"),)),
        Overlays(excluded_sites=("S3",)),
    ):
        request = REQUEST.with_overlays(**dict(after))
        touched = touched_by(plan, request.overlays, snapshot)
        assert touched == {"P1"}, "P2 is not carried at S2"
        again = replan(snapshot, limits, request, moves_of(plan), touched)
        afresh = solve(snapshot, limits, request)
        assert afresh.objective < plan.solver.bound_minor, "the bound of the plan before does not hold"
        assert again.objective == pytest.approx(afresh.objective, abs=1)


def sets_of(*sets, site="S2"):
    return limits_for(whole_sets=tuple(WholeSet(site, members, members) for members in sets))


def test_what_shares_a_set_with_a_touched_sku_is_touched():
    limits = sets_of(("P1", "P2"), ("P2", "P3"), ("P7", "P8"))
    assert with_sets(frozenset(("P1",)), limits) == {"P1", "P2", "P3"}
    assert with_sets(frozenset(), limits) == frozenset()


def test_what_is_left_of_a_set_stays_behind_and_still_goes_elsewhere():
    snapshot, limits = a_network(), sets_of(("P1", "P2"))
    plan = plan_of(snapshot, limits=limits)
    request = REQUEST.with_overlays(excluded_lines=(LineRef(sku_id="P2", origin="S1", destination="S2"),))
    again = replan(snapshot, limits, request, moves_of(plan), frozenset(("P2",)))
    assert not evaluate(snapshot, limits, request, again.moves).breaches
    went = {(move.sku_id, move.lane.destination) for move in again.moves}
    assert went == {("P1", "S3"), ("P2", "S3"), ("P3", "S2"), ("P3", "S3")}


def test_a_count_of_one_sku_touches_that_sku_and_a_new_lane_touches_all():
    before = a_network()
    counted = replace(
        before, positions=tuple(replace(p, on_hand_units=9) if p.key == ("S1", "P2") else p for p in before.positions)
    )
    assert changed_skus(before, before) == frozenset()
    assert changed_skus(before, counted) == {"P2"}
    assert changed_skus(before, replace(before, lanes=before.lanes[:1])) is None
    assert changed_skus(before, replace(before, as_of=before.as_of + timedelta(days=1))) is None


@pytest.mark.parametrize(
    ("capacity", "outbound", "expected"), [(None, None, set()), (10**9, None, {"P1"}), (None, 50, {"P1", "P2"})]
)
def test_a_booked_load_touches_what_could_travel_where_room_is_limited(capacity, outbound, expected):
    sites = ("S1", "S2", "S3")
    before = a_snapshot(
        sites=tuple(a_site(site, outbound_units_per_day=outbound) for site in sites),
        skus=tuple(a_sku(sku) for sku in SKUS),
        lanes=tuple(a_lane("S1", to, capacity_microlitres_per_departure=capacity) for to in ("S2", "S3")),
        positions=tuple(a_position(*key) for key in (("S1", "P1"), ("S2", "P1"), ("S1", "P2"), ("S2", "P3"))),
        forecasts=(a_forecast("S3", "P2"),),
    )
    load = BookedLoad("S1", "S2", "van", before.as_of.date() + timedelta(days=1), 5, 5_000_000)
    assert changed_skus(before, replace(before, booked=(load,))) == expected


def test_a_count_at_another_minute_touches_nothing():
    before = a_network()
    later = replace(before, positions=tuple(replace(p, as_of=p.as_of + timedelta(minutes=5)) for p in before.positions))
    assert changed_skus(before, later) == frozenset()


def test_standing_packs_stay_within_every_limit_through_many_replans():
    problem = problem_of(curves(60), capacity=20.0)
    plan = plan_fast(problem, Effort(iterations=5, repairs=1, trials=20, failures=5, polished=60))
    standing = Standing(problem, plan.packs)
    rng = np.random.default_rng(4)
    for _ in range(25):
        standing.replan(np.unique(rng.integers(0, 60, 2)))
        assert problem.fits(standing.packs)
    assert problem.objective(standing.packs) <= 0.9 * plan.objective
