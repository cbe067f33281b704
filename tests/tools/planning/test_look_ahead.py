"""What a unit is worth today when it could also be sent later, and that the simulation plays what the planner plans."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.builders import (
    a_forecast,
    a_lane,
    a_needy_network,
    a_position,
    a_replenishment,
    a_sku,
    a_snapshot,
    a_supply,
    limits_for,
)
from tests.tools.planning.random_networks import random_case
from tests.tools.simulation.made import a_cycle, view_of
from tools.inventory import SiteSku
from tools.planning import Move, evaluate
from tools.planning.instance import build_instance
from tools.planning.look_ahead import LATER_WEIGHT, UNWANTED_WEIGHT, share_worth
from tools.planning.values import ValueOfPacks
from tools.simulation import Knobs
from tools.simulation.values import blocks
from tools.transfers import PlanRequest
from tools.whatif import assumed

HERE, THERE = SiteSku("S1", "P1"), SiteSku("S2", "P1")
CHANCES = np.linspace(0.0, 1.0, 101)
EVERY_DAY = limits_for(review_interval_days=1)


def test_a_unit_wanted_soon_or_never_is_worth_the_odds() -> None:
    # 30 % soon and 60 % in the end: 0.3 against 0.3, half of the 0.4 that nobody wants, and a fiftieth of the other 0.3.
    assert share_worth(np.array(0.3), np.array(0.6)) == pytest.approx(0.3 / (0.3 + 0.5 * 0.4 + 0.02 * 0.3))


@pytest.mark.parametrize("weight", [LATER_WEIGHT, 0.25, UNWANTED_WEIGHT, 1.0])
def test_the_share_rises_with_both_chances_and_lies_between_them(weight: float) -> None:
    near, far = np.meshgrid(CHANCES, CHANCES, indexing="ij")
    share = share_worth(near, far, weight)
    assert (share >= near).all()
    assert (share <= np.maximum(near, far)).all()
    assert (np.diff(share, axis=0) >= -1e-12).all()
    assert (np.diff(share, axis=1) >= -1e-12).all()


def test_where_nothing_can_wait_the_share_is_the_chance() -> None:
    assert share_worth(CHANCES, CHANCES) == pytest.approx(CHANCES)
    # Supply on order that comes after the next chance: what is wanted soon is wanted all the same.
    assert share_worth(CHANCES, CHANCES * 0.0) == pytest.approx(CHANCES)


def test_what_nobody_wants_before_the_next_chance_waits_however_sure_it_is_to_be_wanted() -> None:
    # Two numbers that are almost nothing are not divided by each other.
    assert share_worth(np.array([0.0, 1e-12]), np.array([1.0, 1.0 - 1e-14])) == pytest.approx([0.0, 0.0], abs=1e-9)


def test_gains_by_hand() -> None:
    # A decision every day, arrival today, 0.1 a day for 7 days: P(D > 0) is 1 - e^-0.1 soon and 1 - e^-0.7 in the end.
    snapshot = a_snapshot(
        forecasts=(a_forecast("S2", daily_units=0.1),), positions=(a_position("S2", on_hand_units=0),)
    )
    soon, ever = 1 - np.exp(-0.1), 1 - np.exp(-0.7)
    share = soon / (soon + 0.5 * (1 - ever) + 0.02 * (ever - soon))
    assert ValueOfPacks(snapshot, EVERY_DAY).gains(THERE, a_sku(), 0, 1) == pytest.approx((608 * share - 8,))


def test_a_pack_is_decided_on_as_a_whole() -> None:
    # Ten units of which 0.8 are wanted soon and 4 in the end: the mean unit's chances are 0.08 and 0.4.
    snapshot = a_needy_network(forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0.8)))
    soon, ever = (sum(1 - stats.poisson.cdf(unit, 0.8 * days) for unit in range(10)) / 10 for days in (1, 7))
    share = soon / (soon + 0.5 * (1 - ever) + 0.02 * (ever - soon))
    gains = ValueOfPacks(snapshot, EVERY_DAY).gains(THERE, a_sku(pack_size=10), 0, 1)
    assert gains == pytest.approx((10 * (608 * share - 8),))


@settings(max_examples=30)
@given(seed=st.integers(0, 5_000), packs=st.integers(2, 8), day=st.integers(0, 3))
def test_gains_fall_with_every_pack_where_a_decision_comes_every_day(seed: int, packs: int, day: int) -> None:
    case = random_case(seed)
    values = ValueOfPacks(case.snapshot, replace(case.limits, review_interval_days=1))
    for position in case.snapshot.positions:
        gains = values.gains(position.key, case.snapshot.sku_by_id[position.sku_id], day, packs)
        assert all(later <= earlier + 1e-6 for earlier, later in pairwise(gains))


@settings(max_examples=60)
@given(seed=st.integers(0, 5_000))
def test_the_evaluator_finds_the_same_worth_by_itself(seed: int) -> None:
    case = random_case(seed)
    limits = replace(case.limits, review_interval_days=1)
    facts = assumed(case.snapshot, case.request.overlays)
    instance = build_instance(facts, limits, case.request)
    for arc in instance.arcs:
        gains, losses = instance.nodes[arc.destination].gains, instance.nodes[arc.origin].losses
        packs = min(len(gains), len(losses), 6)
        found = evaluate(facts, limits, case.request, [Move(arc.lane.key, arc.sku.sku_id, packs, arc.named_day)])
        planned = sum(gains[:packs]) - sum(losses[:packs]) - packs * (arc.move_cost + arc.late)
        assert found.moves[0].saving == pytest.approx(planned - limits.line_charge_minor, abs=1e-6)


def test_a_shortage_before_supply_on_order_is_helped_though_the_site_is_rich_in_the_end() -> None:
    snapshot = a_needy_network(
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=10)),
        supply=(a_supply("S2", units=500, days=12),),
        replenishments=[a_replenishment(site, days=14) for site in ("S1", "S2")],
    )
    limits = limits_for(review_interval_days=3)
    node = build_instance(snapshot, limits, PlanRequest()).nodes[THERE]
    assert node.gains[:5] == pytest.approx([600.0] * 5)


@settings(max_examples=60)
@given(
    days=st.integers(2, 9), lead=st.integers(0, 2), stock=st.integers(0, 12), donor=st.integers(1, 12),
    daily=st.sampled_from([0.05, 0.4, 1.3]), dispersion=st.sampled_from([1.0, 1.4, 3.0]),
)  # fmt: skip
def test_the_simulation_plays_the_gains_and_losses_that_the_planner_plans_with(
    days: int, lead: int, stock: int, donor: int, daily: float, dispersion: float
) -> None:
    # The same two sites for both: a period is a day, a decision comes every day, and nothing else is in transit.
    cycle = a_cycle(
        [[0, 0]] * (days + 1), [donor, stock], forecast=[[daily, daily]] * (days + 1), lead=lead, dispersion=dispersion
    )
    played = blocks(view_of(cycle), Knobs().horizon)
    snapshot = a_snapshot(
        lanes=(a_lane(lead_time_days=lead),),
        positions=(a_position("S1", on_hand_units=donor), a_position("S2", on_hand_units=stock)),
        forecasts=tuple(a_forecast(site, daily_units=daily, dispersion=dispersion) for site in ("S1", "S2")),
        replenishments=[a_replenishment(site, days=days) for site in ("S1", "S2")],
    )
    costs = replace(EVERY_DAY, lost_unit_e4={"P1": 100_000}, leftover_unit_e4={"P1": 10_000})
    values = ValueOfPacks(snapshot, costs)
    # The simulation leaves the leftover's cost of 1.00 out at both ends, and its money is in major units.
    units = int(played.receive_units[0, 1].sum())
    assert played.receive_units.max() <= 1
    planned = np.asarray(values.gains(THERE, a_sku(), lead, units)) / 100 + 1
    assert planned == pytest.approx(played.receive_gain[0, 1][played.receive_units[0, 1] > 0], abs=1e-5)
    sent = played.send_units[0, 0]
    first_gain = values.gains(HERE, a_sku(), lead, 1)[0]
    planned = np.asarray(values.losses(HERE, a_sku(), first_gain, int(sent.sum()))) / 100 + 1
    assert planned[-1:] == pytest.approx(played.send_loss[0, 0][sent > 0][-1:], abs=1e-5)
