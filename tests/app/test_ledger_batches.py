"""Many events at once: what is found is what a walk row by row finds, word for word, wherever a batch ends and events lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random

import pytest
from sqlalchemy import Connection, text

from app.db.database import Database
from app.ledger.append import EVENT_SCHEMA
from app.ledger.notes import Checkpoint
from app.ledger.reading import placed
from app.ledger.verify import verify_view
from app.ledger.walking import Booked, EventRow, Walk, event_hash
from evals.databases import Servers
from tests.builders import NOW
from tests.signals import a_database
from tests.tampering import ENTRIES, FOUND_FROM_INSIDE, SEEN_FROM_OUTSIDE_ONLY, Book, Entry, Tampering
from tools.canonical import canonical_json
from tools.merkle import Frontier, leaf_hash

WAYS = (*FOUND_FROM_INSIDE, *SEEN_FROM_OUTSIDE_ONLY)
SIZES = (1, 2, 5, 7, 24)


@dataclass(frozen=True)
class Recorded(Entry):
    """With the schema that the service writes."""

    @cached_property
    def body(self) -> bytes:
        document = {"actor": "ada", "facts": {"words": self.words}, "key": self.key, "at": NOW.isoformat()}
        moves = [list(move) for move in self.moves]
        return canonical_json(
            document | {"moves": moves, "schema": EVENT_SCHEMA, "stream": self.stream, "type": "stock_counted"}
        )


RECORDED = [Recorded(entry.stream, entry.key, entry.words, entry.moves) for entry in ENTRIES]
KEPT = tuple(Book.of(RECORDED[:size]).checkpoint for size in (3, 10, 24))


def left_behind(walk: Walk, book: Book) -> tuple[object, ...]:
    walk.finish(book.heads, book.balances)
    return walk.problems, walk.events, walk.moves, dict(walk.balances), walk.heads, walk._tree.root, walk._anchored_to


def in_batches(book: Book, size: int, against: tuple[Checkpoint, ...]) -> tuple[object, ...]:
    walk = Walk(against)
    for first in range(0, len(book.events), size):
        rows = book.events[first : first + size]
        ranks = {row.rank for row in rows}
        walk.take(rows, [move for move in book.booked if move[0] in ranks])
    return left_behind(walk, book)


def row_by_row(book: Book, against: tuple[Checkpoint, ...]) -> tuple[object, ...]:
    walk = Walk(against)
    walk._take_each(book.events, book.booked, placed=True)
    return left_behind(walk, book)


@pytest.mark.parametrize("entries", [ENTRIES, RECORDED], ids=["read", "compared as bytes"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_batches_find_what_a_walk_row_by_row_finds(way: Tampering, entries: list[Entry]) -> None:
    for seed in range(40):
        book = way(Book.of(entries), Random(seed))
        expected = row_by_row(book, KEPT)
        for size in SIZES:
            assert in_batches(book, size, KEPT) == expected


def test_a_sound_ledger_is_taken_at_once_and_leaves_the_same_behind() -> None:
    book = Book.of(RECORDED)
    assert Walk(KEPT)._take_fitting(book.events, book.booked, placed=True)
    for size in SIZES:
        assert in_batches(book, size, KEPT) == row_by_row(book, KEPT)
    assert row_by_row(book, KEPT)[0] == []


def written(moves: str = "[]", key: str = '"k"', before: str = '"actor":"a"', **columns: str) -> Book:
    """A ledger of one event whose body was written by hand, and hashed."""
    ends = f'"moves":{moves},"schema":"{EVENT_SCHEMA}","stream":"plan/1","type":"stock_counted"'
    body = f'{{{before},"key":{key},{ends}}}'.encode()
    made = event_hash(bytes(32), 1, body)
    row = EventRow(0, "plan/1", 1, made, columns.get("key_beside", "k"), "stock_counted", body, bytes(32), made)
    return Book([row], [], {"plan/1": (1, made)})


MOVED: list[Booked] = [(0, "P1", "a", "b", 3)]


@pytest.mark.parametrize(
    ("book", "codes"),
    [
        (written(), []),
        (written(before='"actor":"a'), ["body"]),  # ends as it should, and is no JSON
        (written(before='"facts":{"a":1'), ["body"]),
        (written(before='"facts":"\\'), ["body"]),
        (written(before='"actor":"\x01"'), ["body"]),
        (written(before='"actor":1},{"b":2'), ["body"]),
        (written(before='"key":"other"'), []),  # of two members of a name, the last one counts
        (written(key='"k" '), []),
        (written(key='"\\u006b"'), []),
        (written(key='"a","x":"b"', key_beside='a","x":"b'), ["columns"]),
        (written(key='"a\\\\b"', key_beside="a\\b"), []),
        (written(key='"a\\nb"', key_beside="a\\nb"), ["columns"]),
        (written(key='"K"'), ["columns"]),
        (written(key="null"), ["columns"]),
        (written('[["P1","a","b",3]]'), ["stock_move", "balance", "balance"]),
        (written('[["P1","a","b"]]'), ["body"]),
        (written("7"), ["body"]),
    ],
)
def test_a_body_is_judged_by_what_it_says_to_a_reader(book: Book, codes: list[str]) -> None:
    assert [problem.code for problem in book.problems()] == codes
    assert in_batches(book, 1, ()) == row_by_row(book, ())


@pytest.mark.parametrize("units", ["3", "3.0", "4", "true", "-3", '"3"', "3e0", "9" * 30, "NaN"])
def test_units_are_judged_alike_however_they_are_written(units: str) -> None:
    for booked in (MOVED, [], MOVED * 2, [(0, "P1", 'a","b', "b", 3)]):
        book = written(f'[["P1","a","b",{units}]]')
        book.booked = booked
        assert repr(in_batches(book, 1, ())) == repr(row_by_row(book, ()))


@pytest.mark.parametrize("column", ["event_hash", "key", "type", "body", "prev", "hash"])
def test_an_event_of_which_a_part_is_gone_is_found_alike(column: str) -> None:
    book = Book.of(RECORDED)
    book.change(10, **{column: None})
    assert row_by_row(book, KEPT)[0]
    for size in SIZES:
        assert in_batches(book, size, KEPT) == row_by_row(book, KEPT)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_database_is_read_alike_in_batches_of_any_size(empty: Database, way: Tampering) -> None:
    with empty.engine.connect() as connection:
        for seed in range(3):
            book = way(Book.of(RECORDED), Random(seed))
            if way.__name__ == "insert_one":  # the database itself refuses two events with one number
                continue
            book.put(connection)
            expected = verify_view(connection, KEPT)
            assert list(expected.problems) == book.problems(*KEPT)
            for size in (1, 4, 23):
                assert verify_view(connection, KEPT, batch=size) == expected
            connection.rollback()


@pytest.fixture
def large(servers: Servers) -> Iterator[Connection]:
    """A ledger of 1,200 events on some eighty pages, all but the last three with their positions."""
    with a_database(servers) as database, database.engine.connect() as connection:
        connection.execute(text(_FILL))
        connection.execute(text("set local session_replication_role = replica"))
        connection.execute(text(_PLACE))
        connection.execute(
            text("delete from ledger_unplaced where no in (select no from ledger_unplaced order by no limit 1197)")
        )
        yield connection
        connection.rollback()


_FILL = r"""
    select ledger_append(stream, 'k' || n, convert_to('{"actor":"' || repeat('a', 300)
      || '","at":"2026-11-26T12:00:00+00:00","facts":{},"key":"k' || n || '","moves":[' || case when n % 3 = 0 then ''
      else '["P' || n % 7 || '","outside/count","site/S1/available",' || n || ']' end
      || '],"schema":"evenkeel.event/1","stream":"' || stream || '","type":"stock_counted"}', 'UTF8'))
    from (select n, 'stock/S1/P' || n % 40 as stream from generate_series(1, 1200) n) made
