"""The rules on lanes: which are forbidden, which legal entities may supply each other, and which goods need which mode."""

from __future__ import annotations

from typing import Any

import pytest

from policies.rules import Facts, Violation, check
from tests.builders import a_lane, a_line, a_needy_network, a_plan, a_policy, a_site, a_sku
from tests.policies.checking import a_needy_pair, facts_of, plan_on, served, two_stores_in_need
from tools.inventory import Temperature

BY_VAN, BY_REEFER = a_line(), a_line(mode="reefer")
BOTH_MODES = (a_lane(), a_lane(mode="reefer"))


def only(rule: str, words: str, *line_nos: int) -> tuple[Violation, ...]:
    """The one violation of a rule, without numbers of its own."""
    return (Violation(rule, words, {}, line_nos),)


@pytest.mark.parametrize(
    ("forbidden", "permitted"),
    [
        ([{"origin": "S1", "destination": "S2"}], False),
        ([{"origin": "S1", "destination": "S2", "mode": "van"}], False),
        ([{"origin": "S1", "destination": "S2", "mode": "reefer"}], True),
        ([{"origin": "S2", "destination": "S1"}], True),
        ([{"origin": "S1", "destination": "S3"}], True),
        ([], True),
    ],
)
def test_nothing_travels_on_a_forbidden_lane(forbidden: list[dict[str, str]], permitted: bool) -> None:
    facts = facts_of(policy=a_policy(lanes={"forbidden": forbidden}))
    words = "Line 1 (5 P1 S1→S2 by van): the lane S1→S2 by van is forbidden."
    assert check(plan_on(facts), facts) == (() if permitted else only("forbidden_lane", words, 1))


def test_only_the_lines_on_a_forbidden_lane_are_blamed() -> None:
    facts = facts_of(
        two_stores_in_need(lanes=(a_lane("S1", "S2"), a_lane("S1", "S3"))),
        a_policy(lanes={"forbidden": [{"origin": "S1", "destination": "S3"}]}),
    )
    plan = plan_on(facts, a_line(1), a_line(2, units=7, destination="S3"), fill_rate=served(12, 1_400))
    words = "Line 2 (7 P1 S1→S3 by van): the lane S1→S3 by van is forbidden."
    assert check(plan, facts) == only("forbidden_lane", words, 2)


def between(origin: str, destination: str, cross_entity: str) -> Facts:
    """The needy network with a legal entity at each end, where EAST may supply WEST if pairs are listed."""
    sites = (a_site("S1", legal_entity=origin), a_site("S2", legal_entity=destination))
    pairs = [{"origin": "EAST", "destination": "WEST"}]
    tier = a_policy().tiers[0].model_dump(mode="json") | {"cross_entity": True}
    policy = a_policy(lanes={"cross_entity": cross_entity, "cross_entity_pairs": pairs}, tiers=[tier])
    return facts_of(a_needy_network(sites=sites), policy)


@pytest.mark.parametrize(
    ("cross_entity", "origin", "destination"),
    [
        ("forbidden", "EAST", "EAST"),
        ("forbidden", "", ""),
        ("listed", "EAST", "WEST"),
        ("listed", "WEST", "WEST"),
        ("allowed", "WEST", "EAST"),
        ("allowed", "EAST", "NORTH"),
    ],
)
def test_stock_passes_within_a_legal_entity_or_where_the_policy_lists_the_pair(
    cross_entity: str, origin: str, destination: str
) -> None:
    facts = between(origin, destination, cross_entity)
    assert check(plan_on(facts), facts) == ()


@pytest.mark.parametrize(
    ("cross_entity", "origin", "destination", "ends"),
    [
        ("forbidden", "EAST", "WEST", "EAST to WEST"),
        ("listed", "WEST", "EAST", "WEST to EAST"),
        ("listed", "EAST", "NORTH", "EAST to NORTH"),
        ("listed", "", "WEST", "? to WEST"),
        ("listed", "EAST", "", "EAST to ?"),
    ],
)
def test_stock_passes_between_no_other_legal_entities(
    cross_entity: str, origin: str, destination: str, ends: str
) -> None:
    facts = between(origin, destination, cross_entity)
    words = f"Line 1 (5 P1 S1→S2 by van): it would pass from {ends}."
    assert check(plan_on(facts), facts) == only("cross_entity", words, 1)


