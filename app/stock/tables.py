"""Tables of the facts: master data, signals and what they say now. Written by `ingest` and `master`, read by `facts`.

Names follow `tools.inventory`. Rows are made from values that were checked before;
the CHECK constraints are the last guard. `stated_at` is when a signal says that it
stated the row: a late delivery of older news does not replace newer.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint
from sqlmodel import Field, SQLModel

from app.db.columns import big_integer, document, instant, octets


class NetworkImport(SQLModel, table=True):
    """A folder that was imported. Its digest makes a second import of the same folder a no-op."""

    __tablename__ = "network_import"

    digest: str = Field(primary_key=True)
    imported_at: datetime = Field(sa_column=instant())
    imported_by: str
    counts: dict[str, int] = Field(sa_column=document())


class Installation(SQLModel, table=True):
    """The one row of what holds for the whole installation.

    `pinned_now` is set where a sample network lies in the past: its own day is then today.
    """

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("row_no = 1", name="installation_one_row"),)

    row_no: int = Field(default=1, primary_key=True)
    currency: str | None = None
    pinned_now: datetime | None = Field(default=None, sa_column=instant(nullable=True))
    facts_version: int = Field(default=0, sa_type=BigInteger)
    demand_version: int = Field(default=0, sa_type=BigInteger)


class MasterRow(SQLModel, table=True):
    """A site, SKU or lane as its last import stated it: the fields of the value in `tools.inventory`."""

    __tablename__ = "master_data"

    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body: dict[str, Any] = Field(sa_column=document())


class SignalRow(SQLModel, table=True):
    """A signal as it came, with its verdict. Source and id are unique: a second delivery changes nothing."""

    __tablename__ = "signal"

    source: str = Field(primary_key=True)
    signal_id: str = Field(primary_key=True)
    kind: str = Field(index=True)
    subject: str
    stated_at: datetime = Field(sa_column=instant())
    received_at: datetime = Field(sa_column=instant(index=True))
    digest: str
    verdict: str = Field(index=True)
    findings: list[dict[str, Any]] = Field(sa_column=document())
    data: bytes = Field(sa_column=octets())


class StockCountRow(SQLModel, table=True):
    """The last accepted count of a SKU at a site. `short_units` are promised to transfers and were not found."""

    __tablename__ = "stock_count"

    site_id: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)
    as_of: datetime = Field(sa_column=instant())
    source: str
    signal_id: str
    short_units: int = Field(default=0, sa_type=BigInteger)


class SalesRow(SQLModel, table=True):
    """Units sold on a day, or in the week that starts on `on_date`."""

    __tablename__ = "sales"
    __table_args__ = (CheckConstraint("units between 0 and 1000000000", name="sales_units"),)

    site_id: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)
    on_date: date = Field(primary_key=True)
    grain: str = Field(primary_key=True)
    units: int = Field(sa_column=big_integer())
    in_stock: bool
    stated_at: datetime = Field(sa_column=instant())


class ForecastDayRow(SQLModel, table=True):
    """Expected demand of one day, in millionths of a unit."""

    __tablename__ = "forecast_day"

    site_id: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)
    on_date: date = Field(primary_key=True)
    mean_e6: int = Field(sa_column=big_integer())
    variance_e6: int | None = Field(default=None, sa_column=big_integer(nullable=True))
    stated_at: datetime = Field(sa_column=instant())


class InboundRow(SQLModel, table=True):
    """Open supply of one order; 0 units when it is cancelled or has arrived."""

    __tablename__ = "inbound"
    __table_args__ = (CheckConstraint("units between 0 and 1000000000", name="inbound_units"),)

    site_id: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)
    reference: str = Field(primary_key=True)
    units: int = Field(sa_column=big_integer())
    expected_on: date
    kind: str
    stated_at: datetime = Field(sa_column=instant())


class ReplenishmentRow(SQLModel, table=True):
    """When the regular supply of a SKU comes to a site."""

    __tablename__ = "replenishment"

    site_id: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)
    next_arrival_on: date
    review_period_days: int | None = None


class LaneLeadTimeRow(SQLModel, table=True):
    """What a signal says a lane takes now, over its master data."""

    __tablename__ = "lane_lead_time"

    origin: str = Field(primary_key=True)
    destination: str = Field(primary_key=True)
    mode: str = Field(primary_key=True)
    lead_time_days: int
    lead_time_sd_millidays: int
    stated_at: datetime = Field(sa_column=instant())


class SupplierReliabilityRow(SQLModel, table=True):
    """How late purchase orders to a site arrive; an empty SKU stands for all of them."""

    __tablename__ = "supplier_reliability"

    site_id: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)
    on_time_percent: int
    mean_delay_days: int
    stated_at: datetime = Field(sa_column=instant())


class SetMemberRow(SQLModel, table=True):
    """A SKU that belongs to a set. This and the five tables below hold what the last import stated, as a whole."""

    __tablename__ = "set_member"

    set_id: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)


class MinimumDisplayRow(SQLModel, table=True):
    """Units that a site shows, and what each unit short of them costs where the display is a soft one."""

    __tablename__ = "minimum_display"
    __table_args__ = (
        CheckConstraint("units between 1 and 1000000000", name="minimum_display_units"),
        CheckConstraint("(kind = 'soft') = (shortfall_e4 > 0)", name="minimum_display_cost"),
    )

    site_id: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    units: int = Field(sa_column=big_integer())
    shortfall_e4: int = Field(sa_column=big_integer())


class LotRow(SQLModel, table=True):
    """Units of a lot at a site when it was last counted, and the last day on which they may be sold."""

    __tablename__ = "lot"
    __table_args__ = (CheckConstraint("units between 1 and 1000000000", name="lot_units"),)

    site_id: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)
    lot_id: str = Field(primary_key=True)
    units: int = Field(sa_column=big_integer())
    expires_on: date


class EndOfLifeRow(SQLModel, table=True):
    """The date by which a SKU has to leave a site; an empty site stands for the end of the SKU everywhere."""

    __tablename__ = "end_of_life"
    __table_args__ = (CheckConstraint("write_off_e4 >= 0", name="end_of_life_write_off"),)

    sku_id: str = Field(primary_key=True)
    site_id: str = Field(primary_key=True)
    leave_by: date
    write_off_e4: int | None = Field(default=None, sa_column=big_integer(nullable=True))


class MarkdownRow(SQLModel, table=True):
    """What a unit brings at a site when it is marked down there."""

    __tablename__ = "markdown"
    __table_args__ = (CheckConstraint("proceeds_e4 >= 0", name="markdown_proceeds"),)

    site_id: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)
    proceeds_e4: int = Field(sa_column=big_integer())


class SubstituteRow(SQLModel, table=True):
    """The share of customers who take another SKU in place of one that they do not find."""

    __tablename__ = "substitute"
    __table_args__ = (
        CheckConstraint("share_bp between 0 and 10000", name="substitute_share"),
        CheckConstraint("sku_id <> substitute_id", name="substitute_other"),
    )

    sku_id: str = Field(primary_key=True)
    substitute_id: str = Field(primary_key=True)
    share_bp: int


class DataHoldRow(SQLModel, table=True):
    """A site-SKU that is not planned on because a signal about it was quarantined."""

    __tablename__ = "data_hold"

    site_id: str = Field(primary_key=True)
    sku_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    check_name: str
    reason: str
    source: str
    signal_id: str


class ForecastCache(SQLModel, table=True):
    """Forecasts made from one state of the history, so that only new history is forecast again."""

    __tablename__ = "forecast_cache"

    key: str = Field(primary_key=True)
    body: bytes = Field(sa_column=octets())
