"""What the strategic horizon reads off a network: demand, lead times, review periods, costs, and whose it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.builders import (
    a_forecast,
    a_lane,
    a_position,
    a_replenishment,
    a_sku,
    a_supply,
    in_days,
)
from tests.tools.strategy.stocked import a_region, rules_for
from tools.demand import DemandView
from tools.inventory import DemandForecast, Snapshot, SupplyKind
from tools.strategy import StrategyRequest
from tools.strategy.site_skus import SiteSkus, Supply, site_skus
from tools.targets import DemandClass


def rows_of(snapshot: Snapshot, *, stated: int | None = None, **asked: Any) -> SiteSkus:
    rules = rules_for(snapshot)
    supply = Supply(snapshot, rules.supply_days, stated)
    return site_skus(DemandView(snapshot, 14), supply, rules, StrategyRequest(**asked))


def test_a_store_draws_from_its_nearest_centre() -> None:
    found = rows_of(a_region(2, lanes=(a_lane("DC1", "S1", lead_time_days=3), a_lane("DC1", "S2", "truck", lead_time_days=2), a_lane("DC1", "S2", lead_time_days=4), a_lane("S2", "S1", lead_time_days=0))))  # fmt: skip
    assert found.keys == (("S1", "P1"), ("S2", "P1"))
    assert found.lead_days.tolist() == [3, 2]
    assert found.protection_days.tolist() == [10, 9]
    assert [found.site_ids[centre] for centre in found.supplier] == ["DC1", "DC1"]


def test_a_sku_that_the_centre_does_not_carry_comes_from_outside() -> None:
    found = rows_of(a_region(1, skus=("P1", "P2"), positions=(a_position("DC1", "P1"),), replenishments=()))
    assert found.supplier.tolist() == [found.site_ids.index("DC1"), -1]
    assert found.lead_days.tolist() == [1, 14]


def test_supply_from_outside_takes_as_long_as_the_furthest_order_under_way() -> None:
    orders = (a_supply("S1", "P1", 5, 9), a_supply("S1", "P2", 5, 17, reference="PO-2"), a_supply("S1", "P1", 5, 40, kind=SupplyKind.TRANSFER, reference="T-1"))  # fmt: skip
    assert rows_of(a_region(1, ("P1", "P2"), lanes=(), supply=orders), skus=("P1",)).lead_days.tolist() == [17]


def test_without_an_order_it_takes_as_long_as_the_furthest_regular_arrival_and_else_as_policy_says() -> None:
    arrivals = (a_replenishment("S1", "P1", 5), a_replenishment("S1", "P2", 12))
    assert rows_of(
        a_region(1, ("P1", "P2"), lanes=(), supply=(), replenishments=arrivals), skus=("P2",)
    ).lead_days.tolist() == [12]
    late = (a_replenishment("S1", "P1", -3),)
    assert rows_of(a_region(1, lanes=(), supply=(), replenishments=late)).lead_days.tolist() == [14]
    assert rows_of(a_region(1, lanes=(), supply=(), replenishments=()), stated=30).lead_days.tolist() == [30]


def test_a_review_period_that_is_not_known_is_that_of_policy() -> None:
    rows = (a_replenishment("S1", review_period_days=None), a_replenishment("S2", review_period_days=4))
    assert rows_of(a_region(3, replenishments=rows)).review_days.tolist() == [7, 4, 7]


def test_demand_is_the_mean_of_the_horizon_and_its_level_is_as_uncertain_as_the_forecast_says() -> None:
    rising = DemandForecast("S1", "P1", "given", in_days(0), (1_000_000, 3_000_000), (2_000_000, 2_000_000), 40_000)
    found = rows_of(a_region(1, forecasts=(rising,)), horizon_days=10)
    assert found.daily_mean[0] == pytest.approx(2.8), "one day of 1 and nine of 3"
    assert found.daily_variance[0] == pytest.approx(2.0)
    assert found.mean[0] == pytest.approx(2.8 * 8)
    assert found.variance[0] == pytest.approx(2 * 8 + 0.04 * (2.8 * 8) ** 2)


def test_what_nobody_asks_for_is_left_out() -> None:
    forecasts = (a_forecast("S1", daily_units=0), a_forecast("S2"), a_forecast("S3"))
    assert [key.site_id for key in rows_of(a_region(3, forecasts=forecasts)).keys] == ["S2", "S3"]


def test_stock_on_hand_and_on_the_way_is_held() -> None:
    region = a_region(1, positions=(a_position("DC1"), a_position("S1", on_hand_units=9, reserved_units=4)), supply=(a_supply("S1", units=6), a_supply("S1", units=2, reference="PO-2")))  # fmt: skip
    assert rows_of(region).held_units.tolist() == [5 + 6 + 2]


def test_costs_and_levels_are_those_of_policy_and_of_the_sku() -> None:
    region = a_region(1, skus=("P1", "P2"))
    rules = rules_for(
        region, classes={"P1": DemandClass.C, "P2": DemandClass.A}, level_bp={DemandClass.A: 9_800, DemandClass.B: 9_500, DemandClass.C: 9_000},
    )  # fmt: skip
    found = site_skus(DemandView(region, 14), Supply(region, 14, None), rules, StrategyRequest())
    assert found.level_bp.tolist() == [9_000, 9_800]
    assert found.cost_e4.tolist() == [40_000, 40_000]
    assert found.lost_e4.tolist() == [60_000, 60_000]
    assert found.daily_holding_e4.tolist() == [100, 100]


@pytest.mark.parametrize(
    ("asked", "sites"),
    [
        ({}, ["S1", "S2", "S3"]),
        ({"sites": ("S2",)}, ["S2"]),
        ({"sites": ("DC1",)}, ["S1", "S2", "S3"]),
        ({"within_sites": ("S1", "S3")}, ["S1", "S3"]),
        ({"within_sites": ()}, []),
        ({"sites": ("DC1",), "within_sites": ("S1",)}, ["S1"]),
        ({"skus": ("P9",)}, []),
        ({"categories": ("tea",)}, []),
    ],
)
def test_a_request_is_about_the_sites_that_it_names_and_a_centre_stands_for_its_stores(
    asked: dict[str, Any], sites: list[str]
) -> None:
    assert [key.site_id for key in rows_of(a_region(3), **asked).keys] == sites


def test_skus_can_be_asked_for_by_id_and_by_category() -> None:
    shelf = replace(a_region(1, ("P1", "P2", "P3")), skus=(a_sku("P1", category="tea"), a_sku("P2"), a_sku("P3", category="tea")))  # fmt: skip
    assert [key.sku_id for key in rows_of(shelf, skus=("P2", "P3")).keys] == ["P2", "P3"]
    assert [key.sku_id for key in rows_of(shelf, categories=("tea",)).keys] == ["P1", "P3"]
    assert [key.sku_id for key in rows_of(shelf, skus=("P2", "P3"), categories=("tea",)).keys] == ["P3"]


def test_a_centre_outside_the_callers_sites_is_no_supplier_but_its_lane_takes_as_long() -> None:
    found = rows_of(a_region(1), within_sites=("S1",))
    assert (found.supplier.tolist(), found.lead_days.tolist()) == ([-1], [1])


def test_what_costs_nothing_is_priced_as_next_to_nothing_so_that_money_can_be_divided_by() -> None:
    assert rows_of(replace(a_region(1), skus=(a_sku(unit_cost_e4=0),))).cost_e4.tolist() == [1]
