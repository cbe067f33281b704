"""`queue` and `decide`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

from app.cli.output import AsJson, amount, print_json, print_table
from app.cli.session import Token, at_shell, carrying_out, wait_for
from app.errors import ConflictError, InvalidError

CARRY_OUT_SECONDS_MAX = 120


class Verdicts(StrEnum):
    """What can be decided."""

    approve = "approve"
    reject = "reject"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("queue")(list_queue)
    app.command("decide")(decide)


def list_queue(
    status: Annotated[
        str, typer.Option(help="pending, approved, rejected, expired, outrun, withdrawn or superseded.")
    ] = "pending",
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List the approval requests, the greatest saving first."""
    from app.approvals.requests import expire_overdue, queue
    from app.approvals.tables import ApprovalStatus
    from app.views import approval_view

    if status not in list(ApprovalStatus):
        raise InvalidError("status", f"{status!r} is no status", f"use one of {', '.join(ApprovalStatus)}")
    with at_shell(token) as shell, shell.service.database.transaction() as session:
        expire_overdue(session)
        rows = [
            approval_view(session, shell.caller, row) for row in queue(session, shell.caller, [ApprovalStatus(status)])
        ]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("request", "plan", "by", "lines", "units", "saves", "tier", "expires"),
        (
            (
                row.approval_id, row.plan_digest[:12], row.requested_by, row.lines, row.units,
                amount(row.expected_saving_minor, row.currency), row.tier, f"{row.expires_at:%Y-%m-%d %H:%M}",
            )
            for row in rows
        ),
        f"Nothing is {status}.",
    )  # fmt: skip


def decide(
    approval_id: Annotated[UUID, typer.Argument(metavar="REQUEST")],
    verdict: Verdicts,
    plan: Annotated[str | None, typer.Option(help="Digest of the plan you saw (12 characters are enough).")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is rejected: a code, see --help of the API.")] = None,
    words: Annotated[str, typer.Option(help="Why, in your words.")] = "",
    line: Annotated[list[int] | None, typer.Option(help="Lines that the reason is about.")] = None,
    site: Annotated[list[str] | None, typer.Option(help="Sites that the reason is about.")] = None,
    sku: Annotated[list[str] | None, typer.Option(help="SKUs that the reason is about.")] = None,
    limit: Annotated[
        int | None, typer.Option(help="The new ceiling, for too_many_units, too_many_lines, too_expensive.")
    ] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Approve or reject a plan. Needs the token of an approver who had no hand in it."""
    from pydantic import ValidationError

    from app.approvals.decisions import OutrunError
    from app.approvals.decisions import decide as record
    from app.approvals.tables import ApprovalStatus
    from app.orders.queries import orders_of_approval
    from app.views import approval_view, visible_request
    from tools.execution import OrderState
    from tools.transfers import Rejection, RejectionCode, Verdict

    rejection = None
    if verdict is Verdicts.reject:
        if reason not in list(RejectionCode):
            raise InvalidError("reason", "a rejection needs a coded reason", f"--reason {', '.join(RejectionCode)}")
        try:
            rejection = Rejection(
                code=RejectionCode(reason), words=words, line_nos=tuple(line or ()), sites=tuple(site or ()),
                skus=tuple(sku or ()), limit=limit,
            )  # fmt: skip
        except ValidationError as wrong:
            raise InvalidError("reason", wrong.errors()[0]["msg"], "complete the reason") from wrong
    with at_shell(token) as shell:
        database = shell.service.database
        with database.transaction() as session:
            seen = visible_request(session, shell.caller, approval_id).plan_digest
        if plan is not None and (len(plan) < 12 or not seen.startswith(plan)):
            raise ConflictError("other_plan", f"the request is about plan {seen[:12]}, not {plan}", "look at it again")
        with database.transaction() as session:
            done = record(session, shell.caller, approval_id, Verdict(verdict), seen, rejection)
        if done.status is ApprovalStatus.OUTRUN:
            raise OutrunError(done)

        def carried() -> bool:
            with database.transaction() as session:
                orders = orders_of_approval(session, approval_id)
            return all(order.state not in (OrderState.RELEASED, OrderState.REQUESTED) for order in orders)

        with carrying_out(shell.service):
            wait_for("carrying out the decision", carried, CARRY_OUT_SECONDS_MAX)
        with database.transaction() as session:
            view = approval_view(session, shell.caller, visible_request(session, shell.caller, approval_id))
            states = [order.state for order in orders_of_approval(session, approval_id)]
    if as_json:
        counts = {state: states.count(state) for state in sorted(set(states))}
        print_json({**view.model_dump(mode="json"), "orders": counts})
        return
    print(f"Plan {view.plan_digest[:12]} is {view.status} by {view.decided_by}.")
    for state in sorted(set(states)):
        print(f"  {states.count(state)} transfer orders are {state.replace('_', ' ')}")
