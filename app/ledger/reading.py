"""Reads the ledger for its verifier: events in their order over all streams, with the stock moves that were booked for them.

Events lie on the disk nearly in the order of their positions. A large ledger is read
as it lies, and an event that does not lie where its neighbours do is looked up: that
takes less than half of the work of looking each of them up. Which way was taken changes no row.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import inf
from operator import itemgetter
from typing import Any

from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Connection, text

from app.ledger.walking import Booked, EventRow

BATCH = 5_000
"""Events that are read at a time."""

Batch = tuple[list[EventRow], list[Booked]]
Read = Callable[[int, int], tuple[list[PGresult], list[PGresult]]]
"""The events from one position to before another, and stock moves up to there, as the database has sent them."""

_SAMPLES = 8
_PAGES_AROUND = 4
_POSITION = itemgetter(0)

_LOOKED_UP = """
    select leaf.position, leaf.stream, leaf.seq, leaf.event_hash,
           event.key, event.type, event.body, event.prev, event.hash
    from ledger_leaf leaf left join ledger_event event using (stream, seq)
    where leaf.position >= $1 and leaf.position < $2 order by leaf.position
"""
_MOVES_LOOKED_UP = """
    select leaf.position, move.sku_id, move.from_place, move.to_place, move.units
    from ledger_leaf leaf join stock_move move using (stream, seq)
    where leaf.position >= $1 and leaf.position < $2 order by leaf.position, move.move_no
"""
_WHERE_THEY_LIE = """
    select min(event.ctid)::text, max(event.ctid)::text
    from ledger_leaf leaf cross join lateral (
      select ctid from ledger_event where stream = leaf.stream and seq = leaf.seq offset 0
    ) event where leaf.position = any($1::bigint[])
"""
_AS_THEY_LIE = """
    select leaf.position, leaf.stream, leaf.seq, leaf.event_hash,
           event.key, event.type, event.body, event.prev, event.hash
    from ledger_leaf leaf left join (
      select * from ledger_event where ctid >= $3::tid and ctid < $4::tid
    ) event using (stream, seq)
    where leaf.position >= $1 and leaf.position < $2
"""
_LYING_ELSEWHERE = """
    select leaf.position, leaf.stream, leaf.seq, leaf.event_hash,
           event.key, event.type, event.body, event.prev, event.hash
    from ledger_leaf leaf left join lateral (
      select * from ledger_event where stream = leaf.stream and seq = leaf.seq offset 0
    ) event on true
    where leaf.position = any($1::bigint[])
"""
_ALL_MOVES = """
    declare ledger_moves no scroll cursor for select leaf.position, move.sku_id, move.from_place, move.to_place, move.units
    from ledger_leaf leaf join stock_move move using (stream, seq)
    where leaf.position >= 0 order by leaf.position, move.move_no
