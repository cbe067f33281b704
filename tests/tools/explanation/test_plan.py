"""What binds a plan as a whole, and the kinds of limits that hold its lines."""

from __future__ import annotations

import pytest

from tests.builders import a_line, a_needy_network, a_plan, a_sku, limits_for
from tools.explanation import bindings_of
from tools.transfers import Overlays, PlanRequest


def test_a_limit_that_leaves_no_pack_is_counted_with_the_lines_that_it_holds():
    found = bindings_of(a_needy_network(), limits_for(), a_plan(a_line(units=100)))
    assert [(each.constraint.code, each.lines) for each in found.bindings] == [("available_stock", 1)]
    assert (found.seen, found.free, found.totals) == (1, 0, ())
    assert found.words == ("One line is held by a limit of this kind: P1 at S1: 100 are available and 100 are sent.",)


def test_a_line_that_could_be_larger_is_held_by_no_limit():
    found = bindings_of(a_needy_network(), limits_for(), a_plan(a_line(units=5)))
    assert (found.bindings, found.free) == ((), 1)
    assert found.words == ("One line is held by no limit: a pack more would not pay.",)


@pytest.mark.parametrize(
    ("overlays", "limits", "words"),
    [
        ({"max_lines": 1}, {}, "the request admits 1 lines and the plan has 1 lines"),
        ({"max_units": 5}, {}, "the request admits 5 and the plan moves 5"),
        ({"transport_budget_minor": 600}, {}, "the request allows 6.00 USD of moving cost and the plan takes 5.50 USD"),
        ({}, {"lines_max": 1}, "a plan may have 1 lines and this one has 1 lines"),
        ({}, {"units_max": 5}, "a plan may move 5 and this one moves 5"),
        ({}, {"goods_value_max_minor": 2_200}, "a plan may move goods for 22.00 USD and this one moves 20.00 USD"),
    ],
)
def test_a_total_that_is_nearly_used_up_binds_the_plan_as_a_whole(overlays, limits, words):
    plan = a_plan(a_line(units=5), request=PlanRequest(overlays=Overlays(**overlays)))
    found = bindings_of(a_needy_network(), limits_for(**limits), plan)
    assert [each.code for each in found.totals] == [found.totals[0].code]
    assert found.words[0] == f"The plan as a whole is at a limit or near one: {words}."
    assert all(each.constraint.where != "the plan" for each in found.bindings)


def test_a_total_with_room_left_binds_nothing():
    plan = a_plan(a_line(units=5), request=PlanRequest(overlays=Overlays(max_units=6, max_lines=2)))
    assert bindings_of(a_needy_network(), limits_for(units_max=1_000), plan).totals == ()


def test_what_is_less_than_a_pack_is_a_limit_and_the_kind_that_holds_most_lines_comes_first():
    snapshot = a_needy_network(skus=(a_sku("P1", pack_size=30),))
    found = bindings_of(snapshot, limits_for(), a_plan(a_line(units=90, packs=3)))
    assert {each.constraint.code for each in found.bindings} == {"available_stock", "pack_size"}
    assert "10 more could be sent, which is less than a pack of 30" in " ".join(found.words)


def test_a_plan_without_lines_is_bound_by_nothing():
    found = bindings_of(a_needy_network(), limits_for(), a_plan().model_copy(update={"lines": (), "lanes": ()}))
    assert (found.seen, found.words) == (0, ())
