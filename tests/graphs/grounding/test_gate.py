"""The gate: while an answer is being written nothing is shown of it that has no source."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from graphs.grounding import Evidence, Gate, sourced_beginning, unsourced
from graphs.grounding.sentences import sentences
from tests.graphs.grounding.test_binding import COVERAGE, PROPOSED, VOCABULARY, shown

EVIDENCE = shown(COVERAGE, PROPOSED)


def told(gate: Gate, *pieces: str) -> list[str]:
    """What a gate lets through of the pieces of an answer, with each and at the end."""
    return [*map(gate.take, pieces), gate.end("".join(pieces))]


def a_gate() -> Gate:
    return Gate(lambda: EVIDENCE)


def test_a_sentence_is_told_once_it_is_whole_and_checked() -> None:
    pieces = ("P2 has ", "120 packs", ".", " It sells 3.", "5 a day. And", " so on")
    assert told(a_gate(), *pieces) == ["", "", "", "P2 has 120 packs.", " It sells 3.5 a day.", "", " And so on"]


def test_from_the_first_sentence_without_a_source_on_nothing_is_told() -> None:
    pieces = ("P2 is short. ", "It lacks 98,765 units. ", "P1 has 45 packs.\n", "Done.")
    assert told(a_gate(), *pieces) == ["P2 is short.", "", "", "", ""]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It is 1.5 or 1,234.50. Then.", ["It is 1.5 or 1,234.50.", " Then."]),
        ("About approx. 120, e.g. S1. Yes", ["About approx. 120, e.g. S1.", " Yes"]),
        ("1. P1 goes.\n2. P2 stays.\n", ["1. P1 goes.\n", "2. P2 stays.\n"]),
        ("Rows: 1. P1; 2. P2", ["Rows: 1. P1;", " 2. P2"]),
        ("- P1: 45\n- P2: 120", ["- P1: 45\n", "- P2: 120"]),
        ("It has 40. P2 has none! Why?", ["It has 40.", " P2 has none!", " Why?"]),
        ('He said "so." Yes.', ['He said "so."', " Yes."]),
        ("no end", ["no end"]),
        ("", []),
    ],
)
def test_a_text_is_cut_into_sentences_lines_and_parts(text: str, parts: list[str]) -> None:
    assert list(sentences(text)) == parts


texts = st.lists(
    st.sampled_from(
        ["P2 has 120 packs", "S4 has 120 packs", "1", "1.5", ".", ". ", ".\n", "\n", "; ", " ", "approx. 120", "e.g. ",
         "3.", " It has 45", "half", "x" * 90, "P1", "!", '."', "2. ", ":\n- ", "\u200b", "é", "."]
    ),
    max_size=20,
).map("".join)  # fmt: skip


def cut(text: str, at: list[int]) -> list[str]:
    """The text in pieces."""
    places = [0, *sorted({each % (len(text) + 1) for each in at}), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


@given(texts, st.lists(st.integers(0, 10_000), max_size=30))
def test_what_is_told_is_the_sourced_beginning_however_the_text_comes(text: str, at: list[int]) -> None:
    gate = a_gate()
    assert "".join(told(gate, *cut(text, at))) == sourced_beginning(text, EVIDENCE) == gate.told
    assert (gate.told == text) == (unsourced(text, EVIDENCE) == ())


def test_a_repaired_answer_goes_on_after_what_has_been_told() -> None:
    gate = a_gate()
    assert told(gate, "P2 is short. It lacks 98,765.") == ["P2 is short.", ""]
    gate.begin()
    assert told(gate, "P2 is ", "short. It has ", "120.") == ["", "", "", " It has 120."]
    assert gate.told == "P2 is short. It has 120."


def test_a_repaired_answer_that_begins_otherwise_is_not_told_in_pieces() -> None:
    gate = a_gate()
    told(gate, "P2 is short. It lacks 98,765.")
    gate.begin()
    assert told(gate, "P2 has 120. P2 is short.") == ["", ""]
    assert gate.told == "P2 is short."


def test_an_answer_that_is_not_what_came_in_pieces_is_not_told() -> None:
    gate = a_gate()
    assert gate.take("P2 is sh") == ""
    assert gate.end("Something else.") == ""


def test_evidence_is_gathered_with_the_first_sentence_only() -> None:
    gathered: list[int] = []

    def evidence() -> Evidence:
        gathered.append(1)
        return EVIDENCE

    gate = Gate(evidence)
    gate.take("no whole sentence yet")
    assert (gate.end("what a baseline says"), gathered) == ("", [])
    gate.begin()
    gate.take("One. Two. ")
    assert gathered


def test_a_name_that_the_caller_may_not_see_is_held_back_like_any_that_does_not_exist() -> None:
    """Otherwise the check would tell which names there are."""
    result = ToolMessage(json.dumps({"rows": []}), tool_call_id="c")
    call = AIMessage("", tool_calls=[{"name": "coverage", "args": {}, "id": "c", "type": "tool_call"}])
    evidence = Evidence.of([HumanMessage("?"), call, result], VOCABULARY)
    for name in ("S9", "S3"):
        gate = Gate(lambda: evidence)
        assert told(gate, f"Well. {name} is short. ") == ["Well.", ""]
