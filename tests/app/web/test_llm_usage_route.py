"""What the language model was used for, over HTTP: for operators, by day and person, with the limits that hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from app.llm_answers import Usage
from app.llm_usage import RunAccount, tariff
from tests.app.web.door import Door, problem_of


def use(door: Door, user_id: str, used: Usage) -> None:
    """One call of the language model in somebody's name."""
    account = RunAccount(door.service.database, uuid4(), user_id, "scripted-1", tariff(door.service.settings))
    account.settle(account.reserve(Usage(1, 1)), used)


def test_an_operator_reads_what_was_used_and_what_may_be(door_with: Callable[..., Door]) -> None:
    door = door_with(llm_prompt_price_e4=25_000, user_day_tokens_max=5_000, llm_currency="EUR")
    use(door, "paula", Usage(1_000, 200))
    use(door, "paula", Usage(500, 100, is_estimate=True))
    use(door, "fern", Usage(10, 1))
    report = door.get("/v1/llm-usage", "otto").json()
    today = datetime.now(UTC).date()
    paula = {
        "day": today.isoformat(), "user_id": "paula", "llm": "scripted-1", "calls": 2, "estimated_calls": 1,
        "prompt_tokens": 1_500, "completion_tokens": 300, "cost_e6": 3_750,
    }  # fmt: skip
    assert [report["usage"][0], report["usage"][1]["user_id"]] == [paula, "fern"]
    assert (report["llm"], report["currency"], report["user_day_tokens_max"]) == ("baseline", "EUR", 5_000)
    assert (report["left_alone_seconds"], report["left_alone_because"]) == (None, None)
    tomorrow = (today + timedelta(days=1)).isoformat()
    assert door.get(f"/v1/llm-usage?since={tomorrow}", "otto").json()["usage"] == []
    assert len(door.get(f"/v1/llm-usage?since={today}&limit=1", "otto").json()["usage"]) == 1


def test_an_operator_sees_that_the_vendor_is_left_alone_and_why(door_with: Callable[..., Door]) -> None:
    door = door_with(llm_breaker_failures_max=1)
    door.service.llm._breaker.failed("cannot be reached (no connection)")
    report = door.get("/v1/llm-usage", "otto").json()
    assert 28 <= report["left_alone_seconds"] <= 30
    assert report["left_alone_because"] == "cannot be reached (no connection)"


def test_a_day_that_is_none_is_refused(house: Door) -> None:
    problem = problem_of(house.get("/v1/llm-usage?since=yesterday", "otto"), 422, "invalid_request")
    assert "since" in str(problem)
