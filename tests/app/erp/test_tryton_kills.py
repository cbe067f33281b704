"""Transfers into a real Tryton while the service and Tryton are killed: one shipment for each, and the same stock in both."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.erp.tryton import TrytonErp
from app.ledger.verify import verify
from app.orders.reconciling import follow, reconcile
from app.service import Service, open_service
from app.settings import Settings
from evals.databases import Servers
from tests.app.erp import tryton_server
from tests.app.erp.bench import TODAY
from tests.app.erp.benches import SHIPMENT, TrytonBench
from tests.app.erp.tryton_server import MOVED, TrytonServer
from tests.installation import approve, balances, orders, scan, settle_in, waiting
from tools.execution import OrderState
from tools.inventory import Replenishment
from tools.network_folder import ForecastRow, NetworkFolder

LONG = bool(os.environ.get("EVENKEEL_ERP_LONG"))
TRANSFERS, SERVICE_KILLS, TRYTON_KILLS = (30, 20, 10) if LONG else (6, 3, 2)
SEED = int(os.environ.get("EVENKEEL_ERP_SEED", "5"))
pytestmark = pytest.mark.timeout(1_800)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Callable[[dict[str, Any]], int]]:
    """Runs one service until its end; returns its wait status."""
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.app.erp.tryton_worker"],
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


def network_of(erp: TrytonErp, skus: tuple[str, ...]) -> NetworkFolder:
    """What Tryton stocks of these SKUs, and a forecast by which S2 is about to run out."""
    told, stock = erp.read_network("van", 10_000), erp.read_stock(datetime.now(UTC))
    sites = [site.site_id for site in told.sites]
    return NetworkFolder(
        currency=told.currency,
        sites=told.sites,
        skus=tuple(sku for sku in told.skus if sku.sku_id in skus),
        lanes=told.lanes,
        positions=tuple(position for position in stock if position.sku_id in skus),
        forecasts=tuple(
            ForecastRow(site, sku, TODAY + timedelta(days=day), 3_000_000, 3_000_000)
            for site in sites for sku in skus for day in range(28)
        ),
        replenishments=tuple(Replenishment(site, sku, TODAY + timedelta(days=14), 7) for site in sites for sku in skus),
    )  # fmt: skip


@contextmanager
def kept_alive(server: TrytonServer, pid_file: Path) -> Iterator[None]:
    """Whenever Tryton is killed it is started again."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            assert server.process is not None
            _write_whole(pid_file, str(server.process.pid))
            if server.process.poll() is not None:
                server.start()
            over.wait(0.02)

    thread = threading.Thread(target=watch)
    assert server.process is not None
    _write_whole(pid_file, str(server.process.pid))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=60)


