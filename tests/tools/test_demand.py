from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.builders import (
    TODAY,
    a_dc,
    a_forecast,
    a_lane,
    a_position,
    a_replenishment,
    a_site,
    a_snapshot,
    in_days,
)
from tools.demand import (
    NO_DEMAND,
    DemandView,
    WindowDemand,
    expected_sales,
    expected_sales_of,
    forecast_window,
    quantile,
    quantiles,
    survival,
    survival_of,
)
from tools.inventory import SiteKind, SiteSku

MEANS = st.floats(0.01, 500)
DISPERSIONS = st.sampled_from([1.0, 1.005, 1.3, 2.0, 5.0, 40.0])
STOCK = np.arange(-3, 60)


def scipy_demand(demand: WindowDemand):
    phi = demand.variance / demand.mean
    if phi <= 1.01:
        return stats.poisson(demand.mean)
    return stats.nbinom(demand.mean / (phi - 1), 1 / phi)


def at(values, y):
    return float(values[y - STOCK[0]])


@given(mean=MEANS, dispersion=DISPERSIONS)
def test_survival_is_that_of_the_poisson_or_the_negative_binomial(mean, dispersion):
    demand = WindowDemand(mean, mean * dispersion)
    np.testing.assert_allclose(survival(demand, STOCK), scipy_demand(demand).sf(STOCK), rtol=1e-7, atol=1e-12)


@given(mean=MEANS, dispersion=DISPERSIONS)
def test_expected_sales_are_the_sum_of_the_chances_to_sell_each_unit(mean, dispersion):
    demand = WindowDemand(mean, mean * dispersion)
    chances = survival(demand, np.arange(0, STOCK[-1]))
    sums = np.concatenate(([0.0], np.cumsum(chances)))
    np.testing.assert_allclose(expected_sales(demand, np.arange(len(sums))), sums, rtol=1e-8, atol=1e-9)


@given(mean=MEANS, dispersion=DISPERSIONS)
def test_each_further_unit_of_stock_sells_less_than_the_one_before(mean, dispersion):
    served = expected_sales(WindowDemand(mean, mean * dispersion), STOCK)
    gains = np.diff(served)
    assert np.all(gains >= -1e-9)
    assert np.all(np.diff(gains) <= 1e-9)
    assert np.all(served <= mean + 1e-9)


def test_missing_stock_counts_as_certain_loss():
    demand = WindowDemand(4.0, 9.0)
    assert at(expected_sales(demand, STOCK), -3) == -3
    assert at(expected_sales(demand, STOCK), 0) == 0
    assert at(survival(demand, STOCK), -1) == 1


def test_without_demand_nothing_sells():
    assert at(survival(NO_DEMAND, STOCK), -1) == 1
    assert at(survival(NO_DEMAND, STOCK), 0) == 0
    assert at(expected_sales(NO_DEMAND, STOCK), 5) == 0
    assert at(expected_sales(NO_DEMAND, STOCK), -2) == -2
    assert quantile(NO_DEMAND, 0.99) == 0
    assert NO_DEMAND.dispersion == 1


def test_demand_that_varies_less_than_poisson_is_taken_as_poisson():
    assert WindowDemand(4.0, 1.0).dispersion == 1
    assert WindowDemand(4.0, 10.0).dispersion == 2.5


@given(mean=MEANS, dispersion=DISPERSIONS, probability=st.floats(0.02, 0.999))
def test_the_quantile_is_the_least_stock_that_covers_demand_so_often(mean, dispersion, probability):
    demand = WindowDemand(mean, mean * dispersion)
    y = quantile(demand, probability)
    short = survival(demand, np.asarray([y - 1, y]))
    assert short[1] <= 1 - probability
    assert short[0] > 1 - probability


def test_a_quantile_by_hand():
    # Poisson with mean 2: P(D <= 4) = e^-2 (1 + 2 + 2 + 4/3 + 2/3) = 0.9473 and P(D <= 5) = 0.9834.
    assert quantile(WindowDemand(2.0, 2.0), 0.94) == 4
    assert quantile(WindowDemand(2.0, 2.0), 0.95) == 5


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.5, 1.5])
def test_a_service_level_outside_zero_and_one_is_refused(probability):
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile(WindowDemand(2.0, 2.0), probability)


