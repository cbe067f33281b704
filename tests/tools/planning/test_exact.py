"""The exact path against everything there is: enumeration of small networks, the evaluator, and honest status words."""

from __future__ import annotations

import dataclasses

import pytest

from tests.builders import a_lane, a_move, a_needy_network, a_position, a_sku, limits_for
from tests.tools.planning.random_networks import brute_force, crowded_case, random_case
from tools.planning import (
    Solution,
    UnsoundSolutionError,
    evaluate,
    exact,
    make_plan,
    moves_of,
    solve,
)
from tools.planning.calendar import NEXT
from tools.transfers import LaneRef, Overlays, PlanRequest, Scope, SolveStatus
from tools.whatif import assumed

ENUMERATED = range(260)
DEPARTURES = range(24)
LARGER = range(1_000, 1_060)


@pytest.mark.parametrize("part", range(10))
def test_the_exact_path_finds_the_optimum_of_every_small_network(part: int) -> None:
    tried = 0
    for seed in ENUMERATED[part::10]:
        case = random_case(seed)
        best = brute_force(case)
        if best is None:
            continue
        tried += 1
        solution = solve(case.snapshot, case.limits, case.request, gap_ppm=0)
        assert solution.status in (SolveStatus.OPTIMAL, SolveStatus.NOTHING_TO_MOVE), seed
        assert solution.objective == pytest.approx(best[0], rel=1e-6, abs=1e-4), seed
    assert tried >= 10


def test_the_exact_path_finds_the_optimum_where_lanes_depart_several_times() -> None:
    tried = later = 0
    for seed in DEPARTURES:
        case = crowded_case(seed)
        best = brute_force(case)
        if best is None:
            continue
        tried += 1
        later += any(move.depart_on != NEXT for move in best[1])
        solution = solve(case.snapshot, case.limits, case.request, gap_ppm=0)
        assert solution.objective == pytest.approx(best[0], rel=1e-6, abs=1e-4), seed
    assert tried >= 10
    assert later >= 5


@pytest.mark.parametrize("part", range(4))
def test_the_evaluator_confirms_every_solution_and_the_bound_is_never_above_it(part: int) -> None:
    for seed in LARGER[part::4]:
        case = random_case(seed)
        solution = solve(case.snapshot, case.limits, case.request)
        facts = assumed(case.snapshot, case.request.overlays)
        found = evaluate(facts, case.limits, case.request, solution.moves)
        assert found.breaches == (), seed
        assert found.objective == pytest.approx(solution.objective, rel=1e-6, abs=1e-6), seed
        assert solution.bound is not None
        assert solution.bound <= solution.objective + 1e-6 * max(1.0, abs(solution.objective)), seed


@pytest.mark.parametrize("part", range(4))
def test_line_savings_less_lane_costs_are_the_saving_of_the_plan(part: int) -> None:
    for seed in LARGER[part::4]:
        case = random_case(seed)
        solution = solve(case.snapshot, case.limits, case.request)
        plan = make_plan(case.snapshot, case.limits, case.request, solution)
        lines = sum(line.saving_minor for line in plan.lines)
        assert lines - sum(load.fixed_cost_minor for load in plan.lanes) == plan.saving_minor
        assert [(move.lane, move.sku_id, move.packs) for move in moves_of(plan)] == [
            (move.lane, move.sku_id, move.packs) for move in solution.moves
        ]
        found = evaluate(assumed(case.snapshot, case.request.overlays), case.limits, case.request, solution.moves)
        assert plan.saving_minor == pytest.approx(found.saving, abs=1 + len(plan.lanes))


def test_a_solve_that_runs_out_of_time_is_never_called_optimal_and_has_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "SECONDS_MAX", 0.0)
    solution = solve(a_needy_network(), limits_for(), PlanRequest())
    assert solution.status is SolveStatus.STOPPED
    assert solution.moves == ()
    assert "kTimeLimit" in solution.note
    with pytest.raises(ValueError, match="has no plan"):
        make_plan(a_needy_network(), limits_for(), PlanRequest(), solution)


