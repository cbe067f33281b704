"""What relaxing one limit is worth is what the plan with that limit changed by that much saves more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
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
    limits_for,
)
from tests.tools.planning.random_networks import random_case
from tools.inventory import LaneKey, SiteSku
from tools.lifts import Question, lift_of
from tools.planning import evaluate, make_plan, solve
from tools.planning.blocked import find_conflict
from tools.planning.obstacles import Wanted
from tools.relaxations import price_next_relaxations, price_relaxations
from tools.transfers import LaneRef, Overlays, PlanRequest, TransferPlan, UnitCap
from tools.whatif import assumed

VAN = LaneKey("S1", "S2", "van")
UNIT = 608
"""What a unit saves on the needy network: 6.00 at S2 and 0.08 at S1."""


def question(snapshot=None, request: PlanRequest | None = None, **limits: Any) -> Question:
    return Question(snapshot or a_needy_network(), limits_for(**limits), request or PlanRequest())


def plan_of(asked: Question) -> TransferPlan:
    return make_plan(asked.snapshot, asked.limits, asked.request, solve(asked.snapshot, asked.limits, asked.request))


def relaxed(asked: Question, **more: Any):
    return price_relaxations(asked, plan_of(asked), **more)


def next_relaxed(asked: Question, **more: Any):
    return price_next_relaxations(asked, plan_of(asked), **more)


def overlays(**fields: Any) -> PlanRequest:
    return PlanRequest(overlays=Overlays(**fields))


@pytest.mark.parametrize(
    ("asked", "code", "units", "change"),
    [
        (
            question(a_needy_network(lanes=(a_lane(capacity_microlitres_per_departure=40_000_000),))),
            "lane_capacity_microlitres", 60, "S1→S2 by van: +60.0 l",
        ),
        (
            question(a_needy_network(sites=(a_site("S1"), a_site("S2", inbound_units_per_day=80)))),
            "inbound_units_per_day", 20, "S2 on 2026-03-03: +20 units",
        ),
        (
            question(a_needy_network(sites=(a_site("S1", outbound_units_per_day=70), a_site("S2")))),
            "outbound_units_per_day", 30, "S1 on 2026-03-02: +30 units",
        ),
        (
            question(a_needy_network(sites=(a_site("S1"), a_site("S2", storage_capacity_microlitres=95_000_000)))),
            "storage_microlitres", 5, "S2: +5.0 l",
        ),
        (question(protected_units={SiteSku("S1", "P1"): 12}), "source_protection", 12, "P1 at S1: +12 units"),
        (question(line_units_max=10), "units_per_line", 90, "P1 S1→S2 by van: +90 units"),
        (question(units_max=99), "plan_units", 1, "the plan: +1 unit"),
        (question(goods_value_max_minor=39_999), "plan_goods_value", 1, "the plan: +0.01 USD"),
        (question(request=overlays(max_units=50)), "request_units", 50, "the plan: +50 units"),
        (
            question(a_needy_network(lanes=(a_lane(cost_per_unit_e4=1_000),)), overlays(transport_budget_minor=600)),
            "transport_budget", 90, "the plan: +9.00 USD",
        ),
        (
            question(request=overlays(receive_caps=(UnitCap(site_id="S2", sku_id="P1", units=40),))),
            "receive_cap", 60, "P1 at S2: +60 units",
        ),
        (
            question(request=overlays(send_caps=(UnitCap(site_id="S1", sku_id="P1", units=40),))),
            "send_cap", 60, "P1 at S1: +60 units",
        ),
    ],
)  # fmt: skip
def test_what_binds_a_line_is_priced_with_the_least_raise_that_is_of_full_use(asked, code, units, change):
    (found,) = relaxed(asked)
    freight = 10 if code == "transport_budget" else 0
    assert (found.code, found.rule, found.changes) == (f"relax_{code}", code, (change,))
    assert (found.extra_units, found.extra_saving_minor) == (units, units * (UNIT - freight))
    amount = change.split("+")[1]
    assert amount in found.words
    assert found.words.endswith(" USD more.")


def test_more_lines_are_priced_by_how_many_the_better_plan_has():
    snapshot = a_snapshot(
        sites=(a_site("S1"), a_site("S2"), a_site("S3")),
        lanes=(a_lane(), a_lane("S1", "S3")),
        positions=(
            a_position("S1", on_hand_units=1_000),
            a_position("S2", on_hand_units=0),
            a_position("S3", on_hand_units=0),
        ),
        forecasts=(a_forecast("S2", daily_units=100), a_forecast("S3", daily_units=50)),
        replenishments=tuple(a_replenishment(site) for site in ("S1", "S2", "S3")),
    )
    (found,) = relaxed(question(snapshot, lines_max=1))
    assert (found.code, found.changes) == ("relax_plan_lines", ("the plan: +1 line",))
    assert found.words.startswith("Allow more lines in one plan by 1 line: saves ")


def test_a_plan_that_nothing_binds_has_nothing_to_relax():
    assert relaxed(question()) == ()
    assert relaxed(question(units_max=99), solves_max=0) == ()


def test_what_people_may_negotiate_is_marked():
    (found,) = relaxed(question(units_max=99), negotiable=("plan_units",))
    assert found.negotiable
    assert not relaxed(question(units_max=99))[0].negotiable


def test_the_most_valuable_comes_first():
    sites = (a_site("S1"), a_site("S2", inbound_units_per_day=50), a_site("S3", inbound_units_per_day=50))
    snapshot = a_snapshot(
        sites=sites,
        lanes=(a_lane(), a_lane("S1", "S3")),
        positions=(
            a_position("S1", on_hand_units=900),
            a_position("S2", on_hand_units=0),
            a_position("S3", on_hand_units=0),
        ),
        forecasts=(a_forecast("S2", daily_units=50), a_forecast("S3", daily_units=20)),
        replenishments=tuple(a_replenishment(site) for site in ("S1", "S2", "S3")),
    )
    found = relaxed(question(snapshot))
    assert [each.changes[0].split()[0] for each in found] == ["S2", "S3"]
    assert found[0].extra_saving_minor > found[1].extra_saving_minor > 0
    first, second = relaxed(question(snapshot), solves_max=1), next_relaxed(question(snapshot), solves_max=1)
    assert sorted((*first, *second), key=lambda each: each.words) == sorted(found, key=lambda each: each.words)
    assert next_relaxed(question(snapshot), solves_max=2) == ()


ALL_OR_NOTHING = [
    (question(closed_lanes={VAN: "forbidden_lane"}), "closed_lane", "Reopen S1→S2 by van: saves "),
    (question(no_send={SiteSku("S1", "P1"): "cool_down"}), "no_send", "Let S1 send P1 all the same: saves "),
    (question(no_receive={SiteSku("S2", "P1"): "cool_down"}), "no_receive", "Let S2 receive P1 all the same: saves "),
    (question(temperature_modes={"ambient": frozenset(("rail",))}), "temperature", "Let P1 travel S1→S2 by van whatever"),
    (question(a_needy_network(lanes=(a_lane(allowed_categories=("dairy",)),))), "lane_categories", "Let S1→S2 by van carry P1"),
    (question(request=overlays(excluded_skus=("P1",))), "excluded_sku", "Do not exclude P1: saves "),
    (
        question(request=overlays(excluded_lanes=(LaneRef(origin="S1", destination="S2"),))),
        "excluded_lane", "Do not exclude S1→S2 by van: saves ",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "code", "words"), ALL_OR_NOTHING, ids=[row[1] for row in ALL_OR_NOTHING])
def test_a_member_of_a_conflict_is_priced_where_the_plan_moves_nothing(asked, code, words):
    plan = plan_of(asked)
    assert plan.lines == ()
    blocked = find_conflict(asked.snapshot, asked.limits, asked.request, Wanted("S2", "P1", 40))
    (found,) = price_relaxations(asked, plan, [blocked])
    assert found.code == f"relax_{code}"
    assert found.words.startswith(words)
    assert (found.extra_units, found.extra_saving_minor) == (100, 100 * UNIT - 500)


def test_a_wish_that_does_not_pay_is_priced_by_what_meeting_it_costs():
    # S2 wants 3 units that nobody asks for: 0.08 less at S1, 0.08 more at S2, and 5.00 for the departure.
    snapshot = a_needy_network(forecasts=(a_forecast("S1", daily_units=0), a_forecast("S2", daily_units=0)))
    asked = question(snapshot, PlanRequest(within_days=0))
    blocked = find_conflict(asked.snapshot, asked.limits, asked.request, Wanted("S2", "P1", 3))
    (found,) = price_relaxations(asked, plan_of(asked), [blocked])
    assert (found.extra_saving_minor, found.extra_units) == (-500, 3)
    assert found.words == (
        "Allow more days until arrival by 1 day: lets 3 of P1 reach S2, which costs 5.00 USD in all."
    )


def test_an_obstacle_that_is_not_the_only_one_is_no_relaxation():
    limits = {"closed_lanes": {VAN: "forbidden_lane"}, "no_send": {SiteSku("S1", "P1"): "cool_down"}}
    asked = question(**limits)
    blocked = find_conflict(asked.snapshot, asked.limits, asked.request, Wanted("S2", "P1", 3))
    assert price_relaxations(asked, plan_of(asked), [blocked]) == ()


def test_what_nobody_can_decide_is_no_lift():
    assert [lift_of(code, VAN, "P1") for code in ("available_stock", "pack_size", "no_lane", "not_stocked")] == [
        None
    ] * 4


@settings(max_examples=15)
@given(seed=st.integers(0, 3_000))
def test_a_raise_by_the_amount_that_is_said_admits_a_plan_that_saves_so_much_more(seed):
    case = random_case(seed)
    asked = Question(case.snapshot, case.limits, case.request)
    plan = plan_of(asked)
    for found in price_relaxations(asked, plan, solves_max=3):
        assert found.extra_saving_minor > 0
        code = found.rule
        lanes = [line for line in plan.lines if (lift := lift_of(code, line.lane, line.sku_id)) is not None]
        savings = []
        for line in lanes:
            lift = lift_of(code, line.lane, line.sku_id)
            assert lift is not None
            lifted = lift.applied(asked)
            if lifted == asked:
                continue  # another line of the plan, from a place that has no such limit
            moves = solve(lifted.snapshot, lifted.limits, lifted.request).moves
            facts = assumed(lifted.snapshot, lifted.request.overlays)
            savings.append(evaluate(facts, lifted.limits, lifted.request, moves).saving - plan.saving_minor)
        assert any(saving == pytest.approx(found.extra_saving_minor, abs=1) for saving in savings)


def test_nothing_is_changed_by_asking():
    asked = question(units_max=99, protected_units={SiteSku("S1", "P1"): 12})
    before = replace(asked)
    relaxed(asked)
    assert asked == before


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(min_value=0, max_value=10_000), share=st.integers(min_value=1, max_value=3))
def test_planning_some_skus_again_promises_no_more_than_planning_all_of_them(seed, share):
    case = random_case(seed)
    asked = Question(case.snapshot, replace(case.limits, lines_max=1), case.request)
    if not solve(asked.snapshot, asked.limits, asked.request).status.has_plan:
        return
    plan = plan_of(asked)
    touched = frozenset(sku.sku_id for sku in case.snapshot.skus[::share])
    unlimited = replace(asked, limits=replace(case.limits, lines_max=None))
    solution = solve(unlimited.snapshot, unlimited.limits, unlimited.request, gap_ppm=0)
    best = (
        round(
            evaluate(
                assumed(case.snapshot, case.request.overlays), unlimited.limits, case.request, solution.moves
            ).saving
        )
        - plan.saving_minor
    )
    for each in price_relaxations(asked, plan, touched=touched):
        if each.code == "relax_plan_lines":
            assert 0 < each.extra_saving_minor <= best + 1
            assert ": saves at least " in each.words


def test_a_relaxation_is_priced_beside_the_lines_of_skus_that_are_not_planned_again():
    # Either SKU of the two alone could fill the one line that is allowed; P2 is worth more, so P1 is what a second adds.
    pair = a_needy_network(
        skus=(a_sku("P1"), a_sku("P2", unit_price_e4=200_000)),
        positions=[a_position(site, sku, 100 * (site == "S1")) for site in ("S1", "S2") for sku in ("P1", "P2")],
        forecasts=[a_forecast("S2", sku, 100) for sku in ("P1", "P2")],
        replenishments=[a_replenishment(site, sku) for site in ("S1", "S2") for sku in ("P1", "P2")],
    )
    asked = Question(pair, limits_for("P1", "P2", lines_max=1), PlanRequest())
    plan = plan_of(asked)
    (line,) = plan.lines
    other = "P1" if line.sku_id == "P2" else "P2"
    (whole,) = price_relaxations(asked, plan)
    (beside,) = price_relaxations(asked, plan, touched=frozenset({other}))
    assert (beside.code, beside.extra_units) == (whole.code, whole.extra_units)
    assert beside.extra_saving_minor == whole.extra_saving_minor > 0
    assert beside.words == whole.words.replace("saves ", "saves at least ")
