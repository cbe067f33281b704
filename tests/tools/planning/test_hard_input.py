"""The whole door under networks that are empty, broken apart, full, or far too large: a sound plan or plain words."""

from __future__ import annotations

import math
from dataclasses import replace

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
from tools.inventory import Snapshot
from tools.planning import Limits, Solution, evaluate, make_plan
from tools.planning import solve as door
from tools.planning.fast import Effort
from tools.planning.solve import solve_fast
from tools.planning.table import SEGMENTS_MAX, tabulate
from tools.transfers import Overlays, PlanRequest, Scope, SolveStatus
from tools.whatif import assumed

REQUEST = PlanRequest()
LITTLE = Effort(iterations=8, repairs=2, trials=30, failures=8, polished=20)
BILLION = 10**9


def solve(
    snapshot: Snapshot, limits: Limits | None = None, request: PlanRequest = REQUEST
) -> tuple[Solution, Solution]:
    """The solutions of the door and of the fast path alone, both confirmed by the evaluator."""
    limits = limits or limits_for(*(sku.sku_id for sku in snapshot.skus))
    facts = assumed(snapshot, request.overlays)
    found = door(snapshot, limits, request), solve_fast(tabulate(facts, limits, request), facts, limits, request)
    for solution in found:
        judged = evaluate(facts, limits, request, solution.moves)
        assert judged.breaches == ()
        if solution.status.has_plan:
            assert judged.objective == pytest.approx(solution.objective, rel=1e-6, abs=1e-6)
            assert solution.bound is not None or "proves nothing beyond" in solution.note
            bound = -math.inf if solution.bound is None else solution.bound
            assert bound <= solution.objective + 1e-6 * max(1.0, abs(solution.objective))
            assert make_plan(snapshot, limits, request, solution).units == sum(
                move.packs * facts.sku_by_id[move.sku_id].pack_size for move in solution.moves
            )
        assert solution.moves or solution.note
    return found


@pytest.mark.parametrize(
    ("snapshot", "request_"),
    [
        (a_needy_network(), PlanRequest(scope=Scope(skus=("NONE",)))),
        (a_needy_network(), PlanRequest(scope=Scope(sites=("nowhere",)))),
        (a_needy_network(), PlanRequest(overlays=Overlays(max_units=0))),
        (a_needy_network(lanes=()), REQUEST),
        (a_needy_network(forecasts=()), REQUEST),
        (a_needy_network(positions=()), REQUEST),
        (a_needy_network(lanes=(a_lane(departure_weekdays=()),)), REQUEST),
        (a_needy_network(lanes=(a_lane(capacity_microlitres_per_departure=0),)), REQUEST),
        (a_needy_network(sites=(a_site("S1"), a_site("S2", storage_capacity_microlitres=0))), REQUEST),
        (a_needy_network(sites=(a_site("S1", outbound_units_per_day=0), a_site("S2"))), REQUEST),
        (a_needy_network(lanes=(a_lane(cost_fixed_e4=BILLION * 10_000),)), REQUEST),
        (a_needy_network(skus=(a_sku(min_transfer_units=BILLION),)), REQUEST),
        (a_needy_network(skus=(a_sku(pack_size=BILLION),)), REQUEST),
        (a_snapshot(sites=(a_site("S1"),), lanes=(), positions=(a_position("S1"),), forecasts=()), REQUEST),
        (a_snapshot(sites=(), skus=(), lanes=(), positions=(), forecasts=(), replenishments=()), REQUEST),
    ],
)
def test_where_nothing_can_be_moved_nothing_is_and_words_say_so(snapshot, request_):
    for solution in solve(snapshot, limits_for(), request_):
        assert (solution.status, solution.moves) == (SolveStatus.NOTHING_TO_MOVE, ())


def test_a_network_in_pieces_is_planned_piece_by_piece():
    snapshot = a_snapshot(
        sites=[a_site(f"S{n}") for n in range(1, 7)],
        lanes=(a_lane("S1", "S2"), a_lane("S3", "S4")),
        positions=[a_position(f"S{n}", on_hand_units=100 if n % 2 else 0) for n in range(1, 7)],
        forecasts=[a_forecast(f"S{n}", daily_units=0 if n % 2 else 100) for n in range(1, 7)],
        replenishments=[a_replenishment(f"S{n}") for n in range(1, 7)],
    )
    for solution in solve(snapshot):
        assert [(move.lane.origin, move.packs) for move in solution.moves] == [("S1", 100), ("S3", 100)]


