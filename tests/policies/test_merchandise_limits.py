"""From facts about merchandise to limits: what binds under every policy, what a section turns on, and money by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.limits import limits_of
from policies.schema import Policy
from policies.urgency import urgencies
from tests.builders import (
    a_forecast,
    a_lane,
    a_move,
    a_needy_network,
    a_policy,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
    a_snapshot,
    a_supply,
    in_days,
    with_merchandise,
)
from tests.policies.checking import facts_of, planned
from tools.inventory import LaneKey, SiteSku, Snapshot
from tools.merchandise.facts import (
    EVERY_SITE,
    DisplayKind,
    EndOfLife,
    Lot,
    Markdown,
    Merchandise,
    MinimumDisplay,
    SetMember,
    Substitute,
)
from tools.merchandise.urgency import Urgency
from tools.planning import Limits, Move
from tools.planning.breaches import find_breaches
from tools.planning.calendar import offered_departures
from tools.planning.limits import Display, WholeSet
from tools.transfers import Overlays, PlanRequest

EMERGENCY = PlanRequest(overlays=Overlays(emergency_rescue=True))
HERE, THERE = SiteSku("S1", "P1"), SiteSku("S2", "P1")
LANE = LaneKey("S1", "S2", "van")


def limits_on(
    snapshot: Snapshot, policy: Policy | None = None, request: PlanRequest | None = None, **stated: Any
) -> Limits:
    """The limits on a network that states these facts about its merchandise."""
    facts = replace(snapshot, merchandise=Merchandise(**stated)) if stated else snapshot
    return limits_of(policy or with_merchandise(), facts, request or PlanRequest())


def a_shop(sizes: dict[str, int], site_id: str = "S2", **fields: Any) -> Snapshot:
    """S1 has 20 of P1, P2 and P3 and no demand; another store has so many of each SKU named and sells one a day."""
    skus = ("P1", "P2", "P3")
    keys = [("S1", sku_id) for sku_id in skus] + [(site_id, sku_id) for sku_id in sizes]
    units = {("S1", sku_id): 20 for sku_id in skus} | {(site_id, sku_id): held for sku_id, held in sizes.items()}
    return a_snapshot(
        skus=tuple(a_sku(sku_id) for sku_id in skus),
        positions=[a_position(*key, on_hand_units=units[key]) for key in keys],
        forecasts=[a_forecast(*key, daily_units=0 if key[0] == "S1" else 1) for key in keys],
        replenishments=[a_replenishment(*key) for key in keys],
        **fields,
    )


A_SET = (SetMember("SHIRT", "P1"), SetMember("SHIRT", "P2"), SetMember("SHIRT", "P3"))


# --- nothing stated ---------------------------------------------------------------------------------------------


def test_without_facts_the_section_changes_no_limit() -> None:
    plain, with_section = (limits_on(a_snapshot(), policy) for policy in (a_policy(), with_merchandise()))
    assert replace(with_section, policy_digest=plain.policy_digest) == plain


def test_without_the_section_only_lots_and_hard_displays_hold() -> None:
    stated: dict[str, Any] = {
        "set_members": A_SET,
        "displays": (
            MinimumDisplay("S1", "P1", DisplayKind.HARD, 7),
            MinimumDisplay("S2", "P1", DisplayKind.SOFT, 4, 5_000),
        ),
        "lots": (Lot("S1", "P2", "L1", 20, in_days(1)),),
        "ends_of_life": (EndOfLife("P3", "S1", in_days(2)), EndOfLife("P2", EVERY_SITE, in_days(2))),
        "markdowns": (Markdown("S1", "P1", 39_999),),
        "substitutes": (Substitute("P1", "P2", 5_000),),
    }
    snapshot = a_shop({"P1": 0, "P2": 0, "P3": 0})
    found, plain = limits_on(snapshot, a_policy(), **stated), limits_on(snapshot, a_policy())
    assert found.protected_units == {**plain.protected_units, HERE: 7, SiteSku("S1", "P2"): 20}
    assert found.closed_lines == {(LANE, "P2"): "lot_life"}
    assert replace(found, protected_units=plain.protected_units, closed_lines={}) == plain


# --- sets -------------------------------------------------------------------------------------------------------


def test_a_donor_keeps_one_of_each_of_a_complete_set() -> None:
    found = limits_on(a_shop({}), set_members=A_SET)
    assert found.protected_units == {SiteSku("S1", sku_id): 1 for sku_id in ("P1", "P2", "P3")}


def test_a_donor_with_a_broken_set_keeps_nothing_for_it() -> None:
    snapshot = a_shop({})
    positions = tuple(replace(row, on_hand_units=0) if row.sku_id == "P3" else row for row in snapshot.positions)
    assert limits_on(replace(snapshot, positions=positions), set_members=A_SET).protected_units == {}


def test_a_set_at_the_end_of_its_life_is_given_away_whole() -> None:
    ends = tuple(EndOfLife(sku_id, EVERY_SITE, in_days(28)) for sku_id in ("P1", "P2", "P3"))
    assert limits_on(a_shop({}), set_members=A_SET, ends_of_life=ends).protected_units == {}
    some = limits_on(a_shop({}), set_members=A_SET, ends_of_life=ends[:2])
    assert len(some.protected_units) == 3


@pytest.mark.parametrize(
    ("sizes", "missing"),
    [
        ({"P1": 0, "P2": 0, "P3": 0}, ("P1", "P2", "P3")),
        ({"P1": 0, "P2": 0}, ("P1", "P2")),
        ({"P1": 0}, ()),
        ({"P1": 1, "P2": 0, "P3": 0}, ()),
    ],
)
def test_a_site_that_has_nothing_of_what_it_carries_of_a_set_gets_it_whole(
    sizes: dict[str, int], missing: tuple[str, ...]
) -> None:
    found = limits_on(a_shop(sizes), set_members=A_SET)
    assert found.whole_sets == ((WholeSet("S2", tuple(sizes), missing),) if missing else ())


def test_what_is_on_its_way_is_not_missing() -> None:
    snapshot = a_shop({"P1": 0, "P2": 0, "P3": 0}, supply=(a_supply("S2", "P2"),))
    assert limits_on(snapshot, set_members=A_SET).whole_sets == (WholeSet("S2", ("P1", "P2", "P3"), ("P1", "P3")),)


def test_sets_are_not_looked_at_where_the_policy_says_so() -> None:
    found = limits_on(a_shop({"P1": 0, "P2": 0}), with_merchandise(whole_sets=False), set_members=A_SET)
    assert (found.whole_sets, [key for key in found.protected_units if key.site_id == "S1"]) == ((), [])


# --- displays ---------------------------------------------------------------------------------------------------


def test_a_hard_display_raises_what_a_donor_keeps_and_never_lowers_it() -> None:
    snapshot = a_snapshot(positions=(a_position("S1", on_hand_units=50), a_position("S2")))
    own = limits_on(snapshot).protected_units[HERE]
    for units in (own - 1, own + 5):
        shown = (MinimumDisplay("S1", "P1", DisplayKind.HARD, units),)
        assert limits_on(snapshot, displays=shown).protected_units[HERE] == max(own, units)


def test_a_soft_display_is_a_price_and_no_protection() -> None:
    shown = (MinimumDisplay("S2", "P1", DisplayKind.SOFT, 4, 5_000),)
    found = limits_on(a_needy_network(), displays=shown)
    assert found.displays == {THERE: Display(4, 5_000)}
    assert found.protected_units == limits_on(a_needy_network()).protected_units
    assert limits_on(a_needy_network(), with_merchandise(soft_displays=False), displays=shown).displays == {}


# --- ends of life, markdowns ------------------------------------------------------------------------------------


def test_what_has_to_leave_receives_nothing_and_earns_its_write_off_by_leaving() -> None:
    found = limits_on(a_needy_network(), ends_of_life=(EndOfLife("P1", "S1", in_days(20), 12_345),))
    assert found.no_receive == {HERE: "end_of_life"}
    assert found.leave_e4 == {HERE: 12_345}
    assert found.leftover_at_e4 == {}
    assert found.must_leave == {}


def test_without_a_stated_write_off_a_unit_loses_its_cost() -> None:
    found = limits_on(a_needy_network(), ends_of_life=(EndOfLife("P1", "S1", in_days(20)),))
    assert found.leave_e4 == {HERE: 40_000}


def test_units_that_would_sell_in_time_earn_nothing_by_leaving() -> None:
    """100 units and certain demand for 25 of them before the date: three quarters of the loss on each."""
    snapshot = a_needy_network(forecasts=(a_forecast("S1", daily_units=5), a_forecast("S2", daily_units=100)))
    found = limits_on(snapshot, ends_of_life=(EndOfLife("P1", "S1", in_days(5), 10_000),))
    assert found.leave_e4 == {HERE: 7_500}


@pytest.mark.parametrize(("days", "due"), [(7, {HERE: 100}), (8, {}), (-3, {HERE: 100})])
def test_units_must_leave_now_when_the_next_plan_would_depart_after_the_date(
    days: int, due: dict[SiteSku, int]
) -> None:
    """The next plan is made in seven days and its goods depart a day later, when it is approved."""
    found = limits_on(a_needy_network(), ends_of_life=(EndOfLife("P1", "S1", in_days(days)),))
    assert found.must_leave == due


def test_a_decision_that_is_known_to_take_longer_makes_more_units_due() -> None:
    slow = a_needy_network(approval_latency_days=4)
    ends = (EndOfLife("P1", "S1", in_days(10)),)
    assert limits_on(slow, ends_of_life=ends).must_leave == {HERE: 100}
    assert limits_on(a_needy_network(), ends_of_life=ends).must_leave == {}


def test_only_whole_packs_must_leave_and_nothing_protects_them() -> None:
    snapshot = a_needy_network(
        skus=(a_sku(pack_size=6),), forecasts=(a_forecast("S1", daily_units=5), a_forecast("S2"))
    )
    assert limits_on(snapshot).protected_units[HERE] > 0
    found = limits_on(snapshot, ends_of_life=(EndOfLife("P1", "S1", in_days(2)),))
    assert found.must_leave == {HERE: 96}
    assert HERE not in found.protected_units


def test_an_end_of_life_counts_only_from_the_days_before_it_that_the_policy_names() -> None:
    for days, counts in ((28, True), (29, False)):
        found = limits_on(a_needy_network(), ends_of_life=(EndOfLife("P1", "S1", in_days(days)),))
        assert bool(found.leave_e4) is bool(found.no_receive) is counts


def test_a_sku_that_ends_everywhere_is_written_off_where_it_is_left_over() -> None:
    found = limits_on(a_needy_network(), ends_of_life=(EndOfLife("P1", EVERY_SITE, in_days(20), 30_000),))
    assert found.leftover_at_e4 == {HERE: 30_000, THERE: 30_000}
    assert (found.leave_e4, found.no_receive, found.must_leave) == ({}, {}, {})


@pytest.mark.parametrize(
    ("proceeds", "costs"), [(39_999, 1), (39_500, 500), (39_200, None), (10_000, None), (50_000, 0)]
)
def test_a_markdown_costs_what_it_does_not_bring_back_if_that_is_less_than_holding(
    proceeds: int, costs: int | None
) -> None:
    """P1 costs 4.00, so that holding it costs 0.08: a markdown to less than 3.92 is dearer."""
    found = limits_on(a_needy_network(), markdowns=(Markdown("S1", "P1", proceeds),))
    assert found.leftover_at_e4 == ({} if costs is None else {HERE: costs})


def test_a_markdown_caps_what_an_end_of_life_costs() -> None:
    marked = (Markdown("S1", "P1", 25_000),)
    everywhere = limits_on(a_needy_network(), ends_of_life=(EndOfLife("P1", EVERY_SITE, in_days(9)),), markdowns=marked)
    assert everywhere.leftover_at_e4 == {HERE: 15_000, THERE: 40_000}
    here = limits_on(a_needy_network(), ends_of_life=(EndOfLife("P1", "S1", in_days(9)),), markdowns=marked)
    assert here.leave_e4 == {HERE: 15_000}
    unweighed = with_merchandise(markdowns=False)
    ends = (EndOfLife("P1", "S1", in_days(9)),)
    assert limits_on(a_needy_network(), unweighed, ends_of_life=ends, markdowns=marked).leave_e4 == {HERE: 40_000}


# --- substitution -----------------------------------------------------------------------------------------------


def test_a_shortage_costs_less_where_a_substitute_is_certain_to_be_left() -> None:
    """P1's lost sale costs 7.20; two fifths of its customers take P2, of which S1 has 20 and sells none: 4.32."""
    snapshot = a_shop({"P1": 0, "P2": 0, "P3": 0})
    found = limits_on(snapshot, substitutes=(Substitute("P1", "P2", 4_000),))
    assert found.lost_at_e4 == {SiteSku("S1", "P1"): 43_200}


