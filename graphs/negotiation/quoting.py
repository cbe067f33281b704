"""What may be kept of an llm's words: sentences in which every number is one of those it was given.

This keeps invented figures out of sight, and no more: a given number can still be put
to a wrong use, and number words are known in English only. Nothing reads a quantity
from such words; they are shown as the llm's own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import NamedTuple

CHARACTERS_KEPT = 400

_SENTENCES = re.compile(r"(?<=[.!?;])\s+|\n+")
_NUMBER_WORD = re.compile(
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirds?|quarters?|half|halves|halved"
    r"|couple|once|twice|thrice|pct)\b|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty"
    r"|hundred|thousand|milli(?:on|ard)|billion|trillion|dozen|double|triple|quadruple|percent"
)
_MARKS = frozenset("<>{}[]|`*_#@\\^~")
_LINKS = ("://", "www.", "http")
_ROUND_A_NUMBER = "\"'“”‘’()«»,.;:!?"


class Quoted(NamedTuple):
    """What is kept of a text, and how many of its sentences are not."""

    words: str
    dropped: int


def given_numbers(document: object) -> frozenset[str]:
    """Every number in a document, as it may be written: integers with and without thousands separators, and those in texts."""
    return frozenset(written for number in _numbers(document) for written in (number, number.replace(",", "")))


def _numbers(document: object) -> Iterator[str]:
    if isinstance(document, bool) or document is None:
        return
    if isinstance(document, int):
        yield f"{document:,}"
    elif isinstance(document, str):
        yield from (part.strip(_ROUND_A_NUMBER) for part in document.split() if any(c.isdigit() for c in part))
    elif isinstance(document, dict):
        for value in document.values():
            yield from _numbers(value)
    elif isinstance(document, list | tuple):
        for value in document:
            yield from _numbers(value)


def quoted(text: str, numbers: Collection[str], handles: Collection[str], handle_form: re.Pattern[str]) -> Quoted:
    """The sentences of a text that may be kept, in one line.

    A sentence goes when it has a number that was not given, a number word, letters that
    may look like others than they are, a handle that is not on the list, markup or a link.
    What is left is cut at whole sentences.
    """
    kept: list[str] = []
    dropped = 0
    for sentence in _SENTENCES.split(_plain(text)):
        words = " ".join(sentence.split())
        if not words:
            continue
        fits = len(" ".join((*kept, words))) <= CHARACTERS_KEPT
        if fits and _may_be_kept(words, numbers, handles, handle_form):
            kept.append(words)
        else:
            dropped += 1
    return Quoted(" ".join(kept), dropped)


def _plain(text: str) -> str:
    """Compatibility forms as what they stand for, and nothing that hides or turns round what is beside it.

    Numbers in other forms than digits stay as they are: none of them is a number that was given.
    """
    whole = "".join(c if _is_numeric(c) else unicodedata.normalize("NFKC", c) for c in text)
    return "".join(" " if unicodedata.category(c)[0] == "C" and c != "\n" else c for c in whole)


def _may_be_kept(
    sentence: str, numbers: Collection[str], handles: Collection[str], handle_form: re.Pattern[str]
) -> bool:
    lowered = sentence.lower()
    if _MARKS & set(sentence) or any(link in lowered for link in _LINKS):
        return False
    if not set(handle_form.findall(lowered)) <= set(handles):
        return False
    if _NUMBER_WORD.search(lowered) or not all(map(_is_latin, filter(str.isalpha, sentence))):
        return False
    written = [part.strip(_ROUND_A_NUMBER) if any(map(_is_numeric, part)) else "" for part in sentence.split()]
    in_a_row = any(one and other for one, other in pairwise(written))  # "9 9" can be read as another number
    return not in_a_row and all(number in numbers for number in written if number)


def _is_numeric(character: str) -> bool:
    return character.isnumeric() or unicodedata.category(character)[0] == "N"


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("LATIN")
