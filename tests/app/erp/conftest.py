"""The ERPs that the contract is held to. Servers are shared by a whole test process; references are of each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import respx

from app.db.database import Database
from evals.databases import Servers
from tests.app.erp.bench import STOCKED_UNITS, Bench
from tests.app.erp.benches import BuiltInBench, OdooBench, RestBench, SimulatedBench, TrytonBench
from tests.app.erp.odoo_double import OdooDouble
from tests.app.erp.small_wms import SmallWms, listening
from tests.app.erp.tryton_server import TrytonServer, tryton_server, why_not
from tests.signals import a_database

ERPS = ("built-in", "simulated", "tryton", "odoo", "rest")


@pytest.fixture(scope="session")
def tryton(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    """A real Tryton server; skips where there can be none."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no Tryton here: {reason}")
    with tryton_server(servers, tmp_path_factory.mktemp("tryton")) as server:
        yield server


@pytest.fixture(scope="session")
def tryton_bench(tryton: TrytonServer) -> TrytonBench:
    return TrytonBench(tryton)


@pytest.fixture(scope="session")
def ledger(servers: Servers) -> Iterator[Database]:
    """A database for the built-in ERP."""
    with a_database(servers) as opened:
        yield opened


@pytest.fixture
def odoo_bench() -> Iterator[OdooBench]:
    double = OdooDouble({(place, sku): STOCKED_UNITS for place in (5, 14) for sku in (1, 2, 3)})
    with respx.mock(assert_all_called=False) as router:
        router.route(host="odoo.example").mock(side_effect=double.answer)
        yield OdooBench(double)


@pytest.fixture
def rest_bench() -> Iterator[RestBench]:
    wms = SmallWms({(site, sku): STOCKED_UNITS for site in ("S1", "S2") for sku in ("C1", "C2", "C3")})
    with listening(wms) as url:
        yield RestBench(wms, url)


@pytest.fixture(params=ERPS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """Each ERP on a good day."""
    match request.param:
        case "built-in":
            return BuiltInBench(request.getfixturevalue("ledger"))
        case "simulated":
            return SimulatedBench(tmp_path / "erp")
        case _:
            found: Bench = request.getfixturevalue(f"{request.param}_bench")
            return found