def test_shares_of_substitutes_add_up() -> None:
    both = (Substitute("P1", "P2", 4_000), Substitute("P1", "P3", 6_000))
    assert limits_on(a_shop({}), substitutes=both).lost_at_e4 == {HERE: 0}


def test_a_substitute_counts_by_the_chance_that_one_is_left() -> None:
    """S2 has one P2 and Poisson demand of 0.7 for it: with exp(-0.7) the one is left."""
    snapshot = a_shop({"P1": 0, "P2": 1})
    snapshot = replace(
        snapshot,
        forecasts=tuple(
            a_forecast("S2", "P2", daily_units=0.1) if row.key == SiteSku("S2", "P2") else row
            for row in snapshot.forecasts
        ),
    )
    found = limits_on(snapshot, substitutes=(Substitute("P1", "P2", 10_000),))
    left_ppm = 496_585
    assert found.lost_at_e4[THERE] == 72_000 * (1_000_000 - left_ppm) // 1_000_000


def test_substitution_is_off_where_the_policy_says_so() -> None:
    found = limits_on(a_shop({}), with_merchandise(substitution=False), substitutes=(Substitute("P1", "P2", 4_000),))
    assert found.lost_at_e4 == {}


# --- lots -------------------------------------------------------------------------------------------------------


def a_pair_of_lanes(**fields: Any) -> Snapshot:
    """S1 reaches S2 by van in one day and by truck in four. An approval takes a day more."""
    lanes = (a_lane("S1", "S2"), a_lane("S1", "S2", "truck", lead_time_days=4))
    return a_needy_network(lanes=lanes, **fields)


