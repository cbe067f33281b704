"""Column types that every table uses alike."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB


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
