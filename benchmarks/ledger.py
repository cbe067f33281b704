"""The ledger's price: reserving and posting against a bare conditional UPDATE and against the same without chains; verifying."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from sqlalchemy import text
from sqlmodel import Session, select

import app.db
from app.db.database import Database, database_now, driver_row
from app.ledger.append import APPEND, EventType, append
from app.ledger.notes import Checkpoint
from app.ledger.tables import Balance, LedgerEvent, LedgerHead, StockMoveRow, UnplacedRow
from app.ledger.tree import grow, place, root_at
from app.ledger.verify import event_hash, verify
from benchmarks.table import print_table
from evals.databases import embedded_servers
from tools.canonical import canonical_json
from tools.inventory import LaneKey
from tools.moves import StockMove, available, count, reserve, ship

WRITERS = 8
EVENTS = 1_600
ROUNDS = 3
VERIFIED = 100_000
LANE = LaneKey("S1", "S2", "van")

Append = Callable[[Session, str, str, StockMove], None]


def by_function(session: Session, stream: str, key: str, move: StockMove) -> None:
    """What the service does."""
    append(session, stream=stream, key=key, event_type=EventType.TRANSFER_RESERVED, actor="bench", moves=[move])


_UPDATE = text("update balance set units = units - :units where place = :place and sku_id = :sku and units >= :units")


def by_update(session: Session, stream: str, key: str, move: StockMove) -> None:
    """Nothing but a conditional UPDATE of one balance: no event, no second end, no chain."""
    del stream, key
    values = {"units": move.units, "place": move.from_place, "sku": move.sku_id}
    if session.connection().execute(_UPDATE, values).rowcount != 1:
        raise AssertionError("there are units enough in a benchmark")


_UNCHAINED = APPEND.replace("ledger_append", "unchained_append")


def without_chain(session: Session, stream: str, key: str, move: StockMove) -> None:
    """The same event by the same function, without hashes and without a place in the order over all streams."""
    facts: dict[str, object] = {
        "schema": "evenkeel.event/1",
        "stream": stream,
        "key": key,
        "facts": {},
        "actor": "bench",
    }
    facts |= {"type": EventType.TRANSFER_RESERVED.value, "at": ""}
    moves = [[move.sku_id, move.from_place, move.to_place, move.units]]
    before, at, after = canonical_json(facts | {"moves": moves}).partition(b',"at":"')
    driver_row(session, _UNCHAINED, (stream, key, before + at, after))


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
    session.add(UnplacedRow(stream=stream, seq=head.seq))
    session.flush()
    session.add(
        StockMoveRow(
            stream=stream, seq=head.seq, move_no=1, sku_id=move.sku_id, from_place=move.from_place,
            to_place=move.to_place, units=move.units,
        )
    )  # fmt: skip
    for at, units in sorted(((move.from_place, -move.units), (move.to_place, move.units))):
        row = session.get(Balance, (at, move.sku_id), with_for_update=True)
        if row is None:
            row = Balance(place=at, sku_id=move.sku_id, units=0)
        row.units += units
        session.add(row)


OURS = "one SQL function (ours)"
WAYS: dict[str, Append] = {
    "bare conditional UPDATE": by_update, OURS: by_function, "ours without chains": without_chain, "ORM session": by_orm,
}  # fmt: skip


def run() -> None:
    """Appends a second, on one stream and on many; events verified a second."""
    rows = []
    with embedded_servers(durable=True) as servers:  # as it is used: a commit is on the disk
        for title, streams in (("one hot stream", 1), ("200 streams", 200)):
            rates: dict[str, list[float]] = {name: [] for name in WAYS}
            for _ in range(ROUNDS):  # in turns, so that what else the machine does falls on all of them
                for name, way in WAYS.items():
                    with servers.fresh_database() as url:
                        rates[name].append(_rate(Database(url), way, streams, checked=way in (by_function, by_orm)))
            bare = median(rates["bare conditional UPDATE"])
            rows += [
                (f"{title}, {name}", f"{median(each):,.0f}", f"{median(each) / bare:.2f}")
                for name, each in rates.items()
            ]
        print_table(
            f"Reserving and posting, {WRITERS} writers, {EVENTS:,} transactions, median of {ROUNDS}",
            ("", "transactions/s", "of a bare UPDATE"), rows,
        )  # fmt: skip
        with servers.fresh_database() as url:
            _verified(Database(url))


def _rate(database: Database, way: Append, streams: int, *, checked: bool) -> float:
    with database.transaction() as session:
        session.connection().execute(text(_unchained()))
        for number in range(streams):
            opening = count(f"P{number}", available("S1"), 0, 1_000_000)
            if opening is None:
                raise ValueError("a count that differs is a move")
            append(
                session, stream=f"stock/S1/P{number}", key=f"open/{number}", event_type=EventType.STOCK_COUNTED,
                actor="bench", moves=[opening, reserve(f"P{number}", LANE, EVENTS), ship(f"P{number}", LANE, 1)],
            )  # fmt: skip

    def one(number: int) -> None:
        sku = f"P{number % streams}"
        move = (reserve, ship)[number // streams % 2](sku, LANE, 1)
        with database.transaction() as session:
            way(session, f"stock/S1/{sku}", f"bench/{number}", move)

    started = time.perf_counter()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(one, range(EVENTS)))
    rate = EVENTS / (time.perf_counter() - started)
    codes = {problem.code for problem in verify(database).problems} - {"reservation"}  # there are no orders here
    database.close()
    if codes and checked:
        raise AssertionError(f"the ledger does not fit after the benchmark: {codes}")
    return rate


def _unchained() -> str:
    """The service's own function without what makes a chain of events."""
    source = (Path(app.db.__file__).parent / "migrations/0014_ledger.sql").read_text(encoding="utf-8")
    function = source[source.index("create or replace function") :]
    for old, new in (
        ("function ledger_append", "function unchained_append"),
        ("sha256('\\x00'::bytea || event_hash || int8send(event_seq + 1) || _body)", "event_hash"),
        ("insert into ledger_unplaced (stream, seq) values (_stream, event_seq);", ""),
    ):
        if function.count(old) != 1:
            raise AssertionError(f"the function has changed: {old}")
        function = function.replace(old, new)
    return function.replace(":", r"\:")


