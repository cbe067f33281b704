from __future__ import annotations

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
    a_snapshot,
    a_supply,
    in_days,
)
from tools.coverage import COVER_DAYS_MAX, days_of_cover, expected_lost_units, stock_out_on, stock_out_ppm
from tools.demand import DemandView
from tools.inventory import SiteSku

HERE = SiteSku("S1", "P1")


def facts(on_hand=10, **fields):
    """S1 with so many units and, if not said otherwise, a demand of 2 a day and regular supply in 7 days."""
    snapshot = a_snapshot(
        **{
            "positions": (a_position(on_hand_units=on_hand),),
            "forecasts": (a_forecast(daily_units=2.0),),
            "replenishments": (a_replenishment(days=7),),
        }
        | fields
    )
    return snapshot, DemandView(snapshot, 14)


@pytest.mark.parametrize(("units", "days"), [(0, 0), (1, 0), (2, 1), (9, 4), (10, 5), (11, 5)])
def test_stock_covers_the_whole_days_that_it_serves_mean_demand(units, days):
    _, view = facts()
    assert days_of_cover(view, HERE, units) == days


def test_cover_follows_the_dated_forecast():
    # 1, 0, 5 and then 2 a day: 6 units are gone on the third evening, 7 not before the fourth.
    _, view = facts(forecasts=(a_forecast(mean_e6=(1_000_000, 0, 5_000_000, 2_000_000), variance_e6=(0,)),))
    assert [days_of_cover(view, HERE, units) for units in (0, 1, 5, 6, 7, 8)] == [0, 2, 2, 3, 3, 4]


def test_without_demand_there_are_no_days_of_cover():
    _, view = facts(forecasts=(a_forecast(daily_units=0.0),))
    assert days_of_cover(view, HERE, 10) is None


def test_cover_ends_at_ten_years():
    _, view = facts()
    assert days_of_cover(view, HERE, 2 * COVER_DAYS_MAX) == COVER_DAYS_MAX
    assert days_of_cover(view, HERE, 2 * COVER_DAYS_MAX - 1) == COVER_DAYS_MAX - 1
    assert days_of_cover(view, HERE, 10**9) == COVER_DAYS_MAX


@given(units=st.integers(0, 500), more=st.integers(0, 500), daily=st.floats(0.1, 20))
def test_more_stock_never_covers_fewer_days(units, more, daily):
    _, view = facts(forecasts=(a_forecast(daily_units=daily),))
    assert days_of_cover(view, HERE, units) <= days_of_cover(view, HERE, units + more)


def test_stock_is_expected_to_run_out_on_the_day_that_demand_exceeds_it():
    # 10 units at 2 a day serve five days; the sixth is in_days(5).
    assert stock_out_on(*facts(10), HERE) == in_days(5)
    assert stock_out_on(*facts(11), HERE) == in_days(5)
    assert stock_out_on(*facts(0), HERE) == in_days(0)


def test_supply_that_comes_in_time_puts_the_stock_out_off():
    assert stock_out_on(*facts(10, supply=(a_supply(units=4, days=5),)), HERE) == in_days(7)
    assert stock_out_on(*facts(10, supply=(a_supply(units=4, days=0),)), HERE) == in_days(7)


def test_supply_that_comes_too_late_does_not_put_the_stock_out_off():
    assert stock_out_on(*facts(10, supply=(a_supply(units=400, days=6),)), HERE) == in_days(5)


def test_each_arrival_counts_from_its_day_on():
    supply = (a_supply(units=2, days=5, reference="A"), a_supply(units=6, days=6, reference="B"))
    assert stock_out_on(*facts(10, supply=supply), HERE) == in_days(9)


def test_stock_that_nobody_asks_for_never_runs_out():
    assert stock_out_on(*facts(forecasts=(a_forecast(daily_units=0.0),)), HERE) is None


def test_the_chance_of_a_stock_out_is_that_demand_exceeds_what_there_will_be():
    # Poisson with mean 14 in 7 days against 20 units, 5 of them inbound.
    found = stock_out_ppm(*facts(15, supply=(a_supply(units=5, days=1),)), HERE)
    assert found == round(stats.poisson(14).sf(20) * 1_000_000)


def test_a_stock_out_before_a_late_arrival_counts():
    # 3 units for 5 days with mean 10, then 500 more: only the days before the arrival are in danger.
    snapshot, view = facts(3, supply=(a_supply(units=500, days=5),))
    assert stock_out_ppm(snapshot, view, HERE) == round(stats.poisson(10).sf(3) * 1_000_000)
    mean_lost = 10 - sum(stats.poisson(10).sf(units) for units in range(3))
    assert expected_lost_units(snapshot, view, HERE) == pytest.approx(mean_lost)


def test_supply_that_comes_with_or_after_the_regular_supply_does_not_help():
    assert stock_out_ppm(*facts(15, supply=(a_supply(units=500, days=7),)), HERE) == stock_out_ppm(*facts(15), HERE)


def test_lost_units_are_the_demand_that_the_stock_does_not_meet():
    # Poisson with mean 14 and nothing on hand: all of it. With plenty: nothing.
    assert expected_lost_units(*facts(0), HERE) == pytest.approx(14)
    assert expected_lost_units(*facts(1_000), HERE) == 0


def test_without_demand_nothing_is_short():
    nothing = facts(0, forecasts=())
    assert stock_out_ppm(*nothing, HERE) == 0
    assert expected_lost_units(*nothing, HERE) == 0


@given(on_hand=st.integers(0, 60), more=st.integers(0, 60), dispersion=st.sampled_from([1.0, 2.5, 9.0]))
def test_more_stock_never_makes_a_stock_out_more_probable(on_hand, more, dispersion):
    less = facts(on_hand, forecasts=(a_forecast(daily_units=2.0, dispersion=dispersion),))
    plenty = facts(on_hand + more, forecasts=(a_forecast(daily_units=2.0, dispersion=dispersion),))
    assert stock_out_ppm(*plenty, HERE) <= stock_out_ppm(*less, HERE)
    assert expected_lost_units(*plenty, HERE) <= expected_lost_units(*less, HERE) + 1e-9


def test_a_centre_is_covered_until_its_stores_have_drawn_its_stock():
    # The store lives on its own stock for 7 days and then draws 2 a day: 5 units last 7 + 2 days.
    snapshot = a_snapshot(
        sites=(a_dc("DC1"), a_site("S1")),
        lanes=(a_lane("DC1", "S1"),),
        positions=(a_position("DC1", on_hand_units=5),),
        forecasts=(a_forecast("S1", daily_units=2.0),),
        replenishments=(a_replenishment("S1", days=7), a_replenishment("DC1", days=20)),
    )
    view = DemandView(snapshot, 14)
    assert days_of_cover(view, SiteSku("DC1", "P1"), 5) == 9
    assert stock_out_on(snapshot, view, SiteSku("DC1", "P1")) == in_days(9)
