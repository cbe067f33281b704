"""Walks every chain, recomputes every balance and holds the order of all events against anchored roots: what an auditor runs.

From inside it finds a changed, deleted, inserted or reordered event, moves or balances
that do not follow from the events, and reservations without an order. What was cut off
at its end together with its head, or rewritten from some point on with all hashes, is
found with a checkpoint that was kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import from_json
from sqlalchemy import Connection, text

from app.db.database import Database
from app.ledger.notes import Checkpoint
from app.ledger.reading import BATCH, Batch, fetched, placed
from app.ledger.walking import Problem, Walk, event_hash

__all__ = ["Problem", "Verification", "event_hash", "verify", "verify_view"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was walked and what was found. `anchored` counts the events that a given checkpoint vouches for."""

    events: int
    streams: int
    moves: int
    anchored: int
    problems: tuple[Problem, ...]

    @property
    def verified(self) -> bool:
        """Whether everything fits."""
        return not self.problems


def verify(database: Database, against: Sequence[Checkpoint] = ()) -> Verification:
    """Verify the whole ledger as of one consistent view of the database."""
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as view:
        return verify_view(view, against)


def verify_view(view: Connection, against: Sequence[Checkpoint] = (), batch: int = BATCH) -> Verification:
    """Verify what this connection sees. `against` are checkpoints that were kept outside of the database."""
    walk = _walked(view, against, placed(view, batch))
    stored = view.execute(text("select count(*) from ledger_event")).scalar_one()
    if stored != walk.events:
        # Somebody has put rows in, and may have taken away what keeps them apart: now every position is asked for.
        walk = _walked(view, against, placed(view, batch, one_by_one=True))
    if stored != walk.events:
        strays = fetched(view, _STRAYS)
        walk.take(strays, fetched(view, _STRAY_MOVES), placed=False)
        words = "the event was put in past the ledger: it has no place in the order"
        walk.problems += [Problem("unplaced", f"{stray[1]}#{stray[2]}", words) for stray in strays]
    heads = {row.stream: (row.seq, bytes(row.hash)) for row in view.execute(_HEADS)}
    balances = {(row.place, row.sku_id): row.units for row in view.execute(_BALANCES)}
    walk.finish(heads, balances)
    problems = (*walk.problems, *_orphans(view), *_moved_times(view), *_reservations(view))
    anchored = max((checkpoint.size for checkpoint in against), default=0)
    return Verification(walk.events, len(walk.heads), walk.moves, anchored, problems)


def _walked(view: Connection, against: Sequence[Checkpoint], batches: Iterator[Batch]) -> Walk:
    walk = Walk(against)
    for rows, booked in batches:
        walk.take(rows, booked)
    walk.take(fetched(view, _UNPLACED), fetched(view, _UNPLACED_MOVES), placed=False)
    return walk


_UNPLACED = """
    select waits.no, waits.stream, waits.seq, null::bytea,
           event.key, event.type, event.body, event.prev, event.hash
    from ledger_unplaced waits left join ledger_event event using (stream, seq) order by waits.no
"""
_UNPLACED_MOVES = """
    select waits.no, move.sku_id, move.from_place, move.to_place, move.units
    from ledger_unplaced waits join stock_move move using (stream, seq) order by waits.no, move.move_no
"""
_STRAYS = """
    select row_number() over (order by event.stream, event.seq), event.stream, event.seq, null::bytea,
           event.key, event.type, event.body, event.prev, event.hash
    from ledger_event event left join ledger_leaf leaf using (stream, seq)
    left join ledger_unplaced waits using (stream, seq)
    where leaf.position is null and waits.no is null order by event.stream, event.seq
"""
_STRAY_MOVES = """
    select dense_rank() over (order by event.stream, event.seq), move.sku_id, move.from_place, move.to_place, move.units
    from ledger_event event left join ledger_leaf leaf using (stream, seq)
    left join ledger_unplaced waits using (stream, seq) join stock_move move using (stream, seq)
    where leaf.position is null and waits.no is null order by event.stream, event.seq, move.move_no
"""
_HEADS = text("select stream, seq, hash from ledger_head where seq > 0")
_BALANCES = text("select place, sku_id, units from balance")


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


# Bodies that are written as the ledger writes them are passed over by their bytes; what is left is read. A time that Python
# does not know (infinity, before our era, after the year 9999) is none that an event was recorded at.
_TIMES = text("""
    select stream, seq, at, body from (
      select stream, seq, body,
             case when occurred_at >= '0001-01-02 00:00+00' and occurred_at < '9999-12-31 00:00+00' then occurred_at end as at
      from ledger_event
    ) event
    where at is null
       or position(convert_to('"at":"' || to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
                              || '"', 'UTF8') in body) = 0
    order by stream, seq
""")


def _moved_times(view: Connection) -> Iterator[Problem]:
    """The time beside a body, by which events are listed, is the one in the body. A body that says none is found otherwise."""
    for row in view.execute(_TIMES.execution_options(yield_per=BATCH)):
        with suppress(ValueError, KeyError, TypeError):
            if datetime.fromisoformat(from_json(row.body)["at"]) != row.at:
                yield Problem("columns", f"{row.stream}#{row.seq}", "the time beside the body differs from the body")


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
