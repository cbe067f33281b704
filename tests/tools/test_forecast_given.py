"""Forecasts that somebody else made: taken day by day, with a level that sales correct unless its maker states variances."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import TODAY, in_days, weekly_sales
from tools.forecast import forecast_given, forecast_network
from tools.inventory import DemandForecast, SalesObservation
from tools.signals import ForecastReading


def given_day(day: int, mean_e6: int, variance_e6: int | None = None, site_id: str = "S1") -> ForecastReading:
    return ForecastReading(site_id=site_id, sku_id="P1", on=in_days(day), mean_e6=mean_e6, variance_e6=variance_e6)


def test_a_given_forecast_is_taken_day_by_day():
    # The days without a row have no demand; after them the mean of the last seven days goes on: 15/7 and 28/7.
    rows = (given_day(4, 3_000_000), given_day(0, 2_000_000), given_day(6, 10_000_000, 23_000_000))
    (found,) = forecast_given(rows)
    assert found.first_on == TODAY
    assert found.mean_e6 == (2_000_000, 0, 0, 0, 3_000_000, 0, 10_000_000, 2_142_857)
    assert found.variance_e6 == (2_000_000, 0, 0, 0, 3_000_000, 0, 23_000_000, 4_000_000)
    assert (found.method, found.level_cv2_e6) == ("given", 0)


def test_only_the_last_week_of_a_given_forecast_goes_on():
    (found,) = forecast_given(given_day(day, 9_000_000 if day == 0 else 1_000_000) for day in range(8))
    assert found.mean_e6 == (9_000_000, *[1_000_000] * 7)


def test_a_given_forecast_of_one_day_holds_for_all_days():
    assert forecast_given([given_day(0, 5)])[0].mean_e6 == (5,)


def test_given_forecasts_are_sorted():
    found = forecast_given([given_day(0, 5, site_id="S2"), given_day(0, 5, site_id="S1")])
    assert [row.site_id for row in found] == ["S1", "S2"]


def test_two_forecasts_of_one_day_are_refused():
    with pytest.raises(ValueError, match="S1/P1 has two forecasts of 2026-03-02"):
        forecast_given([given_day(0, 5), given_day(0, 5)])


def test_a_given_forecast_has_an_end():
    assert len(forecast_given([given_day(0, 5), given_day(1_099, 5)])[0].mean_e6) == 1_101
    with pytest.raises(ValueError, match="at most 1,100 days"):
        forecast_given([given_day(0, 5), given_day(1_100, 5)])


def level_of(daily_e6: int, days: range, variance_e6: int | None = None) -> DemandForecast:
    (found,) = forecast_given(given_day(day, daily_e6, variance_e6) for day in days)
    return found


def learned(given_: DemandForecast, *units: int, stock_outs: tuple[int, ...] = ()) -> DemandForecast:
    (found,) = forecast_network(weekly_sales(*units, stock_outs=stock_outs), "week", TODAY, (given_,))
    return found


def test_a_given_forecast_without_a_variance_has_an_uncertain_level():
    # Gamma(8, 8): cv2 = 1/8.
    assert level_of(2_000_000, range(14)).level_cv2_e6 == 125_000


def test_a_stated_variance_is_its_makers_word_and_stays_as_it_is():
    stated = level_of(2_000_000, range(-28, 14), 5_000_000)
    assert stated.level_cv2_e6 == 0
    assert learned(stated, 21, 21, 21, 21) == stated


def test_sales_of_the_weeks_that_a_forecast_covers_correct_its_level():
    # Four weeks of 14 forecast and 21 sold, dispersion 1: (8 + 84) / (8 + 56) = 1.4375, cv2 = 1/92.
    found = learned(level_of(2_000_000, range(-28, 14)), 21, 21, 21, 21)
    assert (found.method, found.level_cv2_e6) == ("given/learned", 10_870)
    assert set(found.mean_e6) == set(found.variance_e6) == {2_875_000}
    assert found.first_on == in_days(-28)


def test_weeks_before_the_forecast_say_nothing_about_it():
    given_ = level_of(2_000_000, range(-15, 14))  # the first whole week that it covers is the last but one
    assert learned(given_, 21, 21, 21, 21) == learned(given_, 21, 21) != given_
    fresh = level_of(2_000_000, range(14))
    assert learned(fresh, 21, 21, 21, 21) == fresh


def test_a_week_that_ran_out_below_its_forecast_is_left_out_and_one_above_it_counts():
    given_ = level_of(2_000_000, range(-28, 14))
    assert learned(given_, 3, 3, 3, 3, stock_outs=(0, 1, 2, 3)) == given_
    above = learned(given_, 3, 21, 3, 3, stock_outs=(0, 1, 2, 3))
    assert above.mean_e6[0] > given_.mean_e6[0]


def test_a_site_that_sold_nothing_of_what_was_forecast_lowers_the_level():
    assert learned(level_of(2_000_000, range(-28, 14)), 14, 0, 0, 0).mean_e6[0] == 1_500_000


def test_overdispersed_sales_tell_less():
    given_ = level_of(2_000_000, range(-28, 14))
    even, uneven = learned(given_, 20, 20, 20, 20), learned(given_, 0, 40, 0, 40)
    assert uneven.level_cv2_e6 > even.level_cv2_e6
    assert abs(uneven.mean_e6[0] - 2_000_000) < abs(even.mean_e6[0] - 2_000_000)


def test_days_are_learned_from_like_weeks():
    history = tuple(SalesObservation("S1", "P1", in_days(-day), 3, True) for day in range(1, 29))
    (by_day,) = forecast_network(history, "day", TODAY, (level_of(2_000_000, range(-28, 14)),))
    assert by_day == learned(level_of(2_000_000, range(-28, 14)), 21, 21, 21, 21)


def test_forecasts_from_history_are_the_same_beside_given_ones():
    history = (*weekly_sales(*[5] * 10), *weekly_sales(9, 9, sku_id="P1", site_id="S2"))
    alone = {row.key: row for row in forecast_network(history, "week", TODAY)}
    beside = {row.key: row for row in forecast_network(history, "week", TODAY, (level_of(1, range(3)),))}
    assert {key: row for key, row in beside.items() if row.method != "given"} == {
        key: row for key, row in alone.items() if key.site_id == "S2"
    }


@given(units=st.lists(st.integers(0, 200), min_size=1, max_size=8), daily=st.integers(0, 50_000_000))
def test_a_learned_level_lies_between_the_forecast_and_the_sales_and_is_surer(units, daily):
    weeks = len(units)
    given_ = level_of(daily, range(-7 * weeks, 7))
    found = learned(given_, *units)
    sold_e6 = sum(units) * 1_000_000 / (7 * weeks)
    assert min(sold_e6, daily) - 1 <= found.mean_e6[0] <= max(sold_e6, daily) + 1
    assert found.level_cv2_e6 <= given_.level_cv2_e6
