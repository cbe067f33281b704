"""Events out and signals in: at least once, in one order, signed, and never lost because Redis or a receiver was away."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from itertools import groupby
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import text
from sqlmodel import select

from app.db.database import Database, database_now
from app.errors import EvenkeelError, ForbiddenError, InvalidError, NotFoundError, NotSignedInError
from app.events import inbound_stream, redis_stream, webhooks
from app.events.inbox import add_source, list_sources, receive_signed, remove_source
from app.events.outbox import TYPES, CloudEvent, encoded, read_events, type_of
from app.events.relay import Relay
from app.events.schemas import asyncapi, schema, schema_names
from app.events.signatures import new_secret, require_signature, signed_headers
from app.events.subscriptions import (
    LEDGER_STREAM,
    dead_letters,
    list_subscriptions,
    pause,
    replay,
    rotate,
    subscribe,
    unsubscribe,
)
from app.events.tables import EventSubscription
from app.ledger.append import EventType, append
from app.ledger.tables import LedgerEvent
from app.ledger.tree import place
from app.outbound import Outbound, RefusedAddressError
from app.stock.tables import SignalRow
from tests.app.events.receivers import HOME, size_of, subscribed, talk
from tests.builders import NOW
from tests.installation import OTTO, PAULA, person, until
from tests.signals import a_count, a_signal
from tools.signals import Envelope

SECRET = new_secret()


def deliver(database: Database) -> int:
    hooks = webhooks.Webhooks(database, HOME)
    return hooks.begin(size_of(database)) + hooks.finish(60)


def due_again(database: Database) -> EventSubscription:
    """The subscription, with its wait over."""
    with database.transaction() as session:
        row = session.exec(select(EventSubscription)).one()
        waited = row.model_copy()
        row.next_at = database_now(session) - timedelta(seconds=1)
        session.add(row)
    return waited


def test_the_feed_holds_every_event_once_in_the_order_of_commits_and_of_each_stream(network: Database) -> None:
    with network.transaction() as slow:
        append(slow, stream="test/slow", key="slow", event_type=EventType.STOCK_COUNTED, actor="test", facts={})
        talk(network, 1, 2, stream="test/quick")
        before = size_of(network)
    with network.transaction() as session:
        assert "test/slow" not in {event.subject for event in read_events(session, 0, 1_000)}
    after = size_of(network)
    with network.transaction() as session:
        events = read_events(session, 0, 1_000)
    assert [event.data.position for event in events] == list(range(after))
    assert events[before].subject == "test/slow"
    for _, stream in groupby(sorted(events, key=lambda each: each.subject), key=lambda each: each.subject):
        assert [event.data.seq for event in stream] == sorted(event.data.seq for event in events if event.subject == _)
    assert len({event.id for event in events}) == after
    assert {event.type for event in events} <= set(TYPES)


def test_an_event_is_a_cloud_event_that_fits_its_published_schema(network: Database) -> None:
    talk(network, 1)
    with network.transaction() as session:
        event = read_events(session, place(session) - 1, 10)[-1]
    document = json.loads(encoded(event))
    assert CloudEvent.model_validate(document) == event
    assert (document["specversion"], document["type"]) == ("1.0", "evenkeel.ledger.stock_counted.v1")
    assert (document["subject"], document["partitionkey"], document["sequence"]) == (
        "test/a", "test/a", f"{event.data.position:020d}"
    )  # fmt: skip
    assert document["dataschema"].removeprefix("/v1/schemas/") in schema_names()
    assert set(document["data"]) <= set(schema("ledger-event.v1")["properties"])


def test_a_redis_stream_is_filled_once_in_order_and_filled_again_when_it_is_lost(
    network: Database, redis: Redis
) -> None:
    talk(network, 1, 2, 3)
    relay = Relay(network, redis, HOME)
    size = size_of(network)
    assert (relay.once().published, relay.once().published) == (size, 0)
    talk(network, 4)
    assert relay.once().published == 1
    entries: Any = redis.xrange(redis_stream.STREAM)
    assert [int(entry_id.split(b"-")[0]) for entry_id, _ in entries] == list(range(1, size + 2))
    assert [json.loads(fields[b"event"])["data"]["position"] for _, fields in entries] == list(range(size + 1))
    redis.delete(redis_stream.STREAM)
    assert relay.once().published == size + 1
    assert redis.xrange(redis_stream.STREAM) == entries


def test_consumer_groups_share_the_stream_and_start_where_they_like(network: Database, redis: Redis) -> None:
    talk(network, 1, 2)
    Relay(network, redis, HOME).once()
    redis.xgroup_create(redis_stream.STREAM, "stock", id="0")
    first: Any = redis.xreadgroup("stock", "one", {redis_stream.STREAM: ">"}, count=2)
    second: Any = redis.xreadgroup("stock", "two", {redis_stream.STREAM: ">"}, count=2)
    (one,), (two,) = (list(dict(found).values()) for found in (first, second))
    assert json.loads(_entries(one)[0][1][b"event"])["data"]["position"] == 0
    assert json.loads(_entries(two)[0][1][b"event"])["data"]["position"] == 2


def _entries(found: Any) -> Any:
    return found[0] if isinstance(found[0], list) else found


@pytest.mark.parametrize(
    ("body", "is_longer"),
    [
        ("{}", True),
        ("{}", False),
        ('{"id": "of another ledger"}', False),
        ("[", False),
        ("7", False),
    ],
)
def test_a_stream_of_another_ledger_gives_way(network: Database, redis: Redis, body: str, is_longer: bool) -> None:
    talk(network, 1)
    size = size_of(network)
    redis.xadd(redis_stream.STREAM, {"event": body}, id=f"{9_999_999 if is_longer else size}-0")
    assert Relay(network, redis, HOME).once().published == size
    entries: Any = redis.xrange(redis_stream.STREAM)
    assert [json.loads(fields[b"event"])["data"]["position"] for _, fields in entries] == list(range(size))


def test_a_stream_whose_last_entries_were_taken_out_is_continued(network: Database, redis: Redis) -> None:
    talk(network, 1, 2)
    relay = Relay(network, redis, HOME)
    size = relay.once().published
    redis.xdel(redis_stream.STREAM, f"{size}-0")
    talk(network, 3)
    assert relay.once().published == 1
    redis.xtrim(redis_stream.STREAM, maxlen=0, approximate=False)
    talk(network, 4)
    assert relay.once().published == 1


def test_a_webhook_gets_every_event_from_now_on_signed_and_in_order(network: Database) -> None:
    with subscribed(network) as (receiver, view):
        start = view.next_position
        talk(network, 1, 2, 3)
        taken = deliver(network)
        assert taken == len(receiver.heard) == 4  # the subscription itself is an event
        assert deliver(network) == 0
        assert [event["data"]["position"] for event in receiver.events] == list(range(start, start + 4))
        assert [event["type"] for event in receiver.events] == [
            type_of(each) for each in ("subscription_changed", *["stock_counted"] * 3)
        ]
        for headers, body in receiver.heard:
            with network.transaction() as session:
                require_signature([view.secret or ""], headers, body, database_now(session))
            assert headers["webhook-id"] == json.loads(body)["id"]
            assert headers["content-type"].startswith("application/cloudevents+json")


def test_a_webhook_may_want_some_types_only(network: Database) -> None:
    with subscribed(network, types=[type_of("stock_counted")]) as (receiver, view):
        talk(network, 1)
        assert deliver(network) == 1
        assert [event["data"]["facts"] for event in receiver.events] == [{"number": 1}]
        with network.transaction() as session:
            (row,) = list_subscriptions(session, OTTO)
        assert (row.behind, row.next_position > view.next_position, row.secret) == (0, True, None)


def test_a_failure_holds_back_what_follows_and_is_tried_again_later_and_later(network: Database) -> None:
    with subscribed(network, types=[type_of("stock_counted")]) as (receiver, _):
        talk(network, 1, 2)
        receiver.answers = [503, 302, 200, 200]
        assert deliver(network) == 0
        assert deliver(network) == 0  # not yet
        first = due_again(network)
        assert deliver(network) == 0
        second = due_again(network)
        assert (first.attempts, first.error, second.attempts) == (1, "the answer was 503", 2)
        assert deliver(network) == 2
        assert [event["data"]["facts"]["number"] for event in receiver.events] == [1, 1, 1, 2]
        assert len({headers["webhook-id"] for headers, _ in receiver.heard[:3]}) == 1
        settled = due_again(network)
        assert (settled.attempts, settled.error) == (0, "")


def test_what_is_never_taken_is_passed_over_and_kept_aside(network: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "ATTEMPTS_MAX", 2)
    with subscribed(network, types=[type_of("stock_counted")]) as (receiver, view):
        talk(network, 1, 2)
        receiver.answers = [500, 500]
        deliver(network)
        due_again(network)
        deliver(network)
        due_again(network)
        assert deliver(network) == 1
        with network.transaction() as session:
            (letter,) = dead_letters(session, OTTO, view.subscription_id)
            (row,) = list_subscriptions(session, OTTO)
            again = replay(session, OTTO, view.subscription_id, letter.position)
        assert (letter.attempts, letter.error, row.dead_letters) == (2, "the answer was 500", 1)
        assert again.next_position == letter.position
        assert deliver(network) == 2
        assert [event["data"]["facts"]["number"] for event in receiver.events] == [1, 1, 2, 1, 2]


def test_a_webhook_that_is_gone_is_paused_until_an_operator_resumes_it(network: Database) -> None:
    with subscribed(network, types=[type_of("stock_counted")]) as (receiver, view):
        talk(network, 1)
        receiver.answers = [410]
        deliver(network)
        due_again(network)
        assert deliver(network) == 0
        with network.transaction() as session:
            assert pause(session, OTTO, view.subscription_id, paused=False).paused is False
        assert deliver(network) == 1


def test_a_changed_secret_signs_beside_the_old_one(network: Database) -> None:
    with subscribed(network, types=[type_of("stock_counted")]) as (receiver, view):
        with network.transaction() as session:
            changed = rotate(session, OTTO, view.subscription_id)
        assert changed.secret not in (None, view.secret)
        talk(network, 1)
        deliver(network)
        headers, body = receiver.heard[-1]
        with network.transaction() as session:
            now = database_now(session)
        for secret in (view.secret, changed.secret):
            require_signature([secret or ""], headers, body, now)
        with network.engine.connect() as connection:
            stored = str(connection.execute(text("select * from event_subscription")).all())
        assert (changed.secret or "")[6:20] not in stored


def test_the_ledger_tells_the_host_of_a_webhook_and_keeps_the_rest_of_its_address_to_itself(network: Database) -> None:
    url = "http://127.0.0.1:9/services/T0P/s3cret?token=s3same"
    with network.transaction() as session:
        subscription_id = subscribe(session, OTTO, HOME, name="quiet", url=url).subscription_id
        rotate(session, OTTO, subscription_id)
        pause(session, OTTO, subscription_id, paused=True)
        replay(session, OTTO, subscription_id, 0)
        assert [row.url for row in list_subscriptions(session, OTTO)] == [url], "the operator still sees it"
        unsubscribe(session, OTTO, subscription_id)
        query = select(LedgerEvent).where(LedgerEvent.stream == LEDGER_STREAM)
        bodies = [json.loads(event.body)["facts"] for event in session.exec(query).all()]
    told = [facts for facts in bodies if facts.get("name") == "quiet"]
    digest = hashlib.sha256(url.encode()).hexdigest()
    assert [facts["act"] for facts in told] == ["made", "rotated", "paused", "replayed", "removed"]
    assert {(facts["address"], facts["url_sha256"]) for facts in told} == {("http://127.0.0.1:9", digest)}
    assert not any(part in json.dumps(told) for part in ("services", "T0P", "s3cret", "s3same"))


def test_events_are_for_operators_and_go_to_the_internet_only(network: Database) -> None:
    near = person("nia", *OTTO.roles, sites=frozenset({"S1"}))
    for who in (PAULA, near):
        with network.transaction() as session, pytest.raises(ForbiddenError):
            subscribe(session, who, HOME, name="x", url="https://hooks.example/")
    with network.transaction() as session:
        with pytest.raises(RefusedAddressError):
            subscribe(session, OTTO, Outbound(), name="x", url="https://127.0.0.1/")
        with pytest.raises(InvalidError, match="no type"):
            subscribe(session, OTTO, HOME, name="x", url="http://127.0.0.1/", types=["evenkeel.ledger.nothing.v1"])
        with pytest.raises(NotFoundError):
            rotate(session, OTTO, uuid4())
        assert list_subscriptions(session, OTTO) == []


@pytest.mark.parametrize("spoiled", ["body", "id", "time", "late", "early", "secret", "scheme", "none"])
def test_only_what_its_source_has_signed_just_now_is_believed(spoiled: str) -> None:
    body = b'{"id":"1"}'
    headers = signed_headers([new_secret(), SECRET], "m-1", NOW, body)
    require_signature([SECRET], headers, body, NOW + timedelta(seconds=299))
    now, shared = NOW, [SECRET]
    match spoiled:
        case "body":
            body += b" "
        case "id":
            headers["webhook-id"] = "m-2"
        case "time":
            headers["webhook-timestamp"] = str(int(NOW.timestamp()) + 1)
        case "late":
            now += timedelta(seconds=302)
        case "early":
            now -= timedelta(seconds=302)
        case "secret":
            shared = [new_secret()]
        case "scheme":
            headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v1a,")
        case _:
            headers = {}
    with pytest.raises(NotSignedInError):
        require_signature(shared, headers, body, now)


def signal(number: int, units: int = 40, source: str = "wms", site: str = "S1") -> bytes:
    envelope = a_signal(a_count(units, site, minutes=60 + number), f"c-{number}", source)
    return envelope.model_dump_json().encode()


def send_in(database: Database, secret: str, body: bytes) -> list[Any]:
    with database.transaction() as session:
        headers = signed_headers([secret], "m", database_now(session), body)
        return receive_signed(session, headers, body)


def test_a_signed_signal_is_taken_in_once_and_a_source_speaks_for_itself_and_its_sites_only(network: Database) -> None:
    with network.transaction() as session:
        mine = add_source(session, OTTO, "wms", ["S1"]).secret or ""
        add_source(session, OTTO, "erp-2", None)
        assert [each.source for each in list_sources(session, OTTO)] == ["erp-2", "wms"]
    (first,), (again,) = send_in(network, mine, signal(1)), send_in(network, mine, signal(1))
    assert (first.new, again.new, first.source) == (True, False, "wms")
    batch = b"[" + signal(2) + b"," + signal(3) + b"]"
    assert [each.new for each in send_in(network, mine, batch)] == [True, True]
    for body, refusal in (
        (signal(4, source="erp-2"), NotSignedInError),
        (signal(4, source="unknown"), NotSignedInError),
        (signal(4, site="S2"), ForbiddenError),
        (b"[" + signal(4) + b"," + signal(4, source="erp-2") + b"]", InvalidError),
        (signal(4).replace(b'"specversion":"1.0"', b'"specversion":"2.0"'), InvalidError),
        (b"nonsense", InvalidError),
        (b"[]", InvalidError),
    ):
        with pytest.raises(refusal):
            send_in(network, mine, body)
    with network.transaction() as session:
        newer = add_source(session, OTTO, "wms", None).secret or ""
    assert [each.new for secret in (mine, newer) for each in send_in(network, secret, signal(5, site="S2"))] == [
        True,
        False,
    ]
    with network.transaction() as session:
        remove_source(session, OTTO, "wms")
    with pytest.raises(NotSignedInError):
        send_in(network, newer, signal(6))


def test_signals_come_through_a_redis_stream_and_what_does_not_fit_is_kept_with_its_reason(
    network: Database, redis: Redis
) -> None:
    with network.transaction() as session:
        secret = add_source(session, OTTO, "gate", None).secret or ""
        now = database_now(session)

    def put(body: bytes, shared: str) -> None:
        redis.xadd(inbound_stream.STREAM, {**signed_headers([shared], "m", now, body), "body": body})

    put(signal(1, source="gate"), secret)
    put(signal(2, source="gate"), new_secret())
    put(b"nonsense", secret)
    redis.xadd(inbound_stream.STREAM, {"odd": "one"})
    relay = Relay(network, redis, HOME)
    assert (relay.once().received, relay.once().received) == (4, 0)
    with network.transaction() as session:
        assert session.get(SignalRow, ("gate", "c-1")) is not None
        assert session.get(SignalRow, ("gate", "c-2")) is None
    refused: Any = redis.xrange(inbound_stream.REFUSED)
    assert [fields[b"code"] for _, fields in refused] == [b"signature", b"signal_body", b"signal_body"]
    pending: Any = redis.xpending(inbound_stream.STREAM, inbound_stream.GROUP)
    assert pending["pending"] == 0


def test_an_entry_that_was_read_before_a_crash_is_taken_up_again(network: Database, redis: Redis) -> None:
    with network.transaction() as session:
        secret = add_source(session, OTTO, "dock", None).secret or ""
        body = signal(1, source="dock")
        headers = signed_headers([secret], "m", database_now(session), body)
    redis.xgroup_create(inbound_stream.STREAM, inbound_stream.GROUP, id="0", mkstream=True)
    redis.xadd(inbound_stream.STREAM, {**headers, "body": body})
    redis.xreadgroup(inbound_stream.GROUP, inbound_stream.CONSUMER, {inbound_stream.STREAM: ">"})
    assert inbound_stream.take_signals(network, redis) == 1
    with network.transaction() as session:
        assert session.get(SignalRow, ("dock", "c-1")) is not None


def test_without_redis_webhooks_are_sent_all_the_same(network: Database) -> None:
    with (
        subscribed(network, types=[type_of("stock_counted")]) as (receiver, _),
        Redis(port=1, retry=Retry(NoBackoff(), 0)) as away,
    ):
        talk(network, 1)
        relay = Relay(network, away, HOME)
        done = relay.once()
        until("the delivery", lambda: relay.once().delivered == 1)
        relay.stop()
        assert (done.published, done.received, len(receiver.heard)) == (0, 0, 1)


def test_every_schema_is_published_and_every_channel_is_described() -> None:
    document = asyncapi()
    assert set(document["components"]["schemas"]) == set(schema_names())
    assert {each["channel"]["$ref"].rpartition("/")[2] for each in document["operations"].values()} == set(
        document["channels"]
    )
    payloads = {
        message["payload"]["$ref"].rpartition("/")[2]
        for channel in document["channels"].values()
        for message in channel["messages"].values()
    }
    assert payloads <= set(schema_names())
    assert document["x-event-types"] == list(TYPES)
    envelope = schema("signal-envelope.v1")
    assert set(Envelope.model_fields) == set(envelope["properties"])
    with pytest.raises(EvenkeelError, match="no schema"):
        schema("nothing")
