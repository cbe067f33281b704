"""One test for each constraint: moves that keep it have no breach, moves that break it have exactly that one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.builders import (
    a_forecast,
    a_lane,
    a_move,
    a_needy_network,
    a_position,
    a_site,
    a_sku,
    a_supply,
    in_days,
    limits_for,
)
from tools.inventory import LaneKey, SiteSku, Temperature
from tools.planning import evaluate
from tools.planning.breaches import Breach, find_breaches, transport_cost_e4
from tools.transfers import LaneRef, LineRef, Overlays, PlanRequest, Scope, UnitCap

LANE = LaneKey("S1", "S2", "van")
LINE = LineRef(sku_id="P1", origin="S1", destination="S2")
HERE, THERE = SiteSku("S1", "P1"), SiteSku("S2", "P1")


def breaches(*moves, snapshot=None, limits=None, request=None, **overlays):
    request = request or PlanRequest(overlays=Overlays(**overlays))
    facts, limits = snapshot or a_needy_network(), limits or limits_for()
    found = find_breaches(facts, limits, request, moves or (a_move(5),))
    assert evaluate(facts, limits, request, moves or (a_move(5),)).breaches == found
    return [(breach.code, breach.allowed, breach.found) for breach in found]


def test_moves_that_keep_every_constraint_have_no_breach():
    assert breaches() == []
    assert breaches(a_move(100)) == []


def test_a_lane_that_does_not_exist():
    assert breaches(a_move(5, mode="plane")) == [("unknown_lane", 0, 5)]


def test_a_sku_that_does_not_exist():
    assert breaches(a_move(5, sku_id="P9")) == [("unknown_sku", 0, 5)]


def test_moves_on_unknown_lanes_are_worth_nothing_and_are_not_priced():
    found = evaluate(a_needy_network(), limits_for(), PlanRequest(), [a_move(5), a_move(5, mode="plane")])
    assert not found.priced
    assert (found.saving, found.objective, len(found.moves)) == (0.0, 0.0, 2)


def test_a_line_without_packs():
    snapshot = a_needy_network(skus=(a_sku(min_transfer_units=0),))
    assert breaches(a_move(0), snapshot=snapshot) == [("positive_packs", 1, 0)]


def test_a_line_below_the_least_quantity():
    snapshot = a_needy_network(skus=(a_sku(pack_size=2, min_transfer_units=5),))
    assert breaches(a_move(2), snapshot=snapshot) == [("least_quantity", 5, 4)]
    assert breaches(a_move(3), snapshot=snapshot) == []


def test_more_units_than_a_line_may_carry():
    assert breaches(limits=limits_for(line_units_max=5)) == []
    assert breaches(limits=limits_for(line_units_max=4)) == [("units_per_line", 4, 5)]


def test_one_sku_twice_on_one_lane():
    # Else a line too large for the policy would pass as two.
    assert breaches(a_move(3), a_move(2), limits=limits_for(line_units_max=4)) == [("line_twice", 1, 2)]


def test_the_same_sku_on_two_modes_is_not_the_same_line():
    snapshot = a_needy_network(lanes=(a_lane(), a_lane(mode="truck")))
    assert breaches(a_move(3), a_move(2, mode="truck"), snapshot=snapshot) == []


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        ("cross_entity", limits_for(closed_lanes={LANE: "cross_entity"})),
        ("cool_down", limits_for(no_send={HERE: "cool_down"})),
        ("data_quality", limits_for(no_receive={THERE: "data_quality"})),
    ],
)
def test_what_policy_closes_is_named_by_its_rule(code, limits):
    assert breaches(limits=limits) == [(code, 0, 5)]


def test_goods_that_the_lane_may_not_carry():
    fussy = a_needy_network(lanes=(a_lane(allowed_categories=("rice",)),))
    assert breaches(snapshot=fussy) == [("lane_categories", 0, 5)]
    chilled = a_needy_network(skus=(a_sku(temperature=Temperature.CHILLED),))
    cold = limits_for(temperature_modes={Temperature.CHILLED: frozenset({"reefer"})})
    assert breaches(snapshot=chilled, limits=cold) == [("temperature", 0, 5)]
    hazardous = a_needy_network(skus=(a_sku(hazmat=True),))
    assert breaches(snapshot=hazardous, limits=limits_for(hazmat_modes=frozenset())) == [("hazmat", 0, 5)]


@pytest.mark.parametrize(
    "scope",
    [
        Scope(skus=("P2",)),
        Scope(categories=("tea",)),
        Scope(origins=("S2",)),
        Scope(destinations=("S1",)),
        Scope(sites=("S3",)),
        Scope(within_sites=("S1", "S3")),
    ],
)
def test_a_move_outside_the_scope_asked_for(scope):
    assert breaches(request=PlanRequest(scope=scope)) == [("request_scope", 0, 5)]


@pytest.mark.parametrize(
    "scope",
    [
        Scope(skus=("P1",)),
        Scope(origins=("S1",)),
        Scope(destinations=("S2",)),
        Scope(sites=("S2",)),
        Scope(within_sites=("S1", "S2")),
    ],
)
def test_a_move_inside_the_scope_asked_for(scope):
    assert breaches(request=PlanRequest(scope=scope)) == []


@pytest.mark.parametrize(
    "overlays",
    [
        {"excluded_skus": ("P1",)},
        {"excluded_sites": ("S1",)},
        {"excluded_sites": ("S2",)},
        {"excluded_lanes": (LaneRef(origin="S1", destination="S2"),)},
        {"excluded_lanes": (LaneRef(origin="S1", destination="S2", mode="van"),)},
        {"excluded_lines": (LINE,)},
    ],
)
def test_a_move_that_the_request_excludes(overlays):
    assert breaches(**overlays) == [("request_scope", 0, 5)]


def test_exclusions_of_something_else_do_not_count():
    other = LaneRef(origin="S1", destination="S2", mode="truck")
    assert breaches(excluded_lanes=(other,), excluded_skus=("P2",), excluded_sites=("S3",)) == []


def test_a_sku_that_the_origin_does_not_stock():
    snapshot = a_needy_network(positions=(a_position("S2", on_hand_units=0),))
    assert breaches(snapshot=snapshot) == [("not_stocked", 0, 5), ("source_protection", 0, 5)]


def test_a_sku_that_the_destination_does_not_carry():
    bare = {"positions": (a_position("S1", on_hand_units=100),)}
    unknown_there = a_needy_network(**bare, forecasts=(a_forecast("S1", daily_units=0),))
    assert breaches(snapshot=unknown_there) == [("not_carried", 0, 5)]
    assert breaches(snapshot=a_needy_network(**bare)) == []


def test_a_lane_that_never_departs():
    snapshot = a_needy_network(lanes=(a_lane(departure_weekdays=()),))
    assert breaches(snapshot=snapshot) == [("never_departs", 0, 5)]


def test_goods_that_arrive_too_late_for_the_request():
    snapshot = a_needy_network(lanes=(a_lane(lead_time_days=3),))
    assert breaches(snapshot=snapshot, request=PlanRequest(within_days=3)) == []
    assert breaches(snapshot=snapshot, request=PlanRequest(within_days=2)) == [("days_until_arrival", 2, 3)]


def test_more_than_is_available():
    snapshot = a_needy_network(
        positions=(a_position("S1", on_hand_units=9, reserved_units=5), a_position("S2", on_hand_units=0))
    )
    assert breaches(a_move(4), snapshot=snapshot) == []
    assert breaches(a_move(5), snapshot=snapshot) == [("source_protection", 4, 5)]


def test_more_than_is_left_of_what_policy_protects():
    assert breaches(limits=limits_for(protected_units={HERE: 95})) == []
    assert breaches(limits=limits_for(protected_units={HERE: 96})) == [("source_protection", 4, 5)]
    assert breaches(limits=limits_for(protected_units={HERE: 200})) == [("source_protection", 0, 5)]


def three_in_a_row(**fields):
    """S1 to S2 to S3."""
    return a_needy_network(
        sites=(a_site("S1"), a_site("S2"), a_site("S3")),
        lanes=(a_lane("S1", "S2"), a_lane("S2", "S3")),
        positions=[a_position(site, on_hand_units=50) for site in ("S1", "S2", "S3")],
        **fields,
    )


def test_a_site_that_sends_and_receives_one_sku():
    assert breaches(a_move(5), a_move(3, "S2", "S3"), snapshot=three_in_a_row()) == [("sends_and_receives", 0, 3)]


def test_a_site_may_send_one_sku_and_receive_another():
    snapshot = three_in_a_row(skus=(a_sku("P1"), a_sku("P2")))
    snapshot = replace(snapshot, positions=(*snapshot.positions, a_position("S2", "P2"), a_position("S3", "P2")))
    moves = (a_move(5), a_move(3, "S2", "S3", "P2"))
    assert breaches(*moves, snapshot=snapshot, limits=limits_for("P1", "P2")) == []


def test_more_than_the_request_lets_a_site_receive_or_send():
    assert breaches(receive_caps=(UnitCap(site_id="S2", sku_id="P1", units=5),)) == []
    assert breaches(receive_caps=(UnitCap(site_id="S2", sku_id="P1", units=4),)) == [("receive_cap", 4, 5)]
    assert breaches(send_caps=(UnitCap(site_id="S1", sku_id="P1", units=3),)) == [("send_cap", 3, 5)]
    assert breaches(send_caps=(UnitCap(site_id="S2", sku_id="P1", units=0),)) == []


def test_more_volume_than_the_lane_carries():
    # Five units of a litre each.
    exact = a_needy_network(lanes=(a_lane(capacity_microlitres_per_departure=5_000_000),))
    assert breaches(snapshot=exact) == []
    tight = a_needy_network(lanes=(a_lane(capacity_microlitres_per_departure=4_999_999),))
    assert breaches(snapshot=tight) == [("lane_capacity_microlitres", 4_999_999, 5_000_000)]


def test_more_units_than_a_site_can_take_in_on_one_day():
    def receiving(limit, days=1):
        return a_needy_network(
            sites=(a_site("S1"), a_site("S2", inbound_units_per_day=limit)),
            supply=(a_supply("S2", units=3, days=days),),
        )

    assert breaches(snapshot=receiving(8)) == []
    assert breaches(snapshot=receiving(7)) == [("inbound_units_per_day", 4, 5)]
    assert breaches(snapshot=receiving(2)) == [("inbound_units_per_day", 0, 5)]
    assert breaches(snapshot=receiving(7, days=2)) == []


def test_more_units_than_a_site_can_send_out_on_one_day():
    def sending(limit):
        return a_needy_network(sites=(a_site("S1", outbound_units_per_day=limit), a_site("S2")))

    assert breaches(snapshot=sending(5)) == []
    assert breaches(snapshot=sending(4)) == [("outbound_units_per_day", 4, 5)]


def test_handling_is_counted_day_by_day():
    snapshot = a_needy_network(
        sites=(a_site("S1", outbound_units_per_day=3), a_site("S2")),
        lanes=(a_lane(), a_lane(mode="truck", departure_weekdays=(2,))),
    )
    assert breaches(a_move(3), a_move(3, mode="truck"), snapshot=snapshot) == []


def test_more_than_fits_into_the_destination():
    # 4 on hand and 3 on order take 7 of the litres; five more arrive.
    def storing(litres):
        return a_needy_network(
            sites=(a_site("S1"), a_site("S2", storage_capacity_microlitres=litres * 1_000_000)),
            positions=(a_position("S1", on_hand_units=100), a_position("S2", on_hand_units=4)),
            supply=(a_supply("S2", units=3, days=9),),
        )

    assert breaches(snapshot=storing(12)) == []
    assert breaches(snapshot=storing(11)) == [("storage_microlitres", 4_000_000, 5_000_000)]
    assert breaches(snapshot=storing(6)) == [("storage_microlitres", 0, 5_000_000)]


def test_more_units_or_lines_than_policy_or_request_admit():
    assert breaches(limits=limits_for(units_max=4)) == [("plan_units", 4, 5)]
    assert breaches(max_units=3) == [("request_units", 3, 5)]
    assert breaches(limits=limits_for(lines_max=0)) == [("plan_lines", 0, 1)]
    assert breaches(max_lines=0) == [("request_lines", 0, 1)]
    assert breaches(limits=limits_for(units_max=5, lines_max=1), max_units=5, max_lines=1) == []


def test_goods_of_more_value_than_policy_admits():
    # Five units at 4.00.
    assert breaches(limits=limits_for(goods_value_max_minor=2_000)) == []
    assert breaches(limits=limits_for(goods_value_max_minor=1_999)) == [("plan_goods_value_e4", 199_900, 200_000)]


def test_more_transport_cost_than_the_request_admits():
    # 5 x (0.10 + 1 litre x 0.02) + 0.50 for the line + 5.00 for the departure = 6.10.
    snapshot = a_needy_network(lanes=(a_lane(cost_per_unit_e4=1_000, cost_per_litre_e4=200),))
    limits = limits_for(line_charge_minor=50)
    assert transport_cost_e4(snapshot, limits, (a_move(5),)) == 61_000
    assert breaches(snapshot=snapshot, limits=limits, transport_budget_minor=610) == []
    found = breaches(snapshot=snapshot, limits=limits, transport_budget_minor=609)
    assert found == [("transport_budget_e4", 60_900, 61_000)]


def test_a_fraction_of_a_ten_thousandth_of_transport_cost_is_rounded_up():
    snapshot = a_needy_network(
        skus=(a_sku(unit_volume_microlitres=1),), lanes=(a_lane(cost_fixed_e4=0, cost_per_litre_e4=1),)
    )
    assert transport_cost_e4(snapshot, limits_for(), (a_move(5),)) == 1


def test_a_departure_is_paid_once_for_all_its_lines():
    snapshot = a_needy_network(skus=(a_sku("P1"), a_sku("P2")))
    assert transport_cost_e4(snapshot, limits_for(), (a_move(5), a_move(5, sku_id="P2"))) == 50_000


def test_moves_that_break_several_constraints_report_each():
    found = breaches(limits=limits_for(line_units_max=4, units_max=3), max_lines=0)
    assert found == [("units_per_line", 4, 5), ("plan_units", 3, 5), ("request_lines", 0, 1)]


def test_a_breach_says_where_what_is_allowed_and_what_was_found():
    assert (
        Breach("plan_units", "the plan", 1_000, 2_500).words == "the plan: plan units allows 1,000, the plan has 2,500"
    )
    (found,) = find_breaches(a_needy_network(), limits_for(line_units_max=4), PlanRequest(), (a_move(5),))
    assert found.where == "P1 S1→S2 by van"
    snapshot = a_needy_network(sites=(a_site("S1", outbound_units_per_day=4), a_site("S2")))
    (found,) = find_breaches(snapshot, limits_for(), PlanRequest(), (a_move(5),))
    assert found.where == f"S1 on {in_days(0)}"
