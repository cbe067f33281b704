"""What holds for the whole installation: its currency, its calendar, and the versions of its facts."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, select

from app.db.database import database_now
from app.stock.tables import Installation


def installation(session: Session, *, lock: bool = False) -> Installation:
    """The installation's row. With `lock` every other writer of facts waits until this transaction ends."""
    query = select(Installation)
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        session.add(Installation())
        session.flush()
        row = session.exec(query.with_for_update()).one()
    return row


def planning_now(session: Session) -> datetime:
    """The instant that planning takes for now: the database clock, or the pinned day of a sample network."""
    pinned = installation(session).pinned_now
    return pinned or database_now(session)


def facts_changed(session: Session, *, demand: bool = False) -> None:
    """Note that facts differ from before, so that the next snapshot is made anew."""
    row = installation(session, lock=True)
    row.facts_version += 1
    if demand:
        row.demand_version += 1
    session.add(row)
