"""`erp check` and `erp import`: what is wrong with a connection and what to do; what the ERP holds, as a folder or a count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.cli.erp import _write
from app.errors import InvalidError
from app.stock.folder import read_folder
from tests.app.cli.conftest import Office
from tests.app.erp import small_wms
from tests.app.erp.small_wms import SmallWms, listening
from tests.installation import balances
from tests.shell import Said
from tools.inventory import Lane, Site, SiteKind, Sku, StockPosition
from tools.moves import available
from tools.network_folder import ImportFaults
from tools.ports import ErpNetwork


@dataclass
class Counter:
    """A shell whose ERP is the small WMS."""

    office: Office
    wms: SmallWms
    environment: dict[str, str]

    def __call__(self, *arguments: object, **changed: str) -> Said:
        return self.office.shell(
            *arguments, token=self.office.prepared.tokens["otto"], **(self.environment | changed)
        )  # fmt: skip


@pytest.fixture
def counter(office: Office) -> Iterator[Counter]:
    stock = {(site, sku): 50 for site in ("S1", "S2", "S3") for sku in ("P1", "P2")}
    wms = SmallWms(stock)
    with listening(wms) as url:
        environment = {
            "EVENKEEL_ERP": "rest", "EVENKEEL_ERP_URL": url, "EVENKEEL_ERP_KEY": small_wms.KEY,
            "EVENKEEL_OUTBOUND_PRIVATE_HOSTS": "127.0.0.1",
        }  # fmt: skip
        yield Counter(office, wms, environment)


def test_a_sound_connection_is_in_order_and_each_fault_comes_with_what_to_do(counter: Counter) -> None:
    sound = counter("erp", "check")
    assert (sound.status, sound.out.splitlines()[-1]) == (0, "Everything is in order.")
    del counter.wms.stock["S3", "P1"], counter.wms.stock["S3", "P2"]
    lacking = counter("erp", "check")
    assert lacking.status == 1
    assert "FAULT sites: 1 of 3 have no site there: S3" in lacking.out
    assert "→ give the site that code, or name its code in EVENKEEL_ERP_SITES" in lacking.out
    assert "1 to be put right." in lacking.out
    mapped = counter("erp", "check", "--json", EVENKEEL_ERP_SITES='{"S3": "S2", "S2": "S9"}').document
    assert [each["subject"] for each in mapped if each["remedy"]] == ["sites"]
    wrong = counter("erp", "check", "--json", EVENKEEL_ERP_KEY="an-old-one").document
    assert wrong[-1]["subject"] == "login"
    closed = counter("erp", "check", "--json", EVENKEEL_OUTBOUND_PRIVATE_HOSTS="").document
    assert "EVENKEEL_OUTBOUND_PRIVATE_HOSTS" in closed[-1]["remedy"]


def test_settings_that_are_missing_or_make_no_sense_are_named(counter: Counter) -> None:
    for changed, named in (
        ({"EVENKEEL_ERP": "tryton"}, "EVENKEEL_ERP_DATABASE, EVENKEEL_ERP_USER"),
        ({"EVENKEEL_ERP": "sap"}, "EVENKEEL_ERP does not make sense"),
        ({"EVENKEEL_ERP_SITES": '{"S1": "A", "S2": "A"}'}, "'A' to two of ours"),
    ):
        said = counter("erp", "check", **changed)
        assert said.status == 1
        assert named in said.err


def test_the_built_in_ledger_has_no_connection(office: Office) -> None:
    said = office("erp", "check")
    assert (said.status, "built-in" in said.out) == (0, True)
    assert "erp_built_in" in office("erp", "import", "--stock").err


def test_stock_is_taken_as_a_count_and_what_is_not_listed_is_none(counter: Counter) -> None:
    del counter.wms.stock["S3", "P2"]
    counter.wms.stock["S1", "NEVER-SEEN"] = 7
    said = counter("erp", "import", "--stock", "--json")
    assert said.document == {"counts": 3, "quarantined": 0, "positions of nothing that we know": 1}
    with counter.office.service() as service, service.database.transaction() as session:
        held = balances(session)
    assert held[available("S2"), "P1"] == 50
    assert (available("S3"), "P2") not in held


def test_what_an_erp_does_not_offer_is_told(counter: Counter, tmp_path: Path) -> None:
    assert "no master data" in counter("erp", "import", tmp_path / "new").err
    assert "either a folder or --stock" in counter("erp", "import").err


class Told:
    """An ERP that tells of two sites."""

    def read_network(self, mode: str, cost_fixed_e4: int) -> ErpNetwork:
        sites = tuple(Site(name, name, SiteKind.WAREHOUSE) for name in ("A", "B"))
        return ErpNetwork("USD", sites, (Sku("P", "Pump", 1_0000, 2_0000),), (Lane("A", "B", mode, 2, cost_fixed_e4),))

    def read_stock(self, as_of: object) -> list[StockPosition]:
        return [StockPosition("A", "P", 5, 1, as_of)]  # type: ignore[arg-type]


def test_a_folder_is_written_in_the_import_format_and_never_over_one(tmp_path: Path) -> None:
    assert _write(Told(), tmp_path / "net", "truck", 40) == {"sites": 2, "skus": 1, "lanes": 1, "positions": 1}
    files = read_folder(tmp_path / "net")
    assert not isinstance(files, ImportFaults)
    assert set(files) == {"sites.csv", "skus.csv", "lanes.csv", "stock.csv"}
    assert b"A,B,truck,2" in files["lanes.csv"]
    with pytest.raises(InvalidError, match="already"):
        _write(Told(), tmp_path / "net", "truck", 40)
    _write(Told(), tmp_path / "without", "truck", None)
    assert not (tmp_path / "without" / "lanes.csv").exists()
