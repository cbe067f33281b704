"""`policy`, `people`, and stops: `kill-switch`, `stop`, `stops`, `go-on`, `held` and `validate`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from app.cli.output import AsJson, print_json, print_table
from app.cli.session import Token, at_shell, require_manager
from app.errors import InvalidError

policy = typer.Typer(help="Released policies, and which one is in force.", no_args_is_help=True)
people = typer.Typer(help="People and their tokens.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(policy, name="policy")
    app.add_typer(people, name="people")
    for name, command in (
        ("kill-switch", kill_switch), ("stop", stop), ("stops", list_stops), ("go-on", go_on), ("held", held),
        ("validate", validate),
    ):  # fmt: skip
        app.command(name)(command)


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
    from app.governance.state import activate_policy
    from app.views import governance_view

    with at_shell(token) as shell:
        shell.caller.require(Act.GOVERN)
        with shell.service.database.transaction() as session:
            found = activate_policy(session, name, shell.caller.user_id, reason)
            view = governance_view(session)
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
    """Stop every approval and ERP post, or go on. What waited is posted after `evenkeel validate`."""
    from app.governance.switch import engage, release
    from app.views import governance_view

    if act not in ("engage", "release"):
        raise InvalidError("act", f"{act!r} is neither engage nor release", "say which")
    with at_shell(token) as shell, shell.service.database.transaction() as session:
        (engage if act == "engage" else release)(session, shell.caller, reason)
        view = governance_view(session)
    if as_json:
        print_json(view)
        return
    print(f"The kill switch is {'engaged' if view.kill_switch else 'released'}.")


def stop(
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    site: Annotated[str | None, typer.Option(help="What leaves this site or comes to it.")] = None,
    lane: Annotated[str | None, typer.Option(metavar="FROM>TO[/MODE]", help="What travels on this lane.")] = None,
    sku_class: Annotated[str | None, typer.Option(help="sensitive, hazmat, chilled, frozen, or category/NAME.")] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Stop approvals and ERP posts: everything, or what the options say together."""
    from app.governance.switch import engage
    from app.governance.views import stop_view
    from policies.stops import Stop

    try:
        wanted = Stop(site, *_lane(lane), sku_class)
    except ValueError as wrong:
        raise InvalidError("stop", str(wrong), "see `evenkeel stop --help`") from wrong
    with at_shell(token) as shell, shell.service.database.transaction() as session:
        view = stop_view(session, shell.caller, engage(session, shell.caller, reason, wanted))
    if as_json:
        print_json(view)
        return
    print(f"Stopped: {view.words}. {view.waiting} orders wait. Let it go on with `evenkeel go-on {view.stop_id}`.")


def _lane(lane: str | None) -> tuple[str | None, str | None, str | None]:
    """Origin, destination and mode of FROM>TO[/MODE]."""
    if lane is None:
        return None, None, None
    ends, _, mode = lane.partition("/")
    origin, _, destination = ends.partition(">")
    if not origin or not destination:
        raise InvalidError("lane", f"{lane!r} is no lane", "write it as FROM>TO or FROM>TO/MODE, in quotes")
    return origin, destination, mode or None


def list_stops(
    released: Annotated[bool, typer.Option(help="Show those that were released as well.")] = False,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List what is stopped."""
    from app.governance.views import stop_views

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        rows = stop_views(session, shell.caller, released=released)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("stop", "what", "by", "since", "orders waiting", "reason", "released by"),
        (
            (row.stop_id, row.words, row.engaged_by, f"{row.engaged_at:%Y-%m-%d %H:%M}", row.waiting, row.reason,
             row.released_by or "")
            for row in rows
        ),
        "Nothing is stopped.",
    )  # fmt: skip


def go_on(
    stop_id: Annotated[UUID, typer.Argument(metavar="STOP")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Release a stop. What waited under it is posted after `evenkeel validate`."""
    from app.governance.switch import release
    from app.governance.views import stop_views

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        release(session, shell.caller, reason, stop_id)
        view = next(row for row in stop_views(session, shell.caller, released=True) if row.stop_id == stop_id)
    if as_json:
        print_json(view)
        return
    print(f"Released: {view.words}. {view.waiting} orders wait for `evenkeel validate`.")


def held(token: Token = None, as_json: AsJson = False) -> None:
    """List orders that a stop has held, with what has changed since they were approved."""
    from app.governance.views import held_views
    from app.orders.validating import held_orders

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        rows = held_views(session, shell.caller, held_orders(session, shell.caller))
    if as_json:
        print_json(rows)
        return
    print_table(
        ("order", "SKU", "units", "from", "to", "still stopped", "changed since"),
        (
            (row.order.transfer_id, row.order.sku_id, row.order.units, row.order.origin, row.order.destination,
             row.stopped or "", " ".join(row.changes))
            for row in rows
        ),
        "No order waits for a validation.",
    )  # fmt: skip


def validate(
    reason: Annotated[str, typer.Option(help="What you have looked at; it is recorded.")],
    order: Annotated[list[UUID] | None, typer.Argument(metavar="[ORDER]...", help="All by default.")] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Let orders go on that a stop has held; those that the world has outrun are taken back."""
    from app.governance.views import validated_view
    from app.orders.validating import validate as let_go_on

    with at_shell(token) as shell:
        view = validated_view(let_go_on(shell.service.database, shell.caller, order or None, reason))
    if as_json:
        print_json(view)
        return
    print(f"{len(view.going)} orders go on, {len(view.outrun)} are taken back, {len(view.stopped)} are stopped still.")


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
    from app.auth.people import add_person, issue_token
    from app.auth.roles import Principal, Role

    if any(each not in list(Role) for each in role):
        raise InvalidError("role", f"{role} has an unknown role", f"use {', '.join(Role)}")
    roles = frozenset(Role(each) for each in role)
    sites = None if site is None else frozenset(site)
    person = Principal(
        user_id, name or user_id, roles, sites, sees_sensitive=sensitive, value_limit_minor=value_limit_minor
    )
    with at_shell(token) as shell:
        require_manager(shell.caller)
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
    from app.auth.people import issue_token, principal_of, revoke_tokens
    from app.errors import NotFoundError

    with at_shell(token) as shell:
        require_manager(shell.caller)
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
