"""The door of the strategic horizon: what it proposes for a whole network, and that it is the same every time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import ceil, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from tests.builders import a_forecast, a_lane, a_sku
from tests.tools.strategy.stocked import a_region, proposed, rules_for
from tools.demand import DemandView, WindowDemand, expected_sales, quantile
from tools.inventory import Snapshot
from tools.strategy import Aim, Strategy
from tools.targets import DemandClass

MIXED = a_region(
    3,
    ("P1", "P2"),
    forecasts=tuple(
        a_forecast(f"S{n}", sku, daily_units=n * (1.0 if sku == "P1" else 0.1), dispersion=1.6)
        for n in (1, 2, 3)
        for sku in ("P1", "P2")
    ),
)


def test_present_levels_are_the_order_up_to_levels_of_the_levels_in_force() -> None:
    """A store sells 2 a day and has to last 8 days: one on the road and 7 to the next review."""
    found = proposed(a_region(3))
    demand = WindowDemand(16.0, 16.0)
    level = quantile(demand, 0.95)
    assert found.present.order_up_to_units == 3 * level
    assert found.present.safety_stock_units == 3 * (level - 16)
    assert found.present.investment_minor == 3 * level * 400
    short = 16 - float(expected_sales(demand, np.array([level]))[0])
    assert found.present.fill_rate_ppm == pytest.approx((1 - short / 14) * 1e6, abs=1)
    assert (found.site_skus, found.held_minor) == (3, 3 * 10 * 400)


def test_the_cheapest_levels_cost_less_where_lost_sales_are_dear() -> None:
    found = proposed(a_region(3))
    assert found.aim is Aim.CHEAPEST
    assert found.proposed.daily_cost_minor < found.present.daily_cost_minor
    assert 9_850 <= found.proposed.service_level_bp <= 9_920, "6.00 / (6.00 + 7 * 0.01) is 98.8 %"
    (row,) = {row.site_id: row for row in found.rows if row.site_id == "S2"}.values()
    assert (row.demand_class, row.skus, row.present.service_level_bp) == (DemandClass.A, 1, 9_500)


def test_cheap_sales_and_dear_stock_ask_for_less() -> None:
    region = a_region(3)
    found = proposed(region, rules_for(region, lost_unit_e4={"P1": 2_000}))
    assert found.proposed.investment_minor < found.present.investment_minor
    assert all(line.investment_change_minor < 0 for line in found.lines)


def test_levels_by_class_and_site_add_up_to_the_whole() -> None:
    classes = {"P1": DemandClass.A, "P2": DemandClass.C}
    found = proposed(MIXED, rules_for(MIXED, classes=classes))
    assert [(row.demand_class, row.site_id) for row in found.rows] == [
        (each, f"S{n}") for each in (DemandClass.A, DemandClass.C) for n in (1, 2, 3)
    ]
    for name in ("present", "proposed"):
        parts = [getattr(row, name).order_up_to_units for row in found.rows]
        assert sum(parts) == getattr(found, name).order_up_to_units


def test_marginal_analysis_reaches_the_present_fill_rate_for_no_more_and_serves_no_less_for_the_same() -> None:
    skus = (a_sku("P1"), a_sku("P2", unit_cost_e4=900_000))
    region = replace(a_region(3, ("P1", "P2")), skus=skus)
    found = proposed(region)
    assert found.same_fill_minor < found.present.investment_minor, "what costs 90.00 is worth less stock for each sale"
    assert found.same_investment_fill_ppm > found.present.fill_rate_ppm
    goal = proposed(region, fill_rate_ppm=found.present.fill_rate_ppm)
    assert goal.proposed.investment_minor == found.same_fill_minor
    assert goal.aim is Aim.FILL_RATE


def test_a_budget_that_ends_before_the_goal_is_said_to() -> None:
    found = proposed(MIXED, fill_rate_ppm=990_000, budget_minor=10_000)
    assert found.proposed.investment_minor <= 10_000
    assert found.proposed.fill_rate_ppm < 990_000
    assert found.notes == ("The budget ends before the fill rate is reached.",)


def test_a_goal_beyond_the_top_of_the_ladder_ends_there_and_says_so() -> None:
    found = proposed(MIXED, fill_rate_ppm=999_999)
    assert found.proposed.investment_minor == found.curve[-1].investment_minor
    assert "99.99 %" in found.notes[0]


def test_no_money_buys_nothing() -> None:
    found = proposed(MIXED, budget_minor=0)
    assert (found.proposed.order_up_to_units, found.proposed.fill_rate_ppm, found.notes) == (0, 0, ())


def test_only_lines_that_change_are_listed_most_money_first_and_the_rest_is_counted() -> None:
    found = proposed(MIXED, budget_minor=0, lines_max=4)
    money = [abs(line.investment_change_minor) for line in found.lines]
    assert (money, len(money)) == (sorted(money, reverse=True), 4)
    assert found.lines_not_shown == 2
    assert proposed(MIXED, fill_rate_ppm=960_000, lines_max=0).lines == ()


def test_a_scope_that_nobody_asks_for_anything_in_has_no_rows() -> None:
    found = proposed(MIXED, within_sites=())
    assert (found.site_skus, found.curve, found.rows, found.lines, found.echelons.rows) == (0, (), (), (), ())
    assert found.notes == ("Nobody asks for anything here.",)


def stock(found: Strategy) -> tuple[int, int, int]:
    echelons = found.echelons
    return (
        echelons.placed.safety_stock_units,
        echelons.alone.safety_stock_units,
        echelons.unpooled.safety_stock_units,
    )


def test_a_centre_pools_the_risk_of_its_stores() -> None:
    """By hand: the centre covers 21 + 14 days, a store 1 + 7, each store's demand has a variance of 2 a day."""
    z = float(ndtri(0.95))
    found = proposed(a_region(9))
    pooled = z * sqrt(9 * 2 * 35) + 9 * z * sqrt(2 * 8)
    apart = 9 * z * sqrt(2 * 43)
    assert stock(found) == (round(pooled), round(pooled), round(apart))
    assert found.echelons.saving_to_alone_minor == 0
    assert found.echelons.saving_to_unpooled_minor == pytest.approx((apart - pooled) * 1, abs=1), "0.01 for each a day"
    held = {row.site_id: row.skus_held for row in found.echelons.rows}
    assert held["DC1"] == 1
    (line,) = [line for line in found.echelons.lines if line.site_id == "DC1"]
    assert (line.promise_days, line.net_days, line.order_up_to_units) == (0, 35, ceil(9 * 2 * 35 + z * sqrt(630)))


