"""Whoever has every right in the database can change the past, and is found out by whoever has kept a checkpoint elsewhere."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from app.db.database import Database
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify_view
from tests.builders import NOW
from tests.tampering import ENTRIES, FOUND_FROM_INSIDE, SEEN_FROM_OUTSIDE_ONLY, Book, Tampering, entries

WAYS = (*FOUND_FROM_INSIDE, *SEEN_FROM_OUTSIDE_ONLY)
TIMES = 100
WHOLE = Book.of(ENTRIES)
KEPT = WHOLE.checkpoint


def tampered(way: Tampering, seed: int) -> Book:
    return way(Book.of(ENTRIES), Random(seed))


def test_a_sound_ledger_raises_no_alarm_and_may_have_grown_since() -> None:
    assert WHOLE.problems(KEPT) == []
    for count in range(24, 40):
        grown = Book.of(entries(count))
        assert grown.problems(KEPT, grown.checkpoint) == []


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_tampering_is_found_against_a_checkpoint(way: Tampering) -> None:
    missed = [seed for seed in range(TIMES) if not tampered(way, seed).problems(KEPT)]
    assert missed == []


@pytest.mark.parametrize("way", FOUND_FROM_INSIDE, ids=lambda way: way.__name__)
def test_what_breaks_a_chain_is_found_without_one(way: Tampering) -> None:
    assert [seed for seed in range(TIMES) if not tampered(way, seed).problems()] == []


@pytest.mark.parametrize("way", SEEN_FROM_OUTSIDE_ONLY, ids=lambda way: way.__name__)
def test_a_skilful_rewrite_fits_from_inside_and_only_the_checkpoint_tells(way: Tampering) -> None:
    for seed in range(TIMES):
        book = tampered(way, seed)
        assert {problem.code for problem in book.problems(KEPT)} <= {"checkpoint", "truncated"}
        assert book.problems() == []


def test_of_several_checkpoints_the_last_that_fits_says_where_the_rewriting_began() -> None:
    kept = [Book.of(ENTRIES[:size]).checkpoint for size in (6, 12, 18)]
    known = list(ENTRIES)
    known[14] = replace(known[14], words="otherwise")
    problems = Book.of(known).problems(*kept)
    (problem,) = problems
    assert (problem.code, problem.where) == ("checkpoint", "checkpoint 18")
    assert "the last root that fits is at 12" in problem.words


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_database_is_read_as_the_rows_are_walked(empty: Database, way: Tampering) -> None:
    with empty.engine.connect() as connection:
        for seed in range(3):
            book = tampered(way, seed)
            if way.__name__ == "insert_one":  # the database itself refuses two events with one number
                continue
            book.put(connection)
            assert {problem.code for problem in verify_view(connection, [KEPT]).problems} == {
                problem.code for problem in book.problems(KEPT)
            }
            connection.rollback()
        WHOLE.put(connection)
        found = verify_view(connection, [KEPT])
        assert (found.problems, found.events, found.anchored) == ((), 24, 24)
        connection.rollback()


def test_a_time_that_was_moved_beside_the_body_is_found(empty: Database) -> None:
    """People read the time of an event in lists that are ordered by it."""
    with empty.engine.connect() as connection:
        WHOLE.put(connection)
        moved = text(
            "update ledger_event set occurred_at = occurred_at + interval '1 hour' where seq = 1 and stream = :stream"
        )
        connection.execute(moved, {"stream": ENTRIES[0].stream})
        (problem,) = verify_view(connection, [KEPT]).problems
        assert (problem.code, problem.where) == ("columns", f"{ENTRIES[0].stream}#1")
        connection.rollback()


OUTSIDE_OF_ALL_CALENDARS = (
    "infinity",
    "-infinity",
    "4713-01-01 00:00+00 BC",
    "20000-01-01 00:00+00",
    "9999-12-31 23:59+00",
)


@pytest.mark.parametrize("moved", [*OUTSIDE_OF_ALL_CALENDARS, f"{NOW:%Y-%m-%d %H:%M:%S.%f}+00 BC"])
def test_a_time_that_no_program_can_read_is_found_and_keeps_nobody_from_reading_the_rest(
    empty: Database, moved: str
) -> None:
    """A time before our era can look like the right one when it is written without saying so."""
    with empty.engine.connect() as connection:
        WHOLE.put(connection)
        change = text(
            "update ledger_event set occurred_at = cast(:moved as timestamptz) where seq = 1 and stream = :stream"
        )
        connection.execute(change, {"moved": moved, "stream": ENTRIES[0].stream})
        (problem,) = verify_view(connection, [KEPT]).problems
        assert (problem.code, problem.where) == ("columns", f"{ENTRIES[0].stream}#1")
        with Session(connection) as session:
            read = session.exec(select(LedgerEvent).order_by(col(LedgerEvent.occurred_at))).all()
            assert len(read) == len(ENTRIES)
            assert ENTRIES[0].stream in {read[0].stream, read[-1].stream}
        connection.rollback()
