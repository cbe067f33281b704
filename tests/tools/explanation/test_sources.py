"""The source that came second, and why, in parts that add up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import (
    a_forecast,
    a_lane,
    a_line,
    a_plan,
    a_position,
    a_replenishment,
    a_site,
    a_snapshot,
    limits_for,
)
from tests.tools.planning.random_networks import random_case
from tools.explanation import explain_line
from tools.inventory import LaneKey, SiteSku
from tools.planning import Move, evaluate, make_plan, moves_of, solve
from tools.planning.breaches import find_breaches
from tools.transfers import PlanRequest, Scope
from tools.whatif import assumed

LIMITS = limits_for(approval_latency_days=1, line_charge_minor=50)


def network(*lanes: Any, stock: dict[str, int] | None = None, **fields: Any):
    """S2 sells a hundred a day and has none. S1 and S3 have plenty that nobody asks for there."""
    held = {"S1": 100, "S2": 0, "S3": 100} | (stock or {})
    defaults: dict[str, Any] = {
        "sites": tuple(a_site(site) for site in sorted(held)),
        "lanes": (a_lane("S1", "S2"), *lanes),
        "positions": tuple(a_position(site, on_hand_units=units) for site, units in held.items()),
        "forecasts": (a_forecast("S2", daily_units=100),),
        "replenishments": tuple(a_replenishment(site) for site in held),
    }
    return a_snapshot(**defaults | fields)


def explained(snapshot, limits=LIMITS, **fields: Any):
    return explain_line(snapshot, limits, a_plan(a_line(units=5), **fields), 1)


def test_dearer_freight_and_a_departure_that_costs_more_are_the_reasons():
    found = explained(network(a_lane("S3", "S2", cost_per_unit_e4=1_000, cost_fixed_e4=80_000))).runner_up
    assert found is not None
    # Five units at 10 cents, and a departure of 8.00 in place of one of 5.00.
    assert (found.site_id, found.units, found.freight_minor, found.departure_minor) == ("S3", 5, 50, 300)
    assert (found.later_minor, found.loss_minor, found.fewer_minor, found.less_minor) == (0, 0, 0, 350)
    assert found.own_departure


def test_arriving_later_is_a_reason():
    # At 0.5 a day the first unit is sold by then with 1 - e^-2.5 where the van brings it on day 2 of 7, and with
    # 1 - e^-1 where the truck does on day 5: 0.917915 - 0.632121 of 6.08, five times.
    snapshot = network(a_lane("S3", "S2", "truck", lead_time_days=4), forecasts=(a_forecast("S2", daily_units=0.5),))
    found = explained(snapshot).runner_up
    assert found is not None
    assert found.later_minor == found.less_minor == 869


def test_what_the_other_donor_would_miss_is_a_reason():
    snapshot = network(
        a_lane("S3", "S2"),
        stock={"S3": 5},
        forecasts=(a_forecast("S2", daily_units=100), a_forecast("S3", daily_units=0.3)),
    )
    found = explained(snapshot).runner_up
    assert found is not None
    assert found.loss_minor > 0
    assert found.less_minor == found.loss_minor


def test_a_donor_that_can_spare_less_is_compared_with_what_it_has():
    limits = limits_for(approval_latency_days=1, protected_units={SiteSku("S3", "P1"): 7})
    found = explained(network(a_lane("S3", "S2"), stock={"S3": 10}), limits)
    assert found.runner_up is not None
    # Two units less, of 6.08 each.
    assert (found.runner_up.units, found.runner_up.fewer_minor, found.runner_up.less_minor) == (3, 1_216, 1_216)
    assert "units that it cannot spare, of 10 with 7 to keep" in found.words


@pytest.mark.parametrize(
    ("lane", "limits", "rule"),
    [
        ({}, {"closed_lanes": {LaneKey("S3", "S2", "van"): "forbidden_lane"}}, "forbidden_lane"),
        ({}, {"protected_units": {SiteSku("S3", "P1"): 100}}, "source_protection"),
        ({}, {"no_send": {SiteSku("S3", "P1"): "cool_down"}}, "cool_down"),
        ({"allowed_categories": ("dairy",)}, {}, "lane_categories"),
        ({"capacity_microlitres_per_departure": 2_000_000}, {}, "lane_capacity_microlitres"),
    ],
)
def test_a_source_that_is_barred_is_named_with_the_rule(lane, limits, rule):
    snapshot = network(a_lane("S3", "S2", cost_fixed_e4=0, **lane))
    found = explained(snapshot, limits_for(approval_latency_days=1, **limits))
    assert found.runner_up is None
    assert found.barred is not None
    assert found.barred.barriers[0].rule == rule
    assert "S3 by van would save" in found.words
    assert "but is barred" in found.words


def test_a_better_source_that_is_barred_stands_beside_the_one_that_came_second():
    snapshot = network(a_lane("S3", "S2", cost_fixed_e4=0), a_lane("S4", "S2"), stock={"S4": 50})
    closed = {LaneKey("S3", "S2", "van"): "forbidden_lane"}
    found = explained(snapshot, limits_for(approval_latency_days=1, closed_lanes=closed))
    assert found.runner_up is not None
    assert found.barred is not None
    assert (found.runner_up.site_id, found.barred.site_id, found.barred.less_minor) == ("S4", "S3", -500)


def test_where_no_other_site_has_any_the_words_say_so():
    found = explained(network(a_lane("S3", "S2"), stock={"S3": 0}))
    assert (found.sources_seen, found.runner_up, found.barred) == (0, None, None)
    assert "No other site that holds the SKU has a lane there." in found.words


def test_sites_that_may_not_be_spoken_of_are_no_source():
    snapshot = network(a_lane("S3", "S2"))
    assert explain_line(snapshot, LIMITS, a_plan(), 1).runner_up is not None
    cut = explain_line(snapshot, LIMITS, a_plan(), 1, within=("S1", "S2"))
    assert cut.runner_up is None
    assert "S3" not in cut.words


def test_what_the_request_leaves_out_is_barred():
    found = explained(network(a_lane("S3", "S2")), request=PlanRequest(scope=Scope(origins=("S1",))))
    assert found.barred is not None
    assert found.barred.barriers[0].rule == "request_scope"


@settings(max_examples=25)
@given(seed=st.integers(0, 3_000))
def test_a_runner_up_is_permitted_worth_what_is_said_and_no_other_permitted_source_is_better(seed):
    case = random_case(seed)
    plan = make_plan(case.snapshot, case.limits, case.request, solve(case.snapshot, case.limits, case.request))
    facts, moves = assumed(case.snapshot, case.request.overlays), moves_of(plan)
    for line in plan.lines:
        found = explain_line(case.snapshot, case.limits, plan, line.line_no)
        others = [move for number, move in enumerate(moves, 1) if number != line.line_no]
        before = evaluate(facts, case.limits, case.request, others).saving
        pack = facts.sku_by_id[line.sku_id].pack_size
        if found.runner_up is not None:
            other = found.runner_up
            lane = LaneKey(other.site_id, line.destination, other.mode)
            tried = joined(others, Move(lane, line.sku_id, other.units // pack))
            after = evaluate(facts, case.limits, case.request, tried)
            assert other.saving_minor == pytest.approx(after.saving - before, abs=1.001)
            assert find_breaches(facts, case.limits, case.request, tried) == ()
            assert other.line_saving_minor == pytest.approx(found.worth_minor, abs=1)
        best = -float("inf") if found.runner_up is None else found.runner_up.saving_minor
        for lane in facts.lanes:
            if lane.destination == line.destination and lane.key != line.lane:
                tried = joined(others, Move(lane.key, line.sku_id, line.packs))
                if not find_breaches(facts, case.limits, case.request, tried):
                    assert evaluate(facts, case.limits, case.request, tried).saving - before <= best + 1.001


def joined(moves, more):
    """The moves and one more, as one line where there is one on its lane."""
    same = [move for move in moves if (move.lane, move.sku_id) == (more.lane, more.sku_id)]
    packs = more.packs + sum(move.packs for move in same)
    return [*(move for move in moves if move not in same), Move(more.lane, more.sku_id, packs)]
