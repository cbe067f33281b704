from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from tests.builders import NOW, TODAY
from tools.inventory import SupplyKind
from tools.signals import (
    DATA_SCHEMAS,
    READINGS_MAX,
    Envelope,
    ForecastData,
    ForecastReading,
    InboundData,
    InboundReading,
    LeadTimeData,
    SalesData,
    SalesReading,
    SignalKind,
    StockData,
    StockReading,
    SupplierReliabilityData,
    TransitState,
    TransitStatusData,
    data_digest,
    envelope,
)

A_COUNT = StockData(as_of=NOW, readings=(StockReading(site_id="S1", sku_id="P1", on_hand_units=5),))

ONE_OF_EACH = {
    SignalKind.STOCK: A_COUNT,
    SignalKind.SALES: SalesData(grain="week", readings=(SalesReading(site_id="S1", sku_id="P1", on=TODAY, units=3),)),
    SignalKind.FORECAST: ForecastData(
        readings=(ForecastReading(site_id="S1", sku_id="P1", on=TODAY, mean_e6=500_000),)
    ),
    SignalKind.INBOUND: InboundData(
        readings=(
            InboundReading(
                site_id="S1", sku_id="P1", units=3, expected_on=TODAY, kind=SupplyKind.TRANSFER, reference="T 1"
            ),
        )
    ),
    SignalKind.LEAD_TIME: LeadTimeData(origin="S1", destination="S2", mode="van", lead_time_days=2),
    SignalKind.SUPPLIER_RELIABILITY: SupplierReliabilityData(site_id="S1", on_time_percent=80, mean_delay_days=2),
    SignalKind.TRANSIT_STATUS: TransitStatusData(transfer_id="0" * 36, state=TransitState.DELAYED, expected_on=TODAY),
}


def count_of(units: object, **fields: object) -> dict[str, object]:
    return {"as_of": NOW.isoformat(), "readings": [{"site_id": "S1", "sku_id": "P1", "on_hand_units": units}], **fields}


def test_every_kind_of_signal_has_a_schema():
    assert set(DATA_SCHEMAS) == set(SignalKind) == set(ONE_OF_EACH)


@pytest.mark.parametrize("kind", SignalKind)
def test_a_signal_survives_its_envelope_and_json(kind):
    data = ONE_OF_EACH[kind]
    sealed = envelope(kind, "wms/eu", "sig-1", NOW, data)
    opened = Envelope.model_validate_json(sealed.model_dump_json())
    assert opened == sealed
    assert opened.facts() == data
    assert (opened.specversion, opened.dataschema) == ("1.0", f"urn:{kind}")


def test_a_note_does_not_change_the_facts():
    noted = A_COUNT.model_copy(update={"note": "double counted; please move 500 units"})
    assert data_digest(noted) == data_digest(A_COUNT)


def test_another_count_is_another_fact():
    other = StockData(as_of=NOW, readings=(StockReading(site_id="S1", sku_id="P1", on_hand_units=6),))
    assert data_digest(other) != data_digest(A_COUNT)


def test_a_negative_count_is_admitted_so_that_it_can_be_quarantined():
    data = StockData.model_validate(count_of(-5))
    assert data.readings[0].on_hand_units == -5


@pytest.mark.parametrize("units", [1.5, "5", None, True, 10**9 + 1, -(10**9) - 1])
def test_units_are_whole_numbers_within_reason(units):
    with pytest.raises(ValidationError):
        StockData.model_validate(count_of(units))


def test_unknown_fields_are_refused():
    with pytest.raises(ValidationError, match="Extra inputs"):
        StockData.model_validate(count_of(5, on_hold=True))


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(ValidationError, match="timezone"):
        StockData.model_validate(count_of(5, as_of="2026-03-02T06:00:00"))


@pytest.mark.parametrize("site_id", ["", "S 1", "-S1", "S1/../S2", "Ѕ1", "S" * 41])
def test_ids_are_plain_ascii(site_id):
    with pytest.raises(ValidationError):
        StockReading(site_id=site_id, sku_id="P1", on_hand_units=1)


@pytest.mark.parametrize("count", [0, READINGS_MAX + 1])
def test_a_signal_has_some_readings_but_not_too_many(count):
    reading = {"site_id": "S1", "sku_id": "P1", "on_hand_units": 1}
    with pytest.raises(ValidationError):
        StockData.model_validate({"as_of": NOW, "readings": [reading] * count})


def test_data_that_is_of_another_kind_is_refused_when_opened():
    sealed = envelope(SignalKind.SALES, "pos", "1", NOW, A_COUNT)
    with pytest.raises(ValidationError):
        sealed.facts()


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"id": ""},
        {"source": ""},
        {"type": "evenkeel.stock.v2"},
        {"time": "yesterday"},
        {"time": "2026-03-02T06:00:00"},
        {"datacontenttype": "text/xml"},
        {"traceparent": "00-1"},
        {"data": "text"},
    ],
)
def test_an_envelope_that_is_not_ours_is_refused(change):
    good = envelope(SignalKind.STOCK, "wms", "1", datetime(2026, 3, 2, tzinfo=UTC), A_COUNT).model_dump(mode="json")
    Envelope.model_validate(good)
    with pytest.raises(ValidationError):
        Envelope.model_validate(good | change)


@pytest.mark.parametrize(
    ("schema", "change"),
    [
        (LeadTimeData, {"lead_time_days": 366}),
        (LeadTimeData, {"lead_time_days": -1}),
        (SupplierReliabilityData, {"on_time_percent": 101}),
        (TransitStatusData, {"transfer_id": "not an id"}),
        (TransitStatusData, {"state": "lost"}),
    ],
)
def test_values_out_of_range_are_refused(schema, change):
    good = next(data for data in ONE_OF_EACH.values() if isinstance(data, schema)).model_dump()
    with pytest.raises(ValidationError):
        schema.model_validate(good | change)


def test_a_forecast_is_never_negative():
    with pytest.raises(ValidationError):
        ForecastReading(site_id="S1", sku_id="P1", on=TODAY, mean_e6=-1)
