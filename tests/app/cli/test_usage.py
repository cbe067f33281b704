"""`llm-usage`."""

from __future__ import annotations

from uuid import uuid4

from app.llm_answers import Usage
from app.llm_usage import RunAccount, tariff
from tests.app.cli.conftest import Office


def test_what_was_used_is_listed_with_the_limits(office: Office) -> None:
    with office.service() as service:
        account = RunAccount(service.database, uuid4(), "paula", "scripted-1", tariff(service.settings))
        account.settle(account.reserve(Usage(1, 1)), Usage(12_345, 678))
    said = office("llm-usage")
    assert said.status == 0, said.err
    assert "The built-in baseline answers." in said.out
    assert "At most 2,000,000 tokens and 10.00 USD per person and day." in said.out
    assert said.out.splitlines()[-1].split()[1:] == ["paula", "scripted-1", "1", "0", "12,345", "678", "0.00", "USD"]
    (row,) = office("llm-usage", "--json").document["usage"]
    assert (row["user_id"], row["prompt_tokens"], row["cost_e6"]) == ("paula", 12_345, 0)
    assert office("llm-usage", "--since", "2999-01-01").out.splitlines()[-1] == "No language model was asked."


def test_reading_it_needs_the_role(shared_office: Office) -> None:
    refused = shared_office("llm-usage", "--json", by="paula")
    assert (refused.status, refused.document["error"]) == (1, "role")
