"""Every table of the service in one metadata: what migrations are compared with."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlmodel import SQLModel

import app.approvals.tables
import app.auth.tables
import app.erp.built_in
import app.governance.tables
import app.ledger.tables
import app.orders.tables
import app.plans.tables
import app.stock.tables
import app.threads.tables


def metadata() -> MetaData:
    """The metadata with every table registered."""
    return SQLModel.metadata


__all__ = ["app", "metadata"]
