"""Tables of governance. The ledger holds the history; these hold what is in force."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field, SQLModel

from app.db.columns import instant
from policies.stops import Stop


class Governance(SQLModel, table=True):
    """The one row of what is in force."""

    __tablename__ = "governance"
    __table_args__ = (CheckConstraint("row_no = 1", name="governance_one_row"),)

    row_no: int = Field(default=1, primary_key=True)
    policy_digest: str
    policy_since: datetime = Field(sa_column=instant())
    policy_by: str


class StopRow(SQLModel, table=True):
    """A stop: what it holds, who engaged it and why, and who released it. One that is released stays on record."""

    __tablename__ = "stop"
    __table_args__ = (Index("stop_in_force", "engaged_at", postgresql_where=text("released_at is null")),)

    stop_id: UUID = Field(primary_key=True)
    site_id: str | None = None
    origin: str | None = None
    destination: str | None = None
    mode: str | None = None
    sku_class: str | None = None
    reason: str
    engaged_by: str
    engaged_at: datetime = Field(sa_column=instant())
    released_by: str | None = None
    released_at: datetime | None = Field(default=None, sa_column=instant(nullable=True))
    release_reason: str | None = None

    @property
    def stop(self) -> Stop:
        """What it holds."""
        return Stop(self.site_id, self.origin, self.destination, self.mode, self.sku_class, str(self.stop_id))
