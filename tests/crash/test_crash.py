"""The service killed at point after point between decision and close: each transfer is posted once, nothing stays reserved."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlmodel import select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.db.database import Database
from app.erp.simulated import SimulatedErp
from app.ledger.verify import verify
from app.service import open_service
from app.settings import Settings
from tests.installation import orders, submitted
from tools.execution import OrderState

EVERY_POINT = bool(os.environ.get("EVENKEEL_CRASH_EVERYWHERE"))
PARTS = 8
POINTS_IN_CI = 12


@pytest.fixture(scope="module")
def zygote() -> Iterator[Callable[[dict[str, Any]], int]]:
    """Runs a scenario in a forked worker; returns its wait status."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.crash.zygote"],
        cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    def run(scenario: dict[str, Any]) -> int:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(scenario) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield run
    process.stdin.close()
    process.wait(timeout=30)


@pytest.fixture(scope="module")
def prepared(servers: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with a plan that waits for its decision, to be copied for each scenario."""
    database_url, redis_url = servers
    name = f"prepared_{uuid4().hex}"
    _admin(database_url, f"create database {name} template evenkeel_template")
    settings = Settings(
        data=tmp_path_factory.mktemp("prepared"),
        DATABASE_URL=SecretStr(_named(database_url, name)), REDIS_URL=SecretStr(redis_url),
    )  # fmt: skip
    with open_service(settings) as service:
        submitted(service)
    return name


@pytest.fixture(scope="module")
def points(
    zygote: Callable[[dict[str, Any]], int],
    prepared: str,
    servers: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[str]:
    """Every point that an undisturbed worker passes, in order."""
    directory = tmp_path_factory.mktemp("trace") / "run"
    scenario = _scenario(prepared, servers, directory)
    assert zygote({**scenario, "kill_at": 0}) == 0
    _check_at_the_end(scenario, directory)
    names: list[str] = json.loads((directory / "points.json").read_text(encoding="utf-8"))
    return names


def test_there_are_points_of_every_kind_to_die_at(points: list[str]) -> None:
    assert len(points) >= 60
    for kind in (
        "commit", "INSERT INTO decision", "INSERT INTO transfer_order", "select outcome, event_seq",
        "select dbos.enqueue_workflow", "before PostgresSaver.put", "after PostgresSaver.put_writes",
        "before SimulatedErp.create", "after SimulatedErp._apply", "after SimulatedErp.create", "INSERT INTO receipt",
        "INSERT INTO dbos.operation_outputs",
    ):  # fmt: skip
        assert any(name.startswith(kind) for name in points), kind


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_at_any_point_between_decision_and_close_loses_doubles_and_leaks_nothing(
    part: int,
    zygote: Callable[[dict[str, Any]], int],
    prepared: str,
    points: list[str],
    servers: tuple[str, str],
    tmp_path: Path,
) -> None:
    names = points
    chosen = range(1, len(names) + 1) if EVERY_POINT else _spread(len(names), POINTS_IN_CI)
    killed = 0
    for point in list(chosen)[part::PARTS]:
        directory = tmp_path / f"point-{point}"
        scenario = _scenario(prepared, servers, directory)
        status = zygote({**scenario, "kill_at": point})
        killed += os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        _check_at_once(scenario, directory)
        for _ in range(5):
            if zygote({**scenario, "kill_at": 0}) == 0:
                break
        else:
            pytest.fail(f"the work does not recover from a kill at point {point} ({names[point - 1]})")
        _check_at_the_end(scenario, directory)
        _admin(servers[0], f"drop database {make_url(scenario['database_url']).database} with (force)")
    assert killed


def _spread(count: int, wanted: int) -> list[int]:
    """So many points from first to last."""
    return sorted({1 + round(index * (count - 1) / (wanted - 1)) for index in range(wanted)})


def _scenario(prepared: str, servers: tuple[str, str], directory: Path) -> dict[str, Any]:
    directory.mkdir()
    name = f"crash_{uuid4().hex}"
    _admin(servers[0], f"create database {name} template {prepared}")
    return {"directory": str(directory), "database_url": _named(servers[0], name), "redis_url": servers[1]}


def _check_at_once(scenario: dict[str, Any], directory: Path) -> None:
    """Right after the kill, before any recovery: a decision has all its reservations and its work, or nothing has happened."""
    database = Database(scenario["database_url"])
    with database.transaction() as session:
        request = session.exec(select(ApprovalRequest)).one()
        rows = session.connection().execute(
            text("select count(*), count(*) filter (where reserved) from transfer_order")
        )
        released, _ = rows.one()
        work = (
            session.connection()
            .execute(text("select count(*) from dbos.workflow_status where name = 'resume_thread'"))
            .scalar_one()
        )
    approved = request.status is ApprovalStatus.APPROVED
    assert released == (request.lines if approved else 0)
    assert work == (1 if approved else 0)
    assert verify(database).problems == ()
    assert set(SimulatedErp(directory / "erp").applied().values()) <= {1}
    database.close()


def _check_at_the_end(scenario: dict[str, Any], directory: Path) -> None:
    """Each approved transfer posted exactly once, everything received, nothing reserved that should not be."""
    database = Database(scenario["database_url"])

    class _At:
        """As much of a service as `orders` needs."""

    _At.database = database  # type: ignore[attr-defined]
    found = orders(_At)  # type: ignore[arg-type]
    assert {order.state for order in found} == {OrderState.CLOSED}
    assert SimulatedErp(directory / "erp").applied() == {str(order.transfer_id): 1 for order in found}
    with database.transaction() as session:
        events = dict(session.connection().execute(text("select type, count(*) from ledger_event group by type")).all())
        held = (
            session.connection()
            .execute(
                text(
                    "select count(*) from balance where units <> 0 and (place like '%/reserved' or place like 'transit/%')"
                )
            )
            .scalar_one()
        )
    assert events["transfer_reserved"] == events["transfer_posted"] == events["transfer_received"] == len(found)
    assert held == 0
    assert verify(database).problems == ()
    database.close()


def _admin(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _named(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)
