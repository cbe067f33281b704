"""Which events of the ledger the explorer shows: filtered, the newest first, a page at a time by position."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, LargeBinary, literal
from sqlmodel import Session, col, select

from app.ledger.tables import LeafRow, LedgerEvent
from app.ui.governance.audit_words import KINDS, Told, told

PAGE_ROWS = 50
_LIKE, _ESCAPED = re.compile(r"([%_\\])"), r"\\\1"
"""What means something to LIKE, and how it is meant as itself."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody looks for. `before`: events at lower positions only."""

    about: str = ""
    event: str = ""
    stream: str = ""
    actor: str = ""
    first: date | None = None
    last: date | None = None
    before: int | None = None

    def query(self, **changed: object) -> str:
        """The part of an address that asks for this, with some of it changed."""
        names = ("about", "event", "stream", "actor", "first", "last", "before")
        values = {name: changed.get(name, getattr(self, name)) for name in names}
        return urlencode({name: value for name, value in values.items() if value not in (None, "")})


@dataclass(frozen=True, slots=True)
class Found:
    """Events of one page, and the position before which the next page begins; None on the last one."""

    events: list[Told]
    older: int | None


def events(session: Session, asked: Asked, rows_max: int = PAGE_ROWS) -> Found:
    """A page. The newest events, which have no position yet, come first on the first page."""
    where = _filters(asked)
    fresh = [] if asked.before is not None else _fresh(session, where, rows_max)
    query = (
        select(LedgerEvent, LeafRow.position)
        .join(LeafRow, (col(LeafRow.stream) == LedgerEvent.stream) & (col(LeafRow.seq) == LedgerEvent.seq))
        .where(*where)
        .order_by(col(LeafRow.position).desc())
    )
    if asked.before is not None:
        query = query.where(LeafRow.position < asked.before)
    rows = session.exec(query.limit(rows_max + 1)).all()
    shown = [*fresh, *(told(session, event, position) for event, position in rows[:rows_max])]
    return Found(shown, rows[rows_max - 1][1] if len(rows) > rows_max else None)


def _fresh(session: Session, where: list[ColumnElement[bool]], rows_max: int) -> list[Told]:
    """Events that were recorded a moment ago."""
    query = (
        select(LedgerEvent)
        .outerjoin(LeafRow, (col(LeafRow.stream) == LedgerEvent.stream) & (col(LeafRow.seq) == LedgerEvent.seq))
        .where(col(LeafRow.position).is_(None), *where)
        .order_by(col(LedgerEvent.occurred_at).desc(), LedgerEvent.stream, col(LedgerEvent.seq).desc())
    )
    return [told(session, event, None) for event in session.exec(query.limit(rows_max)).all()]


def _filters(asked: Asked) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if asked.about:
        found.append(col(LedgerEvent.type).in_(KINDS[asked.about]))
    if asked.event:
        found.append(col(LedgerEvent.type) == asked.event)
    if asked.stream:
        found.append(col(LedgerEvent.stream).startswith(asked.stream, autoescape=True))
    if asked.actor:  # the body is canonical JSON, so whoever acted stands in it in one way only
        said = f'"actor":{json.dumps(asked.actor, ensure_ascii=False)}'
        pattern = f"%{_LIKE.sub(_ESCAPED, said)}%".encode()
        found.append(col(LedgerEvent.body).op("like", is_comparison=True)(literal(pattern, LargeBinary)))
    if asked.first is not None:
        found.append(col(LedgerEvent.occurred_at) >= _midnight(asked.first))
    if asked.last is not None:
        found.append(col(LedgerEvent.occurred_at) < _midnight(asked.last + timedelta(days=1)))
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
