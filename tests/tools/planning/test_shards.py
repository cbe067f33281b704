"""Planning by shards: the plan of one process, whoever works out the shards' answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.tools.planning.coupled_problems import a_problem
from tests.tools.planning.random_networks import random_case
from tools.planning import evaluate
from tools.planning.coupled import Coupled
from tools.planning.fast import Effort, FastPlan, plan_fast
from tools.planning.flow import Flows
from tools.planning.sharded import Ask, here, plan_by_shards
from tools.planning.shards import AllotOrder, FlowOrder, Order, Shard, ShardAnswer, TrialOrder, shard_round, split
from tools.planning.solve import solve_fast
from tools.planning.table import tabulate
from tools.whatif import assumed

EFFORT = Effort(iterations=40, repairs=4, trials=150, failures=40, polished=200)
COUPLED: dict[str, dict[str, Any]] = {
    "departures that cost": {"skus": 200},
    "departures that cost and fill up": {"skus": 100, "capacity": 60.0},
    "trucks that fill up": {"skus": 120, "lane_cost": False, "capacity": 40.0},
    "sites that take in only so much": {"skus": 120, "intake_share": 0.6, "line_cost": 2.0},
}


def check_kept(problem: Coupled, plan: FastPlan) -> None:
    """Nothing is broken, the objective is that of the packs, and the bound is below it."""
    assert problem.fits(plan.packs)
    assert (plan.packs >= 0).all()
    assert (plan.packs <= problem.arrays.arc_most).all()
    assert not ((problem.sent(plan.packs) > 0) & (problem.received(plan.packs) > 0)).any()
    assert plan.objective == pytest.approx(problem.objective(plan.packs), rel=1e-12)
    assert plan.bound <= plan.objective


@pytest.mark.parametrize("case", COUPLED)
def test_the_plan_by_shards_is_worth_what_the_plan_of_one_process_is(case: str) -> None:
    problem = a_problem(**COUPLED[case])
    one, sharded = plan_fast(problem, EFFORT), plan_by_shards(problem, 3, effort=EFFORT)
    check_kept(problem, sharded)
    assert sharded.objective <= one.objective + 0.001 * abs(one.objective)
    # Each bound holds for both plans, and both come from the same prices.
    assert max(one.bound, sharded.bound) <= min(one.objective, sharded.objective)
    assert sharded.bound == pytest.approx(one.bound, rel=1e-3)


def test_skus_that_share_nothing_are_planned_to_the_optimum() -> None:
    problem = a_problem(60, lane_cost=False)
    plan = plan_by_shards(problem, 4)
    assert plan.objective == pytest.approx(Flows(problem.arrays).solve().value.sum())
    assert plan.gap < 1e-6


def test_every_sku_goes_to_one_shard_with_everything_that_is_its_own() -> None:
    problem = a_problem(90, capacity=60.0, intake_share=0.6)
    shards = split(problem, 4)
    assert sorted(np.concatenate([shard.skus for shard in shards])) == sorted(set(problem.arrays.arc_sku))
    assert sorted(np.concatenate([shard.arcs for shard in shards])) == list(range(len(problem.arrays.arc_sku)))
    weights = [
        len(s.part.arrays.arc_sku) + len(s.part.arrays.send_sku) + len(s.part.arrays.receive_sku) for s in shards
    ]
    assert max(weights) < 1.1 * min(weights)
    packs = Flows(problem.arrays).solve().packs
    parts = [shard.part for shard in shards]
    assert sum(p.sku_cost(packs[s.arcs]).sum() for p, s in zip(parts, shards, strict=True)) == pytest.approx(
        problem.sku_cost(packs).sum()
    )
    for shared in (Coupled.volume, Coupled.usage):
        together = sum(shared(shard.part, packs[shard.arcs]) for shard in shards)
        assert together == pytest.approx(shared(problem, packs))


def test_more_shards_than_skus_and_a_problem_without_arcs_are_no_trouble() -> None:
    assert len(split(a_problem(3), 50)) <= 3
    empty = a_problem(1, sites=1)
    assert len(empty.arrays.arc_sku) == 0
    assert plan_by_shards(empty, 4).objective == 0.0
    with pytest.raises(ValueError, match="at least one shard"):
        split(empty, 0)


def test_the_plan_depends_on_the_shards_and_not_on_who_works_them_out() -> None:
    problem = a_problem(60, capacity=60.0)

    def forgetful(parts: Sequence[Coupled]) -> Ask:
        """Everybody builds the flows anew, and the last shard answers first."""

        def ask(orders: Sequence[Order]) -> list[ShardAnswer]:
            backwards = list(zip(parts, orders, strict=True))[::-1]
            return [shard_round(part, Flows(part.arrays), order) for part, order in backwards][::-1]

        return ask

    plans = [plan_by_shards(problem, 3, crew, EFFORT) for crew in (here, forgetful)]
    assert plans[0].packs.tobytes() == plans[1].packs.tobytes()
    assert (plans[0].objective, plans[0].bound) == (plans[1].objective, plans[1].bound)


def one_shard() -> tuple[Coupled, Shard, Flows]:
    """A problem as one shard, and its flows."""
    problem = a_problem(40, capacity=60.0)
    (shard,) = split(problem, 1)
    return problem, shard, Flows(shard.part.arrays)


def test_a_lane_that_is_tried_changes_the_worth_as_solving_everything_again_would() -> None:
    _, shard, flows = one_shard()
    a = shard.part.arrays
    extra, opened = np.zeros(len(a.arc_sku)), np.ones(a.lanes, dtype=np.bool_)
    busiest = np.argsort(-np.bincount(a.arc_lane, flows.solve().packs, a.lanes), kind="stable")[:3]
    start = flows.solve(extra=extra, usable=opened[a.arc_lane])
    accepted, tried = busiest[:1], busiest[1:]
    answer = shard_round(shard.part, flows, TrialOrder(extra, opened, start.packs, start.value, accepted, tried))
    opened[accepted] = False
    after = flows.solve(extra=extra, usable=opened[a.arc_lane]).value.sum()
    assert answer.value.sum() == pytest.approx(after)
    for lane, change in zip(tried.tolist(), answer.changes.tolist(), strict=True):
        without = opened.copy()
        without[lane] = False
        assert change == pytest.approx(flows.solve(extra=extra, usable=without[a.arc_lane]).value.sum() - after)
        assert change > 0


def test_polishing_stays_within_the_allotment_and_uses_it() -> None:
    problem, shard, flows = one_shard()
    a = shard.part.arrays
    opened, skus = np.ones(a.lanes, dtype=np.bool_), np.arange(a.skus)
    for room in (0.0, 5.0, 60.0):
        start = AllotOrder(np.zeros(len(a.arc_sku), dtype=np.int64), skus, opened, np.full(a.lanes, room), np.zeros(0))
        packs = shard_round(shard.part, flows, start).packs
        assert (problem.volume(packs) <= room + 1e-9).all()
        assert packs.any() == (room > 0)
    free = shard_round(shard.part, flows, FlowOrder(np.zeros(len(a.arc_sku)), np.ones(len(a.arc_sku), dtype=np.bool_)))
    assert problem.volume(free.packs).max() > 60.0


def test_a_request_can_be_planned_by_shards_and_its_record_says_so() -> None:
    case = random_case(20_003)
    facts = assumed(case.snapshot, case.request.overlays)
    table = tabulate(facts, case.limits, case.request)
    fast = solve_fast(table, facts, case.limits, case.request)
    sharded = solve_fast(table, facts, case.limits, case.request, planner=lambda problem: plan_by_shards(problem, 2))
    assert sharded.objective == pytest.approx(fast.objective, rel=1e-3)
    assert evaluate(facts, case.limits, case.request, sharded.moves).breaches == ()
    assert set(sharded.versions) - set(fast.versions) == {"shards 2"}
