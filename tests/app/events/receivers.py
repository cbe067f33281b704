"""Receivers of webhooks for tests: a ledger that talks, and somebody who listens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from redis import Redis
from sqlmodel import select

from app.db.database import Database, database_now
from app.events import inbound_stream, redis_stream, relay
from app.events.subscriptions import SubscriptionView, subscribe, unsubscribe
from app.events.tables import EventSubscription
from app.ledger.append import EventType, append
from app.ledger.sealing import MASTER_KEY
from app.ledger.tree import place
from app.outbound import Outbound
from evals.databases import Servers
from tests.installation import OTTO
from tests.signals import a_database, signal_network, take_in

HOME = Outbound(private_hosts=["127.0.0.1"], seconds_max=5)


@contextmanager
def a_ledger(servers: Servers) -> Iterator[Database]:
    """A ledger with a network and a master key."""
    with a_database(servers) as opened:
        opened.session_info[MASTER_KEY] = lambda: bytes(32)
        with opened.transaction() as session:
            take_in(session, signal_network())
        yield opened


@contextmanager
def streams(servers: Servers) -> Iterator[Redis]:
    """A Redis in which nothing of ours is yet."""
    with Redis.from_url(servers.redis_url) as client:
        client.delete(redis_stream.STREAM, inbound_stream.STREAM, inbound_stream.REFUSED, relay.LAST_ROUND)
        yield client


def talk(database: Database, *numbers: int, stream: str = "test/a") -> None:
    with database.transaction() as session:
        for number in numbers:
            append(
                session, stream=stream, key=f"{stream}/{number}/{database_now(session)}", actor="test",
                event_type=EventType.STOCK_COUNTED, facts={"number": number},
            )  # fmt: skip


def size_of(database: Database) -> int:
    with database.transaction() as session:
        return place(session)


class Receiver(ThreadingHTTPServer):
    """Somebody's webhook: what it was sent, and what it answers in turn (200 by default), once it is free to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.free = threading.Event()
        self.free.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.server.free.wait(60)
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def subscribed(database: Database, **wanted: Any) -> Iterator[tuple[Receiver, SubscriptionView]]:
    """A receiver and its subscription. Afterwards nobody is subscribed."""
    size_of(database)
    with receiving() as receiver:
        with database.transaction() as session:
            view = subscribe(session, OTTO, HOME, name="hook", url=receiver.url, **wanted)
        try:
            yield receiver, view
        finally:
            with database.transaction() as session:
                for row in session.exec(select(EventSubscription)).all():
                    unsubscribe(session, OTTO, row.subscription_id)
