"""What differs between two plans: each way once, and sums that are those of the plans."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_line, a_plan, in_days
from tools.plan_difference import Change, OnTheWay, Way, compare

WAY = Way("P1", "S1", "S2", "van")


def test_the_same_plan_differs_in_nothing():
    found = compare(a_plan(), a_plan())
    assert (found.changes, found.same) == ((), 1)
    assert (found.lines, found.units, found.departures, found.saving_minor) == (0, 0, 0, 0)


def test_a_line_with_other_units_or_on_another_day_has_changed():
    more = compare(a_plan(a_line(units=7)), a_plan(a_line(units=5)))
    (change,) = more.changed
    assert change == Change(WAY, OnTheWay(7, 728 * 7 - 50, (in_days(1),)), OnTheWay(5, 728 * 5 - 50, (in_days(1),)))
    assert (more.units, more.saving_minor, more.goods_value_minor) == (2, 728 * 2, 800)
    later = compare(a_plan(a_line(depart_on=in_days(2), arrive_on=in_days(3))), a_plan())
    assert [each.way for each in later.changed] == [WAY]
    assert (later.units, later.only_in_plan, later.only_in_other) == (0, (), ())


def test_two_departures_of_a_way_count_together():
    twice = a_plan(a_line(1, units=2), a_line(2, units=3, depart_on=in_days(3), arrive_on=in_days(4)))
    (change,) = compare(twice, a_plan(a_line(units=5))).changed
    assert (change.plan.units, change.plan.depart_on) == (5, (in_days(1), in_days(3)))


def test_lines_that_one_plan_alone_has_are_told_by_plan_and_the_most_valuable_first():
    plan = a_plan(a_line(1, units=2, sku_id="P2"), a_line(2, units=9, sku_id="P3"), a_line(3, units=5))
    other = a_plan(a_line(1, units=5), a_line(2, units=4, sku_id="P4"))
    found = compare(plan, other)
    assert [change.way.sku_id for change in found.only_in_plan] == ["P3", "P2"]
    assert [change.way.sku_id for change in found.only_in_other] == ["P4"]
    assert (found.same, found.lines, found.changed) == (1, 1, ())
    assert found.transfer_cost_minor == plan.transfer_cost_minor - other.transfer_cost_minor


lines = st.lists(st.tuples(st.sampled_from(("P1", "P2", "P3")), st.integers(1, 9)), min_size=1, max_size=4)


@given(lines, lines)
def test_turned_round_a_difference_has_the_opposite_sign_and_the_same_changes(one, another):
    plan, other = (
        a_plan(*(a_line(number, units=units, sku_id=sku) for number, (sku, units) in enumerate(rows, 1)))
        for rows in (one, another)
    )
    there, back = compare(plan, other), compare(other, plan)
    assert (there.units, there.saving_minor, there.lines) == (-back.units, -back.saving_minor, -back.lines)
    assert {(each.way, each.plan, each.other) for each in there.changes} == {
        (each.way, each.other, each.plan) for each in back.changes
    }
    units = sum(
        (change.plan.units if change.plan else 0) - (change.other.units if change.other else 0)
        for change in there.changes
    )
    assert units == there.units


def test_money_in_different_currencies_is_not_compared():
    with pytest.raises(ValueError, match="one plan is in EUR, the other in USD"):
        compare(a_plan(currency="EUR"), a_plan())
