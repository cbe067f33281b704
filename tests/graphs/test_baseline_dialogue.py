"""What is asked back and answered, and what is added to a request: days, amounts, every site of a kind, names as well."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphs.names import Names, UnclearError
from tests.planner_talk import Outcome, network, outcome_of

TABLE = tomllib.loads((Path(__file__).parent / "planner_utterances.toml").read_text(encoding="utf-8"))
WITH_A_CENTRE = tomllib.loads((Path(__file__).parent / "held_out_utterances.toml").read_text(encoding="utf-8"))[
    "network"
]
NETWORK = network(**TABLE["network"])


def led_to(utterance: Mapping[str, Any]) -> Outcome:
    """What the last sentence of a conversation leads to."""
    return outcome_of(NETWORK, utterance)


@pytest.mark.parametrize("days", ["within 3 days", "3 days", "in 3 please", "that is three days from now"])
def test_a_day_of_the_calendar_is_asked_for_in_days_and_the_answer_completes_the_request(days: str) -> None:
    before = ["rebalance coffee", "rebalance drinks by Friday, at most 5 lines"]
    drinks = {"mentions": ["drinks"], "lines_max": 5, "within_days": 3}
    assert led_to({"before": before, "text": days}).calls == (("propose_plan", drinks),)
    coffee = {"mentions": ["coffee"], "within_days": 3}
    assert led_to({"before": ["rebalance coffee", "by Friday please"], "text": days}).calls == (
        ("propose_plan", coffee),
    )


def test_a_day_of_the_calendar_alone_makes_no_plan() -> None:
    for text in ("rebalance coffee by Friday", "get lids to York before the weekend", "rebalance drinks on Monday"):
        outcome = led_to({"text": text})
        assert outcome.calls == ()
        assert "In how many days" in outcome.words


def test_what_is_added_to_a_request_is_asked_about_unless_it_is_surely_of_the_same_kind() -> None:
    sure = led_to({"before": ["rebalance A-100 within 3 days"], "text": "also A-101"})
    assert sure.calls == (("propose_plan", {"mentions": ["A-100", "A-101"], "within_days": 3}),)
    asked = led_to({"before": ["rebalance coffee"], "text": "also fresh"})
    assert asked.calls == ()
    assert "coffee and fresh together?" in asked.words
    both = led_to({"before": ["rebalance coffee", "also fresh"], "text": "yes"})
    assert both.calls == (("propose_plan", {"mentions": ["coffee", "fresh"]}),)


def test_all_stores_are_the_stores_of_the_caller_and_no_other_site() -> None:
    stores = [site["id"] for site in WITH_A_CENTRE["sites"] if site.get("kind") != "dc"]
    snapshot = network(**WITH_A_CENTRE)
    assert outcome_of(snapshot, {"text": "replenish all stores with toothpaste"}).calls == (
        ("propose_plan", {"mentions": ["P0002"], "to_sites": stores}),
    )
    own = Names(snapshot, frozenset({"DC01", "S001", "S002"}), sees_sensitive=True)
    assert own.sites(["all stores"]) == own.meant(["All stores"]).sites == ("S001", "S002")
    assert own.sites(["all DCs"]) == ("DC01",)
    with pytest.raises(UnclearError):
        own.sites(["all warehouses"])


def test_a_name_that_several_skus_have_is_asked_about_and_the_answer_names_one() -> None:
    named = {"A-100": "Mini shampoo", "A-101": "Mini shampoo"}
    skus = tuple(replace(sku, name=named.get(sku.sku_id, sku.name)) for sku in NETWORK.skus)
    twice = replace(NETWORK, skus=skus)
    asked = outcome_of(twice, {"text": "rebalance mini shampoo"})
    assert asked.calls == ()
    assert "is no single SKU, site or category: several have that name" in asked.words
    assert "Did you mean A-100 or A-101?" in asked.words
    meant = outcome_of(twice, {"before": ["rebalance mini shampoo"], "text": "A-101"})
    assert meant.calls == (("propose_plan", {"mentions": ["A-101"]}),)


def test_stores_without_all_are_asked_about() -> None:
    assert led_to({"text": "move lids to the stores"}).calls == ()


@pytest.mark.parametrize(
    ("said", "budget"),
    [
        ("cap it at 500 euros", 500),
        ("too expensive, max 500", 500),
        ("keep it under 500 EUR", 499),
        ("1.5k budget", 1500),
    ],
)
def test_an_amount_alone_is_the_budget_where_money_is_spoken_of(said: str, budget: int) -> None:
    assert led_to({"before": ["rebalance coffee"], "text": said}).calls == (
        ("propose_plan", {"mentions": ["coffee"], "transport_budget": budget}),
    )


def test_an_amount_of_nobody_knows_what_is_asked_about() -> None:
    outcome = led_to({"before": ["rebalance coffee"], "text": "cap it at 500"})
    assert outcome.calls == ()
    assert "how much money" in outcome.words


@pytest.mark.parametrize(
    "around",
    [
        "Hi team, hope you are all well. {} Thanks a lot!",
        "my manager wants to know: {}",
        "we had a delivery failure this morning and {}",
        "Sorry to bother you again, but {}",
        "I've got a meeting in ten minutes, quick question: {}",
        "customers are complaining, {}",
        "when you have a minute, {}",
    ],
)
@pytest.mark.parametrize("said", ["what is short at York", "rebalance coffee, at most 5 lines"])
def test_what_is_said_around_a_request_changes_nothing_about_it(around: str, said: str) -> None:
    assert led_to({"text": around.format(said)}).calls == led_to({"text": said}).calls != ()


@pytest.mark.parametrize(
    "text",
    [
        "the buyers asked us not to rebalance coffee",
        "management does not want to rebalance coffee",
        "York is closed. rebalance coffee",
        "we had a problem with lids. rebalance coffee",
        "my manager wants coffee kept out of York. rebalance drinks",
    ],
)
def test_a_sentence_that_may_change_the_request_is_never_passed_over(text: str) -> None:
    assert led_to({"text": text}).calls == ()
