from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.execution import STEPS, OrderState, StepRefusedError, step

STATES = st.sampled_from(OrderState)


def test_every_state_has_its_steps_and_every_step_leads_to_a_state():
    assert set(STEPS) == set(OrderState)
    assert set().union(*STEPS.values()) <= set(OrderState)


@given(now=STATES, wanted=STATES)
def test_a_step_is_taken_or_refused_and_nothing_else(now, wanted):
    if wanted in STEPS[now]:
        assert step(now, wanted) is wanted
    else:
        with pytest.raises(StepRefusedError) as refused:
            step(now, wanted)
        assert (refused.value.now, refused.value.wanted) == (now, wanted)


@given(wanted=st.lists(STATES, max_size=12))
def test_whatever_is_asked_an_order_stays_within_its_life(wanted):
    now = OrderState.RELEASED
    for state in wanted:
        before = now
        try:
            now = step(now, state)
        except StepRefusedError:
            assert now is before
        assert not before.is_final or now is before


def test_every_state_can_be_reached_and_can_end():
    reached, ending = {OrderState.RELEASED}, {state for state in OrderState if state.is_final}
    for _ in OrderState:
        reached |= {after for state in reached for after in STEPS[state]}
        ending |= {state for state in OrderState if STEPS[state] & ending}
    assert reached == ending == set(OrderState)


def test_the_life_of_an_order_that_goes_well():
    now = OrderState.RELEASED
    for state in ("requested", "confirmed", "shipped", "partially_received", "received", "closed"):
        now = step(now, OrderState(state))
    assert now.is_final


def test_units_are_reserved_from_release_until_they_leave():
    holding = {state for state in OrderState if state.holds_reservation}
    assert holding == {OrderState.RELEASED, OrderState.REQUESTED, OrderState.CONFIRMED}


def test_a_refused_order_stays_refused():
    with pytest.raises(StepRefusedError, match="that is refused cannot become requested; possible: nothing more"):
        step(OrderState.REFUSED, OrderState.REQUESTED)


def test_a_refusal_says_what_is_possible():
    with pytest.raises(StepRefusedError, match="possible: cancelled, requested"):
        step(OrderState.RELEASED, OrderState.SHIPPED)
