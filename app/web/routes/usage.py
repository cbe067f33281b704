"""What the language model was used for, and what it cost."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from app.llm_report import ROWS_MAX, LlmReport, llm_report
from app.web.dependencies import Caller, InService, InSession

router = APIRouter(tags=["llm"])


@router.get("/llm-usage")
def read_llm_usage(
    service: InService,
    session: InSession,
    caller: Caller,
    since: date | None = None,
    limit: Annotated[int, Query(ge=1, le=ROWS_MAX)] = 100,
) -> LlmReport:
    """Tokens and money by day and person, the newest day first, with the limits that hold."""
    return llm_report(session, caller, service.llm, service.settings, since=since, limit=limit)
