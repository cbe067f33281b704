"""What a run does, step by step, for whoever watches: a Redis stream per run. Never the truth, only the news."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import RedisError
from structlog import get_logger

EVENTS_MAX = 2_000
CLIENT_EVENTS_MAX = 20_000
"""Steps as clients of the LangGraph dialect hear of them: a run's tokens, each an event, and its values."""
KEEP_SECONDS = 3_600
WAIT_MILLISECONDS = 5_000
News = tuple[str, Mapping[str, object]]
"""What is to be told: a kind and its data."""
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One step of a run. The id is the stream's own and tells a reader where to go on; empty for a heartbeat."""

    event_id: str
    kind: str
    data: str


class RunStream:
    """The news of the runs of one service."""

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis = redis
        self._url = url

    def publish(self, run_id: UUID, kind: str, **data: object) -> None:
        """Add an event. Without Redis nobody can watch, and the run goes on."""
        self.tell(run_id, [(kind, data)], [])

    def tell(self, run_id: UUID, ours: Sequence[News], clients: Sequence[News]) -> None:
        """Add events of our own, and some for clients of the LangGraph dialect, who have a stream of their own."""
        try:
            pipe = self._redis.pipeline(transaction=False)
            _add(pipe, _key(run_id), ours, EVENTS_MAX)
            _add(pipe, _client_key(run_id), clients, CLIENT_EVENTS_MAX)
            pipe.execute()
        except RedisError as down:
            kinds = ", ".join(kind for kind, _ in (*ours, *clients))
            _log.warning("run_stream_down", run_id=str(run_id), kind=kinds, reason=str(down))

    def follow(self, run_id: UUID, after: str = "0") -> Iterator[StreamEvent]:
        """Events after the id `after`, as they come, up to and including `done`. Heartbeats while nothing comes."""
        last = after
        while True:
            events = self.read(run_id, last, WAIT_MILLISECONDS)
            if not events:
                yield StreamEvent("", "heartbeat", "")
            for event in events:
                last = event.event_id
                yield event
                if event.kind == "done":
                    return

    def read(self, run_id: UUID, after: str, wait_milliseconds: int | None = None) -> list[StreamEvent]:
        """The next events after the id `after`, at most 100; without any, it waits if it is told to."""
        return _events(self._redis.xread({_key(run_id): after}, count=100, block=wait_milliseconds))

    def connection_to_wait_on(self) -> AsyncRedis:
        """A connection for one reader, who waits on it without a thread and closes it. It is not made before it is used."""
        once = AsyncRetry(NoBackoff(), 0)
        return AsyncRedis.from_url(self._url, socket_timeout=15, socket_connect_timeout=2, retry=once)

    async def read_for_clients(
        self, waiting: AsyncRedis, run_id: UUID, after: str, milliseconds: int
    ) -> list[StreamEvent]:
        """The next events for clients of the LangGraph dialect, at most 500; waits so long for the first of them.

        Raises RedisError.
        """
        return _events(await waiting.xread({_client_key(run_id): after}, count=500, block=milliseconds))

    def forget(self, run_ids: Iterable[UUID]) -> None:
        """Drop the news of runs that are no more. Raises RedisError."""
        keys = [key for run_id in run_ids for key in (_key(run_id), _client_key(run_id))]
        if keys:
            self._redis.delete(*keys)


def _add(pipe: Pipeline, key: str, events: Sequence[News], events_max: int) -> None:
    for kind, data in events:
        pipe.xadd(key, {"kind": kind, "data": json.dumps(data)}, maxlen=events_max, approximate=True)
    if events:
        pipe.expire(key, KEEP_SECONDS)


def _key(run_id: UUID) -> str:
    return f"run:{run_id}:events"


def _client_key(run_id: UUID) -> str:
    return f"run:{run_id}:langgraph"


def _events(answer: object) -> list[StreamEvent]:
    return [StreamEvent(entry_id, fields["kind"], fields["data"]) for entry_id, fields in _entries(answer)]


def _entries(answer: object) -> list[tuple[str, dict[str, str]]]:
    """Entries of one stream. redis-py answers with a mapping or a list, by protocol version."""
    if not answer:
        return []
    streams = list(answer.values()) if isinstance(answer, dict) else [pair[1] for pair in answer]  # type: ignore[attr-defined]
    rows = streams[0]
    if rows and isinstance(rows[0], list) and rows[0] and isinstance(rows[0][0], (list, tuple)):
        rows = rows[0]
    return [(_str(entry_id), {_str(k): _str(v) for k, v in fields.items()}) for entry_id, fields in rows]


def _str(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
