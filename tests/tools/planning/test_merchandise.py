"""Merchandise in the optimiser: money by hand, constraints by hand-made moves, and whole networks against enumeration."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.limits import limits_of
from policies.schema import Policy
from tests.builders import (
    a_forecast,
    a_lane,
    a_move,
    a_needy_network,
    a_position,
    a_replenishment,
    a_site,
    a_sku,
    a_snapshot,
    in_days,
    limits_for,
    with_merchandise,
)
from tests.tools.planning.random_networks import Case, brute_force, random_case
from tools.inventory import LaneKey, SiteSku, Snapshot
from tools.merchandise.facts import (
    EVERY_SITE,
    DisplayKind,
    EndOfLife,
    Lot,
    Markdown,
    Merchandise,
    MinimumDisplay,
    SetMember,
    Substitute,
)
from tools.merchandise.leaving import unmet_moves
from tools.planning import Limits, Move, evaluate, make_plan, solve
from tools.planning.breaches import find_breaches
from tools.planning.limits import Display, WholeSet
from tools.transfers import LotPick, PlanRequest, TransferPlan

REQUEST = PlanRequest()
HERE, THERE = SiteSku("S1", "P1"), SiteSku("S2", "P1")
LANE = LaneKey("S1", "S2", "van")


# --- money by hand ----------------------------------------------------------------------------------------------
# On the needy network every unit that reaches S2 saves a lost sale of 6.00, and every unit that leaves S1 saves 0.08
# of holding it; the departure costs 5.00.


def saving(*moves: Move, snapshot: Snapshot | None = None, **fields: Any) -> float:
    found = evaluate(snapshot or a_needy_network(), limits_for(**fields), REQUEST, moves or (a_move(5),))
    assert found.breaches == ()
    assert found.objective == pytest.approx(-found.saving)
    assert found.whole_horizon_saving == pytest.approx(found.saving)
    return found.saving


def test_without_merchandise_five_units_save_what_they_always_did() -> None:
    assert saving() == pytest.approx(5 * 608 - 500)


def test_a_lost_sale_may_cost_less_at_one_site() -> None:
    assert saving(lost_at_e4={THERE: 20_000}) == pytest.approx(5 * 208 - 500)
    assert saving(lost_at_e4={HERE: 20_000}) == pytest.approx(5 * 608 - 500)


def test_a_unit_left_over_may_cost_more_at_one_site() -> None:
    """With 3.00 lost on a unit left at S1, sending it saves 3.00 there. At S2 nothing is left over."""
    assert saving(leftover_at_e4={HERE: 30_000}) == pytest.approx(5 * 900 - 500)
    assert saving(leftover_at_e4={THERE: 30_000}) == pytest.approx(5 * 608 - 500)
    assert saving(leftover_at_e4={HERE: 0}) == pytest.approx(5 * 600 - 500)


def test_a_unit_that_nobody_wants_costs_its_leftover_where_it_goes() -> None:
    unwanted = a_needy_network(forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0)))
    assert saving(snapshot=unwanted, leftover_at_e4={HERE: 30_000}) == pytest.approx(5 * (300 - 8) - 500)
    assert saving(snapshot=unwanted, leftover_at_e4={THERE: 30_000}) == pytest.approx(5 * (8 - 300) - 500)


def test_a_soft_display_earns_by_unit_where_it_is_filled_and_costs_where_it_is_emptied() -> None:
    """Three of five units fill the display of S2; S1 shows 98 of its 100, so that three of five leave a gap."""
    assert saving(displays={THERE: Display(3, 5_000)}) == pytest.approx(5 * 608 - 500 + 3 * 50)
    assert saving(displays={HERE: Display(98, 5_000)}) == pytest.approx(5 * 608 - 500 - 3 * 50)
    both = {HERE: Display(98, 5_000), THERE: Display(3, 5_000)}
    assert saving(displays=both) == pytest.approx(5 * 608 - 500)


def test_a_display_counts_available_units_over_all_moves_of_the_plan() -> None:
    lanes = (a_lane("S1", "S2"), a_lane("S1", "S2", "truck"))
    positions = (a_position("S1", on_hand_units=100), a_position("S2", on_hand_units=3, reserved_units=1))
    network = a_needy_network(lanes=lanes, positions=positions)
    displays = {THERE: Display(6, 5_000)}
    moves = (a_move(3), a_move(4, mode="truck"))
    plain = saving(*moves, snapshot=network)
    assert saving(*moves, snapshot=network, displays=displays) - plain == pytest.approx(4 * 50)


def test_every_unit_that_leaves_in_time_earns_on_top() -> None:
    assert saving(leave_e4={HERE: 12_345}) == pytest.approx(5 * (608 + 123.45) - 500)


def test_packs_earn_by_the_unit() -> None:
    packs = a_needy_network(skus=(a_sku(pack_size=2),))
    displays = {THERE: Display(3, 5_000)}
    assert saving(a_move(3), snapshot=packs, leave_e4={HERE: 10_000}, displays=displays) == pytest.approx(
        6 * 708 - 500 + 3 * 50
    )


# --- constraints by hand-made moves -----------------------------------------------------------------------------


def codes(snapshot: Snapshot, limits: Limits, *moves: Move) -> list[tuple[str, int, int]]:
    return [(breach.code, breach.allowed, breach.found) for breach in find_breaches(snapshot, limits, REQUEST, moves)]


def a_shop(**held_there: int) -> Snapshot:
    """S1 has 20 of each SKU and no demand; S2 has so many and sells one of each a day."""
    keys = [(site_id, sku_id) for site_id in ("S1", "S2") for sku_id in sorted(held_there)]
    return a_snapshot(
        skus=tuple(a_sku(sku_id) for sku_id in sorted(held_there)),
        positions=[a_position(*key, on_hand_units=20 if key[0] == "S1" else held_there[key[1]]) for key in keys],
        forecasts=[a_forecast(*key, daily_units=0 if key[0] == "S1" else 1) for key in keys],
        replenishments=[a_replenishment(*key) for key in keys],
    )


SET = WholeSet("S2", ("P1", "P2", "P3"), ("P1", "P3"))


@pytest.mark.parametrize(
    ("skus", "found"),
    [
        ((), []),
        (("P1", "P3"), []),
        (("P1", "P2", "P3"), []),
        (("P1",), [("whole_set", 2, 1)]),
        (("P2",), [("whole_set", 2, 0)]),
        (("P2", "P3"), [("whole_set", 2, 1)]),
    ],
)
def test_a_set_comes_whole_or_not_at_all(skus: tuple[str, ...], found: list[tuple[str, int, int]]) -> None:
    limits = limits_for("P1", "P2", "P3", whole_sets=(SET,))
    moves = [a_move(2, sku_id=sku_id) for sku_id in skus]
    assert codes(a_shop(P1=0, P2=0, P3=0), limits, *moves) == found


def test_a_set_elsewhere_does_not_count() -> None:
    limits = limits_for("P1", "P2", "P3", whole_sets=(replace(SET, site_id="S1"),))
    assert codes(a_shop(P1=0, P2=0, P3=0), limits, a_move(2)) == []


def test_a_closed_line_is_closed_for_its_sku_only() -> None:
    limits = limits_for("P1", "P2", closed_lines={(LANE, "P1"): "lot_life"})
    found = codes(a_shop(P1=0, P2=0), limits, a_move(2), a_move(2, sku_id="P2"))
    assert found == [("lot_life", 0, 2)]


def test_lots_that_would_not_last_do_not_travel_whatever_the_limits_say() -> None:
    lots = (Lot("S1", "P1", "A", 96, in_days(3)), Lot("S1", "P1", "B", 4, in_days(9)))
    network = a_needy_network(merchandise=Merchandise(lots=lots))
    assert codes(network, limits_for(least_life_days={"P1": 3}), a_move(5)) == [("lot_life", 4, 5)]
    assert codes(network, limits_for(least_life_days={"P1": 2}), a_move(5)) == []


def test_new_breaches_speak_in_sentences() -> None:
    lots = Merchandise(lots=(Lot("S1", "P1", "A", 100, in_days(0)),))
    found = find_breaches(a_needy_network(merchandise=lots), limits_for(), REQUEST, [a_move(5)])
    assert [breach.words for breach in found] == [
        "P1 from S1 arriving on 2026-03-03 or later: 0 units would arrive with life enough left, the plan sends 5"
    ]
    limits = limits_for("P1", "P2", "P3", whole_sets=(SET,))
    found = find_breaches(a_shop(P1=0, P2=0, P3=0), limits, REQUEST, [a_move(1)])
    assert [breach.words for breach in found] == [
        "P1, P2, P3 at S2: a set is delivered whole or not at all; 2 of its SKUs are missing, the plan brings 1"
    ]


# --- random moves: what the evaluator approves keeps every rule ----------------------------------------------------


@st.composite
def stated_facts(draw: st.DrawFn) -> Snapshot:
    """Three sites and SKUs with random stock, sets, displays and lots."""
    sites, skus = ("S1", "S2", "S3"), ("P1", "P2", "P3")
    keys = [SiteSku(site_id, sku_id) for site_id in sites for sku_id in skus]
    held = {key: draw(st.integers(0, 6), label=f"{key}") for key in keys}
    shown = draw(st.lists(st.sampled_from(keys), unique=True, max_size=3), label="shown")
    lots = [
        Lot(*key, f"L{part}", units, in_days(draw(st.integers(0, 9))))
        for key in draw(st.lists(st.sampled_from(keys), unique=True, max_size=3), label="kept by lots")
        for part, units in enumerate((held[key] // 2, held[key] - held[key] // 2))
        if units
    ]
    return a_snapshot(
        sites=[a_site(site_id) for site_id in sites],
        skus=[a_sku(sku_id) for sku_id in skus],
        lanes=[
            a_lane(one, other, lead_time_days=(3 if one == "S3" else 1))
            for one, other in product(sites, sites)
            if one != other
        ],
        positions=[a_position(*key, on_hand_units=held[key]) for key in keys],
        forecasts=[a_forecast(*key, daily_units=0.1) for key in keys],
        merchandise=Merchandise(
            set_members=tuple(SetMember("SHIRT", sku_id) for sku_id in skus),
            displays=tuple(MinimumDisplay(*key, DisplayKind.HARD, draw(st.integers(1, 4))) for key in shown),
            lots=tuple(lots),
        ),
    )


@settings(max_examples=150)
@given(snapshot=stated_facts(), data=st.data())
def test_no_plan_that_the_evaluator_approves_breaks_a_set_a_display_or_the_life_of_a_lot(
    snapshot: Snapshot, data: st.DataObject
) -> None:
    policy = with_merchandise()
    limits = limits_of(policy, snapshot, REQUEST)
    some = st.builds(
        Move,
        st.sampled_from([lane.key for lane in snapshot.lanes]),
        st.sampled_from([sku.sku_id for sku in snapshot.skus]),
        st.integers(1, 3),
    )
    moves = data.draw(st.lists(some, min_size=1, max_size=4, unique_by=lambda move: (move.lane, move.sku_id)))
    if find_breaches(snapshot, limits, REQUEST, moves):
        return
    sites = [site.site_id for site in snapshot.sites]
    before = {position.key: position.available_units for position in snapshot.positions}
    after = dict(before)
    for move in moves:
        after[SiteSku(move.lane.origin, move.sku_id)] -= move.packs
        after[SiteSku(move.lane.destination, move.sku_id)] += move.packs
    for site_id in sites:
        had, has = ([units[SiteSku(site_id, sku.sku_id)] > 0 for sku in snapshot.skus] for units in (before, after))
        assert all(has) or not all(had), "a whole set was broken"
        assert all(has) or not any(has) or any(had), "a part of a set was delivered"
    for row in snapshot.merchandise.displays:
        key = SiteSku(row.site_id, row.sku_id)
        assert after[key] >= min(before[key], row.units)
    for move in moves:
        arrive_on = in_days(1 + snapshot.lane_by_key[move.lane].lead_time_days)
        lots = [
            lot for lot in snapshot.merchandise.lots if (lot.site_id, lot.sku_id) == (move.lane.origin, move.sku_id)
        ]
        fit = sum(lot.units for lot in lots if (lot.expires_on - arrive_on).days >= 3)
        assert not lots or move.packs <= fit


# --- whole networks: the plan keeps each rule and is the best there is ---------------------------------------------


def best_of_all(snapshot: Snapshot, limits: Limits, request: PlanRequest = REQUEST) -> float:
    """The least objective of all combinations of moves without a breach, each priced by the evaluator."""
    choices = []
    for lane in snapshot.lanes:
        for sku in snapshot.skus:
            position = snapshot.position_by_key.get(SiteSku(lane.origin, sku.sku_id))
            packs = (position.available_units if position else 0) // sku.pack_size
            choices.append([None, *(Move(lane.key, sku.sku_id, count) for count in range(1, packs + 1))])
    assert np.prod([len(moves) for moves in choices]) <= 4_000, "too many combinations to try"
    best = 0.0
    for combination in product(*choices):
        found = evaluate(snapshot, limits, request, [move for move in combination if move is not None])
        if not found.breaches:
            best = min(best, found.objective)
    return best


def solved(snapshot: Snapshot, limits: Limits, request: PlanRequest = REQUEST) -> TransferPlan:
    """The plan, after it has been shown to be the best of all."""
    solution = solve(snapshot, limits, request, gap_ppm=0)
    assert solution.objective == pytest.approx(best_of_all(snapshot, limits, request), abs=1e-6)
    return make_plan(snapshot, limits, request, solution)


def planned(snapshot: Snapshot, policy: Policy | None = None) -> dict[tuple[str, str, str], int]:
    """Units of the plan under the policy by SKU, destination and mode."""
    document = (policy or with_merchandise()).model_dump(mode="json")
    document |= {"benefit": {"line_min_minor": 0, "lane_min_minor": 0}}
    limits = limits_of(Policy.model_validate(document, strict=False), snapshot, REQUEST)
    plan = solved(snapshot, limits)
    return {(line.sku_id, line.destination, line.mode): line.units for line in plan.lines}


def small(units: dict[tuple[str, str], int], daily: dict[tuple[str, str], float], **fields: Any) -> Snapshot:
    """So many units and so much demand by site and SKU; cheap vans from S1 to every other site."""
    sites, skus = sorted({site for site, _ in units}), sorted({sku for _, sku in units})
    defaults: dict[str, Any] = {
        "sites": [a_site(site_id) for site_id in sites],
        "skus": [a_sku(sku_id) for sku_id in skus],
        "lanes": [a_lane("S1", site_id, cost_fixed_e4=10_000) for site_id in sites if site_id != "S1"],
        "positions": [a_position(*key, on_hand_units=held) for key, held in units.items()],
        "forecasts": [a_forecast(*key, daily_units=daily.get(key, 0.0)) for key in units],
        "replenishments": [a_replenishment(*key) for key in units],
    }
    return a_snapshot(**defaults | fields)


A_PAIR = Merchandise(set_members=(SetMember("SHIRT", "P1"), SetMember("SHIRT", "P2")))


def test_a_set_is_delivered_whole_though_one_of_it_does_not_pay() -> None:
    """S2 wants P1 and hardly any P2: without the rule P1 goes alone, with it a P2 goes along."""
    units = {("S1", "P1"): 5, ("S1", "P2"): 5, ("S2", "P1"): 0, ("S2", "P2"): 0}
    lanes = (a_lane(cost_fixed_e4=10_000, cost_per_unit_e4=1_000),)
    snapshot = small(units, {("S2", "P1"): 1.0, ("S2", "P2"): 0.001}, lanes=lanes)
    alone = planned(snapshot)
    assert alone.keys() == {("P1", "S2", "van")}
    together = planned(replace(snapshot, merchandise=A_PAIR))
    assert together == {("P1", "S2", "van"): 4, ("P2", "S2", "van"): 1}


def test_a_set_that_cannot_be_whole_is_not_delivered() -> None:
    units = {("S1", "P1"): 5, ("S1", "P2"): 0, ("S2", "P1"): 0, ("S2", "P2"): 0}
    snapshot = small(units, {("S2", "P1"): 1.0}, merchandise=A_PAIR)
    assert planned(snapshot) == {}


def test_a_donor_of_a_whole_set_keeps_one_of_each() -> None:
    units = {("S1", "P1"): 4, ("S1", "P2"): 1, ("S2", "P1"): 0, ("S2", "P2"): 5}
    snapshot = small(units, {("S2", "P1"): 3.0})
    assert planned(snapshot) == {("P1", "S2", "van"): 4}
    assert planned(replace(snapshot, merchandise=A_PAIR)) == {("P1", "S2", "van"): 3}


def test_a_hard_display_stays_with_its_donor() -> None:
    shown = Merchandise(displays=(MinimumDisplay("S1", "P1", DisplayKind.HARD, 4),))
    snapshot = small({("S1", "P1"): 6, ("S2", "P1"): 0}, {("S2", "P1"): 3.0}, merchandise=shown)
    assert planned(snapshot) == {("P1", "S2", "van"): 2}


@pytest.mark.parametrize(("cost", "goes"), [(1_000, {}), (60_000, {("P1", "S2", "van"): 3})])
def test_a_soft_display_is_filled_where_that_is_worth_the_way(cost: int, goes: dict[Any, int]) -> None:
    shown = Merchandise(displays=(MinimumDisplay("S2", "P1", DisplayKind.SOFT, 3, cost),))
    snapshot = small({("S1", "P1"): 6, ("S2", "P1"): 0}, {}, merchandise=shown)
    assert planned(snapshot) == goes


def test_a_soft_display_at_the_donor_is_weighed_against_a_lost_sale() -> None:
    """A lost sale costs 7.20: a display of 4 units at 8.00 each is kept, one at 1.00 each is emptied."""
    for cost, sent in ((80_000, 2), (10_000, 6)):
        shown = Merchandise(displays=(MinimumDisplay("S1", "P1", DisplayKind.SOFT, 4, cost),))
        snapshot = small({("S1", "P1"): 6, ("S2", "P1"): 0}, {("S2", "P1"): 5.0}, merchandise=shown)
        assert planned(snapshot) == {("P1", "S2", "van"): sent}


def test_what_has_to_leave_goes_where_it_is_hardly_wanted() -> None:
    ends = Merchandise(ends_of_life=(EndOfLife("P1", "S1", in_days(3)),))
    snapshot = small({("S1", "P1"): 6, ("S2", "P1"): 4}, {("S2", "P1"): 0.2})
    assert planned(snapshot) == {}
    leaving = replace(snapshot, merchandise=ends)
    assert planned(leaving) == {("P1", "S2", "van"): 6}
    limits = limits_of(with_merchandise(), leaving, REQUEST)
    assert unmet_moves(limits.must_leave, [(HERE, 6)]) == ()


def test_what_has_to_leave_and_cannot_is_left_and_said() -> None:
    ends = Merchandise(ends_of_life=(EndOfLife("P1", "S1", in_days(3)),))
    lanes = (a_lane("S1", "S2", capacity_microlitres_per_departure=4_000_000),)
    snapshot = small({("S1", "P1"): 6, ("S2", "P1"): 4}, {("S2", "P1"): 0.2}, merchandise=ends, lanes=lanes)
    limits = limits_of(with_merchandise(), snapshot, REQUEST)
    plan = solved(snapshot, limits)
    assert plan.sent_units == {HERE: 4}
    (unmet,) = unmet_moves(limits.must_leave, plan.sent_units.items())
    assert (unmet.due_units, unmet.leaving_units) == (6, 4)


def test_what_ends_everywhere_is_brought_together_where_it_sells() -> None:
    snapshot = small(
        {("S1", "P1"): 4, ("S2", "P1"): 2},
        {("S1", "P1"): 0.05, ("S2", "P1"): 0.5},
        lanes=(a_lane(cost_fixed_e4=120_000),),
    )
    assert planned(snapshot) == {}
    ends = Merchandise(ends_of_life=(EndOfLife("P1", EVERY_SITE, in_days(6)),))
    assert planned(replace(snapshot, merchandise=ends)) == {("P1", "S2", "van"): 3}


@pytest.mark.parametrize(("proceeds", "stays"), [(39_000, True), (5_000, False)])
def test_goods_are_moved_only_where_that_beats_marking_them_down(proceeds: int, stays: bool) -> None:
    """P1 has to leave S1 and costs 4.00. Marked down to 3.90 it stays; to 0.50 the way to S2 is worth its 12.00."""
    stated = Merchandise(ends_of_life=(EndOfLife("P1", "S1", in_days(6)),), markdowns=(Markdown("S1", "P1", proceeds),))
    lanes = (a_lane(cost_fixed_e4=120_000),)
    snapshot = small({("S1", "P1"): 6, ("S2", "P1"): 4}, {("S2", "P1"): 0.1}, merchandise=stated, lanes=lanes)
    assert (planned(snapshot) == {}) is stays


def test_lots_travel_by_the_lane_on_which_they_last_and_the_line_names_them() -> None:
    """The cheap truck takes five days; only the van brings the lot of day 6 with three days left."""
    lots = (
        Lot("S1", "P1", "A", 1, in_days(2)),
        Lot("S1", "P1", "B", 2, in_days(6)),
        Lot("S1", "P1", "C", 3, in_days(30)),
    )
    lanes = (a_lane(cost_fixed_e4=50_000), a_lane(mode="truck", cost_fixed_e4=0, lead_time_days=4))
    snapshot = small({("S1", "P1"): 6, ("S2", "P1"): 0}, {("S2", "P1"): 5.0}, lanes=lanes)
    snapshot = replace(snapshot, merchandise=Merchandise(lots=lots))
    plan = solved(snapshot, limits_of(with_merchandise(), snapshot, REQUEST))
    (line,) = plan.lines
    assert (line.mode, line.units) == ("van", 5)
    assert line.lots == (LotPick(lot_id="B", units=2), LotPick(lot_id="C", units=3))


def test_a_plan_without_lots_has_no_word_of_them_in_its_document() -> None:
    snapshot = small({("S1", "P1"): 4, ("S2", "P1"): 0}, {("S2", "P1"): 5.0})
    (line,) = solved(snapshot, limits_of(with_merchandise(), snapshot, REQUEST)).lines
    assert "lots" not in line.model_dump(mode="json")


def test_the_last_units_go_where_no_substitute_is_left() -> None:
    """S2 and S3 want P1 alike, and S2 is on the shorter way; but S2 has plenty of what most customers take instead."""
    units = {("S1", "P1"): 2, ("S2", "P1"): 0, ("S3", "P1"): 0, ("S2", "P2"): 30, ("S3", "P2"): 0}
    lanes = (a_lane("S1", "S2", cost_fixed_e4=10_000), a_lane("S1", "S3", cost_fixed_e4=12_000))
    snapshot = small(units, {("S2", "P1"): 2.0, ("S3", "P1"): 2.0, ("S2", "P2"): 0.1, ("S3", "P2"): 0.1}, lanes=lanes)
    assert planned(snapshot) == {("P1", "S2", "van"): 2}
    stated = Merchandise(substitutes=(Substitute("P1", "P2", 7_000),))
    assert planned(replace(snapshot, merchandise=stated)) == {("P1", "S3", "van"): 2}


# --- random networks against enumeration --------------------------------------------------------------------------


def with_random_rules(case: Case, seed: int) -> Case:
    """The case with displays, local costs, leaving units and closed lines in its limits."""
    rng = np.random.default_rng(seed)
    keys = [position.key for position in case.snapshot.positions]

    def some(chance: float) -> list[SiteSku]:
        return [key for key in keys if rng.random() < chance]

    leave = {key: int(rng.integers(1_000, 90_000)) for key in some(0.2)}
    limits = replace(
        case.limits,
        lost_at_e4={key: int(rng.integers(5_000, 150_000)) for key in some(0.3)},
        leftover_at_e4={key: int(rng.integers(0, 60_000)) for key in some(0.3)},
        displays={key: Display(int(rng.integers(1, 8)), int(rng.integers(1_000, 60_000))) for key in some(0.4)},
        leave_e4=leave,
        no_receive={**case.limits.no_receive, **dict.fromkeys(leave, "end_of_life")},
        closed_lines={
            (lane.key, sku.sku_id): "lot_life"
            for lane in case.snapshot.lanes
            for sku in case.snapshot.skus
            if rng.random() < 0.1
        },
    )
    return Case(case.snapshot, limits, case.request)


@pytest.mark.parametrize("seed", range(5_000, 5_040))
def test_random_networks_with_merchandise_are_solved_to_the_enumerated_optimum(seed: int) -> None:
    case = with_random_rules(random_case(seed), seed)
    tried = brute_force(case)
    solution = solve(case.snapshot, case.limits, case.request, gap_ppm=0)
    make_plan(case.snapshot, case.limits, case.request, solution)
    if tried is not None:
        assert solution.objective == pytest.approx(tried[0], abs=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_random_sets_are_solved_to_the_enumerated_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    skus = ("P1", "P2", "P3")
    units = {("S1", sku_id): int(rng.integers(0, 5)) for sku_id in skus}
    units |= {("S2", sku_id): int(rng.integers(0, 3)) if rng.random() < 0.3 else 0 for sku_id in skus}
    daily = {("S2", sku_id): float(rng.choice([0.001, 0.1, 0.6, 2.0])) for sku_id in skus}
    members = tuple(SetMember("SHIRT", sku_id) for sku_id in skus)
    snapshot = small(units, daily, merchandise=Merchandise(set_members=members))
    planned(snapshot)
