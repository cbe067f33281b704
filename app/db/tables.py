"""Every table of the service in one metadata: what migrations are compared with."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlmodel import SQLModel

import app.approvals.tables
import app.auth.tables
import app.erp.built_in
import app.events.tables
import app.governance.tables
import app.ledger.tables
import app.llm_usage
import app.orders.tables
import app.plans.tables
import app.stock.tables
import app.threads.tables

OTHERS = ("checkpoint", "alembic")
"""Tables of libraries in our database; their owners migrate them."""


def metadata() -> MetaData:
    """The metadata with every table registered."""
    return SQLModel.metadata


def is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _compare_to: object) -> bool:
    """Whether a part of the schema is ours to migrate, in the form that Alembic asks for."""
    return not (kind == "table" and name is not None and name.startswith(OTHERS))


__all__ = ["app", "is_ours", "metadata"]
