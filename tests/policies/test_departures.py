"""Plans on several departures of a lane: checked on their own days, when they are made and when the world has moved on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.limits import limits_of
from policies.rules import Facts, check
from tests.builders import NOW, a_forecast, a_lane, a_needy_network, a_policy, a_position, in_days
from tests.policies.checking import facts_of
from tools.explanation import explain_line
from tools.planning import make_plan, moves_of, solve
from tools.transfers import Overlays, PlanRequest, TransferPlan, UnitCap

POLICY = a_policy(departures={"per_lane_max": 2})
FIFTEEN = PlanRequest(overlays=Overlays(receive_caps=(UnitCap(site_id="S2", sku_id="P1", units=15),)))
DEMAND = replace(
    a_forecast("S2"), mean_e6=(0, 0, 100_000_000, 693_147, 0, 0, 0), variance_e6=(0, 0, 100_000_000, 693_147, 0, 0, 0)
)
"""A hundred on 2026-03-04, when the first van arrives, and the day after at least one with a chance of one half."""
SNAPSHOT = a_needy_network(
    lanes=(a_lane(capacity_microlitres_per_departure=10_000_000),),
    forecasts=(a_forecast("S1", daily_units=0), DEMAND),
)
FACTS = facts_of(SNAPSHOT, POLICY)


def planned() -> TransferPlan:
    """Ten units with the van of tomorrow, when an approval is there, and five with that of the day after."""
    limits = limits_of(POLICY, SNAPSHOT, FIFTEEN)
    plan = make_plan(SNAPSHOT, limits, FIFTEEN, solve(SNAPSHOT, limits, FIFTEEN))
    assert [(line.units, line.depart_on) for line in plan.lines] == [(10, in_days(1)), (5, in_days(2))]
    return plan


def facts_in(days: int, **fields: object) -> Facts:
    """The same stock so many days later, counted again."""
    now = NOW + timedelta(days=days)
    positions = (a_position("S1", on_hand_units=100, as_of=now), a_position("S2", on_hand_units=0, as_of=now))
    return facts_of(replace(SNAPSHOT, as_of=now, positions=positions, **fields), POLICY, now=now)


def test_a_plan_on_two_departures_keeps_every_rule_when_it_is_made() -> None:
    assert check(planned(), FACTS) == ()


def test_a_later_check_looks_at_each_lines_own_departure() -> None:
    """A day later a new plan could not catch the first van any more: its approval takes a day. This plan's can."""
    assert check(planned(), facts_in(1)) == ()


def test_a_plan_is_outrun_once_a_departure_of_it_has_passed() -> None:
    (found,) = check(planned(), facts_in(2))
    assert (found.rule, found.line_nos) == ("departure_gone", (1,))
    assert "2026-03-03" in found.words


def test_a_plan_is_outrun_once_its_lane_departs_on_other_days() -> None:
    """2026-03-04, the second day of the plan, is a Wednesday."""
    lanes = (replace(SNAPSHOT.lanes[0], departure_weekdays=(2, 4)),)
    (found,) = check(planned(), facts_of(replace(SNAPSHOT, lanes=lanes), POLICY))
    assert (found.rule, found.line_nos) == ("departure_gone", (2,))


def test_a_truck_that_became_smaller_is_found_on_each_departure_by_itself() -> None:
    lanes = (replace(SNAPSHOT.lanes[0], capacity_microlitres_per_departure=7_000_000),)
    found = check(planned(), facts_of(replace(SNAPSHOT, lanes=lanes), POLICY))
    assert [(each.rule, each.numbers["found"]) for each in found] == [("lane_capacity_microlitres", 10_000_000)]


def test_each_departure_earns_its_hurdle_by_itself() -> None:
    dear = a_policy(departures={"per_lane_max": 2}, benefit={"lane_min_minor": 4_000})
    (found,) = [each for each in check(planned(), replace(FACTS, policy=dear)) if each.rule == "lane_benefit"]
    assert found.line_nos == (2,)
    assert "on 2026-03-04" in found.words


@pytest.mark.parametrize(("line_no", "where", "left"), [(1, "S1→S2 by van", 0), (2, "S1→S2 by van on 2026-03-04", 5)])
def test_a_line_is_explained_with_the_departure_that_it_is_on(line_no: int, where: str, left: int) -> None:
    plan = planned()
    limits = limits_of(POLICY, SNAPSHOT, FIFTEEN)
    found = explain_line(SNAPSHOT, limits, plan, line_no)
    (truck,) = [each for each in found.constraints if each.code == "lane_capacity_microlitres"]
    assert (truck.where, truck.left, truck.binding) == (where, left * 1_000_000, left == 0)
    units = plan.lines[line_no - 1].units
    assert (found.lines_on_departure, found.departure_volume_microlitres) == (1, units * 1_000_000)
    # A unit saves 7.28 at S2 and half of that a day later, the line costs 0.50 and its van 5.00.
    assert found.worth_minor == {1: 728, 2: 364}[line_no] * units - 50 - 500


def test_the_lines_of_two_departures_are_told_apart_by_number_day_and_transfer_order() -> None:
    plan = planned()
    assert [move.depart_on for move in moves_of(plan)] == [in_days(1), in_days(2)]
    assert [load.line_nos for load in plan.lanes] == [(1,), (2,)]
    assert len({plan.transfer_id(line.line_no) for line in plan.lines}) == 2
