"""The figures of a plan: each is compared with what it comes to, to the minor unit or to its rounding."""

from __future__ import annotations

from typing import Any

import pytest

from policies.figures import WrongFigure, wrong_sums, wrong_values
from policies.limits import limits_of
from policies.rules import Facts
from tests.builders import a_lane, a_line, a_load, a_move, a_needy_network, a_policy, a_sku, in_days
from tests.policies.checking import a_needy_pair, facts_of, plan_on, planned, served
from tools.planning import evaluate, moves_of
from tools.transfers import FillRate, TransferPlan

FACTS = facts_of()
PAIR = facts_of(a_needy_pair())
VAN = "S1→S2 by van"


def plan_of_two() -> TransferPlan:
    """Five units of P1 and seven of P2 on one van."""
    return plan_on(PAIR, a_line(1), a_line(2, units=7, sku_id="P2"), fill_rate=served(12, 1_400))


def changed(plan: TransferPlan, **fields: Any) -> TransferPlan:
    """The plan with figures of its own replaced, past all validation."""
    return plan.model_copy(update=fields)


def with_line(plan: TransferPlan, line_no: int, **fields: Any) -> TransferPlan:
    """The plan with figures of a line replaced."""
    lines = tuple(line.model_copy(update=fields) if line.line_no == line_no else line for line in plan.lines)
    return changed(plan, lines=lines)


def with_load(plan: TransferPlan, **fields: Any) -> TransferPlan:
    """The plan with figures of its first departure replaced."""
    return changed(plan, lanes=(plan.lanes[0].model_copy(update=fields), *plan.lanes[1:]))


def sums(plan: TransferPlan, facts: Facts = FACTS) -> list[WrongFigure]:
    return list(wrong_sums(plan, facts.snapshot))


def values(plan: TransferPlan, facts: Facts = FACTS) -> list[WrongFigure]:
    limits = limits_of(facts.policy, facts.snapshot, plan.request)
    again = evaluate(facts.snapshot, limits, plan.request, moves_of(plan))
    return list(wrong_values(plan, facts.snapshot, limits, again))


def test_a_sound_plan_has_no_wrong_figure() -> None:
    for plan, facts in ((plan_on(FACTS), FACTS), (plan_of_two(), PAIR)):
        assert sums(plan, facts) == values(plan, facts) == []


def test_units_are_packs_times_the_pack_size() -> None:
    facts = facts_of(a_needy_network(skus=(a_sku(pack_size=6),)))
    plan = plan_on(facts, a_line(packs=100, units=600))
    assert sums(plan, facts) == []
    wrong = WrongFigure("Line 1 says 1,000 units; 100 packs are 600.", 1_000, 600, (1,))
    assert sums(with_line(plan, 1, units=1_000), facts) == [wrong]
    fewer = WrongFigure("Line 1 says 600 units; 99 packs are 594.", 600, 594, (1,))
    assert sums(with_line(plan, 1, packs=99), facts) == [fewer]


def test_a_pack_counts_with_all_its_units() -> None:
    facts = facts_of(a_needy_network(skus=(a_sku(pack_size=6),)))
    plan = planned(facts, a_move(3))
    assert (plan.lines[0].units, plan.goods_value_minor, plan.lanes[0].volume_microlitres) == (18, 7_200, 18_000_000)
    assert sums(plan, facts) == values(plan, facts) == []


def test_packs_of_a_sku_that_is_not_known_cannot_be_counted() -> None:
    assert sums(plan_on(FACTS, a_line(sku_id="P9", units=7, packs=1))) == []


@pytest.mark.parametrize(
    ("fields", "listed"),
    [
        ({"line_nos": (1,)}, 1),
        ({"line_nos": (2, 1)}, 2),
        ({"line_nos": (1, 2, 3)}, 3),
        ({"line_nos": (1, 9)}, 2),
        ({"line_nos": ()}, 0),
        ({"arrive_on": in_days(3)}, 2),
    ],
)
def test_a_departure_lists_exactly_its_lines_and_their_dates(fields: dict[str, Any], listed: int) -> None:
    words = f"The departure {VAN} does not list exactly its lines and their dates."
    assert sums(with_load(plan_of_two(), **fields), PAIR) == [WrongFigure(words, listed, 2, (1, 2))]


def test_lines_of_one_departure_arrive_together() -> None:
    words = f"The departure {VAN} does not list exactly its lines and their dates."
    assert sums(with_line(plan_of_two(), 2, arrive_on=in_days(5)), PAIR) == [WrongFigure(words, 2, 2, (1, 2))]


