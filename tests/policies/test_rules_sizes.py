"""The rules on money and size: what a line and a departure must earn, and how much one line and one plan may move."""

from __future__ import annotations

from typing import Any

import pytest

from policies.rules import Facts, Violation, check
from tests.builders import a_lane, a_line, a_needy_network, a_policy, a_position, a_site, a_sku
from tests.policies.checking import REQUEST, a_needy_pair, facts_of, plan_on, served, two_stores_in_need
from tests.policies.random_policies import solved
from tools.transfers import TransferPlan

TIER = a_policy().tiers[0].model_dump(mode="json")


def under(**sections: Any) -> Facts:
    """The needy network under the first release with fields replaced."""
    return facts_of(policy=a_policy(**sections))


@pytest.mark.parametrize(("least", "permitted"), [(678, True), (679, True), (680, False), (10_000, False)])
def test_a_line_earns_at_least_the_minimum_give_or_take_its_rounding(least: int, permitted: bool) -> None:
    # One unit saves 7.28 less 0.50 for the line.
    facts = under(benefit={"line_min_minor": least, "lane_min_minor": 0})
    words = f"Line 1 (1 P1 S1→S2 by van): it saves 6.78 USD, the policy wants {least / 100:.2f} USD."
    too_little = Violation("line_benefit", words, {"found": 678, "least": least}, (1,))
    assert check(plan_on(facts, a_line(units=1)), facts) == (() if permitted else (too_little,))


def test_only_the_lines_that_earn_too_little_are_blamed() -> None:
    facts = facts_of(a_needy_pair(), a_policy(benefit={"line_min_minor": 700}))
    plan = plan_on(facts, a_line(1, units=5), a_line(2, units=1, sku_id="P2"), fill_rate=served(6, 1_400))
    assert [(each.rule, each.line_nos) for each in check(plan, facts)] == [("line_benefit", (2,))]


@pytest.mark.parametrize(("least", "permitted"), [(3_090, True), (3_092, True), (3_093, False), (5_000, False)])
def test_a_departure_earns_at_least_the_minimum_give_or_take_its_rounding(least: int, permitted: bool) -> None:
    # Five units save 5 x 7.28 less 0.50 for the line; the van costs 5.00.
    facts = under(benefit={"lane_min_minor": least})
    words = f"The departure S1→S2 by van on 2026-03-03 saves 30.90 USD after its cost; the policy wants {least / 100:.2f} USD."
    too_little = Violation("lane_benefit", words, {"saving_minor": 3_090, "least_minor": least}, (1,))
    assert check(plan_on(facts), facts) == (() if permitted else (too_little,))


@pytest.mark.parametrize(("least", "permitted"), [(6_683, True), (6_684, False)])
def test_the_lines_of_a_departure_earn_its_minimum_together(least: int, permitted: bool) -> None:
    # 2 x (5 x 7.28 - 0.50) - 5.00 = 66.80; two lines may be rounded down by one minor unit each, and the cost up.
    facts = facts_of(a_needy_pair(), a_policy(benefit={"lane_min_minor": least}))
    plan = plan_on(facts, a_line(1), a_line(2, sku_id="P2"), fill_rate=served(10, 1_400))
    found = [(each.rule, dict(each.numbers), each.line_nos) for each in check(plan, facts)]
    too_little = ("lane_benefit", {"saving_minor": 6_680, "least_minor": least}, (1, 2))
    assert found == ([] if permitted else [too_little])


def test_a_departure_is_judged_by_the_lines_that_travel_on_it_and_not_by_those_it_names() -> None:
    facts = under(benefit={"lane_min_minor": 3_093})
    plan = plan_on(facts)
    load = plan.lanes[0]
    for named in ((), (1, 1), (1, 9)):
        tampered = plan.model_copy(update={"lanes": (load.model_copy(update={"line_nos": named}),)})
        found = [(each.rule, each.line_nos) for each in check(tampered, facts)]
        assert found == [("lane_benefit", (1,)), ("adds_up", (1,))]


@pytest.mark.parametrize(("most", "permitted"), [(5, True), (4, False), (1, False)])
def test_a_line_moves_at_most_so_many_units(most: int, permitted: bool) -> None:
    facts = under(size={"line_units_max": most})
    words = f"Line 1 (5 P1 S1→S2 by van): 5 units; at most {most}."
    too_large = Violation("line_units", words, {"found": 5, "max": most}, (1,))
    assert check(plan_on(facts), facts) == (() if permitted else (too_large,))


def ten_units(facts: Facts) -> TransferPlan:
    """Two lines of five units, worth 40.00 together."""
    return plan_on(facts, a_line(1), a_line(2, sku_id="P2"), fill_rate=served(10, 1_400))