_FILL = text(r"""
    select ledger_append(stream, key, convert_to(
      '{"actor":"bench","at":"2026-11-26T12:00:00.123456+00:00","facts":{"plan":"' || repeat('0', 64)
      || '","transfer_id":"5f1c1f0e-3f3a-4f0e-9f39-7d3b1f0a9a11"},"key":"' || key || '","moves":[["P' || n % 2000
      || '","outside/count","site/S1/available",3]],"schema":"evenkeel.event/1","stream":"' || stream
      || '","type":"stock_counted"}', 'UTF8'))
    from (select n, 'stock/S1/P' || n % 2000 as stream, 'bench/' || n as key from generate_series(1, :events) n) made
""")


def _verified(database: Database) -> None:
    """How fast a ledger of many events is placed, anchored and verified against its checkpoint."""
    with database.transaction() as session:
        session.connection().execute(_FILL, {"events": VERIFIED})
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))
    rows, started = [], time.perf_counter()
    with database.transaction() as session:
        size = place(session)
        rows.append(("given their place in the order", f"{size / (time.perf_counter() - started):,.0f}"))
        now = database_now(session)
    with database.transaction() as session:
        grow(session, size)
        checkpoint = Checkpoint(size, root_at(session, size), now, "0" * 64)
    for _ in range(ROUNDS):
        started = time.perf_counter()
        found = verify(database, [checkpoint])
        rows.append(("verified against a checkpoint", f"{found.events / (time.perf_counter() - started):,.0f}"))
        if found.problems:
            raise AssertionError(f"a sound ledger has problems: {found.problems[:3]}")
    database.close()
    print_table(f"A ledger of {VERIFIED:,} events", ("", "events/s"), rows)
