"""What a policy document may say: every number within its bounds, nothing unknown, nothing the service cannot enforce."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.library import releases
from policies.schema import Policy, Tier
from tests.builders import a_policy
from tests.policies.documents import NUMBERS, a_document, numbers_in, policy_of, policy_with, put, without
from tools.inventory import Temperature
from tools.targets import DemandClass

PLACES = sorted(NUMBERS)


def refusal(document: dict[str, Any]) -> tuple[str, str]:
    """Where and why a document is refused: the first reason, as a refused tier also leaves too few of them."""
    with pytest.raises(ValidationError) as refused:
        policy_of(document)
    error = refused.value.errors()[0]
    return ".".join(str(part) for part in error["loc"]), error["msg"]


def refusal_of(place: str, value: Any) -> tuple[str, str]:
    """Where and why a document is refused with this value in this place."""
    document = a_document()
    put(document, place, value)
    return refusal(document)


def test_the_bounds_cover_every_number_of_a_document() -> None:
    assert set(numbers_in(a_document())) == set(NUMBERS)


@pytest.mark.parametrize("place", PLACES)
def test_a_number_may_lie_between_its_bounds_and_not_beyond_them(place: str) -> None:
    least, most = NUMBERS[place]
    for value in (least, most):
        assert numbers_in(policy_with(place, value).model_dump(mode="json"))[place] == value
    assert refusal_of(place, least - 1) == (place, f"Input should be greater than or equal to {least}")
    assert refusal_of(place, most + 1) == (place, f"Input should be less than or equal to {most}")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [True, "1", 7_000.5, None])
def test_a_number_is_a_whole_number_and_nothing_that_looks_like_one(place: str, value: Any) -> None:
    where, why = refusal_of(place, value)
    assert (where, why) == (place, "Input should be a valid integer")


def test_a_tier_cannot_ask_for_more_approvals_than_the_one_that_the_service_records() -> None:
    assert {tier.approvals for policy in releases() for tier in policy.tiers} == {1}
    for approvals in (2, 3, 5):
        where, why = refusal_of("tiers.0.approvals", approvals)
        assert (where, why) == ("tiers.0.approvals", "Input should be less than or equal to 1")
    assert "one recorded approver" in (Tier.__doc__ or "").lower()


@pytest.mark.parametrize("place", ["surprise", "size.surprise", "tiers.0.surprise", "lanes.surprise"])
def test_a_field_that_the_schema_does_not_know_is_refused(place: str) -> None:
    assert refusal_of(place, 1) == (place, "Extra inputs are not permitted")


@pytest.mark.parametrize("place", PLACES)
def test_no_number_has_a_default(place: str) -> None:
    assert refusal(without(a_document(), place)) == (place, "Field required")


@pytest.mark.parametrize("section", sorted(set(Policy.model_fields) - {"merchandise", "departures", "approvals"}))
def test_no_section_has_a_default(section: str) -> None:
    assert refusal(without(a_document(), section)) == (section, "Field required")


@pytest.mark.parametrize("section", ["merchandise", "merchandise.emergency"])
def test_a_section_that_may_be_absent_is_absent_from_the_document_and_its_digest(section: str) -> None:
    policy = policy_of(without(a_document(), section))
    assert section not in str(policy.model_dump(mode="json"))
    assert policy.model_dump(mode="json") == without(a_document(), section)
    assert policy.digest != policy_of(a_document()).digest
    put(document := a_document(), section, None)
    assert policy_of(document).digest == policy.digest


@pytest.mark.parametrize("choice", ["whole_sets", "soft_displays", "markdowns", "substitution"])
def test_a_section_that_is_there_leaves_no_choice_to_a_default(choice: str) -> None:
    assert refusal(without(a_document(), f"merchandise.{choice}")) == (f"merchandise.{choice}", "Field required")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("lanes.cross_entity", "sometimes"),
        ("data_quality.stale_stock", "ignore"),
        ("data_quality.stale_verdict", "fine"),
        ("data_quality.missing_verdict", ""),
        ("negotiation.mechanism", "dice"),
        ("negotiation.negotiable_rules.0", "temperature"),
        ("negotiation.negotiable_rules.4", "kill_switch"),
        ("tiers.0.cross_entity", "no"),
    ],
)
def test_a_choice_is_one_of_those_offered(place: str, value: Any) -> None:
    assert refusal_of(place, value)[0] == place


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("lanes.forbidden", [{"origin": "S 1", "destination": "S2"}]),
        ("lanes.forbidden", [{"origin": "S1", "destination": "S2", "mode": "by/air"}]),
        ("lanes.cross_entity_pairs", [{"origin": "", "destination": "WEST"}]),
        ("lanes.cross_entity_pairs", [{"origin": "EAST", "destination": "W" * 81}]),
        ("lanes.chilled_modes", ["reefer van"]),
        ("negotiation.priority_sites", ["S1; S2"]),
        ("name", ""),
        ("name", "n" * 81),
        ("summary", ""),
        ("summary", "s" * 1_001),
        ("tiers.0.name", ""),
        ("tiers.0.name", "t" * 41),
    ],
)
def test_names_in_a_document_are_names(place: str, value: Any) -> None:
    assert refusal_of(place, value)[0].startswith(place)


@pytest.mark.parametrize("release", ["2026-01", "2026-12", "1999-10.1", "2026-04.9"])
def test_a_release_is_named_by_its_month_and_correction(release: str) -> None:
    assert policy_with("release", release).label == f"standard {release}"


@pytest.mark.parametrize(
    "release",
    [
        "2026",
        "2026-1",
        "2026-00",
        "2026-13",
        "26-01",
        "2026-01.",
        "2026-01.0",
        "2026-01.10",
        "2026-01\n",
        "２０２６-01",
        "",
    ],
)
def test_a_release_with_another_name_is_refused(release: str) -> None:
    assert refusal_of("release", release)[0] == "release"


@given(
    months=st.lists(st.tuples(st.integers(1_000, 9_999), st.integers(1, 12), st.integers(0, 9)), min_size=2, max_size=5)
)
def test_names_of_releases_in_the_order_of_text_are_in_the_order_of_time(months: list[tuple[int, int, int]]) -> None:
    names = {
        month: policy_with("release", f"{month[0]}-{month[1]:02d}" + (f".{month[2]}" if month[2] else "")).release
        for month in months
    }
    assert [names[month] for month in sorted(names)] == sorted(names.values())


@pytest.mark.parametrize(("a_share", "b_share"), [(0, 0), (9_000, 9_000), (8_000, 9_500)])
def test_the_share_of_a_and_b_together_is_at_least_that_of_a(a_share: int, b_share: int) -> None:
    levels = policy_of(a_document(service_levels__a_share_bp=a_share, service_levels__b_share_bp=b_share))
    assert (levels.service_levels.a_share_bp, levels.service_levels.b_share_bp) == (a_share, b_share)


def test_a_share_of_a_above_that_of_a_and_b_is_refused() -> None:
    document = a_document(service_levels__a_share_bp=9_001, service_levels__b_share_bp=9_000)
    words = "Value error, b_share_bp is the share of A and B together; it cannot be below 9001, A's own"
    assert refusal(document) == ("service_levels", words)


def tiers(*goods_values: int) -> list[dict[str, Any]]:
    """Tiers that admit so much value each."""
    return [
        a_document()["tiers"][0] | {"name": f"tier {number}", "goods_value_max_minor": value}
        for number, value in enumerate(goods_values, start=1)
    ]


def test_tiers_admit_more_value_one_after_the_other() -> None:
    assert len(policy_of(a_document(tiers=tiers(5, 5, 6))).tiers) == 3
    words = "Value error, tier tier 3 admits less value than tier tier 2 before it"
    assert refusal(a_document(tiers=tiers(4, 6, 5))) == ("", words)


def test_a_document_has_one_to_ten_tiers() -> None:
    assert [len(policy_of(a_document(tiers=tiers(*range(count)))).tiers) for count in (1, 10)] == [1, 10]
    for count in (0, 11):
        assert refusal(a_document(tiers=tiers(*range(count))))[0] == "tiers"


def test_a_document_cannot_be_changed_in_place() -> None:
    policy = a_policy()
    with pytest.raises(ValidationError, match="frozen"):
        policy.release = "2027-01"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        policy.size.line_units_max = 1  # type: ignore[misc]


@pytest.mark.parametrize("place", [place for place in PLACES if place != "tiers.0.approvals"])
def test_another_number_makes_another_policy(place: str) -> None:
    least, most = NUMBERS[place]
    digests = [policy_with(place, value).digest for value in (least, least + 1, most)]
    assert all(one != other for one, other in pairwise(digests))
    assert policy_with(place, least).digest == digests[0]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("name", "other"),
        ("release", "2026-01.1"),
        ("summary", "Other words."),
        ("lanes.cross_entity", "allowed"),
        ("lanes.cross_entity_pairs", [{"origin": "EAST", "destination": "WEST"}]),
        ("lanes.forbidden", [{"origin": "S1", "destination": "S2"}]),
        ("lanes.frozen_modes", []),
        ("data_quality.stale_stock", "warn"),
        ("data_quality.missing_verdict", "quarantined"),
        ("tiers.0.cross_entity", True),
        ("negotiation.mechanism", "priority"),
        ("negotiation.priority_sites", ["S1"]),
        ("negotiation.negotiable_rules", []),
        ("merchandise.whole_sets", False),
        ("merchandise.soft_displays", False),
        ("merchandise.markdowns", False),
        ("merchandise.substitution", False),
    ],
)
def test_another_choice_or_name_makes_another_policy(place: str, value: Any) -> None:
    assert policy_with(place, value).digest != policy_of(a_document()).digest


def test_the_same_values_in_another_order_are_the_same_policy() -> None:
    document = a_document()
    backwards = {name: document[name] for name in reversed(document)}
    backwards["size"] = {name: document["size"][name] for name in reversed(document["size"])}
    assert policy_of(backwards).digest == policy_of(document).digest


def test_every_demand_class_has_levels_of_its_own() -> None:
    policy = a_policy(
        service_levels={"A": 9_900, "B": 9_500, "C": 9_000}, source_protection={"A": 7_000, "B": 6_500, "C": 6_000}
    )
    assert [policy.service_levels.of(each) for each in DemandClass] == [9_900, 9_500, 9_000]
    assert [policy.source_protection.of(each) for each in DemandClass] == [7_000, 6_500, 6_000]


def test_chilled_and_frozen_goods_have_modes_and_ambient_goods_need_none() -> None:
    lanes = a_policy(lanes={"chilled_modes": ["reefer", "van"], "frozen_modes": ["reefer"]}).lanes
    assert lanes.temperature_modes == {
        Temperature.CHILLED: frozenset(("reefer", "van")),
        Temperature.FROZEN: frozenset(("reefer",)),
    }
