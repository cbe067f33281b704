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
    usage: list[UsageOfDay]


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
        usage=list(usage_by_day(session, since, limit)),
    )
