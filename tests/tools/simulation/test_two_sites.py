"""The exact two-site programme: its optimum, its evaluation against play, and how near our rule comes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tools.simulation import PLANNER_RULES, Ours, no_transfers, play
from tools.simulation.thumb import nearest_surplus
from tools.simulation.two_sites import SUITE, TwoSites, evaluate, shares, solve

SMALL = TwoSites((1.0, 2.0), 1.0, 5.0, periods=3)


@pytest.mark.parametrize(
    ("mean", "dispersion", "cost", "gain", "share"),
    [
        ((2.0, 2.0), 1.0, 2.0, 22.27, 0.779),
        ((2.0, 2.0), 2.0, 10.0, 24.52, 0.550),
        ((1.0, 3.0), 1.0, 25.0, 6.53, 0.404),
        ((4.0, 4.0), 1.0, 10.0, 26.27, 0.648),
    ],
)
def test_the_optimum_gains_what_it_gains(
    mean: tuple[float, float], dispersion: float, cost: float, gain: float, share: float
) -> None:
    found = solve(TwoSites(mean, dispersion, cost))
    assert found.optimum - found.nothing == pytest.approx(gain, abs=0.006)
    assert found.optimum_share == pytest.approx(share, abs=0.0006)


def test_doing_nothing_is_evaluated_as_doing_nothing_and_no_rule_beats_the_optimum() -> None:
    found = solve(SMALL)
    assert evaluate(SMALL, no_transfers) == pytest.approx(found.nothing)
    for rule in (Ours(), *PLANNER_RULES.values()):
        assert evaluate(SMALL, rule) <= found.optimum + 1e-9
    assert found.nothing < found.optimum < found.foresight


def test_the_exact_value_is_the_mean_of_played_cycles() -> None:
    rng = np.random.default_rng(1)
    count = 1_500
    cycle = SMALL.cycle().only(np.zeros(count, dtype=np.int64))
    cycle = replace(cycle, demand=rng.poisson(cycle.forecast).astype(np.int64))
    for rule in (nearest_surplus, Ours()):
        played = play(cycle, rule)
        money = SMALL.lost_cost * (played.demanded - played.lost) - SMALL.left_cost * played.left - played.move_cost
        error = money.std() / np.sqrt(count)
        assert abs(money.mean() - evaluate(SMALL, rule)) < 4 * error


def test_our_rule_is_close_to_the_optimum() -> None:
    hard = (SUITE[1], SUITE[2], SUITE[8])
    found = shares({"ours": Ours(), "nearest": nearest_surplus}, hard)
    assert min(found["ours"]) >= 0.96
    assert np.mean(found["ours"]) > np.mean(found["nearest"])
