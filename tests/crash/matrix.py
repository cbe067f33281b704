"""The crash matrix: a decision carried out by workers that are killed where one says, and what must hold afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pydantic import SecretStr
from sqlalchemy import text
from sqlmodel import Session, select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.db.database import Database
from app.ledger.verify import verify
from app.orders.tables import TransferOrder
from app.service import open_service
from app.settings import Settings
from evals.databases import Servers
from tests.crash.warmth import PREFIX
from tests.installation import submitted
from tools.execution import OrderState

ROOT = Path(__file__).parents[2]
ERPS = ("built-in", "rest")
"""The built-in ledger, and an ERP with bad days behind the generic REST adapter."""
WORKERS_MAX = 8


@dataclass(frozen=True)
class World:
    """One scenario's database, directory and ERP."""

    database_url: str
    directory: Path
    erp_url: str | None


class Matrix:
    """Runs scenarios, each in a world of its own that is gone afterwards."""

    def __init__(
        self, servers: Servers, prepared: str, directory: Path, erp_url: str, zygote: subprocess.Popen[str]
    ) -> None:
        self._servers, self._prepared, self._directory = servers, prepared, directory
        self._erp_url, self._zygote = erp_url, zygote

    def trace(self, erp: str, *, writes: bool) -> list[str]:
        """Every point that an undisturbed worker passes, in order."""
        with self._world(erp) as world:
            assert self._work(world, 0, writes=writes) == 0, "the undisturbed worker has failed"
            check_at_the_end(world)
            found: list[str] = json.loads((world.directory / "points.json").read_text(encoding="utf-8"))
            return found

    def kill(self, erp: str, kills: Sequence[int], *, writes: bool) -> int:
        """Kill the first worker at the first point, the one that comes after it at the second, and so on; then let it end.

        Checked after each kill, before anybody recovers, and at the end. Returns how many
        were killed: a worker may come to its end before its point.
        """
        with self._world(erp) as world:
            killed, ended = 0, False
            for number, point in enumerate(kills):
                status = self._work(world, point, writes=writes, again=number > 0)
                ended = status == 0
                died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
                assert ended or died, f"worker {number + 1} has failed with {status}"
                killed += died
                check_at_once(world)
            left = WORKERS_MAX
            while not ended and left:
                ended, left = self._work(world, 0, writes=writes, again=True) == 0, left - 1
            assert ended, f"the work does not recover in {WORKERS_MAX} starts"
            check_at_the_end(world)
            return killed

    def warm(self) -> None:
        """Let the zygote do everything once by itself."""
        with self._world("rest") as world:
            assert self._say(world, 0, writes=False, again=False) == "ready\n"

    @contextmanager
    def _world(self, erp: str) -> Iterator[World]:
        name = f"{PREFIX}{uuid4().hex}"
        directory = self._directory / name
        directory.mkdir()
        with self._servers.database(name, self._prepared) as url:
            yield World(url, directory, f"{self._erp_url}/{name}" if erp == "rest" else None)

    def _work(self, world: World, kill_at: int, *, writes: bool, again: bool = False) -> int:
        return int(self._say(world, kill_at, writes=writes, again=again))

    def _say(self, world: World, kill_at: int, *, writes: bool, again: bool) -> str:
        scenario = {
            "database_url": world.database_url, "redis_url": self._servers.redis_url, "directory": str(world.directory),
            "erp_url": world.erp_url, "kill_at": kill_at, "writes": writes, "again": again,
        }  # fmt: skip
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(scenario) + "\n")
        self._zygote.stdin.flush()
        return self._zygote.stdout.readline()


@contextmanager
def matrix(servers: Servers, directory: Path, seed: str = "0") -> Iterator[Matrix]:
    """A matrix over a plan that waits for its decision; its ERP and its zygote end with it."""
    servers.admin("alter system set fsync = off")  # a kill of a process loses nothing that the kernel has
    servers.admin("select pg_reload_conf()")
    name = f"prepared_{uuid4().hex}"
    with ExitStack() as stack:
        url = stack.enter_context(servers.database(name))
        settings = Settings(data=directory, DATABASE_URL=SecretStr(url), REDIS_URL=SecretStr(servers.redis_url))
        with open_service(settings) as service:
            submitted(service)
        erp = stack.enter_context(_child("tests.crash.bad_days", str(directory), seed))
        assert erp.stdout is not None
        erp_url = erp.stdout.readline().strip()
        zygote = stack.enter_context(_child("tests.crash.zygote"))
        opened = Matrix(servers, name, directory, erp_url, zygote)
        opened.warm()
        yield opened


def check_at_once(world: World) -> None:
    """Right after a kill, before any recovery: a decision has all its reservations, orders and work, or nothing has happened."""
    with _books(world) as database:
        with database.transaction() as session:
            request = session.exec(select(ApprovalRequest)).one()
            approved = request.status is ApprovalStatus.APPROVED
            released = _count(session, "select count(*) from transfer_order")
            promised = _count(session, "select count(*) from ledger_event where type = 'transfer_reserved'")
            held = _count(
                session,
                "select (select coalesce(sum(units), 0) from transfer_order where reserved) - (select"
                " coalesce(sum(units), 0) from balance where place like '%/reserved')",
            )
            work = _count(session, "select count(*) from dbos.workflow_status where name = 'resume_thread'")
        assert released == promised == (request.lines if approved else 0)
        assert held == 0, "what orders hold is not what is reserved"
        assert work == (1 if approved else 0)
        assert verify(database).problems == ()
    if world.erp_url is not None:
        assert set(_effects(world.erp_url, then_deliver=False).values()) <= {1}


def check_at_the_end(world: World) -> None:
    """Each approved transfer posted exactly once, everything received, nothing reserved that should not be."""
    with _books(world) as database:
        with database.transaction() as session:
            orders = session.exec(select(TransferOrder)).all()
            events = dict(
                session.connection().execute(text("select type, count(*) from ledger_event group by type")).all()
            )
            held = _count(
                session,
                "select count(*) from balance where units <> 0 and (place like '%/reserved' or place like 'transit/%')",
            )
            built_in = _count(session, "select count(*) from built_in_transfer")
        assert orders
        assert {order.state for order in orders} == {OrderState.CLOSED}
        assert events["transfer_reserved"] == events["transfer_posted"] == events["transfer_received"] == len(orders)
        assert held == 0, "a reservation or goods in transit are left over"
        assert verify(database).problems == ()
    if world.erp_url is None:
        assert built_in == len(orders)
    else:
        assert _effects(world.erp_url, then_deliver=True) == {str(order.transfer_id): 1 for order in orders}


def _effects(erp_url: str, *, then_deliver: bool) -> dict[str, int]:
    """How often the ERP has made each transfer; at the end with everything that was still on its way to it."""
    found: dict[str, int] = {}
    for verb in ("delivered",) * then_deliver + ("effects",):
        with urllib.request.urlopen(f"{erp_url}/{verb}", timeout=30) as answer:
            found = json.load(answer)
    return found


@contextmanager
def _books(world: World) -> Iterator[Database]:
    database = Database(world.database_url)
    try:
        yield database
    finally:
        database.close()


def _count(session: Session, query: str) -> int:
    return int(session.connection().execute(text(query)).scalar_one())


@contextmanager
def _child(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A module in a process of its own, which ends when its standard input does."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", module, *arguments], cwd=ROOT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        yield process
    finally:
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait(timeout=60)
