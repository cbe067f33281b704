"""`policy`, `kill-switch` and `people`."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.output import AsJson, print_json, print_table
from app.cli.session import Token, at_shell
from app.errors import InvalidError

policy = typer.Typer(help="Released policies, and which one is in force.", no_args_is_help=True)
people = typer.Typer(help="People and their tokens.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(policy, name="policy")
    app.add_typer(people, name="people")
    app.command("kill-switch")(kill_switch)


@policy.command("list")
def list_policies(token: Token = None, as_json: AsJson = False) -> None:
    """List the released policies."""
    from app.governance.state import governance
    from app.stock.installation import installation
    from app.views import policy_views

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        rows = policy_views(governance(session).policy_digest, installation(session).currency or "USD")
    if as_json:
        print_json(rows)
        return
    print_table(
        ("release", "name", "in force", "digest", "summary"),
        ((r.release, r.name, "yes" if r.in_force else "", r.digest[:12], r.summary) for r in rows),
        "No policy is released.",
    )


@policy.command("show")
def show_policy(
    name: Annotated[str | None, typer.Argument(metavar="[RELEASE]", help="The one in force by default.")] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Say in words what a policy demands."""
    from app.governance.state import governance
    from app.stock.installation import installation
    from app.views import policy_views

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        rows = policy_views(governance(session).policy_digest, installation(session).currency or "USD")
    wanted = [
        row for row in rows if (row.in_force if name is None else name == row.release or row.digest.startswith(name))
    ]
    if len(wanted) != 1:
        raise InvalidError("policy", f"there is no policy {name!r}", "see `evenkeel policy list`")
    if as_json:
        print_json(wanted[0])
        return
    print(wanted[0].words)


@policy.command("activate")
def activate(
    name: Annotated[str, typer.Argument(metavar="RELEASE")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Put a release in force. Going back is activating an older one."""
    from app.auth.roles import Act
    from app.governance.state import activate_policy, governance
    from app.views import governance_view

    with at_shell(token) as shell:
        shell.caller.require(Act.GOVERN)
        with shell.service.database.transaction() as session:
            found = activate_policy(session, name, shell.caller.user_id, reason)
            view = governance_view(governance(session))
    if as_json:
        print_json(view)
        return
    print(f"In force: {found.label} ({found.digest[:12]}).")


def kill_switch(
    act: Annotated[str, typer.Argument(metavar="engage|release")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Stop every approval and ERP post, or go on."""
    from app.governance.switch import engage, release
    from app.views import governance_view

    if act not in ("engage", "release"):
        raise InvalidError("act", f"{act!r} is neither engage nor release", "say which")
    with at_shell(token) as shell, shell.service.database.transaction() as session:
        view = governance_view((engage if act == "engage" else release)(session, shell.caller, reason))
    if as_json:
        print_json(view)
        return
    print(f"The kill switch is {'engaged' if view.kill_switch else 'released'}.")


@people.command("add")
def add(
    user_id: Annotated[str, typer.Argument(metavar="USER")],
    role: Annotated[list[str], typer.Option(help="viewer, planner, approver, operator or admin; may be repeated.")],
    name: Annotated[str, typer.Option(help="Full name.")] = "",
    site: Annotated[list[str] | None, typer.Option(help="Sites in scope; every site by default.")] = None,
    sensitive: Annotated[bool, typer.Option(help="May see sensitive SKUs by name.")] = False,
    value_limit_minor: Annotated[
        int | None, typer.Option(min=0, help="Most goods value of a plan they may approve.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=90, help="How long the token is good.")] = 30,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Register a person and print a token, once. At the shell of an embedded installation anybody may."""
    from app.auth.people import SHELL, add_person, issue_token
    from app.auth.roles import Act, Principal, Role

    if any(each not in list(Role) for each in role):
        raise InvalidError("role", f"{role} has an unknown role", f"use {', '.join(Role)}")
    roles = frozenset(Role(each) for each in role)
    sites = None if site is None else frozenset(site)
    person = Principal(
        user_id, name or user_id, roles, sites, sees_sensitive=sensitive, value_limit_minor=value_limit_minor
    )
    with at_shell(token) as shell:
        if shell.caller.user_id != SHELL:
            shell.caller.require(Act.MANAGE_PEOPLE)
        with shell.service.database.transaction() as session:
            add_person(session, person, by=shell.caller.user_id)
            made = issue_token(session, user_id, min(days, shell.service.settings.token_days_max))
    if as_json:
        print_json({"user_id": user_id, "roles": sorted(roles), "token": made})
        return
    print(f"{user_id} may act as {', '.join(sorted(roles))}. Their token, shown only now:\n{made}")


@people.command("token")
def token_for(
    user_id: Annotated[str, typer.Argument(metavar="USER")],
    days: Annotated[int, typer.Option(min=1, max=90)] = 30,
    revoke: Annotated[bool, typer.Option(help="Make the old tokens useless first.")] = False,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Print a new token for a person, once."""
    from app.auth.people import SHELL, issue_token, principal_of, revoke_tokens
    from app.auth.roles import Act
    from app.errors import NotFoundError

    with at_shell(token) as shell:
        if shell.caller.user_id != SHELL:
            shell.caller.require(Act.MANAGE_PEOPLE)
        with shell.service.database.transaction() as session:
            if principal_of(session, user_id) is None:
                raise NotFoundError("unknown_person", f"there is no active person {user_id}", "add them first")
            if revoke:
                revoke_tokens(session, user_id)
            made = issue_token(session, user_id, min(days, shell.service.settings.token_days_max))
    if as_json:
        print_json({"user_id": user_id, "token": made})
        return
    print(made)
