"""The lower bound: below every plan at any prices whatever, and close where it can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.planning.written_networks import Network, Shared, Way, benchmark_problem, random_network
from tools.planning import bound
from tools.planning.bound import (
    Bound,
    Prices,
    bound_at,
    first_prices,
    limit_charge,
    lower_bound,
    price_per_pack,
    strong_links,
    tightened,
)
from tools.planning.coupled import Coupled
from tools.planning.flow import Flows
from tools.planning.sku_rules import rule_breakers

TRUCK = Network(
    (Way(0, 0, 1, volume=1.0), Way(1, 0, 1, volume=1.0)),
    gains={(0, 1): (8.0, 8.0), (1, 1): (5.0, 5.0)},
    losses={(0, 0): (0.0, 0.0), (1, 0): (0.0, 0.0)},
)


def bound_under(problem: Coupled, prices: Prices) -> float:
    flows = Flows(problem.levelled)
    return bound_at(problem, prices, flows.solve(extra=price_per_pack(problem, prices, strong_links(problem, prices))))


def some_prices(problem: Coupled, seed: int) -> Prices:
    """Any prices that are not negative; shares of every lane that add up to 1."""
    rng = np.random.default_rng(seed)
    a = problem.arrays
    size = float(rng.choice([0.0, 0.3, 3.0, 30.0]))
    share = rng.uniform(0, 1, len(a.arc_lane)) ** 3
    total = np.bincount(a.arc_lane, share, a.lanes)
    limit = rng.uniform(0, size, len(problem.limits.most)) * (rng.random(len(problem.limits.most)) < 0.7)
    lane = np.where(np.isfinite(problem.lane_capacity), rng.uniform(0, size, a.lanes), 0.0)
    return Prices(limit, lane * (rng.random(a.lanes) < 0.7), share / total[a.arc_lane])


@given(seed=st.integers(0, 4_000), other=st.integers(0, 30))
def test_no_permitted_plan_costs_less_than_the_bound_at_any_prices(seed, other):
    network = random_network(seed)
    problem = network.coupled()
    assert bound_under(problem, some_prices(problem, other)) <= network.best() + 1e-9


@given(seed=st.integers(0, 4_000))
def test_the_best_bound_of_some_iterations_is_below_every_plan_and_what_its_prices_give(seed):
    network = random_network(seed)
    problem = network.coupled()
    flows = Flows(problem.levelled)
    found = lower_bound(problem, flows, first_prices(problem, flows.solve().packs), 0.0, 15)
    assert found.value <= network.best() + 1e-9
    # Arcs whose least quantity cannot pay are left out on the way, so the bound is at least that of all arcs.
    assert bound_under(problem, found.prices) <= found.value + 1e-9
    assert (found.prices.limit >= 0).all()
    assert (found.prices.lane >= 0).all()


@given(seed=st.integers(0, 4_000), other=st.integers(0, 30), nodes=st.integers(0, 12))
def test_a_tightened_bound_is_no_lower_and_still_below_every_plan(seed, other, nodes):
    network = random_network(seed)
    problem = network.coupled()
    prices = some_prices(problem, other)
    loose = Bound(bound_under(problem, prices), prices)
    packs, value = tightened(problem, Flows(problem.levelled), loose, nodes)
    assert loose.value <= value <= network.best() + 1e-9
    if nodes:
        assert not len(rule_breakers(problem, packs))


def test_a_line_that_is_used_in_part_pays_for_the_whole_of_it_in_the_tightened_bound():
    # Packs are worth 8 and 2; a line of 6 could carry both, so the flow sends one for 3. Whole, it takes both: 10 - 6.
    one = Network((Way(0, 0, 1),), gains={(0, 1): (8.0, 2.0)}, losses={(0, 0): (0.0, 0.0)}, line_cost=6.0).coupled()
    prices = Prices(np.zeros(0), np.zeros(one.arrays.lanes), np.ones(1))
    loose = Bound(bound_under(one, prices), prices)
    assert loose.value == pytest.approx(-5.0, rel=1e-6)
    packs, value = tightened(one, Flows(one.arrays), loose, 10)
    assert (packs.tolist(), value) == ([2], pytest.approx(-4.0, rel=1e-6))


def test_kinds_of_prices_that_are_few_move_as_far_as_those_that_are_many():
    slopes = bound._Subgradient(np.asarray([0.1]), np.asarray([0.0, 0.0]), np.full(10_000, 0.2))
    moved = slopes.paced(100.0)
    # Lengths 0.1, 0 and 20: every kind moves by distance / 20.1, whatever its own length.
    assert moved.limit[0] == pytest.approx(100 / 20.1)
    assert np.sqrt(moved.share @ moved.share) == pytest.approx(100 / 20.1)
    assert moved.lane.tolist() == [0.0, 0.0]


def test_the_price_of_a_full_truck_is_what_the_next_pack_would_pay():
    # Three packs fit: 8 + 8 + 5 = 21. At a price of 5 both SKUs are indifferent or gain 3 twice: 2 x 3 + 3 x 5 = 21.
    problem = replace(TRUCK, capacity={(0, 1): 3.0}).coupled()
    prices = Prices(np.zeros(0), np.asarray([0.0, 5.0, 0.0, 0.0]), np.ones(2) / 2)
    assert bound_under(problem, prices) == pytest.approx(-21.0, rel=1e-6)
    assert limit_charge(problem, prices).tolist() == [5.0, 5.0]
    flows = Flows(problem.arrays)
    found = lower_bound(problem, flows, first_prices(problem, flows.solve().packs), -21.0, 80)
    assert found.value == pytest.approx(-21.0, rel=0.01)
    assert found.prices.lane[1] == pytest.approx(5.0, abs=0.5)


def test_a_fixed_cost_spread_over_the_packs_that_could_use_it_is_part_of_the_bound():
    # All four packs earn 26 and share a departure of 10: shares of 6 and 4 leave 16 - 6 and 10 - 4.
    problem = replace(TRUCK, lane_cost={(0, 1): 10.0}).coupled()
    prices = Prices(np.zeros(0), np.zeros(4), np.asarray([0.6, 0.4]))
    assert price_per_pack(problem, prices, strong_links(problem, prices)).tolist() == [3.0, 2.0]
    assert bound_under(problem, prices) == pytest.approx(-16.0, rel=1e-6)


def test_a_departure_too_dear_for_what_could_use_it_is_proven_so():
    # 26 can be earned for 30: at shares in proportion nobody moves anything, and the bound is 0.
    problem = replace(TRUCK, lane_cost={(0, 1): 30.0}).coupled()
    assert bound_under(problem, Prices(np.zeros(0), np.zeros(4), np.asarray([0.6, 0.4]))) == 0.0
    flows = Flows(problem.arrays)
    assert lower_bound(problem, flows, first_prices(problem, flows.solve().packs), 0.0, 60).value > -0.5


def test_a_capacity_price_beyond_the_fixed_cost_counts_once_for_the_lane():
    # At a price of 5 three litres would pay 15 for a departure of 10: min(0, 10 - 15) beside the flows' 2 x 3.
    problem = replace(TRUCK, capacity={(0, 1): 3.0}, lane_cost={(0, 1): 10.0}).coupled()
    prices = Prices(np.zeros(0), np.asarray([0.0, 5.0, 0.0, 0.0]), np.ones(2) / 2)
    assert bound_under(problem, prices) == pytest.approx(-11.0, rel=1e-6)


def test_the_price_of_a_shared_limit_is_paid_back_once_for_the_whole_limit():
    # Three units in all, a unit a pack: the same as a truck of three.
    problem = replace(TRUCK, shared=(Shared(3.0, (1.0, 1.0)),)).coupled()
    prices = Prices(np.asarray([5.0]), np.zeros(4), np.ones(2) / 2)
    assert bound_under(problem, prices) == pytest.approx(-21.0, rel=1e-6)
    # One line in all: a line at 10 costs 5 a pack of two, so 2 x 3 + 10.
    lines = replace(TRUCK, shared=(Shared(1.0, per_line=1.0),)).coupled()
    assert bound_under(lines, Prices(np.asarray([10.0]), np.zeros(4), np.ones(2) / 2)) == pytest.approx(-16.0, rel=1e-6)


def test_a_line_is_charged_over_the_packs_that_could_share_it():
    problem = replace(TRUCK, line_cost=4.0).coupled()
    prices = Prices(np.zeros(0), np.zeros(4), np.ones(2) / 2)
    assert price_per_pack(problem, prices, strong_links(problem, prices)).tolist() == [2.0, 2.0]
    assert bound_under(problem, prices) == pytest.approx(-18.0, rel=1e-6)


def test_the_first_prices_share_a_fixed_cost_by_packs_or_evenly():
    ways = (Way(0, 0, 1), Way(1, 0, 1), Way(1, 1, 0))
    network = replace(TRUCK, ways=ways, gains=TRUCK.gains | {(1, 0): (0.0,)}, losses=TRUCK.losses | {(1, 1): (9.0,)})
    problem = network.coupled()
    assert first_prices(problem, np.asarray([3, 1, 0])).share.tolist() == [0.75, 0.25, 1.0]
    assert first_prices(problem, np.asarray([0, 0, 0])).share.tolist() == [0.5, 0.5, 1.0]


@given(seed=st.integers(0, 5_000))
def test_shares_are_moved_to_the_nearest_that_add_up_to_one(seed):
    rng = np.random.default_rng(seed)
    group, share = rng.integers(0, 4, 9), rng.normal(0.3, 1.0, 9)
    found = bound._on_simplex(share, group, 5)
    for each in np.unique(group):
        mine, before = found[group == each], share[group == each]
        assert (mine >= 0).all()
        assert mine.sum() == pytest.approx(1.0)
        # Nearest: what is kept moved by one and the same amount, what is 0 would have had to move further.
        moved = (before - mine)[mine > 0]
        assert moved == pytest.approx(np.full(len(moved), moved[0]))
        assert (before[mine == 0] <= moved[0] + 1e-12).all()


def test_every_iteration_is_shown_and_a_plan_found_on_the_way_shortens_the_next_step():
    # All four packs are worth 26 and three fit: the slope in units of the capacity is 4 / 3 - 1 = 1 / 3. Polyak's step
    # from 0 with a factor of 1.5 is 1.5 x (plan + 26) x 9 x (1 / 3) / 3 a litre: 7.5 under the best plan, 39 under none.
    problem = replace(TRUCK, capacity={(0, 1): 3.0}).coupled()
    flows = Flows(problem.arrays)
    for plan, price in ((-21.0, 7.5), (0.0, 39.0)):
        seen, prices = [], []

        def watch(iteration, at, found, value, plan=plan, seen=seen, prices=prices):
            seen.append(iteration)
            prices.append(at.lane[1])
            assert value == pytest.approx(bound_at(problem, at, found))
            return plan

        lower_bound(problem, flows, first_prices(problem, flows.solve().packs), 0.0, 10, watch)
        assert seen == list(range(10))
        assert prices[:2] == [0.0, pytest.approx(price, rel=1e-5)]


def test_the_bound_of_two_hundred_skus_with_dear_departures_is_near_the_linear_relaxation():
    # The linear relaxation with strong links is -29,624; the best plan known costs -27,579.
    problem = benchmark_problem()
    flows = Flows(problem.arrays)
    found = lower_bound(problem, flows, first_prices(problem, flows.solve().packs), -27_246.0, 60)
    assert -29_800 < found.value < -28_260
