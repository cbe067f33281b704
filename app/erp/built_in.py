"""The built-in stock ledger as ERP: for companies without one, and for the demo.

It keeps a table of its own, as any ERP would, and ships a transfer as soon as it is
confirmed: there is no warehouse staff to wait for. Receipts are reported by people.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel

from app.db.columns import big_integer, instant, word
from app.db.database import Database, database_now
from tools.ports import ErpTransfer, ErpTransferState, Refused, TransferContent


class BuiltInTransfer(SQLModel, table=True):
    """A transfer as the built-in ERP holds it, unique by our reference."""

    __tablename__ = "built_in_transfer"

    reference: str = Field(primary_key=True)
    sku_id: str
    origin: str
    destination: str
    mode: str
    units: int = Field(sa_column=big_integer())
    state: ErpTransferState = Field(sa_column=word(ErpTransferState))
    created_at: datetime = Field(sa_column=instant())


class BuiltInErp:
    """An `ErpPort` on our own database. It never is uncertain: its answer and its effect are one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, reference: str) -> ErpTransfer | None:
        """The transfer with our reference."""
        with self._database.transaction() as session:
            row = session.get(BuiltInTransfer, reference)
            return None if row is None else _as_transfer(row)

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        """Make the transfer, or return the one that is there. Refuses a reference with other content."""
        with self._database.transaction() as session:
            row = {
                "reference": content.reference,
                "sku_id": content.sku_id,
                "origin": content.lane.origin,
                "destination": content.lane.destination,
                "mode": content.lane.mode,
                "units": content.units,
                "state": ErpTransferState.SHIPPED,
                "created_at": database_now(session),
            }
            session.connection().execute(insert(BuiltInTransfer).values(row).on_conflict_do_nothing())
            kept = session.get(BuiltInTransfer, content.reference)
            if kept is None or (kept.sku_id, kept.origin, kept.destination, kept.mode, kept.units) != (
                content.sku_id, *content.lane, content.units
            ):  # fmt: skip
                return Refused(f"the reference {content.reference} belongs to another transfer")
            return _as_transfer(kept)


def _as_transfer(row: BuiltInTransfer) -> ErpTransfer:
    return ErpTransfer(row.reference, f"BI-{row.reference[:8]}", ErpTransferState(row.state), row.units)
