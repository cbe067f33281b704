"""A served installation for clients of the LangGraph SDK: a real server, durable workers, and a client for each person.

Each of many SKUs lies in S1 and is missing in S2, so a test that takes a SKU of its own
gets a plan of its own, and tests that share the installation do not meet.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient
from langgraph_sdk.schema import StreamPart

from app.auth.people import SYSTEM, add_person
from app.auth.roles import Principal
from app.durable.runner import Runner
from app.service import Service, open_service
from evals.databases import Servers
from tests.app.web.door import PEOPLE, listening, tokens_of
from tests.builders import a_sku
from tests.installation import a_network, settings_on, settle_in

ASSISTANT = "rebalance"
SKUS = tuple(f"K{number:02}" for number in range(1, 31))
AnswerT = TypeVar("AnswerT")
KINDS = ("async", "sync")
"""Both kinds of client that the SDK has."""


class Clients:
    """Clients of both kinds, each made once and in somebody's name. Those that are asynchronous share a loop."""

    def __init__(self, address: str, tokens: Mapping[str, str]) -> None:
        self.loop = asyncio.Runner()
        self.tokens = dict(tokens)
        self._address = address
        self._made: dict[tuple[str, str], Any] = {}

    def of(self, kind: str, by: str) -> Any:
        """The client of this kind in somebody's name."""
        if (kind, by) not in self._made:
            make = get_sync_client if kind == "sync" else get_client
            headers = {"Authorization": f"Bearer {self.tokens[by]}"}
            self._made[kind, by] = make(url=self._address, headers=headers)
        return self._made[kind, by]

    def use(self, kind: str, by: str, work: Callable[[Any], Any], first: int | None = None) -> Any:
        """Something done with a client. A stream is read to its end, or left after its first so many events."""
        if kind == "sync":
            done = work(self.of(kind, by))
            if not inspect.isgenerator(done):
                return done
            with closing(done):
                return [next(done) for _ in range(first)] if first else list(done)

        async def used() -> Any:
            done = work(self.of(kind, by))
            done = await done if inspect.isawaitable(done) else done
            if not inspect.isasyncgen(done):
                return done
            heard = [await anext(done) for _ in range(first)] if first else [each async for each in done]
            await done.aclose()
            return heard

        return self.loop.run(used())

    def close(self) -> None:
        """Close every client."""
        for (kind, _), client in self._made.items():
            if kind == "sync":
                client.close()
            else:
                self.loop.run(client.aclose())
        self.loop.close()


@dataclass(frozen=True)
class Served:
    """An installation at an address, and the tokens of its people."""

    service: Service
    address: str
    tokens: dict[str, str]
    skus: Iterator[str]

    def client(self, by: str = "paula") -> LangGraphClient:
        """The asynchronous client in somebody's name; of one event loop."""
        return get_client(url=self.address, api_key=self.tokens[by])

    def sync_client(self, by: str = "paula") -> SyncLangGraphClient:
        """The synchronous client in somebody's name."""
        return get_sync_client(url=self.address, api_key=self.tokens[by])

    def admit(self, someone: Principal) -> None:
        """Register a person and give them a token."""
        with self.service.database.transaction() as session:
            add_person(session, someone, by=SYSTEM)
        self.tokens.update(tokens_of(self.service, someone.user_id))

    def waiting_thread(self, by: str = "paula") -> tuple[str, dict[str, Any]]:
        """A thread that waits for a decision on a plan of its own, and its question as its owner sees it."""
        client, sku = self.sync_client(by), next(self.skus)
        thread_id = client.threads.create()["thread_id"]
        client.runs.wait(thread_id, ASSISTANT, input=said(f"rebalance {sku}"))
        paused: Any = client.runs.wait(thread_id, ASSISTANT, input=said("submit"))
        (interrupt,) = paused["__interrupt__"]
        return thread_id, interrupt


def said(words: str) -> dict[str, Any]:
    """The input of a run in which somebody says something."""
    return {"messages": [{"role": "user", "content": words}]}


def decisions(*given: dict[str, Any]) -> dict[str, Any]:
    """The command that answers the question of a thread."""
    return {"resume": {"decisions": list(given)}}


def names(parts: list[StreamPart]) -> list[str]:
    """The names of events, each once for as long as it is repeated."""
    found: list[str] = []
    for part in parts:
        if not found or found[-1] != part.event:
            found.append(part.event)
    return found


def in_a_loop(talk: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
    """Run an asynchronous conversation to its end."""

    async def whole() -> AnswerT:
        return await talk()

    return asyncio.run(whole())


@contextmanager
def serving(servers: Servers, data: Path, **changes: object) -> Iterator[Served]:
    """A served installation on a database of its own."""
    with servers.fresh_database() as url:
        settings = settings_on(servers, url, data).model_copy(update=changes)
        with open_service(settings) as service:
            keys = {(site, sku): {"S1": 400, "S2": 0}[site] for site in ("S1", "S2") for sku in SKUS}
            network = a_network(keys, dict.fromkeys(keys, 3.0), skus=tuple(map(a_sku, SKUS)))
            settle_in(service, network, *PEOPLE)
            tokens = tokens_of(service, *(each.user_id for each in PEOPLE))
            with _running(service), listening(service) as (_, address):
                yield Served(service, address, tokens, iter(SKUS))


@contextmanager
def _running(service: Service) -> Iterator[None]:
    """Durable workers, whose end waits for nothing: orders that are on their way would keep it."""
    runner = Runner(service.database, service, service.settings.workers)
    assert runner.start()
    try:
        yield
    finally:
        runner.stop(wait_seconds=0)
