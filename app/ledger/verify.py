"""Walks every chain and recomputes every balance: what an auditor runs.

Finds a changed, deleted, inserted or reordered event, moves or balances that do not
follow from the events, and reservations without an order. A stream cut off at its
end together with its head cannot be found from inside; that needs a copy of the
heads kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text

from app.db.database import Database

_START = bytes(32)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not fit, with a stable code and the place."""

    code: str
    where: str
    words: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was walked and what was found."""

    events: int
    streams: int
    moves: int
    problems: tuple[Problem, ...]

    @property
    def verified(self) -> bool:
        """Whether everything fits."""
        return not self.problems


@dataclass(slots=True)
class _Walk:
    """Totals while walking."""

    events: int = 0
    streams: int = 0
    moves: int = 0


def event_hash(prev: bytes, seq: int, body: bytes) -> bytes:
    """The hash that binds an event to its predecessor; the database computes the same."""
    return hashlib.sha256(b"\0" + prev + struct.pack(">q", seq) + body).digest()


def verify(database: Database) -> Verification:
    """Verify the whole ledger as of one consistent view of the database."""
    balances: Counter[tuple[str, str]] = Counter()
    walk = _Walk()
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as view:
        problems = list(_chains(view, balances, walk))
        problems.extend(_orphans(view))
        problems.extend(_balances(view, balances))
        problems.extend(_reservations(view))
    return Verification(walk.events, walk.streams, walk.moves, tuple(problems))


# The moves booked for an event come along with it, so that one pass compares both.
_EVENTS = text("""
    select e.stream, e.seq, e.key, e.type, e.body, e.prev, e.hash,
           (select jsonb_agg(jsonb_build_array(m.sku_id, m.from_place, m.to_place, m.units) order by m.move_no)
            from stock_move m where m.stream = e.stream and m.seq = e.seq) as booked
    from ledger_event e order by e.stream, e.seq
""")


def _chains(view: Connection, balances: Counter[tuple[str, str]], walk: _Walk) -> Iterator[Problem]:
    """Every stream from its first event to its head."""
    heads = {row.stream: row for row in view.execute(text("select stream, seq, hash from ledger_head"))}
    rows = view.execution_options(stream_results=True, max_row_buffer=2000).execute(_EVENTS)
    stream, seq, prev = "", 0, _START
    for row in rows:
        walk.events += 1
        if row.stream != stream:
            yield from _at_head(heads.pop(stream, None), stream, seq, prev)
            stream, seq, prev = row.stream, 0, _START
            walk.streams += 1
        if row.seq != seq + 1:
            yield Problem("sequence", f"{stream}#{row.seq}", f"event {seq + 1} is missing or out of place")
        if row.prev != prev:
            yield Problem("previous_hash", f"{stream}#{row.seq}", "the event does not follow from the one before it")
        if row.hash != event_hash(row.prev, row.seq, row.body):
            yield Problem("hash", f"{stream}#{row.seq}", "the event's content is not what was recorded")
        yield from _body(row, balances, walk)
        seq, prev = row.seq, row.hash
    yield from _at_head(heads.pop(stream, None), stream, seq, prev)
    for emptied, head in sorted(heads.items()):
        yield from _at_head(head, emptied, 0, _START)


def _at_head(head: Row[Any] | None, stream: str, seq: int, last: bytes) -> Iterator[Problem]:
    if not stream:
        return
    if head is None:
        yield Problem("head_missing", stream, "the stream has events and no head")
    elif (head.seq, head.hash) != (seq, last):
        yield Problem("head", stream, f"the head stands at event {head.seq}, the last event is {seq}")


def _body(row: Row[Any], balances: Counter[tuple[str, str]], walk: _Walk) -> Iterator[Problem]:
    """The columns beside the body say what the body says, and its moves are the ones that were booked."""
    where = f"{row.stream}#{row.seq}"
    try:
        body = json.loads(row.body)
        stated = (body["stream"], body["key"], body["type"])
        moves = [[sku, place_from, place_to, int(units)] for sku, place_from, place_to, units in body["moves"]]
    except (ValueError, KeyError, TypeError):
        yield Problem("body", where, "the body is not an event")
        return
    if stated != (row.stream, row.key, row.type):
        yield Problem("columns", where, "stream, key or type beside the body differ from the body")
    if moves != (row.booked or []):
        yield Problem("stock_move", where, "the stock moves booked are not those of the event")
    for sku, place_from, place_to, units in moves:
        walk.moves += 1
        balances[place_from, sku] -= units
        balances[place_to, sku] += units


def _orphans(view: Connection) -> Iterator[Problem]:
    """No stock move stands without its event."""
    rows = view.execute(
        text("""
        select distinct m.stream, m.seq from stock_move m
        where not exists (select 1 from ledger_event e where e.stream = m.stream and e.seq = m.seq)
        order by 1, 2 limit 100
        """)
    )
    for row in rows:
        yield Problem("stock_move", f"{row.stream}#{row.seq}", "a stock move is booked without an event")


def _balances(view: Connection, expected: Counter[tuple[str, str]]) -> Iterator[Problem]:
    """Every balance is the sum of its moves, and every SKU sums to zero over all places."""
    stored = {
        (row.place, row.sku_id): row.units for row in view.execute(text("select place, sku_id, units from balance"))
    }
    for key in sorted(stored.keys() | {key for key, units in expected.items() if units}):
        if stored.get(key, 0) != expected[key]:
            place, sku = key
            words = f"{sku} at {place}: stored {stored.get(key, 0):,}, recomputed {expected[key]:,}"
            yield Problem("balance", place, words)


def _reservations(view: Connection) -> Iterator[Problem]:
    """What is reserved at a site is what its open transfer orders wait for, no more and no less."""
    differing = view.execute(
        text("""
        with waiting as (
          select 'site/' || origin || '/reserved' as place, sku_id, sum(units) as units
          from transfer_order where reserved group by 1, 2
        ), held as (select place, sku_id, units from balance where place like 'site/%/reserved' and units <> 0)
        select coalesce(w.place, h.place) as place, coalesce(w.sku_id, h.sku_id) as sku_id,
               coalesce(w.units, 0) as waiting, coalesce(h.units, 0) as held
        from waiting w full join held h on w.place = h.place and w.sku_id = h.sku_id
        where coalesce(w.units, 0) <> coalesce(h.units, 0) order by 1, 2
        """)
    )
    for row in differing:
        words = f"{row.sku_id} at {row.place}: reserved {row.held:,}, open transfer orders wait for {row.waiting:,}"
        yield Problem("reservation", row.place, words)
