"""What somebody sends amiss, or receives slowly, stops nobody else: neither an entry, nor a webhook, nor a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis
from sqlalchemy.exc import OperationalError

from app.db.database import Database, database_now
from app.events import inbound_stream, webhooks
from app.events.inbound_stream import GROUP, REFUSED, STREAM, take_signals
from app.events.inbox import add_source
from app.events.outbox import type_of
from app.events.relay import LAST_ROUND, LAST_ROUND_SECONDS_MAX, Relay, seconds_since_round
from app.events.signatures import signed_headers
from app.events.subscriptions import pause
from app.events.tables import EventSubscription
from app.ledger.sealing import MASTER_KEY
from app.ledger.tree import place
from app.outbound import Outbound
from app.stock.tables import SignalRow
from tests.app.events.receivers import HOME, Receiver, size_of, subscribed, talk
from tests.installation import OTTO, until
from tests.signals import a_count, a_signal

COUNTS = [type_of("stock_counted")]
POISON = [
    b'{"source": []}', b'{"source": {}}', b'[{"source": []}, {"source": {}}]', b'{"source": null}', b'{"source": 1e999}',
    rb'{"source": "\u0000"}', rb'{"source": "\ud800"}', b'{"source": ""}', b"[[[[]]]]", b"null", b"[null]", b"7", b"\xff",
]  # fmt: skip


@pytest.fixture(scope="module")
def secret(network: Database) -> str:
    with network.transaction() as session:
        return add_source(session, OTTO, "gate", None).secret or ""


def put(database: Database, redis: Redis, secret: str, *numbers: int) -> None:
    """Signed counts in the inbound stream."""
    for number in numbers:
        body = a_signal(a_count(40, minutes=60 + number), f"c-{number}", "gate").model_dump_json().encode()
        with database.transaction() as session:
            headers = signed_headers([secret], f"m-{number}", database_now(session), body)
        redis.xadd(STREAM, {**headers, "body": body})


def taken(database: Database, *numbers: int) -> list[bool]:
    with database.transaction() as session:
        return [session.get(SignalRow, ("gate", f"c-{number}")) is not None for number in numbers]


def refused(redis: Redis) -> list[bytes]:
    entries: Any = redis.xrange(REFUSED)
    return [fields[b"code"] for _, fields in entries]


def waiting(redis: Redis) -> int:
    pending: Any = redis.xpending(STREAM, GROUP)
    return int(pending["pending"])


@pytest.mark.parametrize("body", POISON)
def test_an_unsigned_entry_of_any_form_is_refused_and_the_one_behind_it_is_taken(
    network: Database, redis: Redis, secret: str, body: bytes
) -> None:
    number = 100 + POISON.index(body)
    redis.xadd(STREAM, {"body": body})
    put(network, redis, secret, number)
    relay = Relay(network, redis, HOME)
    assert (relay.once().received, relay.once().received) == (2, 0)
    assert (taken(network, number), waiting(redis)) == ([True], 0)
    (code,) = refused(redis)
    assert code in (b"signal_source", b"signal_body")


def test_an_entry_that_the_database_cannot_keep_is_refused_and_holds_up_nothing(
    network: Database, redis: Redis, secret: str
) -> None:
    put(network, redis, secret, 1, 2)
    barred = "alter table signal add constraint barred check (signal_id <> 'c-1')"
    with altered(network, barred, "alter table signal drop constraint barred"):
        assert (take_signals(network, redis), take_signals(network, redis)) == (2, 0)
    assert (taken(network, 1, 2), refused(redis), waiting(redis)) == ([False, True], [b"signal_fault"], 0)
    entries: Any = redis.xrange(REFUSED)
    ((_, fields),) = entries
    assert fields[b"body"]
    assert b"IntegrityError" in fields[b"detail"]


def test_a_round_takes_so_many_entries_and_the_next_one_goes_on_behind_them(
    network: Database, redis: Redis, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound_stream, "ROUND_MAX", 5)
    monkeypatch.setattr(inbound_stream, "BATCH", 2)
    put(network, redis, secret, *range(40, 52))
    assert redis.xgroup_create(STREAM, GROUP, id="0")
    assert redis.xreadgroup(GROUP, inbound_stream.CONSUMER, {STREAM: ">"}, count=3), "read before a crash"
    relay = Relay(network, redis, HOME)
    assert relay.once().received == 5
    assert taken(network, *range(40, 52)) == [True] * 5 + [False] * 7
    assert [relay.once().received for _ in range(3)] == [5, 2, 0]
    assert (all(taken(network, *range(40, 52))), refused(redis), waiting(redis)) == (True, [], 0)


def test_an_outage_of_the_database_leaves_entries_for_later(network: Database, redis: Redis, secret: str) -> None:
    gone = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    put(network, redis, secret, 3)
    with pytest.raises(OperationalError):
        take_signals(gone, redis)
    assert (refused(redis), waiting(redis)) == ([], 1)
    assert take_signals(network, redis) == 1
    assert (taken(network, 3), refused(redis), waiting(redis)) == ([True], [], 0)


def test_a_fault_of_the_whole_database_is_held_against_no_entry(network: Database, redis: Redis, secret: str) -> None:
    put(network, redis, secret, 4)
    relay = Relay(network, redis, HOME)
    with altered(network, "alter table signal_source rename to away", "alter table away rename to signal_source"):
        assert relay.once().received == 0
    assert (refused(redis), waiting(redis)) == ([], 1)
    assert relay.once().received == 1


def test_a_key_that_cannot_be_read_just_now_is_held_against_no_entry(
    network: Database, redis: Redis, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> bytes:
        raise PermissionError("the key")

    put(network, redis, secret, 5)
    relay = Relay(network, redis, HOME)
    with monkeypatch.context() as change:
        change.setitem(network.session_info, MASTER_KEY, unreadable)
        assert relay.once().received == 0
    assert (refused(redis), waiting(redis)) == ([], 1)
    assert relay.once().received == 1


def test_one_way_that_is_barred_keeps_none_of_the_others_from_its_work(
    network: Database, redis: Redis, secret: str
) -> None:
    put(network, redis, secret, 6)
    size_of(network)
    barred = "alter table event_subscription rename to away", "alter table away rename to event_subscription"
    with altered(network, *barred):
        done = Relay(network, redis, HOME).once()
    assert (done.published > 0, done.received) == (True, 1)


def test_the_relay_outlives_any_fault_and_notes_when_it_last_went_round(network: Database, redis: Redis) -> None:
    asked: list[int] = []

    def on_duty() -> bool:
        asked.append(1)
        if len(asked) == 1:
            raise RuntimeError("nobody has thought of this")
        return True

    relay = Relay(network, redis, HOME)
    assert seconds_since_round(redis) is None
    relay.start(on_duty)
    try:
        until("a round", lambda: seconds_since_round(redis) is not None)
    finally:
        relay.stop()
    redis.pexpire(LAST_ROUND, (LAST_ROUND_SECONDS_MAX - 90) * 1_000)
    assert 90 <= (seconds_since_round(redis) or 0) < 150


def test_a_slow_webhook_holds_up_neither_another_one_nor_the_streams(
    network: Database, redis: Redis, secret: str
) -> None:
    relay = Relay(network, redis, Outbound(private_hosts=["127.0.0.1"], seconds_max=120))
    with subscribed(network, types=COUNTS) as (slow, _), subscribed(network, types=COUNTS) as (fast, _):
        slow.free.clear()
        talk(network, 1, 2, 3)
        put(network, redis, secret, 7)
        done = relay.once()
        assert (done.published > 0, done.received, taken(network, 7)) == (True, 1, [True])
        until("the fast one", lambda: numbers(fast) == [1, 2, 3])
        talk(network, 4)
        until("the fast one again", lambda: relay.once() is not None and numbers(fast) == [1, 2, 3, 4])
        assert numbers(slow) == [1]
        slow.free.set()
        until("the slow one", lambda: relay.once() is not None and numbers(slow) == [1, 2, 3, 4])
        relay.stop()


def test_where_many_are_slow_each_has_a_turn_of_limited_time(
    network: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "AT_ONCE", 1)
    monkeypatch.setattr(webhooks, "TURN_SECONDS", 0)
    with subscribed(network, types=COUNTS) as (one, _), subscribed(network, types=COUNTS) as (other, _):
        talk(network, 1, 2, 3)
        for reached in (1, 2, 3):
            hooks = webhooks.Webhooks(network, HOME)
            assert hooks.begin(size_of(network)) + hooks.finish(60) == 2
            assert numbers(one) == numbers(other) == list(range(1, reached + 1))


def test_a_webhook_that_is_paused_in_the_middle_of_its_turn_is_sent_nothing_more(network: Database) -> None:
    with subscribed(network, types=COUNTS) as (receiver, view), waiting_at_the_first(network, receiver) as hooks:
        with network.transaction() as session:
            pause(session, OTTO, view.subscription_id, paused=True)
        receiver.free.set()
        assert (hooks.finish(60), numbers(receiver)) == (1, [1])
        with network.transaction() as session:
            pause(session, OTTO, view.subscription_id, paused=False)
        again = webhooks.Webhooks(network, HOME)
        assert again.begin(size_of(network)) + again.finish(60) == 3
        assert numbers(receiver) == [1, 1, 2, 3]


def test_a_turn_does_not_set_back_what_another_process_has_gone_on_with(network: Database) -> None:
    with subscribed(network, types=COUNTS) as (receiver, view), waiting_at_the_first(network, receiver) as hooks:
        with network.transaction() as session:
            row = session.get_one(EventSubscription, view.subscription_id)
            row.next_position = further = place(session)
        receiver.free.set()
        assert (hooks.finish(60), numbers(receiver)) == (1, [1])
        with network.transaction() as session:
            assert session.get_one(EventSubscription, view.subscription_id).next_position == further


def test_a_subscription_that_cannot_be_served_is_nobody_elses_trouble(network: Database) -> None:
    with subscribed(network, types=COUNTS) as (broken, view), subscribed(network, types=COUNTS) as (whole, _):
        with network.transaction() as session:
            session.get_one(EventSubscription, view.subscription_id).secret = b"x"
        talk(network, 1)
        hooks = webhooks.Webhooks(network, HOME)
        assert hooks.begin(size_of(network)) + hooks.finish(60) == 1
        assert (numbers(broken), numbers(whole)) == ([], [1])


def numbers(receiver: Receiver) -> list[int]:
    """What a receiver has heard of the talk."""
    facts = [event["data"]["facts"] for event in receiver.events]
    return [each["number"] for each in facts if "number" in each]


@contextmanager
def altered(database: Database, statement: str, back: str) -> Iterator[None]:
    """The database with something changed about a table, for a while."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    try:
        yield
    finally:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(back)


@contextmanager
def waiting_at_the_first(database: Database, receiver: Receiver) -> Iterator[webhooks.Webhooks]:
    """A turn with three events, the first of which the receiver has and does not answer yet."""
    receiver.free.clear()
    talk(database, 1, 2, 3)
    hooks = webhooks.Webhooks(database, Outbound(private_hosts=["127.0.0.1"], seconds_max=120))
    hooks.begin(size_of(database))
    until("the first delivery", lambda: numbers(receiver) == [1])
    yield hooks
