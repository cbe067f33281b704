from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.builders import (
    a_forecast,
    a_lane,
    a_move,
    a_needy_network,
    a_position,
    a_site,
    a_sku,
    a_supply,
    in_days,
    limits_for,
)
from tests.tools.planning.random_networks import brute_force, random_case
from tools.demand import WindowDemand, expected_sales
from tools.inventory import LaneKey
from tools.planning import evaluate
from tools.planning.calendar import DepartureKey
from tools.planning.evaluate import lost_sales
from tools.transfers import PlanRequest
from tools.whatif import assumed

REQUEST = PlanRequest()


def value_of(*moves, snapshot=None, limits=None):
    return evaluate(snapshot or a_needy_network(), limits or limits_for(), REQUEST, moves)


@given(
    mean=st.floats(0.01, 3_000), dispersion=st.sampled_from([1.0, 1.005, 1.3, 2.0, 8.0, 60.0]), y=st.integers(-5, 4_000)
)
def test_lost_sales_are_those_of_the_poisson_or_the_negative_binomial(mean, dispersion, y):
    demand = WindowDemand(mean, mean * dispersion)
    law = stats.poisson(mean) if dispersion <= 1.01 else stats.nbinom(mean / (dispersion - 1), 1 / dispersion)
    points = np.arange(max(y, 0), int(law.isf(1e-15)) + 2)
    expected = float(law.sf(points).sum()) if y >= 0 else mean - y
    assert lost_sales(demand).at(y) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@given(mean=st.floats(0.01, 50_000), dispersion=st.sampled_from([1.0, 1.5, 4.0, 40.0]), sds=st.floats(-14, 14))
def test_lost_sales_and_expected_sales_make_up_the_demand(mean, dispersion, sds):
    demand = WindowDemand(mean, mean * dispersion)
    y = max(0, round(mean + sds * demand.variance**0.5))
    sold = float(expected_sales(demand, np.asarray([y]))[0])
    assert lost_sales(demand).at(y) + sold == pytest.approx(mean, rel=1e-9, abs=1e-9)


def test_without_demand_only_what_is_owed_already_is_lost():
    assert (lost_sales(WindowDemand(0.0, 0.0)).at(5), lost_sales(WindowDemand(0.0, 0.0)).at(-2)) == (0.0, 2.0)


def test_moves_are_worth_what_they_are_by_hand():
    # Five units at 0.10 freight. S2 sells them: 5 x 6.00. S1 keeps five fewer for ever: 5 x 0.08. Freight 0.50, the line
    # itself 0.30: a saving of 29.60 before and 24.60 after the departure at 5.00. Hurdles of 1.00 and 2.00 count for the
    # solver only.
    limits = limits_for(line_charge_minor=30, line_hurdle_minor=100, lane_hurdle_minor=200)
    found = value_of(a_move(5), snapshot=a_needy_network(lanes=(a_lane(cost_per_unit_e4=1_000),)), limits=limits)
    assert found.moves[0].saving == pytest.approx(2_960)
    assert found.moves[0].move_cost == pytest.approx(80)
    assert found.fixed_costs == {DepartureKey(LaneKey("S1", "S2", "van"), in_days(0)): 500}
    assert found.saving == pytest.approx(2_460)
    assert found.objective == pytest.approx(-2_460 + 300)
    assert found.breaches == ()


def test_no_moves_are_worth_nothing():
    found = value_of()
    assert (found.saving, found.objective, found.whole_horizon_saving, found.moves) == (0, 0, 0, ())


def test_freight_by_the_litre_is_counted():
    snapshot = a_needy_network(skus=(a_sku(unit_volume_microlitres=250_000),), lanes=(a_lane(cost_per_litre_e4=2_000),))
    assert value_of(a_move(8), snapshot=snapshot).moves[0].move_cost == pytest.approx(40)


def test_two_lines_on_one_departure_pay_for_it_once():
    snapshot = a_needy_network(
        skus=(a_sku("P1"), a_sku("P2")),
        positions=[a_position("S1", sku, 100) for sku in ("P1", "P2")],
        forecasts=[a_forecast("S2", sku, 100) for sku in ("P1", "P2")],
    )
    found = value_of(a_move(5), a_move(5, sku_id="P2"), snapshot=snapshot, limits=limits_for("P1", "P2"))
    assert found.saving == pytest.approx(2 * 3_040 - 500)


