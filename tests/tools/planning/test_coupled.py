"""What SKUs share: money, volumes and limits of a plan against the same worked out in plain Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.planning.written_networks import Network, Shared, Way, benchmark_problem, random_network
from tools.planning.coupled import Coupled, Curves
from tools.planning.flow import Flows

PAIR = Network(
    (Way(0, 0, 1, cost=1.0, volume=2.0), Way(1, 0, 1, cost=0.5, volume=3.0)),
    gains={(0, 1): (10.0, 6.0, 2.0), (1, 1): (5.0,)},
    losses={(0, 0): (0.0, 3.0, 5.0), (1, 0): (1.0, 1.0)},
    lane_cost={(0, 1): 7.0},
    line_cost=0.25,
)


def some_packs(network: Network, seed: int) -> tuple[int, ...]:
    """Packs that are there to be sent and taken, whatever limits they break."""
    rng = np.random.default_rng(seed)
    packs = [0] * len(network.ways)
    for way in rng.permutation(len(packs)).tolist():
        for _ in range(int(rng.integers(0, 4))):
            packs[way] += 1
            if packs[way] > network.ways[way].most or network.price(tuple(packs)) is None:
                packs[way] -= 1
    return tuple(packs)


def test_curves_by_hand():
    found = Curves.of(2, 2, np.asarray([0, 0, 1, 1]), np.asarray([1, 1, 0, 0]), np.asarray([5.0, 3.0, 2.0, -1.0]))
    assert found.packs.tolist() == [[0, 2], [2, 0]]
    assert found.at(np.asarray([[0, 2], [1, 0]])).tolist() == [[0.0, 8.0], [2.0, 0.0]]
    assert found.at(np.asarray([[0, 1], [2, 0]])).tolist() == [[0.0, 5.0], [1.0, 0.0]]
    steps = found.step(np.asarray([0, 0, 0, 1, 0]), np.asarray([1, 1, 1, 0, 0]), np.asarray([1, 2, 3, 2, 1]))
    assert steps[[0, 1, 3]].tolist() == [5.0, 3.0, -1.0]
    assert np.isnan(steps[[2, 4]]).all()
    assert np.isnan(found.step(np.asarray([0]), np.asarray([1]), np.asarray([0])))
    sku, site, money = found.packs_at(np.asarray([0, 1, 1]), np.asarray([1, 0, 1]))
    assert (sku.tolist(), site.tolist(), money.tolist()) == ([0, 0, 1, 1], [1, 1, 0, 0], [5.0, 3.0, 2.0, -1.0])


def test_curves_of_packs_in_any_order_of_places_are_the_same():
    sku, site, money = np.asarray([1, 0, 1, 0]), np.asarray([0, 1, 0, 1]), np.asarray([2.0, 5.0, -1.0, 3.0])
    order = np.asarray([1, 3, 0, 2])
    mixed, ordered = Curves.of(2, 2, sku, site, money), Curves.of(2, 2, sku[order], site[order], money[order])
    assert mixed.total.tolist() == ordered.total.tolist()
    assert Curves.of(1, 2, sku[:0], site[:0], money[:0]).at(np.zeros((1, 2), dtype=np.int64)).tolist() == [[0.0, 0.0]]


def test_what_a_site_must_take_at_least_it_is_paid_for_at_its_mean():
    network = Network(
        (Way(0, 0, 1, least=3), Way(0, 0, 2, least=3), Way(0, 2, 1, least=4)),
        gains={(0, 1): (10.0, 7.0, 1.0, 0.0), (0, 2): (5.0, 4.0)},
        losses={(0, 0): (0.0, 1.0, 5.0, 6.0), (0, 2): (1.0, 2.0, 3.0, 10.0)},
    )
    found = network.coupled().levelled
    # S1 takes at least three packs; S2 cannot take three, so it takes none, and gives at least four.
    received = found.receive_gain[(found.receive_packs > 0)]
    assert received.tolist() == [6.0, 6.0, 6.0, 0.0]
    assert found.send_loss.tolist() == [2.0, 2.0, 2.0, 6.0, 4.0, 4.0, 4.0, 4.0]


@given(seed=st.integers(0, 3_000))
def test_levelled_money_is_the_curves_on_nothing_and_all_that_may_move_and_still_falls(seed):
    problem = random_network(seed).coupled()
    found, a = problem.levelled, problem.arrays
    least = np.full((a.skus, a.sites), 99)
    np.minimum.at(least, (a.arc_sku, a.arc_destination), problem.arc_least)
    for sku, site in zip(*np.nonzero(least < 99), strict=True):
        blocks = (found.receive_sku == sku) & (found.receive_site == site) & (found.receive_packs > 0)
        money = np.repeat(found.receive_gain[blocks], found.receive_packs[blocks])
        assert (np.diff(money) <= 1e-9).all()
        for packs in range(max(int(least[sku, site]), 1), len(money) + 1):
            true = problem.gains.total[problem.gains.first[sku, site] + packs]
            assert money[:packs].sum() == pytest.approx(true, abs=1e-9)


def test_the_objective_by_hand():
    # SKU 0: 2 packs gain 16, lose 3, cost 2; SKU 1: 1 pack gains 5, loses 1, costs 0.5; two lines of 0.25, one departure.
    problem, packs = PAIR.coupled(), np.asarray([2, 1])
    assert problem.sku_cost(packs).tolist() == [-10.75, -3.25]
    assert problem.objective(packs) == -14.0 + 7.0
    assert problem.objective(np.asarray([0, 0])) == 0.0
    assert problem.volume(packs)[1] == 7.0
    assert problem.used(packs).tolist() == [False, True, False, False]


@given(seed=st.integers(0, 3_000), other=st.integers(0, 9))
def test_the_objective_of_any_packs_is_that_of_plain_arithmetic(seed, other):
    network = random_network(seed)
    problem, packs = network.coupled(), some_packs(network, other)
    array = np.asarray(packs)
    assert problem.objective(array) == pytest.approx(network.price(packs), abs=1e-9)
    by_sku = [problem.cost_of(sku, array[problem.rows_of(sku)]) for sku in range(network.skus)]
    assert by_sku == pytest.approx(problem.sku_cost(array).tolist(), abs=1e-9)


@given(seed=st.integers(0, 3_000), other=st.integers(0, 9))
def test_packs_fit_if_and_only_if_they_keep_every_capacity_and_limit(seed, other):
    network = random_network(seed)
    packs = some_packs(network, other)
    # The rules of a SKU are not for `fits` to judge.
    lenient = replace(network, ways=tuple(replace(way, least=1) for way in network.ways))
    both = {(w.sku, w.origin) for w, n in zip(network.ways, packs, strict=True) if n} & {
        (w.sku, w.destination) for w, n in zip(network.ways, packs, strict=True) if n
    }
    if not both:
        assert network.coupled().fits(np.asarray(packs)) == lenient.permits(packs)


@given(seed=st.integers(0, 3_000), other=st.integers(0, 9))
def test_what_packs_are_worth_is_what_the_plan_loses_without_them(seed, other):
    network = replace(random_network(seed), lane_cost={}, line_cost=0.0, shared=())
    problem, packs = network.coupled(), np.asarray(some_packs(network, other))
    used = np.flatnonzero(packs)
    worth = problem.taken_worth(packs, used, np.ones(len(used), dtype=np.int64))
    for arc, lost in zip(used.tolist(), worth.tolist(), strict=True):
        without = packs.copy()
        without[arc] -= 1
        assert lost == pytest.approx(problem.objective(without) - problem.objective(packs), abs=1e-9)


def test_the_use_of_a_limit_counts_packs_lines_and_departures():
    network = replace(PAIR, shared=(Shared(20.0, (2.0, 3.0), per_line=0.5, per_departure={(0, 1): 4.0}),))
    problem = network.coupled()
    assert problem.usage(np.asarray([2, 1])).tolist() == [2 * 2 + 3 + 2 * 0.5 + 4]
    assert problem.usage(np.asarray([0, 0])).tolist() == [0.0]
    assert problem.line_price(np.asarray([3.0])) == 0.25 + 1.5
    assert problem.weights_of(1).toarray().tolist() == [[3.0]]
    assert problem.fits(np.asarray([2, 1]))
    assert not problem.fits(np.asarray([4, 3]))


def test_no_more_packs_are_worth_moving_than_pay_by_themselves():
    # 10 - 0 and 6 - 3 pay at a cost of 1, 2 - 5 does not; with 4 more a pack, the first alone does.
    problem = PAIR.coupled()
    assert problem.worth_moving.tolist() == [2, 1]
    assert problem.worth_moving_at(np.asarray([4.0, 0.0])).tolist() == [1, 1]
    assert problem.worth_moving_at(np.asarray([50.0, 50.0])).tolist() == [1, 1]
    least = replace(problem, arc_least=np.asarray([3, 1]))
    assert least.worth_moving.tolist() == [3, 1]


@given(seed=st.integers(0, 3_000), charge=st.floats(0, 6))
def test_some_best_plan_under_a_charge_moves_no_more_than_is_worth_moving(seed, charge):
    network = random_network(seed, coupled=False, rules=False)
    most = network.coupled().worth_moving_at(np.full(len(network.ways), charge))
    dearer = replace(network, ways=tuple(replace(way, cost=way.cost + charge) for way in network.ways))
    capped = tuple(replace(way, most=min(way.most, int(m))) for way, m in zip(dearer.ways, most, strict=True))
    assert replace(dearer, ways=capped).best() == pytest.approx(dearer.best())


@pytest.mark.parametrize(
    ("fields", "couples"),
    [
        ({"lane_cost": {}}, False),
        ({}, True),
        ({"lane_cost": {}, "capacity": {(0, 1): 5.0}}, True),
        ({"lane_cost": {}, "shared": (Shared(5.0, (1.0, 1.0)),)}, True),
    ],
)
def test_skus_share_something_where_departures_cost_money_or_anything_is_limited(fields, couples):
    assert replace(PAIR, **fields).coupled().couples is couples


def test_some_skus_beside_the_standing_packs_of_all_others_fit_and_cost_what_they_add():
    whole = benchmark_problem(200, capacity=60.0)
    packs = Flows(whole.arrays).solve().packs
    skus = np.asarray([2, 50, 199])
    rows = np.flatnonzero(np.isin(whole.arrays.arc_sku, skus))
    others = packs.copy()
    others[rows] = 0
    part: Coupled = whole.part(skus, whole.load(others))
    added = whole.objective(packs) - whole.objective(others)
    assert part.objective(packs[rows]) == pytest.approx(added)
    assert part.lane_capacity == pytest.approx(np.maximum(60.0 - whole.volume(others), 0.0))
