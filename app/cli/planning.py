"""`scan`, `chat` and `show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from app.cli.output import AsJson, amount, print_json, print_table
from app.cli.session import AtShell, Token, at_shell, carrying_out, finished_run, is_interactive
from app.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from app.approvals.views import ApprovalView
    from app.explanations import ExplanationView
    from app.negotiations import NegotiationView
    from app.views import OrderView, PlanView

LEFT_SHOWN = 10
"""So many site-SKUs that a plan leaves behind are printed."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("scan")(scan)
    app.command("chat")(chat)
    app.command("show")(show)


def scan(
    sku: Annotated[list[str] | None, typer.Option(help="Only these SKUs.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only these categories.")] = None,
    site: Annotated[list[str] | None, typer.Option(help="Only transfers that touch these sites.")] = None,
    within_days: Annotated[
        int | None, typer.Option(min=0, max=365, help="Everything arrives within so many days.")
    ] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Find imbalances and put the best plan into the queue, without any language model."""
    from app.threads.runs import start_scan
    from tools.transfers import PlanRequest, Scope

    scope = Scope(skus=tuple(sku or ()), categories=tuple(category or ()), sites=tuple(site or ()))
    request = PlanRequest(scope=scope, within_days=within_days)
    with at_shell(token) as shell, carrying_out(shell.service):
        with shell.service.database.transaction() as session:
            run, _ = start_scan(session, shell.caller, request)
        done = finished_run(shell.service, run.run_id)
    if as_json:
        print_json(done)
        return
    print(done.words or done.error or f"The scan ended {done.status}.")


def chat(
    words: Annotated[list[str] | None, typer.Argument(help="What to say; nothing starts a conversation.")] = None,
    thread: Annotated[UUID | None, typer.Option(help="Go on in this conversation.")] = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Talk to the planning agent."""
    from app.threads.runs import open_thread
    from app.threads.tables import Door

    said = " ".join(words or []).strip()
    if not said and not is_interactive():
        raise InvalidError("nothing_said", "there is nothing to say and nobody to ask", 'say it: evenkeel chat "…"')
    with at_shell(token) as shell, carrying_out(shell.service):
        if thread is None:
            with shell.service.database.transaction() as session:
                thread = open_thread(session, shell.caller, Door.CHAT, said or "Conversation").thread_id
        if said:
            _say(shell, thread, said, as_json=as_json)
            return
        print("Say what you want to know; an empty line ends the conversation.")
        while line := input("> ").strip():
            _say(shell, thread, line, as_json=as_json)


def _say(shell: AtShell, thread: UUID, words: str, *, as_json: bool) -> None:
    from app.threads.runs import say

    with shell.service.database.transaction() as session:
        run = say(session, shell.caller, thread, words)
    done = finished_run(shell.service, run.run_id)
    values = shell.service.driver.state(thread).values
    notices = values.get("notices", [])
    if as_json:
        plan = {"plan_digest": values.get("plan_digest"), "approval_id": values.get("approval_id")}
        print_json({**done.model_dump(mode="json"), **plan, "notices": notices})
        return
    for notice in notices:
        print(f"({notice})")
    print(done.words or done.error)
    print(f"(thread {thread})")


def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="A plan digest, or the id of a request or an order.")],
    line: Annotated[int | None, typer.Option(min=1, help="Explain this line of the plan.")] = None,
    negotiation: Annotated[
        bool, typer.Option("--negotiation", help="Show how the plan was negotiated: claims, bids, concessions.")
    ] = False,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show a plan, an approval request or a transfer order, explain a line of a plan, or show how it was negotiated."""
    with at_shell(token) as shell:
        found = _find(shell, name)
        explained = None if line is None else _explained(shell, found, line)
        negotiated = _negotiated(shell, found) if negotiation else None
    if as_json:
        print_json(negotiated or explained or found)
    elif negotiated is not None:
        print("\n".join(negotiated.sentences))
    elif explained is not None:
        print(f"Line {explained.line_no}: {explained.words}")
    else:
        _print(found)


def _negotiated(shell: AtShell, found: PlanView | ApprovalView | OrderView) -> NegotiationView:
    from app.negotiations import negotiation_view
    from app.views import PlanView

    if not isinstance(found, PlanView):
        raise InvalidError("not_a_plan", "only a plan is negotiated", "give the digest of the plan")
    with shell.service.database.transaction() as session:
        return negotiation_view(session, shell.caller, found.digest)


def _explained(shell: AtShell, found: PlanView | ApprovalView | OrderView, line: int) -> ExplanationView:
    from app.explanations import explanation_view
    from app.views import PlanView

    if not isinstance(found, PlanView):
        raise InvalidError("not_a_plan", "only lines of a plan can be explained", "give the digest of the plan")
    with shell.service.database.transaction() as session:
        return explanation_view(session, shell.caller, found.digest, line)


def _find(shell: AtShell, name: str) -> PlanView | ApprovalView | OrderView:
    from sqlmodel import col, select

    from app.approvals.tables import ApprovalRequest
    from app.approvals.views import approval_view, visible_request
    from app.orders.tables import TransferOrder
    from app.plans.tables import PlanRow
    from app.views import order_view, plan_view

    with shell.service.database.transaction() as session:
        try:
            wanted = UUID(name)
        except ValueError:
            digests = session.exec(select(PlanRow.digest).where(col(PlanRow.digest).startswith(name)).limit(2)).all()
            if len(name) >= 8 and len(digests) == 1:
                return plan_view(session, shell.caller, digests[0])
        else:
            if session.get(ApprovalRequest, wanted) is not None:
                return approval_view(session, shell.caller, visible_request(session, shell.caller, wanted))
            order = session.get(TransferOrder, wanted)
            if order is not None and shell.caller.touches((order.origin, order.destination)):
                return order_view(session, shell.caller, order)
    raise NotFoundError(
        "unknown_id", f"there is no plan, request or order {name!r}", "see `evenkeel queue` and `orders`"
    )


def _print(found: PlanView | ApprovalView | OrderView) -> None:
    from app.views import PlanView

    if not isinstance(found, PlanView):
        for field, value in found.model_dump(mode="json").items():
            print(f"{field.replace('_', ' '):22} {value}")
        return
    gap = "unknown" if found.gap_ppm is None else f"{found.gap_ppm / 1e4:.2f} %"
    print(f"Plan {found.digest}")
    print(f"  planned on {found.planned_on} under policy {found.policy}; {found.status}, gap {gap}")
    print(
        f"  {len(found.lines)} lines, {found.units:,} units, {found.lanes} departures; saves"
        f" {amount(found.expected_saving_minor, found.currency)} after"
        f" {amount(found.transfer_cost_minor, found.currency)} of cost"
    )
    print(f"  expected fill rate {found.fill_rate_before_ppm / 1e4:.2f} % → {found.fill_rate_after_ppm / 1e4:.2f} %")
    print_table(
        ("line", "SKU", "from", "to", "by", "units", "departs", "arrives", "saves"),
        (
            (
                line.line_no, line.sku_id, line.origin, line.destination, line.mode, line.units, line.depart_on,
                line.arrive_on, amount(line.saving_minor, found.currency),
            )
            for line in found.lines
        ),
        "  It moves nothing.",
    )  # fmt: skip
    if found.provenance is not None:
        print(f"  {found.provenance.words}")
    if found.lines_hidden:
        print(f"  {found.lines_hidden} lines outside your sites are not shown")
    for left in found.left_behind[:LEFT_SHOWN]:
        print(f"  Left behind: {left.words}")
    if len(found.left_behind) > LEFT_SHOWN:
        print(f"  {len(found.left_behind) - LEFT_SHOWN:,} more SKUs at a site are left behind; see --json")