def test_a_window_adds_up_its_days():
    forecast = a_forecast(mean_e6=(1_000_000, 2_000_000, 4_000_000), variance_e6=(1_000_000, 3_000_000, 5_000_000))
    assert forecast_window(forecast, TODAY, 0, 2) == WindowDemand(3.0, 4.0)
    assert forecast_window(forecast, TODAY, 1, 3) == WindowDemand(6.0, 8.0)


def test_the_last_day_of_a_forecast_goes_on_and_the_first_goes_back():
    forecast = a_forecast(mean_e6=(1_000_000, 2_000_000, 4_000_000), variance_e6=(0, 0, 0))
    assert forecast_window(forecast, TODAY, 2, 5).mean == 12
    assert forecast_window(forecast, TODAY, 5, 7).mean == 8
    assert forecast_window(forecast, TODAY - timedelta(days=2), 0, 4).mean == 1 + 1 + 1 + 2
    assert forecast_window(forecast, TODAY - timedelta(days=9), 0, 3).mean == 3


def test_a_window_without_days_has_no_demand():
    assert forecast_window(a_forecast(), TODAY, 3, 3) == NO_DEMAND
    assert forecast_window(a_forecast(), TODAY, 4, 3) == NO_DEMAND
    assert forecast_window(a_forecast(mean_e6=(), variance_e6=()), TODAY, 0, 3) == WindowDemand(0.0, 0.0)


def test_an_unsure_level_adds_variance_with_the_square_of_the_mean():
    # Four days of 2 +- sqrt(3), and a level with a squared coefficient of variation of 1/4: 4 x 3 + 8^2 / 4 = 28.
    forecast = a_forecast(mean_e6=(2_000_000,), variance_e6=(3_000_000,), level_cv2_e6=250_000)
    assert forecast_window(forecast, TODAY, 0, 4) == WindowDemand(8.0, 28.0)


@given(
    daily=st.lists(st.integers(0, 5_000_000), min_size=1, max_size=6).map(tuple),
    first=st.integers(-9, 9),
    middle=st.integers(0, 9),
    more=st.integers(0, 9),
)
def test_a_window_is_the_sum_of_its_parts(daily, first, middle, more):
    forecast = a_forecast(mean_e6=daily, variance_e6=daily)
    whole = forecast_window(forecast, TODAY, first, first + middle + more)
    parts = (
        forecast_window(forecast, TODAY, first, first + middle),
        forecast_window(forecast, TODAY, first + middle, first + middle + more),
    )
    assert whole.mean == pytest.approx(sum(part.mean for part in parts))


@pytest.mark.parametrize(
    ("days", "review_days", "horizon_days"),
    [(5, 7, 5), (1, 7, 1), (1, None, 1), (0, 7, 7), (-3, 7, 4), (-7, 7, 7), (-8, 7, 6), (0, None, 14), (-3, None, 14)],
)
def test_the_horizon_ends_with_the_next_regular_supply_that_is_still_to_come(days, review_days, horizon_days):
    snapshot = a_snapshot(replenishments=(a_replenishment(days=days, review_period_days=review_days),))
    assert DemandView(snapshot, 14).horizon_days(SiteSku("S1", "P1")) == horizon_days


def test_without_regular_supply_the_default_horizon_holds():
    assert DemandView(a_snapshot(replenishments=()), 14).horizon_days(SiteSku("S1", "P1")) == 14


def test_the_demand_of_a_store_is_its_forecast():
    view = DemandView(a_snapshot(forecasts=(a_forecast(daily_units=2.0),)), 14)
    assert view.window(SiteSku("S1", "P1"), 1, 4).mean == 6
    assert view.daily_mean(SiteSku("S1", "P1")) == 2
    assert view.window(SiteSku("S2", "P1"), 0, 4) == NO_DEMAND


