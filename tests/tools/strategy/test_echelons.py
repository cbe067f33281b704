"""The guaranteed-service model: published answers, enumeration, and what pooling is worth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.strategy.echelons import ANY_PROMISE, Stage, place, placement_of


def a_stage(
    lead: int, holding: float, variance: float = 1.0, *, promise_max: int = ANY_PROMISE, inbound: int = 0,
    factor: float = 1.0, level: float = 0.0,
) -> Stage:  # fmt: skip
    """A stage for one SKU."""
    return Stage(
        lead_days=np.array([lead]), daily_holding=np.array([holding]), daily_variance=np.array([variance]),
        level_variance=np.array([level]), factor=np.array([factor]), promise_max=np.array([promise_max]),
        inbound_days=np.array([inbound]),
    )  # fmt: skip


def together(*stages: Stage) -> Stage:
    """Stages of one SKU each as one stage of many."""
    fields = Stage.__dataclass_fields__
    return Stage(**{name: np.concatenate([getattr(stage, name) for stage in stages]) for name in fields})


def test_the_published_example_of_a_tree_has_its_published_answer() -> None:
    """Snyder and Shen, Fundamentals of Supply Chain Theory, 2nd ed. (2019), Example 6.5: 2 sqrt 2 + sqrt 6 + 3 = 8.28."""
    stages = [
        a_stage(2, 1, 2, inbound=1),
        a_stage(1, 3, promise_max=0),
        a_stage(1, 2, 2),
        a_stage(1, 3, promise_max=1),
    ]
    found = place(stages, [(0, 2), (2, 1), (2, 3)])
    assert found.promise_days[:, 0].tolist() == [0, 0, 0, 1]
    assert found.daily_cost[0] == pytest.approx(2 * sqrt(2) + sqrt(6) + 3, abs=1e-12)


def test_a_serial_line_solved_by_hand_keeps_all_its_stock_at_the_end() -> None:
    """Forming, firing, glazing: the same book's Problem 6.7. Holding at the end alone costs 4 * 40 * sqrt 5.

    The other three ways to stop at forming, firing, or both cost 390, 434 and 459.
    """
    guard = {"factor": 4.0}
    line = [a_stage(1, 2, 100, inbound=1, **guard), a_stage(1, 3, 100, **guard), a_stage(2, 4, 100, promise_max=0, **guard)]  # fmt: skip
    found = place(line, [(0, 1), (1, 2)])
    assert found.promise_days[:, 0].tolist() == [2, 3, 0]
    assert found.net_days[:, 0].tolist() == [0, 0, 5]
    assert found.daily_cost[0] == pytest.approx(160 * sqrt(5))


def test_one_stage_covers_its_lead_time_and_what_it_waits_for() -> None:
    found = place([a_stage(3, 2, 4, promise_max=0, inbound=6, factor=1.5)], [])
    assert (found.net_days[0, 0], found.daily_cost[0]) == (9, pytest.approx(2 * 1.5 * sqrt(36)))


def test_the_uncertainty_of_the_level_grows_with_the_square_of_the_days() -> None:
    stage = a_stage(0, 1, 3, level=2, factor=2)
    assert stage.safety_stock(np.array([4]))[0] == pytest.approx(2 * sqrt(3 * 4 + 2 * 16))


def test_risk_is_pooled_where_the_stores_are_many_and_passed_on_where_there_is_one() -> None:
    def cheapest(stores: int) -> list[int]:
        stages = [a_stage(4, 1, stores), *(a_stage(9, 1, promise_max=0) for _ in range(stores))]
        found = place(stages, [(0, store + 1) for store in range(stores)])
        return found.promise_days[:, 0].tolist()

    assert cheapest(1) == [4, 0], "sqrt 13 at the store is less than sqrt 4 at the centre and sqrt 9 at the store"
    assert cheapest(16)[0] == 0, "16 (sqrt 13 - sqrt 9) at the stores is more than sqrt (16 * 4) at the centre"


def test_a_stage_may_wait_longer_for_one_supplier_than_another_promises() -> None:
    """The first stage answers its other customer at once, while the second waits for its dear supplier all the same."""
    stages = [a_stage(2, 0.1), a_stage(1, 1, promise_max=0), a_stage(2, 9), a_stage(1, 2, promise_max=0)]
    links = [(0, 1), (2, 1), (0, 3)]
    found = place(stages, links)
    assert found.promise_days[:, 0].tolist() == [0, 0, 2, 0]
    assert found.inbound_days[:, 0].tolist() == [0, 2, 0, 0]
    assert found.daily_cost[0] == pytest.approx(0.1 * sqrt(2) + sqrt(3) + 2)
    assert found.daily_cost[0] == pytest.approx(by_enumeration(stages, links))


@pytest.mark.parametrize("links", [[(0, 1), (1, 2), (2, 0)], [(0, 1), (0, 1)], [(0, 0)]])
def test_links_in_a_circle_are_refused(links: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="tree"):
        place([a_stage(1, 1)] * 3, links)


def test_a_link_to_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="not there"):
        place([a_stage(1, 1)], [(0, 1)])


figures = st.builds(
    a_stage, lead=st.integers(0, 3), holding=st.integers(1, 9), variance=st.integers(0, 9),
    promise_max=st.sampled_from((0, 0, 1, 2, ANY_PROMISE)), inbound=st.integers(0, 2), level=st.sampled_from((0.0, 0.7)),
)  # fmt: skip


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[Stage], list[tuple[int, int]]]:
    """Up to five stages; each but the first hangs on an earlier one, as its customer or as its supplier."""
    stages = draw(st.lists(figures, min_size=1, max_size=5))
    links = []
    for stage in range(1, len(stages)):
        other = draw(st.integers(-1, stage - 1))
        if other >= 0:
            links.append((other, stage) if draw(st.booleans()) else (stage, other))
    return stages, links


@given(trees())
@settings(max_examples=150, deadline=None)
def test_no_service_times_cost_less_than_those_of_the_programme(
    tree: tuple[list[Stage], list[tuple[int, int]]],
) -> None:
    stages, links = tree
    found = place(stages, links)
    assert found.daily_cost[0] == pytest.approx(by_enumeration(stages, links), rel=1e-9, abs=1e-9)
    assert (found.net_days >= 0).all()
    for supplier, customer in links:
        assert found.promise_days[supplier, 0] <= found.inbound_days[customer, 0]
    assert all(found.promise_days[k, 0] <= stage.promise_max[0] for k, stage in enumerate(stages))


def by_enumeration(stages: Sequence[Stage], links: Sequence[tuple[int, int]]) -> float:
    """The least cost over all promises of whole days, tried one by one."""
    suppliers = [[i for i, j in links if j == k] for k in range(len(stages))]
    longest = int(sum(stage.lead_days[0] + stage.inbound_days[0] for stage in stages))
    caps = [min(longest, int(stage.promise_max[0])) for stage in stages]
    # A stage without customers is best off with the longest promise that it may make, so it need not be tried.
    tried = [range(cap + 1) if any(i == k for i, _ in links) else (None,) for k, cap in enumerate(caps)]
    least = inf
    for promises in product(*tried):
        cost = 0.0
        for k, stage in enumerate(stages):
            waits = [promises[i] for i in suppliers[k]]
            reach = (max(waits) if waits else int(stage.inbound_days[0])) + int(stage.lead_days[0])
            promise = promises[k] if promises[k] is not None else min(reach, caps[k])
            if promise > reach:
                break
            cost += stage.daily_holding[0] * stage.safety_stock(np.array([reach - promise]))[0]
            if cost >= least:
                break
        else:
            least = cost
    return least


@given(st.lists(st.tuples(*[figures] * 4), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_many_skus_at_once_are_placed_as_each_by_itself(skus: list[tuple[Stage, ...]]) -> None:
    links = [(0, 1), (1, 2), (3, 1)]
    found = place([together(*(sku[k] for sku in skus)) for k in range(4)], links)
    for column, sku in enumerate(skus):
        alone = place(sku, links)
        assert found.daily_cost[column] == pytest.approx(alone.daily_cost[0], rel=1e-12, abs=1e-12)


def test_skus_taken_in_portions_are_placed_as_in_one() -> None:
    """A table of 101 by 152 days for each SKU: 600 of them do not fit into one portion."""
    line = [a_stage(100, 1, 4), a_stage(51, 1.5, 4), a_stage(2, 2, 4, promise_max=0)]
    links = [(0, 1), (1, 2)]
    found = place([together(*[stage] * 600) for stage in line], links)
    assert np.unique(found.daily_cost).tolist() == place(line, links).daily_cost.tolist()


def test_given_service_times_are_costed_as_they_are() -> None:
    stages = [a_stage(4, 1, 9), a_stage(5, 2, 9, promise_max=0)]
    found = placement_of(stages, np.array([[0], [4]]), np.array([[4], [0]]))
    assert found.net_days[:, 0].tolist() == [0, 9]
    assert found.daily_cost[0] == pytest.approx(2 * 3 * 3)
