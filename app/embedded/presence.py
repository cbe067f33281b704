"""Who uses an embedded server: a lock that the kernel takes back when a process dies.

Every user holds a shared lock on one file. Who can turn it into an exclusive lock
is alone and may stop the server. A process id in a file would survive `kill -9`
and be wrong; a lock does not.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Presence:
    """This process's share in a server."""

    def __init__(self, directory: Path, server: str) -> None:
        self._users = directory / f"{server}.users"
        self._gate = directory / f"{server}.gate"
        self._held: int | None = None

    @contextmanager
    def gate(self) -> Iterator[None]:
        """Only one process at a time starts or stops the server."""
        opened = os.open(self._gate, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
            yield
        finally:
            os.close(opened)

    def enter(self) -> None:
        """Become a user. Call inside the gate."""
        self._held = os.open(self._users, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._held, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Stop being a user; True when nobody else is one. Call inside the gate."""
        if self._held is None:
            return False
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        os.close(self._held)
        self._held = None
        return alone
