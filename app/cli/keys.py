"""`keys`: what other programs sign in with."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.output import AsJson, print_json, print_table
from app.cli.session import Token, at_shell, require_manager
from app.errors import InvalidError, NotFoundError

keys = typer.Typer(no_args_is_help=True, help="Service keys: what other programs sign in with.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(keys, name="keys")


@keys.command("add")
def add(
    owner: Annotated[str, typer.Argument(metavar="USER", help="The person who answers for what is done with it.")],
    act: Annotated[list[str], typer.Option(help="What it may: read, plan, scan, receive, send_signals …; repeat it.")],
    name: Annotated[str, typer.Option(help="What it is for.")],
    site: Annotated[list[str] | None, typer.Option(help="Sites in scope; all of its owner's by default.")] = None,
    sensitive: Annotated[bool, typer.Option(help="May see sensitive SKUs by name.")] = False,
    days: Annotated[int, typer.Option(min=1, max=90, help="How long it is good.")] = 90,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make a service key and print it, once. It never may more than its owner."""
    from app.auth.keys import KeyGrant, add_key
    from app.auth.people import principal_of
    from app.auth.roles import Act

    if any(each not in list(Act) for each in act):
        raise InvalidError("act", f"{act} has an unknown act", f"use {', '.join(Act)}")
    grant = KeyGrant(name, [Act(each) for each in act], site, sees_sensitive=sensitive, days=days)
    with at_shell(token) as shell:
        require_manager(shell.caller)
        with shell.service.database.transaction() as session:
            person = principal_of(session, owner)
            if person is None:
                raise NotFoundError("unknown_person", f"there is no active person {owner}", "add them first")
            made = add_key(session, person, grant, by=shell.caller.user_id)
            shown = made.row.model_dump(mode="json", exclude={"secret_sha256"})
    if as_json:
        print_json(shown | {"key": made.secret})
        return
    print(
        f"{made.row.name} may {', '.join(made.row.acts)} in the name of {owner}. Its key, shown only now:\n{made.secret}"
    )


@keys.command("list")
def show(token: Token = None, as_json: AsJson = False) -> None:
    """List every key with what it may, until when, and when it was used last. No secret is shown: none is kept."""
    from app.auth.keys import keys_now

    with at_shell(token) as shell:
        require_manager(shell.caller)
        with shell.service.database.transaction() as session:
            rows = keys_now(session)
    if as_json:
        print_json([row.model_dump(mode="json", exclude={"secret_sha256"}) for row in rows])
        return
    print_table(
        ("key", "for", "of", "may", "sites", "good until", "last used"),
        [
            (
                row.key_id, row.name, row.owner, " ".join(row.acts),
                "all of theirs" if row.sites is None else " ".join(row.sites),
                "revoked" if row.revoked_at else f"{row.expires_at:%Y-%m-%d}",
                f"{row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "never",
            )
            for row in rows
        ],
        "There are no service keys; `evenkeel keys add` makes one.",
    )  # fmt: skip


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Its id, as `keys list` shows it.")],
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make a key useless at once."""
    from app.auth.keys import revoke_key

    with at_shell(token) as shell:
        require_manager(shell.caller)
        with shell.service.database.transaction() as session:
            row = revoke_key(session, key_id, by=shell.caller.user_id)
            shown = row.model_dump(mode="json", exclude={"secret_sha256"})
    if as_json:
        print_json(shown)
        return
    print(f"The key {key_id} ({row.name}) is good for nothing any more.")
