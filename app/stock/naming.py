"""Which sites a signal is about."""

from __future__ import annotations

from typing import assert_never
from uuid import UUID

from sqlmodel import Session

from app.orders.tables import TransferOrder
from tools.signals import (
    ForecastData,
    InboundData,
    LeadTimeData,
    SalesData,
    SignalData,
    StockData,
    SupplierReliabilityData,
    TransitStatusData,
)


def sites_named(session: Session, data: SignalData) -> frozenset[str]:
    """Every site that the signal can change something at. Goods on the way belong to where they are going."""
    match data:
        case StockData() | SalesData() | ForecastData() | InboundData():
            return frozenset(reading.site_id for reading in data.readings)
        case LeadTimeData():
            return frozenset((data.origin, data.destination))
        case SupplierReliabilityData():
            return frozenset((data.site_id,))
        case TransitStatusData():
            order = session.get(TransferOrder, UUID(data.transfer_id))
            return frozenset(() if order is None else (order.destination,))
        case _:
            assert_never(data)
