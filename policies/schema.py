"""The shape of a policy document. Every number of the governance lives in one, and nowhere else.

Amounts are in minor units of the network's currency; `_bp` is hundredths of a percent.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from policies.approvals import Approvals
from policies.numbers import Amount, BasisPoints, Count, Days, ServiceLevel, absent
from tools.canonical import digest
from tools.findings import QualityVerdict
from tools.inventory import Temperature
from tools.targets import DemandClass
from tools.transfers import Id, LaneRef, Mode, Value


class Economics(Value):
    """What a lost sale, a leftover unit and a transfer line cost."""

    lost_sale_margin_bp: Annotated[int, Field(ge=0, le=100_000)]
    lost_sale_price_floor_bp: BasisPoints
    leftover_cost_bp: BasisPoints
    perishable_leftover_cost_bp: BasisPoints
    perishable_shelf_life_days: Days
    line_charge_minor: Amount


class ServiceLevels(Value):
    """How surely demand until the regular supply is to be covered, by demand class."""

    A: ServiceLevel
    B: ServiceLevel
    C: ServiceLevel
    a_share_bp: BasisPoints
    b_share_bp: BasisPoints

    @model_validator(mode="after")
    def _shares_rise(self) -> Self:
        if self.a_share_bp > self.b_share_bp:
            raise ValueError(
                f"b_share_bp is the share of A and B together; it cannot be below {self.a_share_bp}, A's own"
            )
        return self

    def of(self, demand_class: DemandClass) -> int:
        """The level of one class, in basis points."""
        return {DemandClass.A: self.A, DemandClass.B: self.B, DemandClass.C: self.C}[demand_class]


class SourceProtection(Value):
    """What a donor keeps: enough for its own demand at these levels, less supply that comes in time."""

    A: ServiceLevel
    B: ServiceLevel
    C: ServiceLevel

    def of(self, demand_class: DemandClass) -> int:
        """The level of one class, in basis points."""
        return {DemandClass.A: self.A, DemandClass.B: self.B, DemandClass.C: self.C}[demand_class]


class EntityPair(Value):
    """Two legal entities between which stock may move, in this direction."""

    origin: Annotated[str, Field(min_length=1, max_length=80)]
    destination: Annotated[str, Field(min_length=1, max_length=80)]


class LaneRules(Value):
    """Lanes that are closed, and which SKUs need which modes."""

    forbidden: tuple[LaneRef, ...] = ()
    cross_entity: Literal["forbidden", "listed", "allowed"]
    cross_entity_pairs: tuple[EntityPair, ...] = ()
    chilled_modes: tuple[Mode, ...]
    frozen_modes: tuple[Mode, ...]
    hazmat_modes: tuple[Mode, ...]

    @property
    def temperature_modes(self) -> dict[Temperature, frozenset[str]]:
        """The modes that keep a temperature; ambient goods may travel by any."""
        return {Temperature.CHILLED: frozenset(self.chilled_modes), Temperature.FROZEN: frozenset(self.frozen_modes)}


class CoolDown(Value):
    """Against ping-pong: what came in does not go out again so soon, and what went out does not come back.

    Snapshots show the moves of the last 90 days, so no cool-down can be longer.
    """

    days: Annotated[int, Field(ge=0, le=90)]


class Benefit(Value):
    """What a line and a departure must earn beyond their cost."""

    line_min_minor: Amount
    lane_min_minor: Amount


class Size(Value):
    """The most that one line and one plan may move."""

    line_units_max: Count
    plan_units_max: Count
    plan_lines_max: Count
    plan_goods_value_max_minor: Amount


class Horizon(Value):
    """Days: between two decisions, that an approval takes, and to the regular supply where it is not known."""

    review_interval_days: Annotated[int, Field(ge=1, le=90)]
    approval_latency_days: Days
    default_days: Annotated[int, Field(ge=1, le=365)]


class Departures(Value):
    """How many departures of a lane a plan may choose from where the next one can be full. Without it, the next only."""

    per_lane_max: Annotated[int, Field(ge=1, le=14)]


class ImbalanceThresholds(Value):
    """From when on a difference is an imbalance."""

    shortage_lost_units_e6_min: Amount
    surplus_units_min: Count
    expiring_units_min: Count
    expiry_sales_bp: Annotated[int, Field(ge=1, le=9_999)]
    stranded_days: Annotated[int, Field(ge=1, le=365)]
    stranded_demand_e6_max: Amount


class StaleStock(StrEnum):
    """What becomes of a plan on stock figures older than the limit."""

    BLOCK = "block"
    WARN = "warn"


class DataQuality(Value):
    """When data is too old or too doubtful to plan on."""

    stale_after_hours: Annotated[int, Field(ge=1, le=100_000)]
    stale_stock: StaleStock
    held_share_max_bp: BasisPoints
    stale_verdict: QualityVerdict
    missing_verdict: QualityVerdict
    future_minutes_max: Annotated[int, Field(ge=0, le=1_440)]
    jump_sds: Annotated[int, Field(ge=1, le=100)]
    jump_units_min: Count
    impossible_days: Annotated[int, Field(ge=30, le=36_500)]
    impossible_units_min: Count
    forecast_factor_max: Annotated[int, Field(ge=2, le=1_000)]
    forecast_daily_e6_min: Amount
    overdue_days_max: Days
    lead_time_change_days_max: Days


class EmergencyRescue(Value):
    """When a request may take donors below what they ordinarily keep.

    Donors then keep their own demand until regular supply at `keep_level_bp`, and only
    receivers that run out before theirs with `stock_out_bp` or more are served.
    """

    keep_level_bp: Annotated[int, Field(ge=1, le=9_999)]
    stock_out_bp: Annotated[int, Field(ge=1, le=10_000)]


class Merchandise(Value):
    """How facts about merchandise are used. Without this section lots and hard displays still hold, and nothing else does.

    A lot arrives with `least_life_days` left and with `least_life_share_bp` of the SKU's
    shelf life, whichever is longer. An end of life counts from `end_of_life_days` before
    its date on. A line to a site that runs out with `rescue_stock_out_bp` or more is a rescue.
    """

    whole_sets: bool
    soft_displays: bool
    markdowns: bool
    substitution: bool
    end_of_life_days: Days
    least_life_days: Days
    least_life_share_bp: BasisPoints
    rescue_stock_out_bp: Annotated[int, Field(ge=1, le=10_000)]
    emergency: Annotated[EmergencyRescue | None, Field(exclude_if=absent)] = None


class Tier(Value):
    """Who may decide on a plan up to this size. Tiers are tried in order; a plan above the last is forbidden.

    A tier stands for one recorded approver; whose signatures a plan needs beyond that is for the signing rules of
    `Approvals` to say. A document that wants two approvals of a tier is refused, and never satisfied by one.
    """

    name: Annotated[str, Field(min_length=1, max_length=40)]
    goods_value_max_minor: Amount
    units_max: Count
    cross_entity: bool
    approvals: Annotated[int, Field(ge=1, le=1)]
    expires_hours: Annotated[int, Field(ge=1, le=720)]


class Mechanism(StrEnum):
    """How competing claims on one pool are settled."""

    MARKET = "market"
    PRIORITY = "priority"


NegotiableRule = Literal["plan_units", "plan_lines", "plan_goods_value", "source_protection", "cool_down"]
"""The rules that can be lifted to price a concession."""


class Negotiation(Value):
    """How claims are settled, and which rules may be relaxed, at a price, by the people who decide."""

    mechanism: Mechanism
    priority_sites: tuple[Id, ...] = ()
    rounds_max: Annotated[int, Field(ge=1, le=3)]
    negotiable_rules: tuple[NegotiableRule, ...] = ()


class Policy(Value):
    """A released policy document. Its digest is its identity; a changed document is another policy.

    A release is named by its month, with at most nine corrections of it: names in the order of text are in the
    order of time.
    """

    name: Annotated[str, Field(min_length=1, max_length=80)]
    release: Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])(\.[1-9])?$")]
    summary: Annotated[str, Field(min_length=1, max_length=1000)]
    economics: Economics
    service_levels: ServiceLevels
    source_protection: SourceProtection
    lanes: LaneRules
    cool_down: CoolDown
    benefit: Benefit
    size: Size
    horizon: Horizon
    imbalance: ImbalanceThresholds
    data_quality: DataQuality
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=10)]
    negotiation: Negotiation
    merchandise: Annotated[Merchandise | None, Field(exclude_if=absent)] = None
    departures: Annotated[Departures | None, Field(exclude_if=absent)] = None
    approvals: Annotated[Approvals | None, Field(exclude_if=absent)] = None

    @model_validator(mode="after")
    def _tiers_rise(self) -> Self:
        for lower, upper in zip(self.tiers, self.tiers[1:], strict=False):
            if lower.goods_value_max_minor > upper.goods_value_max_minor:
                raise ValueError(f"tier {upper.name} admits less value than tier {lower.name} before it")
        return self

    @model_validator(mode="after")
    def _bulk_names_tiers(self) -> Self:
        bulk = self.approvals.bulk if self.approvals else None
        unknown = set(bulk.tiers) - {tier.name for tier in self.tiers} if bulk else set()
        if unknown:
            raise ValueError(f"there is no tier {min(unknown)} to decide on in bulk")
        return self

    @cached_property
    def digest(self) -> str:
        """The identity of the document."""
        return digest(self.model_dump(mode="json"))

    @property
    def label(self) -> str:
        """Name and release, for people."""
        return f"{self.name} {self.release}"
