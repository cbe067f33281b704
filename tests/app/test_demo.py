"""The demo: the main job with two scripted people, the same for a seed, and set up once however often it is started."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.auth.people import sign_in
from app.db.database import database_now
from app.demo import PEOPLE, Sample, _own_directory, prepare
from app.service import Service
from app.settings import settings
from app.stock.installation import installation, planning_now
from evals.databases import Servers
from tests.installation import a_network, orders, waiting
from tests.shell import Said, Shell, without_ours
from tools.network_folder import write_network

SAMPLE = Sample(folder=None, sites=6, skus=12, seed=7)
TABLES = (
    "person", "access_token", "network_import", "ledger_event", "approval_request", "plan", "thread", "run",
    "transfer_order", "signal",
)  # fmt: skip


def quietly(_: str) -> None:
    """What a demo says to nobody."""


def counts(service: Service) -> dict[str, int]:
    """How many rows the tables hold that a demo fills."""
    with service.database.engine.connect() as connection:
        return {table: connection.execute(text(f"select count(*) from {table}")).scalar_one() for table in TABLES}


@pytest.fixture
def main_job(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Said]:
    """`evenkeel demo --once` on an empty database."""

    def done(*arguments: object) -> Said:
        with servers.fresh_database() as url:
            environment = {"DATABASE_URL": url, "REDIS_URL": servers.redis_url, "EVENKEEL_DATA": str(tmp_path / "data")}
            shell = Shell(monkeypatch, capsys, environment)
            return shell("demo", "--once", *arguments)

    return done


def test_the_main_job_is_told_as_one_document_and_is_the_same_for_a_seed(main_job: Callable[..., Said]) -> None:
    size = ("--sites", SAMPLE.sites, "--skus", SAMPLE.skus, "--seed", SAMPLE.seed, "--json")
    first, second = main_job(*size), main_job(*size)
    assert (first.status, first.err) == (0, "")
    told, again = first.document, second.document
    # How long planning took is the one thing that differs.
    assert told.pop("planning_seconds") > 0 < again.pop("planning_seconds")
    assert told == again

    assert (told["sites"], told["skus"]) == (SAMPLE.sites, SAMPLE.skus)
    assert {"shortage", "surplus"} <= set(told["imbalances"])
    assert {
        "digest", "lines", "units", "lanes", "status", "gap", "expected_saving", "transfer_cost"
    } <= set(told["plan"])  # fmt: skip
    assert told["plan"]["lines"] >= 1
    assert told["decision"] == {"approver": "ada", "digest": told["plan"]["digest"]}
    assert told["orders"] == {"posted": told["plan"]["lines"], "received": told["plan"]["lines"]}
    assert told["ledger"]["verified"] is True
    assert told["expected_fill_rate"]["before"] < told["expected_fill_rate"]["after"] <= 1


def test_the_main_job_is_told_in_words_on_a_network_of_ones_own(main_job: Callable[..., Said], tmp_path: Path) -> None:
    for name, content in write_network(a_network()).items():
        (tmp_path / name).write_bytes(content)
    said = main_job("--network", tmp_path)
    assert (said.status, said.err) == (0, "")
    for words in ("3 sites, 2 SKUs", "ada: plan", "2 transfer orders posted, 2 received", "everything fits"):
        assert words in said.out


def test_a_network_where_nothing_pays_ends_the_job_without_a_decision(
    main_job: Callable[..., Said], tmp_path: Path
) -> None:
    for name, content in write_network(a_network({("S1", "P1"): 45, ("S2", "P1"): 45})).items():
        (tmp_path / name).write_bytes(content)
    told = main_job("--network", tmp_path, "--json").document
    assert (told["decision"], told["orders"]) == (None, {"posted": 0, "received": 0})
    assert told["ledger"]["verified"] is True


def test_a_folder_that_cannot_be_imported_ends_the_job_with_its_faults(
    main_job: Callable[..., Said], tmp_path: Path
) -> None:
    refused = main_job("--network", tmp_path / "none", "--json")
    assert (refused.status, refused.document["error"]) == (1, "import_refused")


def test_started_twice_a_demo_repeats_and_doubles_nothing(service: Service) -> None:
    told: list[str] = []
    first = prepare(service, SAMPLE, told.append)
    before, queue = counts(service), [row.approval_id for row in waiting(service)]
    assert set(first) == set(PEOPLE)
    assert len(queue) == 1
    assert orders(service) == []

    assert prepare(service, SAMPLE, told.append) == {}
    assert counts(service) == before
    assert [row.approval_id for row in waiting(service)] == queue
    assert "known already" in told[-2]
    assert told[-1] == "scanned before; see the queue"


def test_the_stock_of_a_demo_is_of_its_first_morning_and_stays_so(service: Service) -> None:
    prepare(service, SAMPLE, quietly)
    with service.database.transaction() as session:
        first, now = planning_now(session), database_now(session)
    assert timedelta(0) <= now - first < timedelta(days=1)
    assert (first.hour, first.minute, first.second) == (6, 0, 0)

    earlier = first - timedelta(days=3)
    with service.database.transaction() as session:
        installation(session).pinned_now = earlier
    prepare(service, SAMPLE, quietly)
    with service.database.transaction() as session:
        assert planning_now(session) == earlier


def test_the_tokens_of_a_demo_work_and_belong_to_the_roles_that_are_told(service: Service) -> None:
    tokens = prepare(service, Sample(folder=None, sites=2, skus=1, seed=1), quietly)
    with service.database.transaction() as session:
        for user_id, (role, token) in tokens.items():
            signed_in = sign_in(session, token)
            assert (signed_in.user_id, signed_in.roles) == (user_id, {role})


def test_without_a_directory_named_the_main_job_works_in_one_of_its_own_that_goes_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in set(os.environ) - set(without_ours()):
        monkeypatch.delenv(name)
    settings.cache_clear()
    with _own_directory() as chosen:
        assert chosen.data_dir != settings().data_dir
        assert chosen.data_dir.parent.is_dir()
    assert not chosen.data_dir.parent.exists()

    monkeypatch.setenv("EVENKEEL_DATA", "named")
    settings.cache_clear()
    with _own_directory() as chosen:
        assert chosen.data == Path("named")
    settings.cache_clear()