"""


def placed(view: Connection, batch: int = BATCH, *, one_by_one: bool = False) -> Iterator[Batch]:
    """Events that have a position, in their order, so many at a time; the next ones are read meanwhile.

    With `one_by_one`, and in a ledger of no more than one batch, every event is looked up.
    """
    end: int = view.execute(text("select coalesce(max(position), -1) + 1 from ledger_leaf")).scalar_one()
    wire = _Wire(view)
    spans = [(first, min(first + batch, end)) for first in range(0, end, batch)]
    with (
        _by_looking_up(view, wire) if one_by_one or end <= batch else _as_it_lies(view, wire, batch) as read,
        ThreadPoolExecutor(1) as ahead,
    ):
        moves: list[Booked] = []
        coming = [ahead.submit(read, *span) for span in spans[:1]]
        for number, (_, last) in enumerate(spans, start=1):
            events, booked = coming.pop().result()
            coming = [ahead.submit(read, *span) for span in spans[number : number + 1]]
            rows = [row for result in events for row in wire.rows(result)]
            if missed := [row[0] for row in rows if row[6] is None]:
                # Asked for by the same thread: a connection serves one at a time.
                found = wire.rows(ahead.submit(wire.ask, _LYING_ELSEWHERE, missed).result())
                rows = [*(row for row in rows if row[6] is not None), *found]
            rows.sort(key=_POSITION)
            moves += [move for result in booked for move in wire.rows(result)]
            cut = bisect_left(moves, last, key=_POSITION)
            yield rows, moves[:cut]
            del moves[:cut]


def fetched(view: Connection, query: str) -> list[Any]:
    """Rows by the driver itself, in its binary form: hashes and bodies come as the bytes that they are."""
    wire = _Wire(view)
    return wire.rows(wire.ask(query))


class _Wire:
    """The connection below the driver's cursors. An answer is received as a whole without Python's global lock.

    Through a cursor, a thread that reads wants the lock for every few kilobytes, and gets it when the one that
    calculates is done: the two would take turns.
    """

    def __init__(self, view: Connection) -> None:
        self._driver: Any = view.connection.driver_connection

    def ask(self, query: str, *values: int | str | Sequence[int]) -> PGresult:
        """Have a statement answered."""
        texts = [
            str(value) if isinstance(value, int | str) else "{" + ",".join(map(str, value)) + "}" for value in values
        ]
        pgconn: PGconn = self._driver.pgconn
        result = pgconn.exec_params(query.encode(), [each.encode() for each in texts], result_format=Format.BINARY)
        if result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
            raise error_from_result(result)
        return result

    def rows(self, result: PGresult) -> list[Any]:
        """The rows of an answer."""
        loader = Transformer(self._driver)
        loader.set_pgresult(result, format=Format.BINARY)
        return loader.load_rows(0, result.ntuples, tuple)


@contextmanager
def _set(view: Connection, **settings: object) -> Iterator[None]:
    """How the database plans what is read here; afterwards as before."""
    view.execute(text(";".join(f"set local {name} = {value}" for name, value in settings.items())))
    yield
    view.execute(text(";".join(f"set local {name} to default" for name in settings)))


@contextmanager
def _by_looking_up(view: Connection, wire: _Wire) -> Iterator[Read]:
    def read(first: int, end: int) -> tuple[list[PGresult], list[PGresult]]:
        return [wire.ask(_LOOKED_UP, first, end)], [wire.ask(_MOVES_LOOKED_UP, first, end)]

    # A position and its event lie close together on disk; a plan that reads all events for each batch would not know.
    with _set(view, enable_hashjoin="off", enable_mergejoin="off"):
        yield read


@contextmanager
def _as_it_lies(view: Connection, wire: _Wire, batch: int) -> Iterator[Read]:
    """Stock moves come from one reading of them all: only so it is known that an event has no others elsewhere."""
    reached: float = -1

    def moves_to(end: int) -> Iterator[PGresult]:
        nonlocal reached
        while reached < end:
            result = wire.ask(f"fetch {batch} from ledger_moves")
            yield result
            last = result.get_value(result.ntuples - 1, 0) if result.ntuples else None
            reached = int.from_bytes(last) if last is not None else inf

    def read(first: int, end: int) -> tuple[list[PGresult], list[PGresult]]:
        return [_events(wire, first, end, batch)], list(moves_to(end))

    # Joined in one go through memory, whatever the statistics say; where an index is wanted, the statement leaves no choice.
    with _set(view, enable_nestloop="off", enable_mergejoin="off", cursor_tuple_fraction=1, work_mem="'32MB'"):
        wire.ask(_ALL_MOVES)
        yield read
        wire.ask("close ledger_moves")


def _events(wire: _Wire, first: int, end: int, pages_max: int) -> PGresult:
    """The events of these positions. Where they are strewn over more pages than it pays to read, they are looked up."""
    sample = [*range(first, end, max(1, (end - first) // _SAMPLES)), end - 1]
    ((lowest, highest),) = wire.rows(wire.ask(_WHERE_THEY_LIE, sample))
    if lowest is None or _page(highest) - _page(lowest) > pages_max:
        return wire.ask(_LYING_ELSEWHERE, range(first, end))
    from_page, to_page = max(0, _page(lowest) - _PAGES_AROUND), _page(highest) + _PAGES_AROUND + 1
    return wire.ask(_AS_THEY_LIE, first, end, f"({from_page},0)", f"({to_page},0)")


def _page(place: str) -> int:
    """The page in an address like (12,3)."""
    return int(place[1 : place.index(",")])
