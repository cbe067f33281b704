from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import (
    a_forecast,
    a_lane,
    a_needy_network,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
    a_snapshot,
    a_supply,
    limits_for,
)
from tests.tools.planning.random_networks import random_case
from tools.inventory import SiteSku
from tools.planning import Move, evaluate, table
from tools.planning.instance import build_instance, fixed_cost, pack_move_cost
from tools.planning.values import ValueOfPacks
from tools.transfers import Overlays, PlanRequest, UnitCap
from tools.whatif import assumed

HERE, THERE = SiteSku("S1", "P1"), SiteSku("S2", "P1")
REQUEST = PlanRequest()


def built(snapshot=None, limits=None, request=REQUEST):
    return build_instance(snapshot or a_needy_network(), limits or limits_for(), request)


def test_the_cost_of_moving_a_pack_is_that_of_its_units_and_litres():
    # A pack of 6 at 0.25 a unit and 0.10 a litre, 1.5 litres each: 6 x (0.25 + 0.15) = 2.40.
    sku = a_sku(pack_size=6, unit_volume_microlitres=1_500_000)
    lane = a_lane(cost_per_unit_e4=2_500, cost_per_litre_e4=1_000)
    assert pack_move_cost(sku, lane, "USD") == pytest.approx(240)
    assert fixed_cost(lane, "USD") == 500


def test_costs_are_in_the_minor_unit_of_the_currency():
    lane = a_lane(cost_fixed_e4=50_000, cost_per_unit_e4=20_000)
    assert (fixed_cost(lane, "JPY"), pack_move_cost(a_sku(), lane, "JPY")) == (5, 2)
    assert (fixed_cost(lane, "KWD"), pack_move_cost(a_sku(), lane, "KWD")) == (5_000, 2_000)


def test_gains_by_hand():
    # 0.1 a day, and 7 days to the regular supply. The van arrives tomorrow, so the first day is lost: demand that it can
    # serve is Poisson with mean 0.6. P(D > 0) = 1 - e^-0.6 = 0.451188 and P(D > 1) = 1 - 1.6 e^-0.6 = 0.121901.
    # A unit that sells earns 6.00 + 0.08, and every unit costs 0.08: 608 x 0.451188 - 8 = 266.32, 608 x 0.121901 - 8.
    snapshot = a_snapshot(
        forecasts=(a_forecast("S2", daily_units=0.1),), positions=(a_position("S2", on_hand_units=0),)
    )
    gains = ValueOfPacks(snapshot, limits_for()).gains(THERE, a_sku(), 1, 2)
    assert gains == pytest.approx((266.3225, 66.1160), abs=1e-3)


def test_units_on_hand_and_on_their_way_come_before_those_of_a_transfer():
    demand = (a_forecast("S2", daily_units=0.1),)
    one = a_snapshot(forecasts=demand, positions=(a_position("S2", on_hand_units=1),))
    coming = a_snapshot(
        forecasts=demand, positions=(a_position("S2", on_hand_units=0),), supply=(a_supply("S2", units=1),)
    )
    # Demand until the regular supply has mean 0.7: P(D > 1) = 1 - 1.7 e^-0.7 = 0.155805; 608 x 0.121901 is less.
    for snapshot in (one, coming):
        assert ValueOfPacks(snapshot, limits_for()).gains(THERE, a_sku(), 0, 1) == pytest.approx((86.7294,), abs=1e-3)


def test_losses_by_hand():
    # One unit on hand and 0.1 a day for 7 days: P(D > 0) = 1 - e^-0.7 = 0.503415, so 608 x 0.503415 - 8 = 298.08.
    snapshot = a_snapshot(
        forecasts=(a_forecast("S1", daily_units=0.1),), positions=(a_position("S1", on_hand_units=1),)
    )
    assert ValueOfPacks(snapshot, limits_for()).losses(HERE, a_sku(), -np.inf, 1) == pytest.approx(
        (298.0762,), abs=1e-3
    )


def test_a_loss_is_never_below_what_the_site_itself_would_gain():
    losses = ValueOfPacks(a_needy_network(), limits_for()).losses(HERE, a_sku(), 50.0, 3)
    assert losses == (50.0, 50.0, 50.0)


