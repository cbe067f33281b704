from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.builders import (
    a_dc,
    a_forecast,
    a_lane,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
    a_snapshot,
)
from tools.demand import DemandView
from tools.inventory import SiteSku
from tools.targets import DemandClass, Target, abc_classes, targets


def targets_of(snapshot, service_level_bp=9_500, review_days=7):
    view = DemandView(snapshot, 14)
    return {row.key: row for row in targets(snapshot, view, lambda _: service_level_bp, review_days)}


def one_site(**fields):
    return a_snapshot(positions=(a_position("S1"),), **{"forecasts": (a_forecast("S1"),)} | fields)


def classes_of(values, **shares):
    """The classes of SKUs whose demand in 14 days is worth so much."""
    skus = [a_sku(sku_id, unit_price_e4=10_000) for sku_id in values]
    forecasts = [a_forecast("S1", sku_id, daily_units=value / 14) for sku_id, value in values.items()]
    snapshot = a_snapshot(skus=skus, forecasts=forecasts, positions=())
    return abc_classes(snapshot, DemandView(snapshot, 14), **shares)


def test_a_target_by_hand():
    # Poisson, 2 a day. 5 days until the regular supply: mean 10, P(D <= 15) = .9513. With 7 days more: mean 24,
    # P(D <= 32) = .9533 and P(D <= 31) = .9322.
    snapshot = one_site(forecasts=(a_forecast("S1", daily_units=2.0),), replenishments=(a_replenishment("S1", days=5),))
    assert targets_of(snapshot) == {SiteSku("S1", "P1"): Target("S1", "P1", 9_500, 5, 7, 5, 15, 32)}
    assert stats.poisson(24).cdf([31, 32]) == pytest.approx([0.9322, 0.9533], abs=1e-4)


def test_safety_stock_is_what_the_need_has_above_the_mean_rounded_up():
    # Poisson with mean 7 x 0.35 = 2.45: P(D <= 5) = .96. Safety stock 5 - 2.45, rounded up to 3.
    target = targets_of(one_site(forecasts=(a_forecast("S1", daily_units=0.35),)))[SiteSku("S1", "P1")]
    assert (target.need_units, target.safety_stock_units) == (5, 3)


def test_safety_stock_is_never_negative():
    # Half of the time demand with mean 7 and variance 350 is 0: the need is below the mean.
    wild = one_site(forecasts=(a_forecast("S1", dispersion=50.0),))
    target = targets_of(wild, service_level_bp=5_000)[SiteSku("S1", "P1")]
    assert (target.need_units, target.safety_stock_units) == (0, 0)


def test_without_a_review_period_of_its_own_the_default_holds():
    snapshot = one_site(replenishments=(a_replenishment("S1", days=5, review_period_days=None),))
    assert targets_of(snapshot, review_days=21)[SiteSku("S1", "P1")].review_days == 21
    assert targets_of(one_site(replenishments=()), review_days=21)[SiteSku("S1", "P1")].review_days == 21


def test_whatever_has_a_position_or_a_forecast_has_a_target():
    snapshot = a_snapshot(
        skus=(a_sku("P1"), a_sku("P2"), a_sku("P3")),
        positions=(a_position("S1", "P1"), a_position("S2", "P2")),
        forecasts=(a_forecast("S1", "P1"), a_forecast("S1", "P3")),
    )
    assert list(targets_of(snapshot)) == [("S1", "P1"), ("S1", "P3"), ("S2", "P2")]
    nobody_asks = targets_of(snapshot)[SiteSku("S2", "P2")]
    assert (nobody_asks.need_units, nobody_asks.order_up_to_units) == (0, 0)


def test_each_site_sku_has_the_service_level_that_policy_gives_it():
    snapshot = a_snapshot()
    levels = {SiteSku("S1", "P1"): 9_900, SiteSku("S2", "P1"): 8_000}
    one, two = targets(snapshot, DemandView(snapshot, 14), levels.__getitem__, 7)
    assert (one.service_level_bp, two.service_level_bp) == (9_900, 8_000)
    assert one.need_units > two.need_units


@pytest.mark.parametrize("service_level_bp", [0, 10_000])
def test_a_service_level_that_no_stock_can_give_is_refused(service_level_bp):
    with pytest.raises(ValueError, match="between 0 and 1"):
        targets_of(one_site(), service_level_bp=service_level_bp)


def test_a_centre_needs_what_its_stores_will_draw():
    # The store draws on days 7..9 and, with a review of 7 days, 7..16: Poisson with means 3 and 10.
    snapshot = a_snapshot(
        sites=(a_dc("DC1"), a_site("S1")),
        lanes=(a_lane("DC1", "S1"),),
        positions=(a_position("DC1"),),
        forecasts=(a_forecast("S1"),),
        replenishments=(a_replenishment("S1", days=7), a_replenishment("DC1", days=10)),
    )
    target = targets_of(snapshot)[SiteSku("DC1", "P1")]
    assert target.need_units == stats.poisson(3).ppf(0.95) == 6
    assert target.order_up_to_units == stats.poisson(10).ppf(0.95) == 15


