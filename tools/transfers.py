"""The decisions: plan request, transfer plan, rejection, transfer order.

Frozen pydantic models with strict fields, because they cross borders: from people or
the llm to the solver, and into storage. The id of a plan is the digest of its content.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.canonical import digest
from tools.inventory import SITE_SKU_ID_PATTERN, UNITS_MAX, LaneKey, SiteSku

MINOR_MAX = 10**15

Id = Annotated[str, Field(pattern=SITE_SKU_ID_PATTERN)]
Mode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
NO_NUL = r"^[^\x00]*$"
"""No database keeps text with a NUL."""
Category = Annotated[str, Field(min_length=1, max_length=80, pattern=NO_NUL)]
Units = Annotated[int, Field(ge=0, le=UNITS_MAX)]
PositiveUnits = Annotated[int, Field(ge=1, le=UNITS_MAX)]
Minor = Annotated[int, Field(ge=-MINOR_MAX, le=MINOR_MAX)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

_TRANSFER_NAMESPACE = UUID("6d1f0c8e-8f4b-5b0a-9f7e-0d0c5a4c3e11")


class Value(BaseModel):
    """A frozen value: strict types, no unknown fields."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class LaneRef(Value):
    """A lane named by a person: without a mode it means every mode between the two sites."""

    origin: Id
    destination: Id
    mode: Mode | None = None

    def covers(self, key: LaneKey) -> bool:
        """Whether `key` is (one of) the lane(s) meant."""
        return (self.origin, self.destination) == key[:2] and self.mode in (None, key.mode)


class LineRef(Value):
    """A SKU on its way from one site to another."""

    sku_id: Id
    origin: Id
    destination: Id


class UnitCap(Value):
    """The most units of a SKU that a site may receive (or send) in the plan."""

    site_id: Id
    sku_id: Id
    units: Units


class DemandChange(Value):
    """Demand expected differently: `percent` of the forecast, for the SKUs and sites named (empty = all)."""

    percent: Annotated[int, Field(ge=0, le=1000)]
    skus: tuple[Id, ...] = ()
    sites: tuple[Id, ...] = ()


class SupplyDelay(Value):
    """Open purchase orders expected `days` later than they are, for the SKUs and sites named (empty = all)."""

    days: Annotated[int, Field(ge=0, le=365)]
    skus: tuple[Id, ...] = ()
    sites: tuple[Id, ...] = ()


class Scope(Value):
    """What a plan request is about; an empty tuple means no restriction.

    A transfer must touch one of `sites` at one end at least, and the caller's own `within_sites` at both.
    """

    skus: tuple[Id, ...] = ()
    categories: tuple[Category, ...] = ()
    sites: tuple[Id, ...] = ()
    origins: tuple[Id, ...] = ()
    destinations: tuple[Id, ...] = ()
    within_sites: tuple[Id, ...] = ()


class Overlays(Value):
    """What the request assumes or demands beyond facts and policy: what-ifs, reasons of a rejection, priorities.

    `emergency_rescue`: likely stock-outs may be served from what donors ordinarily keep, where policy permits it.
    """

    excluded_lanes: tuple[LaneRef, ...] = ()
    excluded_sites: tuple[Id, ...] = ()
    excluded_skus: tuple[Id, ...] = ()
    excluded_lines: tuple[LineRef, ...] = ()
    receive_caps: tuple[UnitCap, ...] = ()
    send_caps: tuple[UnitCap, ...] = ()
    demand_changes: tuple[DemandChange, ...] = ()
    supply_delay_days: Annotated[int, Field(ge=0, le=365)] = 0
    supply_delays: Annotated[tuple[SupplyDelay, ...], Field(exclude_if=operator.not_)] = ()
    service_level_bp: Annotated[int, Field(ge=5000, le=9999)] | None = None
    transport_budget_minor: Annotated[int, Field(ge=0, le=MINOR_MAX)] | None = None
    max_units: Units | None = None
    max_lines: Annotated[int, Field(ge=0, le=100_000)] | None = None
    emergency_rescue: Annotated[bool, Field(exclude_if=operator.not_)] = False


class PlanRequest(Value):
    """What to solve. `within_days`: everything arrives within so many days; `based_on`: only what differs is solved."""

    scope: Scope = Scope()
    within_days: Annotated[int, Field(ge=0, le=365)] | None = None
    overlays: Overlays = Overlays()
    based_on: Annotated[Digest | None, Field(exclude_if=operator.not_)] = None

    def cut_to(self, sites: frozenset[str] | None) -> PlanRequest:
        """The same request within a caller's own sites; None means every site."""
        if sites is None:
            return self
        return self.model_copy(update={"scope": self.scope.model_copy(update={"within_sites": tuple(sorted(sites))})})

    def with_overlays(self, **changes: Any) -> PlanRequest:
        """The same request with overlays added: tuples are joined (sorted, without doubles), limits replaced."""
        fields = dict(self.overlays) | changes
        for name in [name for name, value in changes.items() if isinstance(value, tuple)]:
            joined = {repr(item): item for item in (*getattr(self.overlays, name), *changes[name])}
            fields[name] = tuple(joined[key] for key in sorted(joined))
        return self.model_copy(update={"overlays": Overlays(**fields)})


class SolveStatus(StrEnum):
    """What the solver may claim. Only OPTIMAL claims optimality."""

    OPTIMAL = "optimal"
    WITHIN_GAP = "within_gap"
    FEASIBLE = "feasible"
    NOTHING_TO_MOVE = "nothing_to_move"
    INFEASIBLE = "infeasible"
    STOPPED = "stopped"
    TOO_LARGE = "too_large"

    @property
    def has_plan(self) -> bool:
        """Whether lines come with this status."""
        return self in _WITH_PLAN


