"""The facts: sites, SKUs, lanes, stock positions, supply, forecasts, and the snapshot that freezes them.

Quantities are integers in stock units. Volumes are integers in microlitres and
weights in milligrams, so that six decimals of a litre or kilogram stay exact.
Money rates are ten-thousandths of the currency unit (see `tools.money`).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from tools.canonical import canonical_json, digest_of_parts
from tools.demand_table import DemandTable
from tools.merchandise.facts import NO_MERCHANDISE, Merchandise

MICROLITRES_PER_LITRE = 1_000_000
MILLIGRAMS_PER_KILOGRAM = 1_000_000
UNITS_MAX = 1_000_000_000
EARLIEST_ON = date(1970, 1, 1)
LATEST_ON = date(2199, 12, 31)
"""Dates of facts lie between these, so that days can be added to them on every machine and in the database."""

SITE_SKU_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
"""Ids are plain ASCII, so that look-alike characters cannot name another site or SKU."""


class SiteKind(StrEnum):
    """What a site is for."""

    DC = "dc"
    WAREHOUSE = "warehouse"
    CROSS_DOCK = "cross_dock"
    STORE = "store"


class Temperature(StrEnum):
    """The regime a SKU must be kept and moved in."""

    AMBIENT = "ambient"
    CHILLED = "chilled"
    FROZEN = "frozen"


class SupplyKind(StrEnum):
    """Where inbound units come from."""

    PURCHASE_ORDER = "purchase_order"
    TRANSFER = "transfer"


class SiteSku(NamedTuple):
    """One SKU at one site."""

    site_id: str
    sku_id: str


class LaneKey(NamedTuple):
    """What names a lane."""

    origin: str
    destination: str
    mode: str

    @property
    def label(self) -> str:
        """The lane in words: `DC01→S004 by van`."""
        return f"{self.origin}→{self.destination} by {self.mode}"


@dataclass(frozen=True, slots=True)
class Site:
    """A place that holds stock. None means: not known, or without limit for the three capacities."""

    site_id: str
    name: str
    kind: SiteKind
    region: str = ""
    legal_entity: str = ""
    country: str = ""
    latitude_e6: int | None = None
    longitude_e6: int | None = None
    timezone: str = "UTC"
    storage_capacity_microlitres: int | None = None
    inbound_units_per_day: int | None = None
    outbound_units_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Sku:
    """A thing that is stocked. A sensitive SKU is masked for people without clearance."""

    sku_id: str
    name: str
    unit_cost_e4: int
    unit_price_e4: int
    category: str = ""
    unit_volume_microlitres: int = 0
    unit_weight_milligrams: int = 0
    pack_size: int = 1
    min_transfer_units: int = 1
    shelf_life_days: int | None = None
    temperature: Temperature = Temperature.AMBIENT
    hazmat: bool = False
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """A way from one site to another. Only listed lanes exist.

    `departure_weekdays` holds ISO weekdays (Monday = 1); `cost_fixed_e4` is paid
    once for each departure used; an empty `allowed_categories` admits every SKU.
    """

    origin: str
    destination: str
    mode: str
    lead_time_days: int
    cost_fixed_e4: int
    cost_per_unit_e4: int = 0
    cost_per_litre_e4: int = 0
    lead_time_sd_millidays: int = 0
    capacity_microlitres_per_departure: int | None = None
    departure_weekdays: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    allowed_categories: tuple[str, ...] = ()

    @property
    def key(self) -> LaneKey:
        """What names this lane."""
        return LaneKey(self.origin, self.destination, self.mode)


@dataclass(frozen=True, slots=True)
class StockPosition:
    """What a site holds of a SKU. Available = on hand - reserved."""

    site_id: str
    sku_id: str
    on_hand_units: int
    reserved_units: int
    as_of: datetime

    @property
    def available_units(self) -> int:
        """Units that nobody has promised yet."""
        return self.on_hand_units - self.reserved_units

    @property
    def key(self) -> SiteSku:
        """The site and SKU."""
        return SiteSku(self.site_id, self.sku_id)


@dataclass(frozen=True, slots=True)
class InboundSupply:
    """Units on their way to a site: on order, or in transit from another site."""

    site_id: str
    sku_id: str
    units: int
    expected_on: date
    kind: SupplyKind
    reference: str


@dataclass(frozen=True, slots=True)
class SalesObservation:
    """Units sold on a day, or in the week that starts on `on`. `in_stock` False: demand may have been higher."""

    site_id: str
    sku_id: str
    on: date
    units: int
    in_stock: bool = True


@dataclass(frozen=True, slots=True)
class DemandForecast:
    """Expected demand per day from `first_on` on, in millionths of a unit.

    The last entry of `mean_e6` and `variance_e6` goes on for ever, so a level
    forecast has one entry. `level_cv2_e6` is the squared coefficient of variation
    of the level itself (how unsure we are of the rate), in millionths.
    """

    site_id: str
    sku_id: str
    method: str
    first_on: date
    mean_e6: tuple[int, ...]
    variance_e6: tuple[int, ...]
    level_cv2_e6: int = 0

    @property
    def key(self) -> SiteSku:
        """The site and SKU."""
        return SiteSku(self.site_id, self.sku_id)


@dataclass(frozen=True, slots=True)
class Replenishment:
    """When the regular supply of a SKU comes to a site anyway."""

    site_id: str
    sku_id: str
    next_arrival_on: date
    review_period_days: int | None = None


@dataclass(frozen=True, slots=True)
class RecentMove:
    """A SKU that a site sent or received through a transfer: what the cool-down rule looks at."""

    site_id: str
    sku_id: str
    sent: bool
    moved_on: date


@dataclass(frozen=True, slots=True)
class BookedLoad:
    """What approved transfers put on one departure of a lane that is still to come."""

    origin: str
    destination: str
    mode: str
    depart_on: date
    units: int
    volume_microlitres: int

    @property
    def lane(self) -> LaneKey:
        """The lane."""
        return LaneKey(self.origin, self.destination, self.mode)


@dataclass(frozen=True, slots=True)
class DataHold:
    """A site-SKU whose data is not good enough to plan on, with the check that failed and its reason."""

    site_id: str
    sku_id: str
    check: str
    reason: str


@dataclass(frozen=True, slots=True)
class SignalRef:
    """A signal that a snapshot rests on: its identity and the digest of its data."""

    source: str
    signal_id: str
    kind: str
    digest: str
    verdict: str


@dataclass(frozen=True)
class Snapshot:
    """Frozen facts as of an instant. Tuples are sorted by id, so equal facts have equal digests.

    `approval_latency_days` is how long decisions are known to take; None where nobody has set or measured it.
    """

    as_of: datetime
    currency: str
    sites: tuple[Site, ...]
    skus: tuple[Sku, ...]
    lanes: tuple[Lane, ...]
    positions: tuple[StockPosition, ...]
    supply: tuple[InboundSupply, ...] = ()
    forecasts: tuple[DemandForecast, ...] = ()
    replenishments: tuple[Replenishment, ...] = ()
    recent_moves: tuple[RecentMove, ...] = ()
    holds: tuple[DataHold, ...] = ()
    lineage: tuple[SignalRef, ...] = ()
    merchandise: Merchandise = NO_MERCHANDISE
    approval_latency_days: int | None = None
    booked: tuple[BookedLoad, ...] = ()

    @cached_property
    def digest(self) -> str:
        """The identity of these facts. Names of sites and SKUs are free text and do not count.

        What is not stated about merchandise, measured of approvals or booked on departures is left out, so that a
        network without it keeps its digest.
        """
        return digest_of_parts(self.identity_parts())

    def identity_parts(self, names: Collection[str] | None = None) -> dict[str, bytes]:
        """The canonical form of each field that makes up the digest, by name; of these fields, if any are named."""
        included = None if names is None else set(names)
        document = _ADAPTER.dump_python(self, mode="json", include=included, exclude=_FREE_TEXT)
        if "merchandise" in document:
            document["merchandise"] = {name: rows for name, rows in document["merchandise"].items() if rows}
        return {
            name: canonical_json(part)
            for name, part in document.items()
            if name not in _UNSTATED or part != _UNSTATED[name]
        }

    def to_document(self) -> dict[str, Any]:
        """The snapshot as plain JSON values, for storage; `from_document` is the way back."""
        document: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Snapshot:
        """The snapshot that `to_document` wrote. Raises pydantic.ValidationError on anything else."""
        return _ADAPTER.validate_python(document)

    @cached_property
    def site_by_id(self) -> dict[str, Site]:
        """Sites by id."""
        return {site.site_id: site for site in self.sites}

    @cached_property
    def sku_by_id(self) -> dict[str, Sku]:
        """SKUs by id."""
        return {sku.sku_id: sku for sku in self.skus}

    @cached_property
    def lane_by_key(self) -> dict[LaneKey, Lane]:
        """Lanes by origin, destination and mode."""
        return {lane.key: lane for lane in self.lanes}

    @cached_property
    def position_by_key(self) -> dict[SiteSku, StockPosition]:
        """Stock positions by site and SKU."""
        return {position.key: position for position in self.positions}

    @cached_property
    def forecast_by_key(self) -> dict[SiteSku, DemandForecast]:
        """Forecasts by site and SKU."""
        return {forecast.key: forecast for forecast in self.forecasts}

    @cached_property
    def worked_out(self) -> dict[Hashable, Any]:
        """What calculators have worked out from these facts and keep for the next time; values are never changed."""
        return {}

    @cached_property
    def demand_table(self) -> DemandTable:
        """Forecasts as arrays, for sums over many windows."""
        return DemandTable.of(self.forecasts)

    @cached_property
    def replenishment_by_key(self) -> dict[SiteSku, Replenishment]:
        """Regular supply by site and SKU."""
        return {SiteSku(row.site_id, row.sku_id): row for row in self.replenishments}

    @cached_property
    def supply_by_key(self) -> dict[SiteSku, tuple[InboundSupply, ...]]:
        """Inbound units by site and SKU, earliest first."""
        grouped: dict[SiteSku, list[InboundSupply]] = {}
        for row in self.supply:
            grouped.setdefault(SiteSku(row.site_id, row.sku_id), []).append(row)
        return {key: tuple(sorted(rows, key=lambda r: (r.expected_on, r.reference))) for key, rows in grouped.items()}

    @cached_property
    def hold_by_key(self) -> dict[SiteSku, DataHold]:
        """Data holds by site and SKU."""
        return {SiteSku(hold.site_id, hold.sku_id): hold for hold in self.holds}


_ADAPTER: TypeAdapter[Snapshot] = TypeAdapter(Snapshot)
_UNSTATED: Mapping[str, object] = {"merchandise": {}, "booked": [], "approval_latency_days": None}
_FREE_TEXT: Any = {"sites": {"__all__": {"name"}}, "skus": {"__all__": {"name"}}, "holds": {"__all__": {"reason"}}}