TRUCK = LaneKey("S1", "S2", "truck")


def test_lanes_stay_on_which_the_most_units_arrive_with_life_enough() -> None:
    """Three days of life are asked for. By van (day 2) lots of day 5 and later fit, by truck (day 5) those of day 8."""
    lots = (
        Lot("S1", "P1", "A", 10, in_days(4)),
        Lot("S1", "P1", "B", 30, in_days(6)),
        Lot("S1", "P1", "C", 60, in_days(9)),
    )
    found = limits_on(a_pair_of_lanes(), lots=lots)
    assert found.least_life_days == {"P1": 3}
    assert found.closed_lines == {(TRUCK, "P1"): "lot_life"}
    assert found.protected_units[HERE] == 10


def test_lanes_on_which_the_same_units_arrive_all_stay() -> None:
    lots = (Lot("S1", "P1", "A", 10, in_days(1)), Lot("S1", "P1", "C", 90, in_days(9)))
    found = limits_on(a_pair_of_lanes(), lots=lots)
    assert (found.closed_lines, found.protected_units[HERE]) == ({}, 10)


def test_where_no_lot_lasts_every_lane_is_closed() -> None:
    found = limits_on(a_pair_of_lanes(), lots=(Lot("S1", "P1", "A", 100, in_days(4)),))
    assert found.closed_lines == {(LANE, "P1"): "lot_life", (TRUCK, "P1"): "lot_life"}
    assert found.protected_units[HERE] == 100


