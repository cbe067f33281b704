"""Tables of transfer orders and their receipts."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.db.columns import big_integer, instant, word
from tools.execution import OrderState
from tools.inventory import LaneKey
from tools.reconcile import Correction, DifferenceKind
from tools.saga import Action, OrderFacts, actions

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

    `decided_units` is what was decided on, where the world of then admitted less.
    `reserved` says whether units at the origin are reserved for it in the ledger;
    `events` counts what the ledger holds about it; `asked_at` is when the ERP was last
    asked to make it; `looked_at` is when every rule was last asked about it while it waited;
    `held_by` is the stop that held it, until people have validated it.
    """

    __tablename__ = "transfer_order"
    __table_args__ = (
        CheckConstraint("units between 1 and 1000000000", name="transfer_order_units"),
        CheckConstraint("origin <> destination", name="transfer_order_ends"),
        CheckConstraint(
            "received_units + damaged_units + returned_units + lost_units <= shipped_units and shipped_units <= units",
            name="transfer_order_received",
        ),
        CheckConstraint(
            "least(received_units, damaged_units, returned_units, lost_units) >= 0", name="transfer_order_not_negative"
        ),
        CheckConstraint("over_units >= 0", name="transfer_order_over"),
        CheckConstraint("held_by is null or state in ('released', 'requested')", name="transfer_order_held"),
        Index("transfer_order_under_way", "state"),
        Index("transfer_order_held_by", "held_by", postgresql_where=text("held_by is not null")),
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
    damaged_units: int = Field(default=0, sa_type=big_integer().type)
    returned_units: int = Field(default=0, sa_type=big_integer().type)
    lost_units: int = Field(default=0, sa_type=big_integer().type)
    over_units: int = Field(default=0, sa_type=big_integer().type)
    attention: str | None = None
    decided_units: int | None = Field(default=None, sa_type=big_integer().type)
    events: int = 0
    asked_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))
    looked_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))
    held_by: str | None = None

    @property
    def facts(self) -> OrderFacts:
        """The order as far as its saga looks at it."""
        return OrderFacts(
            reference=str(self.transfer_id), lane=LaneKey(self.origin, self.destination, self.mode),
            **{name: getattr(self, name) for name in _SAME},
        )  # fmt: skip

    @property
    def actions(self) -> tuple[Action, ...]:
        """What people can do about it now."""
        return actions(self.facts)

    def become(self, facts: OrderFacts) -> None:
        """Take over what a step of the saga has changed."""
        for name in _SAME:
            setattr(self, name, getattr(facts, name))


_SAME = OrderFacts.__dataclass_fields__.keys() - {"reference", "lane"}


class Receipt(SQLModel, table=True):
    """Units that a destination reported as arrived. The key is the reporter's, so a repeat changes nothing."""

    __tablename__ = "receipt"
    __table_args__ = (CheckConstraint("units between 0 and 1000000000", name="receipt_units"),)

    receipt_key: str = Field(primary_key=True)
    transfer_id: UUID = Field(index=True, foreign_key="transfer_order.transfer_id")
    units: int = Field(sa_column=big_integer())
    damaged_units: int = Field(default=0, sa_type=big_integer().type)
    is_last: bool
    received_at: datetime = Field(sa_column=instant())
    received_by: str


class ErpDifference(SQLModel, table=True):
    """Something that the ERP and our books do not agree on, and how a person settled it."""

    __tablename__ = "erp_difference"
    __table_args__ = (
        Index("erp_difference_open", "reference", "kind", unique=True, postgresql_where=text("settled_at is null")),
    )

    difference_id: UUID = Field(primary_key=True)
    reference: str
    kind: DifferenceKind = Field(sa_column=word(DifferenceKind))
    words: str
    correction: Correction = Field(sa_column=word(Correction))
    found_at: datetime = Field(sa_column=instant())
    settled_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))
    settled_by: str | None = None
    reason: str | None = None


class ErpReading(SQLModel, table=True):
    """Up to when the ERP's changes have been read."""

    __tablename__ = "erp_reading"
    __table_args__ = (CheckConstraint("row_no = 1", name="erp_reading_one_row"),)

    row_no: int = Field(default=1, primary_key=True)
    read_until: datetime = Field(sa_column=instant())
