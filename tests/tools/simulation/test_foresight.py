"""Nobody does better than foresight; and the totals of a published instance."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.tools.simulation.made import a_cycle, cycles
from tools.simulation import PLANNER_RULES, SOLVER_RULES, Cycle, Ours, no_transfers, play
from tools.simulation.foresight import foresight_cost, foresight_lost
from tools.simulation.generators import meissner_senicheva
from tools.simulation.thumb import by_equalisation, nearest_surplus


def test_foresight_moves_what_is_left_over_to_where_it_is_asked() -> None:
    # Site 0 needs 4 and has 1, of which period 0 takes all; site 1 needs 2 of its 9.
    cycle = a_cycle([[1, 1], [1, 1], [2, 0]], [1, 9], move_cost=0.5)
    assert foresight_cost(cycle).tolist() == [3 * 0.5 + 4 * 1.0]
    assert foresight_lost(cycle).tolist() == [0]


def test_what_is_asked_before_a_transfer_can_arrive_is_lost_to_foresight_too() -> None:
    cycle = a_cycle([[1, 0], [1, 0], [2, 0]], [0, 9], move_cost=0.5, lead=1)
    assert foresight_lost(cycle).tolist() == [2]
    assert foresight_cost(cycle).tolist() == [2 * 10 + 2 * 0.5 + 7 * 1.0]


def test_a_move_dearer_than_a_lost_sale_is_not_made() -> None:
    cycle = a_cycle([[0, 0], [3, 0]], [0, 9], move_cost=99.0)
    assert foresight_cost(cycle).tolist() == [3 * 10 + 9 * 1.0]


@settings(max_examples=40)
@given(cycles())
def test_no_rule_beats_foresight(cycle: Cycle) -> None:
    least = foresight_cost(cycle)
    for rule in (no_transfers, Ours(), *PLANNER_RULES.values(), *SOLVER_RULES.values()):
        assert (play(cycle, rule).sku_cost >= least - 1e-6).all()


def test_totals_of_the_published_fifteen_site_instance() -> None:
    cycle = meissner_senicheva(15, 40, 0.1, 3)
    assert play(cycle, no_transfers).total_cost == pytest.approx(190_070, abs=1)
    assert play(cycle, nearest_surplus).total_cost == pytest.approx(96_330, abs=1)
    assert play(cycle, by_equalisation).total_cost == pytest.approx(94_268, abs=1)
    assert foresight_cost(cycle).sum() == pytest.approx(75_724, abs=1)
    assert play(cycle, Ours()).total_cost < 80_043
