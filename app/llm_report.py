"""What an operator reads about the language model: what answers now, what it took of whom, and how far it may go."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel
from sqlmodel import Session

from app.auth.roles import Act, Principal
from app.llm import Llm
from app.llm_usage import UsageOfDay, usage_by_day
from app.settings import Settings

ROWS_MAX = 1_000


class LlmUsageView(BaseModel):
    """What one person's runs took of one language model on one day (UTC).

    Money is in millionths of a unit of the vendor's currency. `estimated_calls` counts
    the calls whose tokens the vendor did not say, or that are under way.
    """

    day: date
    user_id: str
    llm: str
    calls: int
    estimated_calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_e6: int


class LlmReport(BaseModel):
    """What answers the conversations, its limits, and what was used.

    `left_alone_seconds` and `left_alone_because` are there while a vendor that failed
    again and again is not asked. Limits of money are in ten-thousandths of a currency unit.
    """

    llm: str
    currency: str
    left_alone_seconds: int | None
    left_alone_because: str | None
    run_tokens_max: int
    run_money_e4_max: int
    user_day_tokens_max: int
    user_day_money_e4_max: int
    usage: list[LlmUsageView]


def llm_report(
    session: Session, caller: Principal, llm: Llm, settings: Settings, *, since: date | None, limit: int
) -> LlmReport:
    """The report, with at most so many rows of usage. Raises ForbiddenError for whoever may not verify."""
    caller.require(Act.VERIFY)
    alone = llm.left_alone
    return LlmReport(
        llm=llm.name,
        currency=settings.llm_currency,
        left_alone_seconds=None if alone is None else max(1, round(alone.seconds)),
        left_alone_because=None if alone is None else alone.why,
        run_tokens_max=settings.run_tokens_max,
        run_money_e4_max=settings.run_money_e4_max,
        user_day_tokens_max=settings.user_day_tokens_max,
        user_day_money_e4_max=settings.user_day_money_e4_max,
        usage=[_view(row) for row in usage_by_day(session, since, limit)],
    )


def _view(row: UsageOfDay) -> LlmUsageView:
    return LlmUsageView(
        day=row.day, user_id=row.user_id, llm=row.llm, calls=row.calls, estimated_calls=row.estimated_calls,
        prompt_tokens=row.prompt_tokens, completion_tokens=row.completion_tokens, cost_e6=row.cost_e6,
    )  # fmt: skip
