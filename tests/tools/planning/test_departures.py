"""Several departures of a lane in one plan: each an own truck with its own day at either dock, all worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.builders import (
    a_forecast,
    a_lane,
    a_move,
    a_needy_network,
    a_plan,
    a_position,
    a_site,
    a_sku,
    a_supply,
    in_days,
    limits_for,
)
from tools.inventory import BookedLoad, LaneKey, SiteSku, Snapshot
from tools.planning import Limits, Move, Solution, UnsoundSolutionError, evaluate, make_plan, moves_of, solve
from tools.planning.breaches import find_breaches, transport_cost_e4
from tools.planning.calendar import NEXT, DepartureKey, offered_departures
from tools.planning.coupling import coupled_of
from tools.planning.replan import replan
from tools.planning.room import Room
from tools.planning.scope import Reach
from tools.planning.solve import solve_fast
from tools.planning.table import tabulate
from tools.rejections import Rejection, RejectionCode, request_after_rejection
from tools.transfers import Overlays, PlanRequest, UnitCap

VAN = LaneKey("S1", "S2", "van")
SMALL = a_lane(capacity_microlitres_per_departure=10_000_000)
FIFTEEN = PlanRequest(overlays=Overlays(receive_caps=(UnitCap(site_id="S2", sku_id="P1", units=15),)))
TWO = limits_for(lane_departures=2)


def waiting(**fields) -> Snapshot:
    """S2 sells a hundred tomorrow, and the day after at least one with a chance of one half; a van takes a day."""
    tomorrow = replace(a_forecast("S2"), mean_e6=(0, 100_000_000, 693_147, 0, 0, 0, 0), variance_e6=())
    by_day = replace(tomorrow, variance_e6=tomorrow.mean_e6)
    return a_needy_network(**{"lanes": (SMALL,), "forecasts": (a_forecast("S1", daily_units=0), by_day)} | fields)


def both_ways(snapshot: Snapshot, limits: Limits = TWO, request: PlanRequest = FIFTEEN) -> tuple[Solution, Solution]:
    return (
        solve(snapshot, limits, request, gap_ppm=0),
        solve_fast(tabulate(snapshot, limits, request), snapshot, limits, request, 0),
    )


def on_day(packs: int, days: int, **fields) -> Move:
    return replace(a_move(packs, **fields), depart_on=in_days(days))


def test_what_does_not_fit_on_the_first_truck_goes_with_the_second_and_what_waiting_costs_is_charged():
    # 15 x 6.08; the five that come a day later may find nobody who waits for one: 5 x 3.04; two vans at 5.00.
    for solution in both_ways(waiting()):
        assert solution.moves == (a_move(10), on_day(5, 1))
        assert solution.objective == pytest.approx(-(15 * 608 - 5 * 304 - 2 * 500), abs=0.01)
    plan = make_plan(waiting(), TWO, FIFTEEN, solve(waiting(), TWO, FIFTEEN))
    assert [(line.units, line.depart_on, line.arrive_on) for line in plan.lines] == [
        (10, in_days(0), in_days(1)),
        (5, in_days(1), in_days(2)),
    ]
    assert [(load.depart_on, load.volume_microlitres, load.line_nos) for load in plan.lanes] == [
        (in_days(0), 10_000_000, (1,)),
        (in_days(1), 5_000_000, (2,)),
    ]
    assert (plan.saving_minor, plan.fixed_cost_minor) == (6_600, 1_000)
    assert len({plan.transfer_id(line.line_no) for line in plan.lines}) == 2
    assert moves_of(plan) == (on_day(10, 0), on_day(5, 1))


def test_a_plan_uses_the_next_departure_only_unless_policy_looks_at_more():
    for solution in both_ways(waiting(), limits_for()):
        assert solution.moves == (a_move(10),)


def test_a_later_departure_is_used_only_where_it_pays():
    # Five units would bring 5 x 3.04: a van of 15.00 is worth it, one of 15.30 is not.
    for cost_e4, lines in ((150_000, 2), (153_000, 1)):
        dear = waiting(lanes=(replace(SMALL, cost_fixed_e4=cost_e4),))
        assert len(solve(dear, TWO, FIFTEEN, gap_ppm=0).moves) == lines


def test_a_later_departure_carries_only_what_would_pay_though_it_arrives_on_its_own_day():
    # The day after sells one with a chance of 0.50 and two with 0.15: at 1.00 freight a second unit does not earn its way.
    freight = waiting(lanes=(replace(SMALL, cost_fixed_e4=0, cost_per_unit_e4=10_000),))
    for solution in both_ways(freight):
        assert solution.moves == (a_move(10), on_day(1, 1))


def test_a_request_within_so_many_days_uses_no_departure_that_arrives_later():
    request = FIFTEEN.model_copy(update={"within_days": 1})
    assert [solution.moves for solution in both_ways(waiting(), request=request)] == [(a_move(10),)] * 2
    found = find_breaches(waiting(), TWO, request, (a_move(10), on_day(5, 1)))
    assert [(breach.code, breach.allowed, breach.found) for breach in found] == [("days_until_arrival", 1, 2)]


def test_nothing_comes_after_the_regular_supply():
    weekly = waiting(lanes=(replace(SMALL, departure_weekdays=(1,)),))
    assert [solution.moves for solution in both_ways(weekly)] == [(a_move(10),)] * 2


@pytest.mark.parametrize("dock", ["inbound_units_per_day", "outbound_units_per_day"])
def test_what_a_dock_cannot_handle_on_a_day_goes_on_the_next(dock):
    sites = tuple(a_site(site, **({dock: 10} if (site == "S2") == (dock[0] == "i") else {})) for site in ("S1", "S2"))
    for solution in both_ways(waiting(sites=sites, lanes=(a_lane(),))):
        assert solution.moves == (a_move(10), on_day(5, 1))


def test_a_dock_that_other_supply_fills_on_a_day_makes_goods_wait_for_the_next():
    sites = (a_site("S1"), a_site("S2", inbound_units_per_day=20))
    supply = (a_supply("S2", "P2", units=15, days=1),)
    crowded = waiting(sites=sites, lanes=(a_lane(),), skus=(a_sku("P1"), a_sku("P2")), supply=supply)
    limits = limits_for("P1", "P2", lane_departures=2)
    assert solve(crowded, limits, FIFTEEN, gap_ppm=0).moves == (a_move(5), on_day(10, 1))


def test_several_skus_share_each_departure_and_pay_for_it_once():
    pair = waiting(
        skus=(a_sku("P1"), a_sku("P2")),
        positions=[a_position(site, sku, 100 * (site == "S1")) for site in ("S1", "S2") for sku in ("P1", "P2")],
        forecasts=[replace(waiting().forecasts[1], sku_id=sku) for sku in ("P1", "P2")],
    )
    caps = tuple(UnitCap(site_id="S2", sku_id=sku, units=8) for sku in ("P1", "P2"))
    limits = limits_for("P1", "P2", lane_departures=3)
    request = PlanRequest(overlays=Overlays(receive_caps=caps))
    for solution in both_ways(pair, limits, request):
        assert solution.objective == pytest.approx(-(16 * 608 - 6 * 304 - 2 * 500), abs=0.02)
        assert {move.depart_on for move in solution.moves} == {NEXT, in_days(1)}


def test_a_second_departure_that_is_too_full_is_a_breach():
    moves = (a_move(10), on_day(11, 1))
    (breach,) = find_breaches(waiting(), TWO, PlanRequest(), moves)
    assert (breach.code, breach.allowed, breach.found) == ("lane_capacity_microlitres", 10_000_000, 11_000_000)
    assert breach.where == "S1→S2 by van on 2026-03-03"
    assert find_breaches(waiting(), TWO, PlanRequest(), (a_move(10), on_day(10, 1))) == ()


def test_a_dock_too_full_on_the_second_day_is_a_breach():
    sites = (a_site("S1", outbound_units_per_day=10), a_site("S2", inbound_units_per_day=9))
    found = find_breaches(waiting(sites=sites), TWO, PlanRequest(), (a_move(9), on_day(10, 1)))
    assert [(breach.code, breach.where) for breach in found] == [("inbound_units_per_day", "S2 on 2026-03-04")]


def test_a_sku_stands_once_on_each_departure_whichever_way_its_day_is_named():
    named = find_breaches(waiting(), TWO, PlanRequest(), (a_move(4), on_day(5, 0)))
    assert [breach.code for breach in named] == ["line_twice"]
    assert find_breaches(waiting(), TWO, PlanRequest(), (a_move(4), on_day(5, 1))) == ()


def test_each_departure_is_paid_for():
    assert transport_cost_e4(waiting(), TWO, (a_move(4), on_day(4, 1))) == 100_000
    assert transport_cost_e4(waiting(), TWO, (a_move(4), on_day(4, 0, sku_id="P1"))) == 50_000
    found = evaluate(waiting(), TWO, PlanRequest(), (a_move(4), on_day(4, 1)))
    assert found.fixed_costs == {DepartureKey(VAN, in_days(0)): 500, DepartureKey(VAN, in_days(1)): 500}


@pytest.mark.parametrize(("lane", "days"), [(a_lane(), -1), (a_lane(departure_weekdays=(1, 4)), 1)])
def test_a_day_that_has_passed_or_on_which_the_lane_does_not_depart_is_a_breach(lane, days):
    found = evaluate(waiting(lanes=(lane,)), TWO, PlanRequest(), (on_day(5, days),))
    assert [breach.code for breach in found.breaches] == ["departure_gone"]
    assert not found.priced


def test_no_plan_is_made_on_a_departure_that_policy_does_not_look_at():
    late = (on_day(5, 2),)
    value = evaluate(waiting(), TWO, PlanRequest(), late).objective
    with pytest.raises(UnsoundSolutionError, match="on 2026-03-04 is not a departure that a plan may use"):
        make_plan(
            waiting(), TWO, PlanRequest(), replace(solve(waiting(), TWO, PlanRequest()), moves=late, objective=value)
        )


def test_departures_are_looked_at_only_where_the_next_one_can_be_full():
    limits = limits_for(lane_departures=3)
    free = waiting(lanes=(a_lane(),))
    assert len(offered_departures(free, limits, free.lanes[0])) == 1
    assert tabulate(free, limits, FIFTEEN).lanes == free.lanes
    assert len(offered_departures(waiting(), limits, SMALL)) == 3
    assert list(Reach(waiting(), limits, FIFTEEN).offered) == [DepartureKey(VAN, in_days(day)) for day in range(3)]
    for dock in ({"S2": "inbound_units_per_day"}, {"S1": "outbound_units_per_day"}):
        sites = tuple(a_site(site, **({dock[site]: 50} if site in dock else {})) for site in ("S1", "S2"))
        assert len(offered_departures(waiting(lanes=(a_lane(),), sites=sites), limits, a_lane())) == 3


def test_a_lane_that_departs_on_two_days_a_week_offers_those():
    limits = limits_for(lane_departures=3, approval_latency_days=1)
    lane = replace(SMALL, departure_weekdays=(1, 4))
    assert [each[:2] for each in offered_departures(waiting(), limits, lane)] == [
        (in_days(3), in_days(4)),
        (in_days(7), in_days(8)),
        (in_days(10), in_days(11)),
    ]
    assert offered_departures(waiting(), limits, replace(lane, departure_weekdays=())) == ()


@pytest.mark.parametrize(
    "last", [{"depart_by": {SiteSku("S1", "P1"): in_days(0)}}, {"arrive_by": {SiteSku("S1", "P1"): in_days(1)}}]
)
def test_a_sku_that_must_have_left_or_arrived_by_then_takes_no_later_departure(last):
    limits = replace(TWO, **last)
    assert [solution.moves for solution in both_ways(waiting(), limits)] == [(a_move(10),)] * 2
    other = {name: {SiteSku("S1", "P2"): day for day in days.values()} for name, days in last.items()}
    assert len(solve(waiting(), replace(TWO, **other), FIFTEEN).moves) == 2


def test_goods_that_must_have_left_before_a_departure_are_a_breach_on_it():
    limits = replace(TWO, depart_by={SiteSku("S1", "P1"): in_days(0)})
    found = find_breaches(waiting(), limits, PlanRequest(), (a_move(4), on_day(5, 1)))
    assert [(breach.code, breach.found) for breach in found] == [("leaves_too_late", 5)]


def test_a_departure_that_was_the_lanes_next_one_is_no_breach_while_it_waits_to_leave():
    """The wait for a decision is over on the day itself: the next departure that a new plan could catch is a week later."""
    limits = replace(TWO, approval_latency_days=1, depart_by={SiteSku("S1", "P1"): in_days(2)})
    weekly = waiting(lanes=(replace(SMALL, departure_weekdays=(4,)),))
    for days in (0, 1, 2, 3):
        today = replace(weekly, as_of=weekly.as_of + timedelta(days=days))
        assert find_breaches(today, limits, PlanRequest(), (on_day(5, 3),)) == ()
    (late,) = find_breaches(weekly, limits, PlanRequest(), (on_day(5, 10),))
    assert late.code == "leaves_too_late"


def test_a_line_that_is_closed_is_closed_on_every_departure():
    limits = replace(TWO, closed_lines={(VAN, "P1"): "lot_life"})
    assert [solution.moves for solution in both_ways(waiting(), limits)] == [(), ()]
    found = find_breaches(waiting(), limits, PlanRequest(), (on_day(5, 1),))
    assert [breach.code for breach in found] == ["lot_life"]


@pytest.mark.parametrize("code", [RejectionCode.LANE_UNAVAILABLE, RejectionCode.LINE_UNWANTED])
def test_a_line_that_was_rejected_comes_back_on_no_other_day(code):
    plan = make_plan(waiting(), TWO, FIFTEEN, solve(waiting(), TWO, FIFTEEN))
    request = request_after_rejection(plan, Rejection(code=code, words="no", line_nos=(2,)))
    assert request is not None
    assert [solution.moves for solution in both_ways(waiting(), request=request)] == [(), ()]


def test_what_stands_keeps_its_room_on_its_own_departure():
    pair = waiting(
        skus=(a_sku("P1"), a_sku("P2")),
        positions=[a_position(site, sku, 100 * (site == "S1")) for site in ("S1", "S2") for sku in ("P1", "P2")],
        forecasts=[replace(waiting().forecasts[1], sku_id=sku) for sku in ("P1", "P2")],
    )
    limits, standing = limits_for("P1", "P2", lane_departures=2), (on_day(9, 1, sku_id="P2"),)
    problem = coupled_of(tabulate(pair, limits, FIFTEEN), pair, limits, FIFTEEN, standing)
    assert problem.lane_capacity.round().tolist() == [10_000_000, 1_000_000]
    assert problem.lane_cost.tolist() == [500, 0]
    again = replan(pair, limits, FIFTEEN, standing, frozenset(("P1",)))
    assert again.moves == (a_move(10), on_day(1, 1), *standing)


def room_of(code: str, moves: tuple[Move, ...], depart_on: date) -> tuple[int, str]:
    room = Room(waiting(), TWO, FIFTEEN, moves)
    found = room.of_line(SMALL, a_sku(), depart_on=depart_on)
    (constraint,) = [each for each in found if each.code == code]
    return constraint.left, constraint.where


def test_the_room_on_each_departure_is_its_own():
    moves = (a_move(10), on_day(3, 1))
    assert room_of("lane_capacity_microlitres", moves, NEXT) == (0, "S1→S2 by van")
    assert room_of("lane_capacity_microlitres", moves, in_days(0)) == (0, "S1→S2 by van")
    assert room_of("lane_capacity_microlitres", moves, in_days(1)) == (7_000_000, "S1→S2 by van on 2026-03-03")


def test_moves_are_sorted_by_lane_sku_and_day():
    moves = [on_day(1, 2), on_day(9, 1), a_move(5, sku_id="P0"), a_move(3)]
    assert sorted(moves) == [a_move(5, sku_id="P0"), a_move(3), on_day(9, 1), on_day(1, 2)]


def test_a_plan_on_one_departure_is_the_same_byte_for_byte_whatever_policy_looks_at():
    snapshot = a_needy_network()
    plans = {
        make_plan(snapshot, limits, FIFTEEN, solve(snapshot, limits, FIFTEEN)).digest
        for limits in (limits_for(), limits_for(lane_departures=1), limits_for(lane_departures=3))
    }
    assert len(plans) == 1
    assert a_plan().model_dump(mode="json")["lines"][0].keys() == a_plan().lines[0].model_dump().keys()


def booked(days: int, units: int) -> BookedLoad:
    """So many units of a litre each, approved already, on the van that leaves in so many days."""
    return BookedLoad("S1", "S2", "van", in_days(days), units, units * 1_000_000)


def test_what_approved_transfers_have_on_a_truck_leaves_that_much_less_room():
    taken = waiting(booked=(booked(0, 2), booked(1, 7)))
    for solution in both_ways(taken):
        assert solution.moves == (a_move(8), on_day(3, 1))
    (breach,) = find_breaches(taken, TWO, PlanRequest(), (a_move(8), on_day(4, 1)))
    assert (breach.code, breach.allowed, breach.found) == ("lane_capacity_microlitres", 3_000_000, 4_000_000)
    (room,) = [
        each
        for each in Room(taken, TWO, FIFTEEN, (a_move(8),)).of_line(SMALL, a_sku(), depart_on=in_days(1))
        if each.code == "lane_capacity_microlitres"
    ]
    assert (room.limit, room.left) == (3_000_000, 3_000_000)


def test_what_approved_transfers_send_out_on_a_day_takes_up_that_dock():
    sites = (a_site("S1", outbound_units_per_day=10), a_site("S2"))
    taken = waiting(sites=sites, lanes=(a_lane(),), booked=(booked(0, 2), booked(1, 7)))
    for solution in both_ways(taken):
        assert solution.moves == (a_move(8), on_day(3, 1))
    (breach,) = find_breaches(taken, TWO, PlanRequest(), (a_move(9),))
    assert (breach.code, breach.allowed, breach.found) == ("outbound_units_per_day", 8, 9)


def test_what_is_booked_is_part_of_the_facts_and_facts_without_it_keep_their_digest():
    plain, taken = waiting(), waiting(booked=(booked(1, 7),))
    assert plain.digest != taken.digest
    assert Snapshot.from_document(taken.to_document()) == taken
    old = plain.to_document()
    del old["booked"]
    assert Snapshot.from_document(old).digest == plain.digest
