"""A cycle refuses arrays that do not fit, and knows its lanes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.tools.simulation.made import a_cycle
from tools.simulation.cycle import Lanes, complete_lanes


def test_arrays_that_do_not_fit_are_refused_by_name() -> None:
    cycle = a_cycle([[1, 2], [3, 4]], [5, 6])
    with pytest.raises(ValueError, match=r"stock has shape \(1, 3\), expected \(1, 2\)"):
        replace(cycle, stock=np.zeros((1, 3), dtype=np.int64))
    with pytest.raises(ValueError, match="not negative"):
        replace(cycle, demand=cycle.demand - 5)
    with pytest.raises(ValueError, match="prior is positive"):
        replace(cycle, level_prior=0.0)


@pytest.mark.parametrize(
    ("origin", "destination", "lead", "cost", "words"),
    [
        ([0], [0], [1], [0.0], "from a site to another"),
        ([0], [1], [-1], [0.0], "not negative"),
        ([0], [1], [1], [-2.0], "not negative"),
        ([0, 1], [1], [1], [0.0], "different lengths"),
    ],
)
def test_lanes_that_lead_nowhere_are_refused(
    origin: list[int], destination: list[int], lead: list[int], cost: list[float], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Lanes(np.array(origin), np.array(destination), np.array(lead), np.array(cost))


def test_a_lane_to_an_unknown_site_is_refused() -> None:
    lanes = Lanes(np.array([0]), np.array([7]), np.array([0]), np.array([0.0]))
    with pytest.raises(ValueError, match="beyond the 2 there are"):
        a_cycle([[1, 2]], [5, 6], lanes=lanes)


def test_every_ordered_pair_of_sites_has_a_lane() -> None:
    lanes = complete_lanes(np.ones((3, 3)), 2)
    pairs = set(zip(lanes.origin.tolist(), lanes.destination.tolist(), strict=True))
    assert pairs == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}


def test_a_lane_is_usable_while_its_goods_still_arrive_in_time() -> None:
    lanes = Lanes(np.array([0, 1]), np.array([1, 0]), np.array([0, 2]), np.zeros(2))
    cycle = a_cycle([[1, 1]] * 4, [5, 5], lanes=lanes)
    assert [cycle.usable_lanes(period).tolist() for period in range(1, 4)] == [
        [True, True],
        [True, False],
        [True, False],
    ]


def test_a_site_looks_at_its_fastest_lane_and_one_without_lanes_at_once() -> None:
    lanes = Lanes(np.array([0, 2]), np.array([1, 1]), np.array([3, 2]), np.zeros(2))
    assert a_cycle([[1, 1, 1]], [5, 5, 5], lanes=lanes).site_lead_periods.tolist() == [0, 2, 0]


def test_a_delay_lengthens_every_lane_and_a_misjudged_forecast_leaves_demand_alone() -> None:
    cycle = a_cycle([[2, 2]] * 3, [5, 5], lead=1)
    assert cycle.delayed(2).lanes.lead_time_periods.tolist() == [3, 3]
    wrong = cycle.misjudged(1.5)
    assert (wrong.forecast == 3.0).all()
    assert (wrong.demand == cycle.demand).all()
