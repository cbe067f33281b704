"""What can be wrong with a network folder: one code for each fault, and where it stands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

FAULTS_LISTED_MAX = 100
"""So many faults are listed; the rest is counted."""

VALUE_CHARACTERS_MAX = 80


class FaultCode(StrEnum):
    """Stable codes. Each member's words say what was wrong; a fault adds where, and what was expected."""

    words: str

    def __new__(cls, value: str, words: str) -> Self:
        """A code with its words for people."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.words = words
        return member

    FOLDER_MISSING = "folder_missing", "there is no such folder"
    NOT_A_FOLDER = "not_a_folder", "this is not a folder"
    ARCHIVE = "archive", "this is an archive or a spreadsheet, not a CSV file"
    SYMBOLIC_LINK = "symbolic_link", "this is a symbolic link"
    SPECIAL_FILE = "special_file", "this is a folder, a pipe or a device, not a plain file"
    UNREADABLE_FILE = "unreadable_file", "the system refused to read it"
    FILE_TOO_LARGE = "file_too_large", "the file is too large"
    MISSING_FILE = "missing_file", "the file is missing"
    NO_DEMAND = "no_demand", "the folder says nothing about demand"

    BROKEN_UTF8 = "broken_utf8", "the text is not UTF-8"
    NUL_BYTE = "nul_byte", "the text holds a NUL byte"
    EMPTY_FILE = "empty_file", "the file is empty"
    NO_ROWS = "no_rows", "the file has a header and no rows"
    BAD_QUOTING = "bad_quoting", "a quoted cell is not closed, goes on after its closing quote, or is endless"
    ROW_TOO_LONG = "row_too_long", "the line is too long"

    MISSING_COLUMN = "missing_column", "a required column is missing"
    UNKNOWN_COLUMN = "unknown_column", "the column is not known"
    DUPLICATE_COLUMN = "duplicate_column", "the column is there twice"
    TOO_FEW_FIELDS = "too_few_fields", "the row has too few fields"
    TOO_MANY_FIELDS = "too_many_fields", "the row has too many fields"

    MISSING_VALUE = "missing_value", "a required value is missing"
    NOT_A_NUMBER = "not_a_number", "this is not a number"
    NOT_FINITE = "not_finite", "the number is not finite"
    NEGATIVE_UNITS = "negative_units", "units are negative"
    FRACTIONAL_UNITS = "fractional_units", "units are not whole"
    NEGATIVE_NUMBER = "negative_number", "the number is negative"
    NUMBER_TOO_SMALL = "number_too_small", "the number is too small"
    NUMBER_TOO_LARGE = "number_too_large", "the number is too large"
    TOO_MANY_DECIMALS = "too_many_decimals", "the number has too many decimals"
    INVALID_DATE = "invalid_date", "this is not a date"
    INVALID_INSTANT = "invalid_instant", "this is not an instant with a zone"
    INVALID_ID = "invalid_id", "this cannot be an id"
    INVALID_CHOICE = "invalid_choice", "this value is not known"
    INVALID_CURRENCY = "invalid_currency", "this is not a currency code"
    INVALID_TIMEZONE = "invalid_timezone", "this is not the name of a time zone"
    INVALID_WEEKDAYS = "invalid_weekdays", "these are not weekdays"
    INVALID_TEXT = "invalid_text", "the text is too long or holds a character it must not"

    DUPLICATE_KEY = "duplicate_key", "an earlier row has the same key"
    UNKNOWN_SITE = "unknown_site", "the site is not in sites.csv"
    UNKNOWN_SKU = "unknown_sku", "the SKU is not in skus.csv"
    LANE_TO_ITSELF = "lane_to_itself", "the lane leads back to its origin"
    RESERVED_ABOVE_ON_HAND = "reserved_above_on_hand", "more is reserved than on hand"
    MIXED_CURRENCIES = "mixed_currencies", "the network has two currencies"
    AS_OF_IN_FUTURE = "as_of_in_future", "the stock was counted in the future"
    SET_OF_ONE = "set_of_one", "the set has a single SKU"
    DISPLAY_COST = "display_cost", "the cost does not fit the kind of display"
    LOTS_DIFFER = "lots_differ", "the lots do not add up to the stock on hand"
    OWN_SUBSTITUTE = "own_substitute", "the SKU is named as its own substitute"
    SHARES_ABOVE_ONE = "shares_above_one", "the substitutes of the SKU take more than every customer"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `row` is the line of the file on which the row begins (the header is line 1)."""

    code: FaultCode
    file: str
    expected: str
    row: int | None = None
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        """The fault for people: `stock.csv, row 7, column on_hand: units are negative ('-3'). Expected ...`."""
        where = self.file
        if self.row is not None:
            where += f", row {self.row}"
        if self.column is not None:
            where += f", column {self.column}"
        found = "" if self.value is None else f" ({self.value!r})"
        return f"{where}: {self.code.words}{found}. Expected {self.expected}."


@dataclass(frozen=True, slots=True)
class ImportFaults:
    """Why a folder was refused: the first faults, and how many there are of each code."""

    faults: tuple[Fault, ...]
    count_by_code: tuple[tuple[FaultCode, int], ...]

    @property
    def total(self) -> int:
        """All faults, listed or not."""
        return sum(count for _, count in self.count_by_code)

    @property
    def not_listed(self) -> int:
        """Faults that are counted and not listed."""
        return self.total - len(self.faults)


@dataclass(slots=True)
class FaultList:
    """Faults as they are found: the first are kept, all are counted."""

    listed: list[Fault] = field(default_factory=list)
    counts: Counter[FaultCode] = field(default_factory=Counter)

    def add(self, fault: Fault) -> None:
        """Count a fault, and keep it while there is room."""
        self.counts[fault.code] += 1
        if len(self.listed) < FAULTS_LISTED_MAX:
            self.listed.append(fault)

    def closed(self) -> ImportFaults:
        """The faults found so far."""
        return ImportFaults(tuple(self.listed), tuple(sorted(self.counts.items())))


def refusal(*faults: Fault) -> ImportFaults:
    """A refusal for these faults."""
    found = FaultList()
    for fault in faults:
        found.add(fault)
    return found.closed()


def shown(value: str) -> str:
    """A value as a fault shows it: printable, and cut after 80 characters."""
    return printable(value if len(value) <= VALUE_CHARACTERS_MAX else value[: VALUE_CHARACTERS_MAX - 1] + "…")


def printable(text: str) -> str:
    """Text with `�` for what does not print or changes what is printed: line ends, escapes, marks of direction."""
    return "".join(character if character.isprintable() else "�" for character in text)
