"""`subscriptions` and `sources`: who is sent events, and who may send signals signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from app.cli.output import AsJson, print_json, print_table
from app.cli.session import Token, at_shell

if TYPE_CHECKING:
    from app.events.subscriptions import SubscriptionView

subscriptions = typer.Typer(help="Webhooks that are sent the ledger's events.", no_args_is_help=True)
sources = typer.Typer(help="Sources that may send signals signed, without a token.", no_args_is_help=True)
Subscription = Annotated[UUID, typer.Argument(metavar="SUBSCRIPTION")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(subscriptions, name="subscriptions")
    app.add_typer(sources, name="sources")


@subscriptions.command("add")
def add_subscription(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    url: Annotated[str, typer.Argument(metavar="URL")],
    types: Annotated[
        list[str] | None, typer.Option("--type", help="A type of event; may be repeated. All by default.")
    ] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Send every event from now on to an address, and print the secret that signs them, once."""
    from app.events.subscriptions import subscribe
    from app.outbound import Outbound

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        outbound = Outbound(private_hosts=shell.service.settings.outbound_private_hosts)
        view = subscribe(session, shell.caller, outbound, name=name, url=url, types=types or ())
    _print(view, as_json=as_json)


@subscriptions.command("list")
def list_subscriptions(token: Token = None, as_json: AsJson = False) -> None:
    """List the subscriptions, how far behind each is, and what it last failed with."""
    from app.events.subscriptions import list_subscriptions as listed

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        rows = listed(session, shell.caller)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("subscription", "name", "address", "behind", "paused", "failures", "passed over", "last error"),
        (
            (r.subscription_id, r.name, r.url, r.behind, "yes" if r.paused else "", r.attempts, r.dead_letters, r.error)
            for r in rows
        ),
        "There are no subscriptions.",
    )


@subscriptions.command("rotate")
def rotate(subscription: Subscription, token: Token = None, as_json: AsJson = False) -> None:
    """Make a new secret. Messages are signed under the old one as well, until the next change."""
    from app.events.subscriptions import rotate as change

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        view = change(session, shell.caller, subscription)
    _print(view, as_json=as_json)


@subscriptions.command("pause")
def pause(subscription: Subscription, token: Token = None, as_json: AsJson = False) -> None:
    """Send nothing more for now."""
    _set_paused(subscription, token, paused=True, as_json=as_json)


@subscriptions.command("resume")
def resume(subscription: Subscription, token: Token = None, as_json: AsJson = False) -> None:
    """Go on where it stopped."""
    _set_paused(subscription, token, paused=False, as_json=as_json)


@subscriptions.command("replay")
def replay(
    subscription: Subscription,
    position: Annotated[int, typer.Option("--from", min=0, help="The first position to send again.")],
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Send everything again from a position on."""
    from app.events.subscriptions import replay as rewind

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        view = rewind(session, shell.caller, subscription, position)
    _print(view, as_json=as_json)


@subscriptions.command("dead-letters")
def list_dead_letters(subscription: Subscription, token: Token = None, as_json: AsJson = False) -> None:
    """List the events that a webhook did not take and that were passed over."""
    from app.events.subscriptions import dead_letters

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        rows = dead_letters(session, shell.caller, subscription)
    if as_json:
        print_json([{"position": r.position, "attempts": r.attempts, "error": r.error} for r in rows])
        return
    print_table(
        ("position", "attempts", "error"), ((r.position, r.attempts, r.error) for r in rows), "Nothing was passed over."
    )


@subscriptions.command("remove")
def remove(subscription: Subscription, token: Token = None) -> None:
    """End a subscription."""
    from app.events.subscriptions import unsubscribe

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        unsubscribe(session, shell.caller, subscription)
    print(f"Nothing more is sent to {subscription}.")


@sources.command("add")
def add_source(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The `source` of its CloudEvents.")],
    site: Annotated[list[str] | None, typer.Option(help="Sites it may speak of; every site by default.")] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Let a source send signed signals, and print its secret, once. For a known source: a new secret beside the old one."""
    from app.events.inbox import add_source as admit

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        view = admit(session, shell.caller, source, site)
    if as_json:
        print_json(view)
        return
    print(f"{view.source} may send signals. Its secret, shown only now:\n{view.secret}")


@sources.command("list")
def list_sources(token: Token = None, as_json: AsJson = False) -> None:
    """List the sources that may send signed signals."""
    from app.events.inbox import list_sources as listed

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        rows = listed(session, shell.caller)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("source", "sites", "by"),
        ((r.source, "all" if r.sites is None else ", ".join(r.sites), r.created_by) for r in rows),
        "No source may send signed signals.",
    )


@sources.command("remove")
def remove_source(source: Annotated[str, typer.Argument(metavar="SOURCE")], token: Token = None) -> None:
    """Take nothing more from a source."""
    from app.events.inbox import remove_source as forbid

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        forbid(session, shell.caller, source)
    print(f"Nothing more is taken from {source}.")


def _set_paused(subscription: UUID, token: str | None, *, paused: bool, as_json: bool) -> None:
    from app.events.subscriptions import pause as set_paused

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        view = set_paused(session, shell.caller, subscription, paused=paused)
    _print(view, as_json=as_json)


def _print(view: SubscriptionView, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    print(
        f"{view.name} ({view.subscription_id}): {view.url}, {'paused' if view.paused else 'from'} position {view.next_position:,}"
    )
    if view.secret is not None:
        print(f"The secret that signs its messages, shown only now:\n{view.secret}")
