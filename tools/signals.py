"""Signals: facts from outside in CloudEvents 1.0 envelopes, with one strict schema per kind and version.

A signal is known by its source and id. Its digest covers the facts it states and
not its notes, so that words can never change a plan's identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tools.canonical import digest
from tools.inventory import EARLIEST_ON, LATEST_ON, SITE_SKU_ID_PATTERN, UNITS_MAX, SupplyKind
from tools.transfers import Mode

READINGS_MAX = 50_000
Id = Annotated[str, Field(pattern=SITE_SKU_ID_PATTERN)]
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
"""Text without control characters; the database can store no NUL."""
Reference = Annotated[str, Field(min_length=1, max_length=80, pattern=_PRINTABLE)]
Day = Annotated[date, Field(ge=EARLIEST_ON, le=LATEST_ON)]
Instant = Annotated[
    AwareDatetime,
    Field(ge=datetime.combine(EARLIEST_ON, time(), UTC), lt=datetime.combine(LATEST_ON, time(), UTC)),
]
SignedUnits = Annotated[int, Field(ge=-UNITS_MAX, le=UNITS_MAX, strict=True)]
E6Units = Annotated[int, Field(ge=0, le=UNITS_MAX * 1_000_000, strict=True)]
Note = Annotated[str, Field(max_length=2000)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StockReading(_Data):
    """A count of one SKU. Negative counts are admitted here, so that they can be quarantined with their reason."""

    site_id: Id
    sku_id: Id
    on_hand_units: SignedUnits
    reserved_units: SignedUnits = 0


class SalesReading(_Data):
    """Units sold on a day or in the week that starts on `on`."""

    site_id: Id
    sku_id: Id
    on: Day
    units: SignedUnits
    in_stock: bool = True


class ForecastReading(_Data):
    """Expected demand of one day, in millionths of a unit.

    A variance, in millionths of units squared, is its maker's word about all that is
    uncertain. Where no day has one, demand is Poisson and the level is uncertain
    (`tools.forecast.forecast_given`).
    """

    site_id: Id
    sku_id: Id
    on: Day
    mean_e6: E6Units
    variance_e6: Annotated[int, Field(ge=0, le=10**18, strict=True)] | None = None


class InboundReading(_Data):
    """Units expected at a site. The reference names the order; 0 units mean that it is cancelled or has arrived."""

    site_id: Id
    sku_id: Id
    units: SignedUnits
    expected_on: Day
    kind: SupplyKind
    reference: Reference


class StockData(_Data):
    """Counts as of one instant."""

    as_of: Instant
    readings: tuple[StockReading, ...] = Field(min_length=1, max_length=READINGS_MAX)
    note: Note = ""


class SalesData(_Data):
    """Sales history at one grain."""

    grain: Literal["day", "week"]
    readings: tuple[SalesReading, ...] = Field(min_length=1, max_length=READINGS_MAX)
    note: Note = ""


class ForecastData(_Data):
    """A demand forecast by day."""

    readings: tuple[ForecastReading, ...] = Field(min_length=1, max_length=READINGS_MAX)
    note: Note = ""


class InboundData(_Data):
    """Open supply."""

    readings: tuple[InboundReading, ...] = Field(min_length=1, max_length=READINGS_MAX)
    note: Note = ""


class LeadTimeData(_Data):
    """A lane takes longer or shorter than its master data says."""

    origin: Id
    destination: Id
    mode: Mode
    lead_time_days: Annotated[int, Field(ge=0, le=365, strict=True)]
    lead_time_sd_millidays: Annotated[int, Field(ge=0, le=365_000, strict=True)] = 0
    note: Note = ""


class SupplierReliabilityData(_Data):
    """How late purchase orders to a site (of one SKU, or of all) arrive."""

    site_id: Id
    sku_id: Id | None = None
    on_time_percent: Annotated[int, Field(ge=0, le=100, strict=True)]
    mean_delay_days: Annotated[int, Field(ge=0, le=365, strict=True)]
    note: Note = ""


class TransitState(StrEnum):
    """What a carrier says about goods on the way."""

    DEPARTED = "departed"
    DELAYED = "delayed"
    ARRIVED = "arrived"


class TransitStatusData(_Data):
    """Where the goods of a transfer order are."""

    transfer_id: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
    state: TransitState
    expected_on: Day | None = None
    note: Note = ""


SignalData = (
    StockData | SalesData | ForecastData | InboundData | LeadTimeData | SupplierReliabilityData | TransitStatusData
)


class SignalKind(StrEnum):
    """The kinds of signal and their CloudEvents types; the last part is the schema version."""

    STOCK = "evenkeel.stock.v1"
    SALES = "evenkeel.sales.v1"
    FORECAST = "evenkeel.forecast.v1"
    INBOUND = "evenkeel.inbound.v1"
    LEAD_TIME = "evenkeel.lead_time.v1"
    SUPPLIER_RELIABILITY = "evenkeel.supplier_reliability.v1"
    TRANSIT_STATUS = "evenkeel.transit_status.v1"


DATA_SCHEMAS: dict[SignalKind, type[SignalData]] = {
    SignalKind.STOCK: StockData,
    SignalKind.SALES: SalesData,
    SignalKind.FORECAST: ForecastData,
    SignalKind.INBOUND: InboundData,
    SignalKind.LEAD_TIME: LeadTimeData,
    SignalKind.SUPPLIER_RELIABILITY: SupplierReliabilityData,
    SignalKind.TRANSIT_STATUS: TransitStatusData,
}


class Envelope(BaseModel):
    """A CloudEvents 1.0 envelope in structured JSON mode. Extension attributes are not accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    SPEC: ClassVar[str] = "1.0"

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, max_length=200, pattern=_PRINTABLE)]
    source: Annotated[str, Field(min_length=1, max_length=200, pattern=_PRINTABLE)]
    type: SignalKind
    time: Instant
    subject: Annotated[str, Field(max_length=200, pattern=_PRINTABLE)] | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Annotated[str, Field(max_length=200)] | None = None
    data: dict[str, Any]

    def facts(self) -> SignalData:
        """The data under its schema. Raises pydantic.ValidationError when it does not fit."""
        return DATA_SCHEMAS[self.type].model_validate(self.data)


def envelope(kind: SignalKind, source: str, signal_id: str, time: datetime, data: SignalData) -> Envelope:
    """An envelope around `data`."""
    return Envelope(
        id=signal_id,
        source=source,
        type=kind,
        time=time,
        dataschema=f"urn:{kind}",
        data=data.model_dump(mode="json"),
    )


def data_digest(data: SignalData) -> str:
    """The identity of the facts a signal states; its note does not count."""
    return document_digest(data.model_dump(mode="json"))


def document_digest(document: Mapping[str, Any]) -> str:
    """As `data_digest`, of the data as a JSON document."""
    return digest({name: value for name, value in document.items() if name != "note"})
