"""Arrays that mean nothing are refused with the place of the fault, and sound ones never are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.planning.random_networks import random_case
from tests.tools.planning.written_networks import Network, Shared, Way, benchmark_problem, random_network
from tools.planning.checks import PACKS_MAX, check_problem
from tools.planning.coupled import Coupled
from tools.planning.coupling import coupled_of
from tools.planning.table import tabulate
from tools.whatif import assumed

SOUND = Network(
    (Way(0, 0, 1, cost=1.0), Way(0, 0, 2, cost=2.0), Way(1, 0, 1, cost=1.0)),
    gains={(0, 1): (9.0, 5.0), (0, 2): (7.0,), (1, 1): (6.0, 4.0)},
    losses={(0, 0): (0.0, 1.0), (1, 0): (-2.0, 3.0)},
    lane_cost={(0, 1): 2.0, (0, 2): 2.0},
    capacity={(0, 1): 5.0},
    line_cost=0.5,
    shared=(Shared(6.0, (1.0, 1.0, 1.0), per_line=1.0, per_departure={(0, 1): 2.0}),),
)
FLOATS = ("arc_cost", "send_loss", "receive_gain", "arc_volume", "lane_cost", "lane_capacity")
NEVER_NEGATIVE = ("arc_cost", "arc_volume", "lane_cost", "lane_capacity", "arc_most", "arc_least")
INDICES = (
    ("arc_sku", 2), ("arc_origin", 3), ("arc_destination", 3), ("arc_lane", 9),
    ("send_sku", 2), ("send_site", 3), ("receive_sku", 2), ("receive_site", 3),
)  # fmt: skip


def changed(name: str, row: int, value: float) -> Coupled:
    """The sound problem with one number replaced."""
    problem = SOUND.coupled()
    holder = problem if hasattr(problem, name) else problem.arrays
    values = getattr(holder, name).copy()
    values[row] = value
    if holder is problem:
        return replace(problem, **{name: values})
    return replace(problem, arrays=replace(problem.arrays, **{name: values}))


@given(seed=st.integers(0, 5_000))
def test_sound_arrays_pass(seed):
    check_problem(random_network(seed).coupled())
    check_problem(random_network(seed, coupled=False).coupled())


@given(seed=st.integers(0, 5_000))
def test_what_is_made_of_facts_passes(seed):
    case = random_case(seed)
    facts = assumed(case.snapshot, case.request.overlays)
    table = tabulate(facts, case.limits, case.request)
    check_problem(coupled_of(table, facts, case.limits, case.request))


def test_a_benchmark_passes():
    check_problem(benchmark_problem(40, capacity=60.0))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", FLOATS)
def test_a_number_that_is_none_is_refused_with_its_place(name, value):
    if name == "lane_capacity" and value == np.inf:
        check_problem(changed(name, 1, value))
        return
    with pytest.raises(ValueError, match=rf"^{name}\[1\] is {value}"):
        check_problem(changed(name, 1, value))


@pytest.mark.parametrize("name", NEVER_NEGATIVE)
def test_less_than_nothing_is_refused(name):
    with pytest.raises(ValueError, match=rf"^{name}\[1\] is -3.*0 or more|from 0 to"):
        check_problem(changed(name, 1, -3))


@pytest.mark.parametrize(("name", "most"), INDICES)
@pytest.mark.parametrize("below", [True, False])
def test_a_number_of_nothing_is_refused(name, most, below):
    value = -1 if below else most
    with pytest.raises(ValueError, match=rf"^{name}\[0\] is {value}: a number from 0 to {most - 1}"):
        check_problem(changed(name, 0, value))


@pytest.mark.parametrize("name", ["send_packs", "receive_packs"])
@pytest.mark.parametrize("packs", [0, -4, PACKS_MAX + 1])
def test_a_block_holds_at_least_one_pack_and_no_more_than_can_be_counted(name, packs):
    with pytest.raises(ValueError, match=rf"^{name}\[0\] is {packs}: a block of 1 to"):
        check_problem(changed(name, 0, packs))


@pytest.mark.parametrize("name", ["arc_sku", "send_sku", "receive_sku"])
def test_rows_that_are_not_sorted_by_sku_are_refused(name):
    with pytest.raises(ValueError, match=rf"^{name}\[1\] is 0: a SKU number not below"):
        check_problem(changed(name, 0, 1))


def test_gains_that_rise_and_losses_that_fall_are_refused():
    with pytest.raises(ValueError, match=r"^receive_gain\[1\] is 10.0: gains that fall"):
        check_problem(changed("receive_gain", 1, 10.0))
    with pytest.raises(ValueError, match=r"^send_loss\[3\] is -3.0: losses that rise"):
        check_problem(changed("send_loss", 3, -3.0))
    # The last digit of a difference of large sums is rounding.
    check_problem(changed("receive_gain", 1, 9.0 + 1e-7))


def test_a_lane_leads_from_one_site_to_another():
    with pytest.raises(ValueError, match=r"^arc_destination\[1\] is 0: a site other than"):
        check_problem(changed("arc_destination", 1, 0))


def test_blocks_that_offer_more_than_the_curve_is_worth_are_refused():
    with pytest.raises(ValueError, match="send_packs offers 3 packs of SKU 0 at site 0, but its curve holds 2"):
        check_problem(changed("send_packs", 0, 2))


def test_columns_of_different_lengths_are_refused():
    problem = SOUND.coupled()
    with pytest.raises(ValueError, match=r"arc_volume has the shape \(2,\): \(3,\) belongs there"):
        check_problem(replace(problem, arc_volume=problem.arc_volume[:2]))
    with pytest.raises(ValueError, match="arc_cost has the shape"):
        check_problem(replace(problem, arrays=replace(problem.arrays, arc_cost=np.ones(4))))
    with pytest.raises(ValueError, match="arc_most holds float64: whole numbers"):
        check_problem(replace(problem, arrays=replace(problem.arrays, arc_most=np.ones(3))))


def test_what_lines_and_limits_cost_is_a_finite_number():
    problem = SOUND.coupled()
    for wrong in (np.nan, -1.0, np.inf):
        with pytest.raises(ValueError, match=r"^line_cost\[0\]"):
            check_problem(replace(problem, line_cost=wrong))
        for name in ("most", "per_line"):
            limits = replace(problem.limits, **{name: np.asarray([wrong])})
            with pytest.raises(ValueError, match=rf"^limits.{name}\[0\]"):
                check_problem(replace(problem, limits=limits))
        matrix = problem.limits.per_pack.copy()
        matrix.data[1] = wrong
        with pytest.raises(ValueError, match=r"^limits.per_pack\[1\]"):
            check_problem(replace(problem, limits=replace(problem.limits, per_pack=matrix)))


def test_a_departure_that_uses_a_limit_costs_something():
    with pytest.raises(ValueError, match=r"^lane_cost\[1\] is 0.0: more than 0, because the lane's departure uses"):
        check_problem(changed("lane_cost", 1, 0.0))


def test_one_message_says_how_many_more_there_are():
    problem = SOUND.coupled()
    with pytest.raises(ValueError, match=r"arc_cost\[0\] is nan \(and 2 more like it\)"):
        check_problem(replace(problem, arrays=replace(problem.arrays, arc_cost=np.full(3, np.nan))))
