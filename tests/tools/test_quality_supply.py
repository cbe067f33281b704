"""Orders, lead times, the reliability of suppliers and news from carriers are judged by what is known."""

from __future__ import annotations

import pytest

from tests.builders import (
    TODAY,
    a_lane,
    in_days,
)
from tests.tools.judging import QUARANTINED, WARNED, a_context, passes, the_finding
from tools.findings import QualityCheck
from tools.inventory import SupplyKind
from tools.quality import holds, judge
from tools.signals import (
    InboundData,
    InboundReading,
    LeadTimeData,
    SupplierReliabilityData,
    TransitState,
    TransitStatusData,
)


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