def test_a_line_that_leaves_on_another_day_is_on_another_departure() -> None:
    words = f"The departure {VAN} does not list exactly its lines and their dates."
    assert sums(with_line(plan_of_two(), 2, depart_on=in_days(5)), PAIR) == [
        WrongFigure(words, 2, 1, (1,)),
        WrongFigure("The plan lists 1 departures; its lines use 2.", 1, 2),
    ]
    assert sums(with_load(plan_of_two(), depart_on=in_days(2)), PAIR) == [
        WrongFigure(words, 2, 0),
        WrongFigure("The plan lists 1 departures; its lines use 1.", 1, 1),
    ]


def test_a_departure_that_no_line_uses_is_none() -> None:
    plan = plan_on(FACTS)
    empty = a_load(a_line(destination="S3"), fixed_cost_minor=0, line_nos=())
    assert sums(changed(plan, lanes=(*plan.lanes, empty))) == [
        WrongFigure("The departure S1→S3 by van does not list exactly its lines and their dates.", 0, 0),
        WrongFigure("The plan lists 2 departures; its lines use 1.", 2, 1),
    ]


def test_a_departure_is_listed_once() -> None:
    plan = plan_on(FACTS)
    free = plan.lanes[0].model_copy(update={"fixed_cost_minor": 0})
    words = "The plan lists 2 departures; its lines use 1."
    assert sums(changed(plan, lanes=(*plan.lanes, free))) == [WrongFigure(words, 2, 1)]


def test_a_departure_that_is_left_out_is_missed() -> None:
    plan = changed(plan_on(FACTS), lanes=(), fixed_cost_minor=0, saving_minor=3_590)
    assert sums(plan) == [WrongFigure("The plan lists 0 departures; its lines use 1.", 0, 1)]


@pytest.mark.parametrize(
    ("field", "what", "right"),
    [
        ("saving_minor", "saving", 8_136),
        ("move_cost_minor", "move cost", 100),
        ("fixed_cost_minor", "fixed cost", 500),
        ("goods_value_minor", "goods value", 4_800),
    ],
)
@pytest.mark.parametrize("difference", [1, -1, 100_000])
def test_totals_are_the_sums_of_their_parts(field: str, what: str, right: int, difference: int) -> None:
    # 12 x 7.28 - 2 x 0.50 - 5.00; goods at 4.00.
    wrong = right + difference
    sign = "-" if wrong < 0 else ""
    words = f"The plan's {what} of {sign}{abs(wrong) / 100:,.2f} USD is {right / 100:.2f} USD when its parts are added."
    assert getattr(plan_of_two(), field) == right
    assert sums(changed(plan_of_two(), **{field: wrong}), PAIR) == [WrongFigure(words, wrong, right)]


@pytest.mark.parametrize(
    ("field", "what", "right", "tolerance"),
    [
        ("saving_minor", "The plan's saving", 8_136, 3),
        ("fixed_cost_minor", "The plan's fixed cost", 500, 3),
        ("whole_horizon_saving_minor", "The plan's saving over the whole horizon", 8_136, 1),
        ("goods_value_minor", "The plan's goods value", 4_800, 0),
    ],
)
def test_the_money_of_a_plan_comes_out_again_give_or_take_its_rounding(
    field: str, what: str, right: int, tolerance: int
) -> None:
    for difference in (-tolerance, tolerance):
        assert values(changed(plan_of_two(), **{field: right + difference}), PAIR) == []
    for difference in (-tolerance - 1, tolerance + 1):
        claimed = right + difference
        words = f"{what} of {claimed / 100:.2f} USD is {right / 100:.2f} USD when computed again."
        assert values(changed(plan_of_two(), **{field: claimed}), PAIR) == [WrongFigure(words, claimed, right)]


@pytest.mark.parametrize(
    ("field", "what", "right"),
    [
        ("saving_minor", "saving", 5_046),
        ("move_cost_minor", "move cost", 50),
        ("goods_value_minor", "goods value", 2_800),
    ],
)
def test_the_money_of_a_line_comes_out_again_give_or_take_its_rounding(field: str, what: str, right: int) -> None:
    for difference in (-1, 1):
        assert values(with_line(plan_of_two(), 2, **{field: right + difference}), PAIR) == []
    for difference in (-2, 2):
        claimed = right + difference
        words = f"Line 2's {what} of {claimed / 100:.2f} USD is {right / 100:.2f} USD when computed again."
        assert values(with_line(plan_of_two(), 2, **{field: claimed}), PAIR) == [
            WrongFigure(words, claimed, right, (2,))
        ]


def test_the_cost_of_a_departure_comes_out_again_and_blames_the_lines_that_travel_on_it() -> None:
    assert values(with_load(plan_of_two(), fixed_cost_minor=501), PAIR) == []
    words = f"The fixed cost of {VAN} of 5.02 USD is 5.00 USD when computed again."
    wrong = WrongFigure(words, 502, 500, (1, 2))
    assert values(with_load(plan_of_two(), fixed_cost_minor=502, line_nos=(9,)), PAIR) == [wrong]


