from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.builders import TODAY, in_days, weekly_sales
from tools.forecast import Pool, completed_sales, forecast_from_history, forecast_network
from tools.inventory import DemandForecast, SalesObservation, SiteSku

HERE = SiteSku("S1", "P1")
VN2 = Path(__file__).parents[2].parent / "shared" / "data" / "vn2"

WEEKS = st.lists(st.integers(0, 50) | st.integers(0, 10**9), min_size=1, max_size=30)
STOCK_OUTS = st.lists(st.integers(0, 60), min_size=1, max_size=8)


def forecast(*units: int, stock_outs: tuple[int, ...] = (), pool: Pool | None = None) -> DemandForecast:
    found = forecast_from_history(HERE, weekly_sales(*units, stock_outs=stock_outs), "week", TODAY, pool=pool)
    assert found is not None
    return found


def weekly_mean(found: DemandForecast) -> float:
    return found.mean_e6[0] * 7 / 1_000_000


def test_even_sales_go_on_as_they_were():
    # 7 a week for 10 weeks. Dispersion: own 0 with 9 degrees of freedom, pool 2 with weight 10: 20 / 19.
    # Variance a day 20/19 = 1.052632. Shape of the level 2 + 10 x 7 / (20/19) = 68.5, its inverse .014599.
    found = forecast(*[7] * 10)
    assert found == DemandForecast("S1", "P1", "ses/smooth", TODAY, (1_000_000,), (1_052_632,), 14_599)


def test_the_latest_weeks_count_most():
    # 15.782969 a week, by hand in test_smoothing; a seventh of it a day.
    assert forecast(10, 10, 10, 20).mean_e6 == (2_254_710,)
    assert forecast(20, 10, 10, 10).mean_e6[0] < 2_254_710


def test_uneven_sales_have_a_variance_to_mean_ratio_of_their_own():
    # 0 and 8 by turns, 20 weeks: mean 4, variance 320/19 = 16.842, ratio 4.2105. With the pool's 2: (80 + 20) / 29.
    found = forecast(*[0, 8] * 10)
    assert found.variance_e6[0] / found.mean_e6[0] == pytest.approx(100 / 29, rel=1e-5)


def test_two_weeks_are_enough_for_a_ratio_that_counts_little():
    # 0 and 8: mean 4, variance 32, ratio 8 with one degree of freedom: (8 + 20) / 11.
    found = forecast(0, 8)
    assert found.variance_e6[0] / found.mean_e6[0] == pytest.approx(28 / 11, rel=1e-5)


def test_the_ratio_of_variance_to_mean_is_at_least_one_and_at_most_a_thousand():
    even = forecast(*[5] * 52)
    assert even.variance_e6 == even.mean_e6
    wild = forecast(*[0, 10**9] * 26)
    assert wild.variance_e6[0] / wild.mean_e6[0] == pytest.approx(1000)


def test_the_level_is_the_surer_the_more_was_sold():
    few, many, long = forecast(*[1] * 8), forecast(*[40] * 8), forecast(*[1] * 16)
    assert many.level_cv2_e6 < few.level_cv2_e6
    assert long.level_cv2_e6 < few.level_cv2_e6


def test_an_old_history_makes_the_level_no_surer_than_the_smoothing_remembers():
    # The smoothing constant .1 remembers (2 - .1) / .1 = 19 weeks: shape 2 + 19 x 5 / 1 = 97.
    assert forecast(*[5] * 52).level_cv2_e6 == 10_309


def test_rare_sales_are_forecast_as_intermittent():
    assert forecast(*[0, 0, 3, 0] * 6).method == "tsb/intermittent"


def test_a_sku_that_stopped_selling_is_forecast_to_sell_hardly_any_more():
    assert weekly_mean(forecast(*[0, 0, 3, 0] * 6, *[0] * 40)) < 0.02 * weekly_mean(forecast(*[0, 0, 3, 0] * 6))


def test_a_sku_in_stock_that_nobody_asked_for_has_a_forecast_of_nothing():
    found = forecast(*[0] * 12)
    assert (found.method, found.mean_e6, found.variance_e6) == ("none", (0,), (0,))


def test_without_history_there_is_no_forecast():
    assert forecast_from_history(HERE, (), "week", TODAY) is None


def test_a_sku_that_was_never_in_stock_and_never_sold_tells_nothing():
    history = weekly_sales(0, 0, 0, 0, 0, stock_outs=(0, 1, 2, 3, 4))
    assert forecast_from_history(HERE, history, "week", TODAY) is None


