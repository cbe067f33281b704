"""A real Tryton: what an operator is told, what is read from it, and what its people do in between."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from app.erp.calling import Caller
from app.erp.counterparts import Counterparts
from app.erp.tryton import POST, TrytonErp
from app.erp.tryton_wire import TrytonWire
from app.outbound import Outbound
from tests.app.erp import tryton_server
from tests.app.erp.bench import a_content
from tests.app.erp.benches import HOME, SHIPMENT, TrytonBench
from tools.inventory import LaneKey
from tools.ports import ErpFinding, ErpNotAskedError, ErpTransfer, ErpUncertainError, Refused

NOW = datetime.now(UTC)
SITES = tuple(tryton_server.SITES)


@pytest.fixture
def patient(tryton_bench: TrytonBench) -> Outbound:
    return Outbound(private_hosts=[HOME], seconds_max=60.0, bytes_max=1 << 26)


def faults(found: list[ErpFinding] | tuple[ErpFinding, ...]) -> dict[str, str]:
    """What is to be done, by subject. The test's server speaks plain http, which is told as well."""
    return {
        each.subject: f"{each.words} → {each.remedy}" for each in found if each.remedy and each.subject != "encryption"
    }


def test_a_sound_connection_of_a_user_who_may_handle_stock_only_has_nothing_to_be_done(
    tryton_bench: TrytonBench,
) -> None:
    found = list(tryton_bench.erp.check(SITES, ["C1", "P01"], datetime.now(UTC)))
    assert faults(found) == {}
    assert {each.subject for each in found} == {
        "address", "encryption", "clock", "version", "login", "modules", "rights", "sites", "SKUs",
    }  # fmt: skip


def test_sites_and_skus_without_a_counterpart_are_named(tryton_bench: TrytonBench) -> None:
    told = faults(list(tryton_bench.erp.check([*SITES, "S9"], ["C1", "NEVER-SEEN"], NOW)))
    assert "1 of 4 have no warehouse there: S9" in told["sites"]
    assert "NEVER-SEEN" in told["SKUs"]


def test_a_clock_that_is_wrong_a_password_and_a_database_that_are_wrong_are_told_apart(
    tryton_bench: TrytonBench, patient: Outbound
) -> None:
    def told(user: str, password: str, database: str = tryton_bench.server.database) -> dict[str, str]:
        caller = Caller(patient, tryton_bench.server.url)
        erp = TrytonErp(caller, TrytonWire(caller, database, user, password), Counterparts())
        return faults(list(erp.check(SITES, [], datetime(2020, 1, 1, tzinfo=UTC))))

    wrong_password = told(tryton_server.USER, "nothing of the kind")
    assert "NTP" in wrong_password["clock"]
    assert "EVENKEEL_ERP_KEY" in wrong_password["login"]
    assert "and needs much less" in told("admin", tryton_server.ADMIN_PASSWORD)["rights"]


def test_an_address_that_is_refused_or_silent_is_told_with_what_to_do(patient: Outbound) -> None:
    def told(outbound: Outbound, url: str) -> dict[str, str]:
        caller = Caller(outbound, url)
        return faults(list(TrytonErp(caller, TrytonWire(caller, "erp", "u", "p"), Counterparts()).check([], [], NOW)))

    assert "EVENKEEL_OUTBOUND_PRIVATE_HOSTS" in told(Outbound(), f"https://{HOME}:1")["address"]
    assert "EVENKEEL_ERP_URL" in told(patient, f"http://{HOME}:1")["address"]
    caller = Caller(patient, f"http://{HOME}:1")
    with pytest.raises(ErpNotAskedError):
        TrytonErp(caller, TrytonWire(caller, "erp", "u", "p"), Counterparts()).find("r")


def test_what_others_have_assigned_is_reserved_and_what_waits_for_us_is_not(tryton_bench: TrytonBench) -> None:
    def position() -> tuple[int, int]:
        (found,) = [each for each in tryton_bench.erp.read_stock(datetime.now(UTC)) if each.key == ("S2", "C3")]
        return found.on_hand_units, found.reserved_units

    content = a_content(units=40, sku_id="C3", lane=LaneKey("S2", "S1", "van"))
    on_hand, reserved = position()
    assert isinstance(tryton_bench.erp.create(content), ErpTransfer)
    assert position() == (on_hand, reserved)
    theirs = tryton_bench.erp._values(a_content(units=15, sku_id="C3", lane=LaneKey("S2", "S1", "van")))
    assert isinstance(theirs, dict)
    (made,) = tryton_bench.staff.call(f"model.{SHIPMENT}.create", [theirs])
    for step in ("wait", "assign_try"):
        tryton_bench.staff.call(f"model.{SHIPMENT}.{step}", [made])
    assert position() == (on_hand, reserved + 15)
    tryton_bench.staff.call(f"model.{SHIPMENT}.cancel", [made])
    tryton_bench.cancel_by_hand(content.reference)


