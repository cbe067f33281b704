from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import (
    NOW,
    TODAY,
    a_forecast,
    a_hold,
    a_lane,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
    a_snapshot,
    a_supply,
    in_days,
)
from tools.findings import QualityCheck, QualityContext, QualityRules, QualityVerdict
from tools.inventory import SiteSku, SupplyKind
from tools.quality import holds, judge
from tools.signals import (
    ForecastData,
    ForecastReading,
    InboundData,
    InboundReading,
    LeadTimeData,
    SalesData,
    SalesReading,
    StockData,
    StockReading,
    SupplierReliabilityData,
    TransitState,
    TransitStatusData,
)

ACCEPTED, WARNED, QUARANTINED = QualityVerdict

RULES = QualityRules(
    stale_after_hours=24,
    stale_verdict=WARNED,
    missing_verdict=WARNED,
    future_minutes_max=5,
    jump_sds=6,
    jump_units_min=10,
    impossible_days=1_000,
    impossible_units_min=3_000,
    forecast_factor_max=5,
    forecast_daily_e6_min=2_000_000,
    overdue_days_max=14,
    lead_time_change_days_max=10,
)


def a_context(covered_before=(), rules=RULES, **facts):
    """The default network, counted two days ago: 10 units at each store, and a Poisson demand of 2 a day."""
    before = NOW - timedelta(days=2)
    defaults = {
        "positions": (a_position("S1", as_of=before), a_position("S2", as_of=before)),
        "forecasts": (a_forecast("S1", daily_units=2.0), a_forecast("S2", daily_units=2.0)),
        "replenishments": (),
    }
    return QualityContext(a_snapshot(**defaults | facts), NOW, rules, frozenset(covered_before))


def a_count(on_hand_units=6, site_id="S1", sku_id="P1", **fields):
    return StockReading(site_id=site_id, sku_id=sku_id, on_hand_units=on_hand_units, **fields)


def counts(*readings, as_of=NOW):
    return StockData(as_of=as_of, readings=readings)


def the_finding(data, context):
    judgement = judge(data, context)
    assert len(judgement.findings) == 1
    assert judgement.verdict is judgement.findings[0].verdict
    return judgement.findings[0]


def passes(data, context):
    judgement = judge(data, context)
    return judgement.findings == () and judgement.verdict is ACCEPTED and not judgement.quarantined_readings


def test_a_count_that_follows_from_the_one_before_is_accepted():
    assert passes(counts(a_count(6), a_count(7, "S2")), a_context())


def test_a_negative_count_is_quarantined():
    found = the_finding(counts(a_count(6), a_count(-3, "S2")), a_context())
    assert (found.check, found.verdict, found.key) == (QualityCheck.NEGATIVE, QUARANTINED, SiteSku("S2", "P1"))
    assert found.reason == "S2/P1: -3 units on hand and 0 reserved; neither can be negative"
    assert found.numbers == (("on_hand_units", -3), ("reserved_units", 0))
    assert found.readings == (1,)


def test_a_negative_reservation_is_quarantined():
    found = the_finding(counts(a_count(6, reserved_units=-1)), a_context())
    assert (found.check, found.reason) == (
        QualityCheck.NEGATIVE,
        "S1/P1: 6 units on hand and -1 reserved; neither can be negative",
    )


def test_more_reserved_than_on_hand_is_quarantined():
    found = the_finding(counts(a_count(6, reserved_units=7)), a_context())
    assert (found.check, found.verdict) == (QualityCheck.OVER_RESERVED, QUARANTINED)
    assert found.reason == "S1/P1: 7 units reserved, but only 6 on hand"
    assert passes(counts(a_count(6, reserved_units=6)), a_context())


@pytest.mark.parametrize(
    ("site_id", "sku_id", "what"), [("S9", "P1", "site S9"), ("S1", "P9", "SKU P9"), ("S9", "P9", "site S9")]
)
def test_a_count_of_something_unknown_is_quarantined(site_id, sku_id, what):
    found = the_finding(counts(a_count(6, site_id, sku_id)), a_context())
    assert (found.check, found.verdict) == (QualityCheck.UNKNOWN, QUARANTINED)
    assert found.reason == f"{site_id}/{sku_id}: there is no {what} in the master data; add it, or correct the signal"


def test_a_sudden_jump_is_quarantined_with_what_was_expected():
    # 10 units two days ago, demand 2 a day: 6 expected. 6 standard deviations of 2 are 12 and above the floor of 10.
    found = the_finding(counts(a_count(19)), a_context())
    assert (found.check, found.verdict) == (QualityCheck.SUDDEN_JUMP, QUARANTINED)
    assert found.reason == (
        "S1/P1: 19 units on hand where 6 were expected (10 counted 2 days before, less demand); "
        "a difference above 12 units is not believed"
    )
    assert dict(found.numbers) == {"on_hand_units": 19, "expected_units": 6, "allowed_units": 12, "days": 2}
    assert passes(counts(a_count(18)), a_context())


