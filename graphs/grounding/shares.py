"""Parts, multiples and places in words: "half", "two thirds", "twice", "3 times as much", "most of", "the ninth", "top 9"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from graphs.grounding.numbers import SMALL_NUMBERS, hedge_before

_PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10,
}  # fmt: skip
_ORDINALS = {name: number for name, number in _PARTS.items() if number not in (2, 4)} | {
    "fourth": 4, "eleventh": 11, "twelfth": 12,
}  # fmt: skip
_DIGIT_WORDS = "|".join(SMALL_NUMBERS[1:13])
_TIMES = {
    "twice": 2, "thrice": 3, "double": 2, "doubled": 2, "doubles": 2, "doubling": 2, "triple": 3, "tripled": 3,
    "triples": 3, "tripling": 3, "treble": 3, "trebled": 3, "quadruple": 4, "quadrupled": 4,
}  # fmt: skip
_HALF = re.compile(
    r"(?<!first )(?<!second )(?<!if demand )(?<!\w-)\b(?:half|halved?|halves|halving)\b(?!-|\s+(?:an?\s+)?(?:hour|day|dozen|way)|\s+past)",
    re.IGNORECASE,
)
_FRACTION = re.compile(
    rf"\b(?P<count>an?|{_DIGIT_WORDS})[\s-](?P<part>{'|'.join(_PARTS)})(?P<several>s?)\b"
    r"(?!-|\s+(?:an?\s+)?(?:hour|dozen))(?P<of>(?=\s+(?:of|more|less|fewer|higher|lower|as)\b|\s*(?:[.,;:!?)]|$)))?",
    re.IGNORECASE,
)
_MULTIPLE = re.compile(
    rf"(?<!if demand )\b(?:(?P<word>{'|'.join(_TIMES)})|(?P<fold>\d{{1,3}}|{_DIGIT_WORDS})[\s-]?fold"
    rf"|(?P<times>\d{{1,4}}(?:[.,]\d{{1,2}})?|{_DIGIT_WORDS})\s+times(?=\s+(?:as|more|the|higher|larger|its|their|what)\b))"
    r"\b(?!-)",
    re.IGNORECASE,
)
_MOST = re.compile(
    r"(?<!\bat )\b(?:most of(?! all)|(?:the |a )?(?:vast )?majority of|the bulk of|(?:nearly|almost) all)\b",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    rf"\b(?:(?P<word>{'|'.join(_ORDINALS)})\b(?!-part)|(?P<digits>\d{{1,4}})(?:st|nd|rd|th)\b)", re.IGNORECASE
)
_TOP = re.compile(
    rf"\b(?:top|worst|costliest|largest|biggest|following|first|last|best)[\s-](?P<number>\d{{1,2}}|{_DIGIT_WORDS})\b"
    r"(?![.,]?\d| (?:units?|packs?|days?|weeks?|percent|%|[A-Z]{3}\b))",
    re.IGNORECASE,
)
_EXACT = Decimal("0.02")
_ROUGH = Decimal("0.1")
_BEYOND = Decimal("0.25")
"""How far from the value what it stands for may be, as a share of it: as it is, `about`, and `more than` or `less than`."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part or a multiple of something; from `least` to `most` it is right. `vague` says no value: `most of`."""

    written: str
    least: Decimal
    most: Decimal
    vague: bool = False

    def fits(self, value: Decimal) -> bool:
        """Whether the share may stand for this one."""
        return self.least <= value <= self.most


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list, or how many of it are told: right as long as the list is."""

    written: str
    number: int


def made_of(match: re.Match[str]) -> Share | Place | None:
    """What a match of one of the forms stands for; None where it is mostly no claim, as `the first` is none."""
    made = _MADE[match.re](match)
    return None if isinstance(made, Place) and made.number < 2 else made


def _most(match: re.Match[str]) -> Share:
    return Share(match[0], Decimal("0.5"), Decimal(1), vague=True)


def _top(match: re.Match[str]) -> Place:
    return Place(match["number"], int(_number(match["number"])))


def _ordinal(match: re.Match[str]) -> Place:
    return Place(match[0], int(match["digits"] or _ORDINALS[match["word"].lower()]))


def _half(match: re.Match[str]) -> Share:
    return _share(match, Decimal("0.5"))


def _fraction(match: re.Match[str]) -> Share | Place:
    count, part = match["count"].lower(), _PARTS[match["part"].lower()]
    if count in ("a", "an"):
        if match["of"] is None and part not in (2, 4):
            return Place(match["part"], part)  # `a third SKU`
        return _share(match, Decimal(1) / part)
    return _share(match, _number(count) / part)


def _multiple(match: re.Match[str]) -> Share:
    word = match["word"]
    return _share(match, Decimal(_TIMES[word.lower()]) if word else _number(match["fold"] or match["times"]))


_MADE: Mapping[re.Pattern[str], Callable[[re.Match[str]], Share | Place]] = {
    _FRACTION: _fraction, _HALF: _half, _MULTIPLE: _multiple, _MOST: _most, _TOP: _top, _ORDINAL: _ordinal,
}  # fmt: skip
FORMS = tuple(_MADE)
"""In this order, each on what those before it have left."""


def ways(values: Iterator[Decimal]) -> list[Decimal]:
    """The shares that two of these values are of each other."""
    known = [value for value in values if value > 0]
    return [one / other for at, one in enumerate(known) for to, other in enumerate(known) if at != to]


def _share(match: re.Match[str], value: Decimal) -> Share:
    hedge = hedge_before(match)
    below = {"": _EXACT, "near": _ROUGH, "below": _BEYOND, "above": Decimal(0)}[hedge] * value
    above = {"": _EXACT, "near": _ROUGH, "above": _BEYOND, "below": Decimal(0)}[hedge] * value
    return Share(match[0].strip(), value - below, value + above)


def _number(word: str) -> Decimal:
    return Decimal(word.replace(",", ".")) if word[0].isdigit() else Decimal(SMALL_NUMBERS.index(word.lower()))
