"""Common levels of groups: the newsvendor's ratio, and no other level that costs less."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.strategy.stocked import some_rows
from tools.demand import expected_sales_of
from tools.strategy.curve import Trace
from tools.strategy.ladder import Ladder
from tools.strategy.levels import (
    LEVELS_BP,
    Groups,
    Sums,
    cheapest_levels,
    daily_cost_e4,
    levels_at,
    levels_of,
)


def a_mixed_ladder(daily_means: list[float], lost: list[float], **fields: object) -> Ladder:
    """Site-SKUs of two classes, each with its own cost of a lost unit."""
    classes = np.arange(len(daily_means)) % 2
    return Ladder.of(some_rows(daily_means, demand_class=classes, lost_e4=np.array(lost[: len(daily_means)]), **fields))


def test_the_cost_of_a_level_by_hand() -> None:
    """Mean 5 over the protection days, and level 5: holding 0.01 a day on E[(5 - D)+], 5.00 for each of E[(D - 5)+]."""
    ladder = Ladder.of(some_rows([1.0]))
    served = float(expected_sales_of(5.0, 5.0, np.array([5]))[0])
    by_hand = 100 * (5 - served) + 50_000 * (5 - served) / 3
    assert daily_cost_e4(ladder, np.array([5]))[0] == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("lost_e4", "least_bp"), [(300.0, 5_000), (2_700.0, 9_000), (14_700.0, 9_800), (29_700.0, 9_900)]
)
def test_a_level_follows_the_newsvendors_ratio(lost_e4: float, least_bp: int) -> None:
    """Holding a unit for a review period costs 300; lost / (lost + 300) is 50, 90, 98 and 99 %. Demand is large and fine."""
    rows = some_rows([8.0] * 40, lost_e4=np.full(40, lost_e4), daily_mean=np.linspace(8, 10, 40))
    ladder = Ladder.of(rows)
    chosen = cheapest_levels(ladder, Groups.of(ladder)).level_bp[0]
    near = LEVELS_BP.index(least_bp)
    assert chosen in LEVELS_BP[max(near - 1, 0) : near + 2]


@given(
    st.lists(st.floats(0.01, 20), min_size=1, max_size=8),
    st.lists(st.floats(1, 200_000), min_size=8, max_size=8),
    st.floats(1.0, 4.0),
)
@settings(max_examples=50, deadline=None)
def test_no_other_common_level_of_a_group_costs_less(
    daily_means: list[float], lost: list[float], dispersion: float
) -> None:
    ladder = a_mixed_ladder(daily_means, lost, dispersion=dispersion)
    groups = Groups.of(ladder)
    chosen = cheapest_levels(ladder, groups)
    cost = groups.sums(daily_cost_e4(ladder, chosen.steps))
    for level_bp in LEVELS_BP:
        assert (cost <= groups.sums(daily_cost_e4(ladder, ladder.steps_to(level_bp))) * (1 + 1e-9)).all()
    assert all(len(set(chosen.level_bp[groups.of_row == group])) == 1 for group in range(len(groups)))


@given(st.lists(st.floats(0.01, 20), min_size=2, max_size=8), st.integers(0, 200))
@settings(max_examples=40, deadline=None)
def test_the_parts_add_up_to_the_whole(daily_means: list[float], rank: int) -> None:
    ladder = a_mixed_ladder(daily_means, [50_000.0] * 8)
    groups = Groups.of(ladder)
    sums = Sums.of(ladder, groups, levels_at(ladder, min(rank, len(ladder.row))))
    whole = sums.standing(np.arange(len(groups)), "USD")
    parts = [sums.standing(np.array([group]), "USD") for group in range(len(groups))]
    assert whole.order_up_to_units == sum(part.order_up_to_units for part in parts)
    assert whole.safety_stock_units == sum(part.safety_stock_units for part in parts)
    assert abs(whole.investment_minor - sum(part.investment_minor for part in parts)) <= len(parts)
    assert min(part.service_level_bp for part in parts) <= whole.service_level_bp <= max(part.service_level_bp for part in parts)  # fmt: skip


def test_levels_along_the_curve_come_with_the_service_levels_that_they_mean() -> None:
    ladder = Ladder.of(some_rows([0.2, 0.2], costs=[30_000, 10_000]))
    rank = Trace(ladder, "USD").rank_of_cost(50_000)
    levels = levels_at(ladder, rank)
    assert levels.steps.tolist() == [1, 2]
    assert levels.level_bp == pytest.approx([10_000 * 2 / np.e, 10_000 * 2.5 / np.e])


def test_a_group_without_rows_has_no_level() -> None:
    ladder = Ladder.of(some_rows([]))
    groups = Groups.of(ladder)
    assert len(cheapest_levels(ladder, groups).steps) == 0
    standing = Sums.of(ladder, groups, levels_of(ladder, ladder.rows.level_bp)).standing(np.arange(0), "USD")
    assert (standing.service_level_bp, standing.fill_rate_ppm, standing.investment_minor) == (10_000, 1_000_000, 0)
