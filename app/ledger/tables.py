"""The ledger's tables. Nothing but `append` writes them; a trigger refuses every update and delete."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.db.columns import big_integer, instant, octets


class LedgerEvent(SQLModel, table=True):
    """One event of one stream. `hash` = SHA-256(0x00, previous hash, seq as 8 bytes, body)."""

    __tablename__ = "ledger_event"
    __table_args__ = (Index("ledger_event_by_time", "occurred_at", "stream", "seq"),)

    stream: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=big_integer().type)
    key: str = Field(unique=True)
    type: str = Field(index=True)
    occurred_at: datetime = Field(sa_column=instant())
    body: bytes = Field(sa_column=octets())
    prev: bytes = Field(sa_column=octets())
    hash: bytes = Field(sa_column=octets())


class LedgerHead(SQLModel, table=True):
    """Where a stream stands: the row that appenders lock."""

    __tablename__ = "ledger_head"

    stream: str = Field(primary_key=True)
    seq: int = Field(sa_column=big_integer())
    hash: bytes = Field(sa_column=octets())


class StockMoveRow(SQLModel, table=True):
    """A stock move of an event, as a row that can be summed."""

    __tablename__ = "stock_move"
    __table_args__ = (
        CheckConstraint("units between 1 and 1000000000", name="stock_move_units"),
        CheckConstraint("from_place <> to_place", name="stock_move_places"),
    )

    stream: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=big_integer().type)
    move_no: int = Field(primary_key=True)
    sku_id: str = Field(index=True)
    from_place: str
    to_place: str
    units: int = Field(sa_column=big_integer())


class Balance(SQLModel, table=True):
    """Units of a SKU at a place. Only places outside the network may be negative."""

    __tablename__ = "balance"
    __table_args__ = (CheckConstraint("units >= 0 or place like 'outside/%'", name="balance_not_negative"),)

    place: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)
    units: int = Field(sa_column=big_integer())