def test_a_sudden_fall_is_a_jump_too():
    facts = {"positions": (a_position("S1", on_hand_units=100, as_of=NOW - timedelta(days=2)),)}
    assert passes(counts(a_count(84)), a_context(**facts))
    assert "83 units on hand where 96 were expected" in the_finding(counts(a_count(83)), a_context(**facts)).reason


def test_units_under_way_and_units_promised_explain_a_jump():
    position = a_position("S1", reserved_units=5, as_of=NOW - timedelta(days=2))
    context = a_context(positions=(position,), supply=(a_supply(units=40, days=1),))
    assert passes(counts(a_count(6 + 12 + 40 + 5)), context)
    assert the_finding(counts(a_count(6 + 12 + 40 + 6)), context).check is QualityCheck.SUDDEN_JUMP


def test_a_small_difference_is_never_a_jump():
    # Without demand 10 are expected and nothing spreads; the floor of 10 units holds.
    context = a_context(forecasts=(a_forecast("S1", daily_units=0.0),))
    assert passes(counts(a_count(0)), context)
    assert passes(counts(a_count(20)), context)
    assert the_finding(counts(a_count(21)), context).check is QualityCheck.SUDDEN_JUMP


def test_stock_that_must_have_sold_out_is_expected_to_be_none_and_not_less():
    # 10 units 50 days ago at 2 a day: 0 expected, 6 standard deviations of 10 allowed.
    context = a_context(positions=(a_position("S1", as_of=NOW - timedelta(days=50)),))
    assert passes(counts(a_count(60)), context)
    assert dict(the_finding(counts(a_count(61)), context).numbers)["expected_units"] == 0


def test_regular_supply_in_between_explains_an_increase_but_no_loss():
    supplied = {"replenishments": (a_replenishment("S1", days=-1),)}
    assert passes(counts(a_count(500)), a_context(**supplied))
    for days in (-2, 0):
        assert passes(counts(a_count(500)), a_context(replenishments=(a_replenishment("S1", days=days),)))
    full = {"positions": (a_position("S1", on_hand_units=100, as_of=NOW - timedelta(days=2)),)}
    assert the_finding(counts(a_count(0)), a_context(**supplied, **full)).check is QualityCheck.SUDDEN_JUMP


@pytest.mark.parametrize("days", [-3, 1])
def test_regular_supply_at_another_time_explains_nothing(days):
    context = a_context(replenishments=(a_replenishment("S1", days=days),))
    assert the_finding(counts(a_count(500)), context).check is QualityCheck.SUDDEN_JUMP


def test_nothing_is_a_jump_without_an_earlier_count_or_a_forecast():
    assert passes(counts(a_count(2_000)), a_context(positions=()))
    assert passes(counts(a_count(2_000)), a_context(forecasts=()))


def test_a_count_older_than_the_known_one_is_not_compared_with_it():
    assert passes(counts(a_count(500), as_of=NOW), a_context(positions=(a_position("S1", as_of=NOW),)))


def test_more_than_the_site_can_hold_is_impossible():
    sites = (a_site("S1", storage_capacity_microlitres=50_000_000), a_site("S2"))
    skus = (a_sku("P1", unit_volume_microlitres=2_500_001),)
    facts = {"sites": sites, "skus": skus, "positions": ()}
    found = the_finding(counts(a_count(20)), a_context(**facts))
    assert (found.check, found.verdict) == (QualityCheck.IMPOSSIBLE_LEVEL, QUARANTINED)
    assert found.reason == "S1/P1: 20 units with 51 litres in all, but the whole site holds 50"
    assert dict(found.numbers) == {"units": 20, "volume_litres": 51, "volume_litres_max": 50}
    assert passes(counts(a_count(19)), a_context(**facts))
    full = facts | {"skus": (a_sku("P1", unit_volume_microlitres=2_500_000),)}
    assert passes(counts(a_count(20)), a_context(**full))


