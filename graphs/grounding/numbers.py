"""Numbers as people write them: thousands separators, decimals, percent, "about", "1.2 million", "twenty-five"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_FIGURE = r"\d{1,3}(?:[ ,.'’]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)?"
_TIMES = {
    "k": 3, "thousand": 3, "m": 6, "mn": 6, "million": 6, "bn": 9, "billion": 9,
}  # fmt: skip
NUMBER = re.compile(
    rf"(?<![^\W_])(?P<figure>{_FIGURE})"
    rf"(?:\s?(?P<times>{'|'.join(sorted(_TIMES, key=len, reverse=True))})(?![^\W_]))?"
    r"(?P<percent>\s?(?:%|percent\b|per cent\b|percentage point))?",
    re.IGNORECASE,
)
"""A figure with what belongs to it. Letters or digits right before it make it a part of something else."""
_NEAR = re.compile(r"(?:about|around|roughly|approximately|approx\.?|some|circa|ca\.|[~≈])\W{0,3}$", re.IGNORECASE)
_ABOVE = re.compile(r"(?:over|above|more than|at least)\W{0,3}$", re.IGNORECASE)
_BELOW = re.compile(r"(?:under|below|less than|nearly|almost|at most|up to)\W{0,3}$", re.IGNORECASE)
_HEDGES = {"near": _NEAR, "above": _ABOVE, "below": _BELOW}
_HEDGE_CHARACTERS = 20

SMALL_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORTH = {word: value for value, word in enumerate(SMALL_NUMBERS)} | {
    word: 20 + 10 * at for at, word in enumerate(_TENS)
}
_TIMES_TEN = {"dozen": 12, "hundred": 100}
_BIG = {"thousand": 1_000, "million": 1_000_000}
_SOME = {
    "couple of": (2, 3), "dozens": (24, 120), "scores of": (40, 400), "hundreds": (200, 1_000),
    "thousands": (2_000, 1_000_000), "millions": (2_000_000, 1_000_000_000),
}  # fmt: skip
"""Words that say about how many, and from how many to how many that may be."""
_A_WORD = "|".join(sorted((*_WORTH, *_TIMES_TEN, *_BIG), key=len, reverse=True))
WORDS = re.compile(
    rf"\b(?:half a dozen|{'|'.join(_SOME)}|(?:{_A_WORD})(?:(?:[\s-]|\sand\s)(?:{_A_WORD}))*)\b", re.IGNORECASE
)
"""A number in words."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written. Each reading has a value and the least and most that it may be a rounding of."""

    written: str
    readings: tuple[Reading, ...]
    percent: bool = False
    parts: tuple[Number, ...] = ()
    """Where the separator may stand between two numbers: `3 120`, `1,2`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a figure. `rough` when it was said to be near, not exact: then whole numbers may lie in the range too."""

    value: Decimal
    least: Decimal
    most: Decimal
    rough: bool = False


def number_of(match: re.Match[str]) -> Number:
    """The number that a match of NUMBER stands for in its text."""
    hedge = hedge_before(match)
    power = _TIMES.get((match["times"] or "").lower(), 0)
    readings = [_reading(value, power, hedge) for value in _values(match["figure"])]
    if match["times"] and len(match["times"]) == 1:  # `31m` may be metres
        readings += [_reading(value, 0, hedge) for value in _values(match["figure"])]
    return Number(match[0].strip(), tuple(readings), match["percent"] is not None, _parts(match["figure"]))


def _parts(figure: str) -> tuple[Number, ...]:
    if " " not in figure and not re.fullmatch(r"\d+,\d{1,2}", figure):
        return ()
    values = [Decimal(part) for part in re.split(r"[ ,.'’]", figure)]
    return tuple(Number(str(value), (Reading(value, value, value),)) for value in values)


def number_in_words(words: str) -> Number | None:
    """The number that words stand for; None for `one`, `zero` and the like, which are mostly no numbers."""
    some = _SOME.get(" ".join(words.lower().split()))
    if some is not None:
        least, most = map(Decimal, some)
        return Number(words, (Reading(least, least, most, rough=True),))
    if words.lower().startswith("half"):
        return Number(words, (Reading(Decimal(6), Decimal(6), Decimal(6)),))
    total = part = 0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word == "and":
            continue
        if word in _TIMES_TEN:
            part = max(part, 1) * _TIMES_TEN[word]
        elif word in _BIG:
            total, part = total + max(part, 1) * _BIG[word], 0
        else:
            part += _WORTH[word]
    value = Decimal(total + part)
    return Number(words, (Reading(value, value, value),)) if value > 1 else None


def hedge_before(match: re.Match[str]) -> str:
    """How what stands before a match takes it back: `near`, `above`, `below`, or not at all."""
    before = match.string[max(match.start() - _HEDGE_CHARACTERS, 0) : match.start()]
    return next((name for name, hedge in _HEDGES.items() if hedge.search(before)), "")


def decimals(value: Decimal) -> int:
    """How many digits stand behind the point."""
    exponent = value.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def _values(figure: str) -> list[Decimal]:
    """The values that a figure may have: `1.234` is a little more than one, or more than a thousand."""
    digits = re.sub(r"[ '’]", "", figure)
    separators = re.findall(r"[.,]", digits)
    if not separators:
        return [Decimal(digits)]
    last = separators[-1]
    values = []
    if separators.count(last) == 1:  # it may be the decimal point
        whole, _, part = digits.rpartition(last)
        values.append(Decimal(f"{re.sub('[.,]', '', whole)}.{part}"))
    if len(set(separators)) == 1 and re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits):
        values.insert(0 if last == "," else len(values), Decimal(re.sub("[.,]", "", digits)))
    return values


def _reading(value: Decimal, power: int, hedge: str) -> Reading:
    """The range that a value may be a rounding of: half of its last digit, and as much of its trailing zeros as was hedged."""
    unit = Decimal(1).scaleb(power - decimals(value))
    value = value.scaleb(power)
    zeros = len(str(int(value))) - len(str(int(value)).rstrip("0")) if value and value == int(value) else 0
    if hedge and not power and zeros and value >= 10 ** (zeros + 1):  # two digits at least say something
        unit = Decimal(10**zeros)
    rough = bool(power) or (bool(hedge) and unit > 1)
    if rough and hedge == "above":
        return Reading(value, value, value + unit, rough=True)
    if rough and hedge == "below":
        return Reading(value, value - unit, value, rough=True)
    return Reading(value, value - unit / 2, value + unit / 2, rough)
