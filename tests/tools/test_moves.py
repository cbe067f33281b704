from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.inventory import LaneKey
from tools.moves import (
    OutsideReason,
    StockMove,
    available,
    committed,
    count,
    in_transit,
    is_outside,
    lose,
    outside,
    receive,
    replay,
    reserve,
    reserved,
    ship,
    void,
)

LANE = LaneKey("S1", "S2", "van")
PLACES = st.sampled_from(
    [available("S1"), reserved("S1"), committed("S2"), in_transit(LANE), outside(OutsideReason.COUNT)]
)
MOVES = (
    st.tuples(st.sampled_from(["P1", "P2"]), PLACES, PLACES, st.integers(1, 10**9))
    .filter(lambda move: move[1] != move[2])
    .map(lambda move: StockMove(*move))
)


@given(moves=st.lists(MOVES, max_size=30))
def test_replayed_moves_conserve_every_sku(moves):
    balances = replay(moves)
    for sku_id in ("P1", "P2"):
        assert sum(units for (_, sku), units in balances.items() if sku == sku_id) == 0
    assert 0 not in balances.values()


@given(moves=st.lists(MOVES, max_size=12), data=st.data())
def test_balances_do_not_depend_on_the_order_of_moves(moves, data):
    assert replay(data.draw(st.permutations(moves))) == replay(moves)


@given(moves=st.lists(MOVES, max_size=12))
def test_a_move_and_its_reverse_leave_nothing(moves):
    back = [StockMove(move.sku_id, move.to_place, move.from_place, move.units) for move in moves]
    assert replay([*moves, *back]) == {}


def test_a_transfer_leads_from_available_here_to_available_there():
    counted = count("P1", available("S1"), 0, 10)
    assert counted is not None
    steps = [counted, reserve("P1", LANE, 6), ship("P1", LANE, 6), receive("P1", LANE, 5), lose("P1", LANE, 1)]
    assert replay(steps) == {
        ("outside/count", "P1"): -10,
        ("site/S1/available", "P1"): 4,
        ("site/S2/available", "P1"): 5,
        ("outside/lost_in_transit", "P1"): 1,
    }


def test_goods_under_way_are_in_transit():
    assert replay((reserve("P1", LANE, 6), ship("P1", LANE, 6))) == {
        ("site/S1/available", "P1"): -6,
        ("transit/S1/S2/van", "P1"): 6,
    }


def test_voiding_undoes_the_reservation():
    assert replay([reserve("P1", LANE, 6), void("P1", LANE, 6)]) == {}


@pytest.mark.parametrize(("booked", "counted"), [(3, 10), (10, 3), (0, 1)])
def test_a_count_makes_the_books_agree(booked, counted):
    correction = count("P1", committed("S1"), booked, counted)
    assert correction is not None
    change = replay([correction])
    assert change[committed("S1"), "P1"] == counted - booked
    assert change[outside(OutsideReason.COUNT), "P1"] == booked - counted


def test_a_count_that_agrees_needs_no_move():
    assert count("P1", available("S1"), 7, 7) is None


def test_only_outside_is_outside():
    assert is_outside(outside(OutsideReason.LOST_IN_TRANSIT))
    assert not is_outside(in_transit(LANE))


@pytest.mark.parametrize("units", [0, -1, 10**9 + 1])
def test_a_move_carries_a_possible_number_of_units(units):
    with pytest.raises(ValueError, match=f"not {units}"):
        StockMove("P1", available("S1"), reserved("S1"), units)


def test_a_move_needs_two_places():
    with pytest.raises(ValueError, match="two places"):
        StockMove("P1", available("S1"), available("S1"), 1)


@pytest.mark.parametrize(
    "place",
    [
        "",
        "site/S1",
        "site/S1/lost",
        "transit/S1/S2",
        "outside/",
        "outside/count\n",
        "site/S 1/available",
        "xsite/S1/available",
    ],
)
def test_what_is_not_a_place_is_refused(place):
    with pytest.raises(ValueError, match="is not a place"):
        StockMove("P1", place, available("S9"), 1)
