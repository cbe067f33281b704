"""The format, version 1: its files, their columns, and what each column holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.inventory import (
    InboundSupply,
    Lane,
    Replenishment,
    SalesObservation,
    Site,
    SiteKind,
    Sku,
    StockPosition,
    SupplyKind,
    Temperature,
)
from tools.merchandise.facts import (
    EVERY_SITE,
    DisplayKind,
    EndOfLife,
    Lot,
    Markdown,
    MinimumDisplay,
    SetMember,
    Substitute,
)
from tools.network_folder.cells import (
    ALL_WEEKDAYS,
    CURRENCY,
    IDENTIFIER,
    TIMEZONE,
    Categories,
    Cell,
    Choice,
    Coordinate,
    Day,
    Flag,
    Instant,
    Number,
    Text,
    Weekdays,
    units,
)
from tools.network_folder.facts import ForecastRow

DEFAULT_MODE = "truck"
"""The mode of a lane that names none."""

_NAME = Text(200)
_WORD = Text(80)
_CATEGORY = Text(80, forbidden=";")
_MONEY = Number("the currency unit", 4, 10**9)
_LITRES = Number("litres", 6, 10**9)
_UNITS = units()
_SOME_UNITS = units(1)
_LEAD_TIME = Number("days", 0, 365)
_DAY = Day()
_FLAG = Flag()


@dataclass(frozen=True, slots=True)
class Column:
    """A column and the field of the record it fills. An absent column or an empty cell means `default`."""

    name: str
    cell: Cell
    field: str = ""
    required: bool = False
    default: Any = None
    refers_to: str | None = None

    @property
    def target(self) -> str:
        """The field it fills: of the same name unless said otherwise."""
        return self.field or self.name


def _needed(name: str, cell: Cell, field: str = "") -> Column:
    return Column(name, cell, field, required=True)


def _site(name: str = "site_id") -> Column:
    return Column(name, IDENTIFIER, required=True, refers_to="sites.csv")


def _sku(name: str = "sku_id") -> Column:
    return Column(name, IDENTIFIER, required=True, refers_to="skus.csv")


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A file of the format. `key` names the columns that no two rows share; `names` the column others refer to."""

    name: str
    record: type
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    required: bool = True
    rows_required: bool = True
    names: str | None = None

    @property
    def key_fields(self) -> tuple[str, ...]:
        """The fields of the key."""
        target = {column.name: column.target for column in self.columns}
        return tuple(target[name] for name in self.key)


SITES = FileFormat(
    "sites.csv",
    Site,
    (
        _needed("site_id", IDENTIFIER),
        _needed("name", _NAME),
        _needed("kind", Choice(SiteKind)),
        Column("region", _WORD, default=""),
        Column("legal_entity", _WORD, default=""),
        Column("country", _WORD, default=""),
        Column("latitude", Coordinate(90), "latitude_e6"),
        Column("longitude", Coordinate(180), "longitude_e6"),
        Column("timezone", TIMEZONE, default="UTC"),
        Column("storage_capacity_litres", _LITRES, "storage_capacity_microlitres"),
        Column("inbound_units_per_day", _UNITS),
        Column("outbound_units_per_day", _UNITS),
    ),
    key=("site_id",),
    names="site_id",
)

SKUS = FileFormat(
    "skus.csv",
    Sku,
    (
        _needed("sku_id", IDENTIFIER),
        _needed("name", _NAME),
        Column("category", _CATEGORY, default=""),
        _needed("unit_cost", _MONEY, "unit_cost_e4"),
        _needed("unit_price", _MONEY, "unit_price_e4"),
        _needed("currency", CURRENCY),
        Column("unit_volume_litres", Number("litres", 6, 10**6), "unit_volume_microlitres", default=0),
        Column("unit_weight_kg", Number("kilograms", 6, 10**6), "unit_weight_milligrams", default=0),
        Column("pack_size", units(1, 10**6), default=1),
        Column("min_transfer_units", _SOME_UNITS, default=1),
        Column("shelf_life_days", Number("days", 0, 36_500, minimum=1)),
        Column("temperature", Choice(Temperature), default=Temperature.AMBIENT),
        Column("hazmat", _FLAG, default=False),
        Column("sensitive", _FLAG, default=False),
    ),
    key=("sku_id",),
    names="sku_id",
)

