"""Stock counts are judged by what is known already; doubtful ones are warned of, bad ones are kept apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import (
    NOW,
    a_forecast,
    a_hold,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
    a_supply,
)
from tests.tools.judging import ACCEPTED, QUARANTINED, RULES, WARNED, a_context, passes, the_finding
from tools.findings import QualityCheck
from tools.inventory import SiteSku
from tools.quality import holds, judge
from tools.signals import (
    StockData,
    StockReading,
)


def a_count(on_hand_units=6, site_id="S1", sku_id="P1", **fields):
    return StockReading(site_id=site_id, sku_id=sku_id, on_hand_units=on_hand_units, **fields)


def counts(*readings, as_of=NOW):
    return StockData(as_of=as_of, readings=readings)


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
        "S1/P1: 3,001 units, but only 2,000 are expected to be asked for in 1,000 days; "
        "above 3,000 units that is not believed"
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
