"""Local search over departures: what is opened or closed pays, and the books stay right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.planning.written_networks import Network, Way, benchmark_problem, random_network
from tools.planning.flow import Flows
from tools.planning.lanes import OpenLanes, improve_lanes
from tools.planning.slope import slope_scaled

THREE = Network(
    # From S0 both receivers are near; from S1 they are far, but its lanes cost little.
    (Way(0, 0, 2, cost=1.0), Way(0, 1, 2, cost=2.0), Way(1, 0, 2, cost=1.0), Way(1, 1, 2, cost=2.0)),
    gains={(0, 2): (9.0, 9.0), (1, 2): (8.0,)},
    losses={(0, 0): (0.0, 0.0), (0, 1): (0.0, 0.0), (1, 0): (0.0,), (1, 1): (0.0,)},
    lane_cost={(0, 2): 10.0, (1, 2): 4.0},
)
DEAR, CHEAP = 2, 5


def opened_at(network: Network, packs: list[int], extra: list[float] | None = None) -> OpenLanes:
    problem = network.coupled()
    charge = np.zeros(len(network.ways)) if extra is None else np.asarray(extra)
    return OpenLanes.at(problem, Flows(problem.arrays), np.asarray(packs), charge)


def test_the_search_starts_from_the_best_flows_on_the_lanes_in_use():
    state = opened_at(THREE, [1, 0, 0, 0])
    assert state.packs.tolist() == [2, 0, 1, 0]
    assert state.total == -16.0 - 7.0 + 10.0


def test_a_lane_is_opened_where_that_pays_and_the_other_then_closed():
    state = opened_at(THREE, [2, 0, 1, 0])
    assert not state.flip(CHEAP)
    assert not state.flip(DEAR)
    assert state.opened.nonzero()[0].tolist() == [DEAR]
    both = opened_at(THREE, [1, 1, 0, 0])
    assert both.flip(DEAR)
    assert both.packs.tolist() == [0, 2, 0, 1]
    assert both.total == -14.0 - 6.0 + 4.0


def test_a_lane_that_does_not_pay_leaves_everything_as_it_was():
    state = opened_at(THREE, [0, 2, 0, 1])
    before = (state.packs.copy(), state.value.copy(), state.opened.copy())
    assert not state.flip(DEAR)
    for now, then in zip((state.packs, state.value, state.opened), before, strict=True):
        assert now.tolist() == then.tolist()
    assert state.trials == 1


def test_nothing_open_is_a_start_from_which_lanes_are_added():
    state = opened_at(THREE, [0, 0, 0, 0])
    assert state.total == 0.0
    improve_lanes(state, trials_max=20, failures_max=5)
    assert state.opened.any()
    assert THREE.best() <= state.total < 0


def test_charges_steer_the_search_and_are_part_of_its_total():
    # At 3 more a pack the way from S1 earns 9 - 5 = 4 twice, 8 - 5 = 3 once, and pays 4.
    state = opened_at(THREE, [0, 2, 0, 1], extra=[0.0, 3.0, 0.0, 3.0])
    assert state.total == -8.0 - 3.0 + 4.0
    assert state.flip(DEAR)
    assert state.flip(CHEAP)
    assert state.packs.tolist() == [2, 0, 1, 0]
    assert state.total == -13.0


@given(seed=st.integers(0, 3_000))
def test_the_search_never_makes_a_plan_worse_and_its_total_is_the_price_of_its_packs(seed):
    network = random_network(seed, rules=False)
    problem = network.coupled()
    flows = Flows(problem.arrays)
    state = OpenLanes.at(problem, flows, flows.solve().packs, np.zeros(len(network.ways)))
    before = state.total
    improve_lanes(state, trials_max=40, failures_max=10)
    assert state.total <= before + 1e-9
    assert state.total >= network.price(tuple(state.packs.tolist())) - 1e-5
    assert not (problem.used(state.packs) & ~state.opened).any()
    again = state.total
    improve_lanes(state, trials_max=state.trials + 40, failures_max=10)
    assert state.total == pytest.approx(again)


def test_the_search_ends_after_so_many_trials_or_failures_in_a_row():
    problem = benchmark_problem()
    flows = Flows(problem.arrays)
    none = np.zeros(len(problem.arrays.arc_sku))
    start = slope_scaled(problem, flows, flows.solve().packs, none, 0.0)
    few = OpenLanes.at(problem, flows, start.packs, none)
    improve_lanes(few, trials_max=25, failures_max=400)
    assert few.trials == 25
    impatient = OpenLanes.at(problem, flows, start.packs, none)
    improve_lanes(impatient, trials_max=400, failures_max=1)
    patient = OpenLanes.at(problem, flows, start.packs, none)
    improve_lanes(patient, trials_max=400, failures_max=100)
    assert impatient.trials < patient.trials
    # Slope scaling alone: -27,246.04; the search finds at least 150 more.
    assert patient.total < -27_400
    assert problem.objective(patient.packs) == pytest.approx(patient.total, abs=1e-3)