def test_a_lane_that_another_rule_closes_does_not_close_the_rest() -> None:
    lots = (Lot("S1", "P1", "A", 40, in_days(6)), Lot("S1", "P1", "C", 60, in_days(9)))
    policy = with_merchandise()
    document = policy.model_dump(mode="json")
    document["lanes"]["forbidden"] = [{"origin": "S1", "destination": "S2", "mode": "van"}]
    closed = a_policy(**{name: document[name] for name in ("lanes", "merchandise")})
    assert limits_on(a_pair_of_lanes(), closed, lots=lots).closed_lines == {}
    assert limits_on(a_pair_of_lanes(), closed, lots=lots).protected_units[HERE] == 40


@pytest.mark.parametrize(("shelf_life", "least"), [(None, 3), (12, 3), (13, 4), (40, 10)])
def test_the_longer_of_days_and_share_of_the_shelf_life_is_asked_for(shelf_life: int | None, least: int) -> None:
    snapshot = a_needy_network(skus=(a_sku(shelf_life_days=shelf_life),))
    found = limits_on(snapshot, lots=(Lot("S1", "P1", "A", 100, in_days(90)),))
    assert found.least_life_days == {"P1": least}


def test_lots_that_cannot_travel_stand_in_for_what_a_donor_keeps_unless_they_have_expired() -> None:
    snapshot = a_needy_network(forecasts=(a_forecast("S1", daily_units=2), a_forecast("S2", daily_units=100)))
    own = limits_on(snapshot).protected_units[HERE]
    short_lived = (Lot("S1", "P1", "A", own - 2, in_days(2)), Lot("S1", "P1", "C", 102 - own, in_days(60)))
    assert limits_on(snapshot, lots=short_lived).protected_units[HERE] == own
    expired = (Lot("S1", "P1", "A", 4, in_days(-1)), Lot("S1", "P1", "C", 96, in_days(60)))
    assert limits_on(snapshot, lots=expired).protected_units[HERE] == own + 4