def centre_with_two_stores(**fields):
    """S1 is supplied in 3 days and S2 in 7; the centre itself in 10. S2 also has a slower lane from DC2."""
    return DemandView(
        a_snapshot(
            sites=(a_dc("DC1"), a_dc("DC2"), a_site("S1"), a_site("S2")),
            lanes=(
                a_lane("DC1", "S1"),
                a_lane("DC1", "S2"),
                a_lane("DC2", "S2", lead_time_days=2),
                a_lane("S1", "S2", lead_time_days=0),
                a_lane("DC2", "DC1", lead_time_days=0),
            ),
            positions=(a_position("DC1"),),
            forecasts=(a_forecast("S1", daily_units=1.0), a_forecast("S2", daily_units=5.0, dispersion=2.0)),
            replenishments=(
                a_replenishment("S1", days=3),
                a_replenishment("S2", days=7),
                a_replenishment("DC1", days=10),
            ),
            **fields,
        ),
        default_horizon_days=14,
    )


def test_a_centre_expects_what_its_stores_will_draw_between_their_supply_and_its_own():
    # S1 draws on days 3..9 (7 x 1), S2 on days 7..9 (3 x 5): mean 22, variance 7 + 3 x 10 = 37.
    view = centre_with_two_stores()
    assert view.window(SiteSku("DC1", "P1"), 0, 10) == WindowDemand(22.0, 37.0)
    assert view.daily_mean(SiteSku("DC1", "P1")) == pytest.approx(2.2)


def test_a_centre_expects_nothing_while_its_stores_live_on_their_own_stock():
    assert centre_with_two_stores().window(SiteSku("DC1", "P1"), 0, 3) == NO_DEMAND


def test_a_store_draws_on_its_nearest_centre_only():
    assert centre_with_two_stores().window(SiteSku("DC2", "P1"), 0, 10) == NO_DEMAND


def test_of_two_centres_equally_near_the_cheaper_one_serves_the_store():
    snapshot = a_snapshot(
        sites=(a_dc("DC1"), a_site("WH1", kind=SiteKind.WAREHOUSE), a_site("S1")),
        lanes=(a_lane("DC1", "S1", cost_fixed_e4=90_000), a_lane("WH1", "S1", cost_fixed_e4=80_000)),
        positions=(),
        forecasts=(a_forecast("S1"),),
        replenishments=(a_replenishment("S1", days=2),),
    )
    view = DemandView(snapshot, 14)
    assert view.window(SiteSku("WH1", "P1"), 0, 5).mean == 3
    assert view.window(SiteSku("DC1", "P1"), 0, 5).mean == 0


def test_a_centre_with_a_forecast_of_its_own_uses_that():
    view = DemandView(a_snapshot(sites=(a_dc("DC1"),), forecasts=(a_forecast("DC1", daily_units=3.0),)), 14)
    assert view.window(SiteSku("DC1", "P1"), 0, 2).mean == 6


def test_a_forecast_that_began_before_today_is_read_from_today_on():
    forecast = a_forecast(first_on=in_days(-1), mean_e6=(1_000_000, 2_000_000, 3_000_000), variance_e6=(0, 0, 0))
    view = DemandView(a_snapshot(forecasts=(forecast,)), 14)
    assert view.window(SiteSku("S1", "P1"), 0, 2).mean == 5


WINDOWS = st.lists(
    st.tuples(st.floats(0.0, 500), st.sampled_from([0.5, 1.0, 1.005, 1.0100001, 1.3, 5.0, 40.0]), st.integers(-5, 900)),
    min_size=1,
    max_size=12,
)


@given(windows=WINDOWS)
def test_many_windows_at_once_have_the_survival_and_the_sales_of_each(windows):
    mean = np.asarray([mean for mean, _, _ in windows])
    variance = np.asarray([mean * ratio for mean, ratio, _ in windows])
    stock = np.asarray([y for _, _, y in windows])
    each = [WindowDemand(*of) for of in zip(mean.tolist(), variance.tolist(), strict=True)]
    pairs = list(zip(each, stock[:, None], strict=True))
    assert survival_of(mean, variance, stock).tolist() == [survival(d, y)[0] for d, y in pairs]
    assert expected_sales_of(mean, variance, stock).tolist() == [expected_sales(d, y)[0] for d, y in pairs]


