"""The rules as a whole, and those on governance and data: each speaks for itself, and a sound plan breaks none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies.library import released
from policies.rules import RULES, Facts, Violation, check
from policies.stops import Stop
from tests.builders import (
    NOW,
    a_forecast,
    a_hold,
    a_lane,
    a_line,
    a_move,
    a_needy_network,
    a_policy,
    a_position,
    a_recent_move,
    a_site,
    a_sku,
    in_days,
)
from tests.policies.checking import a_needy_pair, facts_of, plan_on, planned, served, two_stores_in_need
from tools.inventory import Snapshot, Temperature
from tools.merchandise.facts import DisplayKind, EndOfLife, Lot, Merchandise, MinimumDisplay, SetMember
from tools.transfers import Overlays, PlanRequest, TransferPlan

TIER = a_policy().tiers[0].model_dump(mode="json")
WITH_OWN_DEMAND = a_needy_network(forecasts=(a_forecast("S1"), a_forecast("S2", daily_units=100)))
TWO_ENTITIES = a_needy_network(sites=(a_site("S1", legal_entity="EAST"), a_site("S2", legal_entity="WEST")))


def checked(snapshot: Snapshot | None = None, policy: dict[str, Any] | None = None, **fields: Any) -> Facts:
    """The needy network with what is to be broken."""
    return facts_of(snapshot, a_policy(**policy or {}), **fields)


SHOWN = Merchandise(displays=(MinimumDisplay("S1", "P1", DisplayKind.HARD, 96),))
A_SET = Merchandise(set_members=(SetMember("SHIRT", "P1"), SetMember("SHIRT", "P2")))
LEAVING = Merchandise(ends_of_life=(EndOfLife("P1", "S2", in_days(20)),))
MERCHANDISE = released("2026-11").model_dump(mode="json")["merchandise"]

BROKEN: dict[str, Facts] = {
    "kill_switch": checked(stops=(Stop(),)),
    "policy_in_force": checked(policy={"summary": "Another document."}),
    "fresh_stock": checked(now=NOW + timedelta(days=3)),
    "data_quality": checked(a_needy_network(holds=(a_hold("S2"),))),
    "forbidden_lane": checked(policy={"lanes": {"forbidden": [{"origin": "S1", "destination": "S2"}]}}),
    "cross_entity": checked(TWO_ENTITIES, {"tiers": [TIER | {"cross_entity": True}]}),
    "temperature": checked(a_needy_network(skus=(a_sku(temperature=Temperature.FROZEN),))),
    "hazmat": checked(a_needy_network(skus=(a_sku(hazmat=True),))),
    "source_protection": checked(WITH_OWN_DEMAND),
    "cool_down": checked(a_needy_network(recent_moves=(a_recent_move("S1"),))),
    "line_benefit": checked(policy={"benefit": {"line_min_minor": 4_000}}),
    "lane_benefit": checked(policy={"benefit": {"lane_min_minor": 3_500}}),
    "size": checked(policy={"size": {"plan_units_max": 4}}),
    "minimum_display": checked(a_needy_network(merchandise=SHOWN)),
    "whole_set": checked(a_needy_pair(merchandise=A_SET), {"merchandise": MERCHANDISE}),
    "lot_life": checked(a_needy_network(merchandise=Merchandise(lots=(Lot("S1", "P1", "L1", 100, in_days(1)),)))),
    "end_of_life": checked(a_needy_network(merchandise=LEAVING), {"merchandise": MERCHANDISE}),
    "emergency_rescue": checked(),
    "approval_tier": checked(policy={"tiers": [TIER | {"units_max": 4}]}),
    "recomputed": checked(a_needy_network(lanes=(a_lane(departure_weekdays=()),))),
}
"""For every rule the facts under which five units, or those of `plan_for`, break it and no other rule."""


def plan_for(rule: str, facts: Facts) -> TransferPlan:
    if rule == "policy_in_force":
        return plan_on(facts_of())
    if rule == "source_protection":
        return planned(facts, a_move(92), lifted=frozenset(("source_protection",)))
    if rule == "emergency_rescue":
        return plan_on(facts, request=PlanRequest(overlays=Overlays(emergency_rescue=True)))
    if rule == "whole_set":
        return plan_on(facts, fill_rate=served(5, 1_400))
    return plan_on(facts)


def test_every_rule_has_a_plan_that_breaks_it() -> None:
    assert list(BROKEN) == [rule.__name__ for rule in RULES]


@pytest.mark.parametrize("name", BROKEN)
def test_a_plan_that_breaks_one_rule_breaks_no_other(name: str) -> None:
    plan = plan_for(name, BROKEN[name])
    speaking = {rule.__name__: tuple(rule(plan, BROKEN[name])) for rule in RULES if tuple(rule(plan, BROKEN[name]))}
    assert list(speaking) == [name]
    assert check(plan, BROKEN[name]) == speaking[name]
    assert all(violation.words.endswith(".") for violation in speaking[name])


def test_a_sound_plan_is_permitted() -> None:
    assert check(plan_on(facts_of()), facts_of()) == ()


@pytest.mark.parametrize("name", sorted(set(BROKEN) - {"policy_in_force"}))
def test_a_plan_of_nothing_breaks_nothing(name: str) -> None:
    facts = BROKEN[name]
    nothing = planned(facts)
    assert nothing.lines == ()
    assert check(nothing, facts) == ()


def test_violations_come_in_the_order_of_the_rules() -> None:
    facts = facts_of(
        a_needy_network(holds=(a_hold("S1"),), skus=(a_sku(hazmat=True),)),
        a_policy(
            size={"line_units_max": 4}, benefit={"line_min_minor": 4_000}, data_quality={"held_share_max_bp": 10_000}
        ),
        stops=(Stop(),),
    )
    found = [violation.rule for violation in check(plan_on(facts), facts)]
    assert found == ["kill_switch", "data_quality", "hazmat", "line_benefit", "line_units"]


def test_a_violation_without_numbers_and_lines_has_empty_ones() -> None:
    violation = Violation("a rule", "Some words.")
    assert (dict(violation.numbers), violation.line_nos) == ({}, ())


def test_while_the_kill_switch_is_engaged_no_plan_goes_forward() -> None:
    facts = facts_of(stops=(Stop(),))
    words = "The kill switch is engaged: no transfer may be approved or posted."
    assert check(plan_on(facts), facts) == (Violation("kill_switch", words),)
    assert check(plan_on(facts), replace(facts, stops=())) == ()


def test_a_plan_made_under_another_policy_is_to_be_made_again() -> None:
    plan = plan_on(facts_of(policy=released("2026-04")))
    words = "The plan was made under policy c8a6240c6873; in force is standard 2026-01 (706c284291d8). Plan again."
    assert check(plan, facts_of(policy=released("2026-01"))) == (Violation("policy_in_force", words),)
    assert check(plan, facts_of(policy=released("2026-04"))) == ()


@pytest.mark.parametrize(("hours", "permitted"), [(0, True), (47, True), (48, True), (49, False), (1_000, False)])
def test_stock_may_be_as_old_as_the_policy_admits(hours: int, permitted: bool) -> None:
    facts = facts_of(now=NOW + timedelta(hours=hours))
    words = f"was counted {hours:,} hours ago; the policy admits 48. Bring in a newer count."
    numbers = {"hours": hours, "hours_max": 48}
    stale = tuple(
        Violation("fresh_stock", f"The stock of {site_id} {words}", numbers, (1,)) for site_id in ("S1", "S2")
    )
    assert check(plan_on(facts), facts) == (() if permitted else stale)


def test_stock_is_too_old_from_the_first_second_on() -> None:
    facts = facts_of(now=NOW + timedelta(hours=48, seconds=1))
    violation, _ = check(plan_on(facts), facts)
    assert (violation.rule, violation.numbers) == ("fresh_stock", {"hours": 49, "hours_max": 48})


def test_a_policy_that_only_warns_of_stale_stock_stops_no_plan() -> None:
    facts = facts_of(policy=a_policy(data_quality={"stale_stock": "warn"}), now=NOW + timedelta(hours=1_000))
    assert check(plan_on(facts), facts) == ()


def test_each_site_with_stale_stock_is_named_with_the_lines_that_touch_it() -> None:
    old, new = NOW - timedelta(hours=60), NOW
    positions = [a_position("S1", as_of=old, on_hand_units=100), a_position("S2", on_hand_units=0, as_of=old)]
    snapshot = two_stores_in_need(
        lanes=(a_lane("S1", "S2"), a_lane("S1", "S3"), a_lane("S4", "S2")),
        sites=[a_site(site_id) for site_id in ("S1", "S2", "S3", "S4")],
        positions=[*positions, a_position("S3", on_hand_units=0), a_position("S4", on_hand_units=100, as_of=new)],
    )
    facts = facts_of(snapshot)
    lines = (a_line(1), a_line(2, destination="S3"), a_line(3, origin="S4"))
    found = check(plan_on(facts, *lines, fill_rate=served(15, 1_400)), facts)
    words, numbers = (
        "was counted 60 hours ago; the policy admits 48. Bring in a newer count.",
        {"hours": 60, "hours_max": 48},
    )
    assert found == (
        Violation("fresh_stock", f"The stock of S1 {words}", numbers, (1, 2)),
        Violation("fresh_stock", f"The stock of S2 {words}", numbers, (1, 3)),
    )


def test_the_oldest_count_of_a_site_speaks_for_it() -> None:
    hours = {"P1": 50, "P2": 70}
    snapshot = a_needy_network(
        skus=(a_sku("P1"), a_sku("P2")),
        positions=[a_position("S1", sku, 100, as_of=NOW - timedelta(hours=old)) for sku, old in hours.items()],
    )
    facts = facts_of(snapshot)
    stale = [v for v in check(plan_on(facts, a_line(1), a_line(2, sku_id="P2")), facts) if v.rule == "fresh_stock"]
    assert [(violation.numbers["hours"], violation.line_nos) for violation in stale] == [(70, (1, 2))]


def test_stock_that_nobody_counted_is_not_called_old() -> None:
    """That it is not stocked is another rule's word."""
    facts = facts_of(a_needy_network(positions=(a_position("S2", on_hand_units=0),)))
    found = {violation.rule for violation in check(plan_on(facts), facts)}
    assert "not_stocked" in found
    assert "fresh_stock" not in found


