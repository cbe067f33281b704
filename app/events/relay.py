"""The relay: in the process that carries out durable work, it brings events out and signals in, round after round.

In Redis it notes when it last went round, for every process to see.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from app.db.database import Database
from app.errors import EvenkeelError
from app.events.inbound_stream import take_signals
from app.events.redis_stream import publish
from app.events.webhooks import Webhooks
from app.ledger.tree import place
from app.outbound import Outbound

ROUND_SECONDS = 0.5
STOP_SECONDS_MAX = 15
LAST_ROUND = "evenkeel:relay"
LAST_ROUND_SECONDS_MAX = 86_400
"""So long is it known when the last round was. The note's age follows from what is left of that, by the clock of Redis alone."""
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round has done. `delivered` is what webhooks have taken since the round before."""

    published: int
    delivered: int
    received: int


class Relay:
    """Moves events and signals between the ledger and everybody else. Nothing of it is lost when it stops anywhere."""

    def __init__(self, database: Database, redis: Redis, outbound: Outbound) -> None:
        self._database = database
        self._redis = redis
        self._stopping = threading.Event()
        self._webhooks = Webhooks(database, outbound, self._stopping)
        self._thread: threading.Thread | None = None

    def start(self, is_on_duty: Callable[[], bool]) -> None:
        """Make a round again and again, while this process is on duty."""
        self._thread = threading.Thread(target=self._keep, args=(is_on_duty,), name="evenkeel-relay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the round and the deliveries under way, and stop."""
        self._stopping.set()
        ends = time.monotonic() + STOP_SECONDS_MAX
        if self._thread is not None:
            self._thread.join(STOP_SECONDS_MAX)
        self._webhooks.finish(max(ends - time.monotonic(), 0))

    def once(self) -> Round:
        """One round. What one of the ways cannot do now keeps none of the others from it; webhooks take their time besides."""
        with self._database.transaction() as session:
            size = place(session)
        return Round(
            published=self._tried("events_not_published", lambda: self._publish(size)),
            delivered=self._tried("webhooks_not_delivered", lambda: self._webhooks.begin(size)),
            received=self._tried("signals_not_taken", self._receive),
        )

    def _publish(self, size: int) -> int:
        with self._database.transaction() as session:
            return publish(session, self._redis, size)

    def _receive(self) -> int:
        self._redis.set(LAST_ROUND, b"", ex=LAST_ROUND_SECONDS_MAX)
        return take_signals(self._database, self._redis)

    def _tried(self, failure: str, part: Callable[[], int]) -> int:
        try:
            return part()
        except (RedisError, EvenkeelError, SQLAlchemyError) as failed:
            _log.warning(failure, reason=str(failed)[:200])
        except Exception:  # noqa: BLE001  it is logged, and tried again with the next round; the other ways go on
            _log.exception(failure)
        return 0

    def _keep(self, is_on_duty: Callable[[], bool]) -> None:
        while not self._stopping.wait(ROUND_SECONDS):
            try:
                if is_on_duty():
                    self.once()
            except SQLAlchemyError as outage:
                _log.warning("relay_waits_for_the_database", reason=type(outage).__name__)
            except Exception:  # noqa: BLE001  it is logged; without the thread nothing would come or go until a restart
                _log.exception("relay_round_failed")


def seconds_since_round(redis: Redis) -> int | None:
    """How long ago a relay, in whichever process, last went round; None when none did within a day. Raises redis.RedisError."""
    left: Any = redis.pttl(LAST_ROUND)
    return None if left < 0 else LAST_ROUND_SECONDS_MAX - left // 1_000
