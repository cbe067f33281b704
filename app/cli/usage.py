"""`llm-usage`: what the language model took."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import AsJson, print_json, print_table
from app.cli.session import Token, at_shell

if TYPE_CHECKING:
    from app.llm_report import LlmReport

ROWS_MAX = 1_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("llm-usage")(llm_usage)


def llm_usage(
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The first day (UTC).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=ROWS_MAX, help="How many rows to show.")] = 100,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show tokens and money by day and person, and the limits that hold."""
    from app.llm_report import llm_report

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        found = llm_report(
            session,
            shell.caller,
            shell.service.llm,
            shell.service.settings,
            since=None if since is None else since.date(),
            limit=limit,
        )
    if as_json:
        print_json(found)
        return
    _print(found)


def _print(found: LlmReport) -> None:
    from app.llm_usage import money_words

    print(f"{'The built-in baseline' if found.llm == 'baseline' else found.llm} answers.")
    if found.left_alone_seconds is not None:
        print(f"It is left alone for {found.left_alone_seconds} seconds: it {found.left_alone_because}.")
    for whose, tokens, money_e4 in (
        ("run", found.run_tokens_max, found.run_money_e4_max),
        ("person and day", found.user_day_tokens_max, found.user_day_money_e4_max),
    ):
        print(f"At most {tokens:,} tokens and {money_words(money_e4 * 100, found.currency)} per {whose}.")
    print_table(
        ("day", "person", "llm", "calls", "estimated", "prompt", "completion", "cost"),
        (
            (
                row.day.isoformat(), row.user_id, row.llm, row.calls, row.estimated_calls, row.prompt_tokens,
                row.completion_tokens, money_words(row.cost_e6, found.currency),
            )
            for row in found.usage
        ),
        "No language model was asked.",
    )  # fmt: skip
