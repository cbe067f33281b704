"""Ledgers as plain rows, and intruders who change them as skilfully as somebody with every right in the database can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random

from sqlalchemy import Connection, text

from app.ledger.notes import Checkpoint
from app.ledger.walking import START, Booked, EventRow, Problem, Walk, event_hash
from tests.builders import NOW
from tools.canonical import canonical_json
from tools.merkle import Frontier, leaf_hash

Move = tuple[str, str, str, int]


@dataclass(frozen=True)
class Entry:
    """What somebody recorded: before it has a number, a place or a hash."""

    stream: str
    key: str
    words: str
    moves: tuple[Move, ...] = ()

    @cached_property
    def body(self) -> bytes:
        """The canonical bytes."""
        moves = [list(move) for move in self.moves]
        document = {"actor": "ada", "facts": {"words": self.words}, "key": self.key, "moves": moves}
        return canonical_json(document | {"stream": self.stream, "type": "stock_counted", "at": NOW.isoformat()})


@dataclass
class Book:
    """Everything that a ledger stores."""

    events: list[EventRow] = field(default_factory=list)
    booked: list[Booked] = field(default_factory=list)
    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    balances: Counter[tuple[str, str]] = field(default_factory=Counter)

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Book:
        """The ledger of these entries, in which everything fits."""
        book = cls()
        for position, entry in enumerate(entries):
            seq, prev = book.heads.get(entry.stream, (0, START))
            made = event_hash(prev, seq + 1, entry.body)
            row = EventRow(position, entry.stream, seq + 1, made, entry.key, "stock_counted", entry.body, prev, made)
            book.events.append(row)
            book.heads[entry.stream] = (seq + 1, made)
            for sku, from_place, to_place, units in entry.moves:
                book.booked.append((position, sku, from_place, to_place, units))
                book.balances[from_place, sku] -= units
                book.balances[to_place, sku] += units
        return book

    @property
    def checkpoint(self) -> Checkpoint:
        """What somebody keeps outside of it."""
        tree = Frontier()
        for row in self.events:
            assert row.hash is not None
            tree.add(leaf_hash(row.hash))
        return Checkpoint(tree.size, tree.root, NOW, "0" * 64)

    def problems(self, *against: Checkpoint) -> list[Problem]:
        """What the verifier finds."""
        walk = Walk(against)
        walk.take(self.events, self.booked)
        walk.finish(self.heads, self.balances)
        return walk.problems

    def change(self, position: int, **columns: object) -> None:
        """Change the columns of one event."""
        self.events[position] = self.events[position]._replace(**columns)

    def put(self, connection: Connection) -> None:
        """Write it into a database in place of what is there. Triggers do not fire for whoever has all rights."""
        connection.execute(text("set local session_replication_role = replica"))
        for table in ("ledger_event", "ledger_leaf", "ledger_unplaced", "ledger_head", "stock_move", "balance"):
            connection.execute(text(f"delete from {table}"))
        keys = {row.rank: (row.stream, row.seq) for row in self.events}
        numbered = [(keys[rank], number, move) for number, (rank, *move) in enumerate(self.booked)]
        for statement, rows in (
            (_LEAF, [row._asdict() for row in self.events]),
            (_EVENT, [row._asdict() | {"now": NOW} for row in self.events if row.body is not None]),
            (_HEAD, [{"stream": stream, "seq": seq, "hash": last} for stream, (seq, last) in self.heads.items()]),
            (
                _MOVE,
                [{"s": s, "q": q, "n": n, "k": m[0], "f": m[1], "t": m[2], "u": m[3]} for (s, q), n, m in numbered],
            ),
            (_BALANCE, [{"p": place, "k": sku, "u": units} for (place, sku), units in self.balances.items()]),
        ):
            if rows:
                connection.execute(text(statement), rows)


_LEAF = "insert into ledger_leaf values (:rank, :stream, :seq, :event_hash)"
_EVENT = "insert into ledger_event values (:stream, :seq, :key, :type, :now, :body, :prev, :hash)"
_HEAD = "insert into ledger_head (stream, seq, hash) values (:stream, :seq, :hash)"
_MOVE = "insert into stock_move values (:s, :q, :n, :k, :f, :t, :u)"
_BALANCE = "insert into balance values (:p, :k, :u)"


def entries(count: int = 24) -> list[Entry]:
    """What happens in a network: counts with moves, and plans that are talked about."""
    made = [Entry("plan/1", "proposed", "a plan")]
    for number in range(1, count):
        if number % 4 == 0:
            made.append(Entry(f"plan/{number % 3}", f"said/{number}", f"remark {number}"))
        else:
            place = f"site/S{number % 3}/available"
            moves = tuple(
                (f"P{number % 2}", "outside/count", place, number + extra) for extra in range(1, 1 + number % 3)
            )
            made.append(Entry(f"stock/S{number % 3}/P{number % 2}", f"count/{number}", f"count {number}", moves))
    return made


def modify(book: Book, chance: Random) -> Book:
    """Change what an event says."""
    book.change(position := _any(book, chance), body=_other(book, position))
    return book


def modify_with_hash(book: Book, chance: Random) -> Book:
    """Change what an event says, with its own hash and its leaf."""
    position = chance.choice([row.rank for row in book.events if row.seq < book.heads[row.stream][0]])
    row, body = book.events[position], _other(book, position)
    made = event_hash(row.prev or b"", row.seq, body)
    book.change(position, body=body, hash=made, event_hash=made)
    return book


def delete_one(book: Book, chance: Random) -> Book:
    """Delete an event from the middle, and close up the places behind it."""
    gone = chance.choice([row.rank for row in book.events if row.seq < book.heads[row.stream][0]])
    return _placed_again(book, [row for row in book.events if row.rank != gone])


def insert_one(book: Book, chance: Random) -> Book:
    """Put an event in that nobody recorded, right behind another one and following from it."""
    position = _any(book, chance)
    row = book.events[position]
    body = Entry(row.stream, "forged", "never happened").body
    made = event_hash(row.hash or b"", row.seq + 1, body)
    forged = EventRow(-1, row.stream, row.seq + 1, made, "forged", "stock_counted", body, row.hash, made)
    return _placed_again(book, [*book.events[: position + 1], forged, *book.events[position + 1 :]])


def swap_two(book: Book, chance: Random) -> Book:
    """Let two events of a stream change places."""
    first = chance.choice([row.rank for row in book.events if row.seq < book.heads[row.stream][0]])
    row = book.events[first]
    second = next(other.rank for other in book.events if (other.stream, other.seq) == (row.stream, row.seq + 1))
    order = list(book.events)
    order[first], order[second] = order[second], order[first]
    return _placed_again(book, order)


def truncate(book: Book, chance: Random) -> Book:
    """Cut off the end of a stream, and everything that followed from it."""
    stream = chance.choice(sorted(book.heads))
    kept = chance.randint(1, book.heads[stream][0]) - 1
    return Book.of([_entry(row) for row in book.events if row.stream != stream or row.seq <= kept])


def drop_stream(book: Book, chance: Random) -> Book:
    """Remove a stream as if it had never been."""
    stream = chance.choice(sorted(book.heads))
    return Book.of([_entry(row) for row in book.events if row.stream != stream])


def rewrite(book: Book, chance: Random) -> Book:
    """Change an event and make every hash after it again."""
    position = _any(book, chance)
    known = [_entry(row) for row in book.events]
    known[position] = replace(known[position], words="as I would have liked it")
    return Book.of(known)


def delete_and_rehash(book: Book, chance: Random) -> Book:
    """Delete an event and make everything that followed again."""
    position = _any(book, chance)
    return Book.of([_entry(row) for row in book.events if row.rank != position])


def edit_balance(book: Book, chance: Random) -> Book:
    """Change what is on hand."""
    book.balances[chance.choice(sorted(book.balances))] += chance.choice([-1, 1, 1_000])
    return book


def duplicate(book: Book, chance: Random) -> Book:
    """Record an event a second time, as its own successor."""
    row = book.events[_any(book, chance)]
    seq, last = book.heads[row.stream]
    made = event_hash(last, seq + 1, row.body or b"")
    copy = row._replace(rank=len(book.events), seq=seq + 1, prev=last, hash=made, event_hash=made, key=f"{row.key}/2")
    book.events.append(copy)
    book.heads[row.stream] = (seq + 1, made)
    return book


def forge_head(book: Book, chance: Random) -> Book:
    """Let a stream's head stand elsewhere, so that the next event follows from nothing."""
    stream = chance.choice(sorted(book.heads))
    seq, last = book.heads[stream]
    book.heads[stream] = chance.choice([(seq, bytes(32)), (seq - 1, last), (seq + 1, last)])
    return book


Tampering = Callable[[Book, Random], Book]
FOUND_FROM_INSIDE: tuple[Tampering, ...] = (
    modify, modify_with_hash, delete_one, insert_one, swap_two, edit_balance, duplicate, forge_head,
)  # fmt: skip
SEEN_FROM_OUTSIDE_ONLY: tuple[Tampering, ...] = (truncate, drop_stream, rewrite, delete_and_rehash)


def _any(book: Book, chance: Random) -> int:
    return chance.randrange(len(book.events))


def _other(book: Book, position: int) -> bytes:
    return (book.events[position].body or b"").replace(b'"ada"', b'"eve"')


def _entry(row: EventRow) -> Entry:
    return BY_KEY[row.key or ""]


def _placed_again(book: Book, rows: Sequence[EventRow]) -> Book:
    """The same with positions without gaps in this order, and every stock move behind its event."""
    ranks = {row.rank: position for position, row in enumerate(rows)}
    book.booked = sorted((ranks[rank], *move) for rank, *move in book.booked if rank in ranks)  # type: ignore[misc]
    book.events = [row._replace(rank=position) for position, row in enumerate(rows)]
    return book


ENTRIES = entries()
BY_KEY = {entry.key: entry for entry in ENTRIES}