def test_master_data_is_read_under_our_ids_with_a_lane_for_each_lead_time(tryton_bench: TrytonBench) -> None:
    erp = tryton_bench.connect(
        tryton_server.USER, tryton_server.PASSWORD, tryton_bench.outbound, sites={"NORTH": "S1"}, skus={"PUMP": "C1"}
    )
    network = erp.read_network("truck", 70_000)
    assert network.currency == "USD"
    assert sorted(site.site_id for site in network.sites) == ["NORTH", "S2", "S3"]
    (pump,) = [sku for sku in network.skus if sku.sku_id == "PUMP"]
    assert (pump.name, pump.unit_cost_e4, pump.unit_price_e4) == ("Article C1", 85_000, 200_000)
    (lane,) = [lane for lane in network.lanes if lane.key == ("NORTH", "S2", "truck")]
    assert (lane.lead_time_days, lane.cost_fixed_e4) == (1, 70_000)
    made = erp.create(a_content(sku_id="PUMP", lane=LaneKey("NORTH", "S2", "truck")))
    assert isinstance(made, ErpTransfer)
    assert (made.sku_id, made.origin, made.destination) == ("PUMP", "NORTH", "S2")
    tryton_bench.cancel_by_hand(made.reference)


def test_a_session_that_the_server_has_ended_is_renewed_once(tryton_bench: TrytonBench) -> None:
    erp = tryton_bench.connect(tryton_server.USER, tryton_server.PASSWORD, tryton_bench.outbound)
    assert erp.find("r") is None
    erp._wire._session = "bm9ib2R5OjE6bm90aGluZw=="
    assert erp.find("r") is None
    assert erp._wire._session != "bm9ib2R5OjE6bm90aGluZw=="


def test_a_shipment_that_people_have_changed_is_told_as_it_is_now(tryton_bench: TrytonBench) -> None:
    content = a_content(units=9)
    tryton_bench.erp.create(content)
    ids = [row["id"] for row in tryton_bench.staff.rows(SHIPMENT, [["reference", "=", content.reference]], ["state"])]
    for step in ("wait", "draft"):
        tryton_bench.staff.call(f"model.{SHIPMENT}.{step}", ids)
    (move,) = tryton_bench.staff.rows("stock.move", [["shipment", "=", f"{SHIPMENT},{ids[0]}"]], ["quantity"])
    tryton_bench.staff.call("model.stock.move.write", [move["id"]], {"quantity": 4.0})
    found = tryton_bench.erp.find(content.reference)
    assert found is not None
    assert found.units == 4
    assert found.differs_from(content)
    assert isinstance(tryton_bench.erp.create(content), Refused)
    tryton_bench.cancel_by_hand(content.reference)


def test_a_listing_asks_as_often_for_many_shipments_as_for_few_also_to_places_that_are_no_site(
    tryton_bench: TrytonBench,
) -> None:
    staff, erp = tryton_bench.staff, tryton_bench.erp
    storage = erp.warehouses()["S2"].storage
    (shelf,) = staff.call("model.stock.location.create", [{"name": "Shelf", "type": "storage", "parent": storage}])

    def asked() -> int:
        before = tryton_bench.outbound.asked
        found = {each.reference: each for each in erp.list_transfers(NOW - timedelta(hours=1))}
        count = tryton_bench.outbound.asked - before
        assert [found[content.reference].destination for content in contents] == [f"location {shelf}"] * len(contents)
        assert [found[content.reference] for content in contents] == [erp.find(each.reference) for each in contents]
        return count

    contents = []
    counts = []
    for _ in range(4):
        contents.append(a_content())
        values = erp._values(contents[-1])
        assert isinstance(values, dict)
        for each in (values, values["moves"][0][1][0]):
            each["to_location"] = shelf
        erp._wire.call(POST, contents[-1].reference, values)
        counts.append(asked())
    assert counts == [3, 3, 3, 3], "shipments, moves, warehouses"
    for content in contents:
        tryton_bench.cancel_by_hand(content.reference)


def test_the_key_of_a_shipment_stands_for_one_shipment_in_the_database_itself(tryton_bench: TrytonBench) -> None:
    content = a_content()
    tryton_bench.erp.create(content)
    values = tryton_bench.erp._values(content)
    assert isinstance(values, dict)
    told = tryton_bench.staff._post(
        f"model.{SHIPMENT}.create", [[values | {"evenkeel_key": content.reference}], tryton_bench.staff._context],
        tryton_bench.staff._session,
    )  # fmt: skip
    assert "has this key of Evenkeel already" in json.dumps(json.loads(told.body)["error"])
    assert tryton_bench.applied(content.reference) == 1
    tryton_bench.cancel_by_hand(content.reference)


def test_words_of_the_server_come_as_one_short_line(tryton_bench: TrytonBench) -> None:
    with pytest.raises(ErpUncertainError) as told:
        tryton_bench.staff.rows(SHIPMENT, [["no_such_field", "=", "x\n" * 500]], ["state"])
    assert len(str(told.value)) < 300
    assert "\n" not in str(told.value)
