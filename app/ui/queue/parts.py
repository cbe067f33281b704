"""Parts of the drawer that come when they are opened: what holds now, the rules, what lost, where it comes from, and why."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlmodel import Session, col, select

from app.approvals.edit_checks import check_edit
from app.approvals.freshness import facts_to_check_on
from app.approvals.questions import lines_meant, subjects_of
from app.approvals.requests import get_request
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.db.database import database_now
from app.errors import InvalidError
from app.explanations import explanation_view
from app.governance.state import active_policy
from app.ledger.append import EventType, plan_stream
from app.ledger.tables import LedgerEvent
from app.negotiations import negotiation_view
from app.plans.provenance import provenance_view
from app.plans.store import read_plan, read_snapshot
from app.plans.tables import PlanRow, SnapshotRow
from app.ui.exports import Table, downloads
from app.ui.queue.changes import Changes, changes_of
from app.ui.queue.checks import admitted, rule_results
from app.ui.queue.competing import competing, shared_words
from app.ui.queue.drawer import Asked, AskedFor
from app.ui.queue.plan import data_words, explanation_facts, stock_changes
from app.ui.queue.rows import tier_words
from app.ui.rendering import render
from app.ui.visitor import PageRoute
from app.views import names_for, plan_view
from policies.library import released
from tools.money import minor_digits

router = APIRouter(prefix="/queue/{approval_id}", route_class=PageRoute)
CHANGES_SHOWN = 50
COMPETING_SHOWN, COMPETING_MAX = 3, 50
EVENTS_SHOWN = 100
SETTLED_SHOWN = 20


@router.get("/now")
def now(request: Request, about: AskedFor) -> Response:
    """Whether the world of now still admits the plan, and what has changed since it was made."""
    session, caller, plan = about.session, about.looking.caller, about.plan
    facts, then = facts_to_check_on(session), read_snapshot(session, plan.snapshot_digest)
    names = names_for(session, caller, then)
    changed = stock_changes(plan, then, facts.snapshot, caller.covers)
    results, violations = rule_results(plan, facts, names.words)
    admits = admitted(plan, facts, violations)
    content = {
        "looking": about.looking,
        "approval_id": about.request.approval_id,
        "currency": plan.currency,
        "made_on": then.as_of,
        "same": then.digest == facts.snapshot.digest,
        "violations": [names.words(each.words) for each in admits.violations],
        "narrowed": admits.narrowed,
        "saving_now_minor": admits.saving_now_minor,
        "saving_minor": plan.saving_minor,
        "changes": [(each, names.sku(each.sku)) for each in changed[:CHANGES_SHOWN]],
        "changes_more": max(len(changed) - CHANGES_SHOWN, 0),
        "data": list(data_words(plan, facts.snapshot, facts.now, caller.covers)),
        "results": results,
        "policy": released(plan.policy_digest).label,
        "policy_now": facts.policy.label,
    }
    return render(request, "queue/now.html", content)


@router.get("/competing")
def competing_plans(request: Request, about: AskedFor) -> Response:
    """Which other plans that wait draw on the same, and what it means that one of them is approved first."""
    session, caller, at = about.session, about.looking.caller, database_now(about.session)
    waits = about.request.status is ApprovalStatus.PENDING and about.request.expires_at > at
    found = competing(session, about.request, about.plan, caller.sites, at) if waits else []
    names = names_for(session, caller, read_snapshot(session, about.plan.snapshot_digest))
    rules = active_policy(session).approvals
    content = {
        "looking": about.looking, "waits": waits, "count": len(found), "currency": about.plan.currency,
        "found": [(each, " ".join(shared_words(each, names.sku))) for each in found[:COMPETING_MAX]],
        "first": COMPETING_SHOWN, "shrinks": rules is not None and rules.drift is not None,
    }  # fmt: skip
    return render(request, "queue/competing.html", content)


@downloads(router, "/stock")
def stock_table(about: AskedFor) -> Table:
    """Stock at the ends of its lines that is not what it was when the plan was made."""
    then = read_snapshot(about.session, about.plan.snapshot_digest)
    names = names_for(about.session, about.looking.caller, then)
    facts = facts_to_check_on(about.session)
    cells = (
        (each.site, names.sku(each.sku), each.then, each.now, ", ".join(map(str, each.lines)))
        for each in stock_changes(about.plan, then, facts.snapshot, about.looking.caller.covers)
    )
    return Table("stock-changed", ("Site", "SKU", "Available then", "Available now", "Lines"), cells)


@router.get("/others")
def others(request: Request, about: AskedFor) -> Response:
    """What was claimed, what lost, and which limits could be relaxed at which price."""
    view = negotiation_view(about.session, about.looking.caller, about.request.plan_digest)
    return render(
        request, "queue/others.html",
        {
            "looking": about.looking, "view": view, "rounds": view.rounds, "settled_shown": SETTLED_SHOWN,
            "approval_id": about.request.approval_id,
        },
    )  # fmt: skip


@downloads(router, "/claims")
def claims_table(about: AskedFor) -> Table:
    """Who claimed the same stock in the last round, and what each gets; money in units of its currency."""
    view = negotiation_view(about.session, about.looking.caller, about.request.plan_digest)
    unit = 10 ** minor_digits(view.currency)
    heads = (
        "SKU", "At", "Units there", "Claimed by", "Claimed", f"Highest bid for a pack ({view.currency})", "Awarded",
        "By the plan",
    )  # fmt: skip
    cells = (
        (settled.pool.sku, settled.pool.site, settled.pool_units, award.site, award.claimed_units,
         award.highest_bid_minor / unit, award.awarded_units, award.planned_units)
        for settled in (view.rounds[-1].settlements if view.rounds else ())
        for award in settled.awards
    )  # fmt: skip
    return Table("claims", heads, cells)


@router.get("/history")
def history(request: Request, about: AskedFor) -> Response:
    """Where the plan comes from: signals, snapshot, policy, solver; and what was done with it since."""
    session, plan = about.session, about.plan
    snapshot, frozen = read_snapshot(session, plan.snapshot_digest), session.get_one(SnapshotRow, plan.snapshot_digest)
    made = session.get_one(PlanRow, plan.digest)
    content = {
        "looking": about.looking,
        "as_of": frozen.as_of,
        "frozen_at": frozen.frozen_at,
        "signals": sorted(Counter((ref.kind, ref.verdict) for ref in snapshot.lineage).items()),
        "planned_at": made.planned_at,
        "policy": released(plan.policy_digest).label,
        "in_force": active_policy(session).digest == plan.policy_digest,
        "provenance": provenance_view(session, plan.digest),
        "solver": plan.solver,
        "events": _events(session, about.request),
        "digests": {"plan": plan.digest, "snapshot": plan.snapshot_digest, "policy": plan.policy_digest},
    }
    return render(request, "queue/history.html", content)


@router.get("/lines/{line_no}")
def why(request: Request, about: AskedFor, line_no: int) -> Response:
    """One line explained."""
    view = explanation_view(about.session, about.looking.caller, about.request.plan_digest, line_no)
    return render(
        request, "queue/why.html", {"looking": about.looking, "view": view, "facts": list(explanation_facts(view))}
    )


@router.get("/changes")
def changes(request: Request, about: AskedFor) -> Response:
    """What an edit has changed: against the plan that it was made from, or that was made of it."""
    content = {"looking": about.looking, "found": _edits(about), "own": about.request, "currency": about.plan.currency}
    return render(request, "queue/changes.html", content)


@downloads(router, "/changes")
def changes_table(about: AskedFor) -> Table:
    """The same line by line; money in units of its currency."""
    currency = about.plan.currency
    unit = 10 ** minor_digits(currency)
    heads = (
        "Plan before", "Plan after", "SKU", "From", "To", "Units before", "Units after", f"Saving before ({currency})",
        f"Saving after ({currency})", "What was changed",
    )  # fmt: skip
    cells = (
        (first.plan_digest[:12], edited.plan_digest[:12], line.sku, line.origin, line.destination, line.before, line.after,
         line.saving_before_minor / unit, line.saving_after_minor / unit, line.words)
        for first, edited, change in _edits(about)
        for line in change.lines
    )  # fmt: skip
    return Table("plan-changes", heads, cells)


def _edits(about: Asked) -> list[tuple[ApprovalRequest, ApprovalRequest, Changes]]:
    """The request before the edit, the one after it, and what is different; none where nothing was edited."""
    session, own = about.session, about.request
    before = session.exec(select(ApprovalRequest).where(ApprovalRequest.superseded_by == own.approval_id)).first()
    after = None if own.superseded_by is None else get_request(session, own.superseded_by)
    names = names_for(session, about.looking.caller, read_snapshot(session, about.plan.snapshot_digest))
    pairs = [(before, own)] if before else []
    pairs += [(own, after)] if after else []
    touches = about.looking.caller.touches
    return [
        (first, edited, changes_of(read_plan(session, first.plan_digest), read_plan(session, edited.plan_digest), names, touches))
        for first, edited in pairs
    ]  # fmt: skip


@router.get("/check")
def check(
    request: Request,
    about: AskedFor,
    packs: Annotated[list[Annotated[str, Query(pattern=r"^\d{1,6}:\d{1,9}$")]] | None, Query(max_length=2_000)] = None,
) -> Response:
    """What the plan would be with so many packs on some lines (`3:2`). Nothing is stored."""
    wanted = {int(line_no): int(count) for line_no, _, count in (each.partition(":") for each in packs or ())}
    seen = {line.line_no for line in about.plan.lines if about.looking.caller.touches((line.origin, line.destination))}
    if set(wanted) - seen:
        raise InvalidError("packs", "there is no such line for you to edit", "name lines that you see")
    found = check_edit(about.session, about.plan, wanted)
    names = names_for(about.session, about.looking.caller, read_snapshot(about.session, about.plan.snapshot_digest))
    content = {
        "looking": about.looking, "plan": about.plan, "edited": found.plan, "currency": about.plan.currency,
        "against": [names.words(each) for each in found.against], "tier": tier_words(found.tier), "signatures": found.signatures,
    }  # fmt: skip
    return render(request, "queue/check.html", content)


@router.get("/answer")
def answer(
    request: Request, about: AskedFor, words: Annotated[str, Query(max_length=500, pattern=r"^[^\x00]*$")] = ""
) -> Response:
    """What the facts say to a question about the plan: lines that it names are explained, and the parts that it is about named."""
    caller, digest = about.looking.caller, about.request.plan_digest
    lines = [
        line
        for line in plan_view(about.session, caller, digest).lines
        if caller.covers((line.origin, line.destination))
    ]
    found = [explanation_view(about.session, caller, digest, line_no) for line_no in lines_meant(words, lines)]
    content = {"looking": about.looking, "words": words.strip(), "found": found, "subjects": subjects_of(words)}
    return render(request, "queue/answer.html", content)


def _events(session: Session, request: ApprovalRequest) -> list[tuple[str, str, datetime]]:
    """What was done with the request and its plan, the oldest first: what, who, when."""
    query = (
        select(LedgerEvent)
        .where(LedgerEvent.stream == plan_stream(request.plan_digest))
        .order_by(col(LedgerEvent.seq))
        .limit(EVENTS_SHOWN)
    )
    found = []
    for event in session.exec(query).all():
        body = json.loads(event.body)
        # The proposal of an edited plan names the request that was edited.
        of = None if event.type == EventType.PLAN_PROPOSED else body["facts"].get("approval_id")
        if of in (None, str(request.approval_id)):
            found.append((event.type.removeprefix("approval_").replace("_", " "), body["actor"], event.occurred_at))
    return found