def _write_whole(file: Path, text: str) -> None:
    """So that whoever reads it never finds a half of it."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.rename(file)


def all_kills(luck: random.Random) -> list[dict[str, Any]]:
    """What dies when, one after the other."""
    victims = ["service"] * SERVICE_KILLS + ["tryton"] * TRYTON_KILLS
    luck.shuffle(victims)
    return [
        {
            "number": number, "victim": victim, "calls": luck.randint(1, 5),
            "when": luck.choice(["before", "under way", "after"]), "after_seconds": luck.uniform(0.005, 0.15),
        }
        for number, victim in enumerate(victims)
    ]  # fmt: skip


def done_in(note: Path) -> set[int]:
    """The kills that were carried out."""
    lines = note.read_text().splitlines() if note.exists() else []
    return {json.loads(line)["number"] for line in lines}


def test_through_every_kill_each_transfer_becomes_one_shipment_and_both_hold_the_same_stock(
    tryton: TrytonServer,
    tryton_bench: TrytonBench,
    servers: Servers,
    zygote: Callable[[dict[str, Any]], int],
    tmp_path: Path,
) -> None:
    skus = MOVED[:TRANSFERS]
    with servers.fresh_database() as url:
        with opened(servers, url, tmp_path / "first", tryton_bench) as service:
            settle_in(service, network_of(tryton_bench.erp, skus))
            scan(service)
            (request,) = waiting(service)
            approve(service, request)
            references = {str(order.transfer_id) for order in orders(service)}
        assert len(references) == TRANSFERS
        pid_file = tmp_path / "tryton.pid"
        scenario = {
            "directory": str(tmp_path), "database_url": url, "redis_url": servers.redis_url, "url": tryton.url,
            "tryton_database": tryton.database, "user": tryton_server.USER, "password": tryton_server.PASSWORD,
            "pid_file": str(pid_file),
        }  # fmt: skip
        with kept_alive(tryton, pid_file):
            kills, status = all_kills(random.Random(SEED)), 1
            while status != 0:  # a service that has died, or was given up; the last one finishes what is left
                status = zygote(
                    scenario | {"kills": [k for k in kills if k["number"] not in done_in(tmp_path / "kills")]}
                )
        assert done_in(tmp_path / "kills") == {kill["number"] for kill in kills}, "the work was over before"
        made = tryton_bench.staff.rows(SHIPMENT, [["moves.product.code", "in", list(skus)]], ["reference", "state"])
        assert sorted(row["reference"] for row in made) == sorted(references)
        assert {row["state"] for row in made} == {"assigned"}
        with opened(servers, url, tmp_path / "last", tryton_bench) as service:
            _carried_to_the_end(service, tryton_bench, skus)


def _carried_to_the_end(service: Service, bench: TrytonBench, skus: tuple[str, ...]) -> None:
    """The warehouses ship and receive, one of them only a part; the ledger follows."""
    everything = orders(service)
    assert {order.state for order in everything} == {OrderState.CONFIRMED}
    cancelled, part, *whole = everything
    bench.cancel_by_hand(str(cancelled.transfer_id))
    for order in (part, *whole):
        bench.ship(str(order.transfer_id))
    follow(service.database, service.carrier)
    _same_stock(service, bench, skus, lost_units=0)
    for order in whole:
        bench.receive(str(order.transfer_id), order.units, last=True)
    bench.receive(str(part.transfer_id), part.units - 2)
    follow(service.database, service.carrier)
    states = {order.transfer_id: order for order in orders(service)}
    assert states[cancelled.transfer_id].state is OrderState.CANCELLED
    partly = states[part.transfer_id]
    assert (partly.state, partly.received_units) == (OrderState.PARTIALLY_RECEIVED, part.units - 2)
    assert {states[order.transfer_id].state for order in whole} == {OrderState.CLOSED}
    _same_stock(service, bench, skus, lost_units=0)
    ours = {str(order.transfer_id) for order in orders(service)}
    found = reconcile(service.database, service.carrier.erp)
    assert [each for each in found if each.reference in ours] == []  # other tests have had that Tryton before
    assert verify(service.database).verified


def _same_stock(service: Service, bench: TrytonBench, skus: tuple[str, ...], *, lost_units: int) -> None:
    there = {
        (p.site_id, p.sku_id): p.on_hand_units for p in bench.erp.read_stock(datetime.now(UTC)) if p.sku_id in skus
    }
    with service.database.transaction() as session:
        held = balances(session)
    here: dict[tuple[str, str], int] = {}
    for (place, sku), units in held.items():
        kind, site, *_ = place.split("/")
        if kind == "site":
            here[site, sku] = here.get((site, sku), 0) + units
    assert {key: units for key, units in here.items() if units} == there
    assert sum(units for (place, _), units in held.items() if place.startswith("outside/lost")) == lost_units


@contextmanager
def opened(servers: Servers, url: str, data: Path, bench: TrytonBench) -> Iterator[Service]:
    """The service here, with Tryton as its ERP."""
    settings = Settings(data=data, DATABASE_URL=SecretStr(url), REDIS_URL=SecretStr(servers.redis_url))  # type: ignore[call-arg]
    with open_service(settings, erp=bench.erp) as service:
        yield service