def test_the_whole_horizon_counts_demand_after_the_next_chance_too():
    # Nothing is asked for before day 3; decisions come every day. The plan sees no gain, the whole horizon sees 5 x 6.00.
    later = a_forecast("S2", mean_e6=(0, 0, 0, 100_000_000), variance_e6=(0, 0, 0, 100_000_000))
    snapshot = a_needy_network(forecasts=(a_forecast("S1", daily_units=0), later))
    found = value_of(a_move(5), snapshot=snapshot, limits=limits_for(review_interval_days=1))
    assert found.moves[0].saving == pytest.approx(0)
    assert found.whole_horizon_saving == pytest.approx(3_040 - 500)


def test_units_that_arrive_with_the_regular_supply_help_nobody():
    snapshot = a_needy_network(lanes=(a_lane(lead_time_days=7),))
    found = value_of(a_move(5), snapshot=snapshot)
    # They are left over at S2 instead of S1: 5 x 0.08 on both sides.
    assert found.moves[0].saving == pytest.approx(0)
    assert found.whole_horizon_saving == pytest.approx(-500)


def test_a_move_to_where_plenty_is_on_its_way_is_a_loss():
    snapshot = a_needy_network(supply=(a_supply("S2", units=10_000, days=2),))
    assert value_of(a_move(5), snapshot=snapshot).moves[0].saving == pytest.approx(0)
    assert value_of(a_move(5), snapshot=snapshot).saving == pytest.approx(-500)


def test_the_second_of_two_lines_into_a_site_is_worth_less():
    # 0.1 a day: a first unit sells with 0.451188, a second with 0.121901 (Poisson with mean 0.6, see the instance).
    snapshot = a_needy_network(
        sites=[a_site(site) for site in ("S1", "S2", "S3")],
        lanes=(a_lane("S1", "S2"), a_lane("S3", "S2")),
        positions=[a_position("S1"), a_position("S2", on_hand_units=0), a_position("S3")],
        forecasts=(a_forecast("S2", daily_units=0.1),),
    )
    first, second = value_of(a_move(1), a_move(1, "S3"), snapshot=snapshot).moves
    assert first.saving == pytest.approx(274.3225, abs=1e-3)
    assert second.saving == pytest.approx(74.1160, abs=1e-3)


def test_a_line_on_a_slower_lane_pays_for_what_the_faster_one_would_have_served():
    snapshot = a_needy_network(
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0.1)),
        lanes=(a_lane(), a_lane(mode="cart", lead_time_days=5)),
    )
    found = value_of(a_move(1, mode="cart"), snapshot=snapshot)
    # On day 5 a first unit still sells with 1 - e^-0.2 = 0.181269.
    assert found.moves[0].saving == pytest.approx(608 * 0.181269, abs=1e-2)
    assert found.whole_horizon_saving == pytest.approx(608 * 0.181269 - 500, abs=1e-2)


@given(seed=st.integers(0, 3_000))
def test_the_order_of_the_moves_shifts_shares_and_changes_no_total(seed):
    case = random_case(seed)
    facts = assumed(case.snapshot, case.request.overlays)
    every = [
        a_move(
            max(1, -(-sku.min_transfer_units // sku.pack_size)), lane.origin, lane.destination, sku.sku_id, lane.mode
        )
        for lane in facts.lanes
        for sku in facts.skus
    ]
    moves = [move for move in every if not evaluate(facts, case.limits, case.request, [move]).breaches][:3]
    found = [evaluate(facts, case.limits, case.request, order) for order in permutations(moves)]
    for other in found[1:]:
        assert other.saving == pytest.approx(found[0].saving, abs=1e-6)
        assert other.objective == pytest.approx(found[0].objective, abs=1e-6)
        assert len(other.breaches) == len(found[0].breaches)


@given(seed=st.integers(0, 3_000))
def test_shares_and_fixed_costs_add_up_to_the_saving(seed):
    case = random_case(seed)
    best = brute_force(case)
    if best is None:
        return
    found = evaluate(assumed(case.snapshot, case.request.overlays), case.limits, case.request, best[1])
    shares = sum(value.saving for value in found.moves)
    assert shares - sum(found.fixed_costs.values()) == pytest.approx(found.saving, abs=1e-9)
    hurdles = len(best[1]) * case.limits.line_hurdle_minor + len(found.fixed_costs) * case.limits.lane_hurdle_minor
    assert found.objective == pytest.approx(hurdles - found.saving, abs=1e-9)
