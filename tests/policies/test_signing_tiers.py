"""Whose signatures a plan needs by what it is, what may go without any, and when the signatures are complete."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.approvals import SkuClass
from policies.brief import brief
from policies.library import released
from policies.schema import Policy
from policies.signatures import Demand, Needed, Signature, missing
from policies.tiers import Traits, demands_of, reasons_to_ask, traits_of
from tests.builders import NOW, a_hold, a_line, a_needy_network, a_plan, a_policy, a_position, a_site, a_sku
from tools.inventory import LaneKey, SiteKind

PLAIN = Traits(
    goods_value_minor=10_000,
    units=10,
    modes=frozenset({"van"}),
    site_kinds=frozenset({SiteKind.STORE}),
    legal_entities=frozenset({"EAST"}),
    sku_classes=frozenset({SkuClass.C}),
    cross_entity=False,
    novel=False,
    count_hours=1,
    held_share_bp=0,
)
AUTOMATIC: dict[str, Any] = {
    "goods_value_max_minor": 10_000, "units_max": 10, "daily_goods_value_max_minor": 20_000, "daily_units_max": 20,
    "sku_classes": ["C"], "modes": ["van"], "cross_entity": False, "novel": False, "count_hours_max": 24,
}  # fmt: skip


def a_rule(name: str = "rule", approvals: int = 2, *, both_ends: bool = False, **more: Any) -> dict[str, Any]:
    panel = more.pop("panel", [])
    return {"name": name, "approvals": approvals, "both_ends": both_ends, "panel": panel, "when": more}


def policy_with(*rules: dict[str, Any], **more: Any) -> Policy:
    return a_policy(approvals={"signing": list(rules), "reasons_stand_days": 0} | more)


def names_for(policy: Policy, traits: Traits) -> list[str]:
    return [demand.name for demand in demands_of(policy, policy.tiers[0], traits)]


@pytest.mark.parametrize(
    ("condition", "traits"),
    [
        ({"goods_value_above_minor": 10_000}, {"goods_value_minor": 10_001}),
        ({"units_above": 10}, {"units": 11}),
        ({"modes": ["reefer", "truck"]}, {"modes": frozenset({"van", "truck"})}),
        ({"site_kinds": ["dc"]}, {"site_kinds": frozenset({SiteKind.DC, SiteKind.STORE})}),
        ({"legal_entities": ["WEST"]}, {"legal_entities": frozenset({"EAST", "WEST"})}),
        ({"sku_classes": ["sensitive", "A"]}, {"sku_classes": frozenset({SkuClass.A})}),
        ({"cross_entity": True}, {"cross_entity": True}),
        ({"novel": True}, {"novel": True}),
        ({"count_older_than_hours": 1}, {"count_hours": 2}),
        ({"held_share_above_bp": 0}, {"held_share_bp": 1}),
    ],
)
def test_a_rule_asks_where_its_condition_holds_and_not_at_its_border(
    condition: dict[str, Any], traits: dict[str, Any]
) -> None:
    policy = policy_with(a_rule(**condition))
    assert names_for(policy, PLAIN) == ["standard"]
    assert names_for(policy, replace(PLAIN, **traits)) == ["standard", "rule"]


def test_all_conditions_of_a_rule_have_to_hold_and_a_rule_without_any_is_about_every_plan() -> None:
    policy = policy_with(a_rule("both", novel=True, cross_entity=True), a_rule("every"))
    assert names_for(policy, replace(PLAIN, novel=True)) == ["standard", "every"]
    assert names_for(policy, replace(PLAIN, novel=True, cross_entity=True)) == ["standard", "both", "every"]


def test_the_traits_of_a_plan_are_read_from_its_lines_and_the_facts() -> None:
    snapshot = a_needy_network(
        sites=(a_site("S1", legal_entity="EAST", kind=SiteKind.DC), a_site("S2", legal_entity="WEST")),
        skus=(a_sku("P1", sensitive=True, hazmat=True),),
        positions=(a_position("S1", on_hand_units=100, as_of=NOW.replace(hour=0)), a_position("S2", on_hand_units=0)),
        holds=(a_hold("S2", "P1"),),
    )
    plan = a_plan(a_line(units=7), snapshot=snapshot)
    found = traits_of(a_policy(), plan, snapshot, frozenset(), NOW)
    assert found == Traits(
        goods_value_minor=2_800, units=7, modes=frozenset({"van"}),
        site_kinds=frozenset({SiteKind.DC, snapshot.sites[1].kind}), legal_entities=frozenset({"EAST", "WEST"}),
        sku_classes=frozenset({SkuClass.A, SkuClass.SENSITIVE, SkuClass.HAZMAT}), cross_entity=True, novel=True,
        count_hours=NOW.hour + (NOW.minute > 0), held_share_bp=5_000,
    )  # fmt: skip
    used = frozenset({(LaneKey("S1", "S2", "van"), "P1")})
    assert not traits_of(a_policy(), plan, snapshot, used, NOW).novel


def test_a_sku_that_is_not_known_counts_as_sensitive() -> None:
    plan = a_plan(a_line(sku_id="P9"))
    found = traits_of(a_policy(), plan, a_needy_network(), frozenset(), NOW)
    assert SkuClass.SENSITIVE in found.sku_classes


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        ({}, None),
        ({"goods_value_minor": 10_001}, "worth more"),
        ({"units": 11}, "more than 10 units"),
        ({"modes": frozenset({"van", "truck"})}, "travels by truck"),
        ({"sku_classes": frozenset({SkuClass.A, SkuClass.C})}, "class A"),
        ({"sku_classes": frozenset({SkuClass.C, SkuClass.SENSITIVE})}, "Sensitive"),
        ({"cross_entity": True}, "legal entities"),
        ({"novel": True}, "never travelled"),
        ({"count_hours": 25}, "25 hours old"),
        ({"held_share_bp": 1}, "rule held asks"),
    ],
)
def test_policy_releases_by_itself_what_is_small_known_and_fresh(traits: dict[str, Any], words: str | None) -> None:
    policy = policy_with(a_rule("held", held_share_above_bp=0), automatic=AUTOMATIC)
    reasons = reasons_to_ask(policy, replace(PLAIN, **traits))
    assert (words is None) == (reasons == ())
    assert words is None or words in " ".join(reasons)


def test_sensitive_skus_are_never_released_by_policy_whatever_it_lists() -> None:
    policy = policy_with(automatic=AUTOMATIC | {"sku_classes": ["C", "sensitive"]})
    assert reasons_to_ask(policy, PLAIN) == ()
    assert reasons_to_ask(policy, replace(PLAIN, sku_classes=frozenset({SkuClass.C, SkuClass.SENSITIVE})))


@pytest.mark.parametrize("release", ["2026-01", "2026-04", "2026-11", "2026-12", "2027-01"])
def test_no_release_before_the_one_that_says_so_releases_anything_by_itself(release: str) -> None:
    assert reasons_to_ask(released(release), PLAIN) == ("The policy in force releases nothing by itself.",)


@pytest.mark.parametrize("release", ["2026-01", "2026-04", "2026-11", "2026-12"])
def test_a_document_without_a_section_on_approvals_asks_for_one_approver_as_before(release: str) -> None:
    policy = released(release)
    most = replace(PLAIN, cross_entity=True, novel=True, count_hours=700, goods_value_minor=20_000_000)
    assert demands_of(policy, policy.tiers[0], most) == (Demand(name="standard", approvals=1),)
    assert "Signing rule" not in brief(policy, "USD")


def test_every_rule_of_a_release_is_told_in_words() -> None:
    words = brief(released("2027-02"), "USD")
    section = released("2027-02").approvals
    assert section is not None
    assert all(f"Signing rule {rule.name}" in words for rule in section.signing)
    for said in (
        "50,000.00 USD",
        "36 hours",
        "lose 20 %",
        "30 days",
        "Released without a person",
        "1,000 units at most",
    ):
        assert said in words


@pytest.mark.parametrize(
    "section",
    [
        {"signing": [a_rule(panel=["ada"])]},
        {"signing": [a_rule(approvals=0)]},
        {"signing": [a_rule(approvals=6)]},
        {"signing": [a_rule(), a_rule()]},
        {"reminders": {"remind_after_hours": 8, "escalate_after_hours": 4}},
        {"bulk": {"tiers": ["no such tier"], "requests_max": 2, "goods_value_max_minor": 1}},
        {"delegations": {"days_max": 0, "steps_max": 1}},
        {"drift": {"line_shrink_max_bp": 10_001, "plan_shrink_max_bp": 0, "saving_drop_max_bp": 0}},
    ],
)
def test_a_section_that_could_never_be_met_is_refused(section: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        policy_with(**{"signing": [], **section})


# ---- When signatures are complete


def needs(*demands: Demand, origins: tuple[str, ...] = ("S1",), destinations: tuple[str, ...] = ("S2",)) -> Needed:
    return Needed(demands=demands, origins=origins, destinations=destinations)


def signed(name: str, *sites: str, authority: str = "") -> Signature:
    return Signature(name, authority or name, frozenset(sites) if sites else None)


TWO = Demand(name="two", approvals=2)
ENDS = Demand(name="ends", approvals=2, both_ends=True)
PANEL = Demand(name="panel", approvals=2, panel=("ada", "bob", "cy"))


@pytest.mark.parametrize(
    ("demand", "signatures", "complete"),
    [
        (TWO, [], False),
        (TWO, [signed("ada")], False),
        (TWO, [signed("ada"), signed("ada")], False),
        (TWO, [signed("ada"), signed("bob")], True),
        (TWO, [signed("ada"), signed("bob", authority="ada")], False),
        (TWO, [signed("bob", authority="ada"), signed("cy", authority="ada")], False),
        (TWO, [signed("bob", authority="ada"), signed("cy")], True),
        (ENDS, [signed("ada", "S1"), signed("bob", "S1")], False),
        (ENDS, [signed("ada", "S1"), signed("bob", "S2")], True),
        (ENDS, [signed("ada"), signed("bob", "S1")], True),
        (ENDS, [signed("ada", "S1", "S2")], False),
        (PANEL, [signed("ada"), signed("dan")], False),
        (PANEL, [signed("ada"), signed("dan"), signed("cy")], True),
    ],
)
def test_a_plan_is_signed_for_when_enough_different_people_have_signed(
    demand: Demand, signatures: list[Signature], complete: bool
) -> None:
    assert (missing(needs(demand), signatures) == ()) is complete


def test_two_who_help_only_together_complete_a_side() -> None:
    """Ada answers for both origins or for the destination; Bob and Cy for an origin each."""
    needed = needs(Demand(name="ends", approvals=1, both_ends=True), origins=("S1", "S3"))
    ada, bob, cy = signed("ada", "S1", "S2", "S3"), signed("bob", "S1"), signed("cy", "S3")
    assert missing(needed, [ada, bob])
    assert missing(needed, [ada, cy])
    assert missing(needed, [ada, bob, cy]) == ()


def test_what_is_missing_names_the_sites_of_the_side_that_nobody_has_signed_for() -> None:
    (lack,) = missing(needs(ENDS), [signed("ada", "S1")])
    assert (lack.approvals, lack.origins, lack.destinations) == (1, (), ("S2",))


SITES = st.sampled_from(["S1", "S2", "S3", "S4"])
DEMANDS = st.builds(
    Demand,
    name=st.sampled_from(["one", "two"]),
    approvals=st.integers(1, 3),
    both_ends=st.booleans(),
    panel=st.sampled_from([(), ("ada", "bob", "cy")]),
)
NEEDS = st.builds(
    Needed,
    demands=st.lists(DEMANDS, min_size=1, max_size=3).map(tuple),
    origins=st.lists(SITES, min_size=1, max_size=2, unique=True).map(tuple),
    destinations=st.lists(SITES, min_size=1, max_size=2, unique=True).map(tuple),
)
PEOPLE = st.sampled_from(["ada", "bob", "cy", "dan"])
SIGNATURES = st.lists(st.builds(Signature, PEOPLE, PEOPLE, st.none() | st.frozensets(SITES, min_size=1)), max_size=5)


def lacking(needed: Needed, signatures: list[Signature]) -> int:
    return sum(each.approvals + len(each.origins) + len(each.destinations) for each in missing(needed, signatures))


@given(needed=NEEDS, signatures=SIGNATURES, more=st.builds(Signature, st.just("eve"), st.just("eve"), st.none()))
def test_a_further_person_never_makes_more_missing(
    needed: Needed, signatures: list[Signature], more: Signature
) -> None:
    assert lacking(needed, [*signatures, more]) <= lacking(needed, signatures)


@given(needed=NEEDS, signatures=SIGNATURES)
def test_complete_means_as_many_people_and_authorities_as_the_demands_ask_for(
    needed: Needed, signatures: list[Signature]
) -> None:
    if missing(needed, signatures) == ():
        assert len({each.signed_by for each in signatures}) >= needed.approvals
        assert len({each.authority for each in signatures}) >= needed.approvals


@given(needed=NEEDS, other=NEEDS, signatures=SIGNATURES)
def test_the_demands_of_two_are_never_easier_than_those_of_either(
    needed: Needed, other: Needed, signatures: list[Signature]
) -> None:
    both = needed.with_demands_of(other)
    assert lacking(both, signatures) >= lacking(needed, signatures)
    if missing(both, signatures) == ():
        there = other.model_copy(update={"origins": needed.origins, "destinations": needed.destinations})
        assert missing(there, signatures) == ()


@given(value=st.integers(0, 20_000), units=st.integers(1, 30), other=st.integers(0, 20_000), more=st.integers(1, 30))
def test_more_value_or_units_never_ask_for_fewer_signatures(value: int, units: int, other: int, more: int) -> None:
    policy = policy_with(a_rule("value", goods_value_above_minor=9_000), a_rule("units", 3, units_above=12))
    small = replace(PLAIN, goods_value_minor=min(value, other), units=min(units, more))
    large = replace(PLAIN, goods_value_minor=max(value, other), units=max(units, more))
    assert set(names_for(policy, small)) <= set(names_for(policy, large))
