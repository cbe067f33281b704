"""What one ERP may be asked at once and in a second, and when it is left alone: around any adapter.

An ERP that is slow or down must not hold every worker of ours, and ours must not
hold it down. The limits are of one process; the runner of durable work is one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from app.erp.pace import Pace
from tools.ports import (
    ErpNotAskedError,
    ErpNoTurnError,
    ErpPort,
    ErpTransfer,
    ErpUncertainError,
    Refused,
    TransferContent,
)

T = TypeVar("T")
_PAUSE_SECONDS_MAX = 300.0
"""An ERP that asks to be left alone for longer is asked again all the same."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an ERP is asked: so many calls at once, and so many requests in a second.

    After `failures_max` calls in a row that ended in doubt it is left alone for
    `pause_seconds`, or for as long as it asked for; then one call tries. Whoever finds
    no room waits `wait_seconds_max` for it and is told then that its turn has not come.
    """

    at_once_max: int = 4
    per_second_max: float = 20.0
    failures_max: int = 5
    pause_seconds: float = 15.0
    wait_seconds_max: float = 10.0


class LimitedErp:
    """An `ErpPort` in front of another one. `clock` counts seconds and `sleep` waits for some.

    `pace` is what the requests of the other one take their places from; without it each
    call counts as one request. A post has the places of `post_requests_max` of them from
    its beginning; what it sends beyond waits for its place like any other request.
    """

    def __init__(
        self,
        erp: ErpPort,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        *,
        pace: Pace | None = None,
        post_requests_max: int = 1,
    ) -> None:
        self.erp = erp
        self._limits = limits
        self._clock = clock
        self._pace = Pace(limits.per_second_max, clock, sleep) if pace is None else pace
        self._post_requests_max = post_requests_max
        self._room = threading.BoundedSemaphore(limits.at_once_max)
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_until = clock()
        self._trying = False

    def find(self, reference: str) -> ErpTransfer | None:
        """As the ERP says, within the limits."""
        return self._within(lambda: self.erp.find(reference))

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        """As the ERP says, within the limits."""
        return self._within(lambda: self.erp.create(content))

    def cancel(self, reference: str) -> ErpTransfer | Refused:
        """As the ERP says, within the limits."""
        return self._within(lambda: self.erp.cancel(reference))

    def list_transfers(self, since: datetime) -> Sequence[ErpTransfer]:
        """As the ERP says, within the limits."""
        return self._within(lambda: self.erp.list_transfers(since))

    @property
    def is_left_alone(self) -> bool:
        """Whether the ERP is not asked at present."""
        with self._lock:
            return self._failures >= self._limits.failures_max and self._clock() < self._closed_until

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a post may begin, and keep the places of all its requests: what this thread asks inside begins at once.

        Raises ErpNoTurnError where that takes too long, and ErpNotAskedError where the ERP is left alone.
        """
        with self._begun(self._post_requests_max):
            self._mine.turn = True
            try:
                yield
            finally:
                self._mine.turn = False

    def _within(self, ask: Callable[[], T]) -> T:
        has_turn = getattr(self._mine, "turn", False)
        with nullcontext() if has_turn else self._begun(1), self._circuit():
            return ask()

    @contextmanager
    def _begun(self, requests: int) -> Iterator[None]:
        """One of the calls at once, with the places of so many requests; those that it sends beyond wait for theirs."""
        if self.is_left_alone:
            raise self._closed()
        with self._bulkhead(), self._pace.reserved(requests, self._limits.wait_seconds_max):
            yield

    @contextmanager
    def _bulkhead(self) -> Iterator[None]:
        if not self._room.acquire(timeout=self._limits.wait_seconds_max):
            raise ErpNoTurnError(f"{self._limits.at_once_max} calls to the ERP are under way, and none has ended")
        try:
            yield
        finally:
            self._room.release()

    @contextmanager
    def _circuit(self) -> Iterator[None]:
        probe = self._admit()
        try:
            yield
        except ErpUncertainError as doubt:
            self._note(doubt)
            raise
        finally:
            if probe:
                with self._lock:
                    self._trying = False
        self._note(None)

    def _admit(self) -> bool:
        """Let a call through, or raise ErpNotAskedError. True for the one call that tries after a pause."""
        with self._lock:
            if self._failures < self._limits.failures_max:
                return False
            if self._clock() < self._closed_until or self._trying:
                raise self._closed()
            self._trying = True
            return True

    def _closed(self) -> ErpNotAskedError:
        left = max(self._closed_until - self._clock(), 0.0)
        return ErpNotAskedError(f"the ERP gave no certain answer {self._failures} times and is left alone", left)

    def _note(self, doubt: ErpUncertainError | None) -> None:
        with self._lock:
            if doubt is None:
                self._failures = 0
                return
            wanted = doubt.retry_after_seconds or 0.0
            self._failures = max(self._failures + 1, self._limits.failures_max if wanted else 0)
            self._closed_until = self._clock() + min(max(self._limits.pause_seconds, wanted), _PAUSE_SECONDS_MAX)
