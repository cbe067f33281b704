"""What packs are worth: many site-SKUs at once as one by one, and curves cut where they stop paying."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import a_forecast, a_needy_network, a_position, a_sku, limits_for
from tests.tools.planning.random_networks import random_case
from tools.demand import DemandView
from tools.inventory import SiteSku
from tools.planning.limits import Display
from tools.planning.values import ValueOfPacks, while_useful

HERE, THERE = SiteSku("S1", "P1"), SiteSku("S2", "P1")


@given(seed=st.integers(0, 5_000), packs=st.integers(1, 9), day=st.integers(0, 4))
def test_many_site_skus_at_once_are_worth_what_each_is_alone(seed, packs, day):
    case = random_case(seed)
    values = ValueOfPacks(case.snapshot, case.limits)
    keys = [position.key for position in case.snapshot.positions]
    skus = [case.snapshot.sku_by_id[key.sku_id] for key in keys]
    size = np.asarray([sku.pack_size for sku in skus])
    days = (np.arange(len(keys)) + day) % 4
    facts = values.facts(keys)
    gains = values.gains_of(facts, size, days, range(packs))
    losses = values.losses_of(facts, size, gains[:, 0], range(packs))
    assert gains.shape == losses.shape == (len(keys), packs)
    for row, (key, sku) in enumerate(zip(keys, skus, strict=True)):
        assert tuple(gains[row]) == pytest.approx(values.gains(key, sku, int(days[row]), packs), abs=1e-9)
        assert tuple(losses[row]) == pytest.approx(values.losses(key, sku, gains[row, 0], packs), abs=1e-9)
        assert facts.horizon[row] == DemandView(case.snapshot, case.limits.default_horizon_days).horizon_days(key)


@given(seed=st.integers(0, 5_000), packs=st.integers(1, 5), size=st.integers(1, 4))
def test_a_pack_is_worth_its_units_where_nothing_can_wait(seed, packs, size):
    case = random_case(seed)
    # Regular supply comes before the next chance, so that all demand counts in full.
    values = ValueOfPacks(case.snapshot, replace(case.limits, review_interval_days=60))
    key = case.snapshot.positions[0].key
    unit, pack = a_sku(key.sku_id, pack_size=1), a_sku(key.sku_id, pack_size=size)
    by_unit = np.asarray(values.gains(key, unit, 0, packs * size)).reshape(packs, size).sum(axis=1)
    assert values.gains(key, pack, 0, packs) == pytest.approx(by_unit.tolist(), abs=1e-6)
    by_unit = np.asarray(values.losses(key, unit, -np.inf, packs * size)).reshape(packs, size).sum(axis=1)
    assert values.losses(key, pack, -np.inf, packs) == pytest.approx(by_unit.tolist(), abs=1e-6)


def test_a_unit_too_few_on_display_costs_what_policy_says_at_both_ends():
    # S2 lacks 3 of 3 units at 0.50, S1 keeps 98 of its 100: the third unit sent is missed.
    displays = {THERE: Display(3, 5_000), HERE: Display(98, 5_000)}
    plain, shown = (ValueOfPacks(a_needy_network(), limits) for limits in (limits_for(), limits_for(displays=displays)))
    more = np.subtract(shown.gains(THERE, a_sku(), 1, 4), plain.gains(THERE, a_sku(), 1, 4))
    assert more == pytest.approx([50, 50, 50, 0])
    dearer = np.subtract(shown.losses(HERE, a_sku(), -np.inf, 4), plain.losses(HERE, a_sku(), -np.inf, 4))
    assert dearer == pytest.approx([0, 0, 50, 50])


def test_what_leaves_in_time_costs_less_even_than_what_the_site_itself_would_gain():
    limits = limits_for(leave_e4={HERE: 20_000})
    values = ValueOfPacks(a_needy_network(), limits)
    assert values.losses(HERE, a_sku(pack_size=2), 50.0, 2) == (50.0 - 400.0, 50.0 - 400.0)


def test_a_sites_own_costs_stand_in_for_those_of_the_sku():
    snapshot = a_needy_network()
    dear = ValueOfPacks(snapshot, limits_for(lost_at_e4={THERE: 90_000}, leftover_at_e4={HERE: 1_600}))
    assert dear.gains(THERE, a_sku(), 1, 1) == pytest.approx((900.0,))
    assert dear.losses(HERE, a_sku(), -np.inf, 1) == pytest.approx((-16.0,))
    assert ValueOfPacks(snapshot, limits_for()).gains(THERE, a_sku(), 1, 1) == pytest.approx((600.0,))


def test_a_thousand_million_units_are_worth_their_money():
    many = a_needy_network(
        positions=(a_position("S1", on_hand_units=10**9), a_position("S2", on_hand_units=0)),
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=10**7)),
    )
    values = ValueOfPacks(many, limits_for())
    gains = values.gains(THERE, a_sku(pack_size=1_000), 1, 5)
    assert gains == pytest.approx((600_000.0,) * 5, rel=1e-6)
    assert values.losses(HERE, a_sku(pack_size=1_000), -np.inf, 5) == pytest.approx((-8_000.0,) * 5, rel=1e-6)
    assert all(np.isfinite(gains))


@given(
    curves=st.lists(st.lists(st.integers(-20, 60), min_size=90, max_size=90), min_size=1, max_size=4),
    numbers=st.lists(st.tuples(st.integers(0, 90), st.integers(-25, 65), st.integers(0, 4)), min_size=4, max_size=4),
)
def test_of_falling_curves_what_is_above_the_threshold_is_kept_and_so_many_more(curves, numbers):
    table = -np.sort(-np.asarray(curves, dtype=np.float64), axis=1)
    wide = np.concatenate((table, np.full((len(table), 200), -1_000.0)), axis=1)
    most, threshold, spare = (np.asarray(column)[: len(table)] for column in zip(*numbers, strict=True))
    asked = []

    def curve(rows, packs):
        asked.append(packs)
        return wide[rows, packs.start : packs.stop]

    count, flat = while_useful(curve, most, threshold.astype(np.float64), spare)
    wanted = [
        min(int((row > t + 1e-9).sum()) + s, m) for row, t, s, m in zip(table, threshold, spare, most, strict=True)
    ]
    assert count.tolist() == wanted
    assert flat.tolist() == [money for row, n in zip(table, wanted, strict=True) for money in row[:n].tolist()]
    assert all(before.stop == after.start for before, after in pairwise(asked))
    assert not asked or asked[-1].stop <= 128


def test_no_curve_is_no_value():
    none = np.zeros(0, dtype=np.int64)
    count, flat = while_useful(lambda rows, packs: np.zeros((len(rows), len(packs))), none, none.astype(float), none)
    assert (count.tolist(), flat.tolist()) == ([], [])


def test_the_currency_sets_the_size_of_a_minor_unit():
    yen = replace(a_needy_network(), currency="JPY")
    assert ValueOfPacks(yen, limits_for()).gains(THERE, a_sku(), 1, 1) == pytest.approx((6.0,))