FORECASTS = st.builds(
    lambda daily, variance, cv2: a_forecast("S1", mean_e6=tuple(daily), variance_e6=tuple(variance), level_cv2_e6=cv2),
    st.lists(st.integers(0, 20_000_000), min_size=1, max_size=12),
    st.lists(st.integers(0, 900_000_000), min_size=1, max_size=12),
    st.sampled_from([0, 50_000, 500_000]),
)


@given(forecast=FORECASTS, level=st.integers(100, 9_990), higher=st.integers(0, 9_000))
def test_targets_grow_with_the_service_level_and_an_order_covers_the_need(forecast, level, higher):
    snapshot = one_site(forecasts=(forecast,))
    key = SiteSku("S1", "P1")
    low, high = targets_of(snapshot, level)[key], targets_of(snapshot, min(level + higher, 9_995))[key]
    assert 0 <= low.need_units <= low.order_up_to_units
    assert low.need_units <= high.need_units
    assert low.order_up_to_units <= high.order_up_to_units
    assert 0 <= low.safety_stock_units <= low.need_units


def test_skus_are_classed_by_their_share_of_the_demand_value():
    # 60 + 25 reaches 80 %; 85 + 11 reaches 95 %; the rest is C.
    classes = classes_of({"P1": 11, "P2": 60, "P3": 3, "P4": 25, "P5": 1})
    assert classes == {"P2": "A", "P4": "A", "P1": "B", "P3": "C", "P5": "C"}


def test_a_sku_before_which_the_whole_share_is_reached_is_in_the_next_class():
    assert classes_of({"P1": 80 * 14, "P2": 15 * 14, "P3": 5 * 14}) == {"P1": "A", "P2": "B", "P3": "C"}


def test_value_is_counted_from_today_on():
    one_day = a_forecast("S1", "P2", mean_e6=(900_000_000, 0), variance_e6=(0,))
    snapshot = a_snapshot(skus=(a_sku("P1"), a_sku("P2")), forecasts=(a_forecast("S1", "P1"), one_day), positions=())
    assert list(abc_classes(snapshot, DemandView(snapshot, 14))) == ["P2", "P1"]


def test_the_cut_offs_can_be_chosen():
    classes = classes_of({"P1": 11, "P2": 60, "P3": 4, "P4": 25}, a_share_bp=5_000, b_share_bp=7_000)
    assert classes == {"P2": "A", "P4": "B", "P1": "C", "P3": "C"}


def test_a_sku_that_carries_everything_is_a_and_one_that_carries_nothing_is_c():
    assert classes_of({"P1": 500, "P2": 0}) == {"P1": DemandClass.A, "P2": DemandClass.C}


def test_without_any_demand_every_sku_is_c():
    assert classes_of({"P1": 0, "P2": 0}) == {"P1": DemandClass.C, "P2": DemandClass.C}


def test_of_equal_skus_the_earlier_id_comes_first():
    assert classes_of({"P2": 50, "P1": 50}, a_share_bp=4_000, b_share_bp=5_000) == {"P1": "A", "P2": "C"}


def test_value_counts_the_price_and_all_sites():
    snapshot = a_snapshot(
        skus=(a_sku("P1", unit_price_e4=10_000), a_sku("P2", unit_price_e4=30_000), a_sku("P3")),
        forecasts=(a_forecast("S1", "P1"), a_forecast("S2", "P1"), a_forecast("S1", "P2")),
        positions=(),
    )
    classes = abc_classes(snapshot, DemandView(snapshot, 14), a_share_bp=5_000, b_share_bp=9_000)
    assert classes == {"P2": "A", "P1": "B", "P3": "C"}


def test_what_a_centre_passes_on_to_its_stores_is_not_counted_twice():
    snapshot = a_snapshot(
        sites=(a_dc("DC1"), a_site("S1")),
        lanes=(a_lane("DC1", "S1"),),
        skus=(a_sku("P1", unit_price_e4=10_000), a_sku("P2", unit_price_e4=15_000)),
        positions=(a_position("DC1", "P1"),),
        forecasts=(a_forecast("S1", "P1"), a_forecast("S1", "P2")),
    )
    assert list(abc_classes(snapshot, DemandView(snapshot, 28))) == ["P2", "P1"]


@given(values=st.dictionaries(st.sampled_from([f"P{n}" for n in range(9)]), st.integers(0, 1_000), min_size=1))
def test_a_more_valuable_sku_is_never_in_a_lower_class(values):
    classes = classes_of(values)
    assert set(classes) == set(values)
    ordered = sorted(values, key=lambda sku: -values[sku])
    for above, below in pairwise(ordered):
        assert classes[above] <= classes[below] or values[above] == values[below]
