"""Plans that were worked out by hand.

On the needy network a unit that reaches S2 is sold for certain and saves the lost sale
(6.00); at S1 it would have been left over (0.08). So a unit moved is worth 6.08, and
the departure costs 5.00.
"""

from __future__ import annotations

import pytest

from tests.builders import (
    a_forecast,
    a_lane,
    a_needy_network,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
    a_supply,
    in_days,
    limits_for,
)
from tools.inventory import SiteSku, Snapshot, SupplyKind
from tools.planning import Limits, make_plan, solve
from tools.transfers import PlanRequest, SolveStatus, TransferPlan


def plan_of(snapshot: Snapshot, limits: Limits | None = None, request: PlanRequest | None = None) -> TransferPlan:
    limits, request = limits or limits_for(), request or PlanRequest()
    return make_plan(snapshot, limits, request, solve(snapshot, limits, request, gap_ppm=0))


def units(plan: TransferPlan) -> dict[tuple[str, str], int]:
    return {(line.origin, line.destination): line.units for line in plan.lines}


def test_everything_that_is_sold_for_certain_is_moved() -> None:
    plan = plan_of(a_needy_network())
    # 100 units x 6.08 - 5.00 for the departure.
    assert (plan.units, plan.saving_minor, plan.fixed_cost_minor) == (100, 60_300, 500)
    assert plan.solver.status is SolveStatus.OPTIMAL


def test_freight_and_line_charge_are_paid_out_of_the_saving() -> None:
    # A unit costs 0.30 and its litre 0.20 to move, the line 0.50: 100 x (6.08 - 0.50) - 0.50 - 5.00.
    lane = a_lane(cost_per_unit_e4=3_000, cost_per_litre_e4=2_000)
    plan = plan_of(a_needy_network(lanes=(lane,)), limits_for(line_charge_minor=50))
    assert plan.saving_minor == 55_800 - 50 - 500
    assert plan.move_cost_minor == 5_050


@pytest.mark.parametrize(("fixed_cost_e4", "moved"), [(6_079_900, 100), (6_080_100, 0)])
def test_a_departure_is_used_up_to_the_cost_that_its_load_earns(fixed_cost_e4: int, moved: int) -> None:
    # 100 units earn 608.00.
    assert plan_of(a_needy_network(lanes=(a_lane(cost_fixed_e4=fixed_cost_e4),))).units == moved


@pytest.mark.parametrize(("hurdle_minor", "moved"), [(60_299, 100), (60_301, 0)])
def test_a_departure_must_clear_its_hurdle_and_does_not_pay_it(hurdle_minor: int, moved: int) -> None:
    plan = plan_of(a_needy_network(), limits_for(lane_hurdle_minor=hurdle_minor))
    assert plan.units == moved
    assert plan.saving_minor == (60_300 if moved else 0)


def test_only_whole_packs_travel() -> None:
    # Packs of 12: eight of them are 96 of the 100 units.
    plan = plan_of(a_needy_network(skus=(a_sku(pack_size=12),)))
    assert (plan.units, plan.lines[0].packs) == (96, 8)


def test_a_line_below_its_least_quantity_does_not_travel() -> None:
    little = (a_position("S1", on_hand_units=9), a_position("S2", on_hand_units=0))
    assert plan_of(a_needy_network(positions=little)).units == 9
    assert plan_of(a_needy_network(positions=little, skus=(a_sku(min_transfer_units=10),))).units == 0


def test_a_van_carries_no_more_than_its_capacity() -> None:
    # A unit takes a litre.
    assert plan_of(a_needy_network(lanes=(a_lane(capacity_microlitres_per_departure=40_500_000),))).units == 40


def test_a_receiver_handles_no_more_in_a_day_than_it_can_beside_its_other_deliveries() -> None:
    sites = (a_site("S1"), a_site("S2", inbound_units_per_day=60))
    assert plan_of(a_needy_network(sites=sites)).units == 60
    # The van arrives tomorrow, as do 25 units on order.
    assert plan_of(a_needy_network(sites=sites, supply=(a_supply("S2", units=25, days=1),))).units == 35


def test_a_sender_hands_out_no_more_in_a_day_than_it_can() -> None:
    assert plan_of(a_needy_network(sites=(a_site("S1", outbound_units_per_day=30), a_site("S2")))).units == 30


def test_goods_must_fit_into_the_receivers_storage_beside_what_is_there_and_on_its_way() -> None:
    sites = (a_site("S1"), a_site("S2", storage_capacity_microlitres=50_000_000))
    assert plan_of(a_needy_network(sites=sites)).units == 50
    assert plan_of(a_needy_network(sites=sites, supply=(a_supply("S2", units=20, days=30),))).units == 30


def test_a_donor_keeps_what_policy_protects() -> None:
    assert plan_of(a_needy_network(), limits_for(protected_units={SiteSku("S1", "P1"): 70})).units == 30


def test_of_two_needy_receivers_the_one_that_earns_more_gets_the_only_pack() -> None:
    # S3 loses the same sale as S2, but its lane costs 1.00 a unit more.
    snapshot = a_needy_network(
        sites=(a_site("S1"), a_site("S2"), a_site("S3")),
        positions=(a_position("S1", on_hand_units=1), a_position("S2", on_hand_units=0), a_position("S3", on_hand_units=0)),
        forecasts=(
            a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=100), a_forecast("S3", daily_units=100),
        ),
        lanes=(a_lane("S1", "S2", cost_fixed_e4=0), a_lane("S1", "S3", cost_fixed_e4=0, cost_per_unit_e4=10_000)),
    )  # fmt: skip
    assert units(plan_of(snapshot)) == {("S1", "S2"): 1}


