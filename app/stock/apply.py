"""What an accepted signal changes."""

from __future__ import annotations

from functools import partial
from typing import Any, assert_never

from sqlmodel import Session

from app.db.upsert import upsert
from app.orders.transit import note_transit
from app.stock.counting import count_stock
from app.stock.installation import planning_now
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
    """Turn the signal's readings into facts. The signal is known to be new and its readings good.

    What a newer signal has stated stays. A source whose clock runs ahead cannot speak for the future.
    """
    stated = {"stated_at": min(envelope.time, planning_now(session))}
    match data:
        case StockData():
            count_stock(session, envelope, data, actor)
        case SalesData():
            rows = [_on_date(reading) | {"grain": data.grain} | stated for reading in data.readings]
            _upsert(session, SalesRow, _last_stated(rows, "site_id", "sku_id", "on_date"))
        case ForecastData():
            rows = [_on_date(reading) | stated for reading in data.readings]
            _upsert(session, ForecastDayRow, _last_stated(rows, "site_id", "sku_id", "on_date"))
        case InboundData():
            rows = [reading.model_dump(mode="python") | stated for reading in data.readings]
            _upsert(session, InboundRow, _last_stated(rows, "site_id", "sku_id", "reference"))
        case LeadTimeData():
            _upsert(session, LaneLeadTimeRow, [data.model_dump(exclude={"note"}) | stated])
        case SupplierReliabilityData():
            row = data.model_dump(exclude={"note"}) | {"sku_id": data.sku_id or ""} | stated
            _upsert(session, SupplierReliabilityRow, [row])
        case TransitStatusData():
            note_transit(session, envelope, data)
        case _:
            assert_never(data)


_upsert = partial(upsert, newest_by="stated_at")


def _on_date(reading: SalesReading | ForecastReading) -> dict[str, Any]:
    row = vars(reading).copy()
    row["on_date"] = row.pop("on")
    return row


def _last_stated(rows: list[dict[str, Any]], *key: str) -> list[dict[str, Any]]:
    """One row for each key: where a signal states a thing twice, the last word counts."""
    return list({tuple(row[name] for name in key): row for row in rows}.values())