def test_of_later_departures_those_stay_that_arrive_while_lots_last_and_leave_before_an_end_of_life() -> None:
    """By van a lot of day 6 with three days of life must arrive by day 3: the second departure arrives then."""
    vans = (a_lane("S1", "S2", capacity_microlitres_per_departure=10_000_000),)
    facts = {"ends_of_life": (EndOfLife("P1", "S1", in_days(9)),), "lots": (Lot("S1", "P1", "A", 100, in_days(6)),)}
    section = with_merchandise().model_dump(mode="json")["merchandise"]
    for looked_at, last in ((3, {HERE: in_days(3)}), (1, {})):
        policy = a_policy(merchandise=section, departures={"per_lane_max": looked_at})
        found = limits_on(a_needy_network(lanes=vans), policy, **facts)
        assert found.lane_departures == looked_at
        assert (found.arrive_by, found.closed_lines) == (last, {})
        assert found.depart_by == {HERE: in_days(9)}


@settings(max_examples=100)
@given(
    rows=st.lists(st.tuples(st.integers(1, 20), st.integers(-2, 16)), min_size=1, max_size=5),
    leads=st.lists(st.integers(0, 9), min_size=1, max_size=4),
    beyond=st.integers(-8, 8),
    reserved=st.integers(0, 6),
    looked_at=st.integers(1, 3),
    data=st.data(),
)
def test_however_what_may_leave_is_split_over_the_lanes_that_stay_lots_are_found_for_it(
    rows: list[tuple[int, int]], leads: list[int], beyond: int, reserved: int, looked_at: int, data: st.DataObject
) -> None:
    """Also where the stock is no longer what the lots add up to, and over several departures of a lane."""
    lots = tuple(Lot("S1", "P1", f"L{number}", units, in_days(days)) for number, (units, days) in enumerate(rows))
    held = max(sum(lot.units for lot in lots) + beyond, 0)
    snapshot = a_needy_network(
        lanes=tuple(
            a_lane("S1", "S2", f"mode{number}", lead_time_days=days, capacity_microlitres_per_departure=10**9)
            for number, days in enumerate(leads)
        ),
        positions=(
            a_position("S1", on_hand_units=held, reserved_units=min(reserved, held)),
            a_position("S2", on_hand_units=0),
        ),
        merchandise=Merchandise(lots=lots),
    )
    section = with_merchandise().model_dump(mode="json")["merchandise"]
    policy = a_policy(merchandise=section, departures={"per_lane_max": looked_at})
    limits = limits_of(policy, snapshot, PlanRequest())
    free = max(snapshot.position_by_key[HERE].available_units - limits.protected_units.get(HERE, 0), 0)
    moves = []
    for lane in snapshot.lanes:
        for departure in offered_departures(snapshot, limits, lane):
            in_time = departure.arrive_on <= limits.arrive_by.get(HERE, departure.arrive_on)
            if (lane.key, "P1") not in limits.closed_lines and in_time and free > 0:
                units = data.draw(st.integers(0, free), label=f"{lane.mode} on {departure.depart_on}")
                free -= units
                moves += [Move(lane.key, "P1", units, departure.depart_on)] if units else []
    assert find_breaches(snapshot, limits, PlanRequest(), moves) == ()


