"""Why a plan was rejected, in a closed list of reasons, and what each means for the next plan."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from tools.transfers import MINOR_MAX, NO_NUL, Id, LaneRef, PlanRequest, TransferPlan, UnitCap, Value


class RejectionCode(StrEnum):
    """Why a plan was rejected. Each code has a fixed meaning for the next plan; words never change a number.

    `site_keeps_sku`: the origins of the lines named send none of their SKUs. `too_small`: the lines named are not worth it.
    """

    LANE_UNAVAILABLE = "lane_unavailable"
    SITE_FROZEN = "site_frozen"
    SKU_FROZEN = "sku_frozen"
    LINE_UNWANTED = "line_unwanted"
    SITE_KEEPS_SKU = "site_keeps_sku"
    TOO_SMALL = "too_small"
    TOO_MANY_UNITS = "too_many_units"
    TOO_MANY_LINES = "too_many_lines"
    TOO_EXPENSIVE = "too_expensive"
    DATA_DOUBTFUL = "data_doubtful"
    OTHER = "other"


class Rejection(Value):
    """A coded reason with what it applies to, and words for people.

    `line_nos` name lines of the rejected plan; `limit` is the ceiling for TOO_ codes (units, lines, transport cost).
    """

    code: RejectionCode
    words: Annotated[str, Field(min_length=1, max_length=2000, pattern=NO_NUL)]
    line_nos: tuple[Annotated[int, Field(ge=1)], ...] = ()
    sites: tuple[Id, ...] = ()
    skus: tuple[Id, ...] = ()
    limit: Annotated[int, Field(ge=0, le=MINOR_MAX)] | None = None

    @model_validator(mode="after")
    def _says_what_it_applies_to(self) -> Self:
        needs: dict[RejectionCode, tuple[bool, str]] = {
            RejectionCode.LANE_UNAVAILABLE: (bool(self.line_nos), "line_nos"),
            RejectionCode.LINE_UNWANTED: (bool(self.line_nos), "line_nos"),
            RejectionCode.TOO_SMALL: (bool(self.line_nos), "line_nos"),
            RejectionCode.SITE_KEEPS_SKU: (bool(self.line_nos), "line_nos"),
            RejectionCode.SITE_FROZEN: (bool(self.sites), "sites"),
            RejectionCode.SKU_FROZEN: (bool(self.skus), "skus"),
            RejectionCode.TOO_MANY_UNITS: (self.limit is not None, "limit"),
            RejectionCode.TOO_MANY_LINES: (self.limit is not None, "limit"),
            RejectionCode.TOO_EXPENSIVE: (self.limit is not None, "limit"),
            RejectionCode.DATA_DOUBTFUL: (bool(self.line_nos or self.sites or self.skus), "line_nos, sites or skus"),
        }
        given, field = needs.get(self.code, (True, ""))
        if not given:
            raise ValueError(f"a rejection with code {self.code} must name {field}")
        return self


def request_after_rejection(plan: TransferPlan, rejection: Rejection) -> PlanRequest | None:
    """The next plan request that respects a rejection, or None when the reason leaves nothing to plan (OTHER).

    Raises ValueError when the rejection names a line that the plan does not have.
    """
    if unknown := [number for number in rejection.line_nos if number > len(plan.lines)]:
        raise ValueError(f"the plan has {len(plan.lines)} lines; there is no line {unknown[0]}")
    if rejection.code is RejectionCode.OTHER:
        return None
    request = plan.request.with_overlays(**overlays_of(plan, rejection))
    return request.model_copy(update={"based_on": plan.digest}) if plan.solver.path == "fast" else request


def overlays_of(plan: TransferPlan, rejection: Rejection) -> dict[str, Any]:
    """What a reason that is not OTHER adds to a plan request."""
    lines = [plan.lines[number - 1] for number in rejection.line_nos]
    refs = tuple(line.ref for line in lines)
    lanes = tuple(LaneRef(origin=line.origin, destination=line.destination, mode=line.mode) for line in lines)
    doubtful = {"excluded_lines": refs, "excluded_sites": rejection.sites, "excluded_skus": rejection.skus}
    kept = tuple(UnitCap(site_id=line.origin, sku_id=line.sku_id, units=0) for line in lines)
    meaning: dict[RejectionCode, dict[str, Any]] = {
        RejectionCode.LANE_UNAVAILABLE: {"excluded_lanes": lanes},
        RejectionCode.LINE_UNWANTED: {"excluded_lines": refs},
        RejectionCode.TOO_SMALL: {"excluded_lines": refs},
        RejectionCode.SITE_KEEPS_SKU: {"send_caps": kept},
        RejectionCode.SITE_FROZEN: {"excluded_sites": rejection.sites},
        RejectionCode.SKU_FROZEN: {"excluded_skus": rejection.skus},
        RejectionCode.DATA_DOUBTFUL: doubtful,
        RejectionCode.TOO_MANY_UNITS: {"max_units": rejection.limit},
        RejectionCode.TOO_MANY_LINES: {"max_lines": rejection.limit},
        RejectionCode.TOO_EXPENSIVE: {"transport_budget_minor": rejection.limit},
    }
    return meaning[rejection.code]
