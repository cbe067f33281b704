"""What a line's explanation says about both ends, its money, and in words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import (
    a_dc,
    a_forecast,
    a_lane,
    a_line,
    a_load,
    a_needy_network,
    a_plan,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
    a_snapshot,
    a_supply,
    limits_for,
)
from tests.tools.planning.random_networks import random_case
from tools.explanation import explain_line
from tools.explanation.words import BINDING_SAID
from tools.merchandise.urgency import LineUrgency, Urgency
from tools.money import money_text
from tools.planning import evaluate, make_plan, moves_of, solve
from tools.transfers import DemandChange, Overlays, PlanRequest
from tools.whatif import assumed

ABOUT_A_LINE = ("units_per_line", "least_quantity")
NUMBER = re.compile(r"\d(?:[\d,]*\d)?(?:\.\d+)?")
LIMITS = limits_for(approval_latency_days=1, line_charge_minor=50)


def small_network(**fields: Any):
    """S1 has 6 and sells 0.5 a day; S2 has 1, gets 1, and sells 0.4 a day. Supply in 7 days."""
    defaults: dict[str, Any] = {
        "positions": (a_position("S1", on_hand_units=7, reserved_units=1), a_position("S2", on_hand_units=1)),
        "forecasts": (a_forecast("S1", daily_units=0.5), a_forecast("S2", daily_units=0.4)),
        "supply": (a_supply("S2", units=1, days=2), a_supply("S2", units=50, days=7)),
    }
    return a_snapshot(**defaults | fields)


def test_a_line_is_explained_by_stock_need_and_risk_at_both_ends():
    found = explain_line(small_network(), LIMITS, a_plan(a_line(units=2)), 1)
    donor, receiver = found.donor, found.receiver
    assert (donor.site_id, donor.available_units, donor.days_until_supply) == ("S1", 6, 7)
    assert (donor.projected_without_units, donor.projected_with_units) == (6, 4)
    assert (receiver.available_units, receiver.projected_without_units, receiver.projected_with_units) == (1, 2, 4)
    assert (donor.expected_demand_e6, receiver.expected_demand_e6) == (3_500_000, 2_800_000)
    # Poisson with mean 2.8: P(D > 2) = 1 - e^-2.8 (1 + 2.8 + 3.92) = 0.530546, P(D > 4) = 0.152324.
    assert receiver.stock_out_without_ppm == pytest.approx(530_546, abs=2)
    assert receiver.stock_out_with_ppm == pytest.approx(152_324, abs=2)
    # E[max(D - 2, 0)] = 2.8 - 2 + 2 P(0) + P(1) = 0.8 + e^-2.8 (2 + 2.8) = 1.091889; at 6.00 a unit.
    assert receiver.lost_without_e6 == pytest.approx(1_091_889, abs=2)
    assert receiver.lost_without_minor == 655
    assert (found.units, found.saving_minor, found.move_cost_minor, found.departure_cost_minor) == (2, 1_406, 50, 500)
    assert (found.benefit_minor, found.departure_volume_microlitres) == (1_456, 2_000_000)


def test_the_words_say_what_the_numbers_are():
    snapshot = a_needy_network(positions=(a_position("S1", on_hand_units=8), a_position("S2", on_hand_units=0)))
    limits = limits_for(approval_latency_days=1, line_charge_minor=50, line_units_max=5)
    found = explain_line(snapshot, limits, a_plan(), 1)
    # A unit saves 6.00 at S2 and 0.08 at S1: 5 of them 30.40 less 0.50, and the departure costs 5.00.
    assert found.worth_minor == 5 * 608 - 50 - 500
    assert found.words == (
        "S2 has 0 available and expects to need 700.0 in the 7 days until its regular supply: without this line it"
        " would run out with a probability of 100.0 % and lose 700.0 sales (4,200.00 USD); after receiving 5 it is"
        " 100.0 % and 695.0 (4,170.00 USD). S1 has 8 available for an expected 0.0 in 7 days; sending 5 takes its risk"
        " from 0.0 % to 0.0 % and what it expects to lose from 0.0 to 0.0. The line brings 36.40 USD for 0.50 USD of"
        " its own cost, so it saves 35.90 USD; its departure costs 5.00 USD with 5.0 l on it. The plan without it would"
        " save 24.90 USD less. What binds it: a line may carry 5 and this one has 5. No other site that holds the SKU"
        " has a lane there. It stops paying when demand at S2 falls by 100 %, and pays however much demand at S1"
        " rises; its freight of 0.00 USD could rise by 24.90 USD before it does not pay."
    )


def test_how_urgent_policy_calls_the_line_is_said_first():
    urgency = LineUrgency(Urgency.STOCK_OUT_RESCUE, "Rescue from a stock-out: without it S2 runs out.")
    found = explain_line(small_network(), LIMITS, a_plan(a_line(units=2)), 1, urgency=urgency)
    assert found.words.startswith("Rescue from a stock-out: without it S2 runs out. S2 has 1 available")
    assert explain_line(small_network(), LIMITS, a_plan(a_line(units=2)), 1).words.startswith("S2 has 1 available")


def test_a_shared_departure_is_said_to_be_shared_and_is_no_part_of_what_a_line_is_worth():
    snapshot = a_needy_network()
    alone = explain_line(snapshot, LIMITS, a_plan(a_line()), 1)
    lines = (a_line(1, 5), a_line(2, 2, sku_id="P2"))
    plan = a_plan(*lines, lanes=(a_load(*lines),))
    with_another = a_needy_network(skus=(a_sku("P1"), a_sku("P2")))
    found = explain_line(with_another, limits_for("P1", "P2", approval_latency_days=1, line_charge_minor=50), plan, 1)
    assert found.lines_on_departure == 2
    assert "5.00 USD with 7.0 l on it, shared by 2 lines." in found.words
    assert (alone.worth_minor, found.worth_minor) == (5 * 608 - 50 - 500, 5 * 608 - 50)


def test_other_lines_of_the_plan_count_with_and_without_the_line():
    lines = (a_line(1, 2), a_line(2, 3, mode="truck"))
    snapshot = small_network(lanes=(a_lane(), a_lane(mode="truck")))
    found = explain_line(snapshot, LIMITS, a_plan(*lines), 1)
    assert (found.donor.projected_without_units, found.donor.projected_with_units) == (3, 1)
    assert (found.receiver.projected_without_units, found.receiver.projected_with_units) == (5, 7)


def test_assumptions_of_the_request_hold_for_its_explanation():
    plan = a_plan(request=PlanRequest(overlays=Overlays(demand_changes=(DemandChange(percent=200),))))
    assert explain_line(small_network(), LIMITS, plan, 1).receiver.expected_demand_e6 == 5_600_000


@pytest.mark.parametrize("line_no", [0, 2, -1])
def test_a_line_that_the_plan_does_not_have_is_refused(line_no):
    with pytest.raises(IndexError, match=f"the plan has 1 lines; there is no line {line_no}"):
        explain_line(small_network(), LIMITS, a_plan(), line_no)


def test_without_demand_cover_has_no_end_and_risk_is_nothing():
    found = explain_line(a_needy_network(), LIMITS, a_plan(), 1).donor
    assert (found.days_of_cover, found.stock_out_without_ppm, found.stock_out_with_ppm) == (None, 0, 0)


def numbers_of(value: object) -> Iterator[int]:
    """Every whole number in an explanation, however deep."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if isinstance(value, int):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from numbers_of(each)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from numbers_of(getattr(value, field.name))


