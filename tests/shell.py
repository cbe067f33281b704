"""Evenkeel at a shell: commands in this process on a test's database, and services in processes of their own."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest

from app.cli import main
from app.settings import settings
from tests.installation import until
from tests.logs import log_plainly

ROOT = Path(__file__).parents[1]
_OURS = ("DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")


@dataclass(frozen=True)
class Said:
    """What a command left behind: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it has to be."""
        return json.loads(self.out)


class Shell:
    """Runs commands in this process, as `evenkeel` would, under an environment of its own."""

    def __init__(
        self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment: dict[str, str]
    ) -> None:
        self._patch = patch
        self._capsys = capsys
        self._environment = environment

    def __call__(self, *arguments: object, token: str | None = None, **environment: str) -> Said:
        """One command, in the name of the token's owner."""
        said = [str(each) for each in arguments]
        more = {"EVENKEEL_TOKEN": token} if token else {}
        self._capsys.readouterr()
        with self._patch.context() as patch:
            for name in set(os.environ) - set(without_ours()):
                patch.delenv(name)
            for name, value in (self._environment | more | environment).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["evenkeel", *said])
            settings.cache_clear()
            try:
                main()
                status = 0
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
            finally:
                settings.cache_clear()
                # The command logged to a standard error that is gone after this test.
                log_plainly()
                logging.getLogger("dbos").handlers.clear()
        printed = self._capsys.readouterr()
        return Said(status, printed.out, printed.err)


def without_ours() -> dict[str, str]:
    """The environment without anything that Evenkeel reads."""
    return {name: value for name, value in os.environ.items() if name not in _OURS and not name.startswith("EVENKEEL_")}


def run(*arguments: object, **environment: str) -> Said:
    """One command in a process of its own."""
    done = subprocess.run(
        _command(arguments), cwd=ROOT, env=without_ours() | environment, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


class Serving:
    """A service in a process of its own, and where it answers."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.address = address

    def get(self, path: str, token: str | None = None) -> Any:
        """The JSON that a path answers with, whatever its status."""
        return json.loads(self.text(path, token))

    def text(self, path: str, token: str | None = None) -> str:
        """What a path answers with, whatever its status."""
        request = urllib.request.Request(self.address + path)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refused:
            return refused.read().decode()

    def kill(self) -> Said:
        """End it without a warning."""
        return self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> Said:
        """End it by a signal, and say how it went."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return Said(self.process.returncode, out, err)


@contextmanager
def serving(*arguments: str, command: str = "serve", **environment: str) -> Iterator[Serving]:
    """`evenkeel serve` on a free port, once it answers. Killed at the end, if it still runs.

    What it keeps in files is gone then, unless the environment names a place.
    """
    port = free_port()
    with TemporaryDirectory() as files:
        process = subprocess.Popen(
            _command((command, "--port", port, *arguments)), cwd=ROOT, text=True,
            env=without_ours() | {"EVENKEEL_DATA": files} | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        service = Serving(process, f"http://127.0.0.1:{port}")

        def answers() -> bool:
            assert process.poll() is None, process.communicate()
            try:
                return service.get("/healthz") == {"status": "alive"}
            except OSError:
                return False

        try:
            until("the service", answers, 120)
            yield service
        finally:
            process.kill()
            process.communicate()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])


def lives(pid: int) -> bool:
    """Whether a process runs. One that ended and was not buried yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _command(arguments: Sequence[object]) -> tuple[str, ...]:
    return (sys.executable, "-m", "app", *(str(each) for each in arguments))