def test_stock_for_years_is_impossible_when_it_is_much():
    # 2 a day are 2,000 in 1,000 days, but up to 3,000 units are believed.
    found = the_finding(counts(a_count(3_001)), a_context(positions=()))
    assert (found.check, found.verdict) == (QualityCheck.IMPOSSIBLE_LEVEL, QUARANTINED)
    assert found.reason == (
        "S1/P1: 3001 units, but only 2000 are expected to be asked for in 1000 days; "
        "above 3000 units that is not believed"
    )
    assert passes(counts(a_count(3_000)), a_context(positions=()))
    fast = a_context(positions=(), forecasts=(a_forecast("S1", daily_units=4.0),))
    assert passes(counts(a_count(4_000)), fast)
    assert the_finding(counts(a_count(4_001)), fast).check is QualityCheck.IMPOSSIBLE_LEVEL


def test_an_old_count_is_stale():
    found = the_finding(counts(a_count(), a_count(6, "S2"), as_of=NOW - timedelta(hours=30.5)), a_context())
    assert (found.check, found.verdict, found.key, found.readings) == (QualityCheck.STALE, WARNED, None, (0, 1))
    assert found.reason == "counted at 2026-02-28T23:30:00+00:00, 30 hours ago; a count is good for 24 hours"
    assert passes(counts(a_count(), as_of=NOW - timedelta(hours=24)), a_context())


def test_policy_says_what_becomes_of_a_stale_count():
    old = counts(a_count(), a_count(6, "S2"), as_of=NOW - timedelta(hours=25))
    strict = judge(old, a_context(rules=replace(RULES, stale_verdict=QUARANTINED)))
    assert strict.quarantined_readings == {0, 1}
    assert judge(old, a_context()).quarantined_readings == frozenset()
    assert passes(old, a_context(rules=replace(RULES, stale_verdict=ACCEPTED)))


def test_a_count_from_the_future_is_quarantined():
    found = the_finding(counts(a_count(), as_of=NOW + timedelta(minutes=6)), a_context())
    assert (found.check, found.verdict, found.readings) == (QualityCheck.FUTURE, QUARANTINED, (0,))
    assert found.reason == "counted at 2026-03-02T06:06:00+00:00, 6 minutes from now; clocks may differ by 5 minutes"
    assert passes(counts(a_count(), as_of=NOW + timedelta(minutes=5)), a_context())


def test_what_earlier_counts_covered_and_this_one_does_not_is_missing():
    covered = (SiteSku("S2", "P1"), SiteSku("S1", "P1"), SiteSku("S2", "P0"))
    judgement = judge(counts(a_count()), a_context(covered))
    assert [(found.check, found.key, found.readings) for found in judgement.findings] == [
        (QualityCheck.MISSING, SiteSku("S2", "P0"), ()),
        (QualityCheck.MISSING, SiteSku("S2", "P1"), ()),
    ]
    assert judgement.findings[0].reason == (
        "S2/P0: earlier counts of this source covered it (0 units last), this one does not"
    )
    assert judgement.findings[1].reason == (
        "S2/P1: earlier counts of this source covered it (10 units last), this one does not"
    )
    assert passes(counts(a_count()), a_context(covered, rules=replace(RULES, missing_verdict=ACCEPTED)))


def test_a_reading_has_one_finding_and_the_signal_the_worst_verdict():
    data = counts(a_count(-900, reserved_units=3), a_count(6, "S2"), as_of=NOW - timedelta(hours=25))
    judgement = judge(data, a_context())
    assert [(found.check, found.readings) for found in judgement.findings] == [
        (QualityCheck.STALE, (0, 1)),
        (QualityCheck.NEGATIVE, (0,)),
    ]
    assert judgement.verdict is QUARANTINED
    assert judgement.quarantined_readings == {0}


def test_quarantined_readings_put_their_site_skus_on_hold():
    data = counts(a_count(-3), a_count(6, "S2"), a_count(-4, "S9"))
    reason = "S1/P1: -3 units on hand and 0 reserved; neither can be negative"
    assert holds(data, judge(data, a_context())) == (a_hold("S1", "P1", check="negative", reason=reason),)


def test_a_quarantined_signal_puts_all_it_covers_on_hold_and_what_it_misses():
    strict = replace(RULES, stale_verdict=QUARANTINED, missing_verdict=QUARANTINED)
    data = counts(a_count(6, "S2"), a_count(-3, "S1"), as_of=NOW - timedelta(hours=25))
    context = a_context([SiteSku("S2", "P0")], rules=strict)
    held = holds(data, judge(data, context))
    assert [(hold.site_id, hold.sku_id, hold.check) for hold in held] == [
        ("S1", "P1", "stale"),
        ("S2", "P0", "missing"),
        ("S2", "P1", "stale"),
    ]


def test_warnings_hold_nothing():
    data = counts(a_count(), as_of=NOW - timedelta(hours=25))
    assert holds(data, judge(data, a_context())) == ()


