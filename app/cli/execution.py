"""`orders`, `receive` and `verify`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from app.cli.output import AsJson, print_json, print_table
from app.cli.session import Token, at_shell
from app.errors import InvalidError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("orders")(list_orders)
    app.command("receive")(receive)
    app.command("retry")(retry_order)
    app.command("verify")(verify)


def list_orders(
    state: Annotated[str | None, typer.Option(help="Only orders in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List transfer orders, the latest change first."""
    from app.orders.queries import orders_in_scope
    from app.views import order_view
    from tools.execution import OrderState

    if state is not None and state not in list(OrderState):
        raise InvalidError("state", f"{state!r} is no state", f"use one of {', '.join(OrderState)}")
    with at_shell(token) as shell, shell.service.database.transaction() as session:
        wanted = None if state is None else [OrderState(state)]
        rows = [order_view(session, shell.caller, row) for row in orders_in_scope(session, shell.caller, wanted, limit)]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("order", "SKU", "units", "from", "to", "state", "received", "arrives", "note"),
        (
            (
                r.transfer_id,
                r.sku_id,
                r.units,
                r.origin,
                r.destination,
                r.state,
                r.received_units,
                r.arrive_on,
                r.attention or "",
            )
            for r in rows
        ),
        "There are no transfer orders.",
    )


def receive(
    transfer_id: Annotated[UUID, typer.Argument(metavar="ORDER")],
    units: Annotated[
        int | None, typer.Option(min=0, help="Units that arrived; all that is outstanding by default.")
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="Nothing more will come: the rest is lost in transit.")] = False,
    key: Annotated[
        str | None, typer.Option(help="The receipt's own number; the same one again changes nothing.")
    ] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Report that goods have arrived."""
    from uuid import uuid4

    from app.orders.receipts import receive_order

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        done = receive_order(
            session, shell.caller, transfer_id, units, receipt_key=key or f"shell:{uuid4()}", is_last=last
        )
    if as_json:
        print_json(
            {
                "transfer_id": done.transfer_id, "state": done.state, "received_units": done.received_units,
                "outstanding_units": done.outstanding_units, "new": done.new,
            }
        )  # fmt: skip
        return
    print(f"Order {done.transfer_id} is {done.state}: {done.received_units:,} units received.")
    if done.outstanding_units:
        print(f"  {done.outstanding_units:,} are still outstanding")


def retry_order(
    transfer_id: Annotated[UUID, typer.Argument(metavar="ORDER")],
    reason: Annotated[str, typer.Option(help="What has changed; it is recorded.")],
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Have the ERP asked again about an order that needs attention."""
    from app.orders.attention import retry
    from app.views import order_view

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        view = order_view(session, shell.caller, retry(session, shell.caller, transfer_id, reason))
    if as_json:
        print_json(view)
        return
    print(f"Order {view.transfer_id} is {view.state} again; whoever carries out durable work asks the ERP.")


def verify(token: Token = None, as_json: AsJson = False) -> None:
    """Walk every chain of the ledger and recompute every balance. Ends with status 1 when something does not fit."""
    from app.auth.roles import Act
    from app.ledger.verify import verify as walk
    from app.views import verification_view

    with at_shell(token) as shell:
        shell.caller.require(Act.VERIFY)
        shell.caller.require_everything("the ledger")
        found = verification_view(walk(shell.service.database))
    if as_json:
        print_json(found)
    else:
        print(f"{found.events:,} events in {found.streams:,} streams, {found.moves:,} stock moves.")
        for problem in found.problems:
            print(f"  {problem.code} at {problem.where}: {problem.words}")
        print("Everything fits." if found.verified else "The ledger does not fit together.")
    if not found.verified:
        raise typer.Exit(1)
