"""An ERP with bad days, over real HTTP and in a process of its own: `python -m tests.crash.bad_days DIRECTORY SEED`.

It offers the REST contract of docs/erp.md under /<world>/, one world for each scenario,
and keeps every world in an SQLite file. What it knows a transfer by is the
`Idempotency-Key` and nothing else: a caller that changes its key gets a second transfer.

Its luck is drawn from the seed, the reference and the number of the call: requests and
answers are lost, answers come late, requests are delivered twice or after the ones that
were sent later, and what was done is answered with a 500. The first calls about a
transfer are the unlucky ones, so that every scenario has its end.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from tests import json_server
from tests.json_server import Asked, Reply

KEY = "key-of-the-erp-with-bad-days"
UNLUCKY_CALLS = 1
LATE_SECONDS = 0.02
LUCK = (
    "good", "good", "request lost", "answer lost", "late answer", "delivered twice", "delivered late", "500 afterwards",
)  # fmt: skip
_SCHEMA = """
create table if not exists transfer (number integer primary key, key text, reference text not null,
  body text not null, looked integer not null default 0);
create unique index if not exists transfer_key on transfer (key);
create table if not exists call (what text not null, key text, luck text not null);
create table if not exists under_way (number integer primary key, key text, body text not null);
"""


class World:
    """What the ERP holds for one scenario. `forgetful`: it does not know a key again."""

    def __init__(self, file: Path, *, forgetful: bool = False) -> None:
        self._file, self._forgetful = file, forgetful
        with self._open() as connection:
            connection.executescript(_SCHEMA)

    def make(self, key: str, body: dict[str, Any]) -> Reply:
        """Make the transfer, or tell the one that was made under the key."""
        with self._open() as connection:
            connection.execute(
                "insert into transfer (key, reference, body) values (?, ?, ?) on conflict do nothing",
                (None if self._forgetful else key, body["reference"], json.dumps(body)),
            )
        return 201, self._held(body["reference"]) or {}

    def told(self, reference: str) -> Reply:
        """The transfer; whoever looks at it sees that its goods have left."""
        with self._open() as connection:
            connection.execute("update transfer set looked = looked + 1 where reference = ?", (reference,))
        held = self._held(reference)
        return (404, {"detail": f"no transfer {reference}"}) if held is None else (200, held)

    def keep_for_later(self, key: str, body: dict[str, Any]) -> None:
        """The request is on its way still, after its sender has given up."""
        with self._open() as connection:
            connection.execute("insert into under_way (key, body) values (?, ?)", (key, json.dumps(body)))

    def deliver(self) -> None:
        """What was on its way arrives now."""
        with self._open() as connection:
            arrived = connection.execute("delete from under_way returning key, body").fetchall()
        for key, body in arrived:
            self.make(key, json.loads(body))

    def luck(self, seed: str | None, what: str, key: str | None) -> str:
        """Note a call, and draw how it goes; without a seed it goes well."""
        with self._open() as connection:
            number = connection.execute("select count(*) from call where what = ?", (what,)).fetchone()[0]
            chosen = "good"
            if seed is not None and number < UNLUCKY_CALLS:
                chosen = random.Random(f"{seed}/{what}/{number}").choice(LUCK)
            connection.execute("insert into call values (?, ?, ?)", (what, key, chosen))
        return chosen

    def effects(self) -> dict[str, int]:
        """How many transfers it has made under each reference: what must never exceed one."""
        with self._open() as connection:
            rows = connection.execute("select reference, count(*) from transfer group by reference order by reference")
            return dict(rows.fetchall())

    def keys(self, reference: str) -> list[str]:
        """The keys under which a transfer was asked for, one for each request that came in."""
        with self._open() as connection:
            rows = connection.execute("select key from call where what = ?", (f"make {reference}",))
            return [key for (key,) in rows.fetchall()]

    def calls(self) -> dict[str, int]:
        """How often each kind of luck was had."""
        with self._open() as connection:
            return dict(connection.execute("select luck, count(*) from call group by luck").fetchall())

    def _held(self, reference: str) -> dict[str, Any] | None:
        with self._open() as connection:
            row = connection.execute(
                "select number, body, looked from transfer where reference = ? order by number", (reference,)
            ).fetchone()
        if row is None:
            return None
        number, body, looked = row
        told = {name: json.loads(body)[name] for name in ("reference", "sku", "origin", "destination", "units")}
        return {**told, "id": f"B-{number}", "state": "shipped" if looked else "confirmed"}

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=30)) as connection, connection:
            connection.execute("pragma synchronous = off")
            yield connection


class Erp:
    """Every world of one directory."""

    def __init__(self, directory: Path, seed: str | None, *, forgetful: bool = False) -> None:
        self._directory, self._seed, self._forgetful = directory, seed, forgetful
        self._lock = threading.Lock()
        self._worlds: dict[str, World] = {}
        self.at_the_door: Callable[[str, Any], None] = lambda _method, _body: None
        """Called before a request is looked at; what it waits for, the request waits for."""

    def world(self, name: str) -> World:
        """One scenario's."""
        with self._lock:
            if name not in self._worlds:
                self._worlds[name] = World(self._directory / f"{name}.sqlite", forgetful=self._forgetful)
            return self._worlds[name]

    def answer(  # noqa: PLR0911  one for each route
        self, method: str, path: str, key: str | None, body: Any
    ) -> Reply | None:
        """One request; None for an answer that never comes."""
        self.at_the_door(method, body)
        name, *route = path.strip("/").split("/")
        world = self.world(name)
        match method, route:
            case "GET", ["delivered"]:
                world.deliver()
                return 200, {}
            case "GET", ["effects"]:
                return 200, world.effects()
            case "GET", ["calls"]:
                return 200, world.calls()
            case "GET", ["transfers", reference]:
                return self._asked(world, f"find {reference}", lambda: world.told(reference))
            case "POST", ["transfers"] if key:
                luck = world.luck(self._seed, f"make {body['reference']}", key)
                if luck == "delivered late":
                    world.keep_for_later(key, body)
                    return None
                if luck == "delivered twice":
                    world.make(key, body)
                return _as_luck_will_have_it(luck, lambda: world.make(key, body))
        return 404, {"title": "there is no such thing"}

    def _asked(self, world: World, what: str, do: Callable[[], Reply]) -> Reply | None:
        """A question, and after its answer whatever had been overtaken by it."""
        reply = _as_luck_will_have_it(world.luck(self._seed, what, None), do)
        world.deliver()
        return reply


def _as_luck_will_have_it(luck: str, do: Callable[[], Reply]) -> Reply | None:
    if luck in ("request lost", "delivered late"):
        return None
    reply = do()
    if luck == "late answer":
        time.sleep(LATE_SECONDS)
    if luck == "500 afterwards":
        return 500, {"title": "something broke"}
    return None if luck == "answer lost" else reply


def listening(erp: Erp) -> AbstractContextManager[str]:
    """The address at which it takes requests."""

    def answer(asked: Asked) -> Reply | None:
        return erp.answer(asked.method, asked.path, asked.headers.get("idempotency-key"), asked.body)

    return json_server.listening(answer)


def main() -> None:
    """Serve until standard input ends."""
    erp = Erp(Path(sys.argv[1]), sys.argv[2])
    with listening(erp) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
