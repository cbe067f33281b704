"""Bounds on what comes in over HTTP: the size of a body, and how much one caller may ask for."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar
from uuid import uuid4

from fastapi import HTTPException  # its own kind: FastAPI takes any other for a body that cannot be parsed
from redis import Redis
from redis.exceptions import RedisError
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog import get_logger

from app.errors import TooManyError

BODY_BYTES_MAX = 16 * 1024 * 1024
MINUTE_SECONDS = 60
SOLVING_SECONDS_MAX = 900
"""A call that solves is thought of as over after this long: its process has died."""
SOLVING_RETRY_SECONDS = 5
_log = get_logger(__name__)
_Said = TypeVar("_Said")


class BodyLimit:
    """Refuses a body beyond the limit while it arrives, whatever its headers promise."""

    def __init__(self, app: ASGIApp, upload_path: str, upload_bytes_max: int) -> None:
        self._app = app
        self._upload_path = upload_path
        self._upload_bytes_max = upload_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes of a request's body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._upload_bytes_max if scope["path"] == self._upload_path else BODY_BYTES_MAX
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413, f"the body has more than {limit:,} bytes")
            return message

        await self._app(scope, counted, send)


class CallerLimits:
    """How much one caller may ask of a door: calls in a minute, and calls at once that solve.

    All processes of the installation count together in Redis. While there is none, each
    counts for itself, and lets a caller solve one thing at a time.
    """

    def __init__(self, redis: Redis, door: str, calls_per_minute_max: int, solving_max: int) -> None:
        self._redis = redis
        self._key = f"limit:{hashlib.sha256(door.encode()).hexdigest()[:32]}"
        self._calls_per_minute_max = calls_per_minute_max
        self._solving_max = solving_max
        self._own_lock = Lock()
        self._own_calls: dict[str, tuple[float, int]] = {}
        self._own_solving: set[str] = set()

    def count_call(self, user_id: str) -> None:
        """Note a call. Raises TooManyError for one too many in the minute that the caller's first one has begun."""
        calls, seconds = self._shared(lambda: self._count(user_id), lambda: self._count_alone(user_id))
        if calls > self._calls_per_minute_max:
            raise TooManyError(
                "too_many_calls", f"{user_id} has made {self._calls_per_minute_max} calls within a minute",
                f"call again in {seconds} seconds", retry_after_seconds=seconds,
            )  # fmt: skip

    @contextmanager
    def solving(self, user_id: str) -> Iterator[None]:
        """Hold one of the caller's places for calls that solve. Raises TooManyError while all are taken."""
        give_back = self._shared(lambda: self._take_place(user_id), lambda: self._take_own_place(user_id))
        if give_back is None:
            raise TooManyError(
                "too_many_solving", f"{user_id} already has as many calls under way that solve as one caller may have",
                f"wait for an answer to one of them, and call again in {SOLVING_RETRY_SECONDS} seconds",
                retry_after_seconds=SOLVING_RETRY_SECONDS,
            )  # fmt: skip
        try:
            yield
        finally:
            give_back()

    def _shared(self, count: Callable[[], _Said], count_alone: Callable[[], _Said]) -> _Said:
        try:
            return count()
        except RedisError as down:
            _log.warning("caller_limits_alone", reason=str(down))
            with self._own_lock:
                return count_alone()

    def _count(self, user_id: str) -> tuple[int, int]:
        """How many calls in the caller's minute with this one, and how many seconds of it are left."""
        key = f"{self._key}:calls:{user_id}"
        pipe = self._redis.pipeline()
        pipe.set(key, 0, ex=MINUTE_SECONDS, nx=True)
        pipe.incr(key)
        pipe.ttl(key)
        _, calls, seconds = pipe.execute()
        return int(calls), max(1, int(seconds))

    def _count_alone(self, user_id: str) -> tuple[int, int]:
        now = time.monotonic()
        self._own_calls = {each: seen for each, seen in self._own_calls.items() if now - seen[0] < MINUTE_SECONDS}
        began, calls = self._own_calls.get(user_id, (now, 0))
        self._own_calls[user_id] = (began, calls + 1)
        return calls + 1, max(1, round(began + MINUTE_SECONDS - now))

    def _take_place(self, user_id: str) -> Callable[[], None] | None:
        key, place = f"{self._key}:solving:{user_id}", uuid4().hex
        now = int(self._redis.time()[0])
        pipe = self._redis.pipeline()
        pipe.zremrangebyscore(key, "-inf", now - SOLVING_SECONDS_MAX)
        pipe.zadd(key, {place: now})
        pipe.zcard(key)
        pipe.expire(key, SOLVING_SECONDS_MAX)
        taken = int(pipe.execute()[2])

        def give_back() -> None:
            try:
                self._redis.zrem(key, place)
            except RedisError as down:  # the place is free again when its time is over
                _log.warning("caller_limits_alone", reason=str(down))

        if taken > self._solving_max:
            give_back()
            return None
        return give_back

    def _take_own_place(self, user_id: str) -> Callable[[], None] | None:
        if user_id in self._own_solving:
            return None
        self._own_solving.add(user_id)
        return lambda: self._own_solving.discard(user_id)