def test_a_centre_with_one_store_lets_it_wait_and_holds_nothing() -> None:
    z = float(ndtri(0.95))
    found = proposed(a_region(1))
    alone, apart = z * sqrt(2 * 35) + z * sqrt(2 * 8), z * sqrt(2 * 43)
    assert stock(found) == (round(apart), round(alone), round(apart))
    assert found.echelons.saving_to_alone_minor > 0
    (line,) = [line for line in found.echelons.lines if line.site_id == "DC1"]
    assert (line.promise_days, line.net_days, line.safety_stock_units) == (35, 0, 0)


def test_a_centres_own_customers_do_not_wait() -> None:
    """They are served off the centre's shelf, whatever it promises its store."""
    own = (a_forecast("S1", daily_units=2), a_forecast("DC1", daily_units=3))
    found = proposed(a_region(1, forecasts=own))
    z = float(ndtri(0.95))
    pooled = z * sqrt(5 * 35) + z * sqrt(2 * 8)
    apart = z * sqrt(3 * 35) + z * sqrt(2 * 43)
    assert pooled < apart
    assert stock(found) == (round(pooled), round(pooled), round(apart))
    assert {(row.site_id, row.skus) for row in found.echelons.rows} == {("DC1", 1), ("S1", 1)}
    assert found.site_skus == 2


def test_a_store_without_a_centre_of_ones_own_stands_by_itself() -> None:
    z = float(ndtri(0.95))
    found = proposed(a_region(9), within_sites=("S1", "S2"))
    assert stock(found) == (round(2 * z * sqrt(16)),) * 3
    assert {row.site_id for row in found.echelons.rows} == {"S1", "S2"}


networks = st.builds(
    lambda stores, lead, means, spread: a_region(
        stores,
        ("P1", "P2"),
        lanes=tuple(a_lane("DC1", f"S{n + 1}", lead_time_days=lead + n) for n in range(stores)),
        forecasts=tuple(
            a_forecast(f"S{n + 1}", sku, means[(n + k) % len(means)], spread, level_cv2_e6=90_000)
            for n in range(stores)
            for k, sku in enumerate(("P1", "P2"))
        ),
    ),
    st.integers(1, 5), st.integers(0, 9), st.lists(st.floats(0.01, 9), min_size=1, max_size=4), st.floats(1, 4),
)  # fmt: skip


@given(networks, st.sampled_from(({}, {"fill_rate_ppm": 970_000}, {"budget_minor": 50_000})))
@settings(max_examples=25, deadline=None)
def test_what_is_proposed_holds_together(network: Snapshot, asked: dict[str, Any]) -> None:
    found = proposed(network, **asked)
    echelons = found.echelons
    assert echelons.saving_to_alone_minor >= 0
    assert echelons.saving_to_unpooled_minor >= 0
    assert found.same_fill_minor <= found.present.investment_minor
    assert found.same_investment_fill_ppm >= found.present.fill_rate_ppm
    assert all(a.fill_rate_ppm <= b.fill_rate_ppm for a, b in pairwise(found.curve))
    if not asked:
        assert found.proposed.daily_cost_minor <= found.present.daily_cost_minor
    if "budget_minor" in asked:
        assert found.proposed.investment_minor <= asked["budget_minor"]
    if "fill_rate_ppm" in asked:
        assert found.proposed.fill_rate_ppm >= asked["fill_rate_ppm"]
    again = proposed(Snapshot.from_document(network.to_document()), **asked)
    assert again.model_dump_json() == found.model_dump_json()


def test_nothing_of_the_snapshot_is_changed() -> None:
    before = MIXED.to_document()
    proposed(MIXED)
    assert DemandView(MIXED, 14).snapshot.to_document() == before
