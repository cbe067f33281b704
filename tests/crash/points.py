"""Points at which a process can die: every write, every commit of a write, every checkpoint, every word with the ERP.

The product knows nothing of this. The points are found by watching the database
driver, LangGraph's saver and the ERP from outside, so new code is covered by itself.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from langgraph.checkpoint.postgres import PostgresSaver
from sqlalchemy import Connection, Engine, event

from app.erp.simulated import SimulatedErp

_WRITES = ("insert", "update", "delete", "select outcome, event_seq", "select dbos.enqueue_workflow")


class Points:
    """Counts points once armed, and kills the process at the one that was chosen (0: at none)."""

    def __init__(self, kill_at: int) -> None:
        self.names: list[str] = []
        self.armed = False
        self._kill_at = kill_at
        self._lock = threading.Lock()

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
        event.listen(Engine, "commit", self._before_commit)
        for owner, method in (
            (PostgresSaver, "put"),
            (PostgresSaver, "put_writes"),
            (SimulatedErp, "find"),
            (SimulatedErp, "create"),
            (SimulatedErp, "_apply"),
        ):
            setattr(owner, method, self._around(f"{owner.__name__}.{method}", getattr(owner, method)))

    def _before_execute(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        words = " ".join(statement.split())
        if words.lower().startswith(_WRITES):
            connection.info["wrote"] = True
            self.pass_by(words[:60])

    def _before_commit(self, connection: Connection) -> None:
        if connection.info.pop("wrote", False):
            self.pass_by("commit")

    def _around(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.pass_by(f"before {name}")
            result = method(*args, **kwargs)
            self.pass_by(f"after {name}")
            return result

        return watched
