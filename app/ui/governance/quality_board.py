"""The signals that facts come from: their verdicts, how fresh each source is, and what is kept out of plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, func, select

from app.stock.tables import DataHoldRow, SignalRow

VERDICTS = ("accepted", "warned", "quarantined")
PAGE_ROWS = 100
FINDINGS_SHOWN = 10
HOLDS_SHOWN = 200
SOURCES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Sought:
    """What the list of signals is cut to."""

    verdict: str = ""
    source: str = ""
    kind: str = ""
    page: int = 1

    def query(self, **changed: object) -> str:
        """The part of an address that asks for this, with some of it changed."""
        values = {name: changed.get(name, getattr(self, name)) for name in ("verdict", "source", "kind", "page")}
        return urlencode({name: value for name, value in values.items() if value not in ("", 1)})


@dataclass(frozen=True, slots=True)
class Source:
    """A source of one kind of signals. `age_hours`: since what its last signal speaks of. `is_stale`: older than policy admits."""

    source: str
    kind: str
    stated_at: datetime
    received_at: datetime
    signals: int
    quarantined: int
    warned: int
    age_hours: float
    is_stale: bool


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal with what was found against it."""

    source: str
    signal_id: str
    kind: str
    verdict: str
    stated_at: datetime
    received_at: datetime
    reasons: tuple[str, ...]
    findings: int


def sources(session: Session, now: datetime, stale_after_hours: int) -> list[Source]:
    """Every source by kind, the stalest first."""
    verdict = col(SignalRow.verdict)
    query = sa_select(
        col(SignalRow.source), col(SignalRow.kind), func.max(SignalRow.stated_at), func.max(SignalRow.received_at),
        func.count(), func.count().filter(verdict == "quarantined"), func.count().filter(verdict == "warned"),
    ).group_by(col(SignalRow.source), col(SignalRow.kind))  # fmt: skip
    found = []
    for source, kind, stated_at, received_at, count, quarantined, warned in session.connection().execute(query).all():
        age_hours = (now - stated_at).total_seconds() / 3600
        found.append(
            Source(
                source, kind_words(kind), stated_at, received_at, count, quarantined, warned, age_hours,
                "stock" in kind and age_hours > stale_after_hours,
            )
        )  # fmt: skip
    return sorted(found, key=lambda each: (not each.is_stale, each.stated_at, each.source))[:SOURCES_SHOWN]


def by_verdict(rows: Sequence[Source]) -> dict[str, int]:
    """How many signals got each verdict."""
    quarantined, warned = sum(row.quarantined for row in rows), sum(row.warned for row in rows)
    whole = sum(row.signals for row in rows)
    return {"accepted": whole - quarantined - warned, "warned": warned, "quarantined": quarantined}


def signals(session: Session, sought: Sought, rows_max: int = PAGE_ROWS) -> tuple[list[Signal], bool]:
    """A page of signals, the newest first, and whether there are more."""
    names = ("source", "signal_id", "kind", "verdict", "stated_at", "received_at", "findings")  # and not what it said
    query = (
        sa_select(*(col(getattr(SignalRow, name)) for name in names))
        .where(*_filters(sought))
        .order_by(col(SignalRow.received_at).desc(), col(SignalRow.source), col(SignalRow.signal_id))
    )
    page = query.offset((sought.page - 1) * rows_max).limit(rows_max + 1)
    rows = session.connection().execute(page).all()
    return [_signal(*row) for row in rows[:rows_max]], len(rows) > rows_max


def holds(session: Session, rows_max: int = HOLDS_SHOWN) -> tuple[list[DataHoldRow], int]:
    """What is not planned on because of what was found, by site and SKU, and how many there are."""
    query = select(DataHoldRow).order_by(DataHoldRow.site_id, DataHoldRow.sku_id, DataHoldRow.kind)
    whole = session.exec(select(func.count()).select_from(DataHoldRow)).one()
    return list(session.exec(query.limit(rows_max)).all()), whole


def kind_words(kind: str) -> str:
    """`evenkeel.stock.v1` is `stock`."""
    parts = [part for part in kind.split(".") if part != "evenkeel" and not (part[:1] == "v" and part[1:].isdigit())]
    return " ".join(parts).replace("_", " ") or kind


def _filters(sought: Sought) -> list[ColumnElement[bool]]:
    pairs = ((SignalRow.verdict, sought.verdict), (SignalRow.source, sought.source), (SignalRow.kind, sought.kind))
    return [col(column) == wanted for column, wanted in pairs if wanted]


def _signal(
    source: str, signal_id: str, kind: str, verdict: str, stated_at: datetime, received_at: datetime,
    findings: list[dict[str, Any]],
) -> Signal:  # fmt: skip
    worst = sorted(findings, key=lambda each: each.get("verdict") != "quarantined")
    reasons = tuple(str(each.get("reason", "")) for each in worst[:FINDINGS_SHOWN])
    return Signal(source, signal_id, kind_words(kind), verdict, stated_at, received_at, reasons, len(findings))
