"""`queue`, `decide`, `claim`, `unclaim`, `delegate` and `delegations`."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from app.cli.output import AsJson, amount, print_json, print_table
from app.cli.session import Token, at_shell, carrying_out, wait_for
from app.errors import ConflictError, InvalidError

if TYPE_CHECKING:
    from app.approvals.views import ApprovalView
    from tools.execution import OrderState

CARRY_OUT_SECONDS_MAX = 120
INSTANTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]


class Verdicts(StrEnum):
    """What can be decided."""

    approve = "approve"
    reject = "reject"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("queue")(list_queue)
    app.command("decide")(decide)
    app.command("claim")(claim)
    app.command("unclaim")(unclaim)
    app.command("delegate")(delegate)
    app.command("delegations")(delegations)


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
    from app.approvals.views import approval_views

    if status not in list(ApprovalStatus):
        raise InvalidError("status", f"{status!r} is no status", f"use one of {', '.join(ApprovalStatus)}")
    with at_shell(token) as shell, shell.service.database.transaction() as session:
        expire_overdue(session)
        rows = approval_views(session, shell.caller, queue(session, shell.caller, [ApprovalStatus(status)]))
    if as_json:
        print_json(rows)
        return
    print_table(
        ("request", "plan", "by", "lines", "units", "saves", "tier", "expires", "signed", "missing"),
        (
            (
                row.approval_id, row.plan_digest[:12], row.requested_by, row.lines, row.units,
                amount(row.expected_saving_minor, row.currency), row.tier, f"{row.expires_at:%Y-%m-%d %H:%M}",
                ", ".join(each.signed_by for each in row.signing.signed if each.counts), row.signing.words,
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
    line: Annotated[
        list[int] | None, typer.Option(help="Lines that the reason is about; with approve: the only lines to approve.")
    ] = None,
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
    from app.approvals.parts import approve_part
    from app.approvals.tables import ApprovalStatus
    from app.approvals.views import approval_view, visible_request
    from app.orders.queries import orders_of_approval
    from tools.execution import OrderState
    from tools.rejections import Rejection, RejectionCode
    from tools.transfers import Verdict

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
            if verdict is Verdicts.approve and line:
                done = approve_part(session, shell.caller, approval_id, seen, line)
            else:
                done = record(session, shell.caller, approval_id, Verdict(verdict), seen, rejection)
        approval_id = done.approval_id
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
    _print_decided(view, states)


def _print_decided(view: ApprovalView, states: list[OrderState]) -> None:
    if view.status == "pending":
        print(f"Plan {view.plan_digest[:12]} is signed and waits. {view.signing.words}")
        return
    print(f"Plan {view.plan_digest[:12]} is {view.status} by {view.decided_by}.")
    for state in sorted(set(states)):
        print(f"  {states.count(state)} transfer orders are {state.replace('_', ' ')}")


def claim(
    approval_id: Annotated[UUID, typer.Argument(metavar="REQUEST")],
    to: Annotated[str | None, typer.Option(help="Hand your claim to this approver.")] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Claim a request for half an hour: meanwhile nobody else decides on it."""
    from app.approvals.claims import claim as take
    from app.approvals.claims import transfer_claim
    from app.approvals.views import approval_view, visible_request

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        visible_request(session, shell.caller, approval_id)
        request = (
            take(session, shell.caller, approval_id)
            if to is None
            else transfer_claim(session, shell.caller, approval_id, to)
        )
        view = approval_view(session, shell.caller, request)
    if as_json:
        print_json(view)
        return
    print(f"{view.claimed_by} has request {approval_id} until {view.claimed_until:%Y-%m-%d %H:%M} UTC.")


def unclaim(
    approval_id: Annotated[UUID, typer.Argument(metavar="REQUEST")], token: Token = None, as_json: AsJson = False
) -> None:
    """Give your claim to a request back."""
    from app.approvals.claims import unclaim as give_back
    from app.approvals.views import approval_view, visible_request

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        visible_request(session, shell.caller, approval_id)
        view = approval_view(session, shell.caller, give_back(session, shell.caller, approval_id))
    if as_json:
        print_json(view)
        return
    print(f"Request {approval_id} is free.")


def delegate(
    starts: Annotated[datetime, typer.Option(help="From when on, in UTC.", formats=INSTANTS)],
    ends: Annotated[datetime, typer.Option(help="Until when, in UTC.", formats=INSTANTS)],
    reason: Annotated[str, typer.Option(help="Why.")],
    to: Annotated[str | None, typer.Option(help="An approver who may use your sites and limit.")] = None,
    away: Annotated[bool, typer.Option(help="You decide nothing meanwhile.")] = False,
    site: Annotated[list[str] | None, typer.Option(help="Only these of your sites.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most this value, in minor units.", min=0)] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Lend your sites and limit to another approver for a while, or say that you are away."""
    from app.approvals.delegations import Loan, delegate_to

    loan = Loan(
        to, starts.replace(tzinfo=UTC), ends.replace(tzinfo=UTC), reason, away,
        None if site is None else tuple(site), limit,
    )  # fmt: skip
    with at_shell(token) as shell, shell.service.database.transaction() as session:
        row = delegate_to(session, shell.caller, loan)
    if as_json:
        print_json(row)
        return
    whom = "is away" if row.delegate is None else f"lends to {row.delegate}"
    print(f"{row.delegator} {whom} until {row.ends_at:%Y-%m-%d %H:%M} UTC ({row.delegation_id}).")


def delegations(
    end: Annotated[UUID | None, typer.Option(help="End this one now.")] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List what you have lent or were lent, or end one of them."""
    from app.approvals.delegations import delegations_of, end_delegation

    with at_shell(token) as shell, shell.service.database.transaction() as session:
        if end is not None:
            end_delegation(session, shell.caller, end)
        rows = delegations_of(session, shell.caller.user_id)
    if as_json:
        print_json(rows)
        return
    print_table(
        ("delegation", "from", "to", "starts", "ends", "away", "reason"),
        (
            (
                row.delegation_id, row.delegator, row.delegate or "", f"{row.starts_at:%Y-%m-%d %H:%M}",
                f"{row.ends_at:%Y-%m-%d %H:%M}", "yes" if row.away else "", row.reason,
            )
            for row in rows
        ),
        "Nothing is lent.",
    )  # fmt: skip
