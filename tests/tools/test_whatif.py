from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.builders import a_forecast, a_snapshot, a_supply, in_days
from tools.inventory import SiteSku, SupplyKind
from tools.transfers import DemandChange, Overlays, SupplyDelay, UnitCap
from tools.whatif import assumed

PERCENT = st.integers(0, 1_000)


def demand(snapshot, site_id="S1"):
    forecast = snapshot.forecast_by_key[SiteSku(site_id, "P1")]
    return forecast.mean_e6, forecast.variance_e6


def with_demand(*changes, **fields):
    return assumed(a_snapshot(**fields), Overlays(demand_changes=changes))


def test_without_assumptions_the_facts_are_the_same_object():
    snapshot = a_snapshot()
    assert assumed(snapshot, Overlays()) is snapshot
    asked = Overlays(excluded_sites=("S1",), max_units=3, receive_caps=(UnitCap(site_id="S1", sku_id="P1", units=1),))
    assert assumed(snapshot, asked) is snapshot


def test_a_fifth_more_demand_has_a_fifth_more_mean_and_variance_on_every_day():
    forecast = a_forecast("S1", mean_e6=(1_000_000, 2_500_000), variance_e6=(3_000_000, 4_000_000))
    changed = with_demand(DemandChange(percent=120), forecasts=(forecast,))
    assert demand(changed) == ((1_200_000, 3_000_000), (3_600_000, 4_800_000))


def test_demand_changes_only_where_it_is_said_to():
    changed = with_demand(DemandChange(percent=200, sites=("S2",)))
    assert (demand(changed, "S1")[0], demand(changed, "S2")[0]) == ((1_000_000,), (2_000_000,))
    untouched = with_demand(DemandChange(percent=200, sites=("S2",), skus=("P9",)))
    assert demand(untouched, "S2")[0] == (1_000_000,)
    assert demand(with_demand(DemandChange(percent=0, skus=("P1",))))[0] == (0,)


def test_where_two_changes_meet_both_apply():
    both = with_demand(DemandChange(percent=150), DemandChange(percent=200, sites=("S1",)))
    assert (demand(both, "S1")[0], demand(both, "S2")[0]) == ((3_000_000,), (1_500_000,))


def test_small_shares_multiply_without_being_rounded_on_the_way():
    # 1 % of 1 % is a ten-thousandth and not nothing; tripled again it is three of them.
    tiny = with_demand(*(DemandChange(percent=percent) for percent in (1, 1, 300)))
    assert demand(tiny)[0] == (300,)


@given(percents=st.lists(PERCENT, min_size=1, max_size=3))
def test_the_order_of_the_changes_makes_no_difference(percents):
    found = {
        demand(with_demand(*(DemandChange(percent=percent, skus=skus) for percent, skus in order)))
        for order in permutations([(percent, ("P1",) if n else ()) for n, percent in enumerate(percents)])
    }
    assert len(found) == 1


@given(percent=PERCENT)
def test_the_spread_of_demand_keeps_its_ratio(percent):
    mean, variance = demand(with_demand(DemandChange(percent=percent), forecasts=(a_forecast("S1", dispersion=3.0),)))
    assert variance[0] == 3 * mean[0]


def test_a_forecast_that_stays_as_it_was_is_the_same_object():
    snapshot = a_snapshot()
    same = assumed(snapshot, Overlays(demand_changes=(DemandChange(percent=50), DemandChange(percent=200))))
    assert same.forecasts[0] is snapshot.forecasts[0]


def test_a_delay_moves_purchase_orders_and_leaves_transfers_on_the_road():
    supply = (
        a_supply("S1", days=3, reference="PO-1"),
        a_supply("S1", days=4, kind=SupplyKind.TRANSFER, reference="T-1"),
    )
    later = assumed(a_snapshot(supply=supply), Overlays(supply_delay_days=5))
    assert {row.reference: row.expected_on for row in later.supply} == {"PO-1": in_days(8), "T-1": in_days(4)}
    assert later.forecasts == a_snapshot().forecasts


