"""The policy in words: every number and every choice of a document is in them, and nothing else is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.brief import brief, rule_sentences
from policies.library import released, releases
from policies.rules import RULES
from tests.policies.documents import NUMBERS, a_document, policy_of, policy_with

FIRST_RELEASE = """\
Policy standard 2026-01: The first release: transfers inside one legal entity, one approver, careful donors.
A lost sale costs 120 % of the margin and at least 15 % of the price; a unit left over costs 2 % of its cost, with a shelf life of up to 30 days 25 %; a transfer line costs 0.50 USD.
Service levels: A 98 %, B 95 %, C 90 %; A SKUs make up the first 80 % of the value of demand, A and B together 95 %.
Donors keep their own demand until regular supply at A 75 %, B 70 %, C 65 %.
Decisions come every 7 days, an approval takes 1 day; where regular supply is not known, it is taken to come in 14 days.
Stock never passes between legal entities.
Forbidden lanes: none.
Chilled goods travel by reefer, frozen goods by reefer, hazardous goods by truck.
A SKU that moved does not move back within 14 days.
A line must save 1.00 USD, a departure 5.00 USD, after cost.
At most 5,000 units a line; 20,000 units, 300 lines and 200,000.00 USD of goods a plan.
An imbalance is: a shortage that is expected to lose 0.5 units or more; a surplus of 2 units or more; 1 unit or more that expire before they sell, at the 80 % quantile of demand; stock of which at most 0.25 units are wanted in 28 days.
Stock figures may be 48 hours old; older ones stop a plan. More than 20 % of bad data stops a plan.
Stale data is warned, missing data is warned. Data is doubtful when it is more than 10 minutes in the future; when stock jumps by more than 8 standard deviations of demand and 50 units; when it would last 1,095 days and is 1,000 units or more; when a forecast changes more than 10 times and 5 units a day; when supply is more than 14 days overdue; when a lead time changes by more than 30 days.
Approval tier standard: up to 50,000.00 USD and 10,000 units, not between legal entities; 1 approval; expires after 24 hours.
Approval tier large: up to 200,000.00 USD and 20,000 units, not between legal entities; 1 approval; expires after 12 hours.
Competing claims are settled by market, in at most 3 rounds.
Rules whose price is worked out: plan units, plan lines, plan goods value, source protection, cool down.
"""

WHAT_THE_SECOND_CHANGED = """\
Policy standard 2026-04: Chilled goods may travel by insulated van, listed entities may supply each other, hurdles follow the first quarter's costs.
Service levels: A 98.5 %, B 95 %, C 90 %; A SKUs make up the first 80 % of the value of demand, A and B together 95 %.
Stock passes between legal entities only from RETAIL-1 to RETAIL-2, from RETAIL-2 to RETAIL-1.
Chilled goods travel by reefer or insulated_van, frozen goods by reefer, hazardous goods by truck.
A SKU that moved does not move back within 10 days.
A line must save 1.50 USD, a departure 5.00 USD, after cost.
Approval tier large: up to 200,000.00 USD and 20,000 units, also between legal entities; 1 approval; expires after 12 hours.
"""


WHAT_THE_THIRD_ADDED = """\
Policy standard 2026-11: As 2026-04, and facts about merchandise count: sets, priced displays, lots, ends of life, markdowns, substitutes, rescues.
Sets are kept and delivered whole; a display that has a price counts; a planned markdown is weighed against a transfer; a shortage costs less where a substitute is left.
Lots arrive with 3 days and 25 % of the shelf life left at least. An end of life counts from 28 days before its date on. A line to a site that runs out with 80 % or more is a rescue.
In an emergency rescue donors keep their own demand at 30 %, and only sites that run out with 95 % or more are served.
"""

WHAT_THE_FOURTH_ADDED = """\
Policy standard 2026-12: As 2026-11, and a plan may use later departures of a lane.
Of a lane that can be full a plan uses the next 3 departures at most.
"""


def words_with(place: str, value: Any) -> str:
    """The document with one value changed, in words."""
    return brief(policy_with(place, value), "USD")


def line_with(place: str, value: Any, subject: str) -> str:
    """The line of the changed document that a subject stands in."""
    (line,) = [line for line in words_with(place, value).splitlines() if subject in line]
    return line


def test_the_first_release_in_words() -> None:
    assert brief(released("2026-01"), "USD") == FIRST_RELEASE.rstrip()


def test_what_the_second_release_changed_shows_in_its_words() -> None:
    before = set(brief(released("2026-01"), "USD").splitlines())
    after = brief(released("2026-04"), "USD").splitlines()
    assert [line for line in after if line not in before] == WHAT_THE_SECOND_CHANGED.splitlines()


def test_what_the_third_release_added_shows_in_its_words() -> None:
    before = set(brief(released("2026-04"), "USD").splitlines())
    after = brief(released("2026-11"), "USD").splitlines()
    assert [line for line in after if line not in before] == WHAT_THE_THIRD_ADDED.splitlines()


def test_what_the_fourth_release_added_shows_in_its_words() -> None:
    before = set(brief(released("2026-11"), "USD").splitlines())
    after = brief(released("2026-12"), "USD").splitlines()
    assert [line for line in after if line not in before] == WHAT_THE_FOURTH_ADDED.splitlines()


@pytest.mark.parametrize("place", sorted(set(NUMBERS) - {"tiers.0.approvals"}))
@settings(max_examples=20)
@given(data=st.data())
def test_another_number_makes_other_words(place: str, data: st.DataObject) -> None:
    least, most = NUMBERS[place]
    one = data.draw(st.integers(least, most), label="one value")
    other = data.draw(st.integers(least, most).filter(lambda value: value != one), label="the other value")
    words, others = words_with(place, one), words_with(place, other)
    assert words != others
    different = [line for line in words.splitlines() if line not in others.splitlines()]
    assert len(different) == 1  # A number stands in one line.


@pytest.mark.parametrize("place", sorted(set(NUMBERS) - {"tiers.0.approvals"}))
def test_the_next_number_makes_other_words(place: str) -> None:
    least, most = NUMBERS[place]
    for value in (least, most - 1):
        assert words_with(place, value) != words_with(place, value + 1)


def test_a_tier_says_that_one_approval_is_enough() -> None:
    tiers = [line for policy in releases() for line in brief(policy, "USD").splitlines() if line.startswith("Approval")]
    assert len(tiers) == 2 * len(releases())
    assert all("; 1 approval; expires after" in line for line in tiers)


@pytest.mark.parametrize(
    ("place", "values"),
    [
        ("name", ["one", "two"]),
        ("release", ["2026-01", "2026-01.1"]),
        ("summary", ["Some words.", "Other words."]),
        ("lanes.cross_entity", ["forbidden", "listed", "allowed"]),
        (
            "lanes.forbidden",
            [
                [],
                [{"origin": "S1", "destination": "S2"}],
                [{"origin": "S1", "destination": "S2", "mode": "van"}],
                [{"origin": "S2", "destination": "S1"}],
            ],
        ),
        ("lanes.chilled_modes", [[], ["reefer"], ["reefer", "van"]]),
        ("lanes.frozen_modes", [[], ["reefer"], ["reefer", "van"]]),
        ("lanes.hazmat_modes", [[], ["truck"], ["truck", "van"]]),
        ("data_quality.stale_stock", ["block", "warn"]),
        ("data_quality.stale_verdict", ["accepted", "warned", "quarantined"]),
        ("data_quality.missing_verdict", ["accepted", "warned", "quarantined"]),
        ("tiers.0.name", ["small", "large"]),
        ("tiers.0.cross_entity", [True, False]),
        ("negotiation.mechanism", ["market", "priority"]),
        ("negotiation.priority_sites", [[], ["S1"], ["S1", "S2"], ["S2", "S1"]]),
        ("negotiation.negotiable_rules", [[], ["cool_down"], ["cool_down", "plan_units"]]),
        ("merchandise.whole_sets", [True, False]),
        ("merchandise.soft_displays", [True, False]),
        ("merchandise.markdowns", [True, False]),
        ("merchandise.substitution", [True, False]),
        ("merchandise.emergency", [None, {"keep_level_bp": 1, "stock_out_bp": 1}]),
        ("departures", [None, {"per_lane_max": 1}, {"per_lane_max": 2}]),
        ("merchandise", [None, released("2026-11").model_dump(mode="json")["merchandise"]]),
    ],
)
def test_another_choice_makes_other_words(place: str, values: list[Any]) -> None:
    assert len({words_with(place, value) for value in values}) == len(values)


def test_listed_pairs_of_legal_entities_are_named_in_their_direction() -> None:
    pairs = [{"origin": "EAST", "destination": "WEST"}, {"origin": "WEST", "destination": "NORTH"}]
    document = a_document(lanes__cross_entity="listed", lanes__cross_entity_pairs=pairs)
    words = "Stock passes between legal entities only from EAST to WEST, from WEST to NORTH."
    assert words in brief(policy_of(document), "USD").splitlines()


def test_a_list_without_pairs_says_so() -> None:
    words = "Stock passes between legal entities only where a pair is listed, and none is."
    assert line_with("lanes.cross_entity", "listed", "legal entities only") == words


def test_stock_that_may_pass_between_all_legal_entities_says_so() -> None:
    assert "Stock may pass between legal entities." in words_with("lanes.cross_entity", "allowed").splitlines()


def test_forbidden_lanes_are_named_with_their_mode_where_one_is_meant() -> None:
    lanes = [{"origin": "S1", "destination": "S2"}, {"origin": "S2", "destination": "S3", "mode": "van"}]
    assert line_with("lanes.forbidden", lanes, "Forbidden") == "Forbidden lanes: S1→S2, S2→S3 by van."


def test_goods_without_a_mode_do_not_travel() -> None:
    line = line_with("lanes.chilled_modes", [], "Chilled")
    assert line == "Chilled goods travel by no mode, frozen goods by reefer, hazardous goods by truck."


def test_stale_stock_that_is_only_warned_about_says_so() -> None:
    line = line_with("data_quality.stale_stock", "warn", "Stock figures")
    assert line.startswith("Stock figures may be 48 hours old; older ones are warned about.")


def test_priority_names_its_sites_in_order() -> None:
    document = a_document(
        negotiation__mechanism="priority", negotiation__priority_sites=["S2", "S1"], negotiation__negotiable_rules=[]
    )
    assert brief(policy_of(document), "USD").splitlines()[-2:] == [
        "Competing claims are settled by priority, first S2, S1, in at most 3 rounds.",
        "Rules whose price is worked out: none.",
    ]


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("service_levels.A", 9_999, "A 99.99 %"),
        ("economics.lost_sale_margin_bp", 99_999, "999.99 % of the margin"),
        ("data_quality.held_share_max_bp", 0, "More than 0 % of bad data"),
        ("imbalance.shortage_lost_units_e6_min", 1, "lose 0.000001 units"),
        ("imbalance.shortage_lost_units_e6_min", 0, "lose 0 units"),
        ("imbalance.stranded_demand_e6_max", 1_200_000_000, "at most 1,200 units"),
        ("imbalance.surplus_units_min", 1, "a surplus of 1 unit or more"),
        ("imbalance.expiring_units_min", 1_000, "1,000 units or more that expire"),
        ("cool_down.days", 1, "within 1 day."),
        ("cool_down.days", 0, "within 0 days."),
        ("size.plan_units_max", 1_234_567, "1,234,567 units, 300 lines"),
        ("benefit.line_min_minor", 123_456_789, "A line must save 1,234,567.89 USD"),
    ],
)
def test_numbers_are_written_for_people(place: str, value: int, words: str) -> None:
    assert words in words_with(place, value)


@pytest.mark.parametrize(
    ("currency", "words"), [("USD", "1,234.56 USD"), ("JPY", "123,456 JPY"), ("KWD", "123.456 KWD")]
)
def test_money_is_in_the_currency_of_the_network(currency: str, words: str) -> None:
    policy = policy_with("benefit.lane_min_minor", 123_456)
    assert f"a departure {words}, after cost" in brief(policy, currency)


def test_every_rule_has_one_sentence_for_people() -> None:
    sentences = rule_sentences()
    assert list(sentences) == [rule.__name__ for rule in RULES]
    assert len(set(sentences.values())) == len(RULES)
    assert all(re.fullmatch(r"[A-Z][^.\n]+\.", sentence) for sentence in sentences.values())
    assert sentences["kill_switch"].startswith("While the kill switch is engaged no plan goes forward, and")
