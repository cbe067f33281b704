"""The ledger: appended once, chained, balanced in the same transaction, and every tampering from inside is found."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, InternalError, OperationalError
from sqlmodel import Session, select

from app.db.database import Database
from app.ledger.append import EventType, KeyTakenError, append, stock_stream
from app.ledger.tables import Balance, LedgerEvent
from app.ledger.verify import Problem, event_hash, verify
from app.service import Service
from tests.installation import approve, balances, carry_out, submitted, until
from tools.inventory import LaneKey
from tools.moves import OutsideReason, StockMove, available, count, in_transit, outside, replay, reserve, ship, void

LANE = LaneKey("S1", "S2", "van")


def put(session: Session, key: str, *moves: StockMove, stream: str = "stock/S1/P1") -> bool:
    return append(
        session, stream=stream, key=key, event_type=EventType.STOCK_COUNTED, actor="test", facts={"n": 1}, moves=moves
    ).new


def opening(units: int = 100) -> StockMove:
    move = count("P1", available("S1"), 0, units)
    assert move is not None
    return move


def test_an_event_changes_balances_in_its_own_transaction(service: Service) -> None:
    with service.database.transaction() as session:
        put(session, "open", opening())
        assert balances(session) == {(available("S1"), "P1"): 100, (outside(OutsideReason.COUNT), "P1"): -100}
    with pytest.raises(RuntimeError), service.database.transaction() as session:
        put(session, "reserve", reserve("P1", LANE, 30))
        raise RuntimeError("the rest of the work failed")
    with service.database.transaction() as session:
        assert balances(session)[available("S1"), "P1"] == 100
    assert verify(service.database).events == 1


def test_the_same_event_under_the_same_key_is_appended_once(service: Service) -> None:
    for expected in (True, False, False):
        with service.database.transaction() as session:
            assert put(session, "open", opening()) is expected
    with service.database.transaction() as session:
        assert balances(session)[available("S1"), "P1"] == 100


def test_another_event_under_a_known_key_is_refused(service: Service) -> None:
    with service.database.transaction() as session:
        put(session, "open", opening())
    with pytest.raises(KeyTakenError), service.database.transaction() as session:
        put(session, "open", opening(99))
    with pytest.raises(KeyTakenError), service.database.transaction() as session:
        put(session, "open", opening(), stream="stock/S9/P1")
    assert verify(service.database).problems == ()


def test_no_place_inside_the_network_can_be_overdrawn(service: Service) -> None:
    with service.database.transaction() as session:
        put(session, "open", opening(10))
    with pytest.raises(IntegrityError, match="balance_not_negative"), service.database.transaction() as session:
        put(session, "reserve", reserve("P1", LANE, 11))
    with service.database.transaction() as session:
        assert balances(session)[available("S1"), "P1"] == 10


def test_what_only_passes_through_a_place_in_one_event_is_not_refused(service: Service) -> None:
    with service.database.transaction() as session:
        put(session, "open", opening(10))
        put(session, "through", reserve("P1", LANE, 10), ship("P1", LANE, 10))
    with service.database.transaction() as session:
        assert {at: units for at, units in balances(session).items() if units} == {
            (in_transit(LANE), "P1"): 10, (outside(OutsideReason.COUNT), "P1"): -10,
        }  # fmt: skip
    with pytest.raises(IntegrityError, match="balance_not_negative"), service.database.transaction() as session:
        put(session, "through again", reserve("P1", LANE, 1), ship("P1", LANE, 1))


@pytest.mark.parametrize("table", ["ledger_event", "stock_move"])
@pytest.mark.parametrize("change", ["update {} set seq = seq + 1", "delete from {}", "truncate {} cascade"])
def test_the_database_itself_refuses_to_change_the_past(service: Service, table: str, change: str) -> None:
    with service.database.transaction() as session:
        put(session, "open", opening())
    with pytest.raises((IntegrityError, InternalError), match="append-only"), service.database.transaction() as session:
        session.connection().execute(text(change.format(table)))


def test_many_writers_on_one_stream_leave_an_unbroken_chain(service: Service) -> None:
    with service.database.transaction() as session:
        put(session, "open", opening(100))

    def take(number: int) -> bool:
        try:
            with service.database.transaction() as session:
                return put(session, f"take-{number}", reserve("P1", LANE, 3))
        except IntegrityError:
            return False

    with ThreadPoolExecutor(16) as pool:
        taken = sum(pool.map(take, range(60)))
    assert taken == 33
    found = verify(service.database)
    assert (found.problems, found.events) == ((_reservation(99),), 34)


def _reservation(units: int) -> Problem:
    """These tests reserve without transfer orders, which is what `verify` then has to say."""
    words = f"P1 at site/S1/reserved: reserved {units}, open transfer orders wait for 0"
    return Problem("reservation", "site/S1/reserved", words)


_ADVISORY = text("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()")
_WAITERS = text("""
    select count(*) filter (where locktype in ('transactionid', 'tuple')), count(*) filter (where locktype = 'advisory')
    from pg_locks where not granted
