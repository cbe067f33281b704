"""What one cell may hold: text to an exact value, and the value back to text.

Numbers are plain ASCII decimals: digits, then a point with digits if need be, and a
minus in front of them if need be. No exponent, no plus, no thousands separator, no
digits of other scripts. Zeros at the end do not count as decimals, so `12.0` is a
whole number. Every number becomes an integer; a float is never involved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Protocol

from tools.inventory import EARLIEST_ON, LATEST_ON, SITE_SKU_ID_PATTERN
from tools.network_folder.faults import FaultCode

SPACE = " \t\r\n"
"""What may stand round a value and does not belong to it. Other blanks are characters like any other."""

ALL_WEEKDAYS = (1, 2, 3, 4, 5, 6, 7)
COORDINATE_DECIMALS_MAX = 8

_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)
_DIGITS_MAX = 18
"""Numbers of more digits before the point are out of every range; cutting them here keeps conversion cheap."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_IDENTIFIER = re.compile(SITE_SKU_ID_PATTERN)
_CURRENCY = re.compile(r"[A-Z]{3}")
_TIMEZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

_FORMULA = re.compile(r"'*[=+\-@＝＋－＠]")
_ESCAPED_FORMULA = re.compile(r"'+[=+\-@＝＋－＠]")


class CellError(Exception):
    """A cell does not hold what its column asks for."""

    def __init__(self, code: FaultCode) -> None:
        super().__init__(code)
        self.code = code


class Cell(Protocol):
    """What the cells of a column hold. Empty cells never come here."""

    @property
    def expected(self) -> str:
        """What belongs in the cell, in words that follow `Expected`."""

    def read(self, text: str) -> Any:
        """The value of a cell. Raises CellError."""

    def write(self, value: Any) -> str:
        """The text of a value; `read` is the way back."""


@dataclass(frozen=True, slots=True)
class Number:
    """A decimal, held as an integer of 1 / 10^`places` of `what`. Bounds are in whole `what`."""

    what: str
    places: int
    maximum: int
    minimum: int = 0
    negative: FaultCode = FaultCode.NEGATIVE_NUMBER
    too_fine: FaultCode = FaultCode.TOO_MANY_DECIMALS

    @property
    def expected(self) -> str:
        """The bounds in words."""
        decimals = f", with up to {self.places} decimals and a point" if self.places else ""
        number = "a number" if self.places else "a whole number"
        return f"{number} of {self.what} from {self.minimum:,} to {self.maximum:,}{decimals}"

    def read(self, text: str) -> int:
        """The number as an integer."""
        value = scaled(text, self.places, self.too_fine)
        if value > self.maximum * 10**self.places:
            raise CellError(FaultCode.NUMBER_TOO_LARGE)
        if value < self.minimum * 10**self.places:
            raise CellError(self.negative if value < 0 else FaultCode.NUMBER_TOO_SMALL)
        return value

    def write(self, value: int) -> str:
        """The shortest decimal."""
        return decimal_text(value, self.places)


@dataclass(frozen=True, slots=True)
class Coordinate:
    """Degrees with up to 8 decimals, held in millionths of a degree (0.11 m), halves rounded to even."""

    degrees_max: int

    @property
    def expected(self) -> str:
        """The bounds in words."""
        return f"degrees from -{self.degrees_max} to {self.degrees_max}, with up to {COORDINATE_DECIMALS_MAX} decimals"

    def read(self, text: str) -> int:
        """Millionths of a degree."""
        fine = scaled(text, COORDINATE_DECIMALS_MAX, FaultCode.TOO_MANY_DECIMALS)
        limit = self.degrees_max * 10**COORDINATE_DECIMALS_MAX
        if abs(fine) > limit:
            raise CellError(FaultCode.NUMBER_TOO_LARGE if fine > 0 else FaultCode.NUMBER_TOO_SMALL)
        whole, rest = divmod(abs(fine), 100)
        rounded = whole + (rest > 50 or (rest == 50 and whole % 2 == 1))
        return rounded if fine >= 0 else -rounded

    def write(self, value: int) -> str:
        """Up to six decimals."""
        return decimal_text(value, 6)


