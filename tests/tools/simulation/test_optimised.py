"""Rules that solve a transport problem: against enumeration, and what the knobs do."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from tests.tools.simulation.made import a_cycle, cycles, view_of
from tools.simulation import Cycle, FullHorizon, Knobs, Ours, mean_demand, play
from tools.simulation.cycle import Lanes
from tools.simulation.metrics import reversed_units
from tools.simulation.view import Level, View


def expected_cost(stock: tuple[int, ...], means: tuple[float, ...]) -> float:
    """Of the last period: 10 for a unit lost, 1 for a unit left, Poisson demand."""
    asked = np.arange(80)
    total = 0.0
    for units, mean in zip(stock, means, strict=True):
        chances = stats.poisson.pmf(asked, mean)
        total += float((chances * (10 * np.maximum(asked - units, 0) + np.maximum(units - asked, 0))).sum())
    return total


@pytest.mark.parametrize("stock", [(0, 9, 4), (12, 0, 1), (3, 3, 3), (0, 0, 15)])
@pytest.mark.parametrize("cost", [0.5, 3.0])
def test_the_last_decision_is_the_best_of_all(stock: tuple[int, int, int], cost: float) -> None:
    means = (4.0, 2.0, 1.0)
    cycle = a_cycle([[4, 2, 1]] * 2, stock, move_cost=cost)
    sent = Ours()(view_of(cycle))[0]
    pairs = list(zip(cycle.lanes.origin.tolist(), cycle.lanes.destination.tolist(), strict=True))

    def after(units: tuple[int, ...]) -> tuple[int, ...]:
        left = list(stock)
        for (origin, destination), moved in zip(pairs, units, strict=True):
            left[origin] -= moved
            left[destination] += moved
        return tuple(left)

    found = expected_cost(after(tuple(sent.tolist())), means) + cost * sent.sum()
    total = sum(stock)
    best = min(
        expected_cost((a, b, total - a - b), means)
        + cost * sum(max(end - start, 0) for start, end in zip(stock, (a, b, total - a - b), strict=True))
        for a, b in product(range(total + 1), repeat=2)
        if a + b <= total
    )
    assert found == pytest.approx(best, abs=1e-6)


def test_a_transfer_that_can_wait_waits() -> None:
    # Site 0 has enough for the next period; site 1 has plenty either way.
    cycle = a_cycle([[2, 2]] * 6, [8, 30], move_cost=3.0)
    assert Ours()(view_of(cycle)).sum() == 0
    assert FullHorizon()(view_of(cycle)).sum() > 0
    assert Ours()(view_of(cycle, period=4, stock=[1, 20])).sum() > 0


def test_caution_moves_fewer_units() -> None:
    view = view_of(a_cycle([[2, 2]] * 3, [0, 12], move_cost=2.0))
    units = [Ours(Knobs(caution=caution))(view).sum() for caution in (0.0, 0.5, 5.0)]
    assert units[0] >= units[1] >= units[2]
    assert units[0] > units[2] == 0


def test_a_longer_near_horizon_moves_more() -> None:
    view = view_of(a_cycle([[2, 2]] * 8, [0, 40], move_cost=1.0))
    units = [Ours(Knobs(near, None))(view).sum() for near in (1.0, 1.5, 3.0)]
    assert units == sorted(units)
    assert units[0] < units[2]


def test_decisions_come_every_so_many_periods() -> None:
    cycle = a_cycle([[2, 2]] * 6, [0, 12])
    rule = Ours(Knobs(every_periods=3))
    sending = [period for period in range(1, 6) if rule(view_of(cycle, period)).any()]
    assert sending == [1, 4]


@pytest.mark.parametrize(
    "knobs",
    [
        {"near_periods": 0.0},
        {"caution": -0.1},
        {"every_periods": 0},
        {"unwanted_weight": 0.0},
        {"unwanted_weight": 1.1},
        {"lane_caution": -1.0},
    ],
)
def test_knobs_without_a_meaning_are_refused(knobs: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"near periods|caution|weight"):
        Knobs(**knobs)  # type: ignore[arg-type]


def test_what_was_sent_does_not_come_back() -> None:
    cycle = a_cycle([[2, 2]] * 3, [0, 12])
    forth = cycle.lanes.origin == 0
    moved = np.zeros((1, 2), dtype=np.int64)
    moved[0, forth] = 1
    assert Ours()(view_of(cycle))[0, ~forth].sum() > 0
    assert Ours()(View(cycle, 1, cycle.stock, cycle.stock, Level.before(cycle), moved)).sum() == 0


@settings(max_examples=30)
@given(cycles())
def test_over_a_cycle_nothing_goes_to_and_fro(cycle: Cycle) -> None:
    assert reversed_units(cycle, play(cycle, Ours())) == 0


def test_of_two_ways_the_slower_one_must_be_cheaper_by_what_it_misses() -> None:
    lanes = Lanes(np.array([1, 2]), np.array([0, 0]), np.array([0, 2]), np.zeros(2))
    # What the slower one brings is sold on the last day alone, with 1 - e^-3 in place of 1 - e^-9: 11 x 0.0497 = 0.55.
    cycle = a_cycle([[3, 0, 0]] * 4, [0, 20, 20], lanes=lanes, forecast=[[3.0, 0.01, 0.01]] * 4)
    for cost, slower in ((0.5, False), (0.4, True)):
        cycle.move_cost[:] = [[1.0, cost]]
        fast, slow = Ours()(view_of(cycle))[0]
        assert (fast == 0, slow > 0) == (slower, slower)


def test_mean_demand_fills_shortages_from_surpluses_at_least_cost() -> None:
    lanes = Lanes(np.array([1, 2]), np.array([0, 0]), np.array([0, 0]), np.zeros(2))
    cycle = a_cycle([[2, 2, 2]] * 4, [0, 9, 14], lanes=lanes)
    cycle.move_cost[:] = [[3.0, 1.0]]
    assert mean_demand(view_of(cycle)).tolist() == [[0, 6]]


def test_the_one_shot_plan_acts_in_the_middle_alone() -> None:
    cycle = a_cycle([[2, 2]] * 6, [0, 24])
    assert [period for period in range(1, 6) if FullHorizon(once=True)(view_of(cycle, period)).any()] == [3]