""")


def test_only_who_has_to_wait_for_a_stream_holds_a_lock_of_the_server_for_it(service: Service) -> None:
    """The server has room for a few thousand of them, and an import appends to a hundred thousand streams."""
    with service.database.transaction() as session:
        for number in range(20):
            put(session, f"new-{number}", stream=f"stock/S1/N{number}")
            put(session, f"again-{number}", stream=f"stock/S1/N{number}")
        assert session.connection().execute(_ADVISORY).scalar_one() == 0


def test_one_waits_at_the_head_of_a_stream_and_the_others_queue_behind_it(service: Service) -> None:
    """A commit wakes everyone who waits at a row; of a queue it wakes one."""
    with service.database.transaction() as session:
        put(session, "open", opening())

    def take(number: int) -> bool:
        with service.database.transaction() as session:
            return put(session, f"take-{number}", reserve("P1", LANE, 3))

    with ThreadPoolExecutor(5) as pool:
        with service.database.transaction() as holder:
            put(holder, "held", reserve("P1", LANE, 1))
            taken = [pool.submit(take, number) for number in range(5)]
            with service.database.engine.connect() as looking:
                until("one waits and four queue", lambda: _waiting(looking) == (1, 4), 20)
        assert all(each.result(timeout=20) for each in taken)
    assert verify(service.database).problems == (_reservation(16),)


def _waiting(looking: Connection) -> tuple[int, int]:
    """Who waits at a row, and who in a queue."""
    row, queue = looking.execute(_WAITERS).one()
    return row, queue


def test_a_connection_that_is_lost_in_an_append_is_said_and_not_used_again(service: Service) -> None:
    with pytest.raises(OperationalError) as lost, service.database.transaction() as session:
        _terminate(service.database, session)
        put(session, "open", opening())
    assert lost.value.connection_invalidated
    with service.database.transaction() as session:
        assert put(session, "open", opening())


def _terminate(database: Database, session: Session) -> None:
    """The end of a session's connection, as when the server is restarted."""
    pid = session.connection().execute(text("select pg_backend_pid()")).scalar_one()
    with database.engine.connect() as other:
        assert other.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid}).scalar_one()


def test_fifty_writers_of_one_key_append_one_event(service: Service) -> None:
    with service.database.transaction() as session:
        put(session, "open", opening())
    gate = threading.Barrier(10)

    def same(_: int) -> bool:
        gate.wait()
        with service.database.transaction() as session:
            return put(session, "once", reserve("P1", LANE, 5))

    with ThreadPoolExecutor(10) as pool:
        new = [each for _ in range(5) for each in pool.map(same, range(10))]
    assert new.count(True) == 1
    with service.database.transaction() as session:
        assert balances(session)["site/S1/reserved", "P1"] == 5


def test_python_and_the_database_compute_the_same_hash(service: Service) -> None:
    with service.database.transaction() as session:
        put(session, "a", opening(), stream=stock_stream("S1", "P1"))
        put(session, "b", reserve("P1", LANE, 1), stream=stock_stream("S1", "P1"))
        events = session.exec(select(LedgerEvent).order_by(LedgerEvent.seq)).all()
    prev = bytes(32)
    for event in events:
        assert event.prev == prev
        assert event.hash == event_hash(prev, event.seq, event.body)
        prev = event.hash


