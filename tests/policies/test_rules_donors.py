"""The rules that protect donors: what a site keeps for itself, and what does not travel back and forth."""

from __future__ import annotations

import pytest

from policies.rules import Facts, Violation, check, source_protection
from tests.builders import (
    a_forecast,
    a_lane,
    a_line,
    a_move,
    a_needy_network,
    a_policy,
    a_position,
    a_recent_move,
    a_supply,
    in_days,
)
from tests.policies.checking import REQUEST, facts_of, plan_on, planned, served, two_stores_in_need
from tools.inventory import StockPosition
from tools.transfers import DemandChange, Overlays, PlanRequest

UNPROTECTED = frozenset(("source_protection",))
DOUBLED = PlanRequest(overlays=Overlays(demand_changes=(DemandChange(percent=200, sites=("S1",)),)))
HALVED = PlanRequest(overlays=Overlays(demand_changes=(DemandChange(percent=50, sites=("S1",)),)))
SURE = PlanRequest(overlays=Overlays(service_level_bp=9_900))
UNSURE = PlanRequest(overlays=Overlays(service_level_bp=5_000))


def donor_facts(position: StockPosition | None = None, **fields: object) -> Facts:
    """S1 has 100 units and sells one a day until its regular supply in 7 days: it keeps 9 (see test_limits)."""
    positions = (position or a_position("S1", on_hand_units=100), a_position("S2", on_hand_units=0))
    forecasts = (a_forecast("S1"), a_forecast("S2", daily_units=100))
    return facts_of(a_needy_network(positions=positions, forecasts=forecasts, **fields))


def found(facts: Facts, units: int, request: PlanRequest = REQUEST) -> tuple[Violation, ...]:
    """What is wrong with sending so many units from S1 to S2."""
    return check(planned(facts, a_move(units), request=request, lifted=UNPROTECTED), facts)


def short(sent: int, free: int, keep: int, *line_nos: int) -> tuple[Violation, ...]:
    """The one violation of a donor that sends too much."""
    words = f"S1 would send {sent:,} of {free:,} available P1 and must keep {keep:,}."
    numbers = {"sent_units": sent, "available_units": free, "protected_units": keep}
    return (Violation("source_protection", words, numbers, line_nos or (1,)),)


def test_a_donor_keeps_what_it_needs_until_its_regular_supply() -> None:
    assert found(donor_facts(), 91) == ()
    assert found(donor_facts(), 92) == short(92, 100, 9)


def test_units_that_are_promised_are_not_available() -> None:
    facts = donor_facts(a_position("S1", on_hand_units=100, reserved_units=30))
    assert found(facts, 61) == ()
    assert found(facts, 62) == short(62, 70, 9)


def test_supply_that_comes_in_time_lets_a_donor_send_more() -> None:
    facts = donor_facts(supply=(a_supply("S1", units=5, days=3),))
    assert found(facts, 96) == ()
    assert found(facts, 97) == short(97, 100, 4)


def test_supply_on_its_way_is_not_there_to_be_sent() -> None:
    facts = donor_facts(supply=(a_supply("S1", units=50, days=3),))
    assert found(facts, 100) == ()
    assert tuple(source_protection(plan_on(facts, a_line(units=101)), facts)) == short(101, 100, 0)


@pytest.mark.parametrize(("request_", "keep"), [(DOUBLED, 16), (HALVED, 9), (SURE, 14), (UNSURE, 9)])
def test_what_a_request_assumes_can_only_raise_what_a_donor_keeps(request_: PlanRequest, keep: int) -> None:
    assert found(donor_facts(), 100 - keep, request_) == ()
    assert found(donor_facts(), 101 - keep, request_) == short(101 - keep, 100, keep)


def test_all_lines_of_a_donor_count_together_and_are_blamed_together() -> None:
    lanes = (a_lane("S1", "S2"), a_lane("S1", "S3"))
    forecasts = (a_forecast("S1"), a_forecast("S2", daily_units=100), a_forecast("S3", daily_units=100))
    facts = facts_of(two_stores_in_need(lanes=lanes, forecasts=forecasts))

    def of_two(*units: int) -> tuple[Violation, ...]:
        moves = [a_move(count, destination=site_id) for count, site_id in zip(units, ("S2", "S3"), strict=True)]
        return check(planned(facts, *moves, lifted=UNPROTECTED), facts)

    assert of_two(50, 41) == ()
    assert of_two(50, 42) == short(92, 100, 9, 1, 2)


