"""Lots: what is free of them, and first-expired-first-out picks that lose and invent no unit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import TODAY, a_lane, a_needy_network, a_position, a_sku, in_days, limits_for
from tools.inventory import LaneKey, SiteSku, Snapshot
from tools.merchandise.facts import Lot, Merchandise
from tools.merchandise.lots import LotUnits, Travel, by_lot, fit_units, lasting_units, lots_free, picks
from tools.planning import Move
from tools.planning.breaches import find_breaches
from tools.transfers import PlanRequest

HERE = SiteSku("S1", "P1")
VAN, TRUCK = LaneKey("S1", "S2", "van"), LaneKey("S1", "S2", "truck")


def lot(lot_id: str, units: int, days: int, site_id: str = "S1") -> Lot:
    return Lot(site_id, "P1", lot_id, units, in_days(days))


def with_lots(*lots: Lot, on_hand: int | None = None, reserved: int = 0) -> Snapshot:
    held = sum(each.units for each in lots) if on_hand is None else on_hand
    return a_needy_network(
        positions=(a_position("S1", on_hand_units=held, reserved_units=reserved), a_position("S2", on_hand_units=0)),
        merchandise=Merchandise(lots=lots),
    )


def free(snapshot: Snapshot) -> dict[str, int]:
    return {each.lot_id: each.units for each in lots_free(snapshot, HERE)}


def travel(units: int, days: int, lane: LaneKey = VAN) -> Travel:
    return Travel(lane, "P1", units, in_days(days))


def test_a_site_without_lots_keeps_none() -> None:
    snapshot = a_needy_network()
    assert (by_lot(snapshot, HERE), lots_free(snapshot, HERE), fit_units(snapshot, HERE, TODAY, 0)) == (False, (), 0)
    assert picks(snapshot, [travel(5, 1)], {}) == ((),)


def test_free_lots_come_first_expired_first() -> None:
    assert list(free(with_lots(lot("B", 4, 9), lot("C", 3, 20), lot("A", 2, 9)))) == ["A", "B", "C"]


def test_of_lots_that_add_up_to_more_than_is_there_the_first_to_expire_are_gone() -> None:
    assert free(with_lots(lot("A", 4, 3), lot("B", 6, 9), on_hand=7)) == {"A": 1, "B": 6}
    assert free(with_lots(lot("A", 4, 3), lot("B", 6, 9), on_hand=5)) == {"B": 5}


def test_units_beyond_the_lots_have_no_lot_and_do_not_travel() -> None:
    snapshot = with_lots(lot("A", 4, 9), on_hand=10)
    assert fit_units(snapshot, HERE, TODAY, 0) == 4


def test_reserved_units_are_the_last_to_expire() -> None:
    assert free(with_lots(lot("A", 4, 3), lot("B", 6, 9), reserved=5)) == {"A": 4, "B": 1}
    assert free(with_lots(lot("A", 4, 3), lot("B", 6, 9), reserved=8)) == {"A": 2}


@pytest.mark.parametrize(("days", "least", "fit"), [(3, 0, 10), (4, 0, 6), (6, 3, 6), (7, 3, 0), (0, 9, 6), (0, 10, 0)])
def test_units_fit_whose_last_day_of_sale_leaves_them_enough(days: int, least: int, fit: int) -> None:
    assert fit_units(with_lots(lot("A", 4, 3), lot("B", 6, 9)), HERE, in_days(days), least) == fit


def test_a_lot_lasts_on_its_last_day_of_sale_and_not_the_day_after() -> None:
    lots = (lot("A", 4, -1), lot("B", 6, 0))
    assert (lasting_units(lots, TODAY, 0), lasting_units(lots, in_days(-1), 0)) == (6, 10)


def test_a_line_takes_what_expires_first_of_what_lasts() -> None:
    snapshot = with_lots(lot("A", 4, 2), lot("B", 6, 9), lot("C", 5, 20))
    assert picks(snapshot, [travel(8, 3)], {}) == ((LotUnits("B", 6), LotUnits("C", 2)),)
    assert picks(snapshot, [travel(8, 3)], {"P1": 7}) == ((LotUnits("C", 5),),)


def test_what_arrives_first_takes_what_expires_first_whatever_the_order_of_the_lines() -> None:
    snapshot = with_lots(lot("A", 4, 4), lot("B", 4, 9))
    late, early = travel(4, 6, TRUCK), travel(4, 2, VAN)
    assert picks(snapshot, [late, early], {}) == ((LotUnits("B", 4),), (LotUnits("A", 4),))


some_lots = st.lists(st.tuples(st.integers(1, 9), st.integers(-2, 14)), min_size=1, max_size=5).map(
    lambda rows: tuple(lot(f"L{number}", *row) for number, row in enumerate(rows))
)
some_travels = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 10)), max_size=4)


@given(
    lots=some_lots,
    travels=some_travels,
    least=st.integers(0, 4),
    missing=st.integers(-3, 6),
    reserved=st.integers(0, 6),
)
def test_picks_conserve_units_and_never_take_a_lot_that_would_not_last(
    lots: tuple[Lot, ...], travels: list[tuple[int, int]], least: int, missing: int, reserved: int
) -> None:
    held = max(sum(each.units for each in lots) - missing, 0)
    snapshot = with_lots(*lots, on_hand=held, reserved=min(reserved, held))
    wanted = [travel(*each) for each in travels]
    taken = picks(snapshot, wanted, {"P1": least})
    before, expires = free(snapshot), {each.lot_id: each.expires_on for each in lots}
    assert sum(before.values()) <= max(held - reserved, 0)
    for asked, found in zip(wanted, taken, strict=True):
        assert sum(pick.units for pick in found) <= asked.units
        assert all(expires[pick.lot_id] >= asked.arrive_on + timedelta(days=least) for pick in found)
        last_days = [expires[pick.lot_id] for pick in found]
        assert last_days == sorted(last_days)
    used = {lot_id: sum(p.units for each in taken for p in each if p.lot_id == lot_id) for lot_id in before}
    assert all(units <= before[lot_id] for lot_id, units in used.items())
    assert {pick.lot_id for each in taken for pick in each} <= before.keys()


@given(lots=some_lots, travels=some_travels, least=st.integers(0, 4))
def test_the_evaluator_approves_exactly_the_moves_for_which_lots_are_found(
    lots: tuple[Lot, ...], travels: list[tuple[int, int]], least: int
) -> None:
    """Its condition on nested lots and the picks are worked out in different ways and must agree."""
    lanes = [a_lane("S1", "S2", f"mode{number}", lead_time_days=days) for number, (_, days) in enumerate(travels)]
    snapshot = a_needy_network(
        lanes=tuple(lanes),
        skus=(a_sku(),),
        positions=(a_position("S1", on_hand_units=sum(each.units for each in lots)), a_position("S2", on_hand_units=0)),
        merchandise=Merchandise(lots=lots),
    )
    moves = [Move(lane.key, "P1", units) for lane, (units, _) in zip(lanes, travels, strict=True)]
    found = find_breaches(snapshot, limits_for(least_life_days={"P1": least}), PlanRequest(), moves)
    wanted = [Travel(lane.key, "P1", units, in_days(days)) for lane, (units, days) in zip(lanes, travels, strict=True)]
    taken = picks(snapshot, wanted, {"P1": least})
    all_found = all(sum(p.units for p in each) == asked.units for asked, each in zip(wanted, taken, strict=True))
    assert all_found is not any(breach.code == "lot_life" for breach in found)
