"""How many requests an ERP gets in a second. A place is taken where a request goes out, whatever call it belongs to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tools.ports import ErpNoTurnError


class Pace:
    """The requests of one process to one ERP, spread evenly over the second. Safe in many threads.

    A thread may reserve several: it waits until as many would have gone out, and sends them
    in a row then. So in any number of seconds there are as many as the rate admits, and
    besides them at most what was reserved. `clock` counts seconds and `sleep` waits for some.
    """

    def __init__(
        self,
        per_second_max: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_second_max = per_second_max
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next_at = clock()
        self._mine = threading.local()

    @contextmanager
    def reserved(self, requests: int, wait_seconds_max: float) -> Iterator[None]:
        """Wait for the places of so many requests, and keep them: those that this thread sends inside begin at once.

        Raises ErpNoTurnError where the first of them takes too long to come. Places that
        are not used are given back, except for one: asking counts, whether or not it came to a request.
        """
        self._wait(requests, wait_seconds_max)
        self._mine.left = requests
        try:
            yield
        finally:
            unused = min(self._mine.left, requests - 1)
            self._mine.left = 0
            with self._lock:
                self._next_at -= unused / self._per_second_max

    def take(self) -> None:
        """Take a place for a request: one that this thread has reserved, or else the next one, however long that takes.

        What has begun goes on: half a conversation with an ERP helps nobody.
        """
        left = getattr(self._mine, "left", 0)
        if left:
            self._mine.left = left - 1
        else:
            self._wait(1)

    def _wait(self, requests: int, wait_seconds_max: float | None = None) -> None:
        """Wait for the last of so many places. Those of the silence before count as well."""
        spread = (requests - 1) / self._per_second_max
        with self._lock:
            now = self._clock()
            first = max(self._next_at, now - spread)
            if wait_seconds_max is not None and first - now > wait_seconds_max:
                raise ErpNoTurnError(f"the ERP is asked {self._per_second_max:g} times a second, and no more")
            self._next_at = first + spread + 1 / self._per_second_max
        if first + spread > now:
            self._sleep(first + spread - now)