# --- emergencies and urgency ------------------------------------------------------------------------------------


def an_emergency(**fields: Any) -> Snapshot:
    """S1 has 12 and sells one a day, S2 has none and sells three a day, S3 has 30 and sells one a day."""
    sites = ("S1", "S2", "S3")
    units, daily = {"S1": 12, "S2": 0, "S3": 30}, {"S1": 1, "S2": 3, "S3": 1}
    return a_snapshot(
        sites=[a_site(site_id) for site_id in sites],
        lanes=[a_lane("S1", "S2"), a_lane("S1", "S3"), a_lane("S3", "S2", "truck")],
        positions=[a_position(site_id, on_hand_units=units[site_id]) for site_id in sites],
        forecasts=[a_forecast(site_id, daily_units=daily[site_id]) for site_id in sites],
        replenishments=[a_replenishment(site_id) for site_id in sites],
        **fields,
    )


def test_in_an_emergency_donors_keep_less_and_only_likely_stock_outs_are_served() -> None:
    ordinary = limits_on(an_emergency())
    found = limits_on(an_emergency(), request=EMERGENCY)
    assert found.protected_units[HERE] < ordinary.protected_units[HERE]
    assert found.no_receive == {HERE: "not_an_emergency", SiteSku("S3", "P1"): "not_an_emergency"}


def test_displays_and_sets_hold_in_an_emergency_too() -> None:
    shown = (MinimumDisplay("S1", "P1", DisplayKind.HARD, 11),)
    assert limits_on(an_emergency(), request=EMERGENCY, displays=shown).protected_units[HERE] == 11


@pytest.mark.parametrize("policy", [a_policy(), with_merchandise(emergency=None)])
def test_without_provision_for_emergencies_nobody_is_served_in_one(policy: Policy) -> None:
    found = limits_on(an_emergency(), policy, EMERGENCY)
    assert set(found.no_receive.values()) == {"not_an_emergency"}
    assert len(found.no_receive) == 3
    assert found.protected_units == limits_on(an_emergency(), policy).protected_units


def test_what_a_request_assumes_makes_no_emergency() -> None:
    request = EMERGENCY.with_overlays(supply_delay_days=30)
    snapshot = an_emergency(supply=(a_supply("S2", units=60, days=1),))
    assert limits_on(snapshot, request=request).no_receive[THERE] == "not_an_emergency"


def test_a_line_that_takes_its_donor_below_its_keep_is_an_emergency_rescue_and_says_so() -> None:
    facts = facts_of(an_emergency(), with_merchandise())
    plan = planned(facts, a_move(5), request=EMERGENCY)
    (found,) = urgencies(facts.policy, facts.snapshot, plan)
    assert found.urgency is Urgency.EMERGENCY_RESCUE
    assert found.words == (
        "Emergency rescue: S1 keeps 7 P1, 2 below the 9 that it ordinarily keeps for itself; without it S2 runs out of"
        " P1 before its regular supply with 99.99 %."
    )


def test_a_line_to_a_likely_stock_out_is_a_rescue_and_any_other_one_balances() -> None:
    facts = facts_of(an_emergency(), with_merchandise())
    plan = planned(facts, a_move(2), a_move(1, destination="S3"))
    rescue, balance = urgencies(facts.policy, facts.snapshot, plan)
    assert (rescue.urgency, balance.urgency) == (Urgency.STOCK_OUT_RESCUE, Urgency.BALANCE)
    assert rescue.words == (
        "Rescue from a stock-out: without it S2 runs out of P1 before its regular supply with 99.99 %."
    )
    assert balance.words == "Balance: S3 runs out of P1 before its regular supply with 0 %."


def test_without_the_section_every_line_balances() -> None:
    facts = facts_of(an_emergency(), a_policy())
    (found,) = urgencies(facts.policy, facts.snapshot, planned(facts, a_move(2)))
    assert found.urgency is Urgency.BALANCE
    assert urgencies(facts.policy, facts.snapshot, planned(facts)) == ()
