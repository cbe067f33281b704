"""The REST contract: only a worded 404 is nothing, only a worded 422 is a no, everything else is doubt."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.erp.calling import Caller
from app.erp.counterparts import Counterparts
from app.erp.rest import RestErp
from app.erp.rest_bodies import TransferAnswer, TransferRequest
from app.outbound import Outbound
from tests.app.erp.bench import STOCKED_UNITS, a_content
from tests.app.erp.benches import HOME, RestBench
from tools.inventory import LaneKey
from tools.ports import ErpTransfer, ErpUncertainError, Refused

NOW = datetime.now(UTC)
PAGE = Path(__file__).parents[3] / "docs" / "erp.md"
OTHERS: list[tuple[int, Any]] = [
    (404, "not found"), (404, {}), (400, {"detail": "?"}), (401, {"detail": "?"}), (403, {"detail": "?"}),
    (409, {"detail": "the first one is under way"}), (429, {"detail": "?"}), (500, {"detail": "?"}), (503, {"detail": "?"}),
    (302, {}), (200, {}), (200, []), (200, {"reference": "another", "id": "1", "state": "confirmed"}), (422, "no"),
]  # fmt: skip


@pytest.mark.parametrize("said", OTHERS, ids=str)
def test_whatever_is_not_in_the_contract_is_doubt(rest_bench: RestBench, said: tuple[int, Any]) -> None:
    content = a_content()
    rest_bench.wms.instead = said
    for ask in (lambda: rest_bench.erp.find(content.reference), lambda: rest_bench.erp.create(content)):
        with pytest.raises(ErpUncertainError):
            ask()
    rest_bench.wms.instead = None
    assert isinstance(rest_bench.erp.create(content), ErpTransfer)


def test_units_that_are_none_are_doubt_and_no_number(rest_bench: RestBench) -> None:
    content = a_content()
    rest_bench.erp.create(content)
    for wrong in (-1, 2.5, "5", True, 10**12, None):
        rest_bench.wms.change(content.reference, received_units=wrong)
        with pytest.raises(ErpUncertainError, match="received_units"):
            rest_bench.erp.find(content.reference)


def test_an_answer_about_another_transfer_is_doubt(rest_bench: RestBench) -> None:
    content = a_content()
    rest_bench.erp.create(content)
    rest_bench.wms.transfers[content.reference]["reference"] = "another"
    with pytest.raises(ErpUncertainError, match="another"):
        rest_bench.erp.find(content.reference)


def test_our_ids_become_the_codes_of_the_erp_and_back(rest_bench: RestBench) -> None:
    names = Counterparts({"NORTH": "S1"}, {"PUMP": "C1"})
    erp = RestErp(rest_bench.erp._caller, "key-of-the-small-wms", names)
    content = a_content(sku_id="PUMP", lane=LaneKey("NORTH", "S2", "van"))
    made = erp.create(content)
    assert isinstance(made, ErpTransfer)
    assert (made.sku_id, made.origin, made.destination) == ("PUMP", "NORTH", "S2")
    assert rest_bench.wms.transfers[content.reference]["sku"] == "C1"
    assert {each.site_id for each in erp.read_stock(NOW)} == {"NORTH", "S2"}
    assert len(erp.read_stock(NOW)) == 6  # two pages
    assert {each.on_hand_units for each in erp.read_stock(NOW)} == {STOCKED_UNITS}


def test_a_reference_that_the_contract_cannot_say_is_refused_before_anything_is_sent(rest_bench: RestBench) -> None:
    assert isinstance(rest_bench.erp.create(a_content("../../transfers")), Refused)
    assert rest_bench.erp.find("../stock") is None
    assert rest_bench.wms.transfers == {}


def test_a_check_says_what_is_wrong(rest_bench: RestBench) -> None:
    def faults(erp: RestErp, *sites: str) -> dict[str, str]:
        found = erp.check(sites, ["C1"], datetime.now(UTC))
        return {each.subject: each.remedy for each in found if each.remedy and each.subject != "encryption"}

    assert faults(rest_bench.erp, "S1", "S2") == {}
    assert "EVENKEEL_ERP_SITES" in faults(rest_bench.erp, "S7")["sites"]
    caller = Caller(Outbound(private_hosts=[HOME]), rest_bench.erp._caller.url)
    assert "EVENKEEL_ERP_KEY" in faults(RestErp(caller, "old", Counterparts()), "S1")["login"]
    rest_bench.wms.instead = (200, {"name": "else", "contract": "other/2", "time": NOW.isoformat()})
    assert "docs/erp.md" in faults(rest_bench.erp, "S1")["contract"]


def test_the_page_of_the_contract_shows_the_schemas_that_hold() -> None:
    shown = [
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    ]
    for kind in (TransferRequest, TransferAnswer):
        assert kind.model_json_schema() in shown, kind.__name__
