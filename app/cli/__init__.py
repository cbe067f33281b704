"""The command line: the same acts as over HTTP, for people at a shell and for scripts (`--json`)."""

from __future__ import annotations

import gc
import sys

import typer

from app.cli import (
    approvals,
    backtest,
    data,
    erp,
    events,
    execution,
    governance,
    keys,
    ledger,
    planning,
    replay,
    serving,
    strategy,
    usage,
)
from app.cli.ending import ending_in_order
from app.cli.output import print_error
from app.errors import EvenkeelError

app = typer.Typer(
    name="evenkeel",
    help="Keeps stock balanced across sites. Nothing moves without a person's recorded decision.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (
    serving,
    data,
    erp,
    planning,
    approvals,
    execution,
    ledger,
    events,
    governance,
    keys,
    strategy,
    backtest,
    usage,
    replay,
):
    part.register(app)

COLLECTED_AFTER = (100_000, 50, 100)
"""Objects and rounds between collections of cyclic garbage. A large network's facts are millions of objects without
cycles; by Python's own counts they would be walked through all the time."""


def main() -> None:
    """Run a command. A refusal is printed with its reason and remedy, and ends with status 1.

    A signal ends a command in order, embedded servers and all.
    """
    gc.set_threshold(*COLLECTED_AFTER)
    try:
        with ending_in_order():
            app()
    except EvenkeelError as refused:
        print_error(refused, as_json="--json" in sys.argv)
        sys.exit(1)
