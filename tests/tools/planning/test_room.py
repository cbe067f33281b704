"""What a plan leaves of every limit is what the checker's constraints say it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import a_lane, a_move, a_needy_network, a_site, a_sku, in_days, limits_for
from tests.tools.planning.random_networks import Case, random_case
from tools.inventory import LaneKey, SiteSku
from tools.merchandise.facts import Lot, Merchandise
from tools.planning import Move, solve
from tools.planning.blocked import find_conflict
from tools.planning.breaches import find_breaches
from tools.planning.obstacles import Wanted
from tools.planning.room import Constraint, Room
from tools.transfers import Overlays, PlanRequest, UnitCap
from tools.whatif import assumed

BREACH_OF = {
    "available_stock": "source_protection",
    "plan_goods_value": "plan_goods_value_e4",
    "transport_budget": "transport_budget_e4",
}
OF_NO_BREACH = frozenset(("pack_size", "least_quantity"))


def room_of(snapshot, moves, request: PlanRequest | None = None, **limits) -> Room:
    return Room(snapshot, limits_for(**limits), request or PlanRequest(), moves)


def of_line(room: Room, snapshot, code: str, packs: int = 1) -> Constraint:
    lane = snapshot.lane_by_key[LaneKey("S1", "S2", "van")]
    (found,) = [each for each in room.of_line(lane, snapshot.sku_by_id["P1"], packs) if each.code == code]
    return found


def test_a_lane_has_room_for_what_its_departure_does_not_carry_yet():
    snapshot = a_needy_network(lanes=(a_lane(capacity_microlitres_per_departure=7_500_000),))
    found = of_line(room_of(snapshot, [a_move(5)]), snapshot, "lane_capacity_microlitres", packs=2)
    assert (found.limit, found.used, found.left, found.needs) == (7_500_000, 5_000_000, 2_500_000, 2_000_000)
    assert not found.binding
    assert of_line(room_of(snapshot, [a_move(5)]), snapshot, "lane_capacity_microlitres", packs=3).binding


def test_what_policy_protects_is_no_room_and_less_than_a_pack_is_said_to_be_left():
    snapshot = a_needy_network(skus=(a_sku("P1", pack_size=6),))
    room = room_of(snapshot, [a_move(2)], protected_units={SiteSku("S1", "P1"): 85})
    protected = of_line(room, snapshot, "source_protection")
    assert (protected.limit, protected.used, protected.left, protected.needs) == (15, 12, 3, 6)
    assert of_line(room, snapshot, "available_stock").left == 88
    rounding = of_line(room, snapshot, "pack_size")
    assert (rounding.limit, rounding.left, rounding.binding) == (6, 3, True)


def test_handling_limits_count_by_day():
    sites = (a_site("S1", outbound_units_per_day=6), a_site("S2", inbound_units_per_day=8))
    snapshot = a_needy_network(sites=sites)
    room = room_of(snapshot, [a_move(5)])
    outbound, inbound = (
        of_line(room, snapshot, "outbound_units_per_day"),
        of_line(room, snapshot, "inbound_units_per_day"),
    )
    assert (outbound.where, outbound.left) == ("S1 on 2026-03-02", 1)
    assert (inbound.where, inbound.left) == ("S2 on 2026-03-03", 3)


def test_a_line_that_is_there_already_needs_no_other_line():
    snapshot = a_needy_network(lanes=(a_lane(), a_lane(mode="truck")))
    room = room_of(snapshot, [a_move(5)], lines_max=1)
    assert of_line(room, snapshot, "plan_lines").needs == 0
    truck = snapshot.lane_by_key[LaneKey("S1", "S2", "truck")]
    (lines,) = [each for each in room.of_line(truck, snapshot.sku_by_id["P1"]) if each.code == "plan_lines"]
    assert (lines.left, lines.needs, lines.binding) == (0, 1, True)


def test_caps_of_the_request_bind_where_they_are_for_the_ends():
    caps = (UnitCap(site_id="S2", sku_id="P1", units=5),)
    snapshot = a_needy_network()
    room = room_of(snapshot, [a_move(5)], PlanRequest(overlays=Overlays(receive_caps=caps)))
    assert of_line(room, snapshot, "receive_cap").binding


def codes_of(case: Case, moves: Sequence[Move]) -> set[tuple[str, str]]:
    facts = assumed(case.snapshot, case.request.overlays)
    return {(breach.code, breach.where) for breach in find_breaches(facts, case.limits, case.request, moves)}


@settings(max_examples=25)
@given(seed=st.integers(0, 3_000), packs=st.integers(1, 3))
def test_more_packs_break_exactly_the_limits_that_are_said_to_bind(seed, packs):
    case = random_case(seed)
    facts = assumed(case.snapshot, case.request.overlays)
    moves = solve(case.snapshot, case.limits, case.request).moves
    room = Room(facts, case.limits, case.request, moves)
    for number, move in enumerate(moves):
        larger = [*moves[:number], Move(move.lane, move.sku_id, move.packs + packs), *moves[number + 1 :]]
        found = room.of_line(facts.lane_by_key[move.lane], facts.sku_by_id[move.sku_id], packs)
        binding = {
            (BREACH_OF.get(each.code, each.code), each.where)
            for each in found
            if each.binding and each.code not in OF_NO_BREACH
        }
        assert binding == codes_of(case, larger)
        assert all(each.left == each.limit - each.used for each in found if each.code not in OF_NO_BREACH)


def test_lots_that_would_not_last_are_no_room():
    # Seven units expire before the van arrives on the 3rd, and two more are on the way already.
    lots = (Lot("S1", "P1", "L1", 93, in_days(1)), Lot("S1", "P1", "L2", 7, in_days(30)))
    snapshot = replace(a_needy_network(), merchandise=Merchandise(lots=lots))
    found = of_line(room_of(snapshot, [a_move(2)], least_life_days={"P1": 5}), snapshot, "lot_life", packs=6)
    assert (found.limit, found.used, found.left, found.binding) == (7, 2, 5, True)
    assert found.where == "P1 from S1 arriving on 2026-03-03 or later"
    limits = limits_for(least_life_days={"P1": 5})
    assert [each.code for each in find_breaches(snapshot, limits, PlanRequest(), [a_move(8)])] == ["lot_life"]
    blocked = find_conflict(snapshot, limits, PlanRequest(), Wanted("S2", "P1", 8))
    assert (blocked.possible_units, [each.code for each in blocked.conflict]) == (7, ["lot_life"])
