from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import (
    a_forecast,
    a_lane,
    a_line,
    a_load,
    a_needy_network,
    a_plan,
    a_position,
    a_snapshot,
    a_supply,
    limits_for,
)
from tests.tools.planning.random_networks import random_case
from tools.explain import explain_line
from tools.money import money_text
from tools.planning import make_plan, solve
from tools.transfers import DemandChange, Overlays, PlanRequest

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def small_network():
    """S1 has 6 and sells 0.5 a day; S2 has 1, gets 1, and sells 0.4 a day. Supply in 7 days."""
    return a_snapshot(
        positions=(a_position("S1", on_hand_units=7, reserved_units=1), a_position("S2", on_hand_units=1)),
        forecasts=(a_forecast("S1", daily_units=0.5), a_forecast("S2", daily_units=0.4)),
        supply=(a_supply("S2", units=1, days=2), a_supply("S2", units=50, days=7)),
    )


def test_a_line_is_explained_by_stock_need_and_risk_at_both_ends():
    found = explain_line(small_network(), a_plan(a_line(units=2)), 1, 14)
    donor, receiver = found.donor, found.receiver
    assert (donor.site_id, donor.available_units, donor.days_until_supply) == ("S1", 6, 7)
    assert (donor.projected_before_units, donor.projected_after_units) == (6, 4)
    assert (receiver.available_units, receiver.projected_before_units, receiver.projected_after_units) == (1, 2, 4)
    assert (donor.expected_demand_e6, receiver.expected_demand_e6) == (3_500_000, 2_800_000)
    # Poisson with mean 2.8: P(D > 2) = 1 - e^-2.8 (1 + 2.8 + 3.92) = 0.530546, P(D > 4) = 0.152324.
    assert receiver.stock_out_before_ppm == pytest.approx(530_546, abs=2)
    assert receiver.stock_out_after_ppm == pytest.approx(152_324, abs=2)
    assert (found.units, found.saving_minor, found.move_cost_minor, found.departure_cost_minor) == (2, 1_406, 50, 500)


def test_the_words_say_what_the_numbers_are():
    words = explain_line(small_network(), a_plan(a_line(units=2)), 1, 14).words
    assert words == (
        "S2 has 1 available and expects to need 2.8 in the 7 days until its regular supply: it would run out with a"
        " probability of 53.1 %, and 15.2 % after receiving 2. S1 has 6 available for an expected 3.5 in 7 days;"
        " sending 2 takes its risk from 6.5 % to 27.5 %. The line saves 14.06 USD after 0.50 USD of its own cost;"
        " its departure costs 5.00 USD."
    )


def test_a_shared_departure_is_said_to_be_shared():
    lines = (a_line(1, 2), a_line(2, 2, sku_id="P2"))
    plan = a_plan(*lines, lanes=(a_load(*lines),))
    found = explain_line(small_network(), plan, 1, 14)
    assert found.lines_on_departure == 2
    assert found.words.endswith("its departure costs 5.00 USD, shared by 2 lines.")


def test_other_lines_of_the_plan_count_for_the_position_after_it():
    lines = (a_line(1, 2), a_line(2, 3, mode="truck"))
    found = explain_line(small_network(), a_plan(*lines), 1, 14)
    assert (found.donor.projected_after_units, found.receiver.projected_after_units) == (1, 7)


def test_assumptions_of_the_request_hold_for_its_explanation():
    plan = a_plan(request=PlanRequest(overlays=Overlays(demand_changes=(DemandChange(percent=200),))))
    assert explain_line(small_network(), plan, 1, 14).receiver.expected_demand_e6 == 5_600_000


@pytest.mark.parametrize("line_no", [0, 2, -1])
def test_a_line_that_the_plan_does_not_have_is_refused(line_no):
    with pytest.raises(IndexError, match=f"the plan has 1 lines; there is no line {line_no}"):
        explain_line(small_network(), a_plan(), line_no, 14)


def test_without_demand_cover_has_no_end_and_risk_is_nothing():
    found = explain_line(a_needy_network(), a_plan(), 1, 14).donor
    assert (found.days_of_cover, found.stock_out_before_ppm, found.stock_out_after_ppm) == (None, 0, 0)


def said(found):
    """Every number of an explanation, as it may be written."""
    numbers = {found.units, found.lines_on_departure}
    texts = set()
    for end in (found.donor, found.receiver):
        numbers |= {end.available_units, end.days_until_supply}
        texts.add(f"{end.expected_demand_e6 / 1e6:,.1f}")
        texts |= {f"{ppm / 1e4:.1f}" for ppm in (end.stock_out_before_ppm, end.stock_out_after_ppm)}
    for amount in (found.saving_minor, found.move_cost_minor, found.departure_cost_minor):
        texts |= set(NUMBER.findall(money_text(amount, found.currency)))
    return texts | {f"{number:,}" for number in numbers}


@given(seed=st.integers(0, 3_000))
def test_every_number_in_the_words_is_one_of_the_numbers_and_risks_move_the_right_way(seed):
    case = random_case(seed)
    plan = make_plan(case.snapshot, case.limits, case.request, solve(case.snapshot, case.limits, case.request))
    for line in plan.lines:
        found = explain_line(case.snapshot, plan, line.line_no, case.limits.default_horizon_days)
        without_names = re.sub(r"\b[SP]\d\b", "", found.words)
        assert set(NUMBER.findall(without_names)) <= said(found)
        assert found.receiver.stock_out_after_ppm <= found.receiver.stock_out_before_ppm
        assert found.donor.stock_out_after_ppm >= found.donor.stock_out_before_ppm
        assert found.receiver.projected_after_units >= found.receiver.projected_before_units + found.units
        assert found.donor.projected_after_units <= found.donor.projected_before_units - found.units


def test_an_explanation_is_of_the_plan_and_needs_no_solver():
    limits = limits_for(lost_unit_e4={"P1": 72_000}, line_charge_minor=50, approval_latency_days=1, line_units_max=5)
    snapshot = a_needy_network(lanes=(a_lane(),))
    made = make_plan(snapshot, limits, PlanRequest(), solve(snapshot, limits, PlanRequest()))
    assert explain_line(snapshot, made, 1, 14) == explain_line(snapshot, a_plan(), 1, 14)
