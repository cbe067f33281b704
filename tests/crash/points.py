"""Points at which a process can die: every commit, every checkpoint, every word with the ERP; and every single write.

The product knows nothing of this. The points are found by watching the database
driver, LangGraph's saver, the ERP and what goes out from outside, so new code is
covered by itself. A commit is named by what it makes durable.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from langgraph.checkpoint.postgres import PostgresSaver
from sqlalchemy import Connection, Engine, event

from app.erp.built_in import BuiltInErp
from app.erp.rest import RestErp
from app.outbound import Outbound

_WRITES = ("insert", "update", "delete", "select outcome, event_seq", "select dbos.enqueue_workflow")
_WATCHED = (
    (PostgresSaver, "put"), (PostgresSaver, "put_writes"), (BuiltInErp, "find"), (BuiltInErp, "create"),
    (RestErp, "find"), (RestErp, "create"), (Outbound, "send"),
)  # fmt: skip
_NAME_CHARACTERS = 60
_OF_THE_ENGINE = re.compile(r"(?i)^(insert into|update|delete from) dbos\.")
"""What is durable after such a commit is what is durable before the next one; it is a point only among single writes."""


class Points:
    """Counts points once armed, and kills the process at the one that was chosen (0: at none).

    `writes`: single statements are points too, and not only what makes them durable.
    """

    def __init__(self, kill_at: int, *, writes: bool) -> None:
        self.names: list[str] = []
        self.armed = False
        self._kill_at = kill_at
        self._writes = writes
        self._lock = threading.Lock()
        self._wrote: WeakKeyDictionary[psycopg.Connection, str] = WeakKeyDictionary()
        """What a transaction under way wrote first."""

    def pass_by(self, name: str) -> None:
        """Note a point; perhaps it is the last one."""
        if not self.armed:
            return
        with self._lock:
            self.names.append(name)
            if len(self.names) == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Watch this process from now on."""
        event.listen(Engine, "before_cursor_execute", self._before_execute)
        around: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
            (psycopg.Connection, "execute", self._around_driver), (Connection, "_commit_impl", self._around_commit),
            *((owner, method, partial(self._around, f"{owner.__name__}.{method}")) for owner, method in _WATCHED),
        )  # fmt: skip
        for owner, method, watched in around:
            setattr(owner, method, watched(getattr(owner, method)))

    def _before_execute(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        self._writing(connection.connection.driver_connection, statement)

    def _around_driver(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        def watched(driver: psycopg.Connection, statement: Any, *args: Any, **kwargs: Any) -> Any:
            self._writing(driver, str(statement))
            return execute(driver, statement, *args, **kwargs)

        return watched

    def _writing(self, driver: Any, statement: str) -> None:
        words = " ".join(statement.split())
        if words.lower().startswith(_WRITES):
            self._wrote.setdefault(driver, words[:_NAME_CHARACTERS])
            if self._writes:
                self.pass_by(words[:_NAME_CHARACTERS])

    def _around_commit(self, commit: Callable[[Connection], None]) -> Callable[[Connection], None]:
        def watched(connection: Connection) -> None:
            driver: Any = connection.connection.driver_connection
            wrote = self._wrote.pop(driver, None)
            if wrote is None:
                return commit(connection)
            self.pass_by(f"commit of {wrote}")
            commit(connection)
            if self._writes or not _OF_THE_ENGINE.search(wrote):
                self.pass_by(f"committed {wrote}")
            return None

        return watched

    def _around(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.pass_by(f"before {name}")
            result = method(*args, **kwargs)
            self.pass_by(f"after {name}")
            return result

        return watched
