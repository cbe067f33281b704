"""Cycles played by hand, and units that are never lost on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.simulation.made import a_cycle, cycles
from tools.simulation import Cycle, no_transfers, play
from tools.simulation.cycle import IntArray
from tools.simulation.view import View


@dataclass
class Sends:
    """Sends from the first site to the second in one period, and remembers what it saw."""

    units: int
    period: int = 1
    seen: list[View] | None = None

    def __call__(self, view: View) -> IntArray:
        self.seen = [*(self.seen or []), view]
        sent = no_transfers(view)
        if view.period == self.period:
            sent[0, view.cycle.lanes.origin == 0] = self.units
        return sent


@dataclass
class Haphazard:
    """Sends anything anywhere, within what is there and beyond."""

    seed: int

    def __call__(self, view: View) -> IntArray:
        rng = np.random.default_rng(self.seed + view.period)
        return rng.integers(0, 4, (view.cycle.skus, len(view.cycle.lanes)))


def test_doing_nothing_costs_lost_sales_and_leftovers() -> None:
    outcome = play(a_cycle([[3, 0], [3, 1]], [4, 5]), no_transfers)
    assert (outcome.lost.tolist(), outcome.left.tolist()) == ([2], [4])
    assert outcome.total_cost == 2 * 10 + 4 * 1


def test_a_transfer_without_lead_time_serves_the_same_period() -> None:
    outcome = play(a_cycle([[0, 3], [0, 3]], [4, 3], move_cost=0.5), Sends(3))
    assert (outcome.lost.tolist(), outcome.left.tolist(), outcome.moved.sum()) == ([0], [1], 3)
    assert outcome.total_cost == 3 * 0.5 + 1


def test_units_under_way_arrive_after_the_lead_time_and_count_to_the_position_before() -> None:
    rule = Sends(3)
    outcome = play(a_cycle([[0, 3], [0, 1], [0, 3]], [4, 3], lead=1), rule)
    assert outcome.lost.tolist() == [1]
    assert outcome.left.tolist() == [1]
    assert rule.seen is not None
    assert [view.period for view in rule.seen] == [1]


def test_the_first_decision_comes_in_the_second_period_and_the_last_one_can_still_arrive() -> None:
    rule = Sends(0)
    play(a_cycle([[0, 0]] * 5, [4, 3], lead=2), rule)
    assert [view.period for view in rule.seen or []] == [1, 2]


def test_the_position_counts_transit_and_the_stock_does_not() -> None:
    rule = Sends(2)
    play(a_cycle([[0, 0]] * 5, [4, 3], lead=2), rule)
    (_, second) = rule.seen or []
    assert (second.stock.tolist(), second.position.tolist()) == ([[2, 3]], [[2, 5]])
    assert second.moved.sum() == 2


def test_an_origin_that_lacks_the_units_sends_less_on_every_lane() -> None:
    outcome = play(a_cycle([[0, 0, 0]] * 2, [5, 0, 0]), Sends(4))
    assert outcome.moved.sum() == 4
    assert outcome.moved.max() == 2


def test_lanes_are_paid_once_for_each_day_they_are_used() -> None:
    outcome = play(a_cycle([[0, 0]] * 3, [9, 0], day_cost=7.0), Sends(2))
    assert outcome.lane_cost == 7.0
    assert outcome.lane_days.sum() == 1


def test_negative_units_and_closed_lanes_are_refused() -> None:
    cycle = a_cycle([[0, 0]] * 2, [5, 0])
    with pytest.raises(ValueError, match="negative units"):
        play(cycle, Sends(-1))
    with pytest.raises(ValueError, match="may not travel"):
        play(a_cycle([[0, 0]] * 2, [5, 0], move_cost=float("inf")), Sends(1))


@settings(max_examples=60)
@given(cycles(), st.integers(0, 10**6))
def test_units_are_conserved_whatever_a_rule_sends(cycle: Cycle, seed: int) -> None:
    outcome = play(cycle, Haphazard(seed))
    sold = outcome.demanded - outcome.lost
    assert (cycle.stock.sum(axis=1) - sold == outcome.left).all()
    assert (outcome.left >= 0).all()
    assert (outcome.lost >= 0).all()
