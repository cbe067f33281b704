"""`orders`, `receive`, `resolve` and `reconcile`."""

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
    app.command("resolve")(resolve)
    app.command("reconcile")(reconcile)


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
        ("order", "SKU", "units", "from", "to", "state", "received", "arrives", "note", "possible"),
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
                ", ".join(r.actions),
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
    damaged: Annotated[int, typer.Option(min=0, help="Units that came and cannot be used.")] = 0,
    accept_over: Annotated[bool, typer.Option("--accept-over", help="More than was under way did arrive.")] = False,
    last: Annotated[bool, typer.Option("--last", help="Nothing more will come: the rest is lost in transit.")] = False,
    key: Annotated[
        str | None, typer.Option(help="The receipt's own number; the same one again changes nothing.")
    ] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Report that goods have arrived."""
    from uuid import uuid4

    from app.orders.receipts import Report, receive_order

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        done = receive_order(
            session, shell.caller, transfer_id, Report(units, key or f"shell:{uuid4()}", damaged, last, accept_over)
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


def resolve(
    transfer_id: Annotated[UUID, typer.Argument(metavar="ORDER")],
    action: Annotated[str, typer.Argument(help="ask_again, accept, cancel, return, write_off or acknowledge.")],
    reason: Annotated[str, typer.Option(help="What has changed; it is recorded.")],
    units: Annotated[
        int | None,
        typer.Option(min=1, help="Of the units under way, all by default; for accept those that the ERP has now."),
    ] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Do something about an order that needs people: `orders` shows what is possible."""
    from app.orders.attention import act
    from app.views import order_view
    from tools.saga import Action

    if action not in list(Action):
        raise InvalidError("action", f"{action!r} is no action", f"use one of {', '.join(Action)}")
    with at_shell(token) as shell, shell.service.database.transaction() as session:
        erp = shell.service.carrier.erp
        done = act(session, shell.caller, transfer_id, Action(action), reason, units, erp=erp)
        view = order_view(session, shell.caller, done)
    if as_json:
        print_json(view)
        return
    possible = ", ".join(view.actions) or "nothing more"
    print(f"Order {view.transfer_id} is {view.state}; possible now: {possible}.")


def reconcile(
    settle: Annotated[UUID | None, typer.Option(help="Carry out the correction proposed for this difference.")] = None,
    reason: Annotated[str, typer.Option(help="Why it is carried out; it is recorded.")] = "",
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Lay the ERP and the books side by side, and show where they differ. Corrects only what --settle names."""
    from app.orders.reconciling import open_differences, settle_difference
    from app.orders.reconciling import reconcile as lay_side_by_side

    with at_shell(token) as shell:
        service = shell.service
        if settle is not None:
            settle_difference(service.database, service.carrier.erp, shell.caller, settle, reason)
        lay_side_by_side(service.database, service.carrier.erp)
        with service.database.transaction() as session:
            rows = [row.model_dump(mode="json") for row in open_differences(session, shell.caller)]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("difference", "order", "kind", "what", "proposed"),
        ((r["difference_id"], r["reference"], r["kind"], r["words"], r["correction"]) for r in rows),
        "The ERP and the books agree.",
    )
