"""`replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import AsJson, print_json, print_table
from app.cli.session import Token, at_shell
from app.errors import ForbiddenError

if TYPE_CHECKING:
    from app.plans.replay import Replay


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay")(replay)


def replay(
    plan: Annotated[
        str, typer.Argument(metavar="PLAN", help="The plan's digest, or the first 8 digits of it or more.")
    ],
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make a plan again from its stored snapshot, policy and request. Status 0: byte-equal; 1: it differs."""
    from app.plans.replay import replay as made_again
    from app.plans.store import plan_named

    with at_shell(token) as shell:
        if not shell.caller.sees_everything:
            raise ForbiddenError("scope", "a replay shows the whole plan", "ask somebody who sees every site and SKU")
        with shell.service.database.transaction() as session:
            found = made_again(session, plan_named(session, plan))
    if as_json:
        print_json(found)
    else:
        _print(found)
    if not found.byte_equal:
        raise typer.Exit(1)


def _print(found: Replay) -> None:
    how = "No record says how it was asked for." if found.provenance is None else f"It was {found.provenance.words}."
    if found.byte_equal:
        print(f"Plan {found.plan} comes out byte-equal.\n{how}")
        return
    print(f"Plan {found.plan} comes out otherwise: {found.made or found.note}\n{how}")
    print_table(
        ("where", "stored", "made again"),
        ((each.where, str(each.stored), str(each.made)) for each in found.differences),
        "Nothing can be compared.",
    )
    if found.differences_not_listed:
        print(f"{found.differences_not_listed:,} more differences are not listed")
