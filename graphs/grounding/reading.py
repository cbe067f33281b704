"""What a text says that somebody could check: numbers, dates, times, names of the network, and other ids."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from graphs.grounding.numbers import NUMBER, WORDS, Number, number_in_words, number_of
from graphs.grounding.shares import FORMS, Place, Share, made_of
from graphs.grounding.vocabulary import TOKEN, Vocabulary


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day."""

    written: str
    hour: int
    minute: int


@dataclass(frozen=True, slots=True)
class Day:
    """A date, as much of it as was said."""

    written: str
    year: int | None
    month: int
    day: int | None
    clock: Clock | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A name that the network has, and the SKUs and sites it may stand for; a masked SKU; or a line of a plan."""

    written: str
    entities: frozenset[str]


@dataclass(frozen=True, slots=True)
class Code:
    """Letters and digits that look like an id. `number` where it may also be a figure with its unit: `5kg`, `3-day`."""

    written: str
    number: Number | None = None


Said = Number | Share | Place | Day | Clock | Known | Code

_NAMES_OF_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_MONTHS = {
    name[:length].lower(): number
    for number, name in enumerate(_NAMES_OF_MONTHS, 1)
    for length in (3, len(name))
} | {"sept": 9}  # fmt: skip
_MONTH = r"(?P<month>" + "|".join(sorted((m.capitalize() for m in _MONTHS), key=len, reverse=True)) + r")\b\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?(?!\d)"
_YEAR = r"(?P<year>\d{4})(?!\d)"
_REST_OF_INSTANT = r"(?:T(?P<hour>\d{2}):(?P<minute>\d{2})(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_DATES = tuple(
    re.compile(rf"(?<![\w.]){form}")
    for form in (
        rf"(?P<year>\d{{4}})[-/](?P<month>\d{{1,2}})[-/](?P<day>\d{{1,2}})(?!\d){_REST_OF_INSTANT}",
        rf"{_DAY}(?: of)? {_MONTH}(?:,? {_YEAR})?",
        rf"{_MONTH} {_DAY}(?:,? {_YEAR})?",
        rf"{_MONTH},? {_YEAR}",
        r"(?P<day>\d{1,2})[./](?P<month>\d{1,2})[./](?P<year>\d{4})(?!\d)",
    )
)
_CLOCKS = (
    re.compile(
        r"(?<![\w:.,])(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::\d{2}(?:\.\d+)?)?(?P<half>\s?[ap]\.?m\b\.?)?(?![\d:])"
    ),
    re.compile(r"(?<![\w:.,])(?P<hour>\d{1,2})(?P<minute>)(?P<half>\s?[ap]\.?m\b\.?)"),
)
_NUMBERING = re.compile(r"(?:^|(?<=[:,]))(?P<lead>\s*[-*•]*\s*)(?P<number>\(?(?P<place>\d{1,2})[.)])(?=\s+\S)")
_LINE = re.compile(r"\bline (?:no\.? ?|number )?(?P<number>\d{1,4})\b(?![.,]?\d| ?%)", re.IGNORECASE)
_WITH_UNIT = re.compile(r"\d+(?:[.,]\d+)?(?:-?[a-z])+", re.IGNORECASE)
_CURRENCY = re.compile(r"\b(USD|EUR|GBP|JPY|CHF|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|CZK|KWD)(?=\d)")
_RELEASE = re.compile(r"\d{4}-\d{2}")


def plain(text: str) -> str:
    """The text with compatibility forms and foreign digits folded to ASCII, and without characters that nobody sees."""
    folded = unicodedata.normalize("NFKC", text)
    seen = (c for c in folded if unicodedata.category(c) != "Cf")
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() and not c.isascii() else c for c in seen)


def read(text: str, vocabulary: Vocabulary) -> Iterator[Said]:
    """Everything that a text says."""
    rest = _CURRENCY.sub(r"\1 ", plain(text))
    for form in _DATES:
        rest = yield from _taken(rest, form, _day)
    for form in _CLOCKS:
        rest = yield from _taken(rest, form, _clock)
    rest = yield from _taken(rest, _LINE, _line)
    for found in reversed(list(vocabulary.find(rest))):
        yield Known(rest[found.start : found.end], found.entities)
        rest = f"{rest[: found.start]}{'|' * (found.end - found.start)}{rest[found.end :]}"
    for form in FORMS:
        rest = yield from _taken(rest, form, made_of)
    rest = yield from _taken(rest, TOKEN, _code)
    rest = yield from _taken(rest, NUMBER, number_of)
    yield from (number for match in WORDS.finditer(rest) if (number := number_in_words(match[0])) is not None)


def _taken(
    text: str, form: re.Pattern[str], make: Callable[[re.Match[str]], Said | None]
) -> Generator[Said, None, str]:
    """What the matches of a form stand for; returns the text without those that stand for something."""
    parts, end = [], 0
    for match in form.finditer(text):
        said = make(match)
        if said is not None:
            yield said
            parts += [text[end : match.start()], _blank(match)]
            end = match.end()
    return "".join((*parts, text[end:]))


def without_numbering(text: str, place: int) -> tuple[str, int]:
    """A sentence without the numbers of a list, each one more than `place`, the one before it, or the first of another list."""
    parts, end = [], 0
    for match in _NUMBERING.finditer(text):
        if int(match["place"]) in (1, place + 1):
            place = int(match["place"])
            parts += [text[end : match.start("number")], "|" * len(match["number"])]
            end = match.end()
    return "".join((*parts, text[end:])), place


def _blank(match: re.Match[str]) -> str:
    return "|" * len(match[0])


def _day(match: re.Match[str]) -> Said | None:
    groups = match.groupdict()
    month = _MONTHS.get(match["month"].lower().rstrip("."), 0) or int(match["month"] if match["month"].isdigit() else 0)
    day, year = groups.get("day"), groups.get("year")
    if day is not None and month > 12:  # the month first, as in 03/15/2026
        day, month = str(month), int(day)
    if not 1 <= month <= 12 or (day is not None and not 1 <= int(day) <= 31):
        return None
    clock = Clock(match[0], int(match["hour"]), int(match["minute"])) if groups.get("hour") else None
    return Day(match[0].rstrip("."), int(year) if year else None, month, int(day) if day else None, clock)


def _clock(match: re.Match[str]) -> Said | None:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    half = re.sub(r"[^apm]", "", (match["half"] or "").lower())
    if hour > (12 if half else 24) or minute > 59:
        return None
    return Clock(match[0].strip(), hour % 12 + (12 if half == "pm" else 0) if half else hour, minute)


def _line(match: re.Match[str]) -> Said:
    return Known(match[0], frozenset({f"line {int(match['number'])}"}))


def _code(match: re.Match[str]) -> Said | None:
    """An id: letters and digits, capitals round a dash, a masked SKU, a release. Anything else is a word or a number."""
    token = match[0]
    has_digit, has_letter = any(c.isdigit() for c in token), any(c.isalpha() for c in token)
    if token.startswith("masked-"):
        return Known(token, frozenset({f"sku {token}"}))
    if not has_letter:
        return Code(token) if _RELEASE.fullmatch(token) else None
    if not has_digit:
        return Code(token) if token.isupper() and re.search("[-_]", token) else None
    if token[0].isdigit() and re.search(r"\d,$", match.string[: match.start()][-2:]):
        return None  # the end of `1,500kg`
    figure = NUMBER.match(token) if _WITH_UNIT.fullmatch(token) else None
    return Code(token, number_of(figure) if figure else None)
