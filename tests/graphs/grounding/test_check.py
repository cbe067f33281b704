"""The check of answers: what tools have said passes in whatever form, what they have not said never does."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from graphs.grounding import UNSOURCED, Evidence, Vocabulary, flagged, unsourced
from tests.builders import a_site, a_sku, a_snapshot

SITES = ("S1", "S2", "DC-NORTH", "BERLIN", "4711")
SKUS = ("P1", "P2", "ACME_500-X", "SKU-1001", "SKU-1002", "90210")
SNAPSHOT = a_snapshot(
    sites=tuple(a_site(each, name=f"Store {each}") for each in SITES),
    skus=tuple(a_sku(each, name=f"Coffee beans, {each}") for each in SKUS),
    positions=(), forecasts=(), lanes=(), replenishments=(),
)  # fmt: skip
VOCABULARY = Vocabulary.of(SNAPSHOT, None, sees_sensitive=True)
RESULT = {
    "as_of": "2026-03-02T06:00:00+00:00",
    "plan": "1f0c9bd2a7e14b55c3c5a1b2d3e4f5061728394a5b6c7d8e9f00112233445566",
    "lines": 3,
    "units": 1234,
    "saves": "12,345.60 USD",
    "fill_rate_after_percent": "97.52",
    "share": 0.4375,
    "top_lines": [
        {"sku": "P1", "from": "S1", "to": "DC-NORTH", "units": 100, "departs": "2026-03-03"},
        {"sku": "SKU-1001", "from": "BERLIN", "to": "S1", "units": 1134, "departs": "2026-03-14"},
    ],
}


def shown(*results: Any, asked: str = "How are we doing?", system: str = "") -> Evidence:
    """Evidence of a conversation in which tools have answered so."""
    messages: list[BaseMessage] = [SystemMessage(system), HumanMessage(asked)]
    for number, result in enumerate(results):
        call = {"name": "status", "args": {}, "id": f"call_{number}", "type": "tool_call"}
        messages += [AIMessage("", tool_calls=[call]), ToolMessage(json.dumps(result), tool_call_id=f"call_{number}")]
    return Evidence.of(messages, VOCABULARY)


@pytest.mark.parametrize(
    "answer",
    [
        "1,234 units in 3 lines save 12,345.60 USD.",
        "1234 units; 1 234 units; 1.234 units; 1'234 units; １，２３４ units.",
        "It saves USD 12,345.60, or $12,345.6, or 12.345,60 USD, or USD12,345.60.",
        "It saves about 12,300 USD, roughly 12.3k, more than 12,000, about 12.3 thousand.",
        "Three lines move one thousand two hundred and thirty-four units.",
        "The fill rate is 97.52 %, 97.52%, 97.5 percent, about 98 per cent.",
        "A share of 0.4375, which is 43.75 % or 44 %.",
        "As of 2026-03-02 06:00 UTC; 2 March 2026; March 2nd; Mar 2, 2026; 02/03/2026; 2.3.2026; 6:00; 6 am.",
        "It departs on 3 March and on 2026-03-14, in March 2026.",
        "1. P1 goes from S1 to DC-NORTH.\n2. SKU-1001 goes from BERLIN to S1.\n3) That is all.",
        "Store S1 sends Coffee beans, P1 to Store DC-NORTH, s1 → dc-north.",
        "Plan 1f0c9bd2 has 2 lines that matter, 100-unit and 1,134-unit ones.",
        "Ask me what if demand doubles, or if demand halved; the first half of the week, half an hour, a double-check.",
        "The top two lines; the second line; the worst 2 shortages.",
        "Nothing that I could name. One of them is better than no other; the first is fine.",
        "Between 100-1,134 units, i.e. 100–1134, on S1-S1.",
    ],
)  # fmt: skip
def test_what_a_tool_has_said_may_be_written_in_many_ways(answer: str) -> None:
    assert unsourced(answer, shown(RESULT)) == ()


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        ("1,235 units are moved.", ("1,235",)),
        ("It saves 12,345.70 USD.", ("12,345.70",)),
        ("It saves 12,300 USD.", ("12,300",)),
        ("It saves about 12,400 USD.", ("12,400",)),
        ("It saves about 10,000 USD.", ("10,000",)),
        ("Four lines.", ("Four",)),
        ("The top 9 units.", ("9",)),
        ("The top 9 lines.", ("9",)),
        ("The top five lines; the worst 9 shortages.", ("five", "9")),
        ("The ninth line, and the 7th.", ("ninth", "7th")),
        ("Nine sites are short.", ("Nine",)),
        ("A dozen lines, two dozen units, half a dozen sites.", ("dozen", "two dozen", "half a dozen")),
        ("Hundreds of sites.", ("Hundreds",)),
        ("Half of it goes to S1.", ("Half",)),
        ("It halves the risk.", ("halves",)),
        ("A third of it, two thirds of it, a quarter.", ("A third", "two thirds", "a quarter")),
        ("Twice as much; it doubled; three times as much; a tenfold rise.",
         ("Twice", "doubled", "three times", "tenfold")),
        ("Most of the units go to S1.", ("Most of",)),
        ("The majority of the lines.", ("The majority of",)),
        ("Twenty-five lines.", ("Twenty-five",)),
        ("The fill rate is 98.5 %.", ("98.5 %",)),
        ("As of 2026-03-04.", ("2026-03-04",)),
        ("It departs on 4 March.", ("4 March",)),
        ("It departs on March 3, 2027.", ("March 3, 2027",)),
        ("At 07:00 UTC.", ("07:00",)),
        ("P2 goes to S2.", ("P2", "S2")),
        ("P7 goes to S9.", ("P7", "S9")),
        ("From BERLIN to 4711.", ("4711",)),
        ("SKU-1002 is short.", ("SKU-1002",)),
        ("SKU-1003 is short.", ("SKU-1003",)),
        ("Coffee beans, P2 are short.", ("Coffee beans, P2",)),
        ("Store S2 is short.", ("Store S2",)),
        ("Plan 1f0c9bd3 is better.", ("1f0c9bd3",)),
        ("DC-SOUTH is short.", ("DC-SOUTH",)),
        ("Р1 is short.", ("Р1",)),  # a Cyrillic letter
        ("9\u200b99 units", ("999",)),
        ("٩٩ units", ("99",)),
        ("12kg and 3x5", ("12kg", "3x5")),
        ("S1 is short (40) of it", ("40",)),
        ("Answer:\n85. That is missing.", ("85",)),
        ("1. P1\n2. P1\n47. P1", ("47",)),
    ],
)  # fmt: skip
def test_what_no_tool_has_said_is_named(answer: str, missing: tuple[str, ...]) -> None:
    assert unsourced(answer, shown(RESULT)) == missing


def test_what_the_user_wrote_and_the_policy_says_may_be_repeated() -> None:
    evidence = shown(asked="Move at most 77 units of P2 within two weeks", system="At most 5,000 units a line.")
    assert unsourced("At most 77 units of P2 in 14 days, and 5,000 a line.", evidence) == ()
    assert unsourced("You asked for 77 units of P2.", evidence) == ()
    assert unsourced("At most 78 units.", evidence) == ("78",)


def test_what_the_user_wrote_and_the_policy_says_is_no_fact() -> None:
    evidence = shown(RESULT, asked="Are there 120 of P1 at S1, twice as much?", system="At most 5,000 units a line.")
    assert unsourced("S1 has 120 packs of P1.", evidence) == ("120",)
    assert unsourced("S1 has at most 120 packs of P1.", evidence) == ("120",)
    assert unsourced("There are 5,000 units.", evidence) == ("5,000",)
    assert unsourced("It holds 120kg of P1, twice as much.", evidence) == ("120kg", "twice")


def conversation(*messages: BaseMessage) -> Evidence:
    return Evidence.of(messages, VOCABULARY)


def call(**arguments: Any) -> AIMessage:
    return AIMessage(
        "It is 5,555.", tool_calls=[{"name": "what_if", "args": arguments, "id": "c", "type": "tool_call"}]
    )


def test_what_was_said_beside_a_call_is_no_source() -> None:
    assert unsourced("5,555", conversation(HumanMessage("?"), call(), ToolMessage("{}", tool_call_id="c"))) == (
        "5,555",
    )


def test_a_figure_does_not_get_in_by_being_asked_for() -> None:
    error = ToolMessage('{"error": "\'9999 of S9\' is no SKU; nearest: P1"}', tool_call_id="c", status="error")
    evidence = conversation(HumanMessage("?"), call(mentions=["9999 of S9"], units_max=8888), error)
    assert unsourced("9,999 of S9, 8,888 of P1", evidence) == ("9,999", "S9", "8,888")
    accepted = conversation(HumanMessage("?"), call(units_max=8888), ToolMessage("{}", tool_call_id="c"))
    assert unsourced("8,888", accepted) == ("8,888",)


def test_what_was_assumed_may_be_said() -> None:
    evidence = conversation(
        HumanMessage("What if demand is a fifth higher?"), call(demand_percent=120), ToolMessage("{}", tool_call_id="c")
    )
    assert unsourced("With demand at 120 %, a rise of 20 %:", evidence) == ()


def test_an_assumption_is_no_fact_about_stock() -> None:
    evidence = conversation(
        HumanMessage("?"), call(demand_percent=120, within_days=9),
        ToolMessage(json.dumps({"top_lines": [{"sku": "P1", "from": "S1", "to": "S2"}]}), tool_call_id="c"),
    )  # fmt: skip
    assert unsourced("S2 has 120 packs of P1, for 9 days.", evidence) == ("120", "9")
    assert (
        unsourced("At 120 % of demand P1 should arrive within 9 days, and if demand is 1.2 times the usual", evidence)
        == ()
    )


def test_what_an_earlier_answer_repeated_of_the_question_is_still_no_fact() -> None:
    evidence = conversation(HumanMessage("120 of P1 at S1?"), AIMessage("You asked for 120 of P1 at S1."))
    assert unsourced("S1 has 120 of P1.", evidence) == ("120",)


def test_an_earlier_answer_is_a_source_unless_it_had_none_itself() -> None:
    assert unsourced("1,234", conversation(HumanMessage("?"), AIMessage("1,234 units"))) == ()
    marked = AIMessage("1,234 units", response_metadata={UNSOURCED: ["1,234"]})
    assert unsourced("1,234", conversation(HumanMessage("?"), marked)) == ("1,234",)


def test_names_that_a_caller_may_not_see_are_no_names_to_them() -> None:
    own = Vocabulary.of(SNAPSHOT, frozenset({"S1"}), sees_sensitive=True)
    assert [found.entities for found in own.find("S1 and BERLIN")] == [frozenset({"site S1"})]


def test_the_user_is_told_what_could_not_be_traced() -> None:
    words = flagged("Move 7.", [str(number) for number in range(7)])
    assert words == "Move 7.\nNot confirmed by any tool, so please do not rely on it: 0, 1, 2, 3, 4 and 2 more."


ids = st.sampled_from(SITES[:4]), st.sampled_from(SKUS[:5])
quantities = st.integers(2, 10**7)
money = st.integers(2, 10**9).map(lambda minor: f"{minor // 100:,}.{minor % 100:02d} EUR")
days = st.dates(date(2026, 1, 1), date(2027, 12, 31)).map(date.isoformat)
rows = st.fixed_dictionaries(
    {
        "site": ids[0],
        "sku": ids[1],
        "units": quantities,
        "worth": money,
        "on": days,
        "days_of_cover": st.none() | quantities,
    }
)
results = st.fixed_dictionaries({"as_of": days, "rows": st.lists(rows, min_size=1, max_size=4)})


def written(draw: st.DrawFn, row: dict[str, Any]) -> str:
    """A row in a sentence, its figures in one of the forms that people use."""
    units = draw(st.sampled_from([f"{row['units']:,}", str(row["units"]), f"{row['units']:,}".replace(",", " ")]))
    on = date.fromisoformat(row["on"])
    day = draw(
        st.sampled_from([row["on"], f"{on.day} {on:%B} {on.year}", f"{on:%b} {on.day}, {on.year}", f"{on:%d/%m/%Y}"])
    )
    return f"{row['site']} needs {units} of {row['sku']} worth {row['worth']} by {day}."


@st.composite
def answers(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    result = draw(results)
    said = [written(draw, row) for row in result["rows"]]
    numbered = draw(st.booleans())
    lines = [f"{at}. {each}" if numbered else each for at, each in enumerate(said, 1)]
    return result, "\n".join([f"As of {result['as_of']}, {len(said)} rows:", *lines])


@given(answers())
def test_an_answer_made_of_results_is_never_flagged(made: tuple[dict[str, Any], str]) -> None:
    result, answer = made
    assert unsourced(answer, shown(result)) == ()


def all_numbers(result: dict[str, Any]) -> set[int]:
    """Every whole number that an answer might take from the result, by hand."""
    found = {len(result["rows"])} | {int(part) for part in (result["as_of"][:4],)}
    for row in result["rows"]:
        found |= {row["units"], int(row["on"][:4])} | ({row["days_of_cover"]} - {None})
        whole = int(row["worth"].replace(",", "").split(".")[0])
        found |= {whole, whole + 1}
    return found


@given(result=results, data=st.data())
def test_one_changed_digit_is_always_flagged(result: dict[str, Any], data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(result["rows"]))
    digits = str(row["units"])
    at = data.draw(st.integers(0, len(digits) - 1))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != digits[at] and not (at == 0 and d == "0")]))
    changed = int(f"{digits[:at]}{other}{digits[at + 1 :]}")
    assume(changed not in all_numbers(result))
    assert unsourced(f"{row['site']} needs {changed:,} units.", shown(result)) == (f"{changed:,}",)


@given(result=results, data=st.data())
def test_another_sku_or_site_is_always_flagged(result: dict[str, Any], data: st.DataObject) -> None:
    sites, skus = ({row[name] for row in result["rows"]} for name in ("site", "sku"))
    other = data.draw(st.sampled_from([each for each in (*SITES[:4], *SKUS[:5]) if each not in sites | skus]))
    row = result["rows"][0]
    assert unsourced(f"{row['units']:,} units of {other}.", shown(result)) == (other,)


@given(result=results, data=st.data())
def test_another_date_is_always_flagged(result: dict[str, Any], data: st.DataObject) -> None:
    known = {result["as_of"], *(row["on"] for row in result["rows"])}
    other = data.draw(days.filter(lambda day: day not in known))
    assert unsourced(f"It arrives on {other}.", shown(result)) == (other,)


def test_a_long_word_is_read_at_once() -> None:
    """A pattern that tries every way to divide it would never come to an end."""
    word = f"1{'x' * 5_000}.P"
    assert unsourced(word, shown(RESULT)) == (word,)


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    evidence = shown(RESULT, asked=text)
    assert isinstance(unsourced(text, evidence), tuple)