def test_a_solve_that_reaches_its_node_limit_never_claims_optimality(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "NODES_MAX", 0)
    claimed = set()
    for seed in LARGER:
        case = random_case(seed)
        solution = solve(case.snapshot, case.limits, case.request, gap_ppm=0)
        claimed.add(solution.status)
        if solution.status is SolveStatus.FEASIBLE:
            assert solution.gap_ppm is None or solution.gap_ppm >= 0
    assert claimed & {SolveStatus.FEASIBLE, SolveStatus.STOPPED}


def test_an_instance_beyond_the_exact_formulation_is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "VARIABLES_MAX", 3)
    solution = solve(a_needy_network(), limits_for(), PlanRequest())
    assert solution.status is SolveStatus.TOO_LARGE
    assert "Narrow the request" in solution.note


def test_without_an_open_lane_there_is_nothing_to_move_and_the_note_says_why() -> None:
    request = PlanRequest(overlays=Overlays(excluded_lanes=(LaneRef(origin="S1", destination="S2"),)))
    solution = solve(a_needy_network(), limits_for(), request)
    assert solution.status is SolveStatus.NOTHING_TO_MOVE
    assert "no lane is open" in solution.note


def test_lines_that_do_not_pay_are_not_moved_and_the_note_says_why() -> None:
    dear = a_needy_network(lanes=(a_lane(cost_per_unit_e4=1_000_000),))
    assert "earns more than it costs" in solve(dear, limits_for(), PlanRequest()).note
    heavy = a_needy_network(lanes=(a_lane(cost_fixed_e4=10**9),))
    solution = solve(heavy, limits_for(), PlanRequest())
    assert solution.status is SolveStatus.NOTHING_TO_MOVE
    assert "once departures and lines are paid" in solution.note


def test_no_plan_is_made_of_moves_that_break_a_constraint() -> None:
    false = Solution(SolveStatus.OPTIMAL, (a_move(packs=101),), objective=-1.0, bound=-1.0)
    with pytest.raises(UnsoundSolutionError, match="source protection allows 100, the plan has 101"):
        make_plan(a_needy_network(), limits_for(), PlanRequest(), false)


def test_no_plan_is_made_of_an_objective_that_its_moves_are_not_worth() -> None:
    true = solve(a_needy_network(), limits_for(), PlanRequest())
    false = dataclasses.replace(true, objective=true.objective * 1.001)
    with pytest.raises(UnsoundSolutionError, match="its moves are worth"):
        make_plan(a_needy_network(), limits_for(), PlanRequest(), false)


def test_an_empty_scope_and_a_sku_without_demand_give_a_correct_plan() -> None:
    nowhere = solve(a_needy_network(), limits_for(), PlanRequest(scope=Scope(skus=("P9",))))
    assert nowhere.status is SolveStatus.NOTHING_TO_MOVE
    idle = a_needy_network(forecasts=())
    assert solve(idle, limits_for(), PlanRequest()).status is SolveStatus.NOTHING_TO_MOVE


def test_a_billion_units_are_planned_without_trouble() -> None:
    rich = a_needy_network(
        positions=(a_position("S1", on_hand_units=10**9), a_position("S2", on_hand_units=0)),
        lanes=(a_lane(cost_per_unit_e4=5_000),),
    )
    plan_of = solve(rich, limits_for(), PlanRequest())
    plan = make_plan(rich, limits_for(), PlanRequest(), plan_of)
    # Six days of 100 units can still be sold after the van arrives, and a unit too many costs 0.50 of freight.
    assert 600 <= plan.units <= 650


def test_whole_packs_come_out_where_a_limit_would_split_one() -> None:
    # 7 litres fit on the van and a pack takes 3: two packs, not 2.33.
    snapshot = a_needy_network(
        skus=(a_sku(pack_size=3),), lanes=(a_lane(capacity_microlitres_per_departure=7_000_000),)
    )
    solution = solve(snapshot, limits_for(), PlanRequest(), gap_ppm=0)
    assert [move.packs for move in solution.moves] == [2]
