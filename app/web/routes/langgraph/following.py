"""A run as a stream of events that can be joined, left and joined again, at any replica, without a loss or a repeat."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool

from app.auth.people import principal_of
from app.auth.roles import Principal
from app.errors import NotFoundError
from app.service import Service
from app.threads.access import run_seen_by
from app.threads.narration import INTERRUPT, Telling
from app.threads.stream import StreamEvent
from app.threads.tables import ACTIVE, Run, RunStatus
from app.web.routes.langgraph.modes import EVENT_NAMES
from app.web.routes.langgraph.shapes import RUN_STATUSES, cut_event, cut_for_guests, questions, state_shape

FIRST_ID = "0-1"
"""The id of `metadata`: it comes before everything that Redis numbers."""
SOON_MILLISECONDS, WAIT_MILLISECONDS = 100, 1_000
"""How long a reader waits for news, before it asks for the first time whether the run is over already, and later."""
HEARTBEAT_SECONDS = 5.0
BLIND_SECONDS = 0.5
"""How often Redis is tried, and the database asked whether a run is over while Redis does not answer."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Without a name it is a heartbeat; without an id it cannot be gone on from."""

    name: str
    data: Any = None
    event_id: str = ""

    def frame(self) -> str:
        """The event on the wire."""
        if not self.name:
            return ": heartbeat\r\n\r\n"
        numbered = f"id: {self.event_id}\r\n" if self.event_id else ""
        return f"{numbered}event: {self.name}\r\ndata: {json.dumps(self.data)}\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who follows which run, and from where on."""

    service: Service
    caller: Principal
    thread_id: UUID
    run_id: UUID
    own: bool
    modes: Collection[str]
    after: str = ""

    async def events(self) -> AsyncIterator[Event]:
        """The events up to `end`, with heartbeats while nothing comes.

        The stream is read from its beginning, because later events name what earlier ones
        told; what the reader has had is passed over.
        """
        if not self.after:
            yield Event("metadata", {"run_id": str(self.run_id), "attempt": 1}, FIRST_ID)
        telling = Telling(self.run_id)
        async with self.service.stream.connection_to_wait_on() as waiting:
            async for news in self._news(waiting):
                if news is None:
                    yield Event("")
                elif isinstance(news, Run):
                    for event in await run_in_threadpool(self._last_events, news):
                        yield event
                else:
                    for event_id, name, data in telling.read(news):
                        if self._hears_of(name, event_id):
                            yield Event(name, await self._shown(name, data), event_id)
                        if name == "end":
                            return

    async def _news(self, waiting: Redis) -> AsyncIterator[list[StreamEvent] | Run | None]:
        """What there is to be told: events, None while nothing comes, the run itself once it is over without an end."""
        position, looked = "0", -math.inf
        over: Run | None = None
        while True:
            milliseconds = SOON_MILLISECONDS if looked == -math.inf or over is not None else WAIT_MILLISECONDS
            read, now = await self._read(waiting, position, milliseconds), time.monotonic()
            if read:
                position, looked = read[-1].event_id, now
                yield read
                continue
            if over is not None:
                yield over
                return
            is_up = read is not None
            if now - looked >= (HEARTBEAT_SECONDS if is_up else BLIND_SECONDS):
                try:
                    over, looked = await run_in_threadpool(self._if_over), now
                except OperationalError:
                    looked = now  # the database is away; whoever follows waits with the run
                if over is not None:
                    continue  # and look once more: its last steps may have come in between
                yield None
            if not is_up:
                await asyncio.sleep(BLIND_SECONDS)

    @property
    def _names(self) -> set[str]:
        """What the reader hears of. A guest hears how far a run is, and not what is said in it."""
        names = {EVENT_NAMES[mode] for mode in self.modes}
        return (names if self.own else names - {"messages", "custom"}) | {"error"}

    def _hears_of(self, name: str, event_id: str) -> bool:
        is_new = not self.after or _number(event_id) > _number(self.after)
        return name == "end" or (is_new and name in self._names)

    async def _read(self, waiting: Redis, position: str, milliseconds: int) -> list[StreamEvent] | None:
        """What has come after a position; None where Redis does not answer."""
        try:
            return await self.service.stream.read_for_clients(waiting, self.run_id, position, milliseconds)
        except RedisError:
            return None

    async def _shown(self, name: str, data: Any) -> Any:
        """An event for the eyes of the caller."""
        if name == "end":
            return data | {"status": RUN_STATUSES[RunStatus(data["status"])]}
        key = "interrupts" if name == "tasks" else INTERRUPT
        if name in ("values", "updates", "tasks") and data.get(key):
            return await run_in_threadpool(self._asked, data, key)
        return data if self.own or name == "error" else cut_event(name, data)

    def _asked(self, data: dict[str, Any], key: str) -> dict[str, Any]:
        """Values or a step with the question that the thread waits for."""
        with self.service.database.transaction() as session:
            access, _ = run_seen_by(session, self.caller, self.thread_id, self.run_id)
            told = data if access.own or key == "interrupts" else cut_for_guests(data)
            return told | {key: questions(session, self.caller, access, data[key])}

    def _if_over(self) -> Run | None:
        """The run once it is over. Raises NotFoundError for whoever may not see it any more."""
        with self.service.database.transaction() as session:
            if principal_of(session, self.caller.user_id) is None:
                raise NotFoundError("unknown_run", "there is no such run", "sign in again")
            _, run = run_seen_by(session, self.caller, self.thread_id, self.run_id)
            return None if run.status in ACTIVE else run

    def _last_events(self, run: Run) -> list[Event]:
        """How a run ended, from the database: its news were not kept, or never came."""
        events = []
        if "values" in self._names and not self.after:
            events.append(Event("values", self._final_values()))
        if run.error is not None:
            events.append(Event("error", {"error": "RunFailed", "message": run.error}))
        return [*events, Event("end", {"run_id": str(run.run_id), "status": RUN_STATUSES[run.status]})]

    def _final_values(self) -> dict[str, Any]:
        snapshot = self.service.driver.state(self.thread_id)
        with self.service.database.transaction() as session:
            access, _ = run_seen_by(session, self.caller, self.thread_id, self.run_id)
            state = state_shape(session, self.caller, access, snapshot)
        waits: Mapping[str, Any] = {INTERRUPT: state["interrupts"]} if state["interrupts"] else {}
        return {**state["values"], **waits}


async def frames(reader: Reader) -> AsyncIterator[str]:
    """The stream on the wire. It ends without a word for whoever may not see it any more."""
    try:
        async for event in reader.events():
            yield event.frame()
    except NotFoundError:
        return


async def outcome(reader: Reader) -> AsyncIterator[str]:
    """What a run comes to, as one JSON document, after as many blank lines as the waiting takes."""
    values: dict[str, Any] = {}
    async for event in reader.events():
        match event.name:
            case "":
                yield "\n"
            case "values":
                values = event.data
            case "error":
                values = {"__error__": event.data}
    yield json.dumps(values)


def _number(event_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = event_id.partition("-")
    return int(milliseconds), int(sequence)