def test_a_sku_that_was_never_in_stock_here_is_expected_to_sell_as_it_does_elsewhere():
    found = forecast(0, 0, 0, 0, 0, stock_outs=(0, 1, 2, 3, 4), pool=Pool(3.5, 2.0))
    assert (found.method, found.mean_e6) == ("pooled", (500_000,))


def test_a_short_history_leans_on_the_other_sites():
    # One week with 3 sold; 5 a week elsewhere; dispersion 2. Gamma: (2 + 3/2) / (2/5 + 1/2) = 3.8889 a week.
    found = forecast(3, pool=Pool(5.0, 2.0))
    assert (found.method, found.mean_e6) == ("pooled", (555_556,))


def test_a_short_history_without_other_sites_is_taken_at_its_mean():
    assert forecast(3, 4).mean_e6 == (500_000,)
    assert forecast(0, 0).method == "none"
    assert forecast(3, 4, pool=Pool(0.0, 2.0)).mean_e6 == (500_000,)


def test_four_weeks_stand_on_their_own():
    assert forecast(7, 7, 7, 7, pool=Pool(500.0, 2.0)).mean_e6 == (1_000_000,)
    assert forecast(7, 7, 7, pool=Pool(500.0, 2.0)).mean_e6 != (1_000_000,)


def test_a_week_that_is_not_over_is_left_out():
    history = (*weekly_sales(*[7] * 10), SalesObservation("S1", "P1", TODAY, 1))
    assert forecast_from_history(HERE, history, "week", in_days(6)) == replace(forecast(*[7] * 10), first_on=in_days(6))
    later = forecast_from_history(HERE, history, "week", in_days(7))
    assert later is not None
    assert weekly_mean(later) < 7


def test_sales_from_the_future_are_left_out():
    history = (*weekly_sales(*[7] * 10), SalesObservation("S1", "P1", in_days(70), 900))
    assert forecast_from_history(HERE, history, "week", TODAY) == forecast(*[7] * 10)


def test_a_week_without_a_row_sold_nothing():
    history = [row for row in weekly_sales(5, 0, 5, 0, 0, 5) if row.units]
    assert forecast_from_history(HERE, history, "week", TODAY) == forecast(5, 0, 5, 0, 0, 5)


def test_weeks_without_rows_at_the_end_sold_nothing_when_the_history_covers_them():
    history = weekly_sales(5, 5, 5, 5, 0, 0)[:4]
    last_covered = TODAY - timedelta(weeks=1)
    covered = forecast_from_history(HERE, history, "week", TODAY, covered_until=last_covered)
    assert covered == forecast(5, 5, 5, 5, 0, 0)
    assert forecast_from_history(HERE, history, "week", TODAY) == forecast(5, 5, 5, 5)


def test_a_week_that_is_not_over_is_not_covered():
    history = weekly_sales(5, 5, 5, 5)
    assert forecast_from_history(HERE, history, "week", TODAY, covered_until=TODAY) == forecast(5, 5, 5, 5)


def test_rows_in_one_week_add_up():
    monday = TODAY - timedelta(weeks=1)
    more = (SalesObservation("S1", "P1", monday + timedelta(days=0), 2), SalesObservation("S1", "P1", monday, 3))
    assert forecast_from_history(HERE, (*weekly_sales(5, 5, 5, 0), *more), "week", TODAY) == forecast(5, 5, 5, 5)


def test_what_was_sold_more_than_two_years_ago_is_forgotten():
    assert forecast(*[900] * 10, *[7] * 104) == forecast(*[7] * 104)


def test_negative_sales_are_refused_with_their_place():
    with pytest.raises(ValueError, match="S1/P1 sold -2 units on 2026-02-23"):
        forecast(3, -2)


def test_days_are_periods_of_their_own():
    # 30 days of 3: dispersion (29 x 0 + 10 x 2) / 39 and thus 1. Shape 2 + 30 x 3 = 92.
    history = [SalesObservation("S1", "P1", in_days(-day), 3) for day in range(1, 31)]
    found = forecast_from_history(HERE, history, "day", TODAY)
    assert found == DemandForecast("S1", "P1", "ses/smooth", TODAY, (3_000_000,), (3_000_000,), 10_870)


def test_four_weeks_of_days_stand_on_their_own():
    history = [SalesObservation("S1", "P1", in_days(-day), 3) for day in range(1, 29)]
    long = forecast_from_history(HERE, history, "day", TODAY, pool=Pool(50.0, 2.0))
    short = forecast_from_history(HERE, history[1:], "day", TODAY, pool=Pool(50.0, 2.0))
    assert long is not None
    assert short is not None
    assert (long.method, long.mean_e6) == ("ses/smooth", (3_000_000,))
    assert short.method == "pooled"


