"""Column types that every table uses alike."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    LargeBinary,
    Text,
    TypeDecorator,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB


class Words(TypeDecorator[StrEnum]):
    """A word of a closed vocabulary: text in the database, a member of the enumeration here."""

    impl = Text
    cache_ok = True

    def __init__(self, vocabulary: type[StrEnum]) -> None:
        super().__init__()
        self.vocabulary = vocabulary

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        """The word for the database. Raises ValueError for anything outside the vocabulary."""
        del dialect
        return None if value is None else self.vocabulary(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """The member for a stored word."""
        del dialect
        return None if value is None else self.vocabulary(value)


class Readable(TypeDecorator[datetime]):
    """An instant that can be read whatever somebody has put there: what Python knows no date for is its first or last day."""

    impl = DateTime
    cache_ok = True

    def column_expression(self, column: ColumnElement[datetime]) -> ColumnElement[datetime]:
        """What is selected in place of the column. It is compared and sorted as it stands."""
        return func.least(func.greatest(column, _FIRST), _LAST, type_=self)


_FIRST, _LAST = (
    literal_column(f"timestamptz '{day} 00:00+00'", DateTime(timezone=True)) for day in ("0001-01-02", "9999-12-31")
)


def word(vocabulary: type[StrEnum], *, index: bool = False) -> Column[Any]:
    """A word of a closed vocabulary."""
    return Column(Words(vocabulary), nullable=False, index=index)


def instant(*, nullable: bool = False, index: bool = False) -> Column[Any]:
    """An instant with its zone."""
    return Column(DateTime(timezone=True), nullable=nullable, index=index)


def readable_instant() -> Column[Any]:
    """An instant with its zone, of rows that have to be read even if somebody has tampered with them."""
    return Column(Readable(timezone=True), nullable=False)


def document(*, nullable: bool = False) -> Column[Any]:
    """A JSON document."""
    return Column(JSONB, nullable=nullable)


def octets() -> Column[Any]:
    """Bytes."""
    return Column(LargeBinary, nullable=False)


def big_integer(*, nullable: bool = False) -> Column[Any]:
    """A 64-bit integer."""
    return Column(BigInteger, nullable=nullable)
