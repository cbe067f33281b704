"""Conflicts are irreducible, and whether a wish can be met agrees with trying everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import (
    a_forecast,
    a_lane,
    a_move,
    a_needy_network,
    a_position,
    a_site,
    a_sku,
    a_snapshot,
    limits_for,
)
from tests.tools.planning.random_networks import Case, random_case
from tools.inventory import LaneKey, SiteSku
from tools.planning import Move, solve
from tools.planning.blocked import Feasibility, UnknownWishError, find_conflict, other_moves
from tools.planning.breaches import find_breaches
from tools.planning.limits import WholeSet
from tools.planning.mates import setting_with_mates
from tools.planning.obstacles import Kind, Setting, Wanted, setting_of
from tools.transfers import LaneRef, LineRef, Overlays, PlanRequest, Scope, UnitCap
from tools.whatif import assumed

TRIED_MAX = 4_000
WISH = Wanted("S2", "P1", 5)


def conflict_of(snapshot, wanted: Wanted = WISH, request: PlanRequest | None = None, moves=(), **limits: Any):
    found = find_conflict(snapshot, limits_for(**limits), request or PlanRequest(), wanted, moves)
    return [(each.code, each.where) for each in found.conflict]


def overlays(**fields: Any) -> PlanRequest:
    return PlanRequest(overlays=Overlays(**fields))


VAN = LaneKey("S1", "S2", "van")
ONE_BY_ONE = [
    ({}, {"closed_lanes": {VAN: "forbidden_lane"}}, {}, ("closed_lane", "S1→S2 by van")),
    ({}, {"closed_lines": {(VAN, "P1"): "end_of_life"}}, {}, ("closed_line", "P1 S1→S2 by van")),
    ({}, {"temperature_modes": {"ambient": frozenset(("truck",))}}, {}, ("temperature", "S1→S2 by van")),
    ({}, {"protected_units": {SiteSku("S1", "P1"): 96}}, {}, ("source_protection", "P1 at S1")),
    ({}, {"no_send": {SiteSku("S1", "P1"): "cool_down"}}, {}, ("no_send", "P1 at S1")),
    ({}, {"no_receive": {SiteSku("S2", "P1"): "data_quality"}}, {}, ("no_receive", "P1 at S2")),
    ({}, {"line_units_max": 4}, {}, ("units_per_line", "a line")),
    ({}, {"units_max": 4}, {}, ("plan_units", "the plan")),
    ({}, {"lines_max": 0}, {}, ("plan_lines", "the plan")),
    ({}, {"goods_value_max_minor": 1_999}, {}, ("plan_goods_value", "the plan")),
    ({}, {}, {"transport_budget_minor": 499}, ("transport_budget", "the plan")),
    ({}, {}, {"max_units": 4}, ("request_units", "the plan")),
    ({}, {}, {"max_lines": 0}, ("request_lines", "the plan")),
    ({}, {}, {"excluded_lanes": (LaneRef(origin="S1", destination="S2"),)}, ("excluded_lane", "S1→S2 by van")),
    ({}, {}, {"excluded_sites": ("S1",)}, ("excluded_site", "S1")),
    ({}, {}, {"excluded_skus": ("P1",)}, ("excluded_sku", "P1")),
    ({}, {}, {"excluded_lines": (LineRef(sku_id="P1", origin="S1", destination="S2"),)}, ("excluded_line", "P1 S1→S2")),
    ({}, {}, {"receive_caps": (UnitCap(site_id="S2", sku_id="P1", units=4),)}, ("receive_cap", "P1 at S2")),
    ({}, {}, {"send_caps": (UnitCap(site_id="S1", sku_id="P1", units=4),)}, ("send_cap", "P1 at S1")),
    (
        {"lanes": (a_lane(capacity_microlitres_per_departure=4_999_999),)}, {}, {},
        ("lane_capacity_microlitres", "S1→S2 by van"),
    ),
    ({"lanes": (a_lane(allowed_categories=("dairy",)),)}, {}, {}, ("lane_categories", "S1→S2 by van")),
    ({"lanes": (a_lane(departure_weekdays=()),)}, {}, {}, ("never_departs", "S1→S2 by van")),
    ({"lanes": ()}, {}, {}, ("no_lane", "S2")),
    ({"positions": (a_position("S2", on_hand_units=0),)}, {}, {}, ("not_stocked", "P1")),
    ({"positions": (a_position("S1", on_hand_units=4),)}, {}, {}, ("available_stock", "P1 at S1")),
    (
        {"positions": (a_position("S1", on_hand_units=99),), "forecasts": ()}, {}, {},
        ("not_carried", "P1 at S2"),
    ),
    (
        {"sites": (a_site("S1"), a_site("S2", inbound_units_per_day=4))}, {}, {},
        ("inbound_units_per_day", "S2 on 2026-03-03"),
    ),
    (
        {"sites": (a_site("S1", outbound_units_per_day=4), a_site("S2"))}, {}, {},
        ("outbound_units_per_day", "S1 on 2026-03-02"),
    ),
    (
        {"sites": (a_site("S1"), a_site("S2", storage_capacity_microlitres=4_000_000))}, {}, {},
        ("storage_microlitres", "S2"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "limits", "request_", "expected"), ONE_BY_ONE, ids=[row[3][0] for row in ONE_BY_ONE])
def test_one_obstacle_that_is_enough_is_the_whole_conflict(facts, limits, request_, expected):
    assert conflict_of(a_needy_network()) == []
    assert conflict_of(a_needy_network(**facts), request=overlays(**request_), **limits) == [expected]


def test_hazardous_goods_need_a_mode_that_may_carry_them():
    snapshot = a_needy_network(skus=(a_sku("P1", hazmat=True),))
    assert conflict_of(snapshot, hazmat_modes=frozenset(("truck",))) == [("hazmat", "S1→S2 by van")]


def test_days_and_scope_of_the_request_are_obstacles_of_the_request():
    late = find_conflict(a_needy_network(), limits_for(), PlanRequest(within_days=0), WISH).conflict
    assert [(each.code, each.kind, each.limit, each.used) for each in late] == [
        ("days_until_arrival", Kind.REQUEST, 0, 1)
    ]
    soon = find_conflict(a_needy_network(), limits_for(), PlanRequest(), replace(WISH, within_days=0)).conflict
    assert [each.code for each in soon] == ["days_until_arrival"]
    assert conflict_of(a_needy_network(), request=PlanRequest(scope=Scope(skus=("P9",)))) == [("scope_skus", "P1")]
    assert conflict_of(a_needy_network(), request=PlanRequest(scope=Scope(origins=("S3",)))) == [
        ("scope_sites", "S1→S2")
    ]


def test_a_least_quantity_and_a_limit_below_it_are_in_conflict_together():
    snapshot = a_needy_network(skus=(a_sku("P1", min_transfer_units=8),))
    assert conflict_of(snapshot, line_units_max=6) == [("units_per_line", "a line"), ("least_quantity", "P1")]


def test_packs_and_a_limit_between_them_are_in_conflict_together():
    snapshot = a_needy_network(skus=(a_sku("P1", pack_size=4),), positions=(a_position("S1", on_hand_units=7),))
    assert conflict_of(snapshot) == [("available_stock", "P1 at S1"), ("pack_size", "P1")]


def test_every_way_that_is_shut_is_a_member_and_a_fact_comes_before_a_rule():
    snapshot = a_snapshot(
        sites=(a_site("S1"), a_site("S2"), a_site("S3"), a_site("S4")),
        lanes=(a_lane("S1", "S2"), a_lane("S3", "S2")),
        positions=(
            a_position("S1"),
            a_position("S2", on_hand_units=0),
            a_position("S3", on_hand_units=1),
            a_position("S4"),
        ),
    )
    limits = {"closed_lanes": {VAN: "forbidden_lane", LaneKey("S3", "S2", "van"): "forbidden_lane"}}
    assert conflict_of(snapshot, **limits) == [
        ("no_lane", "S2"), ("available_stock", "P1 at S3"), ("closed_lane", "S1→S2 by van"),
    ]  # fmt: skip


def test_what_other_lines_take_is_said_to_be_taken():
    snapshot = a_needy_network(lanes=(a_lane(), a_lane("S1", "S3")), sites=(a_site("S1"), a_site("S2"), a_site("S3")))
    snapshot = replace(snapshot, forecasts=(*snapshot.forecasts, a_forecast("S3", daily_units=5)))
    found = find_conflict(snapshot, limits_for(), PlanRequest(), WISH, [a_move(98, destination="S3"), a_move(2)])
    assert (found.beside_plan, found.possible_units, found.alone_units) == (True, 2, 5)
    assert [(each.code, each.limit, each.used) for each in found.conflict] == [
        ("no_lane", 0, 0), ("available_stock", 100, 98),
    ]  # fmt: skip


def test_units_that_have_to_leave_are_blocked_like_those_that_have_to_come():
    snapshot = a_needy_network(sites=(a_site("S1"), a_site("S2", inbound_units_per_day=20)))
    assert conflict_of(snapshot, Wanted("S1", "P1", 20, "out")) == []
    assert conflict_of(snapshot, Wanted("S1", "P1", 21, "out")) == [("inbound_units_per_day", "S2 on 2026-03-03")]
    assert conflict_of(snapshot, Wanted("S2", "P1", 1, "out")) == [("no_lane", "S2")]


def test_a_wish_about_something_unknown_is_refused():
    for wish in (Wanted("S9", "P1", 1), Wanted("S2", "P9", 1)):
        with pytest.raises(UnknownWishError, match="there is no SKU"):
            find_conflict(a_needy_network(), limits_for(), PlanRequest(), wish)


def feasibility(case: Case, wanted: Wanted, others: tuple[Move, ...]) -> Feasibility:
    facts = assumed(case.snapshot, case.request.overlays)
    return Feasibility(setting_of(facts, case.limits, case.request, wanted, others))


def loads(setting: Setting) -> Iterator[tuple[int, ...]] | None:
    """Every combination of whole packs on the ways that a lane makes and nothing forbids; None for too many."""
    most = []
    for number, way in enumerate(setting.ways):
        rooms = [cap.room // (cap.weight * setting.pack_size) for cap in setting.caps if number in cap.ways]
        most.append(0 if way.forbidden_by else min([*rooms, 12]))
    total = 1
    for each in most:
        total *= each + 1
    return product(*(range(each + 1) for each in most)) if total <= TRIED_MAX else None


@settings(max_examples=40)
@given(seed=st.integers(0, 3_000), units=st.integers(1, 12), direction=st.sampled_from(["in", "out"]))
def test_a_wish_can_be_met_exactly_if_some_combination_of_lines_meets_it(seed, units, direction):
    case = random_case(seed)
    facts = assumed(case.snapshot, case.request.overlays)
    solved = solve(case.snapshot, case.limits, case.request).moves if seed % 2 else ()
    site, sku = facts.sites[seed % len(facts.sites)], facts.skus[0]
    wanted = Wanted(site.site_id, sku.sku_id, units, direction)
    others = other_moves(solved, wanted)
    found = feasibility(case, wanted, others)
    tried = loads(found.setting)
    if tried is None:
        return
    best = 0
    for packs in tried:
        moves = [Move(way.lane, sku.sku_id, n) for way, n in zip(found.setting.ways, packs, strict=True) if n]
        if sum(packs) * sku.pack_size > best and not find_breaches(facts, case.limits, case.request, [*others, *moves]):
            best = sum(packs) * sku.pack_size
    assert found.most_units() == min(best, units)


@settings(max_examples=40)
@given(seed=st.integers(0, 3_000), units=st.integers(1, 30), direction=st.sampled_from(["in", "out"]))
def test_a_conflict_blocks_the_wish_and_none_of_its_members_can_be_spared(seed, units, direction):
    case = random_case(seed)
    moves = solve(case.snapshot, case.limits, case.request).moves if seed % 2 else ()
    sites, skus = case.snapshot.sites, case.snapshot.skus
    wanted = Wanted(sites[seed % len(sites)].site_id, skus[-1].sku_id, units, direction)
    found = find_conflict(case.snapshot, case.limits, case.request, wanted, moves)
    assert bool(found.conflict) == (found.possible_units < units)
    assert found.possible_units <= found.alone_units <= units
    tested = feasibility(case, wanted, other_moves(moves, wanted) if found.beside_plan else ())
    members = frozenset(found.conflict)
    if members:
        assert members <= tested.setting.obstacles
        assert tested.loads(members, units) is None
        assert all(tested.loads(members - {member}, units) is not None for member in members)


@settings(max_examples=30)
@given(seed=st.integers(0, 3_000), units=st.integers(1, 12))
def test_an_obstacle_gives_way_by_as_little_as_meets_the_wish(seed, units):
    case = random_case(seed)
    wanted = Wanted(case.snapshot.sites[0].site_id, case.snapshot.skus[0].sku_id, units)
    tested = feasibility(case, wanted, ())
    for obstacle in find_conflict(case.snapshot, case.limits, case.request, wanted).conflict:
        raised = tested.least_raise(obstacle)
        without = tested.loads(tested.setting.obstacles - {obstacle}, units)
        assert (raised is None) == (without is None)
        if raised is not None and raised[0] > 1:
            by = raised[0]
            caps = [replace(c, room=c.room + by - 1) if c.obstacle == obstacle else c for c in tested.setting.caps]
            budget = tested.setting.budget
            if budget is not None and budget[0] == obstacle:
                budget = (obstacle, budget[1] + by - 1)
            lines = tuple((each, left + by - 1 if each == obstacle else left) for each, left in tested.setting.lines)
            less = Feasibility(replace(tested.setting, caps=tuple(caps), lines=lines, budget=budget))
            assert less.loads(less.setting.obstacles, units) is None


WHOLE = WholeSet("S2", ("P1", "P2"), ("P1", "P2"))
SET = ("whole_set", "P1, P2 at S2")


def a_set(second: int = 5, **fields: Any):
    """P1 and P2 are a set of which S2 has nothing; S1 has so many of P2."""
    positions = (a_position("S1"), a_position("S1", "P2", second), a_position("S2", on_hand_units=0))
    skus = fields.pop("skus", (a_sku("P1"), a_sku("P2")))
    forecasts = (a_forecast("S2"), a_forecast("S2", "P2"))
    return a_snapshot(skus=skus, positions=positions, forecasts=forecasts, **fields)


def test_a_set_that_cannot_come_in_whole_is_named_with_what_keeps_its_other_sku_back():
    assert conflict_of(a_set(), whole_sets=(WHOLE,)) == []
    assert conflict_of(a_set(0)) == []
    assert conflict_of(a_set(0), whole_sets=(WHOLE,)) == [("available_stock", "P2 at S1"), SET]
    hazardous = a_set(skus=(a_sku("P1"), a_sku("P2", hazmat=True)))
    shut = conflict_of(hazardous, whole_sets=(WHOLE,), hazmat_modes=frozenset(("truck",)))
    assert shut == [("hazmat", "S1→S2 by van"), SET]


def test_that_policy_refuses_a_rescue_is_said_before_what_donors_keep():
    limits = {"no_receive": {SiteSku("S2", "P1"): "not_an_emergency"}, "protected_units": {SiteSku("S1", "P1"): 96}}
    assert conflict_of(a_needy_network(), **limits) == [("no_receive", "P1 at S2")]


def test_what_keeps_the_whole_set_back_is_not_blamed_on_the_set():
    limits = {"whole_sets": (WHOLE,), "closed_lanes": {VAN: "forbidden_lane"}}
    assert conflict_of(a_set(), **limits) == [("closed_lane", "S1→S2 by van")]


def test_a_sku_that_is_on_its_way_or_comes_with_the_plan_is_no_part_of_the_conflict():
    coming = replace(WHOLE, missing=("P1",))
    assert conflict_of(a_set(0), whole_sets=(coming,)) == []
    assert conflict_of(a_set(5), moves=[a_move(5, sku_id="P2")], whole_sets=(WHOLE,)) == []
    elsewhere = [a_move(5, sku_id="P2", destination="S3")]
    three = a_set(5, sites=(a_site("S1"), a_site("S2"), a_site("S3")), lanes=(a_lane(), a_lane("S1", "S3")))
    taken = conflict_of(three, moves=elsewhere, whole_sets=(WHOLE,))
    assert ("available_stock", "P2 at S1") in taken
    assert SET in taken


def test_no_member_of_a_conflict_over_a_set_can_be_spared():
    snapshot, limits = a_set(3, skus=(a_sku("P1"), a_sku("P2", pack_size=4))), limits_for(whole_sets=(WHOLE,))
    members = frozenset(find_conflict(snapshot, limits, PlanRequest(), WISH).conflict)
    assert {each.code for each in members} == {"whole_set", "pack_size", "available_stock"}
    tested = Feasibility(setting_with_mates(snapshot, limits, PlanRequest(), WISH, ()))
    assert tested.loads(members, WISH.units) is None
    assert all(tested.loads(members - {member}, WISH.units) is not None for member in members)


def test_units_that_have_to_leave_go_where_their_set_can_be_whole():
    snapshot = a_set(0, sites=(a_site("S1"), a_site("S2"), a_site("S3")), lanes=(a_lane(), a_lane("S1", "S3")))
    snapshot = replace(snapshot, forecasts=(*snapshot.forecasts, a_forecast("S3")))
    out = Wanted("S1", "P1", 5, "out")
    assert conflict_of(snapshot, out, whole_sets=(WHOLE,)) == []
    shut = {LaneKey("S1", "S3", "van"): "forbidden_lane"}
    found = conflict_of(snapshot, out, whole_sets=(WHOLE,), closed_lanes=shut)
    assert SET in found
    assert ("closed_lane", "S1→S3 by van") in found