def test_days_of_more_than_two_years_ago_are_forgotten():
    history = [SalesObservation("S1", "P1", in_days(-day), 900 if day == 729 else 3) for day in range(1, 730)]
    without = forecast_from_history(HERE, history[:-1], "day", TODAY)
    assert forecast_from_history(HERE, history, "day", TODAY) == without


def test_today_is_not_over():
    history = [SalesObservation("S1", "P1", in_days(-day), 3) for day in range(31)]
    assert forecast_from_history(HERE, history, "day", TODAY) == forecast_from_history(HERE, history[1:], "day", TODAY)


def test_a_stock_out_week_does_not_lower_the_forecast():
    assert forecast(6, 6, 6, 6, 6, 0, stock_outs=(5,)).mean_e6 == forecast(6, 6, 6, 6, 6).mean_e6
    assert forecast(6, 6, 6, 6, 6, 0).mean_e6 < forecast(6, 6, 6, 6, 6).mean_e6


def test_a_stock_out_week_that_sold_much_raises_the_forecast():
    assert weekly_mean(forecast(6, 6, 6, 6, 6, 9, stock_outs=(5,))) > weekly_mean(forecast(6, 6, 6, 6, 6, 9))


def test_a_stock_out_week_is_completed_to_what_demand_must_have_been():
    # Dispersion 1 is Poisson, where E[D | D >= 1] = m / (1 - e^-m). 40 weeks of 1 and a last one of at least 1, which
    # weighs .1 + .9^81 = .1001966 back and forth. Completed at the level 1: 1.58198, so the level is 1.058312;
    # then 1.62079 and 1.062201, then 1.62340 and 1.062463.
    assert weekly_mean(forecast(*[1] * 41, stock_outs=(40,), pool=Pool(None, 1.0))) == pytest.approx(1.06246, abs=1e-5)


def test_weeks_that_were_all_stock_outs_but_sold_are_not_forecast_to_sell_nothing():
    found = forecast(2, 0, 3, 0, 0, stock_outs=(0, 1, 2, 3, 4))
    assert weekly_mean(found) > 2


def test_a_sale_far_beyond_anything_seen_is_completed_within_reason():
    found = weekly_mean(forecast(*[1] * 20, 10**9, stock_outs=(20,)))
    assert 0.1 * 10**9 < found < 10**9


@given(
    mean=st.floats(0.05, 60),
    dispersion=st.sampled_from([1.0, 1.5, 4.0, 20.0]),
    sold=st.lists(st.integers(1, 80), min_size=1, max_size=5),
)
def test_completed_sales_are_the_mean_of_the_demand_that_sells_so_many(mean, dispersion, sold):
    units = np.arange(0, 6_000)
    demand = stats.poisson(mean) if dispersion == 1 else stats.nbinom(mean / (dispersion - 1), 1 / dispersion)
    chances = demand.pmf(units)
    expected = [(units * chances)[least:].sum() / chances[least:].sum() for least in sold]
    found = completed_sales(np.asarray(sold, dtype=float), mean, dispersion)
    possible = np.asarray([chances[least:].sum() > 1e-200 for least in sold])
    np.testing.assert_allclose(found[possible], np.asarray(expected)[possible], rtol=1e-6)


def test_sales_that_no_demand_explains_are_left_as_they_are():
    np.testing.assert_array_equal(completed_sales(np.asarray([10.0**9]), 4.0, 3.0), [10.0**9])


@given(units=WEEKS, sold=STOCK_OUTS)
def test_added_stock_out_weeks_never_lower_the_forecast(units, sold):
    without = forecast(*units)
    positions = tuple(range(len(units), len(units) + len(sold)))
    assert forecast(*units, *sold, stock_outs=positions).mean_e6 >= without.mean_e6


@given(units=WEEKS, data=st.data())
def test_to_learn_that_a_week_was_a_stock_out_never_lowers_the_forecast(units, data):
    weeks = data.draw(st.sets(st.integers(0, len(units) - 1), min_size=1))
    history = weekly_sales(*units, stock_outs=tuple(weeks))
    learned = forecast_from_history(HERE, history, "week", TODAY)
    if learned is None:
        assert not any(units)
    else:
        assert learned.mean_e6 >= forecast(*units).mean_e6


