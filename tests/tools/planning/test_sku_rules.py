"""The rules of one SKU by branch and bound: by hand, and against trying everything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.planning.written_networks import Network, Way, random_network
from tools.planning import sku_rules
from tools.planning.coupled import Coupled
from tools.planning.fast import plan_fast
from tools.planning.sku_rules import SkuProblems, best_of_skus, rule_breakers

LEAST = Network(
    # Two packs pay by themselves (9 and 6), a third costs 3: a line of at least three earns 12, one of four 12 - 7.
    (Way(0, 0, 1, cost=1.0, least=3),), gains={(0, 1): (10.0, 7.0, 0.0, -4.0)}, losses={(0, 0): (0.0, 0.0, 2.0, 2.0)}
)  # fmt: skip
PASSED_ON = Network(
    # S1 could pass on what it gets: 4 + 20 - 4 - 2 = 18 by a flow, but either way alone is 3 or 15.
    (Way(0, 0, 1, cost=1.0), Way(0, 1, 2, cost=1.0)),
    gains={(0, 1): (4.0,), (0, 2): (20.0,)},
    losses={(0, 0): (0.0,), (0, 1): (4.0,)},
)


def part_of(network: Network, *skus: int, **fields: list[float]) -> SkuProblems:
    problem = network.coupled()
    arcs = sum(rows.stop - rows.start for rows in map(problem.rows_of, skus or (0,)))
    given = {name: np.asarray(values) for name, values in fields.items() if name != "extra"}
    extra = np.asarray(fields.get("extra", [0.0] * arcs))
    return SkuProblems.of(problem, np.asarray(skus or (0,)), extra, **given)


def solved(network: Network, **fields: list[float]) -> tuple[list[int], float]:
    packs, bound = best_of_skus(part_of(network, **fields))
    return packs.tolist(), float(bound.sum())


def test_a_line_below_its_least_quantity_is_brought_up_to_it_where_that_pays():
    packs, bound = solved(LEAST)
    assert packs == [3]
    assert bound == pytest.approx(-12.0, abs=1e-5)
    assert LEAST.best() == -12.0


def test_a_line_that_loses_more_at_its_least_quantity_than_it_earns_is_closed():
    # At least four packs: 9 + 6 - 3 - 7 = 5 still pays; five are not there to send.
    assert solved(replace(LEAST, ways=(Way(0, 0, 1, cost=1.0, least=4),)))[0] == [4]
    assert solved(replace(LEAST, ways=(Way(0, 0, 1, cost=1.0, least=5),)))[0] == [0]
    dear = replace(LEAST, gains={(0, 1): (10.0, 7.0, -30.0, -30.0)})
    assert solved(dear) == ([0], 0.0)


def test_a_line_that_may_not_carry_its_least_quantity_is_no_line():
    assert solved(LEAST, most=[2])[0] == []
    assert solved(LEAST, usable=[False])[0] == []
    assert solved(LEAST, most=[3])[0] == [3]


def test_two_small_lines_become_one_that_is_large_enough():
    # Three packs are needed for a line; S2 and S3 want two each, so one of them takes three of the four.
    network = Network(
        (Way(0, 0, 1, least=3), Way(0, 0, 2, least=3)),
        gains={(0, 1): (9.0, 9.0, 1.0), (0, 2): (9.0, 8.0, 2.0)},
        losses={(0, 0): (0.0,) * 4},
    )
    assert solved(network)[0] in ([3, 0], [0, 3])
    assert solved(network)[1] == pytest.approx(network.best(), abs=1e-5)
    assert solved(replace(network, losses={(0, 0): (0.0,) * 6}))[0] == [3, 3]


def test_a_site_sends_or_receives_but_does_not_do_both():
    packs, bound = solved(PASSED_ON)
    assert packs == [0, 1]
    assert bound == pytest.approx(-15.0, abs=1e-5)
    richer = replace(PASSED_ON, gains={(0, 1): (4.0,), (0, 2): (6.0,)})
    assert solved(richer)[0] == [1, 0]


def test_a_forced_line_keeps_its_site_from_doing_the_opposite():
    # The line into S1 needs two packs: 4 + 3 - 2; what S1 sends on is worth 15 by itself, and is what remains.
    network = replace(
        PASSED_ON,
        ways=(Way(0, 0, 1, cost=1.0, least=2), Way(0, 1, 2, cost=1.0)),
        gains={(0, 1): (4.0, 3.0), (0, 2): (20.0,)},
        losses={(0, 0): (0.0, 0.0), (0, 1): (4.0,)},
    )
    assert solved(network)[0] == [0, 1]
    assert network.best() == -15.0


def test_a_line_is_kept_where_it_earns_its_charge_and_packs_share_one_charge():
    # One pack each earns 5 and 4 from two donors, or 5 and 3 from one: with a charge of 2 one line is better.
    network = Network(
        (Way(0, 0, 2, cost=1.0), Way(0, 1, 2, cost=2.0)),
        gains={(0, 2): (6.0, 6.0)}, losses={(0, 0): (0.0, 2.0), (0, 1): (0.0,)}, line_cost=2.0,
    )  # fmt: skip
    packs, bound = solved(network)
    assert packs == [2, 0]
    assert bound == pytest.approx(-6.0, abs=1e-5)
    assert solved(replace(network, line_cost=0.5))[0] == [1, 1]
    assert solved(replace(network, line_cost=8.5))[0] == [0, 0]


def test_lines_for_nothing_are_asked_for_by_the_charge_of_their_packs():
    network = replace(LEAST, line_cost=100.0)
    # 12 for three packs less 2 each.
    assert solved(network, extra=[2.0], line_charge=[0.0]) == ([3], pytest.approx(-6.0, abs=1e-5))
    assert part_of(network, extra=[2.0]).cost(np.asarray([3])).tolist() == [100.0 - 6.0]
    assert solved(network, extra=[2.0])[0] == [0]


@given(seed=st.integers(0, 6_000))
def test_the_packs_of_every_sku_are_the_best_that_keep_its_rules(seed):
    network = random_network(seed, coupled=False)
    skus = np.unique(network.coupled().arrays.arc_sku).tolist()
    if not skus:
        return
    part = part_of(network, *skus)
    found, bound = best_of_skus(part)
    packs = np.zeros(len(network.ways), dtype=np.int64)
    packs[part.rows] = found
    total = float(part.cost(found).sum())
    assert network.permits(tuple(packs.tolist()))
    assert network.price(tuple(packs.tolist())) == pytest.approx(total, abs=1e-9)
    assert total == pytest.approx(network.best(), abs=1e-6)
    assert network.best() - 1e-4 <= float(bound.sum()) <= network.best() + 1e-6


@given(seed=st.integers(0, 6_000))
def test_skus_side_by_side_are_solved_as_each_alone(seed):
    network = random_network(seed, coupled=False)
    skus = np.unique(network.coupled().arrays.arc_sku).tolist()
    if not skus:
        return
    together = part_of(network, *skus)
    packs, bound = best_of_skus(together)
    for n, sku in enumerate(skus):
        alone = part_of(network, sku)
        found, value = best_of_skus(alone)
        rows = together.arrays.arc_sku == n
        assert together.cost(packs)[n] == pytest.approx(alone.cost(found)[0], abs=1e-9)
        assert bound[n] == pytest.approx(value[0], abs=1e-4)
        assert together.rows[rows].tolist() == alone.rows.tolist()


@given(seed=st.integers(0, 6_000), nodes=st.integers(0, 6))
def test_a_search_that_is_cut_short_still_bounds_the_best_and_keeps_the_rules(seed, nodes):
    network = random_network(seed, coupled=False)
    skus = np.unique(network.coupled().arrays.arc_sku).tolist()
    if not skus:
        return
    part = part_of(network, *skus)
    packs, bound = best_of_skus(part, nodes_max=nodes)
    every = np.zeros(len(network.ways), dtype=np.int64)
    every[part.rows] = packs
    assert network.permits(tuple(every.tolist()))
    assert float(bound.sum()) <= network.best() + 1e-6
    assert float(part.cost(packs).sum()) >= network.best() - 1e-9


def in_wide_blocks(problem: Coupled, seed: int) -> Coupled:
    """The problem with neighbouring packs put into blocks, each priced at its first pack."""
    rng, columns = np.random.default_rng(seed), {}
    for group, money in (("send", "send_loss"), ("receive", "receive_gain")):
        sku, site = (getattr(problem.arrays, f"{group}_{name}") for name in ("sku", "site"))
        first = np.append(True, (np.diff(sku) != 0) | (np.diff(site) != 0))[: len(sku)]
        kept = np.flatnonzero(first | (rng.random(len(sku)) < 0.5))
        columns |= {f"{group}_{name}": getattr(problem.arrays, f"{group}_{name}")[kept] for name in ("sku", "site")}
        columns |= {money: getattr(problem.arrays, money)[kept], f"{group}_packs": np.diff(np.append(kept, len(sku)))}
    return replace(problem, arrays=replace(problem.arrays, **columns))


@given(seed=st.integers(0, 6_000), nodes=st.integers(1, 60))
def test_blocks_that_promise_more_than_their_packs_hold_leave_the_bound_below_the_best(seed, nodes):
    network = random_network(seed, coupled=False)
    problem = in_wide_blocks(network.coupled(), seed)
    skus = np.unique(problem.arrays.arc_sku)
    if not len(skus):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sku_rules, "PACKS_MAX", 0)
        part = SkuProblems.of(problem, skus, np.zeros(len(problem.arrays.arc_sku)))
    assert float(best_of_skus(part, nodes)[1].sum()) <= network.best() + 1e-6
    plan = plan_fast(problem)
    assert plan.bound <= network.best() + 1e-6
    assert network.permits(tuple(plan.packs.tolist()))


def test_the_money_of_wide_blocks_is_counted_from_the_front():
    part = part_of(LEAST)
    wide = replace(
        part.arrays,
        send_sku=np.asarray([0, 0]), send_site=np.asarray([0, 0]), send_packs=np.asarray([2, 2]),
        send_loss=np.asarray([0.0, 2.0]),
    )  # fmt: skip
    packs, bound = best_of_skus(replace(part, arrays=wide))
    assert packs.tolist() == [3]
    assert bound.tolist() == [pytest.approx(-12.0, abs=1e-5)]


def test_skus_that_break_a_rule_are_found():
    ways = (Way(0, 0, 1, least=3), Way(1, 0, 1), Way(1, 1, 2), Way(2, 0, 2))
    network = Network(
        ways,
        gains={(0, 1): (1.0,) * 3, (1, 1): (1.0,), (1, 2): (1.0,), (2, 2): (1.0,)},
        losses={(0, 0): (0.0,) * 3, (1, 0): (0.0,), (1, 1): (1.0,), (2, 0): (0.0,)},
    )
    problem = network.coupled()
    for packs, skus in (
        ([2, 1, 1, 1], [0, 1]), ([3, 1, 1, 1], [1]), ([3, 1, 0, 1], []), ([1, 0, 1, 1], [0]), ([0, 0, 0, 0], []),
    ):  # fmt: skip
        assert rule_breakers(problem, np.asarray(packs)).tolist() == skus
