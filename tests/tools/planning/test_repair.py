"""From packs that overload what SKUs share to a plan that fits and wastes no room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.planning.written_networks import Network, Shared, Way, benchmark_problem, random_network
from tools.planning.coupled import Coupled
from tools.planning.flow import Flows, IntArray
from tools.planning.repair import dropped, inserted, line_charge, polished, repaired

TRUCK = Network(
    # A pack of the first SKU earns 10 and takes two places, one of the second earns 6 and takes one.
    (Way(0, 0, 1, volume=2.0), Way(1, 0, 1, volume=1.0)),
    gains={(0, 1): (10.0, 10.0), (1, 1): (6.0, 6.0, 6.0)},
    losses={(0, 0): (0.0, 0.0), (1, 0): (0.0, 0.0, 0.0)},
    capacity={(0, 1): 3.0},
)


def filled(problem: Coupled, packs: list[int] | IntArray, lanes: list[int] | None = None) -> list[int]:
    a = problem.arrays
    every = np.ones(a.lanes, dtype=np.bool_) if lanes is None else np.isin(np.arange(a.lanes), lanes)
    return inserted(problem, np.asarray(packs), (np.zeros(len(a.arc_sku)), problem.line_cost), every).tolist()


def test_two_skus_and_one_truck_by_hand():
    # Of 2 x 2 + 3 x 1 = 7 places three are there: the three packs worth 6 a place stay, and the two worth 5 go.
    problem = TRUCK.coupled()
    cut = dropped(problem, np.asarray([2, 3]))
    assert problem.fits(cut)
    assert cut[0] == 0
    assert TRUCK.best() == -18.0
    assert repaired(problem, np.asarray([2, 3]), np.zeros(2), 0.0).tolist() == [0, 3]


def test_room_that_is_left_is_filled_with_what_earns_most():
    problem = replace(TRUCK, capacity={(0, 1): 5.0}).coupled()
    assert filled(problem, [0, 0]) == [2, 1]
    assert filled(problem, [0, 3]) == [1, 3]
    priced = inserted(problem, np.asarray([0, 0]), (np.asarray([10.0, 5.0]), 0.0), np.ones(4, dtype=np.bool_))
    assert priced.tolist() == [1, 3]


def test_nothing_is_put_in_that_does_not_pay():
    assert filled(replace(TRUCK, gains={(0, 1): (0.0,), (1, 1): (6.0, -1.0)}).coupled(), [0, 0]) == [0, 1]
    assert filled(replace(TRUCK, line_cost=7.0).coupled(), [0, 0]) == [1, 0]


def test_a_new_line_is_put_in_with_its_least_quantity_or_not_at_all():
    ways = (Way(0, 0, 1, volume=2.0), Way(1, 0, 1, volume=1.0, least=2))
    assert filled(replace(TRUCK, ways=ways).coupled(), [1, 0]) == [1, 0]
    assert filled(replace(TRUCK, ways=ways, capacity={(0, 1): 4.0}).coupled(), [1, 0]) == [1, 2]
    # A line of two that loses 8 on the second pack does not pay as a whole.
    unwanted = replace(TRUCK, ways=ways, gains={(0, 1): (1.0,), (1, 1): (6.0, -8.0)}, capacity={})
    assert filled(unwanted.coupled(), [0, 0]) == [1, 0]


def test_lanes_that_are_not_named_are_not_opened():
    assert filled(TRUCK.coupled(), [0, 0], lanes=[]) == [0, 0]
    assert filled(TRUCK.coupled(), [0, 0], lanes=[1]) == [1, 1]


def test_a_site_is_not_made_to_do_both():
    network = Network(
        (Way(0, 0, 1), Way(0, 1, 2)),
        gains={(0, 1): (4.0,), (0, 2): (20.0,)}, losses={(0, 0): (0.0,), (0, 1): (4.0,)}, capacity={(0, 1): 5.0},
    )  # fmt: skip
    assert filled(network.coupled(), [0, 0]) == [0, 1]
    assert filled(network.coupled(), [1, 0]) == [1, 0]


def test_limits_on_units_lines_and_money_hold_after_dropping():
    packs = np.asarray([2, 3])
    for row, fitting in (
        (Shared(4.0, (1.0, 1.0)), [2, 2]),
        (Shared(1.0, per_line=1.0), [2, 0]),
        (Shared(0.5, per_line=1.0), [0, 0]),
        (Shared(6.5, (2.0, 1.0), per_line=1.0, per_departure={(0, 1): 1.0}), [0, 2]),
    ):
        problem = replace(TRUCK, capacity={}, lane_cost={(0, 1): 0.5}, shared=(row,)).coupled()
        found = dropped(problem, packs)
        assert problem.fits(found)
        if row.per_line and not row.per_pack:
            assert found.tolist() == fitting
        again = repaired(problem, packs, np.zeros(2), 0.0)
        assert problem.fits(again)
        assert problem.objective(again) <= problem.objective(np.asarray(fitting)) + 1e-9


def test_a_new_line_and_its_packs_count_together_against_a_budget():
    # 2.5 are left: enough for the line or for the pack, not for both.
    problem = replace(TRUCK, capacity={}, shared=(Shared(2.5, (2.0, 2.0), per_line=1.0),)).coupled()
    assert filled(problem, [0, 0]) == [0, 0]
    enough = replace(TRUCK, capacity={}, shared=(Shared(3.0, (2.0, 2.0), per_line=1.0),)).coupled()
    assert filled(enough, [0, 0]) == [1, 0]


def test_a_line_that_would_fall_below_its_least_quantity_goes_as_a_whole():
    ways = (Way(0, 0, 1, volume=2.0), Way(1, 0, 1, volume=1.0, least=3))
    problem = replace(TRUCK, ways=ways, gains=TRUCK.gains | {(1, 1): (4.0,) * 3}, capacity={(0, 1): 6.0}).coupled()
    assert dropped(problem, np.asarray([2, 3])).tolist() == [2, 0]


@given(seed=st.integers(0, 6_000), limit=st.floats(0, 5))
def test_whatever_the_flows_ask_for_what_remains_fits_and_keeps_the_rules_of_lines_that_kept_them(seed, limit):
    network = random_network(seed)
    problem = network.coupled()
    packs = Flows(problem.arrays).solve().packs
    packs = np.where(packs >= problem.arc_least, packs, 0)
    price = np.full(len(packs), limit)
    found = repaired(problem, packs, price, problem.line_cost + limit)
    assert problem.fits(found)
    assert (found[found > 0] >= problem.arc_least[found > 0]).all()
    assert (found <= problem.arrays.arc_most).all()
    assert network.price(tuple(found.tolist())) is not None


@given(seed=st.integers(0, 6_000))
def test_packs_put_in_never_make_a_plan_worse(seed):
    network = random_network(seed)
    problem = network.coupled()
    fitting = dropped(problem, np.zeros(len(network.ways), dtype=np.int64))
    free = problem.used(fitting) | (problem.lane_cost <= 0)
    found = inserted(problem, fitting, (np.zeros(len(fitting)), problem.line_cost), free)
    assert network.permits(tuple(found.tolist()))
    assert problem.objective(found) <= problem.objective(fitting) + 1e-9


@given(seed=st.integers(0, 6_000))
def test_a_sku_solved_again_in_the_room_left_never_makes_a_plan_worse_or_too_large(seed):
    network = random_network(seed)
    problem = network.coupled()
    start = np.zeros(len(network.ways), dtype=np.int64)
    start = inserted(
        problem, start, (np.zeros(len(start)), problem.line_cost), np.ones(problem.arrays.lanes, dtype=np.bool_)
    )
    found = polished(problem, start, np.unique(problem.arrays.arc_sku))
    assert network.permits(tuple(found.tolist()))
    assert problem.objective(found) <= problem.objective(start) + 1e-9


def test_a_sku_solved_again_takes_the_cheaper_way_that_has_room():
    network = Network(
        (Way(0, 0, 2, cost=5.0), Way(0, 1, 2, cost=1.0), Way(1, 1, 2)),
        gains={(0, 2): (9.0, 9.0), (1, 2): (9.0,)}, losses={(0, 0): (0.0,) * 2, (0, 1): (0.0,) * 2, (1, 1): (0.0,)},
        capacity={(1, 2): 2.0},
    )  # fmt: skip
    problem = network.coupled()
    assert polished(problem, np.asarray([2, 0, 1]), np.asarray([0])).tolist() == [1, 1, 1]
    assert polished(problem, np.asarray([2, 0, 0]), np.asarray([0])).tolist() == [0, 2, 0]
    assert polished(problem, np.asarray([2, 0, 1]), np.asarray([1])).tolist() == [2, 0, 1]


def test_a_lines_charge_is_spread_over_what_it_carries_or_could():
    problem = replace(TRUCK, line_cost=6.0).coupled()
    assert line_charge(problem, np.asarray([1, 0]), problem.line_cost).tolist() == [6.0, 2.0]


def test_filling_trucks_again_closes_most_of_what_dropping_alone_leaves_open():
    # 200 SKUs, 60 litres a lane, no prices: what is put in again is worth several per cent of the plan.
    problem = replace(benchmark_problem(200, capacity=60.0), lane_cost=np.zeros(400))
    packs = Flows(problem.arrays).solve().packs
    assert not problem.fits(packs)
    cut = dropped(problem, packs)
    full = repaired(problem, packs, np.zeros(len(packs)), 0.0)
    assert problem.fits(cut)
    assert problem.fits(full)
    assert problem.objective(full) < 1.02 * problem.objective(cut)