@given(units=WEEKS, grain=st.sampled_from(["day", "week"]), data=st.data())
def test_a_forecast_is_always_a_possible_one(units, grain, data):
    weeks = data.draw(st.sets(st.integers(0, len(units) - 1)))
    found = forecast_from_history(HERE, weekly_sales(*units, stock_outs=tuple(weeks)), grain, TODAY)
    if found is not None:
        assert 0 <= found.mean_e6[0] <= 2 * 10**15
        assert found.mean_e6[0] <= found.variance_e6[0] <= 1001 * found.mean_e6[0]
        assert 0 <= found.level_cv2_e6 <= 500_000


SALES = st.builds(
    SalesObservation,
    site_id=st.sampled_from(["S1", "S2"]),
    sku_id=st.sampled_from(["P1", "P2"]),
    on=st.dates(TODAY - timedelta(days=90), TODAY),
    units=st.integers(0, 40),
    in_stock=st.booleans(),
)


@given(history=st.lists(SALES, max_size=40), grain=st.sampled_from(["day", "week"]), data=st.data())
def test_the_order_of_the_history_does_not_matter(history, grain, data):
    found = forecast_network(history, grain, TODAY)
    assert forecast_network(data.draw(st.permutations(history)), grain, TODAY) == found
    assert [row.key for row in found] == sorted(row.key for row in found)


def test_a_network_forecast_is_that_of_its_series_with_the_networks_dispersion():
    # Ratios 4.2105 (variance 16.842, mean 4) and 0, each with 19 degrees of freedom: the network's is 2.1053.
    uneven, even = weekly_sales(*[0, 8] * 10), weekly_sales(*[5] * 20, site_id="S2", sku_id="P2")
    found = forecast_network((*even, *uneven), "week", TODAY)
    alone = forecast_from_history(HERE, uneven, "week", TODAY, pool=Pool(None, 320 / 19 / 4 / 2))
    assert [row.key for row in found] == [("S1", "P1"), ("S2", "P2")]
    assert found[0] == alone


def test_a_site_with_few_weeks_sells_at_first_what_the_others_sell():
    history = (
        *weekly_sales(*[6] * 20, site_id="S1"),
        *weekly_sales(*[8] * 4, site_id="S2"),
        *weekly_sales(*[50] * 20, site_id="S2", sku_id="P2"),
        *weekly_sales(0, site_id="S3", stock_outs=(0,)),
    )
    found = {row.key: row for row in forecast_network(history, "week", TODAY)}
    assert found[SiteSku("S3", "P1")].method == "pooled"
    assert weekly_mean(found[SiteSku("S3", "P1")]) == pytest.approx(7.0, abs=1e-4)


def test_a_sku_with_few_weeks_everywhere_is_taken_at_its_own_mean():
    history = (*weekly_sales(3, 4), *weekly_sales(0, sku_id="P2", stock_outs=(0,)))
    found = forecast_network(history, "week", TODAY)
    assert [(row.sku_id, row.mean_e6) for row in found] == [("P1", (500_000,))]


def test_a_site_that_reported_a_week_reported_all_its_skus():
    sells, stopped = weekly_sales(*[4] * 10), weekly_sales(*[4] * 10, sku_id="P2")[:5]
    elsewhere = weekly_sales(*[4] * 10, site_id="S2", sku_id="P2")[:5]
    found = {row.key: weekly_mean(row) for row in forecast_network((*sells, *stopped, *elsewhere), "week", TODAY)}
    assert found[SiteSku("S1", "P2")] < 0.75 * found[SiteSku("S2", "P2")]


def test_a_network_without_history_has_no_forecasts():
    assert forecast_network((), "week", TODAY) == ()
    assert forecast_network(weekly_sales(3, until=in_days(7)), "week", TODAY) == ()


@pytest.mark.shared
@pytest.mark.skipif(not VN2.is_dir(), reason="the real networks are not beside the project")
def test_forecasts_of_a_real_network_add_up_to_what_it_sold():
    with (VN2 / "sales.csv").open(encoding="utf-8", newline="") as file:
        history = [
            SalesObservation(
                row["site_id"],
                row["sku_id"],
                date.fromisoformat(row["date"]),
                int(row["units"]),
                row["in_stock"] == "1",
            )
            for row in csv.DictReader(file)
        ]
    as_of = max(row.on for row in history) + timedelta(weeks=1)
    found = forecast_network(history, "week", as_of)
    sold: defaultdict[SiteSku, int] = defaultdict(int)
    for row in history:
        if row.on >= as_of - timedelta(weeks=26):
            sold[SiteSku(row.site_id, row.sku_id)] += row.units
    assert len(found) == 599
    assert {row.method.partition("/")[0] for row in found} == {"ses", "tsb"}
    total = sum(weekly_mean(row) for row in found)
    assert total == pytest.approx(sum(sold.values()) / 26, rel=0.25)