"""
_PLACE = """
    insert into ledger_leaf (position, stream, seq, event_hash)
    select row_number() over (order by no) - 1, stream, seq, hash
    from ledger_unplaced join ledger_event using (stream, seq) order by no limit 1197
"""
STREWN = {
    "as they were appended": "select 1",
    "some of them elsewhere": "update ledger_event set type = type where seq % 4 = 0",
    "one of them elsewhere": "update ledger_event set type = type where key = 'k77'",
    "by their streams": "create temporary table kept on commit drop as select * from ledger_event;"
    "delete from ledger_event; insert into ledger_event select * from kept order by stream, seq",
    "with their moves elsewhere": "update stock_move set units = units where seq % 2 = 0",
}  # fmt: skip
HARM = {
    "nothing": "select 1",
    "a move booked for an event that has none": "insert into stock_move values ('stock/S1/P3', 1, 9, 'P1', 'a', 'b', 5)",
    "a move less": "delete from stock_move where stream = 'stock/S1/P8' and seq = 12",
    "an event less": "delete from ledger_event where key = 'k77'",
    "the first and the last of a batch": "delete from ledger_event where key in ('k100', 'k101', 'k150')",
    "a changed event": "update ledger_event set body = body || ' ' where key = 'k501'",
    "an event put in": "insert into ledger_event select 'x', seq, 'x', type, occurred_at, body, prev, hash from ledger_event where key = 'k9'",
    "an event twice, where nothing keeps them apart": (
        "alter table ledger_event drop constraint ledger_event_pkey cascade;"
        "insert into ledger_event select stream, seq, 'x', type, occurred_at, body, prev, hash from ledger_event where key = 'k9'"
    ),
    "a position less": "delete from ledger_leaf where position = 600",
    "a position before the first": "update ledger_leaf set position = -1 where position = 0",
    "two positions exchanged": "update ledger_leaf set position = case position when 49 then -50 else -49 end where position in (49, 50);"
    "update ledger_leaf set position = -position where position < 0",
}  # fmt: skip


def checkpoints(connection: Connection, *sizes: int) -> list[Checkpoint]:
    hashes = connection.execute(text("select event_hash from ledger_leaf order by position")).scalars().all()
    made = []
    for size in sizes:
        tree = Frontier()
        tree.extend([leaf_hash(bytes(each)) for each in hashes[:size]])
        made.append(Checkpoint(size, tree.root, NOW, "0" * 64))
    return made


@pytest.mark.parametrize("strewn", STREWN)
def test_wherever_events_lie_a_ledger_is_found_as_sound_or_harmed_as_it_is(large: Connection, strewn: str) -> None:
    kept = checkpoints(large, 333, 700, 1197)
    large.execute(text(STREWN[strewn]))
    for harm, statement in HARM.items():
        with large.begin_nested() as undone:
            large.execute(text(statement))
            whole = verify_view(large, kept)
            for size in (50, 333):
                assert verify_view(large, kept, batch=size) == whole, harm
            assert bool(whole.problems) is (harm != "nothing"), harm
            undone.rollback()


def test_reading_leaves_the_settings_of_the_connection_as_they_were(large: Connection) -> None:
    names = ("enable_hashjoin", "enable_nestloop", "enable_mergejoin", "cursor_tuple_fraction", "work_mem")
    before = [large.execute(text(f"show {name}")).scalar_one() for name in names]
    for one_by_one in (True, False):
        assert sum(len(rows) for rows, _ in placed(large, 100, one_by_one=one_by_one)) == 1197
    assert [large.execute(text(f"show {name}")).scalar_one() for name in names] == before
