"""What a strategy is asked for, and what policy says about costs and levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from tools.targets import DemandClass
from tools.transfers import MINOR_MAX, Category, Id, Value

QUARTER_DAYS = 91
LINES_MAX = 1_000
Days = Annotated[int, Field(ge=0, le=365)]


class StrategyRequest(Value):
    """What the strategic horizon is asked for. Empty tuples mean no restriction.

    `sites` are sites with customers; a centre among them stands for the stores that it
    serves. `within_sites` is the caller's own scope: nothing outside it is looked at
    (None means every site). With `fill_rate_ppm` or `budget_minor` levels follow the
    curve until the goal is met or the money is spent, whichever comes first; with
    neither they are the cheapest. `supply_days` replaces the lead time of supply from
    outside that is read off the orders under way. Demand is the mean of the next
    `horizon_days`. `lines_max` bounds each list of single site-SKUs.
    """

    skus: tuple[Id, ...] = ()
    categories: tuple[Category, ...] = ()
    sites: tuple[Id, ...] = ()
    within_sites: tuple[Id, ...] | None = None
    fill_rate_ppm: Annotated[int, Field(ge=1, le=999_999)] | None = None
    budget_minor: Annotated[int, Field(ge=0, le=MINOR_MAX)] | None = None
    supply_days: Days | None = None
    horizon_days: Annotated[int, Field(ge=7, le=365)] = QUARTER_DAYS
    lines_max: Annotated[int, Field(ge=0, le=LINES_MAX)] = 20


@dataclass(frozen=True)
class StrategyRules:
    """What policy says, by SKU and by demand class.

    `lost_unit_e4` is what a unit of demand not served costs, `leftover_unit_e4` what a
    unit costs that lies for `leftover_days`, both in ten-thousandths of the currency
    unit. `level_bp` are the service levels in force. `review_days` and `supply_days`
    stand in where the regular supply of a site-SKU is not known.
    """

    classes: Mapping[str, DemandClass]
    level_bp: Mapping[DemandClass, int]
    lost_unit_e4: Mapping[str, int]
    leftover_unit_e4: Mapping[str, int]
    leftover_days: int
    review_days: int
    supply_days: int