TAMPERINGS: dict[str, tuple[str, str]] = {
    "a changed event": (
        ("update ledger_event set body = convert_to(replace(convert_from(body, 'UTF8'), '\"actor\":\"ada\"',"
        " '\"actor\":\"eve\"'), 'UTF8') where type = 'plan_approved'"),
        "hash",
    ),
    "a changed event with its hash": (
        ("update ledger_event set body = convert_to(replace(convert_from(body, 'UTF8'), '\"actor\":\"ada\"',"
        " '\"actor\":\"eve\"'), 'UTF8') where type = 'transfer_reserved';"
        "update ledger_event set hash = sha256('\\x00'::bytea || prev || int8send(seq) || body)"
        " where type = 'transfer_reserved'"),
        "previous_hash",
    ),
    "an event deleted from the middle": ("delete from ledger_event where type = 'transfer_requested'", "sequence"),
    "an event inserted": (
        ("insert into ledger_event select stream, seq + 1, key || 'x', type, occurred_at, body, hash, hash"
        " from ledger_event where type = 'network_imported'"),
        "columns",
    ),
    "two events swapped": (
        ("update ledger_event set seq = -seq where stream like 'stock/S1/%' and seq in (1, 2);"
        "update ledger_event set seq = 3 + seq where stream like 'stock/S1/%' and seq < 0"),
        "previous_hash",
    ),
    "a body that is no event": ("update ledger_event set body = 'nonsense' where type = 'plan_approved'", "body"),
    "another type beside the body": ("update ledger_event set type = 'plan_rejected' where type = 'plan_approved'", "columns"),
    "a changed stock move": ("update stock_move set units = units + 1 where from_place like '%/reserved'", "stock_move"),
    "a deleted stock move": ("delete from stock_move where from_place like '%/reserved'", "stock_move"),
    "a stock move without an event": (
        "insert into stock_move values ('stock/S9/P9', 1, 1, 'P9', 'outside/count', 'site/S9/available', 5)", "stock_move"
    ),
    "a changed balance": ("update balance set units = units + 1 where place = 'site/S2/available'", "balance"),
    "a deleted balance": ("delete from balance where place = 'site/S1/available' and sku_id = 'P1'", "balance"),
    "a head set back": ("update ledger_head set seq = seq - 1 where stream like 'stock/S1/P1'", "head"),
    "a deleted head": ("delete from ledger_head where stream like 'stock/S1/P1'", "head_missing"),
    "a stream deleted except for its head": ("delete from ledger_event where stream like 'plan/%'", "head"),
    "a reservation without an order": ("delete from receipt; delete from transfer_order", "reservation"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_every_tampering_from_inside_is_found(service: Service, name: str) -> None:
    request = submitted(service)
    approve(service, request)
    if "reservation" not in name:
        carry_out(service, request)
    assert verify(service.database).verified
    statement, code = TAMPERINGS[name]
    _as_intruder(service.database, statement)
    found = verify(service.database)
    assert not found.verified
    assert code in {problem.code for problem in found.problems}
    assert all(problem.where and problem.words for problem in found.problems)


def _as_intruder(database: Database, statements: str) -> None:
    """What somebody with the database's own rights can do: triggers do not fire in this mode."""
    with database.engine.begin() as connection:
        connection.execute(text("set local session_replication_role = replica"))
        for statement in statements.split(";"):
            connection.execute(text(statement))


def test_a_sound_ledger_raises_no_false_alarm(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    carry_out(service, request)
    found = verify(service.database)
    assert found.problems == ()
    assert found.events > 10
    assert found.moves >= 10


ACTS = st.lists(
    st.tuples(st.sampled_from(["reserve", "void", "ship"]), st.integers(0, 5), st.integers(1, 40)), max_size=25
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_units_are_conserved_and_balances_are_the_replayed_moves(
    service: Service, acts: list[tuple[str, int, int]]
) -> None:
    with service.database.transaction() as session:
        before = session.exec(select(LedgerEvent)).all()
        number = len(before)
        put(session, f"open-{number}", StockMove("P1", outside(OutsideReason.COUNT), available("S1"), 100))
    for act, sku, units in acts:
        number += 1
        move = {"reserve": reserve, "void": void, "ship": ship}[act]("P1" if sku else "P2", LANE, units)
        try:
            with service.database.transaction() as session:
                put(session, f"{act}-{number}-{units}-{sku}", move)
        except IntegrityError:
            pass
    with service.database.transaction() as session:
        stored = balances(session)
        rows = session.connection().execute(text("select sku_id, from_place, to_place, units from stock_move")).all()
        totals: dict[str, int] = {}
        for row in session.exec(select(Balance)).all():
            totals[row.sku_id] = totals.get(row.sku_id, 0) + row.units
    assert replay([StockMove(*row) for row in rows]) == stored
    assert set(totals.values()) <= {0}
    assert all(units >= 0 for (place, _), units in stored.items() if not place.startswith("outside/"))