def may_be_said(found) -> set[str]:
    """Every number of an explanation in every form in which it may be written, and what is derived from two of them."""
    numbers = {*numbers_of(found), found.benefit_minor}
    numbers |= {source.less_minor for source in (found.runner_up, found.barred) if source is not None}
    texts = {f"{number:,}" for number in numbers}
    for number in numbers:
        texts |= {f"{abs(number) / 1e4:.1f}", f"{abs(number) / 1e6:,.1f}"}
        texts |= set(NUMBER.findall(money_text(abs(number), found.currency)))
    return texts


def without_names(words: str) -> str:
    """The words without ids and dates, which hold digits of their own."""
    return re.sub(r"\b[SP]\d+\b|\d{4}-\d{2}-\d{2}", "", words)


def check_promises(found) -> None:
    """Every part that the words promise is there, and has its numbers."""
    words = found.words
    assert f"The plan without it would save {money_text(abs(found.worth_minor), found.currency)}" in words
    assert ("What binds it" in words) == bool(found.binding)
    for constraint in found.binding[:BINDING_SAID]:
        assert constraint.where in words or constraint.where == "the plan" or constraint.code in ABOUT_A_LINE
        assert constraint.left < constraint.needs
    if found.runner_up is not None:
        other = found.runner_up
        assert f"The next best source is {other.site_id} by {other.mode}" in words
        assert other.less_minor == sum(
            (other.fewer_minor, other.freight_minor, other.departure_minor, other.later_minor, other.loss_minor)
        )
    if found.barred is not None:
        assert found.barred.barriers
        assert f"{found.barred.site_id} by {found.barred.mode}" in words
    pays = found.sensitivity.margin_minor > 0
    assert pays == ("its freight of" in words)