def test_a_departure_that_nothing_uses_costs_nothing() -> None:
    plan = plan_on(FACTS)
    empty = a_load(a_line(destination="S3"), fixed_cost_minor=700, volume_microlitres=0, line_nos=())
    words = "The fixed cost of S1→S3 by van of 7.00 USD is 0.00 USD when computed again."
    assert values(changed(plan, lanes=(*plan.lanes, empty))) == [WrongFigure(words, 700, 0)]


def test_fractions_of_a_minor_unit_are_rounding_and_no_fault() -> None:
    # 5 x 0.3333 = 1.6665: one line is worth 166.65 minor units.
    facts = facts_of(a_needy_network(skus=(a_sku(unit_cost_e4=3_333),)))
    saving = {"saving_minor": 0, "move_cost_minor": 50}
    for goods_value, wrong in ((167, False), (166, True), (168, True)):
        plan = plan_on(facts, a_line(goods_value_minor=goods_value, **saving))
        goods = [figure for figure in values(plan, facts) if "goods value" in figure.words]
        assert [(figure.claimed, figure.computed) for figure in goods[:1]] == ([(goods_value, 167)] if wrong else [])


def test_the_load_of_a_departure_is_the_volume_of_its_lines() -> None:
    plan = with_load(plan_of_two(), volume_microlitres=11_999_999)
    words = f"The load of {VAN} of 11,999,999 microlitres comes to 12,000,000."
    assert values(plan, PAIR) == [WrongFigure(words, 11_999_999, 12_000_000, (1, 2))]


def test_a_plan_is_in_the_currency_of_its_facts() -> None:
    (wrong,) = values(changed(plan_on(FACTS), currency="EUR"))
    assert wrong == WrongFigure("The plan is in EUR, the facts are in USD.", 0, 0)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_plan_is_made_on_the_day_of_its_facts(days: int) -> None:
    wrong = values(changed(plan_on(FACTS), planned_on=in_days(days)))
    words = f"The plan says that it was made on {in_days(days)}; its facts are of 2026-03-02."
    assert wrong == [WrongFigure(words, in_days(days).toordinal(), in_days(0).toordinal())]


@pytest.mark.parametrize(("depart", "arrive"), [(0, 2), (2, 3), (1, 1), (1, 5)])
def test_a_line_travels_when_its_lane_does(depart: int, arrive: int) -> None:
    dates = {"depart_on": in_days(depart), "arrive_on": in_days(arrive)}
    plan = with_load(with_line(plan_on(FACTS), 1, **dates), **dates)
    words = (
        f"Line 1 travels from {in_days(depart)} to {in_days(arrive)};"
        " its lane next travels from 2026-03-03 to 2026-03-04."
    )
    assert values(plan) == [WrongFigure(words, arrive, 2, (1,))]


def test_a_lane_travels_on_its_weekdays() -> None:
    # Today is Monday; an approval takes a day, so that Monday's van leaves next week.
    facts = facts_of(a_needy_network(lanes=(a_lane(departure_weekdays=(1,), lead_time_days=0),)))
    dates = {"depart_on": in_days(7), "arrive_on": in_days(7)}
    wrong = [each for each in values(plan_on(facts, a_line(**dates)), facts) if "travels" in each.words]
    assert wrong == []
    (early,) = [each for each in values(plan_on(facts, a_line()), facts) if "travels" in each.words]
    assert (early.claimed, early.computed, early.line_nos) == (2, 7, (1,))


def test_a_line_may_travel_on_any_departure_that_policy_looks_at() -> None:
    """A van that carries 50 l: of three departures a line may take the second, of one it may not."""
    full = a_needy_network(lanes=(a_lane(capacity_microlitres_per_departure=50_000_000),))
    for looked_at, wrong in ((3, 0), (2, 0), (1, 1)):
        facts = facts_of(full, policy=a_policy(departures={"per_lane_max": looked_at}))
        plan = plan_on(facts, a_line(depart_on=in_days(2), arrive_on=in_days(3)))
        assert len([each for each in values(plan, facts) if "travels" in each.words]) == wrong
        assert sums(plan, facts) == []


@pytest.mark.parametrize(("before", "after", "found"), [(1, 7_144, []), (2, 7_143, ["before"]), (0, 7_145, ["after"])])
def test_the_fill_rate_comes_out_again_give_or_take_its_rounding(before: int, after: int, found: list[str]) -> None:
    # 5 of 700 units are 7,142.9 ppm.
    right = {"before": (before, 0), "after": (after, 7_143)}
    words = {
        when: f"The fill rate {when} the plan of {claimed:,} ppm is {computed:,} ppm when computed again."
        for when, (claimed, computed) in right.items()
    }
    plan = changed(plan_on(FACTS), fill_rate=FillRate(before_ppm=before, after_ppm=after))
    assert values(plan) == [WrongFigure(words[when], *right[when]) for when in found]