def test_units_in_transit_to_a_receiver_count_as_its_own() -> None:
    # S2 needs 300 units at the very most before its supply on day 3; 400 are on their way already.
    needs = {
        "forecasts": (a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=50)),
        "replenishments": (a_replenishment("S1", days=7), a_replenishment("S2", days=3)),
    }
    assert plan_of(a_needy_network(**needs)).units == 100
    coming = (a_supply("S2", units=400, days=1, kind=SupplyKind.TRANSFER),)
    assert plan_of(a_needy_network(**needs, supply=coming)).units == 0


def test_what_arrives_with_the_regular_supply_or_after_it_is_not_moved() -> None:
    supplied = (a_replenishment("S1", days=7), a_replenishment("S2", days=2))
    assert plan_of(a_needy_network(replenishments=supplied)).units == 100
    assert plan_of(a_needy_network(replenishments=supplied, lanes=(a_lane(lead_time_days=2),))).units == 0


def test_a_receivers_demand_beyond_its_next_chance_to_be_helped_does_not_count() -> None:
    # A unit a day, at S2 from tomorrow on; the next decision can help from day 1 + 3 on, so at most some five units pay.
    calm = {
        "forecasts": (a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=1)),
        "replenishments": (a_replenishment("S1", days=28), a_replenishment("S2", days=28)),
        "lanes": (a_lane(cost_fixed_e4=0, cost_per_unit_e4=5_000),),
    }
    soon = plan_of(a_needy_network(**calm), limits_for(review_interval_days=3)).units
    late = plan_of(a_needy_network(**calm), limits_for(review_interval_days=20)).units
    assert 3 <= soon <= 9
    assert late > 2 * soon


def test_a_donors_demand_counts_until_its_regular_supply() -> None:
    # S1 sells 2 a day. With supply in 3 days it hardly risks anything; in 45 days it sells 90 of its 100 units itself,
    # and sends only what is less sure to be sold there than at S2.
    def sent(days: int) -> int:
        return plan_of(
            a_needy_network(
                forecasts=(a_forecast("S1", daily_units=2), a_forecast("S2", daily_units=100)),
                replenishments=(a_replenishment("S1", days=days), a_replenishment("S2", days=7)),
            )
        ).units

    assert sent(3) > 85
    assert sent(45) < 75


def test_the_slower_of_two_lanes_is_charged_for_the_sales_that_come_before_it() -> None:
    # The truck is 2.00 cheaper for the departure and takes 5 of the 6 days in which S2 still sells 1.2 units a day.
    fast, slow = a_lane(mode="van"), a_lane(mode="truck", lead_time_days=5, cost_fixed_e4=30_000)
    snapshot = a_needy_network(
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=1.2)), lanes=(fast, slow)
    )
    plan = plan_of(snapshot)
    assert {line.mode for line in plan.lines} == {"van"}
    # Alone, the truck is still worth it.
    assert plan_of(a_needy_network(forecasts=snapshot.forecasts, lanes=(slow,))).units > 0


def test_a_lane_departs_on_its_weekdays_and_after_the_approval() -> None:
    # Today is Monday; the lane departs on Wednesdays and Fridays.
    lane = a_lane(departure_weekdays=(3, 5))
    line = plan_of(a_needy_network(lanes=(lane,))).lines[0]
    assert (line.depart_on, line.arrive_on) == (in_days(2), in_days(3))
    late = plan_of(a_needy_network(lanes=(lane,)), limits_for(approval_latency_days=3)).lines[0]
    assert (late.depart_on, late.arrive_on) == (in_days(4), in_days(5))


def test_a_site_never_sends_and_receives_the_same_sku_in_one_plan() -> None:
    # S1 -> S2 -> S3 would pay twice if S2 could pass on what it gets; there is no lane S1 -> S3.
    snapshot = a_needy_network(
        sites=(a_site("S1"), a_site("S2"), a_site("S3")),
        positions=(a_position("S1", on_hand_units=100), a_position("S2", on_hand_units=10), a_position("S3", on_hand_units=0)),
        forecasts=(
            a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=3), a_forecast("S3", daily_units=100),
        ),
        lanes=(a_lane("S1", "S2", cost_fixed_e4=0), a_lane("S2", "S3", cost_fixed_e4=0)),
    )  # fmt: skip
    plan = plan_of(snapshot)
    assert plan.lines
    assert not {line.origin for line in plan.lines} & {line.destination for line in plan.lines}


def test_the_fill_rate_tells_what_is_served_without_the_plan_and_with_it() -> None:
    plan = plan_of(a_needy_network())
    # Of 700 units wanted at S2 in 7 days none are served, then 100.
    assert plan.fill_rate.before_ppm == 0
    assert plan.fill_rate.after_ppm == pytest.approx(100 / 700 * 1e6, abs=1)
    idle = plan_of(a_needy_network(forecasts=()))
    assert (idle.fill_rate.before_ppm, idle.fill_rate.after_ppm) == (1_000_000, 1_000_000)