_WITH_PLAN = frozenset((SolveStatus.OPTIMAL, SolveStatus.WITHIN_GAP, SolveStatus.FEASIBLE, SolveStatus.NOTHING_TO_MOVE))


class LotPick(Value):
    """So many units of a lot that a line takes along."""

    lot_id: Id
    units: PositiveUnits


class TransferLine(Value):
    """So many units of a SKU on a lane, first expired lots first. `saving_minor` is its share, after its own move cost."""

    line_no: Annotated[int, Field(ge=1)]
    sku_id: Id
    origin: Id
    destination: Id
    mode: Mode
    units: PositiveUnits
    packs: PositiveUnits
    depart_on: date
    arrive_on: date
    saving_minor: Minor
    move_cost_minor: Minor
    goods_value_minor: Minor
    lots: Annotated[tuple[LotPick, ...], Field(exclude_if=operator.not_)] = ()

    @property
    def lane(self) -> LaneKey:
        """The lane this line travels on."""
        return LaneKey(self.origin, self.destination, self.mode)

    @property
    def ref(self) -> LineRef:
        """SKU, origin and destination."""
        return LineRef(sku_id=self.sku_id, origin=self.origin, destination=self.destination)


class LaneLoad(Value):
    """What a plan puts on one departure of a lane, and the fixed cost of that departure."""

    origin: Id
    destination: Id
    mode: Mode
    depart_on: date
    arrive_on: date
    volume_microlitres: Annotated[int, Field(ge=0)]
    fixed_cost_minor: Minor
    line_nos: tuple[int, ...]

    @property
    def lane(self) -> LaneKey:
        """The lane."""
        return LaneKey(self.origin, self.destination, self.mode)


class SolverRecord(Value):
    """How the lines were found and how far from the best possible they can be.

    `objective_minor` and `bound_minor` count every charge the solver saw (hurdles
    included), as change against moving nothing: negative is good. The gap is
    (objective - bound) / |objective| in parts per million.
    """

    path: Literal["exact", "fast", "none"]
    status: SolveStatus
    objective_minor: Minor
    bound_minor: Minor | None
    gap_ppm: Annotated[int, Field(ge=0)] | None
    versions: tuple[str, ...]


class FillRate(Value):
    """Expected share of demand served from stock until the regular supply, in parts per million."""

    before_ppm: Annotated[int, Field(ge=0, le=1_000_000)]
    after_ppm: Annotated[int, Field(ge=0, le=1_000_000)]


class TransferPlan(Value):
    """A proposal. Two plans with the same content have the same digest, and the digest is the plan's id.

    `saving_minor` = sum of line savings - sum of lane fixed costs. It values a receiver's
    gain in full until its next chance to be helped and in part after that, and a donor's loss
    until its regular supply; `whole_horizon_saving_minor` values both until the regular supply.
    """

    plan_schema: Literal["evenkeel.plan/1"] = "evenkeel.plan/1"
    snapshot_digest: Digest
    policy_digest: Digest
    request: PlanRequest
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    planned_on: date
    lines: tuple[TransferLine, ...]
    lanes: tuple[LaneLoad, ...]
    saving_minor: Minor
    whole_horizon_saving_minor: Minor
    move_cost_minor: Minor
    fixed_cost_minor: Minor
    goods_value_minor: Minor
    fill_rate: FillRate
    solver: SolverRecord

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        savings = sum(line.saving_minor for line in self.lines) - sum(load.fixed_cost_minor for load in self.lanes)
        if savings != self.saving_minor:
            raise ValueError(f"line savings minus lane costs are {savings}, the plan says {self.saving_minor}")
        if [line.line_no for line in self.lines] != list(range(1, len(self.lines) + 1)):
            raise ValueError("line numbers must run from 1 without a gap")
        return self

    @cached_property
    def digest(self) -> str:
        """The plan's id."""
        return digest(self.model_dump(mode="json"))

    @property
    def units(self) -> int:
        """Units moved in all."""
        return sum(line.units for line in self.lines)

    @property
    def transfer_cost_minor(self) -> int:
        """What moving costs: per line and per departure."""
        return self.move_cost_minor + self.fixed_cost_minor

    @property
    def sites(self) -> frozenset[str]:
        """Every site the plan touches."""
        return frozenset(site for line in self.lines for site in (line.origin, line.destination))

    def transfer_id(self, line_no: int, attempt: int = 0) -> UUID:
        """The permanent id of the transfer order of a line: known before the decision, sent to the ERP, never reused.

        A plan whose orders came to nothing may be put forward again; `attempt` counts.
        """
        return uuid5(_TRANSFER_NAMESPACE, f"{self.digest}/{line_no}{f'/{attempt}' if attempt else ''}")

    @cached_property
    def sent_units(self) -> dict[SiteSku, int]:
        """Units leaving, by site and SKU."""
        return _total((SiteSku(line.origin, line.sku_id), line.units) for line in self.lines)

    @cached_property
    def received_units(self) -> dict[SiteSku, int]:
        """Units arriving, by site and SKU."""
        return _total((SiteSku(line.destination, line.sku_id), line.units) for line in self.lines)


def _total(parts: Iterable[tuple[SiteSku, int]]) -> dict[SiteSku, int]:
    total: dict[SiteSku, int] = {}
    for key, units in parts:
        total[key] = total.get(key, 0) + units
    return total


class Verdict(StrEnum):
    """What a person may decide."""

    APPROVE = "approve"
    REJECT = "reject"