@given(seed=st.integers(0, 5_000), packs=st.integers(1, 12), day=st.integers(0, 5))
def test_gains_fall_and_losses_rise_with_every_pack(seed, packs, day):
    case = random_case(seed)
    values = ValueOfPacks(case.snapshot, case.limits)
    for position in case.snapshot.positions:
        sku = case.snapshot.sku_by_id[position.sku_id]
        gains = values.gains(position.key, sku, day, packs)
        losses = values.losses(position.key, sku, gains[0], packs)
        assert all(later <= earlier + 1e-6 for earlier, later in pairwise(gains))
        assert all(later >= earlier - 1e-6 for earlier, later in pairwise(losses))
        assert losses[0] >= gains[0] - 1e-9


@given(seed=st.integers(0, 5_000))
def test_no_line_that_was_pruned_earns_anything(seed):
    case = random_case(seed)
    facts = assumed(case.snapshot, case.request.overlays)
    kept = {(arc.lane.key, arc.sku.sku_id) for arc in build_instance(facts, case.limits, case.request).arcs}
    free = replace(case.limits, line_charge_minor=0, line_hurdle_minor=0, lane_hurdle_minor=0)
    for lane in facts.lanes:
        for sku in facts.skus:
            for packs in range(1, 8):
                if (lane.key, sku.sku_id) in kept:
                    continue
                found = evaluate(facts, free, case.request, [Move(lane.key, sku.sku_id, packs)])
                if not found.breaches:
                    assert found.saving + sum(found.fixed_costs.values()) <= 1e-6


@given(seed=st.integers(0, 5_000))
def test_nodes_and_arcs_are_sorted_and_belong_together(seed):
    case = random_case(seed)
    found = build_instance(assumed(case.snapshot, case.request.overlays), case.limits, case.request)
    assert {end for arc in found.arcs for end in (arc.origin, arc.destination)} == set(found.nodes)
    keys = [(arc.sku.sku_id, arc.lane.key) for arc in found.arcs]
    assert keys == sorted(keys)
    assert len(found.arcs) <= found.arcs_considered


def test_the_curve_of_a_receiver_goes_on_as_long_as_a_pack_pays():
    # A hundred a day for six days sell for certain; 100 are there to send. Each of them is worth its trip.
    nodes = built().nodes
    assert (len(nodes[THERE].gains), len(nodes[HERE].losses)) == (100, 100)
    rich = a_needy_network(positions=(a_position("S1", on_hand_units=2_000), a_position("S2", on_hand_units=0)))
    assert 600 < len(built(rich).nodes[THERE].gains) < 1_000


@pytest.mark.parametrize("units", [1, 15, 16, 17, 31, 32, 33, 64, 65])
def test_a_curve_is_not_cut_where_it_was_looked_at(units):
    snapshot = a_needy_network(positions=(a_position("S1", on_hand_units=units), a_position("S2", on_hand_units=0)))
    assert len(built(snapshot).nodes[THERE].gains) == units


def test_the_curve_of_a_receiver_ends_where_a_pack_costs_more_than_it_gains():
    # Gains by hand as above, with the donor's -8 for each: 274.32, 74.12, 14.05, 2.04 before freight of 50.
    snapshot = a_needy_network(
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0.1)),
        lanes=(a_lane(cost_per_unit_e4=5_000),),
    )
    assert len(built(snapshot).nodes[THERE].gains) == 2


def test_a_least_quantity_keeps_the_packs_that_it_may_force():
    snapshot = a_needy_network(
        skus=(a_sku(min_transfer_units=4),),
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0.1)),
        lanes=(a_lane(cost_per_unit_e4=5_000),),
    )
    (arc,) = built(snapshot).arcs
    assert arc.packs_min == 4
    assert len(built(snapshot).nodes[THERE].gains) == 2 + 3


def test_more_packs_than_a_truck_could_ever_hold_are_not_looked_at(monkeypatch):
    monkeypatch.setattr(table, "SEGMENTS_MAX", 20)
    found = built()
    assert (len(found.nodes[THERE].gains), len(found.nodes[HERE].losses)) == (20, 20)


