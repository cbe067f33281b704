from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.builders import (
    TODAY,
    a_dc,
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
from tools.demand import DemandView
from tools.imbalance import ImbalanceKind, ImbalanceRules, find_imbalances, held
from tools.inventory import SiteSku
from tools.targets import targets

RULES = ImbalanceRules(
    shortage_lost_units_e6_min=500_000,
    surplus_units_min=2,
    expiring_units_min=1,
    expiry_sales_bp=5_000,
    stranded_days=90,
    stranded_demand_e6_max=500_000,
)
"""Half a lost unit, two units over, the median of sales until expiry, half a unit asked for in 90 days."""


def found_in(snapshot, rules=RULES, service_level_bp=9_500):
    view = DemandView(snapshot, 14)
    return find_imbalances(snapshot, view, targets(snapshot, view, lambda _: service_level_bp, 7), rules)


def a_store(on_hand, daily_units=2.0, sku=None, **fields):
    """One store with regular supply in 5 days: need 15, order-up-to level 32 (by hand in test_targets)."""
    return a_snapshot(
        **{
            "sites": (a_site("S1"),),
            "skus": (sku or a_sku(),),
            "positions": (a_position("S1", on_hand_units=on_hand),),
            "forecasts": (a_forecast("S1", daily_units=daily_units),),
            "replenishments": (a_replenishment("S1", days=5),),
        }
        | fields
    )


def test_too_little_stock_is_a_shortage_worth_the_margin_of_the_lost_sales():
    # Poisson, mean 10 against 4 units: 10 - sum of P(D > t), t = 0..3. Margin 10.00 - 4.00.
    lost = 10 - sum(stats.poisson(10).sf(t) for t in range(4))
    (shortage,) = found_in(a_store(4))
    assert (shortage.kind, shortage.key, shortage.units) == (ImbalanceKind.SHORTAGE, ("S1", "P1"), 15 - 4)
    assert shortage.severity_minor == round(lost * 600)
    assert (shortage.days_of_cover, shortage.until) == (2, in_days(5))
    assert shortage.stock_out_ppm == round(stats.poisson(10).sf(4) * 1_000_000)


def test_stock_between_need_and_order_up_to_level_is_in_balance():
    for on_hand in (15, 20, 32, 33):
        assert found_in(a_store(on_hand)) == ()


def test_a_shortage_that_loses_hardly_anything_is_none():
    # 14 of the 15 units needed are there; Poisson, mean 10: a tenth of a unit is lost.
    assert found_in(a_store(14)) == ()
    (shortage,) = found_in(a_store(14), replace(RULES, shortage_lost_units_e6_min=0))
    assert shortage.units == 1
    assert found_in(a_store(15), replace(RULES, shortage_lost_units_e6_min=0)) == ()


def test_supply_on_its_way_relieves_a_shortage():
    assert found_in(a_store(4, supply=(a_supply(units=11, days=1),))) == ()


def test_a_sku_that_sells_below_cost_is_short_of_units_but_loses_no_margin():
    (shortage,) = found_in(a_store(4, sku=a_sku(unit_price_e4=30_000)))
    assert (shortage.units, shortage.severity_minor) == (11, 0)


def test_stock_beyond_the_order_up_to_level_is_a_surplus_worth_its_cost():
    (surplus,) = found_in(a_store(40))
    assert (surplus.kind, surplus.units, surplus.severity_minor) == (ImbalanceKind.SURPLUS, 8, 3_200)
    assert (surplus.days_of_cover, surplus.until) == (20, in_days(5))


def test_supply_on_its_way_adds_to_a_surplus():
    (surplus,) = found_in(a_store(30, supply=(a_supply(units=10, days=4),)))
    assert (surplus.units, surplus.days_of_cover) == (8, 15)


@pytest.mark.parametrize(("pack_size", "surplus_units_min", "least"), [(1, 2, 2), (6, 2, 6), (6, 9, 9)])
def test_a_surplus_is_a_pack_at_least_and_what_policy_says(pack_size, surplus_units_min, least):
    rules, sku = replace(RULES, surplus_units_min=surplus_units_min), a_sku(pack_size=pack_size)
    assert found_in(a_store(32 + least - 1, sku=sku), rules) == ()
    assert [row.units for row in found_in(a_store(32 + least, sku=sku), rules)] == [least]


def test_stock_that_will_not_sell_within_its_shelf_life_expires():
    # Poisson, 10 days at 2: the median is 20. Of 30 units 10 are left; 30 is no surplus.
    (expiring,) = found_in(a_store(30, sku=a_sku(shelf_life_days=10)))
    assert (expiring.kind, expiring.units, expiring.severity_minor) == (ImbalanceKind.EXPIRING, 10, 4_000)
    assert expiring.until == TODAY + timedelta(days=10)


def test_promised_units_do_not_expire():
    snapshot = a_store(0, sku=a_sku(shelf_life_days=10))
    snapshot = replace(snapshot, positions=(a_position("S1", on_hand_units=36, reserved_units=16),))
    assert found_in(snapshot) == ()


def test_few_units_left_at_expiry_are_tolerated():
    snapshot = a_store(30, sku=a_sku(shelf_life_days=10))
    assert [row.units for row in found_in(snapshot, replace(RULES, expiring_units_min=10))] == [10]
    assert found_in(snapshot, replace(RULES, expiring_units_min=11)) == ()
    for on_hand, left in ((20, []), (21, [1])):
        found = found_in(a_store(on_hand, sku=a_sku(shelf_life_days=10)), replace(RULES, expiring_units_min=0))
        assert [row.units for row in found] == left


def test_a_site_sku_can_be_surplus_and_expiring():
    kinds = [row.kind for row in found_in(a_store(40, sku=a_sku(shelf_life_days=10)))]
    assert kinds == [ImbalanceKind.EXPIRING, ImbalanceKind.SURPLUS]


def test_stock_at_a_store_that_nobody_asks_for_is_stranded_and_not_surplus():
    (stranded,) = found_in(a_store(9, daily_units=0.0))
    assert (stranded.kind, stranded.units, stranded.severity_minor) == (ImbalanceKind.STRANDED, 9, 3_600)
    assert (stranded.days_of_cover, stranded.stock_out_ppm, stranded.until) == (None, 0, in_days(5))


@pytest.mark.parametrize(
    ("daily_units", "kind"), [(0.49 / 90, ImbalanceKind.STRANDED), (0.51 / 90, ImbalanceKind.SURPLUS)]
)
def test_a_trickle_of_demand_is_as_good_as_none(daily_units, kind):
    assert [row.kind for row in found_in(a_store(9, daily_units=daily_units))] == [kind]


def test_where_policy_allows_no_demand_at_all_only_none_is_as_good_as_none():
    rules = replace(RULES, stranded_demand_e6_max=0)
    assert [row.kind for row in found_in(a_store(9, daily_units=0.0), rules)] == [ImbalanceKind.STRANDED]
    assert [row.kind for row in found_in(a_store(9, daily_units=0.001), rules)] == [ImbalanceKind.SURPLUS]


def test_stock_that_is_asked_for_today_is_not_stranded():
    only_today = a_forecast("S1", mean_e6=(1_000_000, 0), variance_e6=(1_000_000, 0))
    assert [row.kind for row in found_in(a_store(9, forecasts=(only_today,)))] == [ImbalanceKind.SURPLUS]


def test_an_empty_shelf_strands_nothing():
    assert found_in(a_store(0, daily_units=0.0)) == ()


def test_a_store_without_a_forecast_is_not_judged():
    assert found_in(a_store(500, forecasts=())) == ()


def test_a_centre_is_judged_by_what_its_stores_draw_and_strands_nothing():
    snapshot = a_snapshot(
        sites=(a_dc("DC1"), a_site("S1")),
        lanes=(a_lane("DC1", "S1"),),
        positions=(a_position("DC1", on_hand_units=50),),
        forecasts=(),
    )
    assert [(row.key, row.kind, row.units) for row in found_in(snapshot)] == [
        (("DC1", "P1"), ImbalanceKind.SURPLUS, 50)
    ]


def test_site_skus_on_hold_are_named_as_held_and_not_judged():
    snapshot = replace(a_store(4), holds=(a_hold("S1"), a_hold("S1", "P9")))
    view = DemandView(snapshot, 14)
    every = targets(snapshot, view, lambda _: 9_500, 7)
    assert found_in(snapshot) == ()
    assert held(snapshot, every) == (a_hold("S1"),)
    assert held(a_store(4), every) == ()


def test_amounts_are_in_the_minor_unit_of_the_currency():
    snapshot = replace(a_store(40), currency="JPY")
    assert found_in(snapshot)[0].severity_minor == 8 * 4


def test_the_costliest_imbalance_comes_first_and_ties_go_by_id():
    sites = [a_site(site_id) for site_id in ("S1", "S2", "S3")]
    snapshot = a_snapshot(
        sites=sites,
        positions=[
            a_position("S1", on_hand_units=40),
            a_position("S3", on_hand_units=40),
            a_position("S2", on_hand_units=90),
        ],
        forecasts=[a_forecast(site.site_id, daily_units=2.0) for site in sites],
        replenishments=[a_replenishment(site.site_id, days=5) for site in sites],
    )
    assert [row.site_id for row in found_in(snapshot)] == ["S2", "S1", "S3"]


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["S1", "S2", "S3"]), st.sampled_from(["P1", "P2"]), st.integers(0, 60), st.integers(0, 4)
        ),
        unique_by=lambda row: row[:2],
        max_size=6,
    ),
    data=st.data(),
)
def test_the_order_of_facts_and_targets_does_not_matter(rows, data):
    snapshot = a_snapshot(
        sites=[a_site(site_id) for site_id in ("S1", "S2", "S3")],
        skus=[a_sku("P1"), a_sku("P2", shelf_life_days=12)],
        positions=[a_position(site, sku, units) for site, sku, units, _ in rows],
        forecasts=[a_forecast(site, sku, daily) for site, sku, _, daily in rows],
    )
    shuffled = replace(
        snapshot,
        positions=tuple(data.draw(st.permutations(snapshot.positions))),
        forecasts=tuple(data.draw(st.permutations(snapshot.forecasts))),
    )
    view = DemandView(shuffled, 14)
    every = data.draw(st.permutations(targets(shuffled, view, lambda _: 9_500, 7)))
    found = find_imbalances(shuffled, view, every, RULES)
    assert found == found_in(snapshot)
    assert len({(row.key, row.kind) for row in found}) == len(found)
    for row in found:
        assert row.units > 0
        assert row.severity_minor >= 0
        assert SiteSku(row.site_id, row.sku_id) == row.key
