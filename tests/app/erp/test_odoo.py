"""Odoo: the double answers as the real one did, and what goes wrong in the middle is gone on with, or nothing is left of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.erp import odoo
from app.erp.calling import Caller
from app.erp.counterparts import Counterparts
from app.erp.odoo import OdooErp
from app.erp.odoo_wire import OdooWire
from app.outbound import Outbound
from tests.app.erp import odoo_double
from tests.app.erp.bench import STOCKED_UNITS, a_content
from tests.app.erp.benches import OdooBench
from tests.app.erp.odoo_double import OdooDouble
from tools.ports import ErpTransfer, ErpTransferState, ErpUncertainError, Refused

RECORDED = json.loads(Path(__file__).with_name("odoo_recorded.json").read_text(encoding="utf-8"))
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(hours=1)


def test_the_double_answers_every_recorded_request_as_the_real_server_did() -> None:
    double = OdooDouble({(5, 1): 90})
    headers = {"authorization": f"bearer {odoo_double.KEY}"}
    for path, body, recorded in RECORDED:
        request = httpx.Request("POST", f"{odoo_double.ADDRESS}/json/2/{path}", json=body, headers=headers)
        answer = double.answer(request).json()
        if isinstance(answer, dict):  # a wizard, whose view is of no interest
            assert answer.items() <= recorded.items()
        else:
            assert answer == recorded, path


def other(bench: OdooBench, key: str = odoo_double.KEY, **names: dict[str, str]) -> OdooErp:
    caller = Caller(Outbound(), odoo_double.ADDRESS)
    return OdooErp(caller, OdooWire(caller, odoo_double.DATABASE, key), Counterparts(**names))


def dying_at(bench: OdooBench, monkeypatch: pytest.MonkeyPatch, method: str, nth: int = 1) -> Callable[[], int]:
    """The double loses the nth answer of a kind, and does nothing that comes after it. Returns how often it was asked."""
    real, seen = getattr(OdooDouble, f"on_{method}"), [0]

    def handler(self: OdooDouble, *args: Any, **more: Any) -> Any:
        answer = real(self, *args, **more)
        seen[0] += 1
        if seen[0] == nth:
            self.lost = True
        return answer

    monkeypatch.setattr(OdooDouble, f"on_{method}", handler)
    return lambda: seen[0]


@pytest.mark.parametrize(
    ("method", "nth"),
    [("load", 1), ("load", 2), ("write", 1), ("action_confirm", 1), ("action_confirm", 2), ("write", 2)],
)
def test_a_transfer_that_was_begun_is_not_found_until_it_is_whole_and_is_gone_on_with(
    odoo_bench: OdooBench, monkeypatch: pytest.MonkeyPatch, method: str, nth: int
) -> None:
    content = a_content(units=7)
    dying_at(odoo_bench, monkeypatch, method, nth)
    with pytest.raises(ErpUncertainError):
        odoo_bench.erp.create(content)
    odoo_bench.double.lost = False
    was_whole = (method, nth) == ("write", 2)
    assert (odoo_bench.erp.find(content.reference) is not None) is was_whole
    made = odoo_bench.erp.create(content)
    assert isinstance(made, ErpTransfer)
    assert odoo_bench.erp.find(content.reference) == made
    assert len(odoo_bench.double.tables["stock.picking"]) == 2
    assert len(odoo_bench.double.tables["stock.move"]) == 2
    odoo_bench.ship(content.reference)
    odoo_bench.receive(content.reference, 7, last=True)
    assert odoo_bench.double.stock[14, 1] == STOCKED_UNITS + 7


def test_what_was_begun_and_is_given_up_stays_given_up(odoo_bench: OdooBench, monkeypatch: pytest.MonkeyPatch) -> None:
    content = a_content(units=7)
    dying_at(odoo_bench, monkeypatch, "action_confirm")
    with pytest.raises(ErpUncertainError):
        odoo_bench.erp.create(content)
    odoo_bench.double.lost = False
    given_up = odoo_bench.erp.cancel(content.reference)
    assert isinstance(given_up, ErpTransfer)
    assert given_up.state is ErpTransferState.CANCELLED
    assert isinstance(odoo_bench.erp.create(content), Refused)
    assert {row["state"] for row in odoo_bench.double.tables["stock.move"].values()} == {"cancel"}


def test_a_picking_that_says_assigned_with_a_part_of_its_stock_is_refused_and_frees_it(odoo_bench: OdooBench) -> None:
    odoo_bench.double.stock[5, 1] = 90
    refused = odoo_bench.erp.create(a_content(units=500))
    assert refused == Refused("S1 has 90 of 500 units of C1 free")
    assert {row["quantity"] for row in odoo_bench.double.tables["stock.move"].values()} == {0.0}
    assert isinstance(odoo_bench.erp.create(a_content(units=90)), ErpTransfer)


def test_a_load_that_is_refused_because_another_was_first_is_doubt(
    odoo_bench: OdooBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"ids": False, "messages": [{"type": "error", "message": "could not create"}]}
    monkeypatch.setattr(OdooDouble, "on_load", lambda *_, **__: said)
    with pytest.raises(ErpUncertainError, match="does not show"):
        odoo_bench.erp.create(a_content())


def test_a_listing_asks_as_often_for_many_transfers_as_for_one_and_says_what_each_is_found_to_be(
    odoo_bench: OdooBench,
) -> None:
    def listed() -> tuple[int, list[ErpTransfer]]:
        before = len(odoo_bench.double.asked)
        found = list(odoo_bench.erp.list_transfers(LONG_AGO))
        return len(odoo_bench.double.asked) - before, found

    contents = [a_content(units=units, sku_id=f"C{1 + units % 3}") for units in range(2, 14)]
    odoo_bench.erp.create(contents[0])
    odoo_bench.ship(contents[0].reference)
    odoo_bench.receive(contents[0].reference, 1)
    for_one, _ = listed()
    for content in contents[1:]:
        odoo_bench.erp.create(content)
    odoo_bench.cancel_by_hand(contents[1].reference)
    for content in contents[2:5]:
        odoo_bench.ship(content.reference)
    odoo_bench.receive(contents[3].reference, 2)
    odoo_bench.receive(contents[4].reference, contents[4].units, last=True)
    for_many, found = listed()
    assert found == [odoo_bench.erp.find(each) for each in sorted(content.reference for content in contents)]
    assert len({each.state for each in found}) == 5
    assert (for_one, for_many) == (9, 9)


def test_a_listing_of_more_than_one_request_asks_about_holds_them_all(
    odoo_bench: OdooBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(odoo, "TOGETHER_MAX", 2)
    made = [odoo_bench.erp.create(a_content()) for _ in range(5)]
    found = odoo_bench.erp.list_transfers(LONG_AGO)
    assert list(found) == sorted(made, key=lambda each: each.reference if isinstance(each, ErpTransfer) else "")


def test_stock_is_read_without_what_is_reserved_for_ourselves(odoo_bench: OdooBench) -> None:
    odoo_bench.erp.create(a_content(units=30))
    double = odoo_bench.double
    theirs = double._make_picking(
        7, 5, 14, "SO1", [[0, 0, {"product_id": 1, "product_uom_qty": 12, "location_id": 5, "location_dest_id": 14}]]
    )
    double.on_action_confirm("stock.picking", [theirs])
    (position,) = [each for each in odoo_bench.erp.read_stock(NOW) if each.key == ("S1", "C1")]
    assert (position.on_hand_units, position.reserved_units) == (STOCKED_UNITS, 12)


def test_master_data_is_read_under_our_ids(odoo_bench: OdooBench) -> None:
    erp = other(odoo_bench, sites={"NORTH": "S1"}, skus={"PUMP": "C1"})
    network = erp.read_network("van", 0)
    assert (network.currency, network.lanes) == ("USD", ())
    assert [site.site_id for site in network.sites] == ["NORTH", "S2", "S3"]
    first = network.skus[0]
    assert (first.sku_id, first.unit_cost_e4, first.unit_price_e4) == ("PUMP", 85_000, 200_000)


def test_a_sound_connection_has_nothing_to_be_done(odoo_bench: OdooBench) -> None:
    found = odoo_bench.erp.check(["S1", "S2", "S3"], ["C1", "C2"], NOW)
    assert [each.words for each in found if not each.in_order] == []
    assert {each.subject for each in found} >= {"address", "version", "login", "rights", "sites", "SKUs"}


def test_a_connection_that_is_not_says_what_to_do(odoo_bench: OdooBench) -> None:
    def faults(erp: OdooErp, sites: tuple[str, ...] = ("S1",), skus: tuple[str, ...] = ("C1",)) -> dict[str, str]:
        return {
            each.subject: f"{each.words}|{each.remedy}" for each in erp.check(sites, skus, NOW) if not each.in_order
        }

    assert "EVENKEEL_ERP_KEY" in faults(other(odoo_bench, key="OLD"))["login"]
    assert "EVENKEEL_ERP_SITES" in faults(odoo_bench.erp, sites=("S1", "S9"))["sites"]
    assert "C7" in faults(odoo_bench.erp, skus=("C1", "C7"))["SKUs"]
    odoo_bench.double.rights.discard("create")
    assert "create stock.picking" in faults(odoo_bench.erp)["rights"]


def test_a_traceback_of_the_server_goes_nowhere(odoo_bench: OdooBench) -> None:
    with pytest.raises(ErpUncertainError) as refused:
        other(odoo_bench, key="OLD").find("r")
    assert "Traceback" not in str(refused.value)
