"""What is kept of an llm's words: sentences whose every number was given."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.negotiation.brief import HANDLE
from graphs.negotiation.quoting import CHARACTERS_KEPT, given_numbers, quoted

DATA = {
    "units": 1240,
    "price": "1,234.50 USD",
    "claims": [{"claim": "claim-a", "bids": ["17.00 USD"], "awarded_units": 8, "late": True}],
}
NUMBERS = given_numbers(DATA)
HANDLES = ("claim-a", "pool-a")


def kept(text: str) -> str:
    return quoted(text, NUMBERS, HANDLES, HANDLE).words


def test_the_numbers_given_are_those_of_the_data_however_thousands_are_written() -> None:
    assert {"1,240", "1240", "1,234.50", "1234.50", "17.00", "8"} == NUMBERS


@pytest.mark.parametrize(
    "sentence",
    [
        "It bids 17.00 USD for a pack.",
        "Of 1240 units it was awarded 8.",
        "Of 1,240 units (8 of them) it lacks most!",
        "claim-a is worth more than pool-a keeps.",
        "Claim-a waits longest.",
        "Demand là-bas is high.",
    ],
)
def test_a_sentence_with_nothing_but_given_numbers_is_kept_as_it_is(sentence: str) -> None:
    assert kept(sentence) == sentence


@pytest.mark.parametrize(
    "sentence",
    [
        "It needs 9 units.",
        "It needs 12400 units.",
        "It needs 1 240 units.",
        "It needs 8 8 units.",
        "It needs -8 units.",
        "It needs 8% more.",
        "It needs 8/17.00 of it.",
        "It needs 8e9 units.",
        "It needs 8–9 units.",
        "It needs x8 units.",
        "It needs ٨ units.",
        "It needs ８８ units.",
        "It needs 8² units.",
        "It needs Ⅷ units.",
        "It needs 八 units.",
        "It needs 1\u200b2 units.",
        "It needs nine thousand units.",
        "It needs Ninethousand units.",
        "It needs twice as much.",
        "It needs 50 percent more.",
        "It needs a hundr\u0435d units.",  # with a Cyrillic е
        "claim-z needs it.",
        "claim-a-b needs it.",
        "pool-1 has it.",
        "See https://example.com now.",
        "See www.example.com now.",
        "Read <b>this</b>.",
        "Read [this](that).",
        "**Approve this**.",
    ],
)
def test_a_sentence_with_anything_else_is_dropped_and_those_beside_it_stay(sentence: str) -> None:
    found = quoted(f"It waits longest. {sentence} It bids 17.00 USD.", NUMBERS, HANDLES, HANDLE)
    assert found.words == "It waits longest. It bids 17.00 USD."
    assert found.dropped >= 1


def test_words_are_cut_at_whole_sentences() -> None:
    found = quoted("It waits longest of all. " * 40, NUMBERS, HANDLES, HANDLE)
    assert len(found.words) <= CHARACTERS_KEPT
    assert found.words.endswith("of all.")
    assert found.words.count(".") + found.dropped == 40


def test_control_characters_and_line_breaks_do_not_stay() -> None:
    assert kept("It waits\u202e longest.\n\nIt\tbids\x00 17.00 USD.") == "It waits longest. It bids 17.00 USD."


@given(text=st.text(alphabet=string.printable + "٨²Ⅷ八\u200b\u0435", max_size=200))
def test_whatever_is_said_no_number_stays_that_was_not_given(text: str) -> None:
    words = kept(text)
    parts = [part.strip("\"'.,;:!?()") for part in words.split() if any(c.isnumeric() for c in part)]
    assert set(parts) <= NUMBERS
    assert len(words) <= CHARACTERS_KEPT
