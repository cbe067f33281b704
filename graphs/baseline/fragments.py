"""What patterns of the language are built of: numbers, spans of days, names, and what separates them.

A pattern is matched against an utterance in its normal form: tokens with one space
between them, names hidden behind one private character each. So `{name}` is a
single character, and no pattern can match inside a word or inside a name.
"""

from __future__ import annotations

import re

CUT = "|"
"""The end of a sentence, and what is left in place of a part that was understood."""

OF = "\uf8ff"
"""Left in place of a word such as `stock` or `shortage`, after which a name may follow without a preposition."""

MONEY = "\u00a4"
"""Left in place of the network's own currency beside an amount."""

FIRST_NAME, NAMES_MAX = 0xE000, 2000
"""Names are hidden behind the private characters from U+E000 on; nobody's text holds those after normalisation."""

_ONES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

NUMBER_WORDS = {
    "zero": 0,
    **{word: number for number, word in enumerate(_ONES, 1)},
    **{word: number for number, word in enumerate(_TEENS, 10)},
    **{word: 10 * number for number, word in enumerate(_TENS, 2)},
    **{f"{ten} {one}": 10 * t + o for t, ten in enumerate(_TENS, 2) for o, one in enumerate(_ONES, 1)},
    "a dozen": 12,
    "dozen": 12,
    "half a dozen": 6,
    "a hundred": 100,
    "one hundred": 100,
    "a thousand": 1000,
    "one thousand": 1000,
}
ORDINALS = {word: number for number, word in enumerate(["first", "second", "third", "fourth", "fifth"], 1)}

_WORDS = "|".join(sorted(NUMBER_WORDS, key=lambda word: (-len(word), word)))
_NUMBER = rf"(?:[0-9]{{1,12}}(?:\.[0-9]{{1,3}}k|k)?|{_WORDS})"
_NAME = f"[{chr(FIRST_NAME)}-{chr(FIRST_NAME + NAMES_MAX - 1)}]"
_SEPARATOR = r"(?: ,)?(?: (?:and|or))?"


def _listed(item: str) -> str:
    """One item, or several joined by commas and `and`."""
    return f"{item}(?:{_SEPARATOR} {item})*"


_FRAGMENTS = {
    "{number}": f"(?P<number>{_NUMBER})",
    "{span}": rf"(?P<span>(?:{_NUMBER}|an?) (?:days?|weeks?)|a fortnight)",
    "{percent}": r"(?:%|percent|per cent|pct)",
    "{name}": _NAME,
    "{names}": f"(?P<names>{_listed(_NAME)})",
    "{lanes}": _listed(f"(?:from )?{_NAME} (?:->|to) {_NAME}"),
    "{arrows}": _listed(f"{_NAME} -> {_NAME}"),
    "{be}": r"(?:is|are|was|were|be|being|gets?|got|goes|stays?|becomes?|has been|have been|had been)",
    "{money}": f"(?: {MONEY})?",
    "{units}": r"(?:units?|pieces?|pcs)",
    "{lines}": r"(?:transfer lines?|lines?|transfers|moves|movements)",
    "{site}": r"(?:sites?|stores?|shops?|warehouses?|locations?)",
    "{sku}": r"(?:skus?|products?|items?|articles?)",
    "{of}": OF,
}


def pattern(text: str) -> re.Pattern[str]:
    """A pattern of whole tokens, without regard to case; `{number}` and the like stand for their fragments."""
    for slot, fragment in _FRAGMENTS.items():
        text = text.replace(slot, fragment)
    return re.compile(rf"(?<!\S)(?:{text})(?!\S)", re.IGNORECASE)


def words_of(*patterns: str) -> frozenset[str]:
    """The words that patterns are written with; none of them is taken for a name because of its capitals."""
    written = " ".join(re.sub(r"\{\w+\}|\\\w|\(\?P<\w+>", " ", text) for text in patterns)
    return frozenset(_spelled_out(written))


def _spelled_out(written: str) -> list[str]:
    """Words, and for an optional ending (`lines?`) the word with and without it."""
    found = []
    for word, optional in re.findall(r"([a-z]+)(\??)", written.lower()):
        found += [word, word[:-1]] if optional else [word]
    return found


def number_in(text: str) -> int:
    """What a `{number}` says: 12, 10k, 1.5k or twelve."""
    plain = " ".join(text.lower().split())
    if plain in NUMBER_WORDS:
        return NUMBER_WORDS[plain]
    whole, _, part = plain.removesuffix("k").partition(".")
    return int(whole) * 1000 + int(part.ljust(3, "0")) if plain.endswith("k") else int(plain)


def days_in(span: str) -> int:
    """How many days a `{span}` is: 3 days, two weeks, a week, a fortnight."""
    number, _, unit = span.lower().rpartition(" ")
    if unit == "fortnight":
        return 14
    count = 1 if number in ("a", "an") else number_in(number)
    return count * (7 if unit.startswith("week") else 1)


def alternatives(*texts: str) -> str:
    """A group that matches any of the texts."""
    return f"(?:{'|'.join(texts)})"
