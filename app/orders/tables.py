"""Tables of transfer orders and their receipts."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.db.columns import big_integer, instant, word
from tools.execution import OrderState

UNDER_WAY: tuple[OrderState, ...] = (
    OrderState.RELEASED,
    OrderState.REQUESTED,
    OrderState.CONFIRMED,
    OrderState.SHIPPED,
    OrderState.PARTIALLY_RECEIVED,
    OrderState.COMPENSATING,
    OrderState.NEEDS_ATTENTION,
)
"""States in which the destination may still count on units to come."""

CAME_TO_NOTHING: tuple[OrderState, ...] = (OrderState.CANCELLED, OrderState.REFUSED)
"""States of orders that moved nothing."""


class TransferOrder(SQLModel, table=True):
    """One line of an approved plan, with the permanent id that the ERP knows it by.

    `reserved` says whether units at the origin are reserved for it in the ledger.
    """

    __tablename__ = "transfer_order"
    __table_args__ = (
        CheckConstraint("units between 1 and 1000000000", name="transfer_order_units"),
        CheckConstraint("origin <> destination", name="transfer_order_ends"),
        CheckConstraint("received_units + lost_units <= units", name="transfer_order_received"),
        CheckConstraint("received_units >= 0 and lost_units >= 0", name="transfer_order_not_negative"),
        Index("transfer_order_under_way", "state"),
    )

    transfer_id: UUID = Field(primary_key=True)
    approval_id: UUID = Field(index=True)
    plan_digest: str = Field(index=True)
    line_no: int
    sku_id: str
    origin: str
    destination: str
    mode: str
    units: int = Field(sa_column=big_integer())
    planned_on: date
    depart_on: date
    arrive_on: date
    state: OrderState = Field(sa_column=word(OrderState))
    state_at: datetime = Field(sa_column=instant())
    reserved: bool
    erp_id: str | None = None
    shipped_units: int = Field(default=0, sa_type=big_integer().type)
    received_units: int = Field(default=0, sa_type=big_integer().type)
    lost_units: int = Field(default=0, sa_type=big_integer().type)
    attention: str | None = None


class Receipt(SQLModel, table=True):
    """Units that a destination reported as arrived. The key is the reporter's, so a repeat changes nothing."""

    __tablename__ = "receipt"
    __table_args__ = (CheckConstraint("units between 0 and 1000000000", name="receipt_units"),)

    receipt_key: str = Field(primary_key=True)
    transfer_id: UUID = Field(index=True, foreign_key="transfer_order.transfer_id")
    units: int = Field(sa_column=big_integer())
    is_last: bool
    received_at: datetime = Field(sa_column=instant())
    received_by: str