def test_a_donor_that_holds_less_than_it_must_keep_sends_nothing() -> None:
    plan = plan_on(donor_facts(), a_line(units=1))
    poor = donor_facts(a_position("S1", on_hand_units=9))
    over_promised = donor_facts(a_position("S1", on_hand_units=9, reserved_units=20))
    assert tuple(source_protection(plan, poor)) == short(1, 9, 9)
    assert tuple(source_protection(plan, over_promised)) == short(1, 0, 9)
    assert tuple(source_protection(plan, donor_facts(a_position("S1", on_hand_units=10)))) == ()


def test_donors_come_in_the_order_of_their_names() -> None:
    sites = ("S2", "S3")
    network = two_stores_in_need(
        lanes=(a_lane("S3", "S1"), a_lane("S2", "S1")),
        positions=[a_position(site_id, on_hand_units=0) for site_id in ("S1", "S2", "S3")],
        forecasts=[a_forecast(site_id) for site_id in sites],
    )
    plan = plan_on(
        facts_of(network), a_line(1, origin="S3", destination="S1"), a_line(2, origin="S2", destination="S1")
    )
    violations = source_protection(plan, facts_of(network))
    assert [(each.words[:2], each.line_nos) for each in violations] == [("S2", (2,)), ("S3", (1,))]


@pytest.mark.parametrize(("days_ago", "permitted"), [(1, False), (13, False), (14, True), (30, True)])
def test_what_came_in_does_not_go_out_again_within_the_cool_down(days_ago: int, permitted: bool) -> None:
    facts = facts_of(a_needy_network(recent_moves=(a_recent_move("S1", days_ago=days_ago),)))
    words = f"Line 1 (5 P1 S1→S2 by van): S1 received P1 on {in_days(-days_ago)}, within 14 days."
    assert check(plan_on(facts), facts) == (() if permitted else (Violation("cool_down", words, {}, (1,)),))


@pytest.mark.parametrize(("days_ago", "permitted"), [(1, False), (13, False), (14, True)])
def test_what_went_out_does_not_come_back_within_the_cool_down(days_ago: int, permitted: bool) -> None:
    facts = facts_of(a_needy_network(recent_moves=(a_recent_move("S2", sent=True, days_ago=days_ago),)))
    words = f"Line 1 (5 P1 S1→S2 by van): S2 sent P1 away on {in_days(-days_ago)}, within 14 days."
    assert check(plan_on(facts), facts) == (() if permitted else (Violation("cool_down", words, {}, (1,)),))


def test_both_ends_of_a_line_can_be_cooling_down() -> None:
    moves = (a_recent_move("S1"), a_recent_move("S2", sent=True))
    facts = facts_of(a_needy_network(recent_moves=moves))
    found = check(plan_on(facts), facts)
    assert [(each.rule, each.line_nos) for each in found] == [("cool_down", (1,)), ("cool_down", (1,))]


def test_sending_again_and_receiving_again_is_no_way_back() -> None:
    moves = (a_recent_move("S1", sent=True), a_recent_move("S2"), a_recent_move("S1", "P2"), a_recent_move("S3"))
    facts = facts_of(a_needy_network(recent_moves=moves))
    assert check(plan_on(facts), facts) == ()


def test_a_policy_without_a_cool_down_lets_everything_go_back() -> None:
    facts = facts_of(a_needy_network(recent_moves=(a_recent_move("S1", days_ago=0),)), a_policy(cool_down={"days": 0}))
    assert check(plan_on(facts), facts) == ()


def test_only_the_lines_that_cool_down_are_blamed() -> None:
    network = two_stores_in_need(
        lanes=(a_lane("S1", "S2"), a_lane("S1", "S3")), recent_moves=(a_recent_move("S3", sent=True),)
    )
    facts = facts_of(network)
    plan = plan_on(facts, a_line(1), a_line(2, destination="S3"), fill_rate=served(10, 1_400))
    assert [(each.rule, each.line_nos) for each in check(plan, facts)] == [("cool_down", (2,))]