@settings(max_examples=25)
@given(seed=st.integers(0, 3_000))
def test_every_number_in_the_words_is_one_of_the_numbers_and_risks_move_the_right_way(seed):
    case = random_case(seed)
    plan = make_plan(case.snapshot, case.limits, case.request, solve(case.snapshot, case.limits, case.request))
    for line in plan.lines:
        found = explain_line(case.snapshot, case.limits, plan, line.line_no)
        assert set(NUMBER.findall(without_names(found.words))) <= may_be_said(found)
        check_promises(found)
        assert found.receiver.stock_out_with_ppm <= found.receiver.stock_out_without_ppm
        assert found.donor.stock_out_with_ppm >= found.donor.stock_out_without_ppm
        assert found.receiver.lost_with_e6 <= found.receiver.lost_without_e6
        assert found.donor.lost_with_e6 >= found.donor.lost_without_e6
        assert found.receiver.projected_with_units == found.receiver.projected_without_units + found.units
        assert found.donor.projected_with_units == found.donor.projected_without_units - found.units


@settings(max_examples=25)
@given(seed=st.integers(0, 3_000))
def test_a_line_is_worth_what_the_whole_plan_saves_less_without_it(seed):
    case = random_case(seed)
    plan = make_plan(case.snapshot, case.limits, case.request, solve(case.snapshot, case.limits, case.request))
    facts, moves = assumed(case.snapshot, case.request.overlays), moves_of(plan)
    whole = evaluate(facts, case.limits, case.request, moves).saving
    for line in plan.lines:
        others = [move for number, move in enumerate(moves, 1) if number != line.line_no]
        without = evaluate(facts, case.limits, case.request, others).saving
        found = explain_line(case.snapshot, case.limits, plan, line.line_no)
        assert found.worth_minor == pytest.approx(whole - without, abs=0.501)


def test_what_a_distribution_centre_needs_is_what_its_stores_draw():
    # The stores draw on DC1 after their own supply in 3 days, until the centre's in 7.
    snapshot = a_snapshot(
        sites=(a_site("S1"), a_site("S2"), a_dc("DC1")),
        lanes=(a_lane("S1", "DC1"), a_lane("DC1", "S2")),
        positions=(
            a_position("S1", on_hand_units=100),
            a_position("S2", on_hand_units=3),
            a_position("DC1", on_hand_units=0),
        ),
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=50)),
        replenishments=(a_replenishment("S2", days=3), a_replenishment("DC1", days=7), a_replenishment("S1")),
    )
    plan = a_plan(a_line(destination="DC1"))
    found = explain_line(snapshot, LIMITS, plan, 1)
    assert found.receiver.expected_demand_e6 == 200_000_000
    assert found.worth_minor == round(evaluate(snapshot, LIMITS, plan.request, moves_of(plan)).saving)
    assert found.sensitivity.receiver_fall_percent is not None


def test_an_explanation_is_of_the_plan_and_needs_no_solver():
    limits = limits_for(lost_unit_e4={"P1": 72_000}, line_charge_minor=50, approval_latency_days=1, line_units_max=5)
    snapshot = a_needy_network(lanes=(a_lane(),))
    made = make_plan(snapshot, limits, PlanRequest(), solve(snapshot, limits, PlanRequest()))
    assert explain_line(snapshot, limits, made, 1) == explain_line(snapshot, limits, a_plan(), 1)
