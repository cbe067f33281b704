"""Sales and forecasts that do not fit what is known are kept apart."""

from __future__ import annotations

from tests.builders import (
    a_forecast,
    in_days,
)
from tests.tools.judging import QUARANTINED, WARNED, a_context, passes, the_finding
from tools.findings import QualityCheck
from tools.quality import holds, judge
from tools.signals import (
    ForecastData,
    ForecastReading,
    SalesData,
    SalesReading,
)


def sales(*readings, grain="week"):
    return SalesData(grain=grain, readings=readings)


def a_sale(units, days=-7, site_id="S1"):
    return SalesReading(site_id=site_id, sku_id="P1", on=in_days(days), units=units)


def test_ordinary_sales_are_accepted():
    assert passes(sales(a_sale(14), a_sale(0, days=0)), a_context())


def test_negative_sales_are_quarantined():
    found = the_finding(sales(a_sale(14), a_sale(-2)), a_context())
    assert (found.check, found.verdict, found.readings) == (QualityCheck.NEGATIVE, QUARANTINED, (1,))
    assert found.reason == "S1/P1: -2 units sold on 2026-02-23; sales cannot be negative"


def test_sales_of_tomorrow_are_quarantined():
    found = the_finding(sales(a_sale(2, days=1)), a_context())
    assert (found.check, found.reason) == (QualityCheck.FUTURE, "S1/P1: sales on 2026-03-03, 1 day from now")


def test_sales_far_above_the_forecast_are_quarantined():
    # 14 expected in a week; 6 standard deviations of sqrt(14) are 22.4, rounded up 23.
    found = the_finding(sales(a_sale(38)), a_context())
    assert (found.check, found.verdict) == (QualityCheck.SUDDEN_JUMP, QUARANTINED)
    assert found.reason == (
        "S1/P1: 38 units sold in the week of 2026-02-23 where 14 were expected; "
        "a difference above 23 units is not believed"
    )
    assert passes(sales(a_sale(37)), a_context())
    assert passes(sales(a_sale(0)), a_context())


def test_sales_of_a_day_are_compared_with_a_day():
    # 2 expected; 6 x sqrt(2) = 8.5 is below the floor of 10.
    assert passes(sales(a_sale(12), grain="day"), a_context())
    assert "in the day of" in the_finding(sales(a_sale(13), grain="day"), a_context()).reason


def test_sales_without_a_forecast_are_accepted():
    assert passes(sales(a_sale(9_000)), a_context(forecasts=()))


def test_sales_of_an_unknown_site_are_quarantined():
    assert the_finding(sales(a_sale(1, site_id="S9")), a_context()).check is QualityCheck.UNKNOWN


def forecasts(*daily_units, first=0, site_id="S1", sku_id="P1"):
    return ForecastData(
        readings=[
            ForecastReading(site_id=site_id, sku_id=sku_id, on=in_days(first + day), mean_e6=round(units * 1_000_000))
            for day, units in enumerate(daily_units)
        ]
    )


def test_a_forecast_near_the_present_one_is_accepted():
    assert passes(forecasts(2, 0, 3, 9), a_context())


def test_a_forecast_many_times_the_present_one_is_quarantined():
    found = the_finding(forecasts(0, 31), a_context(forecasts=(a_forecast("S1", daily_units=3.0),)))
    assert (found.check, found.verdict, found.readings) == (QualityCheck.SUDDEN_JUMP, QUARANTINED, (0, 1))
    assert found.reason == (
        "S1/P1: 15.5 units a day from 2026-03-02 on, where 3 were forecast; "
        "more than 5 times as many or as few are not believed"
    )
    assert passes(forecasts(0, 30), a_context(forecasts=(a_forecast("S1", daily_units=3.0),)))


def test_a_forecast_that_falls_to_a_small_part_is_quarantined():
    context = a_context(forecasts=(a_forecast("S1", daily_units=15.0),))
    assert the_finding(forecasts(2.99, 2.99), context).check is QualityCheck.SUDDEN_JUMP
    assert passes(forecasts(3, 3), context)


def test_a_small_difference_between_forecasts_is_no_jump():
    assert passes(forecasts(0), a_context())
    assert passes(forecasts(2.2), a_context(forecasts=(a_forecast("S1", daily_units=0.4),)))
    assert passes(forecasts(2), a_context(forecasts=(a_forecast("S1", daily_units=0.0),)))
    assert the_finding(forecasts(2.1), a_context(forecasts=(a_forecast("S1", daily_units=0.0),)))


def test_a_first_forecast_is_accepted():
    assert passes(forecasts(900), a_context(forecasts=()))


def test_a_forecast_that_has_ended_is_stale():
    found = the_finding(forecasts(2, 2, first=-3), a_context())
    assert (found.check, found.verdict, found.readings) == (QualityCheck.STALE, WARNED, (0, 1))
    assert found.reason == "S1/P1: the forecast ends on 2026-02-28, 2 days ago"
    assert the_finding(forecasts(2, first=-1), a_context()).reason.endswith("2026-03-01, 1 day ago")
    assert passes(forecasts(2, 2, first=-1), a_context())


def test_a_forecast_of_an_unknown_sku_is_quarantined():
    assert the_finding(forecasts(2, sku_id="P9"), a_context()).check is QualityCheck.UNKNOWN


def test_each_site_sku_of_a_forecast_is_judged_by_itself():
    readings = (
        *forecasts(90, site_id="S2").readings,
        *forecasts(2).readings,
        *forecasts(90, first=1, site_id="S2").readings,
    )
    data = ForecastData(readings=readings)
    judgement = judge(data, a_context())
    assert judgement.quarantined_readings == {0, 2}
    assert [hold.site_id for hold in holds(data, judgement)] == ["S2"]
