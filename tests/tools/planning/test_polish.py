from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_forecast, a_lane, a_needy_network, a_position, a_site, a_sku, limits_for
from tests.tools.planning.random_networks import random_case
from tools.inventory import LaneKey, SiteSku
from tools.planning import Move, evaluate
from tools.planning.calendar import DepartureKey
from tools.planning.instance import build_instance
from tools.planning.polish import Pruner
from tools.planning.values import ValueOfPacks
from tools.transfers import PlanRequest
from tools.whatif import assumed

VAN, TRUCK = DepartureKey(LaneKey("S1", "S2", "van")), DepartureKey(LaneKey("S1", "S2", "truck"))


def pruner(snapshot, limits=None):
    limits = limits or limits_for()
    return Pruner(build_instance(snapshot, limits, PlanRequest()), limits, "USD")


def test_a_line_that_pays_stays():
    # 5 x 6.08 - 5.00 = 25.40.
    polished = pruner(a_needy_network()).polished({(VAN, "P1"): 5})
    assert polished.packs == {(VAN, "P1"): 5}
    assert polished.objective == pytest.approx(-2_540)


def test_a_line_that_does_not_pay_for_its_departure_goes():
    polished = pruner(a_needy_network(lanes=(a_lane(cost_fixed_e4=310_000),))).polished({(VAN, "P1"): 5})
    assert (polished.packs, polished.objective) == ({}, 0)


def test_a_departure_goes_although_each_of_its_lines_pays():
    # Two lines of 30.40 share a departure of 70.00: taking out either alone makes it worse, both makes it better.
    snapshot = a_needy_network(
        skus=(a_sku("P1"), a_sku("P2")),
        lanes=(a_lane(cost_fixed_e4=700_000),),
        positions=[a_position("S1", sku, 100) for sku in ("P1", "P2")],
        forecasts=[a_forecast("S2", sku, 100) for sku in ("P1", "P2")],
    )
    packs = {(VAN, "P1"): 5, (VAN, "P2"): 5}
    assert pruner(snapshot, limits_for("P1", "P2")).polished(packs).packs == {}


def test_a_departure_that_duplicates_another_goes():
    snapshot = a_needy_network(lanes=(a_lane(cost_fixed_e4=0), a_lane(mode="truck", cost_fixed_e4=40_000)))
    # One unit by truck saves 6.08 and costs 4.00: it stays. With a hurdle of 3.00 for a departure it goes.
    packs = {(VAN, "P1"): 5, (TRUCK, "P1"): 1}
    assert pruner(snapshot).polished(packs).packs == packs
    hurdle = limits_for(lane_hurdle_minor=300)
    assert pruner(snapshot, hurdle).polished(packs).packs == {(VAN, "P1"): 5}


def test_a_line_below_its_hurdle_goes():
    snapshot = a_needy_network(lanes=(a_lane(cost_fixed_e4=0),))
    assert pruner(snapshot, limits_for(line_hurdle_minor=608)).polished({(VAN, "P1"): 1}).packs == {(VAN, "P1"): 1}
    assert pruner(snapshot, limits_for(line_hurdle_minor=609)).polished({(VAN, "P1"): 1}).packs == {}


def test_taking_one_line_out_can_make_another_worth_keeping():
    # Both vans bring one unit to a site that needs one: the second is worth 74.12, less than its departure of 1.00.
    snapshot = a_needy_network(
        sites=[a_site(site) for site in ("S1", "S2", "S3")],
        lanes=(a_lane("S1", "S2", cost_fixed_e4=10_000), a_lane("S3", "S2", cost_fixed_e4=10_000)),
        positions=[a_position("S1"), a_position("S2", on_hand_units=0), a_position("S3")],
        forecasts=(a_forecast("S2", daily_units=0.1),),
    )
    packs = {(VAN, "P1"): 1, (DepartureKey(LaneKey("S3", "S2", "van")), "P1"): 1}
    polished = pruner(snapshot).polished(packs)
    assert len(polished.packs) == 1
    assert polished.objective == pytest.approx(100 - 274.3225, abs=1e-3)


def test_last_packs_that_cost_more_than_they_gain_go():
    # At 0.50 freight two of the units pay: 274.32 and 74.12, but only 14.05 and 2.04 (see the instance).
    snapshot = a_needy_network(
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0.1)),
        skus=(a_sku(min_transfer_units=1),),
        lanes=(a_lane(cost_per_unit_e4=5_000, cost_fixed_e4=0),),
    )
    limits = limits_for()
    instance = build_instance(snapshot, limits, PlanRequest())
    gains = ValueOfPacks(snapshot, limits).gains(SiteSku("S2", "P1"), a_sku(), 1, 4)
    node = replace(instance.nodes[SiteSku("S2", "P1")], gains=gains)
    longer = replace(instance, nodes={**instance.nodes, node.key: node})
    assert Pruner(longer, limits, "USD").polished({(VAN, "P1"): 4}).packs == {(VAN, "P1"): 2}


def test_a_line_is_never_trimmed_below_its_least_quantity():
    # Three units: 274.3225 + 74.1160 + 14.0542 - 150 is worth it, although the third alone is not.
    snapshot = a_needy_network(
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0.1)),
        skus=(a_sku(min_transfer_units=3),),
        lanes=(a_lane(cost_per_unit_e4=5_000, cost_fixed_e4=0),),
    )
    polished = pruner(snapshot).polished({(VAN, "P1"): 3})
    assert polished.packs == {(VAN, "P1"): 3}
    assert polished.objective == pytest.approx(-(362.4927 - 150), abs=1e-3)


@given(seed=st.integers(0, 3_000), counts=st.lists(st.integers(0, 3), min_size=12, max_size=12))
def test_polishing_never_makes_a_plan_worse_nor_adds_to_it(seed, counts):
    case = random_case(seed)
    facts = assumed(case.snapshot, case.request.overlays)
    instance = build_instance(facts, case.limits, case.request)
    packs, sent, received = {}, {}, {}
    for arc, count in zip(instance.arcs, counts, strict=False):
        room = min(
            count,
            len(instance.nodes[arc.origin].losses) - sent.get(arc.origin, 0),
            len(instance.nodes[arc.destination].gains) - received.get(arc.destination, 0),
        )
        if room >= arc.packs_min:
            packs[arc.key] = room
            sent[arc.origin] = sent.get(arc.origin, 0) + room
            received[arc.destination] = received.get(arc.destination, 0) + room
    before = Pruner(instance, case.limits, facts.currency)
    polished = before.polished(packs)
    assert all(count <= packs[key] for key, count in polished.packs.items())
    least = {arc.key: arc.packs_min for arc in instance.arcs}
    assert all(count >= least[key] for key, count in polished.packs.items())
    assert polished.objective <= before.objective(packs) + 1e-9
    moves = [Move(lane, sku_id, count, day) for ((lane, day), sku_id), count in packs.items()]
    assert before.objective(packs) == pytest.approx(
        evaluate(facts, case.limits, case.request, moves).objective, rel=1e-6, abs=1e-6
    )