def test_a_sku_that_nobody_asks_for_stays_where_it_is():
    snapshot = a_needy_network(
        skus=(a_sku("P1"), a_sku("P2")),
        positions=[a_position("S1", "P1", 100), a_position("S1", "P2", 100), a_position("S2", "P2", 100)],
        forecasts=(a_forecast("S2", "P1", daily_units=100),),
    )
    for solution in solve(snapshot):
        assert [(move.sku_id, move.packs) for move in solution.moves] == [("P1", 100)]


def test_a_thousand_million_units_are_moved_up_to_the_most_that_a_line_may_hold():
    many = a_needy_network(
        positions=(a_position("S1", on_hand_units=BILLION), a_position("S2", on_hand_units=0)),
        forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=BILLION / 7)),
    )
    for solution in solve(many):
        assert [move.packs for move in solution.moves] == [SEGMENTS_MAX]
    short = door(many, limits_for(), REQUEST)
    assert (short.status, short.bound) == (SolveStatus.FEASIBLE, None)
    assert "more than 4,096 packs" in short.note
    by_pallet = replace(many, skus=(a_sku(pack_size=1_000_000),))
    for solution in solve(by_pallet):
        # What sells for certain before the next supply: six sevenths of it.
        assert next(move.packs for move in solution.moves) in range(850, 872)


def test_money_beyond_all_measure_is_counted_all_the_same():
    dear = a_needy_network(skus=(a_sku(unit_cost_e4=10**12, unit_price_e4=10**13),))
    limits = limits_for(lost_unit_e4={"P1": 10**13}, leftover_unit_e4={"P1": 10**10}, goods_value_max_minor=10**14)
    for solution in solve(dear, limits):
        assert [move.packs for move in solution.moves] == [100]
        assert solution.objective == pytest.approx(-(10**11 + 10**8) * 100, rel=0.01)


def test_goods_too_large_for_the_van_and_goods_of_no_volume_go_by_their_limits():
    skus = (a_sku("P1", unit_volume_microlitres=10**12), a_sku("P2", unit_volume_microlitres=0))
    snapshot = a_needy_network(
        skus=skus,
        lanes=(a_lane(capacity_microlitres_per_departure=10**9),),
        positions=[a_position("S1", "P1", 50), a_position("S1", "P2", 50)],
        forecasts=[a_forecast("S2", sku, daily_units=50) for sku in ("P1", "P2")],
    )
    for solution in solve(snapshot):
        assert [(move.sku_id, move.packs) for move in solution.moves] == [("P2", 50)]


units = st.sampled_from([0, 1, 7, 10**4, 10**9])
money = st.sampled_from([0, 1, 9_999, 10**6, 10**12])


@given(
    stock=st.tuples(units, units, units),
    demand=st.tuples(*(st.sampled_from([0.0, 0.001, 1.0, 300.0, 10.0**8]) for _ in range(3))),
    pack=st.sampled_from([1, 6, 10**6]),
    least=st.sampled_from([1, 5, 10**7]),
    volume=st.sampled_from([0, 1, 10**6, 10**11]),
    room=st.sampled_from([None, 0, 1, 10**7, 10**12]),
    costs=st.tuples(money, money, money),
    lost=money,
    supply=st.sampled_from([(), (10**9, 1), (5, -3), (5, 6)]),
    caps=st.sampled_from(
        [{}, {"units_max": 3}, {"lines_max": 1}, {"goods_value_max_minor": 10**9}, {"line_units_max": 0}]
    ),
)
def test_whatever_the_size_of_the_numbers_a_plan_is_sound_and_its_money_right(
    stock, demand, pack, least, volume, room, costs, lost, supply, caps
):
    names = ("S1", "S2", "S3")
    snapshot = a_snapshot(
        sites=[a_site(name) for name in names],
        skus=(a_sku(pack_size=pack, min_transfer_units=least, unit_volume_microlitres=volume),),
        lanes=[
            a_lane(
                origin, destination, cost_fixed_e4=costs[0], cost_per_unit_e4=costs[1], cost_per_litre_e4=costs[2],
                capacity_microlitres_per_departure=room,
            )
            for origin, destination in (("S1", "S2"), ("S2", "S3"), ("S3", "S1"), ("S1", "S3"))
        ],
        positions=[a_position(name, on_hand_units=n) for name, n in zip(names, stock, strict=True)],
        forecasts=[a_forecast(name, daily_units=n) for name, n in zip(names, demand, strict=True)],
        replenishments=[a_replenishment(name, days=9) for name in names],
        supply=(a_supply("S2", units=supply[0], days=supply[1]),) if supply else (),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Effort, "of", classmethod(lambda cls, problem: LITTLE))
        found = solve(snapshot, limits_for(lost_unit_e4={"P1": lost}, leftover_unit_e4={"P1": lost // 9}, **caps))
    assert all(solution.status.has_plan or solution.note for solution in found)
