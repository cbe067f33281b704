"""The circuit breaker of a vendor's address: who has failed again and again is left alone for a while.

What it knows is one small value, changed by plain functions. All processes of an
installation share it through Redis; while there is no Redis, each has its own.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from redis import Redis
from redis.exceptions import RedisError
from structlog import get_logger

WAIT_SECONDS_MAX = 900
"""The longest that a vendor is left alone because it asked for it."""
_KEEP_SECONDS = 86_400
_log = get_logger(__name__)
_Said = TypeVar("_Said")


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """So many failures within the window, and the vendor is left alone for the pause."""

    failures_max: int
    window_seconds: float
    pause_seconds: float


@dataclass(frozen=True, slots=True)
class BreakerState:
    """When the vendor failed of late, until when it is left alone (0: it is not), and why. Instants are Unix seconds."""

    failed_at: tuple[float, ...] = ()
    alone_until: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """The vendor is not to be asked for so many seconds. The reason goes on from "it"."""

    why: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Admitted:
    """The vendor may be asked. After a pause it is a trial, for which the others wait until this instant (0: it is none)."""

    trial_until: float = 0.0


Change = tuple[BreakerState, _Said]


def admitted(state: BreakerState, rules: BreakerRules, now: float) -> Change[Admitted | LeftAlone]:
    """Whether the vendor may be asked. After a pause for repeated failures one caller tries, and the others wait on."""
    if not state.alone_until:
        return state, Admitted()
    left = min(state.alone_until - now, float(WAIT_SECONDS_MAX + rules.pause_seconds))
    if left > 0:
        return state, LeftAlone(state.why, left)
    if len(state.failed_at) < rules.failures_max:
        return replace(state, alone_until=0.0), Admitted()
    until = now + rules.pause_seconds
    return replace(state, alone_until=until), Admitted(until)


def after_failure(
    state: BreakerState, rules: BreakerRules, now: float, why: str, wait_seconds: float | None = None
) -> Change[LeftAlone | None]:
    """Note a failure; how long the vendor is left alone for it. `wait_seconds` is what the vendor itself asked for."""
    was_open = len(state.failed_at) >= rules.failures_max
    recent = [at for at in state.failed_at if was_open or now - at < rules.window_seconds]
    failed_at = (*recent, now)[-rules.failures_max :]
    pause = rules.pause_seconds if len(failed_at) >= rules.failures_max else 0
    wait = min(wait_seconds or 0, WAIT_SECONDS_MAX)
    seconds = max(pause, wait if wait >= 1 else 0)
    if not seconds:
        return replace(state, failed_at=failed_at, why=why), None
    return BreakerState(failed_at, now + seconds, why), LeftAlone(why, seconds)


def after_success() -> Change[None]:
    """Forget every failure."""
    return BreakerState(), None


def after_nothing(state: BreakerState, now: float, trial_until: float) -> Change[None]:
    """Let the next caller try where a trial has shown nothing. A pause or a trial of somebody else's stays."""
    return (replace(state, alone_until=now) if state.alone_until == trial_until else state), None


class Breaker:
    """The breaker of one address, for every process of the installation."""

    def __init__(self, redis: Redis, rules: BreakerRules, *address: str) -> None:
        self._redis = redis
        self._rules = rules
        self._key = f"llm:breaker:{hashlib.sha256('|'.join(address).encode()).hexdigest()[:32]}"
        self._own = BreakerState()
        self._lock = Lock()

    def admit(self) -> Admitted | LeftAlone:
        """Whether the vendor may be asked; otherwise for how long not, and why."""
        return self._change(lambda state, now: admitted(state, self._rules, now))

    def failed(self, why: str, wait_seconds: float | None = None) -> LeftAlone | None:
        """Note that the vendor failed; for how long it is left alone now, if it is."""
        return self._change(lambda state, now: after_failure(state, self._rules, now, why, wait_seconds))

    def succeeded(self) -> None:
        """Note that the vendor answered."""
        self._change(lambda _state, _now: after_success())

    def showed_nothing(self, admission: Admitted) -> None:
        """Note that asking showed neither that the vendor answers nor that it does not."""
        if admission.trial_until:
            self._change(lambda state, now: after_nothing(state, now, admission.trial_until))

    def look(self) -> LeftAlone | None:
        """Whether the vendor is left alone, for whoever only wants to know."""
        said = self._change(lambda state, now: (state, admitted(state, self._rules, now)[1]))
        return said if isinstance(said, LeftAlone) else None

    def _change(self, change: Callable[[BreakerState, float], Change[_Said]]) -> _Said:
        try:
            self._own, said = self._changed_for_all(change)
        except RedisError as down:
            _log.warning("llm_breaker_alone", reason=str(down))
            with self._lock:
                self._own, said = change(self._own, time.time())
        return said

    def _changed_for_all(self, change: Callable[[BreakerState, float], Change[_Said]]) -> Change[_Said]:
        """Change what all processes share, by the clock that they share. Who comes in between makes it start again."""

        def attempt(pipe: Any) -> Change[_Said]:
            seconds, microseconds = pipe.time()
            before = _read(pipe.get(self._key))
            after, said = change(before, seconds + microseconds / 1e6)
            pipe.multi()
            if after != before:
                pipe.set(self._key, _STATE.dump_json(after), ex=_KEEP_SECONDS)
            return after, said

        changed: Any = self._redis.transaction(attempt, self._key, value_from_callable=True)  # type: ignore[arg-type]  # its types know no value
        return cast("Change[_Said]", changed)


_STATE: TypeAdapter[BreakerState] = TypeAdapter(BreakerState)


def _read(stored: bytes | str | None) -> BreakerState:
    """The stored value; a new one where there is none, or one that another version wrote."""
    if stored is None:
        return BreakerState()
    try:
        return _STATE.validate_json(stored)
    except ValidationError as strange:
        _log.warning("llm_breaker_unreadable", faults=strange.error_count())
        return BreakerState()
