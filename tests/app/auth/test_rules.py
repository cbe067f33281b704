"""The rules of authorisation: valid against their schema, and nothing allowed where they are missing, lost, or fail."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import pytest
from cedarpy import validate_policies

from app.auth.authorise import FORBIDS, NO_RULING, PlanResource, Rules, authorise, released_rules
from app.auth.roles import Act, Kind, Principal, Role
from app.errors import ConflictError, ForbiddenError
from tests.installation import ADA, PAULA, person

PLACE = files("app.auth") / "cedar"
POLICIES, SCHEMA = (PLACE / "evenkeel.cedar").read_text(), (PLACE / "evenkeel.cedarschema").read_text()
PLAN = PlanResource("d" * 64, frozenset(("S1", "S2")), 500, sensitive=False, authors=frozenset(("paula",)))


def allowed(rules: Rules, principal: Principal = ADA, plan: PlanResource = PLAN, *, stopped: bool = False) -> bool:
    return rules.ruling(principal, Act.APPROVE, plan, stopped=stopped).allowed


def test_the_rules_fit_their_schema() -> None:
    found = validate_policies(POLICIES, SCHEMA)
    assert [str(wrong) for wrong in found.errors] == []
    assert released_rules().fault == ""


@pytest.mark.parametrize(
    ("policies", "schema"),
    [
        ("", SCHEMA),
        (POLICIES, ""),
        (POLICIES + "permit (principal", SCHEMA),
        (POLICIES + '@id("x") permit (principal is Person, action, resource) when { principal.limits > 3 };', SCHEMA),
        (POLICIES + '@id("x") forbid (principal, action, resource);', SCHEMA),
        (POLICIES.replace('@id("four_eyes")', '@id("two_eyes")'), SCHEMA),
        (POLICIES.replace('@id("viewer")\n', ""), SCHEMA),
        (POLICIES, SCHEMA.replace("authors: Set<Person>", "authors: Set<Site>")),
    ],
    ids=["none", "no schema", "unreadable", "unfit", "one more", "renamed", "nameless", "another schema"],
)
def test_rules_with_a_fault_allow_nothing_to_anybody(policies: str, schema: str) -> None:
    rules = Rules.read(policies, schema)
    found = rules.ruling(ADA, Act.READ, None, stopped=False)
    assert (found.allowed, found.rule) == (False, NO_RULING)
    assert found.words == rules.fault != ""
    assert not allowed(rules)


@pytest.mark.parametrize("rule_id", sorted(FORBIDS))
def test_a_rule_that_forbids_and_got_lost_is_missed(rule_id: str) -> None:
    before, _, rest = POLICIES.partition(f'@id("{rule_id}")')
    rules = Rules.read(before + rest.partition(";")[2], SCHEMA)
    assert rule_id in rules.fault
    assert not allowed(rules)


def test_a_rule_that_fails_on_a_question_denies_it_instead_of_being_passed_over() -> None:
    """Cedar alone would skip the rule: the value limit that cannot be worked out would not count."""
    overflowing = POLICIES.replace(
        "resource.goods_value <= principal.value_limit", "resource.goods_value * 1000000000 <= principal.value_limit"
    )
    assert overflowing != POLICIES
    rules = Rules.read(overflowing, SCHEMA)
    assert rules.fault == ""
    rich = replace(PLAN, goods_value_minor=2**40)
    limited = person("ada", Role.APPROVER, value_limit_minor=2**60)
    found = rules.ruling(limited, Act.APPROVE, rich, stopped=False)
    assert (found.allowed, found.rule) == (False, NO_RULING)
    assert "overflow" in found.words


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_question_that_does_not_fit_the_schema_is_denied(value: int) -> None:
    limited = person("ada", Role.APPROVER, value_limit_minor=10)
    with pytest.raises(ForbiddenError) as refused:
        authorise(limited, Act.APPROVE, replace(PLAN, goods_value_minor=value))
    assert refused.value.code == NO_RULING
    assert "tell the operator" in str(refused.value)


def test_an_act_that_the_schema_does_not_know_is_denied() -> None:
    found = released_rules().ruling(ADA, "fly", None, stopped=False)
    assert (found.allowed, found.rule) == (False, NO_RULING)


@pytest.mark.parametrize("user_id", ['ada"', 'ada"; permit', "ada\\", "ada\n", "adä", "\u202eada", "a" * 10_000])
def test_a_name_of_any_characters_is_only_a_name(user_id: str) -> None:
    found = released_rules().ruling(
        Principal(user_id, "x", frozenset((Role.VIEWER,))), Act.APPROVE, PLAN, stopped=False
    )
    assert not found.allowed
    author = replace(PLAN, authors=frozenset((user_id,)))
    approver = Principal(user_id, "x", frozenset((Role.APPROVER,)))
    assert not released_rules().ruling(approver, Act.APPROVE, author, stopped=False).allowed


def test_a_refusal_names_its_rule_and_says_in_words_what_is_wrong_and_what_to_do() -> None:
    near = person("nell", Role.APPROVER, sites=frozenset(("S1",)))
    with pytest.raises(ForbiddenError) as refused:
        authorise(near, Act.APPROVE, PLAN)
    assert refused.value.where == {"rule": "whole_plan_in_scope", "act": "approve"}
    assert refused.value.detail == "1 of the 2 sites of this plan lies outside your scope"
    assert refused.value.remedy == "ask an approver of all of them"
    assert "S2" not in str(refused.value)


def test_of_several_rules_that_forbid_the_first_is_told() -> None:
    wrong = person("paula", Role.APPROVER, sites=frozenset(("S1",)), sees_sensitive=False, value_limit_minor=1)
    with pytest.raises(ForbiddenError) as refused:
        authorise(wrong, Act.APPROVE, replace(PLAN, sensitive=True), stopped=True)
    assert refused.value.code == "four_eyes"


def test_the_kill_switch_stops_approving_and_not_rejecting() -> None:
    authorise(ADA, Act.DECIDE, PLAN, stopped=True)
    with pytest.raises(ConflictError) as stopped:
        authorise(ADA, Act.APPROVE, PLAN, stopped=True)
    assert stopped.value.code == "kill_switch"


def test_who_may_not_at_all_is_not_told_about_the_plan() -> None:
    with pytest.raises(ForbiddenError) as refused:
        authorise(person("nora", Role.VIEWER, sites=frozenset(("S9",))), Act.APPROVE, PLAN)
    assert refused.value.code == "role"
    assert refused.value.detail == "nora may not approve: it takes the role approver, held: viewer"


def test_the_released_policy_approves_what_is_left_to_it_and_does_nothing_else() -> None:
    policy = Principal("policy", "Released policy", frozenset(), kind=Kind.RELEASE)
    authorise(policy, Act.APPROVE, replace(PLAN, automatic=True))
    for act in Act:
        with pytest.raises(ForbiddenError):
            authorise(policy, act, PLAN if act in (Act.DECIDE, Act.APPROVE) else None)


def test_what_somebody_makes_has_the_hands_of_the_person_behind_the_key() -> None:
    assert PAULA.hands == ("paula",)
    key = Principal("key.1", "nightly", frozenset(), kind=Kind.KEY, acts=frozenset((Act.PLAN,)), owner="paula")
    assert key.hands == ("key.1", "paula")
