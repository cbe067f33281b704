"""The built-in stock ledger as ERP: for companies without one, and for the demo.

It keeps a table of its own, as any ERP would, and ships a transfer as soon as it is
confirmed: there is no warehouse staff to wait for. Receipts are reported by people.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel, col, select

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

    def cancel(self, reference: str) -> ErpTransfer | Refused:
        """Refuse, because its goods leave as soon as a transfer is made; one that is cancelled stays so."""
        found = self.find(reference)
        if found is not None and found.state is ErpTransferState.CANCELLED:
            return found
        return Refused(f"there is no transfer {reference}" if found is None else f"the goods of {reference} have left")

    def list_transfers(self, since: datetime) -> Sequence[ErpTransfer]:
        """Transfers that were made since then. Nothing here changes them later."""
        query = select(BuiltInTransfer).where(BuiltInTransfer.created_at >= since)
        with self._database.transaction() as session:
            rows = session.exec(query.order_by(col(BuiltInTransfer.reference))).all()
            return [_as_transfer(row) for row in rows]


def _as_transfer(row: BuiltInTransfer) -> ErpTransfer:
    """What it says. People report receipts to us directly, so it knows of none."""
    return ErpTransfer(
        row.reference, f"BI-{row.reference[:8]}", ErpTransferState(row.state), row.units,
        sku_id=row.sku_id, origin=row.origin, destination=row.destination,
    )  # fmt: skip
