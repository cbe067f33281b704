from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import (
    a_forecast,
    a_lane,
    a_move,
    a_needy_network,
    a_plan,
    a_position,
    a_sku,
    a_supply,
    in_days,
    limits_for,
)
from tests.tools.planning.random_networks import random_case
from tools.planning import Move, Solution, UnsoundSolutionError, evaluate, fill_rate, make_plan, moves_of, solve
from tools.transfers import DemandChange, FillRate, Overlays, PlanRequest, SolveStatus
from tools.whatif import assumed

REQUEST = PlanRequest()


def found(*moves, snapshot=None, limits=None, status=SolveStatus.OPTIMAL, request=REQUEST):
    """A solution with these moves and the objective that they are worth."""
    facts = assumed(snapshot or a_needy_network(), request.overlays)
    objective = evaluate(facts, limits or limits_for(), request, moves).objective
    return Solution(status, tuple(moves), objective, objective, "exact", ("solver 1",))


def planned(*moves, snapshot=None, limits=None, request=REQUEST):
    snapshot, limits = snapshot or a_needy_network(), limits or limits_for()
    return make_plan(snapshot, limits, request, found(*moves, snapshot=snapshot, limits=limits, request=request))


def test_a_plan_says_who_sends_what_when_and_for_how_much():
    # 5 x 6.08 less 0.30 for the line: 30.10; the departure costs 5.00; the goods cost 4.00 each.
    limits = limits_for(line_charge_minor=30, line_hurdle_minor=7, lane_hurdle_minor=11, policy_digest="ab" * 32)
    plan = planned(a_move(5), limits=limits)
    (line,), (load,) = plan.lines, plan.lanes
    assert (line.line_no, line.sku_id, line.origin, line.destination, line.mode) == (1, "P1", "S1", "S2", "van")
    assert (line.units, line.packs) == (5, 5)
    assert (line.depart_on, line.arrive_on) == (load.depart_on, load.arrive_on) == (in_days(0), in_days(1))
    assert (line.saving_minor, line.move_cost_minor, line.goods_value_minor) == (3_010, 30, 2_000)
    assert (load.line_nos, load.fixed_cost_minor, load.volume_microlitres) == ((1,), 500, 5_000_000)
    assert (plan.saving_minor, plan.whole_horizon_saving_minor) == (2_510, 2_510)
    assert (plan.move_cost_minor, plan.fixed_cost_minor, plan.goods_value_minor) == (30, 500, 2_000)
    assert (plan.solver.objective_minor, plan.solver.bound_minor, plan.solver.gap_ppm) == (-2_492, -2_492, 0)
    assert (plan.snapshot_digest, plan.policy_digest) == (a_needy_network().digest, "ab" * 32)


def test_the_plan_written_by_hand_is_the_plan_that_is_made():
    # The builder's plan: an approval takes a day, a lost unit costs 7.20, a line 0.50.
    limits = limits_for(lost_unit_e4={"P1": 72_000}, line_charge_minor=50, approval_latency_days=1)
    made, written = planned(a_move(5), limits=limits), a_plan()
    same = (
        "lines",
        "lanes",
        "saving_minor",
        "whole_horizon_saving_minor",
        "goods_value_minor",
        "fill_rate",
        "planned_on",
    )
    assert [getattr(made, name) for name in same] == [getattr(written, name) for name in same]


def test_a_plan_under_assumptions_belongs_to_the_facts_as_they_are():
    # Only with demand does anything pay; the snapshot named is the one without assumptions.
    calm = a_needy_network(forecasts=(a_forecast("S2", daily_units=1),))
    request = PlanRequest(overlays=Overlays(demand_changes=(DemandChange(percent=1_000),)))
    plan = planned(a_move(5), snapshot=calm, request=request)
    assert plan.snapshot_digest == calm.digest
    assert plan.saving_minor > planned(a_move(5), snapshot=calm).saving_minor


def test_packs_become_units():
    plan = planned(a_move(3), snapshot=a_needy_network(skus=(a_sku(pack_size=6),)))
    assert (plan.lines[0].packs, plan.lines[0].units) == (3, 18)
    assert moves_of(plan) == (replace(a_move(3), depart_on=in_days(0)),)


def test_a_plan_of_nothing_is_a_plan_with_the_reason_elsewhere():
    plan = make_plan(a_needy_network(), limits_for(), REQUEST, Solution(SolveStatus.NOTHING_TO_MOVE))
    assert (plan.lines, plan.lanes, plan.saving_minor, plan.solver.bound_minor) == ((), (), 0, None)