@pytest.mark.parametrize("site_id", ["S1", "S2"])
def test_no_line_rests_on_data_that_is_held_back(site_id: str) -> None:
    facts = facts_of(
        a_needy_network(holds=(a_hold(site_id, check="sudden_jump"),)),
        a_policy(data_quality={"held_share_max_bp": 5_000}),
    )
    words = f"Line 1: the data of P1 at {site_id} is held back (sudden_jump)."
    assert check(plan_on(facts), facts) == (Violation("data_quality", words, {}, (1,)),)


def test_data_held_back_elsewhere_stops_no_line() -> None:
    network = two_stores_in_need(lanes=(a_lane(),), holds=(a_hold("S3"), a_hold("S1", "P9")))
    facts = facts_of(network, a_policy(data_quality={"held_share_max_bp": 10_000}))
    assert check(plan_on(facts, fill_rate=served(5, 1_400)), facts) == ()


@pytest.mark.parametrize(("share_max_bp", "permitted"), [(3_334, True), (3_333, False), (0, False)])
def test_too_much_data_held_back_stops_the_whole_plan(share_max_bp: int, permitted: bool) -> None:
    facts = facts_of(
        two_stores_in_need(lanes=(a_lane(),), holds=(a_hold("S3"),)),
        a_policy(data_quality={"held_share_max_bp": share_max_bp}),
    )
    words = f"1 of 3 stock positions are held back for bad data; the policy stops at {share_max_bp / 100:g} %."
    stopped = Violation("data_quality", words, {"held": 1, "positions": 3, "share_max_bp": share_max_bp})
    found = check(plan_on(facts, fill_rate=served(5, 1_400)), facts)
    assert found == (() if permitted else (stopped,))
