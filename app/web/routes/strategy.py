"""The strategic horizon: service levels, the fill-rate curve, and where safety stock belongs. Read only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.strategy import Mentions, strategy_now
from app.web.bodies import Text
from app.web.dependencies import Caller, InSession
from tools.strategy import Strategy, StrategyRequest
from tools.strategy.requests import LINES_MAX, QUARTER_DAYS
from tools.transfers import MINOR_MAX

router = APIRouter(tags=["strategy"])
MENTIONS_MAX = 200
Named = Annotated[list[Annotated[Text, Field(min_length=1, max_length=200)]], Field(max_length=MENTIONS_MAX)]


class StrategyQuery(BaseModel):
    """What to look at, and what the levels are for: a fill rate, a budget, or, with neither, least cost."""

    model_config = {"extra": "forbid"}
    sku: Named = []
    category: Named = []
    site: Named = []
    fill_rate_ppm: Annotated[int | None, Field(ge=1, le=999_999)] = None
    budget_minor: Annotated[int | None, Field(ge=0, le=MINOR_MAX)] = None
    supply_days: Annotated[int | None, Field(ge=0, le=365)] = None
    horizon_days: Annotated[int, Field(ge=7, le=365)] = QUARTER_DAYS
    limit: Annotated[int, Field(ge=0, le=LINES_MAX)] = 20


@router.get("/strategy")
def strategy(session: InSession, caller: Caller, query: Annotated[StrategyQuery, Query()]) -> Strategy:
    """Service levels and safety stock for the weeks to come at the caller's sites: a proposal that changes nothing."""
    request = StrategyRequest(
        fill_rate_ppm=query.fill_rate_ppm, budget_minor=query.budget_minor, supply_days=query.supply_days,
        horizon_days=query.horizon_days, lines_max=query.limit,
    )  # fmt: skip
    return strategy_now(session, caller, Mentions(query.sku, query.category, query.site), request)
