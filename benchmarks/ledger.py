"""Appending to the ledger by one SQL function, against the same work through an ORM session."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlmodel import Session, select

from app.db.database import Database, database_now
from app.ledger.append import EventType, append
from app.ledger.tables import Balance, LedgerEvent, LedgerHead, StockMoveRow
from app.ledger.verify import event_hash, verify
from benchmarks.table import print_table
from evals.databases import embedded_servers
from tools.canonical import canonical_json
from tools.inventory import LaneKey
from tools.moves import StockMove, available, count, reserve

WRITERS = 8
EVENTS = 1_600
LANE = LaneKey("S1", "S2", "van")

Append = Callable[[Session, str, str, StockMove], None]


def by_function(session: Session, stream: str, key: str, move: StockMove) -> None:
    """What the service does."""
    append(session, stream=stream, key=key, event_type=EventType.TRANSFER_RESERVED, actor="bench", moves=[move])


def by_orm(session: Session, stream: str, key: str, move: StockMove) -> None:
    """The same event, move and balances, read and written row by row."""
    head = session.exec(select(LedgerHead).where(LedgerHead.stream == stream).with_for_update()).one()
    head.seq += 1
    now = database_now(session)
    moves = [[move.sku_id, move.from_place, move.to_place, move.units]]
    kind = EventType.TRANSFER_RESERVED.value
    body = canonical_json({"at": now.isoformat(), "key": key, "stream": stream, "type": kind, "moves": moves})
    prev, head.hash = head.hash, event_hash(head.hash, head.seq, body)
    session.add(
        LedgerEvent(
            stream=stream, seq=head.seq, key=key, type=kind, occurred_at=now, body=body, prev=prev, hash=head.hash
        )
    )
    session.flush()
    session.add(
        StockMoveRow(
            stream=stream, seq=head.seq, move_no=1, sku_id=move.sku_id, from_place=move.from_place,
            to_place=move.to_place, units=move.units,
        )
    )  # fmt: skip
    for place, units in sorted(((move.from_place, -move.units), (move.to_place, move.units))):
        row = session.get(Balance, (place, move.sku_id), with_for_update=True)
        if row is None:
            row = Balance(place=place, sku_id=move.sku_id, units=0)
        row.units += units
        session.add(row)


def run() -> None:
    """Appends a second, on one stream and on many."""
    rows = []
    with embedded_servers() as servers:
        for title, streams in (("one hot stream", 1), ("200 streams", 200)):
            rates = {}
            for name, way in (("one SQL function (ours)", by_function), ("ORM session", by_orm)):
                with servers.fresh_database() as url:
                    rates[name] = _rate(Database(url), way, streams)
            ours = rates["one SQL function (ours)"]
            rows += [(f"{title}, {name}", f"{rate:,.0f}", f"{rate / ours:.2f}") for name, rate in rates.items()]
    print_table(f"Ledger, {WRITERS} writers, {EVENTS:,} events", ("", "events/s", "of ours"), rows)


def _rate(database: Database, way: Append, streams: int) -> float:
    with database.transaction() as session:
        for number in range(streams):
            opening = count(f"P{number}", available("S1"), 0, 1_000_000)
            if opening is None:
                raise ValueError("a count that differs is a move")
            append(
                session, stream=f"stock/S1/P{number}", key=f"open/{number}", event_type=EventType.STOCK_COUNTED,
                actor="bench", moves=[opening, reserve(f"P{number}", LANE, 1)],
            )  # fmt: skip

    def one(number: int) -> None:
        sku = f"P{number % streams}"
        with database.transaction() as session:
            way(session, f"stock/S1/{sku}", f"bench/{number}", reserve(sku, LANE, 1))

    started = time.perf_counter()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(one, range(EVENTS)))
    rate = EVENTS / (time.perf_counter() - started)
    codes = {problem.code for problem in verify(database).problems} - {"reservation"}  # there are no orders here
    database.close()
    if codes:
        raise AssertionError(f"the ledger does not fit after the benchmark: {codes}")
    return rate
