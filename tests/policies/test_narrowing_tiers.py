"""What is left of a plan when the world has moved: nothing more than was decided, a little less, or the plan goes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.planning import draft
from policies.narrowing import fewer_packs, fresh, with_packs
from policies.rules import Facts, check
from policies.schema import Policy
from policies.stops import Stop
from policies.violations import Violation
from tests.builders import NOW, a_forecast, a_needy_network, a_policy, a_position
from tools.inventory import Snapshot
from tools.transfers import PlanRequest, TransferPlan

DRIFT = {"line_shrink_max_bp": 2_000, "plan_shrink_max_bp": 1_000, "saving_drop_max_bp": 2_000}


def policy_with(**drift: int) -> Policy:
    return a_policy(approvals={"signing": [], "reasons_stand_days": 0, "drift": DRIFT | drift})


def world(left: int = 100, daily: float = 100) -> Snapshot:
    """S1 has so many units that nobody there asks for; S2 has none and sells so many a day."""
    return a_needy_network(
        positions=(a_position("S1", on_hand_units=left), a_position("S2", on_hand_units=0)),
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=daily)),
    )


POLICY = policy_with()
WITHOUT = a_policy()


def facts(snapshot: Snapshot, policy: Policy = POLICY) -> Facts:
    return Facts(snapshot, policy, NOW)


def planned(policy: Policy = POLICY) -> TransferPlan:
    plan = draft(facts(world(), policy), PlanRequest()).plan
    assert plan is not None
    assert plan.units == 100
    return plan


PLAN = planned()


def test_an_unchanged_world_admits_the_plan_as_it_is() -> None:
    found = fresh(PLAN, facts(world()))
    assert (found.violations, found.narrowed, found.saving_now_minor) == ((), (), None)


@pytest.mark.parametrize("days", [0, 1])
def test_a_plan_is_good_until_its_departure_although_no_new_one_would_catch_that(days: int) -> None:
    """A decision is taken to need a day. On the day of the departure that wait is over, and not to be waited for again."""
    (line,) = PLAN.lines
    morning = NOW + timedelta(days=days)
    assert morning.date() <= line.depart_on
    found = fresh(PLAN, Facts(replace(world(), as_of=morning), POLICY, morning))
    assert (found.violations, found.units_of(line)) == ((), 100)


@given(left=st.integers(0, 150))
def test_a_line_shrinks_to_what_is_there_up_to_the_threshold_and_never_grows(left: int) -> None:
    found = fresh(PLAN, facts(world(left)))
    (line,) = PLAN.lines
    if left >= 100:
        assert (found.violations, found.units_of(line)) == ((), 100)
    elif left >= 90:
        assert (found.violations, found.units_of(line)) == ((), left)
        assert [each.decided_units for each in found.narrowed] == [100]
        assert found.saving_now_minor is not None
        assert found.saving_now_minor < PLAN.saving_minor
    else:
        assert found.violations
        assert not found.narrowed


@given(left=st.integers(80, 99))
def test_what_is_left_breaks_no_rule_of_its_own(left: int) -> None:
    generous = policy_with(plan_shrink_max_bp=2_000, saving_drop_max_bp=10_000)
    plan, now = planned(generous), facts(world(left), generous)
    found = fresh(plan, now)
    smaller = with_packs(now, plan, {1: found.units_of(plan.lines[0])})
    assert found.violations == ()
    assert isinstance(smaller, TransferPlan)
    assert check(smaller, now) == ()


@pytest.mark.parametrize(("daily", "goes_back"), [(100, False), (30, False), (9, True), (2, True)])
def test_a_plan_that_saves_much_less_than_was_decided_goes_back(daily: float, goes_back: bool) -> None:
    found = fresh(PLAN, facts(world(100, daily)))
    rules = {violation.rule for violation in found.violations}
    assert (rules != set()) is goes_back
    assert rules <= {"drift_saving", "still_pays"}
    assert goes_back or found.units_of(PLAN.lines[0]) == 100


@pytest.mark.parametrize("left", [99, 95, 50])
def test_without_thresholds_in_the_policy_every_change_sends_the_plan_back(left: int) -> None:
    plan = planned(WITHOUT)
    found = fresh(plan, facts(world(left), WITHOUT))
    assert found.violations == check(plan, facts(world(left), WITHOUT))
    assert {violation.rule for violation in found.violations} == {"source_protection"}


def test_what_fewer_units_do_not_cure_is_not_shrunk() -> None:
    stopped = Facts(world(95), POLICY, NOW, stops=(Stop(),))
    found = fresh(PLAN, stopped)
    assert found.violations == check(PLAN, stopped)
    assert "kill_switch" in {violation.rule for violation in found.violations}


@pytest.mark.parametrize(
    "changes", [{"line_shrink_max_bp": 500}, {"plan_shrink_max_bp": 500}, {"saving_drop_max_bp": 500}]
)
def test_each_threshold_alone_sends_a_plan_back(changes: dict[str, Any]) -> None:
    policy = policy_with(**changes)
    assert fresh(planned(policy), facts(world(92), policy)).violations


def test_what_one_rule_takes_off_a_line_counts_for_the_next_one() -> None:
    plan, packs = PLAN, {line.line_no: line.packs for line in PLAN.lines}
    protected = {"sent_units": 100, "available_units": 95, "protected_units": 0}
    lives = {"found": 100, "allowed": 92}
    found = tuple(
        Violation(rule, "", numbers, (1,)) for rule, numbers in (("source_protection", protected), ("lot_life", lives))
    )
    drift = POLICY.approvals.drift if POLICY.approvals else None
    assert drift is not None
    less = fewer_packs(drift, plan, found, packs)
    assert less is not None
    pack_units = plan.lines[0].units // plan.lines[0].packs
    assert (packs[1] - less[1]) * pack_units == -(-8 // pack_units) * pack_units
