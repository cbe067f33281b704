"""Who uses an embedded server, and whether it lives: locks that the kernel takes back when a process dies.

Every user holds a shared lock on one file. Who can turn it into an exclusive lock
is alone and may stop the server. The server inherits a lock on another file. A
process id in a file would survive `kill -9`, or a restart of the machine, and be
wrong; a lock does not.
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
        """Become a user, once. Call inside the gate."""
        if self._held is not None:
            return
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


class Life:
    """Whether the server lives, whoever started it and whatever became of them."""

    def __init__(self, directory: Path, server: str) -> None:
        self._file = directory / f"{server}.alive"

    def begin(self) -> int | None:
        """A lock for a new server to inherit, to be closed here once it has; None while a server lives."""
        lock = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def lasts(self) -> bool:
        """Whether a process of the server lives."""
        lock = self.begin()
        if lock is None:
            return True
        os.close(lock)
        return False