LANES = FileFormat(
    "lanes.csv",
    Lane,
    (
        _site("origin"),
        _site("destination"),
        Column("mode", IDENTIFIER, default=DEFAULT_MODE),
        _needed("lead_time_days", _LEAD_TIME),
        Column("lead_time_sd_days", Number("days", 3, 365), "lead_time_sd_millidays", default=0),
        _needed("cost_fixed", _MONEY, "cost_fixed_e4"),
        Column("cost_per_unit", _MONEY, "cost_per_unit_e4", default=0),
        Column("cost_per_litre", _MONEY, "cost_per_litre_e4", default=0),
        Column("capacity_litres_per_departure", _LITRES, "capacity_microlitres_per_departure"),
        Column("departure_weekdays", Weekdays(), default=ALL_WEEKDAYS),
        Column("allowed_categories", Categories(_CATEGORY), default=()),
    ),
    key=("origin", "destination", "mode"),
    rows_required=False,
)

STOCK = FileFormat(
    "stock.csv",
    StockPosition,
    (
        _site(),
        _sku(),
        _needed("on_hand", _UNITS, "on_hand_units"),
        Column("reserved", _UNITS, "reserved_units", default=0),
        _needed("as_of", Instant()),
    ),
    key=("site_id", "sku_id"),
)

INBOUND = FileFormat(
    "inbound.csv",
    InboundSupply,
    (
        _site(),
        _sku(),
        _needed("units", _UNITS),
        _needed("expected_on", _DAY),
        Column("kind", Choice(SupplyKind), default=SupplyKind.PURCHASE_ORDER),
        _needed("reference", _WORD),
    ),
    key=("site_id", "sku_id", "reference"),
    required=False,
    rows_required=False,
)

SALES = FileFormat(
    "sales.csv",
    SalesObservation,
    (
        _needed("date", _DAY, "on"),
        _site(),
        _sku(),
        _needed("units", _UNITS),
        Column("in_stock", _FLAG, default=True),
    ),
    key=("site_id", "sku_id", "date"),
    required=False,
    rows_required=False,
)

FORECAST = FileFormat(
    "forecast.csv",
    ForecastRow,
    (
        _site(),
        _sku(),
        _needed("date", _DAY, "on"),
        _needed("mean", Number("units", 6, 10**9), "mean_e6"),
        Column("variance", Number("squared units", 6, 10**12), "variance_e6"),
    ),
    key=("site_id", "sku_id", "date"),
    required=False,
    rows_required=False,
)

REPLENISHMENT = FileFormat(
    "replenishment.csv",
    Replenishment,
    (
        _site(),
        _sku(),
        _needed("next_arrival_on", _DAY),
        Column("review_period_days", Number("days", 0, 365, minimum=1)),
    ),
    key=("site_id", "sku_id"),
    required=False,
    rows_required=False,
)

SETS = FileFormat(
    "sets.csv",
    SetMember,
    (_needed("set_id", IDENTIFIER), _sku()),
    key=("set_id", "sku_id"),
    required=False,
    rows_required=False,
)

DISPLAYS = FileFormat(
    "displays.csv",
    MinimumDisplay,
    (
        _site(),
        _sku(),
        Column("kind", Choice(DisplayKind), default=DisplayKind.HARD),
        _needed("units", _SOME_UNITS),
        Column("shortfall_cost", _MONEY, "shortfall_e4", default=0),
    ),
    key=("site_id", "sku_id", "kind"),
    required=False,
    rows_required=False,
)

LOTS = FileFormat(
    "lots.csv",
    Lot,
    (_site(), _sku(), _needed("lot_id", IDENTIFIER), _needed("units", _SOME_UNITS), _needed("expires_on", _DAY)),
    key=("site_id", "sku_id", "lot_id"),
    required=False,
    rows_required=False,
)

END_OF_LIFE = FileFormat(
    "end_of_life.csv",
    EndOfLife,
    (
        _sku(),
        Column("site_id", IDENTIFIER, default=EVERY_SITE, refers_to="sites.csv"),
        _needed("leave_by", _DAY),
        Column("write_off", _MONEY, "write_off_e4"),
    ),
    key=("sku_id", "site_id"),
    required=False,
    rows_required=False,
)

MARKDOWNS = FileFormat(
    "markdowns.csv",
    Markdown,
    (_site(), _sku(), _needed("proceeds", _MONEY, "proceeds_e4")),
    key=("site_id", "sku_id"),
    required=False,
    rows_required=False,
)

SUBSTITUTES = FileFormat(
    "substitutes.csv",
    Substitute,
    (
        _sku(),
        _sku("substitute_id"),
        _needed("share", Number("of the customers", 4, 1), "share_bp"),
    ),
    key=("sku_id", "substitute_id"),
    required=False,
    rows_required=False,
)

MERCHANDISE: tuple[FileFormat, ...] = (SETS, DISPLAYS, LOTS, END_OF_LIFE, MARKDOWNS, SUBSTITUTES)

FILES: tuple[FileFormat, ...] = (SITES, SKUS, LANES, STOCK, INBOUND, SALES, FORECAST, REPLENISHMENT, *MERCHANDISE)
"""In the order in which they are read: a file comes after those it refers to."""