def test_windows_and_stock_broadcast():
    mean, variance = np.asarray([[2.0], [0.0], [40.0]]), np.asarray([[2.0], [0.0], [90.0]])
    table = expected_sales_of(mean, variance, STOCK)
    assert table.shape == (3, len(STOCK))
    for row, of in zip(table, zip(mean[:, 0], variance[:, 0], strict=True), strict=True):
        assert row.tolist() == expected_sales(WindowDemand(*map(float, of)), STOCK).tolist()


@given(windows=WINDOWS, probability=st.floats(0.001, 0.9999))
def test_many_quantiles_at_once_are_the_quantiles_of_each(windows, probability):
    mean = np.asarray([mean for mean, _, _ in windows])
    variance = np.asarray([mean * ratio for mean, ratio, _ in windows])
    found = quantiles(mean, variance, probability)
    for y, of in zip(found.tolist(), zip(mean.tolist(), variance.tolist(), strict=True), strict=True):
        assert y == quantile(WindowDemand(*of), probability)
        assert of[0] > 0 or y == 0


def test_each_window_has_a_service_level_of_its_own():
    assert quantiles(2.0, 2.0, np.asarray([0.94, 0.95])).tolist() == [4, 5]
    with pytest.raises(ValueError, match=r"between 0 and 1, not 1\.5"):
        quantiles(2.0, 2.0, np.asarray([0.5, 1.5]))


def all_windows_agree(view, keys, first, end):
    means, variances = view.windows(keys, np.asarray(first), np.asarray(end))
    each = [view.window(*of) for of in zip(keys, first, end, strict=True)]
    assert means.tolist() == [demand.mean for demand in each]
    assert variances.tolist() == [demand.variance for demand in each]


@given(
    dailies=st.lists(
        st.lists(st.integers(0, 5_000_000) | st.integers(10**15, 10**19), max_size=5).map(tuple), min_size=2, max_size=2
    ),
    cv2_e6=st.integers(0, 2_000_000),
    began=st.integers(-8, 8),
    spans=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 40)), min_size=3, max_size=3),
)
def test_many_windows_of_a_network_at_once_are_the_windows_of_each(dailies, cv2_e6, began, spans):
    forecasts = tuple(
        a_forecast(site, first_on=in_days(began), mean_e6=daily, variance_e6=daily[:2], level_cv2_e6=cv2_e6)
        for site, daily in zip(("S1", "S2"), dailies, strict=True)
    )
    view = DemandView(a_snapshot(forecasts=forecasts), 14)
    keys = [SiteSku(site, "P1") for site in ("S2", "S1", "S9")]
    all_windows_agree(view, keys, *zip(*spans, strict=True))


@given(first=st.integers(0, 9), days=st.integers(-1, 20))
def test_centres_among_many_windows_expect_what_their_stores_will_draw(first, days):
    view = centre_with_two_stores()
    keys = [SiteSku(site, sku) for site in ("S2", "DC1", "DC2", "S1", "DC1") for sku in ("P1", "P2")]
    all_windows_agree(view, keys, [first] * len(keys), [first + days] * len(keys))


def test_many_horizons_at_once_are_the_horizons_of_each():
    rows = (a_replenishment("S1", days=-3), a_replenishment("S2", days=-3, review_period_days=None))
    view = DemandView(a_snapshot(replenishments=rows), 14)
    keys = [SiteSku("S2", "P1"), SiteSku("S1", "P1"), SiteSku("S9", "P1")]
    assert view.horizons(keys).tolist() == [14, 4, 14] == [view.horizon_days(key) for key in keys]


def test_a_network_without_forecasts_has_windows_without_demand():
    view = DemandView(a_snapshot(forecasts=()), 14)
    means, variances = view.windows([SiteSku("S1", "P1")], np.asarray([0]), np.asarray([5]))
    assert means.tolist() == variances.tolist() == [0.0]
    assert view.windows([], np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))[0].shape == (0,)
