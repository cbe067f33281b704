from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import TODAY, a_lane, in_days
from tools.planning.calendar import next_departure

WEEKDAYS = st.sets(st.integers(1, 7), min_size=1).map(lambda days: tuple(sorted(days)))


def test_a_daily_lane_departs_today_when_nobody_has_to_wait_for_a_decision():
    # Monday, and a day on the road.
    assert next_departure(a_lane(lead_time_days=1), TODAY, 0) == (in_days(0), in_days(1), 1)


def test_the_wait_for_a_decision_counts_as_lead_time():
    assert next_departure(a_lane(lead_time_days=1), TODAY, 2) == (in_days(2), in_days(3), 3)


def test_a_lane_that_departs_on_thursdays_waits_for_thursday():
    lane = a_lane(lead_time_days=2, departure_weekdays=(4,))
    assert next_departure(lane, TODAY, 0) == (in_days(3), in_days(5), 5)
    assert next_departure(lane, TODAY, 3) == (in_days(3), in_days(5), 5)
    assert next_departure(lane, TODAY, 4) == (in_days(10), in_days(12), 12)


def test_a_lane_without_departure_days_never_departs():
    assert next_departure(a_lane(departure_weekdays=()), TODAY, 0) is None


@given(weekdays=WEEKDAYS, lead_time_days=st.integers(0, 30), latency_days=st.integers(0, 20), later=st.integers(0, 400))
def test_a_departure_is_the_first_on_a_weekday_of_the_lane_that_a_decision_can_catch(
    weekdays, lead_time_days, latency_days, later
):
    today = TODAY + timedelta(days=later)
    found = next_departure(a_lane(departure_weekdays=weekdays, lead_time_days=lead_time_days), today, latency_days)
    ready = today + timedelta(days=latency_days)
    assert found is not None
    assert found.depart_on >= ready
    assert found.depart_on.isoweekday() in weekdays
    between = [ready + timedelta(days=day) for day in range((found.depart_on - ready).days)]
    assert not any(day.isoweekday() in weekdays for day in between)
    assert found.arrive_on == found.depart_on + timedelta(days=lead_time_days)
    assert found.days_until_arrival == (found.arrive_on - today).days