@pytest.mark.parametrize("status", [SolveStatus.STOPPED, SolveStatus.TOO_LARGE, SolveStatus.INFEASIBLE])
def test_a_status_without_a_plan_makes_none(status):
    assert not status.has_plan
    with pytest.raises(ValueError, match=f"status {status} has no plan"):
        make_plan(a_needy_network(), limits_for(), REQUEST, found(a_move(5), status=status))


def test_moves_that_break_a_constraint_make_no_plan():
    with pytest.raises(UnsoundSolutionError, match="units per line allows 4, the plan has 5") as refused:
        planned(a_move(5), limits=limits_for(line_units_max=4))
    assert [breach.code for breach in refused.value.breaches] == ["units_per_line"]


def test_an_objective_that_the_moves_are_not_worth_makes_no_plan():
    true = found(a_move(5))
    for factor in (1 + 2e-6, 1 - 2e-6):
        with pytest.raises(UnsoundSolutionError, match="its moves are worth -2540"):
            make_plan(a_needy_network(), limits_for(), REQUEST, replace(true, objective=true.objective * factor))
    close = replace(true, objective=true.objective * (1 + 5e-7))
    assert make_plan(a_needy_network(), limits_for(), REQUEST, close).lines


@pytest.mark.parametrize("change", ["one pack less", "another lane", "a line left out"])
def test_a_solution_that_was_changed_after_the_solve_makes_no_plan(change):
    snapshot = a_needy_network(lanes=(a_lane(), a_lane(mode="truck", cost_fixed_e4=60_000)))
    true = solve(snapshot, limits_for(line_units_max=20), REQUEST)
    first, *others = sorted(true.moves, key=lambda move: move.lane.mode, reverse=True)
    moves = {
        "one pack less": (replace(first, packs=first.packs - 1), *others),
        "another lane": (Move(first.lane._replace(mode="truck"), "P1", first.packs),),
        "a line left out": tuple(others),
    }[change]
    with pytest.raises(UnsoundSolutionError):
        make_plan(snapshot, limits_for(line_units_max=20), REQUEST, replace(true, moves=moves))


@given(seed=st.integers(0, 5_000))
def test_the_money_of_a_plan_adds_up_to_the_last_minor_unit(seed):
    case = random_case(seed)
    plan = make_plan(case.snapshot, case.limits, case.request, solve(case.snapshot, case.limits, case.request))
    fixed = sum(load.fixed_cost_minor for load in plan.lanes)
    assert plan.saving_minor == sum(line.saving_minor for line in plan.lines) - fixed
    assert plan.fixed_cost_minor == fixed
    assert plan.move_cost_minor == sum(line.move_cost_minor for line in plan.lines)
    assert plan.transfer_cost_minor == plan.move_cost_minor + fixed
    assert plan.goods_value_minor == sum(line.goods_value_minor for line in plan.lines)
    assert sorted(number for load in plan.lanes for number in load.line_nos) == list(range(1, len(plan.lines) + 1))
    assert plan.units == sum(plan.sent_units.values()) == sum(plan.received_units.values())


def test_the_fill_rate_is_the_share_of_demand_served_until_the_regular_supply():
    # Of 700 units wanted at S2 in 7 days, 140 are on hand and 70 on order; 70 more arrive from S1: 30 % and 40 %.
    snapshot = a_needy_network(
        positions=(a_position("S1", on_hand_units=100), a_position("S2", on_hand_units=140)),
        supply=(a_supply("S2", units=70, days=3), a_supply("S2", units=500, days=8)),
    )
    assert fill_rate(snapshot, limits_for(), (a_move(70),)) == FillRate(before_ppm=300_000, after_ppm=400_000)


def test_where_nothing_is_wanted_everything_is_served():
    snapshot = a_needy_network(forecasts=(a_forecast("S1", daily_units=0),))
    assert fill_rate(snapshot, limits_for(), (a_move(1),)) == FillRate(before_ppm=1_000_000, after_ppm=1_000_000)


@pytest.mark.parametrize(
    ("objective", "bound", "gap_ppm"),
    [
        (-1_000.0, -1_001.0, 1_000),
        (-1_000.0, -1_000.0, 0),
        (-1_000.0, -999.999_999_9, 0),
        (0.0, 0.0, 0),
        (0.0, -5.0, None),
        (-1_000.0, None, None),
    ],
)
def test_the_gap_is_the_distance_to_the_bound_in_millionths_of_the_objective(objective, bound, gap_ppm):
    assert Solution(SolveStatus.WITHIN_GAP, (), objective, bound).gap_ppm == gap_ppm