SITES, SKUS = ("S1", "S2"), ("P1", "P2")
NAMED = st.builds(
    SupplyDelay,
    days=st.integers(0, 30),
    skus=st.lists(st.sampled_from(SKUS), unique=True).map(tuple),
    sites=st.lists(st.sampled_from(SITES), unique=True).map(tuple),
)
SUPPLY = st.lists(
    st.builds(
        a_supply,
        st.sampled_from(SITES),
        st.sampled_from(SKUS),
        st.integers(1, 50),
        st.integers(0, 40),
        kind=st.sampled_from(SupplyKind),
    ),
    max_size=6,
).map(tuple)


def test_a_delay_of_what_is_named_moves_that_alone():
    supply = tuple(a_supply(site, sku, days=3) for site, sku in product(SITES, SKUS))
    at_one = Overlays(supply_delays=(SupplyDelay(days=5, skus=("P1",), sites=("S2",)),))
    later = {(row.site_id, row.sku_id): row.expected_on for row in assumed(a_snapshot(supply=supply), at_one).supply}
    assert later == {key: in_days(8 if key == ("S2", "P1") else 3) for key in product(SITES, SKUS)}


@given(supply=SUPPLY, delays=st.lists(NAMED, max_size=3).map(tuple))
def test_a_delay_touches_only_what_it_names_and_the_longest_counts(supply, delays):
    snapshot = a_snapshot(supply=supply)
    later = assumed(snapshot, Overlays(supply_delays=delays))
    assert replace(later, supply=snapshot.supply) == snapshot
    expected = []
    for row in supply:
        said = [
            each.days
            for each in delays
            if (not each.skus or row.sku_id in each.skus) and (not each.sites or row.site_id in each.sites)
        ]
        days = max(said, default=0) if row.kind is SupplyKind.PURCHASE_ORDER else 0
        expected.append(replace(row, expected_on=row.expected_on + timedelta(days=days)))
    assert Counter(later.supply) == Counter(expected)


@given(supply=SUPPLY, delay=NAMED)
def test_a_delay_of_nothing_changes_nothing(supply, delay):
    snapshot = a_snapshot(supply=supply)
    assert assumed(snapshot, Overlays(supply_delays=(delay.model_copy(update={"days": 0}),))) is snapshot


@given(supply=SUPPLY, days=st.integers(0, 30), shorter=NAMED)
def test_a_delay_of_everything_is_one_that_names_nothing(supply, days, shorter):
    snapshot = a_snapshot(supply=supply)
    everywhere = assumed(snapshot, Overlays(supply_delay_days=days))
    assert assumed(snapshot, Overlays(supply_delays=(SupplyDelay(days=days),))) == everywhere
    less = shorter.model_copy(update={"days": min(shorter.days, days)})
    assert assumed(snapshot, Overlays(supply_delay_days=days, supply_delays=(less,))) == everywhere


@pytest.mark.parametrize("wrong", [{"days": -1}, {"days": 366}, {"days": 2.0}, {"days": 2, "suppliers": ["X"]}, {}])
def test_a_delay_is_whole_days_and_names_nothing_unknown(wrong):
    with pytest.raises(ValidationError):
        SupplyDelay.model_validate(wrong)


def test_a_request_without_late_supply_of_something_is_written_as_it_was_before_there_was_such_a_thing():
    assert "supply_delays" not in Overlays().model_dump(mode="json")
    said = Overlays(supply_delays=(SupplyDelay(days=2, skus=("P1",)),))
    assert Overlays.model_validate_json(said.model_dump_json()) == said


@pytest.mark.parametrize(
    "overlays",
    [
        Overlays(supply_delay_days=2),
        Overlays(supply_delays=(SupplyDelay(days=2, sites=("S1",)),)),
        Overlays(demand_changes=(DemandChange(percent=50),)),
    ],
)
def test_assuming_changes_nothing_in_the_facts_themselves(overlays):
    snapshot = a_snapshot(supply=(a_supply(),))
    before = snapshot.digest
    assert assumed(snapshot, overlays).digest != before
    assert a_snapshot(supply=(a_supply(),)).digest == before == snapshot.digest