@given(
    units=st.lists(
        st.tuples(st.sampled_from(["S1", "S2", "S9"]), st.integers(-20, 10_000), st.integers(-3, 30)), min_size=1
    ),
    hours=st.integers(-10, 60),
)
def test_every_reading_is_judged_and_bad_ones_are_kept_apart(units, hours):
    data = counts(
        *(a_count(on_hand, site, reserved_units=reserved) for site, on_hand, reserved in units),
        as_of=NOW - timedelta(hours=hours),
    )
    judgement = judge(data, a_context())
    for position, (site, on_hand, reserved) in enumerate(units):
        if site == "S9" or on_hand < 0 or reserved < 0 or reserved > on_hand or on_hand > 3_000 or hours < 0:
            assert position in judgement.quarantined_readings
    assert len([found for found in judgement.findings if len(found.readings) == 1 and found.key]) <= len(units)
    assert all(hold.site_id != "S9" or hours < 0 for hold in holds(data, judgement))


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


def inbound(units, days=3, site_id="S1"):
    reading = InboundReading(
        site_id=site_id,
        sku_id="P1",
        units=units,
        expected_on=in_days(days),
        kind=SupplyKind.PURCHASE_ORDER,
        reference="PO-1",
    )
    return InboundData(readings=(reading,))


def test_an_order_on_its_way_is_accepted():
    assert passes(inbound(40), a_context())


def test_a_negative_order_is_quarantined():
    found = the_finding(inbound(-4), a_context())
    assert (found.check, found.verdict) == (QualityCheck.NEGATIVE, QUARANTINED)
    assert found.reason == "S1/P1: -4 units inbound; they cannot be negative"


def test_an_order_for_years_is_impossible():
    assert the_finding(inbound(3_001), a_context()).check is QualityCheck.IMPOSSIBLE_LEVEL


def test_an_order_long_overdue_is_accepted_with_a_warning():
    found = the_finding(inbound(40, days=-15), a_context())
    assert (found.check, found.verdict) == (QualityCheck.OVERDUE, WARNED)
    assert found.reason == "S1/P1: 40 units expected on 2026-02-15, 15 days ago"
    assert dict(found.numbers) == {"units": 40, "days": 15, "days_max": 14}
    assert passes(inbound(40, days=-14), a_context())
    assert passes(inbound(0, days=-90), a_context())


def test_an_order_for_an_unknown_site_is_quarantined():
    assert the_finding(inbound(4, site_id="S9"), a_context()).check is QualityCheck.UNKNOWN


def lead_time(days, destination="S2"):
    return LeadTimeData(origin="S1", destination=destination, mode="van", lead_time_days=days)


def test_a_lead_time_near_the_known_one_is_accepted():
    context = a_context(lanes=(a_lane(lead_time_days=12),))
    assert passes(lead_time(2), context)
    assert passes(lead_time(22), context)


@pytest.mark.parametrize(("known", "days"), [(0, 365), (13, 2), (12, 23)])
def test_a_lead_time_that_jumps_is_quarantined(known, days):
    data = lead_time(days)
    judgement = judge(data, a_context(lanes=(a_lane(lead_time_days=known),)))
    assert judgement.findings[0].reason == (
        f"S1→S2 by van: {days} days, where {known} were known; a change above 10 days is not believed"
    )
    assert (judgement.findings[0].check, judgement.verdict) == (QualityCheck.SUDDEN_JUMP, QUARANTINED)
    assert holds(data, judgement) == ()


def test_the_lead_time_of_an_unknown_lane_is_quarantined():
    found = the_finding(lead_time(1, destination="S9"), a_context())
    assert (found.check, found.verdict) == (QualityCheck.UNKNOWN, QUARANTINED)
    assert found.reason == "there is no lane S1→S9 by van in the master data; add it, or correct the signal"


@pytest.mark.parametrize(("site_id", "sku_id"), [("S9", None), ("S1", "P9")])
def test_the_reliability_of_unknown_supply_is_quarantined(site_id, sku_id):
    data = SupplierReliabilityData(site_id=site_id, sku_id=sku_id, on_time_percent=80, mean_delay_days=3)
    found = the_finding(data, a_context())
    assert (found.check, found.verdict) == (QualityCheck.UNKNOWN, QUARANTINED)


@pytest.mark.parametrize("sku_id", [None, "P1"])
def test_the_reliability_of_known_supply_is_accepted(sku_id):
    data = SupplierReliabilityData(site_id="S1", sku_id=sku_id, on_time_percent=80, mean_delay_days=3)
    assert passes(data, a_context())


def test_what_a_carrier_says_is_accepted():
    assert passes(TransitStatusData(transfer_id="0" * 36, state=TransitState.DELAYED, expected_on=TODAY), a_context())
