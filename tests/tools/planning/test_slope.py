"""Slope scaling: departures and lines that pay for themselves, and the best sweep of all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.planning.written_networks import Network, Way, benchmark_problem, random_network
from tools.planning import slope
from tools.planning.flow import Flows
from tools.planning.slope import at_true_cost, slope_scaled

DETOUR = Network(
    # The short way is cheaper by the pack, the lane of the other pays for itself with what it carries already.
    (Way(0, 0, 2, cost=1.0), Way(0, 1, 2, cost=2.0), Way(1, 1, 2, cost=1.0)),
    gains={(0, 2): (9.0,), (1, 2): (20.0, 20.0)},
    losses={(0, 0): (0.0,), (0, 1): (0.0,), (1, 1): (0.0, 0.0)},
    lane_cost={(0, 2): 8.5, (1, 2): 12.0},
)


def scaled(network: Network, line_price: float | None = None):
    problem = network.coupled()
    flows = Flows(problem.arrays)
    price = problem.line_cost if line_price is None else line_price
    return slope_scaled(problem, flows, flows.solve().packs, np.zeros(len(network.ways)), price)


def test_packs_go_together_where_a_departure_of_their_own_would_not_pay():
    # Without fixed costs each takes its own way: -8 - 38 + 8.5 + 12. Together: -7 - 38 + 12 = -33.
    assert Flows(DETOUR.flow_arrays()).solve().packs.tolist() == [1, 0, 2]
    found = scaled(DETOUR)
    assert (found.packs.tolist(), found.objective) == ([0, 1, 2], -33.0)
    assert DETOUR.best() == -33.0


def test_a_departure_that_never_pays_is_not_made():
    found = scaled(replace(DETOUR, lane_cost={(0, 2): 90.0, (1, 2): 90.0}))
    assert (found.packs.tolist(), found.objective) == ([0, 0, 0], 0.0)


def test_lines_that_do_not_earn_their_charge_are_left_out():
    # The first SKU earns 7 at best; a line of 7.5 makes it a loss.
    found = scaled(replace(DETOUR, line_cost=7.5))
    assert (found.packs.tolist(), found.objective) == ([0, 0, 2], -38.0 + 12.0 + 7.5)


def test_what_a_line_is_priced_above_its_charge_steers_but_is_not_paid():
    problem = DETOUR.coupled()
    found = scaled(DETOUR, line_price=7.5)
    assert found.packs.tolist() == [0, 0, 2]
    assert found.objective == problem.objective(found.packs) + 7.5


def test_a_charge_on_packs_steers_the_plan():
    problem = DETOUR.coupled()
    flows = Flows(problem.arrays)
    charge = np.asarray([0.0, 8.0, 0.0])
    found = slope_scaled(problem, flows, flows.solve(extra=charge).packs, charge, 0.0)
    assert found.packs.tolist() == [0, 0, 2]


def test_at_true_cost_the_lanes_that_are_open_are_used_as_if_they_cost_nothing():
    problem = DETOUR.coupled()
    lanes = np.zeros(9, dtype=np.bool_)
    lanes[[2, 5]] = True
    none = np.zeros(3)
    assert at_true_cost(problem, Flows(problem.arrays), lanes, none).tolist() == [1, 0, 2]
    lanes[2] = False
    assert at_true_cost(problem, Flows(problem.arrays), lanes, none).tolist() == [0, 1, 2]


def test_a_pass_through_site_is_used_by_a_sweep_and_left_to_the_rules():
    # S0 -> S1 -> S2 and no direct way: a flow knows no rule against it.
    network = Network(
        (Way(0, 0, 1, cost=1.0), Way(0, 1, 2, cost=1.0)),
        gains={(0, 1): (4.0,), (0, 2): (20.0,)}, losses={(0, 0): (0.0,), (0, 1): (4.0,)},
        lane_cost={(0, 1): 1.0, (1, 2): 1.0},
    )  # fmt: skip
    assert scaled(network).packs.tolist() == [1, 1]


@given(seed=st.integers(0, 3_000))
def test_a_sweep_is_worth_what_it_says_and_never_worse_than_nothing_or_than_paying_for_everything(seed):
    network = replace(random_network(seed), shared=(), capacity={})
    problem = network.coupled()
    flows = Flows(problem.arrays)
    first = flows.solve().packs
    found = slope_scaled(problem, flows, first, np.zeros(len(first)), problem.line_cost)
    assert found.objective == pytest.approx(network.price(tuple(found.packs.tolist())), abs=1e-9)
    assert found.objective <= 0.0


def test_two_hundred_skus_with_dear_departures_cost_what_is_known():
    problem = benchmark_problem()
    flows = Flows(problem.arrays)
    first = flows.solve().packs
    assert problem.objective(first) == pytest.approx(-10_255.20, abs=0.01)
    found = slope_scaled(problem, flows, first, np.zeros(len(first)), 0.0)
    assert found.objective == pytest.approx(-27_246.04, abs=0.01)
    assert problem.objective(found.packs) == pytest.approx(found.objective)
    assert np.count_nonzero(problem.used(found.packs)) == 50


def test_later_sweeps_drift_so_the_best_of_all_is_kept(monkeypatch):
    problem = benchmark_problem()
    flows = Flows(problem.arrays)
    first, none = flows.solve().packs, np.zeros(len(problem.arrays.arc_sku))
    found = []
    for sweeps in (1, 3, 6, 12):
        monkeypatch.setattr(slope, "SWEEPS_MAX", sweeps)
        found.append(slope_scaled(problem, flows, first, none, 0.0).objective)
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]
