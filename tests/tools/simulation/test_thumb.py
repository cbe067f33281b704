"""Rules of thumb on cases solved by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from tests.tools.simulation.made import a_cycle, cycles, view_of
from tools.simulation import PLANNER_RULES, Cycle
from tools.simulation.cycle import IntArray, Lanes
from tools.simulation.thumb import by_availability, by_equalisation, largest_to_largest, nearest_surplus
from tools.simulation.view import View

# Mean demand until the end: 6 at every site. Site 0 is short by 6, sites 1 and 2 have 3 and 8 to spare.
STOCK = [0, 9, 14]
NEAR_ONE = {(1, 0): 1.0, (2, 0): 3.0}


def a_view() -> View:
    lanes = Lanes(np.array([1, 2]), np.array([0, 0]), np.array([0, 0]), np.zeros(2))
    cycle = a_cycle([[2, 2, 2]] * 4, STOCK, lanes=lanes)
    cycle.move_cost[:] = [[1.0, 3.0]]
    return view_of(cycle)


def lines(view: View, sent: IntArray) -> dict[tuple[int, int], int]:
    lanes = view.cycle.lanes
    return {
        (int(lanes.origin[lane]), int(lanes.destination[lane])): int(units)
        for lane, units in enumerate(sent[0])
        if units
    }


def test_nearest_surplus_empties_the_cheapest_site_first() -> None:
    assert lines(a_view(), nearest_surplus(a_view())) == {(1, 0): 3, (2, 0): 3}


def test_largest_to_largest_takes_from_the_largest_surplus() -> None:
    assert lines(a_view(), largest_to_largest(a_view())) == {(2, 0): 6}


def test_availability_matches_the_largest_request_with_the_largest_offer() -> None:
    assert lines(a_view(), by_availability(a_view())) == {(2, 0): 6}


def test_equalisation_brings_all_sites_to_the_same_cover_from_the_cheapest() -> None:
    # 23 units over three equal sites: 7 each.
    assert lines(a_view(), by_equalisation(a_view())) == {(1, 0): 2, (2, 0): 5}


def test_of_two_lanes_between_the_same_sites_the_cheaper_one_is_taken() -> None:
    lanes = Lanes(np.array([1, 1]), np.array([0, 0]), np.array([0, 0]), np.zeros(2))
    cycle = a_cycle([[2, 2]] * 4, [0, 12], lanes=lanes)
    cycle.move_cost[:] = [[5.0, 1.0]]
    assert nearest_surplus(view_of(cycle)).tolist() == [[0, 6]]


@pytest.mark.parametrize("rule", PLANNER_RULES.values(), ids=PLANNER_RULES)
def test_no_site_short_no_transfer(rule: object) -> None:
    view = view_of(a_cycle([[2, 2, 2]] * 4, [5, 9, 30]))
    assert rule(view).sum() == 0  # type: ignore[operator]


@settings(max_examples=40)
@given(cycles())
def test_no_rule_sends_more_than_a_site_has(cycle: Cycle) -> None:
    view = View.at(cycle, 1, cycle.stock)
    for rule in PLANNER_RULES.values():
        sent = rule(view)
        out = np.zeros_like(cycle.stock)
        np.add.at(out.T, cycle.lanes.origin, sent.T)
        assert (sent >= 0).all()
        assert (out <= cycle.stock).all()
