"""The ledger's tables. Events are written by `append` alone; a trigger refuses every update and delete of them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.db.columns import big_integer, instant, octets, readable_instant


class LedgerEvent(SQLModel, table=True):
    """One event of one stream. `hash` = SHA-256(0x00, previous hash, seq as 8 bytes, body)."""

    __tablename__ = "ledger_event"
    __table_args__ = (Index("ledger_event_by_time", "occurred_at", "stream", "seq"),)

    stream: str = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=big_integer().type)
    key: str = Field(unique=True)
    type: str = Field(index=True)
    occurred_at: datetime = Field(sa_column=readable_instant())
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


class UnplacedRow(SQLModel, table=True):
    """An event that has no position yet in the order over all streams. `no` follows the sequence within each stream."""

    __tablename__ = "ledger_unplaced"

    no: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    stream: str
    seq: int = Field(sa_column=big_integer())


class LeafRow(SQLModel, table=True):
    """A place in the order over all streams, from 0 and without gaps: a leaf of the Merkle tree."""

    __tablename__ = "ledger_leaf"
    __table_args__ = (UniqueConstraint("stream", "seq"),)

    position: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    stream: str
    seq: int = Field(sa_column=big_integer())
    event_hash: bytes = Field(sa_column=octets())


class NodeRow(SQLModel, table=True):
    """The root of a complete subtree, kept for every eighth level so that proofs need few leaves."""

    __tablename__ = "ledger_node"

    level: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    index: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    hash: bytes = Field(sa_column=octets())


class CheckpointRow(SQLModel, table=True):
    """A signed root over the first `size` events. What counts is its copy outside of this database."""

    __tablename__ = "ledger_checkpoint"

    size: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    root: bytes = Field(sa_column=octets())
    made_at: datetime = Field(sa_column=instant())
    note: str


class SealingKey(SQLModel, table=True):
    """The key of what is sealed about a subject, wrapped by the master key. Destroyed, it leaves its date."""

    __tablename__ = "sealing_key"

    subject: str = Field(primary_key=True)
    wrapped: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    made_at: datetime = Field(sa_column=instant())
    destroyed_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))
