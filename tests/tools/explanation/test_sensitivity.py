"""What would have to change for a line not to pay is true when it is asked as a what-if."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import a_forecast, a_lane, a_line, a_needy_network, a_plan, a_position, a_snapshot, limits_for
from tests.tools.planning.random_networks import random_case
from tools.explanation import explain_line
from tools.explanation.sensitivity import first_change
from tools.inventory import SiteSku
from tools.planning import evaluate, make_plan, moves_of, solve
from tools.transfers import DemandChange
from tools.whatif import assumed

LIMITS = limits_for(approval_latency_days=1)


def saving_without_and_with(case, plan, line_no, changes=()):
    """What the plan saves without a line and with it, hurdles taken off, under changes of demand."""
    overlays = case.request.overlays.model_copy(
        update={"demand_changes": (*case.request.overlays.demand_changes, *changes)}
    )
    facts, moves = assumed(case.snapshot, overlays), list(moves_of(plan))
    others = moves[: line_no - 1] + moves[line_no:]
    return tuple(-evaluate(facts, case.limits, case.request, tried).objective for tried in (others, moves))


def pays(case, plan, line_no, change):
    without, with_line = saving_without_and_with(case, plan, line_no, (change,))
    return with_line > without


@settings(max_examples=25)
@given(seed=st.integers(0, 3_000))
def test_at_the_change_that_is_said_the_line_does_not_pay_and_at_one_percent_less_it_does(seed):
    case = random_case(seed)
    if case.request.overlays.demand_changes:
        return  # scaling twice rounds twice, so the percentages of the two ways differ
    plan = make_plan(case.snapshot, case.limits, case.request, solve(case.snapshot, case.limits, case.request))
    for line in plan.lines:
        found = explain_line(case.snapshot, case.limits, plan, line.line_no).sensitivity
        ends = ((line.destination, found.receiver_fall_percent, -1), (line.origin, found.donor_rise_percent, 1))
        for site_id, percent, way in ends:
            if not found.pays or SiteSku(site_id, line.sku_id) not in case.snapshot.forecast_by_key:
                continue
            at = [0 if way < 0 else 1_000] if percent is None else [100 + way * percent, 100 + way * (percent - 1)]
            changes = [DemandChange(percent=each, skus=(line.sku_id,), sites=(site_id,)) for each in at]
            assert pays(case, plan, line.line_no, changes[0]) == (percent is None)
            assert pays(case, plan, line.line_no, changes[-1])


@settings(max_examples=25)
@given(seed=st.integers(0, 3_000))
def test_the_freight_that_a_line_could_bear_is_what_it_adds_beyond_what_policy_asks(seed):
    case = random_case(seed)
    plan = make_plan(case.snapshot, case.limits, case.request, solve(case.snapshot, case.limits, case.request))
    for line in plan.lines:
        found = explain_line(case.snapshot, case.limits, plan, line.line_no).sensitivity
        without, with_line = saving_without_and_with(case, plan, line.line_no)
        assert found.margin_minor == pytest.approx(with_line - without, abs=0.501)
        assert found.freight_minor == line.move_cost_minor - case.limits.line_charge_minor


def test_where_the_donor_needs_it_soon_as_well_the_change_is_small():
    # Both sites sell 2 a day for 7 days; S1 has 16 and gives 2, which are worth a little more at S2.
    snapshot = a_snapshot(
        positions=(a_position("S1", on_hand_units=16), a_position("S2", on_hand_units=10)),
        forecasts=(a_forecast("S1", daily_units=2), a_forecast("S2", daily_units=2)),
        lanes=(a_lane(cost_fixed_e4=0),),
    )
    found = explain_line(snapshot, LIMITS, a_plan(a_line(units=2)), 1).sensitivity
    assert found.pays
    assert found.receiver_fall_percent is not None
    assert found.donor_rise_percent is not None
    assert found.donor_rise_percent < 40


def test_a_line_that_does_not_pay_by_itself_has_no_change_to_name():
    found = explain_line(a_needy_network(), limits_for(approval_latency_days=1, line_hurdle_minor=10_000), a_plan(), 1)
    assert not found.sensitivity.pays
    assert found.sensitivity.receiver_fall_percent is None
    assert "By itself it does not pay" in found.words


def test_a_guide_that_leads_astray_is_not_followed():
    def really(percent: int) -> bool:
        return percent > 37

    for astray in (lambda percent: percent > 60, lambda percent: percent > 12, lambda _: True, lambda _: False):
        assert first_change(really, astray, 0) == 37
    assert first_change(lambda _: True, lambda percent: percent > 60, 0) is None
    assert first_change(lambda percent: percent < 250, lambda _: True, 1_000) == 250