@pytest.mark.parametrize(
    ("field", "found", "words"),
    [
        ("plan_units", 10, "The plan moves 10 units; the policy admits 9."),
        ("plan_lines", 2, "The plan moves 2 lines; the policy admits 1."),
        ("plan_goods_value", 4_000, "The plan moves goods worth 40.00 USD; the policy admits 39.99 USD."),
    ],
)
def test_a_plan_moves_at_most_so_much(field: str, found: int, words: str) -> None:
    name = "plan_goods_value_max_minor" if field == "plan_goods_value" else f"{field}_max"
    enough, too_little = (facts_of(a_needy_pair(), a_policy(size={name: most})) for most in (found, found - 1))
    assert check(ten_units(enough), enough) == ()
    too_large = Violation(field, words, {"found": found, "max": found - 1})
    assert check(ten_units(too_little), too_little) == (too_large,)


def test_a_plan_that_is_too_large_in_every_way_hears_it_all() -> None:
    size = {"line_units_max": 1, "plan_units_max": 1, "plan_lines_max": 1, "plan_goods_value_max_minor": 1}
    facts = facts_of(a_needy_pair(), a_policy(size=size))
    found = [(each.rule, each.line_nos) for each in check(ten_units(facts), facts)]
    assert found == [
        ("line_units", (1,)),
        ("line_units", (2,)),
        ("plan_units", ()),
        ("plan_lines", ()),
        ("plan_goods_value", ()),
    ]


@pytest.mark.parametrize(
    ("tier", "permitted"),
    [
        ({"units_max": 5, "goods_value_max_minor": 2_000}, True),
        ({"units_max": 4}, False),
        ({"goods_value_max_minor": 1_999}, False),
    ],
)
def test_a_plan_that_fits_no_tier_is_forbidden(tier: dict[str, int], permitted: bool) -> None:
    facts = under(tiers=[TIER | tier])
    words = "No approval tier admits 5 units worth 20.00 USD."
    forbidden = Violation("approval_tier", words, {"units": 5, "goods_value_minor": 2_000})
    assert check(plan_on(facts), facts) == (() if permitted else (forbidden,))


@pytest.mark.parametrize("cross_entity", [True, False])
def test_a_plan_between_legal_entities_needs_a_tier_for_it(cross_entity: bool) -> None:
    sites = (a_site("S1", legal_entity="EAST"), a_site("S2", legal_entity="WEST"))
    policy = a_policy(lanes={"cross_entity": "allowed"}, tiers=[TIER | {"cross_entity": cross_entity}])
    facts = facts_of(a_needy_network(sites=sites), policy)
    words = "No approval tier admits 5 units worth 20.00 USD across legal entities."
    forbidden = Violation("approval_tier", words, {"units": 5, "goods_value_minor": 2_000})
    assert check(plan_on(facts), facts) == (() if cross_entity else (forbidden,))


def test_one_line_between_legal_entities_makes_the_whole_plan_one() -> None:
    sites = (a_site("S1", legal_entity="EAST"), a_site("S2", legal_entity="EAST"), a_site("S3", legal_entity="WEST"))
    network = two_stores_in_need(sites=sites, lanes=(a_lane("S1", "S2"), a_lane("S1", "S3")))
    facts = facts_of(network, a_policy(lanes={"cross_entity": "allowed"}))
    inside, across = a_line(1), a_line(2, destination="S3")
    assert check(plan_on(facts, inside, fill_rate=served(5, 1_400)), facts) == ()
    (forbidden,) = check(plan_on(facts, inside, across, fill_rate=served(10, 1_400)), facts)
    assert forbidden.words == "No approval tier admits 10 units worth 40.00 USD across legal entities."


def test_a_plan_that_uses_up_the_goods_value_is_not_refused_for_its_rounding() -> None:
    # 101 units at 0.335 are 33.835: each of two such lines is rounded up to 33.84, both together are 67.67.
    network = a_needy_pair(
        skus=[a_sku(sku_id, unit_cost_e4=3_350) for sku_id in ("P1", "P2")],
        positions=[
            a_position(site_id, sku_id, units) for site_id, units in (("S1", 101), ("S2", 0)) for sku_id in ("P1", "P2")
        ],
    )
    policy = a_policy(size={"plan_goods_value_max_minor": 6_767}, tiers=[TIER | {"goods_value_max_minor": 6_767}])
    facts = facts_of(network, policy)
    plan = solved(facts, REQUEST)
    assert (plan.units, plan.goods_value_minor) == (202, 6_767)
    assert sorted(line.goods_value_minor for line in plan.lines) == [3_383, 3_384]
    assert check(plan, facts) == ()
