"""Column types that every table uses alike."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, LargeBinary, Text, TypeDecorator
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


def word(vocabulary: type[StrEnum], *, index: bool = False) -> Column[Any]:
    """A word of a closed vocabulary."""
    return Column(Words(vocabulary), nullable=False, index=index)


def instant(*, nullable: bool = False, index: bool = False) -> Column[Any]:
    """An instant with its zone."""
    return Column(DateTime(timezone=True), nullable=nullable, index=index)


def document(*, nullable: bool = False) -> Column[Any]:
    """A JSON document."""
    return Column(JSONB, nullable=nullable)


def octets() -> Column[Any]:
    """Bytes."""
    return Column(LargeBinary, nullable=False)


def big_integer(*, nullable: bool = False) -> Column[Any]:
    """A 64-bit integer."""
    return Column(BigInteger, nullable=nullable)
