"""What an accepted signal changes."""

from __future__ import annotations

from typing import Any, assert_never

from sqlmodel import Session

from app.db.upsert import upsert
from app.orders.transit import note_transit
from app.stock.counting import count_stock
from app.stock.tables import ForecastDayRow, InboundRow, LaneLeadTimeRow, SalesRow, SupplierReliabilityRow
from tools.signals import (
    Envelope,
    ForecastData,
    ForecastReading,
    InboundData,
    LeadTimeData,
    SalesData,
    SalesReading,
    SignalData,
    StockData,
    SupplierReliabilityData,
    TransitStatusData,
)


def apply(session: Session, envelope: Envelope, data: SignalData, actor: str) -> None:
    """Turn the signal's readings into facts. The signal is known to be new and its readings good."""
    match data:
        case StockData():
            count_stock(session, envelope, data, actor)
        case SalesData():
            rows = [_on_date(reading) | {"grain": data.grain} for reading in data.readings]
            upsert(session, SalesRow, _last_stated(rows, "site_id", "sku_id", "on_date"))
        case ForecastData():
            rows = [_on_date(reading) for reading in data.readings]
            upsert(session, ForecastDayRow, _last_stated(rows, "site_id", "sku_id", "on_date"))
        case InboundData():
            rows = [reading.model_dump(mode="python") for reading in data.readings]
            upsert(session, InboundRow, _last_stated(rows, "site_id", "sku_id", "reference"))
        case LeadTimeData():
            upsert(session, LaneLeadTimeRow, [data.model_dump(exclude={"note"})])
        case SupplierReliabilityData():
            row = data.model_dump(exclude={"note"}) | {"sku_id": data.sku_id or ""}
            upsert(session, SupplierReliabilityRow, [row])
        case TransitStatusData():
            note_transit(session, envelope, data)
        case _:
            assert_never(data)


def _on_date(reading: SalesReading | ForecastReading) -> dict[str, Any]:
    row = reading.model_dump()
    row["on_date"] = row.pop("on")
    return row


def _last_stated(rows: list[dict[str, Any]], *key: str) -> list[dict[str, Any]]:
    """One row for each key: where a signal states a thing twice, the last word counts."""
    return list({tuple(row[name] for name in key): row for row in rows}.values())
