"""What holds for the whole installation: its currency, its calendar, and the versions of its facts."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, select

from app.db.database import database_now
from app.stock.tables import Installation


def installation(session: Session, *, lock: bool = False) -> Installation:
    """The installation's row. With `lock` every other writer of facts waits until this transaction ends."""
    query = select(Installation)
    if lock:
        # What this session has read before may be old by the time it gets the lock.
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.exec(query).one_or_none()
    if row is None:
        # Where several are the first at once, all but one wait here and then find the row.
        session.connection().execute(
            insert(Installation).values(row_no=1, facts_version=0, demand_version=0).on_conflict_do_nothing()
        )
        row = session.exec(query).one()
    return row


def planning_now(session: Session, row: Installation | None = None) -> datetime:
    """The instant that planning takes for now, in UTC: the database clock, or the pinned day of a sample network.

    `row` is the installation's, for whoever has read it already.
    """
    pinned = (row or installation(session)).pinned_now
    return pinned.astimezone(UTC) if pinned else database_now(session)


def facts_changed(session: Session, *, demand: bool = False) -> None:
    """Note that facts differ from before, so that the next snapshot is made anew."""
    row = installation(session, lock=True)
    row.facts_version += 1
    if demand:
        row.demand_version += 1
    session.add(row)
