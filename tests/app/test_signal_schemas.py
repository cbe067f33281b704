"""Signals outside their schema are refused with the field that is wrong, and nothing of them stays."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError
from sqlmodel import Session

from app.auth.people import SYSTEM
from app.errors import InvalidError
from app.stock.ingest import ingest
from tests.signals import (
    a_signal,
    never_asked,
    raw,
    send,
    table_digests,
)
from tools.signals import (
    READINGS_MAX,
    Envelope,
    SignalKind,
    TransitState,
    TransitStatusData,
)

GOOD_ENVELOPE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "erp",
    "type": "evenkeel.stock.v1",
    "time": "2026-03-02T06:05:00Z",
    "data": {"as_of": "2026-03-02T06:05:00Z", "readings": [{"site_id": "S1", "sku_id": "P1", "on_hand_units": 3}]},
}

ENVELOPES: list[tuple[str, dict[str, Any], str]] = [
    ("another version of CloudEvents", {"specversion": "0.3"}, "specversion"),
    ("no id", {"id": None}, "id"),
    ("an empty id", {"id": ""}, "id"),
    ("an endless id", {"id": "x" * 201}, "id"),
    ("an id with a NUL byte", {"id": "a\0b"}, "id"),
    ("an id that is a number", {"id": 1}, "id"),
    ("an empty source", {"source": ""}, "source"),
    ("a source with a line end", {"source": "erp\n"}, "source"),
    ("a kind that there is none of", {"type": "evenkeel.weather.v1"}, "type"),
    ("another version of a kind", {"type": "evenkeel.stock.v2"}, "type"),
    ("a time without zone", {"time": "2026-03-02T06:05:00"}, "time"),
    ("no time", {"time": "soon"}, "time"),
    ("a time before all facts", {"time": "0001-01-01T00:00:00Z"}, "time"),
    ("a time after all facts", {"time": "9999-12-31T23:59:59Z"}, "time"),
    ("a subject with a NUL byte", {"subject": "\0"}, "subject"),
    ("an endless subject", {"subject": "x" * 201}, "subject"),
    ("content that is no JSON", {"datacontenttype": "text/csv"}, "datacontenttype"),
    ("a list in place of the data", {"data": []}, "data"),
    ("an extension attribute", {"traceparent": "00-0"}, "traceparent"),
]


@pytest.mark.parametrize(("what", "change", "where"), ENVELOPES, ids=[each[0] for each in ENVELOPES])
def test_an_envelope_outside_its_schema_is_refused(what: str, change: dict[str, Any], where: str) -> None:
    assert Envelope.model_validate(GOOD_ENVELOPE).id == "1"
    with pytest.raises(ValidationError) as refused:
        Envelope.model_validate(GOOD_ENVELOPE | change)
    assert [error["loc"] for error in refused.value.errors()] == [(where,)], what


@pytest.mark.parametrize("name", ["id", "source", "type", "time", "data"])
def test_an_envelope_without_what_it_needs_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="Field required") as refused:
        Envelope.model_validate({key: value for key, value in GOOD_ENVELOPE.items() if key != name})
    assert refused.value.errors()[0]["loc"] == (name,)


COUNT = {"site_id": "S1", "sku_id": "P1", "on_hand_units": 3}
SALE = {"site_id": "S1", "sku_id": "P1", "on": "2026-03-01", "units": 3}
DAY = {"site_id": "S1", "sku_id": "P1", "on": "2026-03-02", "mean_e6": 1_000_000}
SUPPLY = {
    "site_id": "S1", "sku_id": "P1", "units": 3, "expected_on": "2026-03-05", "kind": "purchase_order",
    "reference": "PO-9",
}  # fmt: skip
LANE = {"origin": "S1", "destination": "S2", "mode": "van", "lead_time_days": 2}
SUPPLIER = {"site_id": "S1", "on_time_percent": 50, "mean_delay_days": 5}
TRANSIT = {"transfer_id": "0" * 8 + "-0000-4000-8000-" + "0" * 12, "state": "delayed"}
AS_OF = "2026-03-02T06:05:00Z"


def stock(**change: Any) -> dict[str, Any]:
    return {"as_of": AS_OF, "readings": [COUNT | change]}


def rows(reading: dict[str, Any], change: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"readings": [reading | change]} | fields


DATA: list[tuple[SignalKind, dict[str, Any], str]] = [
    (SignalKind.STOCK, stock(on_hand_units=3.5), "readings.0.on_hand_units"),
    (SignalKind.STOCK, stock(on_hand_units="3"), "readings.0.on_hand_units"),
    (SignalKind.STOCK, stock(on_hand_units=True), "readings.0.on_hand_units"),
    (SignalKind.STOCK, stock(on_hand_units=None), "readings.0.on_hand_units"),
    (SignalKind.STOCK, stock(on_hand_units=1_000_000_001), "readings.0.on_hand_units"),
    (SignalKind.STOCK, stock(on_hand_units=10**30), "readings.0.on_hand_units"),
    (SignalKind.STOCK, stock(on_hand_units=float("nan")), "readings.0.on_hand_units"),
    (SignalKind.STOCK, stock(reserved_units=0.5), "readings.0.reserved_units"),
    (SignalKind.STOCK, stock(site_id="S 1"), "readings.0.site_id"),
    (SignalKind.STOCK, stock(sku_id="Р1"), "readings.0.sku_id"),
    (SignalKind.STOCK, stock(onhand=3), "readings.0.onhand"),
    (SignalKind.STOCK, {"as_of": AS_OF, "readings": []}, "readings"),
    (SignalKind.STOCK, {"as_of": AS_OF, "readings": [COUNT] * (READINGS_MAX + 1)}, "readings"),
    (SignalKind.STOCK, {"readings": [COUNT]}, "as_of"),
    (SignalKind.STOCK, stock() | {"as_of": "2026-03-02T06:05:00"}, "as_of"),
    (SignalKind.STOCK, stock() | {"as_of": "0001-01-01T00:00:00+14:00"}, "as_of"),
    (SignalKind.STOCK, stock() | {"note": "x" * 2001}, "note"),
    (SignalKind.STOCK, stock() | {"grain": "day"}, "grain"),
    (SignalKind.SALES, rows(SALE, {}, grain="month"), "grain"),
    (SignalKind.SALES, rows(SALE, {"on": "2026-02-30"}, grain="day"), "readings.0.on"),
    (SignalKind.SALES, rows(SALE, {"on": "0001-01-01"}, grain="day"), "readings.0.on"),
    (SignalKind.SALES, rows(SALE, {"units": 2.5}, grain="day"), "readings.0.units"),
    (SignalKind.FORECAST, rows(DAY, {"mean_e6": -1}), "readings.0.mean_e6"),
    (SignalKind.FORECAST, rows(DAY, {"mean_e6": 0.5}), "readings.0.mean_e6"),
    (SignalKind.FORECAST, rows(DAY, {"variance_e6": 10**18 + 1}), "readings.0.variance_e6"),
    (SignalKind.FORECAST, rows(DAY, {"on": "9999-12-31"}), "readings.0.on"),
    (SignalKind.INBOUND, rows(SUPPLY, {"kind": "gift"}), "readings.0.kind"),
    (SignalKind.INBOUND, rows(SUPPLY, {"expected_on": "9999-12-31"}), "readings.0.expected_on"),
    (SignalKind.INBOUND, rows(SUPPLY, {"reference": ""}), "readings.0.reference"),
    (SignalKind.INBOUND, rows(SUPPLY, {"reference": "x" * 81}), "readings.0.reference"),
    (SignalKind.INBOUND, rows(SUPPLY, {"reference": "PO\0"}), "readings.0.reference"),
    (SignalKind.LEAD_TIME, LANE | {"lead_time_days": 366}, "lead_time_days"),
    (SignalKind.LEAD_TIME, LANE | {"lead_time_days": -1}, "lead_time_days"),
    (SignalKind.LEAD_TIME, LANE | {"lead_time_sd_millidays": 365_001}, "lead_time_sd_millidays"),
    (SignalKind.LEAD_TIME, LANE | {"mode": "big van"}, "mode"),
    (SignalKind.SUPPLIER_RELIABILITY, SUPPLIER | {"on_time_percent": 101}, "on_time_percent"),
    (SignalKind.SUPPLIER_RELIABILITY, SUPPLIER | {"mean_delay_days": 366}, "mean_delay_days"),
    (SignalKind.SUPPLIER_RELIABILITY, SUPPLIER | {"sku_id": ""}, "sku_id"),
    (SignalKind.TRANSIT_STATUS, TRANSIT | {"state": "lost"}, "state"),
    (SignalKind.TRANSIT_STATUS, TRANSIT | {"transfer_id": "PO-1"}, "transfer_id"),
    (SignalKind.TRANSIT_STATUS, TRANSIT | {"expected_on": "9999-12-31"}, "expected_on"),
]


@pytest.mark.parametrize(("kind", "data", "field"), DATA, ids=[f"{kind}-{field}" for kind, _, field in DATA])
def test_data_outside_the_schema_of_its_kind_is_refused_and_named(
    session: Session, kind: SignalKind, data: dict[str, Any], field: str
) -> None:
    before = table_digests(session)
    with pytest.raises(InvalidError, match=f"the data of signal 1 does not fit {kind}: ") as refused:
        ingest(session, raw(kind, data), never_asked, SYSTEM)
    assert (refused.value.code, refused.value.status) == ("signal_data", 422)
    assert refused.value.where == {"signal": "1", "field": field}
    assert table_digests(session) == before


def test_the_data_that_the_faults_are_put_into_fits_its_schema(session: Session) -> None:
    good = [
        (SignalKind.STOCK, stock()),
        (SignalKind.SALES, rows(SALE, {}, grain="day")),
        (SignalKind.FORECAST, rows(DAY, {"variance_e6": 10**18}, note="a guess")),
        (SignalKind.INBOUND, rows(SUPPLY, {})),
        (SignalKind.LEAD_TIME, LANE),
        (SignalKind.SUPPLIER_RELIABILITY, SUPPLIER),
    ]
    assert all(send(session, raw(kind, data, id=kind.value)).new for kind, data in good)
    assert raw(SignalKind.TRANSIT_STATUS, TRANSIT).facts()


@pytest.mark.parametrize("transfer_id", [str(uuid4()), "-" * 36], ids=["no such order", "no id at all"])
def test_news_of_a_transfer_that_there_is_none_of_is_refused(session: Session, transfer_id: str) -> None:
    signal = a_signal(TransitStatusData(transfer_id=transfer_id, state=TransitState.ARRIVED))
    with pytest.raises(InvalidError, match="is no transfer order") as refused:
        send(session, signal)
    assert refused.value.code == "unknown_transfer"
