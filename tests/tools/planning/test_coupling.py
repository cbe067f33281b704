"""From facts to the fast path's problem: its money, rules and limits are those of the independent evaluator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import (
    a_forecast,
    a_lane,
    a_move,
    a_needy_network,
    a_position,
    a_site,
    a_sku,
    a_supply,
    limits_for,
)
from tests.tools.planning.random_networks import Case, random_case
from tools.planning import coupling, evaluate
from tools.planning.coupled import Coupled
from tools.planning.coupling import coupled_of, delivered_in_part, moves_of_packs
from tools.planning.limits import WholeSet
from tools.planning.sku_rules import rule_breakers
from tools.planning.table import Table, tabulate
from tools.transfers import Overlays, PlanRequest
from tools.whatif import assumed

REQUEST = PlanRequest()
JUDGED_BY_TABLE = {"units_per_line", "send_cap", "receive_cap"}


def built(snapshot=None, limits=None, request=REQUEST, standing=()) -> Coupled:
    facts, limits = snapshot or a_needy_network(), limits or limits_for()
    return coupled_of(tabulate(facts, limits, request), facts, limits, request, standing)


def a_table_of(case: Case) -> tuple[Table, Coupled, Case]:
    facts = assumed(case.snapshot, case.request.overlays)
    table = tabulate(facts, case.limits, case.request)
    return table, coupled_of(table, facts, case.limits, case.request), replace(case, snapshot=facts)


def some_packs(problem: Coupled, seed: int) -> np.ndarray:
    """Packs that their curves hold, whatever limits they break."""
    rng, a = np.random.default_rng(seed), problem.arrays
    packs = np.zeros(len(a.arc_sku), dtype=np.int64)
    for arc in rng.permutation(len(packs))[: int(rng.integers(0, 4))].tolist():
        packs[arc] = int(rng.integers(problem.arc_least[arc], a.arc_most[arc] + 1))
        if (problem.sent(packs) > problem.losses.packs).any() or (problem.received(packs) > problem.gains.packs).any():
            packs[arc] = 0
    return packs


@given(seed=st.integers(0, 9_000), other=st.integers(0, 5))
def test_packs_are_worth_what_the_evaluator_says_and_fit_where_it_finds_no_breach(seed, other):
    table, problem, case = a_table_of(random_case(seed))
    packs = some_packs(problem, other)
    moves = moves_of_packs(table, packs)
    found = evaluate(case.snapshot, case.limits, case.request, moves)
    assert problem.objective(packs) == pytest.approx(found.objective, rel=1e-6, abs=1e-6)
    sound = problem.fits(packs) and not len(rule_breakers(problem, packs))
    assert sound == (found.breaches == ()), (moves, found.breaches)


def test_limits_by_hand():
    sites = (
        a_site("S1", outbound_units_per_day=30),
        a_site("S2", inbound_units_per_day=60, storage_capacity_microlitres=50_000_000),
    )
    snapshot = a_needy_network(
        sites=sites,
        skus=(a_sku(pack_size=6),),
        lanes=(a_lane(capacity_microlitres_per_departure=40_000_000, cost_per_unit_e4=2_000, cost_per_litre_e4=500),),
        supply=(a_supply("S2", units=25, days=1),),
    )
    limits = limits_for(
        units_max=90, lines_max=4, goods_value_max_minor=7_000, line_charge_minor=40, line_hurdle_minor=60,
        lane_hurdle_minor=100,
    )  # fmt: skip
    request = PlanRequest(overlays=Overlays(max_units=80, max_lines=3, transport_budget_minor=9_000))
    problem = built(snapshot, limits, request)
    assert problem.lane_cost.tolist() == [500.0 + 100.0]
    assert problem.line_cost == 100.0
    assert np.floor(problem.lane_capacity).tolist() == [40_000_000]
    assert problem.arc_volume.tolist() == [6_000_000.0]
    rows = {
        (int(most), pack, line, lane)
        for most, pack, line, lane in zip(
            problem.limits.most.tolist(),
            problem.limits.per_pack.toarray()[:, 0].tolist(),
            problem.limits.per_line.tolist(),
            problem.limits.per_departure.toarray()[:, 0].tolist(),
            strict=True,
        )
    }
    assert rows == {
        (60 - 25, 6.0, 0.0, 0.0),  # handling in, beside the order that comes the same day
        (30, 6.0, 0.0, 0.0),  # handling out
        (25_000_000, 6_000_000.0, 0.0, 0.0),  # room beside what comes
        (90, 6.0, 0.0, 0.0), (80, 6.0, 0.0, 0.0), (4, 0.0, 1.0, 0.0), (3, 0.0, 1.0, 0.0),
        (700_000, 240_000.0, 0.0, 0.0),  # goods at cost, in ten-thousandths
        (900_000, 15_000.0, 4_000.0, 50_000.0),  # freight of 6 x (0.20 + 0.05), the charge of a line, a departure
    }  # fmt: skip


def test_no_limit_is_no_row():
    problem = built()
    assert len(problem.limits.most) == 0
    assert problem.lane_capacity.tolist() == [np.inf]


def test_a_pack_more_than_a_limit_does_not_fit_whatever_floats_do():
    # Three packs of 333,334 microlitres are 2 more than a litre.
    lanes = (a_lane(capacity_microlitres_per_departure=1_000_000),)
    problem = built(a_needy_network(skus=(a_sku(unit_volume_microlitres=333_334),), lanes=lanes))
    assert problem.fits(np.asarray([2]))
    assert not problem.fits(np.asarray([3]))
    exactly = built(a_needy_network(skus=(a_sku(unit_volume_microlitres=333_333),), lanes=lanes))
    assert exactly.fits(np.asarray([3]))


def test_moves_that_stand_use_up_their_part_of_every_limit_and_pay_for_their_departure():
    snapshot = a_needy_network(
        sites=(a_site("S1", outbound_units_per_day=30), a_site("S2", inbound_units_per_day=60)),
        skus=(a_sku("P1"), a_sku("P2")),
        positions=[a_position("S1", "P1", 100), a_position("S1", "P2", 100), a_position("S2", "P1", 0)],
        forecasts=[a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=100)],
        lanes=(a_lane(capacity_microlitres_per_departure=40_000_000),),
    )
    limits = limits_for("P1", "P2", units_max=50, lines_max=2, goods_value_max_minor=20_000)
    request = PlanRequest(overlays=Overlays(transport_budget_minor=9_000))
    table = tabulate(snapshot, limits, request)
    problem = coupled_of(table, snapshot, limits, request, (a_move(10, sku_id="P2"),))
    assert problem.lane_cost.tolist() == [0.0]
    assert np.floor(problem.lane_capacity).tolist() == [30_000_000]
    assert sorted(np.floor(problem.limits.most).tolist()) == sorted([50, 20, 40, 1, 1_600_000, 850_000])
    assert not problem.limits.per_departure.toarray().any()


@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=3),
    steps=st.lists(st.floats(0, 100, allow_nan=False), min_size=1, max_size=40),
)
def test_blocks_hold_every_pack_once_and_cost_no_more_than_any_of_theirs(lengths, steps):
    site = np.repeat(np.arange(len(lengths)), lengths)
    cost = np.concatenate([np.sort(np.resize(steps, length)) for length in lengths])
    first, width = coupling._blocks(np.zeros_like(site), site, cost)
    assert width.sum() == len(cost)
    assert (np.cumsum(width) - width).tolist() == first.tolist()
    for start, packs in zip(first.tolist(), width.tolist(), strict=True):
        assert len(set(site[start : start + packs].tolist())) == 1
        assert cost[start] == cost[start : start + packs].min()
    for place, length in enumerate(lengths):
        blocks = np.count_nonzero(site[first] == place)
        assert blocks <= coupling.BLOCKS_PER_CURVE + 1 or blocks == length <= coupling.BLOCKS_PER_CURVE


def test_no_packs_are_no_blocks():
    none = np.zeros(0, dtype=np.int64)
    assert [len(column) for column in coupling._blocks(none, none, np.zeros(0))] == [0, 0]


def test_moves_come_sorted_by_lane_and_sku():
    case = random_case(21)
    table, problem, _ = a_table_of(case)
    packs = np.ones(len(problem.arrays.arc_sku), dtype=np.int64)
    moves = moves_of_packs(table, packs)
    assert list(moves) == sorted(moves)
    assert len(moves) == len(packs)
    assert moves_of_packs(table, 0 * packs) == ()


def test_a_set_is_refused_where_only_a_part_of_it_comes():
    snapshot = a_needy_network(
        skus=(a_sku("P1"), a_sku("P2")),
        positions=[a_position("S1", sku, 50) for sku in ("P1", "P2")],
        forecasts=[a_forecast("S2", sku, daily_units=20) for sku in ("P1", "P2")],
    )
    whole = WholeSet("S2", ("P1", "P2"), ("P1", "P2"))
    limits = limits_for("P1", "P2", whole_sets=(whole,))
    table = tabulate(snapshot, limits, REQUEST)
    assert len(table.arc_sku) == 2
    for packs, refused in (([3, 0], [True, True]), ([3, 1], [False, False]), ([0, 0], [False, False])):
        assert delivered_in_part(table, limits, np.asarray(packs)).tolist() == refused
    started = replace(limits, whole_sets=(replace(whole, missing=("P2",)),))
    assert delivered_in_part(table, started, np.asarray([0, 2])).tolist() == [False, False]
    assert delivered_in_part(table, started, np.asarray([2, 0])).tolist() == [True, True]
