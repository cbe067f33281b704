"""One min-cost flow per SKU: against trying everything, known totals, and both solver libraries in one process."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.instances import arrays_of, curves
from tests.tools.planning.written_networks import Network, Way, random_network
from tools.planning import flow
from tools.planning.flow import FlowArrays, Flows

ROOT = Path(__file__).parents[3]
PAIR = Network((Way(0, 0, 1, cost=1.0),), gains={(0, 1): (10.0, 6.0, 2.0)}, losses={(0, 0): (0.0, 3.0, 5.0)})


@pytest.fixture(scope="module")
def two_hundred_skus() -> FlowArrays:
    return arrays_of(curves(200))


def test_packs_move_as_long_as_each_gains_more_than_it_loses_and_costs():
    # 10 - 0 - 1 = 9 and 6 - 3 - 1 = 2 pay; the third pack would lose 2 - 5 - 1 = -4.
    found = Flows(PAIR.flow_arrays()).solve()
    assert found.packs.tolist() == [2]
    assert found.value.tolist() == [-11.0]
    assert found.priced[0] == pytest.approx(-11.0, rel=1e-6)


def test_of_two_receivers_the_one_that_gains_more_is_served_first():
    # One pack: S1 gains 8 for 1, S2 gains 9 for 3. A second pack at S0 goes to S2.
    ways = (Way(0, 0, 1, cost=1.0), Way(0, 0, 2, cost=3.0))
    gains = {(0, 1): (8.0,), (0, 2): (9.0,)}
    one = Flows(Network(ways, gains, {(0, 0): (0.0,)}).flow_arrays()).solve()
    assert (one.packs.tolist(), one.value.tolist()) == ([1, 0], [-7.0])
    two = Flows(Network(ways, gains, {(0, 0): (0.0, 2.0)}).flow_arrays()).solve()
    assert (two.packs.tolist(), two.value.tolist()) == ([1, 1], [-11.0])


def test_a_flow_alone_lets_a_site_pass_on_what_it_gets():
    # There is no way from S0 to S2; S1 gains 4 from its first pack and loses 4 with it, so what comes goes on.
    network = Network(
        (Way(0, 0, 1, cost=1.0), Way(0, 1, 2, cost=1.0)),
        gains={(0, 1): (4.0,), (0, 2): (20.0,)},
        losses={(0, 0): (0.0,), (0, 1): (4.0,)},
    )
    assert Flows(network.flow_arrays()).solve().packs.tolist() == [1, 1]
    assert network.best(rules=False) == -18.0
    assert network.best() == -15.0


@given(seed=st.integers(0, 3_000))
def test_the_flow_of_every_small_network_is_the_best_of_all_that_could_be_moved(seed):
    network = random_network(seed, coupled=False, rules=False)
    found = Flows(network.flow_arrays()).solve()
    best = network.best(rules=False)
    assert found.value.sum() == pytest.approx(best, abs=1e-5)
    assert network.price(tuple(found.packs.tolist()), charges=False) == pytest.approx(best, abs=1e-5)
    assert best - 1e-4 <= found.priced.sum() <= best


def test_the_total_of_two_hundred_skus_is_the_known_one(two_hundred_skus):
    found = Flows(two_hundred_skus).solve()
    assert len(two_hundred_skus.arc_sku) == 9_603
    assert found.value.sum() == pytest.approx(-34_510.32, abs=0.01)
    assert -34_510.32 - 0.05 < found.priced.sum() <= found.value.sum()


def test_the_total_of_two_thousand_skus_is_the_known_one():
    found = Flows(arrays_of(curves(2_000))).solve()
    assert found.value.sum() == pytest.approx(-409_456.59, abs=0.01)


def test_segments_that_no_flow_could_use_change_nothing(two_hundred_skus):
    every = Flows(arrays_of(curves(200), keep_segments=True)).solve()
    assert every.value.sum() == pytest.approx(Flows(two_hundred_skus).solve().value.sum(), abs=1e-3)


def test_how_many_skus_are_handed_over_together_changes_no_pack(two_hundred_skus, monkeypatch):
    together = Flows(two_hundred_skus).solve()
    monkeypatch.setattr(flow, "BATCH_ARCS", 1)
    alone = Flows(two_hundred_skus).solve()
    assert alone.value.tolist() == pytest.approx(together.value.tolist(), abs=1e-4)
    assert alone.priced.tolist() == together.priced.tolist()


def test_a_charge_steers_and_is_paid_in_the_priced_value_alone():
    # With 2.5 more the second pack no longer pays: 6 - 3 - 1 - 2.5 < 0.
    found = Flows(PAIR.flow_arrays()).solve(extra=np.asarray([2.5]))
    assert found.packs.tolist() == [1]
    assert found.value.tolist() == [-9.0]
    assert found.priced[0] == pytest.approx(-6.5, rel=1e-6)


def test_only_usable_arcs_carry_and_only_as_much_as_they_may():
    ways = (Way(0, 0, 1, cost=1.0), Way(0, 2, 1, cost=0.0))
    network = Network(ways, gains={(0, 1): (10.0, 9.0, 8.0)}, losses={(0, 0): (0.0,) * 3, (0, 2): (0.0,) * 3})
    flows = Flows(network.flow_arrays())
    assert flows.solve().packs.tolist() == [0, 3]
    assert flows.solve(usable=np.asarray([True, False])).packs.tolist() == [3, 0]
    assert flows.solve(most=np.asarray([10, 1])).packs.tolist() == [2, 1]
    assert flows.solve(most=np.asarray([0, 1])).packs.tolist() == [0, 1]


def test_skus_that_are_not_asked_for_stay_as_they_are(two_hundred_skus):
    flows = Flows(two_hundred_skus)
    every, some = flows.solve(), flows.solve(skus=[3, 150, 3])
    for sku in range(200):
        rows = two_hundred_skus.arc_sku == sku
        if sku in (3, 150):
            assert some.packs[rows].tolist() == every.packs[rows].tolist()
            assert some.priced[sku] == every.priced[sku]
        else:
            assert not some.packs[rows].any()
            assert (some.value[sku], some.priced[sku]) == (0, 0)


def test_a_block_of_several_packs_is_as_good_as_its_packs_one_by_one():
    one = Network(
        (Way(0, 0, 1, cost=1.0, most=6),), gains={(0, 1): (9.0,) * 4 + (3.0,) * 2}, losses={(0, 0): (1.0,) * 5}
    ).flow_arrays()
    wide = replace(
        one,
        send_sku=np.asarray([0]), send_site=np.asarray([0]), send_packs=np.asarray([5]), send_loss=np.asarray([1.0]),
        receive_sku=np.asarray([0, 0]), receive_site=np.asarray([1, 1]), receive_packs=np.asarray([4, 2]),
        receive_gain=np.asarray([9.0, 3.0]),
    )  # fmt: skip
    for arrays in (one, wide):
        found = Flows(arrays).solve()
        assert (found.packs.tolist(), found.value.tolist()) == ([5], [-29.0])


@given(seed=st.integers(0, 3_000), scale=st.sampled_from([1e-5, 1e-2, 1e3, 1e9]))
def test_all_money_times_as_much_is_the_value_times_as_much(seed, scale):
    one = random_network(seed, coupled=False, rules=False).flow_arrays()
    scaled = replace(
        one, arc_cost=one.arc_cost * scale, send_loss=one.send_loss * scale, receive_gain=one.receive_gain * scale
    )
    assert Flows(scaled).solve().value.sum() == pytest.approx(scale * Flows(one).solve().value.sum(), rel=1e-6)


@given(seed=st.integers(0, 3_000))
def test_a_further_arc_never_makes_a_flow_worse(seed):
    network = random_network(seed, coupled=False, rules=False)
    flows = Flows(network.flow_arrays())
    fewer = np.ones(len(network.ways), dtype=np.bool_)
    fewer[-1] = False
    assert flows.solve().priced.sum() <= flows.solve(usable=fewer).priced.sum() + 1e-9


def test_nothing_to_move_is_a_flow_of_nothing():
    # S0 would lose more than S1 gains; and a network whose only arc is closed.
    dear = Network((Way(0, 0, 1),), gains={(0, 1): (1.0,)}, losses={(0, 0): (1.0,)})
    for found in (
        Flows(dear.flow_arrays()).solve(),
        Flows(PAIR.flow_arrays()).solve(usable=np.asarray([False])),
        Flows(PAIR.flow_arrays()).solve(skus=[]),
    ):
        assert (found.packs.tolist(), found.value.tolist(), found.priced.tolist()) == ([0], [0.0], [0.0])


def test_a_flow_that_the_solver_does_not_prove_is_an_error_and_no_answer():
    # Two blocks of 2^62 packs out of one node are more than the solver can count.
    most = np.full(3, 2**62)
    arrays = replace(PAIR.flow_arrays(), send_packs=most, receive_packs=most, arc_most=most[:1])
    with pytest.raises(ArithmeticError, match="BAD_CAPACITY_RANGE"):
        Flows(arrays).solve()


def test_rows_are_sorted_by_sku_and_keep_their_order_within_it():
    found = FlowArrays.sorted(
        skus=2, sites=2, lanes=1,
        arc_sku=np.asarray([1, 0, 1]), arc_origin=np.asarray([0, 0, 1]), arc_destination=np.asarray([1, 1, 0]),
        arc_lane=np.asarray([0, 0, 0]), arc_most=np.asarray([7, 8, 9]), arc_cost=np.asarray([1.0, 2.0, 3.0]),
        send_sku=np.asarray([1, 0]), send_site=np.asarray([0, 0]), send_packs=np.asarray([1, 1]),
        send_loss=np.asarray([5.0, 6.0]), receive_sku=np.asarray([0]), receive_site=np.asarray([1]),
        receive_packs=np.asarray([1]), receive_gain=np.asarray([4.0]),
    )  # fmt: skip
    assert found.arc_most.tolist() == [8, 7, 9]
    assert found.send_loss.tolist() == [6.0, 5.0]
    assert found.first_loss.tolist() == [[6.0, np.inf], [5.0, np.inf]]
    assert found.first_gain.tolist() == [[-np.inf, 4.0], [-np.inf, -np.inf]]


def test_skus_cut_out_of_the_arrays_flow_as_they_did_among_all(two_hundred_skus):
    every, skus = Flows(two_hundred_skus).solve(), np.asarray([5, 17, 120])
    rows = np.flatnonzero(np.isin(two_hundred_skus.arc_sku, skus))
    part = Flows(two_hundred_skus.of_skus(skus, rows)).solve()
    assert part.packs.tolist() == every.packs[rows].tolist()
    assert part.value.tolist() == pytest.approx(every.value[skus].tolist())


BOTH = """
import warnings
warnings.simplefilter("ignore")
{imports}
import numpy as np
import pulp
from tools.planning.flow import FlowArrays, Flows
problem = pulp.LpProblem("p", pulp.LpMaximize)
x = problem.add_variable("x", 0, 3)
problem += 2 * x
problem.solve(pulp.HiGHS(msg=False))
one, zero, money = np.ones(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.ones(1)
arrays = FlowArrays(1, 2, 1, zero, zero, one, zero, 9 * one, money, zero, zero, 3 * one, money, zero, one, one, 5 * money)
print(problem.sol_status, pulp.value(problem.objective), Flows(arrays).solve().value.tolist())
problem.solve(pulp.HiGHS(msg=False))
print(problem.sol_status, pulp.value(problem.objective))
"""


@pytest.mark.parametrize(
    "order", [("ortools.graph.python.min_cost_flow", "pulp"), ("pulp", "ortools.graph.python.min_cost_flow")]
)
def test_both_solver_libraries_work_in_one_process_whichever_is_imported_first(order):
    # PuLP imports HiGHS; with another pair of versions one of the two is missing without a word.
    done = subprocess.run(
        [sys.executable, "-c", BOTH.format(imports="\n".join(f"import {name}" for name in order))],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1 6.0 [-3.0]\n1 6.0\n"), done.stderr


def test_one_module_alone_imports_the_flow_library():
    importing = set()
    for package in ("app", "graphs", "policies", "tools", "evals", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text)) if "ortools" in text else ():
                names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                if any(name.split(".")[0] == "ortools" for name in names):
                    importing.add(path.relative_to(ROOT).as_posix())
    assert importing == {"tools/planning/flow.py"}
