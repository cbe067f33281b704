"""Knobs are fitted on cycles that are not scored."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tools.simulation.made import a_cycle
from tools.simulation import Generator, Knobs, Ours, crossed, fit, generated, play
from tools.simulation.sources import DEFAULTS


def test_the_cheapest_knobs_win_and_of_equal_ones_the_first() -> None:
    (fold,) = generated(Generator.MS15, cycles=4, fitting_seeds=1)
    cycle = fold.held_out[0]
    grid = (Knobs(caution=50.0), Knobs(), Knobs(near_periods=9.0, unwanted_weight=None))
    costs = [play(cycle, Ours(knobs)).total_cost for knobs in grid]
    assert fit([cycle], grid) == grid[int(np.argmin(costs))] == Knobs()
    still = a_cycle([[0, 0]] * 3, [5, 5])
    assert fit([still], grid) == grid[0]


def test_fitting_needs_cycles_and_a_choice() -> None:
    with pytest.raises(ValueError, match="at least one"):
        fit([], (Knobs(),))
    with pytest.raises(ValueError, match="at least one"):
        fit([a_cycle([[0, 0]] * 3, [5, 5])], ())


def test_every_cycle_is_scored_once_and_never_with_knobs_of_its_own() -> None:
    cycles = [a_cycle([[number, 0]] * 3, [5, 5]) for number in range(5)]
    folds = crossed(cycles)
    assert sorted(id(cycle) for fold in folds for cycle in fold.scored) == sorted(map(id, cycles))
    for fold in folds:
        assert not {id(cycle) for cycle in fold.scored} & {id(cycle) for cycle in fold.held_out}


def test_a_single_window_is_split_by_its_skus() -> None:
    cycle = a_cycle([[1, 2]] * 3, [5, 5]).only(np.array([0, 0, 0]))
    first, second = crossed([cycle])
    assert (first.scored[0].skus, second.scored[0].skus) == (2, 1)
    with pytest.raises(ValueError, match="cannot be both"):
        crossed([a_cycle([[1, 2]] * 3, [5, 5])])


@pytest.mark.parametrize("generator", list(Generator))
def test_generators_repeat_themselves_and_fit_on_other_demand(generator: Generator) -> None:
    (first,), (again,) = (generated(generator, cycles=3) for _ in range(2))
    assert (first.scored[0].demand == again.scored[0].demand).all()
    assert (first.scored[0].move_cost == again.scored[0].move_cost).all()
    for other in first.held_out:
        assert not (other.demand == first.scored[0].demand).all()
    assert first.scored[0].lead_periods_max == DEFAULTS[generator].lead_time_periods


def test_what_is_asked_of_a_generator_is_what_it_makes() -> None:
    (fold,) = generated(Generator.M5, cycles=5, cost=2.0, lead_time_periods=2, seed=11)
    (plain,) = generated(Generator.M5, cycles=5, cost=1.0, seed=11)
    assert fold.scored[0].skus == 5
    assert fold.scored[0].lead_periods_max == 2
    assert fold.scored[0].move_cost == pytest.approx(2.0 * plain.scored[0].move_cost)