def test_a_lane_that_is_not_known_is_another_rules_word() -> None:
    facts = facts_of(a_needy_network(sites=(a_site("S1", legal_entity="EAST"), a_site("S2")), lanes=()))
    assert [violation.rule for violation in check(plan_on(facts), facts)] == ["unknown_lane"]


@pytest.mark.parametrize("temperature", [Temperature.CHILLED, Temperature.FROZEN])
def test_cooled_goods_travel_by_the_modes_that_keep_them_so(temperature: Temperature) -> None:
    facts = facts_of(a_needy_network(skus=(a_sku(temperature=temperature),), lanes=BOTH_MODES))
    words = f"Line 1 (5 P1 S1→S2 by van): {temperature} goods travel by reefer, not by van."
    assert check(plan_on(facts, BY_VAN), facts) == only("temperature", words, 1)
    assert check(plan_on(facts, BY_REEFER), facts) == ()


def test_ambient_goods_travel_by_any_mode() -> None:
    policy = a_policy(lanes={"chilled_modes": [], "frozen_modes": [], "hazmat_modes": []})
    facts = facts_of(a_needy_network(lanes=BOTH_MODES), policy)
    assert check(plan_on(facts, BY_VAN), facts) == check(plan_on(facts, BY_REEFER), facts) == ()


def test_chilled_and_frozen_goods_have_modes_of_their_own() -> None:
    policy = a_policy(lanes={"chilled_modes": ["van", "insulated_van"], "frozen_modes": ["reefer", "truck"]})
    network = a_needy_pair(
        skus=(a_sku("P1", temperature=Temperature.CHILLED), a_sku("P2", temperature=Temperature.FROZEN))
    )
    facts = facts_of(network, policy)
    plan = plan_on(facts, a_line(1), a_line(2, sku_id="P2"), fill_rate=served(10, 1_400))
    words = "Line 2 (5 P2 S1→S2 by van): frozen goods travel by reefer, truck, not by van."
    assert check(plan, facts) == only("temperature", words, 2)


@pytest.mark.parametrize(
    ("rule", "sku", "words"),
    [
        ("temperature", {"temperature": Temperature.CHILLED}, "chilled goods travel by no mode at all, not by van"),
        ("hazmat", {"hazmat": True}, "hazardous goods travel by no mode at all, not by van"),
    ],
)
def test_goods_without_a_mode_do_not_travel(rule: str, sku: dict[str, Any], words: str) -> None:
    facts = facts_of(a_needy_network(skus=(a_sku(**sku),)), a_policy(lanes={"chilled_modes": [], "hazmat_modes": []}))
    assert check(plan_on(facts), facts) == only(rule, f"Line 1 (5 P1 S1→S2 by van): {words}.", 1)


@pytest.mark.parametrize(
    ("modes", "permitted"), [(["van"], True), (["truck", "van"], True), (["truck", "rail"], False)]
)
def test_hazardous_goods_travel_by_the_modes_that_the_policy_names(modes: list[str], permitted: bool) -> None:
    facts = facts_of(a_needy_network(skus=(a_sku(hazmat=True),)), a_policy(lanes={"hazmat_modes": modes}))
    words = "Line 1 (5 P1 S1→S2 by van): hazardous goods travel by truck, rail, not by van."
    assert check(plan_on(facts), facts) == (() if permitted else only("hazmat", words, 1))


def test_chilled_hazardous_goods_need_a_mode_for_both() -> None:
    network = a_needy_network(skus=(a_sku(hazmat=True, temperature=Temperature.CHILLED),), lanes=BOTH_MODES)
    facts = facts_of(network, a_policy(lanes={"hazmat_modes": ["reefer", "van"]}))
    assert [violation.rule for violation in check(plan_on(facts, BY_VAN), facts)] == ["temperature"]
    assert check(plan_on(facts, BY_REEFER), facts) == ()


def test_a_sku_that_is_not_known_has_no_temperature_and_no_hazard() -> None:
    """That it is not known is another rule's word."""
    plan = a_plan(a_line(sku_id="P9"))
    assert {violation.rule for violation in check(plan, facts_of())} == {"unknown_sku", "source_protection"}
