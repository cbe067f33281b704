"""Tables of governance. The ledger holds the history; these hold what is in force."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from app.db.columns import instant


class Governance(SQLModel, table=True):
    """The one row of what is in force."""

    __tablename__ = "governance"
    __table_args__ = (CheckConstraint("row_no = 1", name="governance_one_row"),)

    row_no: int = Field(default=1, primary_key=True)
    policy_digest: str
    policy_since: datetime = Field(sa_column=instant())
    policy_by: str
    kill_switch: bool = False
    kill_switch_reason: str = ""
    kill_switch_since: datetime | None = Field(default=None, sa_column=instant(nullable=True))
    kill_switch_by: str = ""
