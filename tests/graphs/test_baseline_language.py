"""The baseline understands its language, asks where it does not, and never plans more than was said."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from graphs.baseline import Ask, Call, understand
from graphs.baseline.fragments import FIRST_NAME, OF
from graphs.baseline.utterance import CHARACTERS_MAX
from graphs.baseline.vocabulary import CHATTY, MARKERS, NOT_IN_NAMES
from tests.planner_talk import generated
from tools.catalog import CATALOG, NAME_PATTERN

HERE = Path(__file__).parent
TABLE = tomllib.loads((HERE / "baseline_utterances.toml").read_text(encoding="utf-8"))
ASKED = TABLE.pop("ask")["utterances"]
CALLED = [(table, said, arguments) for table, rows in TABLE.items() for said, arguments in rows.items()]

PAGE = (HERE.parents[1] / "docs" / "baseline_language.md").read_text(encoding="utf-8")
DOCUMENTED = re.findall(r"^\| `(.+?)` \| `(\w+) (\{.*?\})`", PAGE, flags=re.MULTILINE)
DOCUMENTED_QUESTIONS = re.findall(r"^\| `([^`]+)` \| (?:asks|says)", PAGE, flags=re.MULTILINE)

POOL = sorted({word for _, said, _ in CALLED for word in said.split()} | set(MARKERS) | NOT_IN_NAMES | CHATTY)
IDS = ["P1", "S2", "CAT-2", "DC-01", "masked-3fa9c1d2"]
FROM_THE_LANGUAGE = st.lists(
    st.sampled_from(POOL) | st.sampled_from(IDS) | st.sampled_from(["7", "30", "%"]), max_size=14
)
SENTENCES = FROM_THE_LANGUAGE.map(" ".join)


def called(said: str) -> Call:
    understood = understand(said)
    assert isinstance(understood, Call), understood
    return understood


def asked(said: str) -> str:
    understood = understand(said)
    assert isinstance(understood, Ask), understood
    return understood.words


@pytest.mark.parametrize(("table", "said", "arguments"), CALLED, ids=[row[1] for row in CALLED])
def test_what_planners_say_becomes_the_right_tool_call(table: str, said: str, arguments: dict[str, Any]) -> None:
    expected = Call(table.removesuffix("_and_submit"), arguments, then_submit=table.endswith("_and_submit"))
    assert called(said) == expected


@pytest.mark.parametrize("said", ASKED)
def test_what_is_not_understood_or_not_clear_is_answered_with_a_question(said: str) -> None:
    assert asked(said)


def test_the_table_is_as_large_as_the_language_deserves() -> None:
    assert len(CALLED) >= 200
    assert len(ASKED) >= 100
    assert {table.removesuffix("_and_submit") for table, _, _ in CALLED} == set(CATALOG)


@pytest.mark.parametrize(("said", "tool", "arguments"), DOCUMENTED, ids=[row[0] for row in DOCUMENTED])
def test_every_documented_example_is_understood_as_documented(said: str, tool: str, arguments: str) -> None:
    understood = called(said)
    assert (understood.tool, understood.arguments) == (tool, json.loads(arguments))


@pytest.mark.parametrize("said", DOCUMENTED_QUESTIONS)
def test_every_documented_question_is_asked(said: str) -> None:
    assert asked(said)


def test_the_page_shows_every_tool_and_what_is_asked_back() -> None:
    assert {tool for _, tool, _ in DOCUMENTED} == set(CATALOG)
    assert len(DOCUMENTED) >= 40
    assert len(DOCUMENTED_QUESTIONS) >= 10


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("what is the meaning of life", "No language model is connected"),
        ("hello", "No language model is connected"),
        ("rebalance P1 with at most 3.5 lines", "at most 3.5 lines"),
        ("rebalance expiring stock", "expiring"),
        ("move 20 units", "Units of what?"),
        ("move stock", 'say "everything"'),
        ("rebalance P1 for 300 euros", "without a currency"),
        ("rebalance P1 within 3 days or within 5 days", "3 and 5"),
        ("rebalance between S1", "at least two"),
        ("rebalance P1 within 400 days", "less than or equal to 365"),
        ("approve the plan", "people decide"),
        ("yes", 'say "submit"'),
        ("P1", "What about P1?"),
        ("why P1", "by its number"),
        ("coverage", "Coverage of what?"),
        ("what if", "What would be different?"),
        ("what if demand rises", "How does demand change?"),
        ("x" * (CHARACTERS_MAX + 1), "too long"),
    ],
)
def test_a_question_says_what_is_missing(said: str, words: str) -> None:
    assert words in asked(said)


def test_a_question_about_a_part_of_a_request_is_short_and_one_about_no_request_shows_what_is_understood() -> None:
    assert asked("rebalance dairy between stores").startswith(
        "I did not understand: between stores. Please leave it out"
    )
    assert "For example" not in asked("rebalance dairy between stores")
    assert "For example" in asked("what should I do today")


def test_a_question_shows_no_more_than_a_part_of_what_was_not_understood() -> None:
    words = asked("frobnicate " * 150)
    assert words.startswith("I did not understand: frobnicate frobnicate")
    assert words.count("frobnicate") < 10


NETWORK = generated()
GOODS = sorted({sku.name for sku in NETWORK.skus} | {sku.category for sku in NETWORK.skus if sku.category})
PLACES = sorted(site.name for site in NETWORK.sites)


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("rebalance {} within a week", {"mentions": ["{}"], "within_days": 7}),
        ("move {} from S1 to S2", {"mentions": ["{}"], "from_sites": ["S1"], "to_sites": ["S2"]}),
        ("rebalance everything except {}", {"without": ["{}"]}),
        ("coverage of {} at S1", {"mentions": ["{}", "S1"]}),
        ("what is short in {}", {"kinds": ["shortage"], "mentions": ["{}"]}),
        ("what if demand for {} doubles", {"mentions": ["{}"], "demand_percent": 200, "demand_of": ["{}"]}),
    ],
)
@pytest.mark.parametrize("quote", ["", '"'], ids=["without quotes", "in quotes"])
def test_every_name_of_a_generated_network_is_understood(said: str, arguments: dict[str, Any], quote: str) -> None:
    for name in GOODS + PLACES:
        understood = called(said.format(f"{quote}{name}{quote}"))
        assert json.dumps(understood.arguments) == json.dumps(arguments).replace("{}", name)


@pytest.mark.parametrize("quote", ["", '"'], ids=["without quotes", "in quotes"])
def test_every_site_of_a_generated_network_is_understood_as_origin_and_destination(quote: str) -> None:
    for site in NETWORK.sites:
        said = f"move P1 from {quote}{site.name}{quote} to {site.site_id}"
        assert called(said).arguments == {
            "mentions": ["P1"], "from_sites": [site.name], "to_sites": [site.site_id]
        }  # fmt: skip


NO_QUOTES = st.characters(min_codepoint=32, max_codepoint=0x17E, exclude_characters='"«»').filter(
    lambda character: re.fullmatch(NAME_PATTERN, character) is not None
)
"""What a name may be made of, but for quotation marks."""


@given(st.text(NO_QUOTES, min_size=1, max_size=80).filter(lambda name: name == name.strip() and name))
@example("milk, 3.5 % fat -> 1 l")
@example("Ben's & Co. #4 (without sugar) and more; submit")
@example("everything")
@example("5")
def test_any_name_is_understood_in_quotes_as_it_was_written(name: str) -> None:
    assert called(f'rebalance "{name}" within 3 days').arguments == {"mentions": [name], "within_days": 3}
    assert called(f'coverage of "{name}"').arguments == {"mentions": [name]}


@given(st.text(max_size=200) | st.text(st.characters(), max_size=50) | SENTENCES)
@example("\ud800 rebalance \ue000 \uf8ff P1")
@example('rebalance "" and " " and "')
@example("what if " + "A->B " * 400)
@example("B " * 1000)
def test_any_text_is_a_valid_tool_call_or_a_question(said: str) -> None:
    understood = understand(said)
    if isinstance(understood, Call):
        CATALOG[understood.tool].arguments.model_validate_json(json.dumps(understood.arguments))
    else:
        assert understood.words
    assert understand(said) == understood


@given(st.sampled_from(["rebalance ", "move ", "what if ", "what is short ", "stock of ", ""]), SENTENCES)
def test_no_name_that_was_said_is_dropped_from_a_tool_call(beginning: str, rest: str) -> None:
    said = beginning + rest
    understood = understand(said)
    if isinstance(understood, Call) and understood.tool in ("propose_plan", "what_if", "find_imbalances", "coverage"):
        arguments = json.dumps(understood.arguments)
        assert [name for name in IDS if name in said.split() and name not in arguments] == []


@given(st.sampled_from(["rebalance P1 ", "move P1 ", "what if "]), SENTENCES)
def test_no_limit_that_was_said_is_dropped_from_a_tool_call(beginning: str, rest: str) -> None:
    """Every number that was said is in the arguments: as it is, less one, in weeks, or on top of the forecast."""
    said = beginning + rest
    understood = understand(said)
    if isinstance(understood, Call) and understood.tool in ("propose_plan", "what_if"):
        given_numbers = {value for value in understood.arguments.values() if isinstance(value, int)}
        for number in (n for n in (7, 30) if str(n) in said.split()):
            assert given_numbers & {number, number - 1, 7 * number, 7 * number - 1, 100 + number, 100 - number}


@given(SENTENCES)
def test_no_number_in_a_tool_call_is_made_up(said: str) -> None:
    understood = understand(said)
    numeric = r"\d|\b(one|two|three|ten|twelve|twenty|dozen|week|weeks|fortnight|tomorrow|second|doubl|halv|tripl)"
    if isinstance(understood, Call) and not re.search(numeric, said, flags=re.IGNORECASE):
        assert [value for value in understood.arguments.values() if isinstance(value, int)] == []


WHOLE = re.compile(r"\b(everything|everywhere|all|any|every|network|whole|entire|full|complete)\b", re.IGNORECASE)
BARE = re.compile(r"\b(re-?balanc\w*|balance|optimi[sz]e|equali[sz]e|redistribute|level out|even out)\b", re.IGNORECASE)


@given(st.sampled_from(["rebalance ", "move ", "restock ", "make a plan for ", "fix shortages "]), SENTENCES)
def test_the_whole_network_is_planned_only_when_words_say_so(beginning: str, rest: str) -> None:
    said = beginning + rest
    understood = understand(said)
    if isinstance(understood, Call) and understood.tool == "propose_plan":
        narrowed = {"mentions", "from_sites", "to_sites"} & set(understood.arguments)
        limited = {"within_days", "lines_max", "units_max", "transport_budget"} & set(understood.arguments)
        only_limited = said.startswith("make a plan") and limited
        assert narrowed or only_limited or WHOLE.search(said) or BARE.search(said)


@given(st.lists(st.sampled_from(["foo", "bars", "Quux", "widget", "stuff", "blob"]), min_size=1, max_size=4))
def test_a_request_with_an_unknown_object_never_becomes_a_plan_for_everything(words: list[str]) -> None:
    understood = understand(f"rebalance the {' '.join(words)}")
    assert isinstance(understood, Ask) or understood.arguments.get("mentions")


@given(st.sampled_from([said for table, said, _ in CALLED if "plan" in table and "submit" not in said.lower()]))
def test_a_negation_never_becomes_a_plan_or_a_submission(said: str) -> None:
    assert asked(f"do not {said[0].lower()}{said[1:]}")


def test_private_characters_of_the_speaker_are_no_names() -> None:
    assert called(f"rebalance {chr(FIRST_NAME)} P1 {OF}").arguments == {"mentions": ["P1"]}