def test_an_arc_carries_no_more_than_is_there_and_may_be_sent():
    def packs_max(**fields):
        return [arc.packs_max for arc in built(**fields).arcs]

    pack_of_six = a_needy_network(skus=(a_sku(pack_size=6),))
    assert packs_max(snapshot=pack_of_six) == [16]
    assert packs_max(limits=limits_for(protected_units={HERE: 91})) == [9]
    assert packs_max(limits=limits_for(line_units_max=7)) == [7]
    caps = {
        "send_caps": (UnitCap(site_id="S1", sku_id="P1", units=5),),
        "receive_caps": (UnitCap(site_id="S2", sku_id="P1", units=4),),
    }
    assert packs_max(request=PlanRequest(overlays=Overlays(**caps))) == [4]
    assert packs_max(limits=limits_for(protected_units={HERE: 100})) == []


def test_a_lane_that_arrives_with_the_regular_supply_or_later_is_of_no_use():
    assert len(built(a_needy_network(lanes=(a_lane(lead_time_days=6),))).arcs) == 1
    assert built(a_needy_network(lanes=(a_lane(lead_time_days=7),))).arcs == ()


def test_a_slower_lane_is_charged_for_the_demand_that_the_faster_one_would_have_served():
    # Arriving on day 1 a first unit sells with 1 - e^-0.6, on day 5 with 1 - e^-0.2: 608 x (0.451188 - 0.181269).
    snapshot = a_needy_network(
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0.1)),
        lanes=(a_lane(), a_lane(mode="cart", lead_time_days=5)),
    )
    late = {arc.lane.mode: arc.late for arc in built(snapshot).arcs}
    assert late["van"] == 0
    assert late["cart"] == pytest.approx(608 * (np.exp(-0.2) - np.exp(-0.6)))


def test_a_late_lane_that_no_longer_pays_is_left_out():
    snapshot = a_needy_network(
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0.1)),
        lanes=(a_lane(), a_lane(mode="cart", lead_time_days=6, cost_per_unit_e4=6_000)),
    )
    # On the last day a unit sells with 1 - e^-0.1: 608 x 0.095163 = 57.86, less than the freight of 60.
    assert [arc.lane.mode for arc in built(snapshot).arcs] == ["van"]


def test_the_demand_of_a_receiver_counts_until_its_next_chance_only():
    # Arrival tomorrow and a decision every day: what is asked for from the day after tomorrow on can be helped later.
    later = a_forecast("S2", mean_e6=(0, 0, 100_000_000), variance_e6=(0, 0, 100_000_000))
    snapshot = a_needy_network(forecasts=(a_forecast("S1", daily_units=0), later))
    assert built(snapshot, limits_for(review_interval_days=1)).arcs == ()
    assert len(built(snapshot, limits_for(review_interval_days=2)).arcs) == 1


def test_the_demand_of_a_donor_counts_until_its_regular_supply():
    later = a_forecast("S1", mean_e6=(0, 0, 0, 0, 0, 0, 200_000_000), variance_e6=(0,) * 6 + (200_000_000,))
    snapshot = a_needy_network(forecasts=(later, a_forecast("S2", daily_units=100)))
    assert built(snapshot, limits_for(review_interval_days=1)).arcs == ()
    sooner = replace(snapshot, replenishments=(a_replenishment("S1", days=6), a_replenishment("S2")))
    assert len(built(sooner, limits_for(review_interval_days=1)).arcs) == 1


def test_a_site_never_gains_more_from_a_pack_than_it_loses_with_one():
    # S2 is needy before its order of 500 arrives, and rich after: it would send what it would like to receive.
    snapshot = a_snapshot(
        sites=(a_site("S1"), a_site("S2"), a_site("S3")),
        lanes=(a_lane("S1", "S2"), a_lane("S2", "S3")),
        positions=(
            a_position("S1", on_hand_units=50),
            a_position("S2", on_hand_units=5),
            a_position("S3", on_hand_units=0),
        ),
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=10), a_forecast("S3", daily_units=10)),
        supply=(a_supply("S2", units=500, days=12),),
        replenishments=[a_replenishment(site, days=14) for site in ("S1", "S2", "S3")],
    )
    values = ValueOfPacks(snapshot, limits_for(review_interval_days=3))
    first_gain = values.gains(THERE, a_sku(), 1, 1)[0]
    assert values.losses(THERE, a_sku(), -np.inf, 1)[0] < first_gain
    node = built(snapshot, limits_for(review_interval_days=3)).nodes[THERE]
    assert min(node.losses, default=first_gain) >= node.gains[0]