def scaled(text: str, places: int, too_fine: FaultCode) -> int:
    """A plain decimal times 10^places, exactly. Raises CellError where it is none, or has more decimals."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise CellError(FaultCode.NOT_FINITE if _NOT_FINITE.fullmatch(text) else FaultCode.NOT_A_NUMBER)
    sign, whole, decimals = match.groups(default="")
    decimals = decimals.rstrip("0")
    if len(decimals) > places:
        raise CellError(too_fine)
    whole = whole.lstrip("0")
    size = 10 ** (_DIGITS_MAX + places) if len(whole) > _DIGITS_MAX else int(whole + decimals.ljust(places, "0") or "0")
    return -size if sign else size


def decimal_text(value: int, places: int) -> str:
    """An integer of 1 / 10^places as the shortest plain decimal."""
    whole, part = divmod(abs(value), 10**places)
    decimals = f"{part:0{places}d}".rstrip("0") if part else ""
    return f"{'-' if value < 0 else ''}{whole}{'.' + decimals if decimals else ''}"


def units(minimum: int = 0, maximum: int = 1_000_000_000) -> Number:
    """Whole units of stock."""
    return Number("units", 0, maximum, minimum, FaultCode.NEGATIVE_UNITS, FaultCode.FRACTIONAL_UNITS)


@dataclass(frozen=True, slots=True)
class Text:
    """Free text in the form it came, but for spaces round it.

    A spreadsheet takes text that begins with = + - @ for a formula (OWASP, CSV
    Injection), so such text is written behind an apostrophe, and one apostrophe in
    front of such text is taken off again. Text that really begins with apostrophes
    and a formula sign gets one more on writing, so writing and reading lose nothing.
    """

    characters_max: int
    forbidden: str = ""

    @property
    def expected(self) -> str:
        """The limits in words."""
        without = f" and without {self.forbidden}" if self.forbidden else ""
        return f"at most {self.characters_max} characters without control characters{without}"

    def read(self, text: str) -> str:
        """The text, without the apostrophe of an escaped formula."""
        value = unescaped(text)
        if len(value) > self.characters_max or _CONTROL.search(value) or any(sign in value for sign in self.forbidden):
            raise CellError(FaultCode.INVALID_TEXT)
        return value

    def write(self, value: str) -> str:
        """The text, escaped where a spreadsheet would take it for a formula."""
        return escaped(value)


def escaped(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return "'" + text if _FORMULA.match(text) else text


def unescaped(text: str) -> str:
    """What `escaped` was given."""
    return text[1:] if _ESCAPED_FORMULA.match(text) else text


@dataclass(frozen=True, slots=True)
class Categories:
    """Names of categories with `;` between them, held sorted and each once."""

    category: Text

    @property
    def expected(self) -> str:
        """The form in words."""
        return f"categories with ; between them, each {self.category.expected}"

    def read(self, text: str) -> tuple[str, ...]:
        """The categories."""
        names = (name.strip(SPACE) for name in unescaped(text).split(";"))
        # The cell is escaped as a whole, so an apostrophe before one of its names belongs to the name.
        return tuple(sorted({self.category.read(escaped(name)) for name in names if name}))

    def write(self, value: tuple[str, ...]) -> str:
        """The categories in one cell."""
        return escaped(";".join(value))


@dataclass(frozen=True, slots=True)
class Matching:
    """Text of a fixed form, kept as it is."""

    pattern: re.Pattern[str]
    code: FaultCode
    expected: str

    def read(self, text: str) -> str:
        """The text itself."""
        if self.pattern.fullmatch(text) is None:
            raise CellError(self.code)
        return text

    def write(self, value: str) -> str:
        """The text itself."""
        return value


IDENTIFIER = Matching(
    _IDENTIFIER,
    FaultCode.INVALID_ID,
    "1 to 40 of the characters A-Z, a-z, 0-9, point, underscore and hyphen, the first a letter or digit",
)
CURRENCY = Matching(_CURRENCY, FaultCode.INVALID_CURRENCY, "an ISO 4217 code of three capital letters such as EUR")
TIMEZONE = Matching(
    _TIMEZONE, FaultCode.INVALID_TIMEZONE, "a name of the IANA time zone database such as Europe/Berlin, or UTC"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values of a closed vocabulary, in lower case."""

    values: type[StrEnum]

    @property
    def expected(self) -> str:
        """The vocabulary."""
        return f"one of {', '.join(self.values)}"

    def read(self, text: str) -> StrEnum:
        """The member."""
        try:
            return self.values(text)
        except ValueError as error:
            raise CellError(FaultCode.INVALID_CHOICE) from error

    def write(self, value: StrEnum) -> str:
        """The member's value."""
        return value.value


@dataclass(frozen=True, slots=True)
class Flag:
    """0 or 1."""

    expected: str = "0 or 1"

    def read(self, text: str) -> bool:
        """Whether it is 1."""
        if text not in ("0", "1"):
            raise CellError(FaultCode.INVALID_CHOICE)
        return text == "1"

    def write(self, value: bool) -> str:
        """0 or 1."""
        return "1" if value else "0"


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar date."""

    expected: str = f"a date from {EARLIEST_ON} to {LATEST_ON}, written like 2026-11-23"

    def read(self, text: str) -> date:
        """The date."""
        try:
            on = date.fromisoformat(text) if _DATE.fullmatch(text) else None
        except ValueError as error:
            raise CellError(FaultCode.INVALID_DATE) from error
        if on is None or not EARLIEST_ON <= on <= LATEST_ON:
            raise CellError(FaultCode.INVALID_DATE)
        return on

    def write(self, value: date) -> str:
        """ISO 8601."""
        return value.isoformat()


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time, held in UTC."""

    expected: str = "a date and time with a zone, written like 2026-11-23T06:00:00Z or 2026-11-23T07:00+01:00"

    def read(self, text: str) -> datetime:
        """The instant in UTC."""
        try:
            at = datetime.fromisoformat(text) if _INSTANT.fullmatch(text) else None
        except ValueError as error:
            raise CellError(FaultCode.INVALID_INSTANT) from error
        if at is None or not EARLIEST_ON < at.date() < LATEST_ON:
            raise CellError(FaultCode.INVALID_INSTANT)
        return at.astimezone(UTC)

    def write(self, value: datetime) -> str:
        """ISO 8601 in UTC, ending in Z."""
        return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Weekdays of departure."""

    expected: str = 'weekdays 1 to 7 (Monday = 1), each once, as in "1,3,5" with the quotes, or * for every day'

    def read(self, text: str) -> tuple[int, ...]:
        """ISO weekdays in order."""
        if text == "*":
            return ALL_WEEKDAYS
        days = [day.strip() for day in text.split(",")]
        if len(set(days)) < len(days) or not all(day in ("1", "2", "3", "4", "5", "6", "7") for day in days):
            raise CellError(FaultCode.INVALID_WEEKDAYS)
        return tuple(sorted(map(int, days)))

    def write(self, value: tuple[int, ...]) -> str:
        """The days with commas between them, or `*`."""
        return "*" if value == ALL_WEEKDAYS else ",".join(map(str, value))
