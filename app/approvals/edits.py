"""Editing a plan that waits: fewer packs or fewer lines, checked from scratch, and a request of its own.

An edit is no decision. It makes another plan with another digest, which somebody who
had no hand in it has to decide on; the editor joins the authors. The request that was
edited is closed, because what it asked for is not wanted any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from app.approvals.authority import require_decider
from app.approvals.decisions import require_open
from app.approvals.departures import what_to_do
from app.approvals.freshness import facts_now
from app.approvals.needs import needed_of
from app.approvals.requests import close, get_request, request_approval
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Principal
from app.errors import ConflictError, InvalidError
from app.ledger.append import EventType, append, plan_stream
from app.plans.store import read_plan, store_plan
from policies.narrowing import with_packs
from policies.rules import Facts, check
from policies.schema import Tier
from policies.tiers import tier_of
from tools.transfers import TransferPlan

WORDS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Edited:
    """The request that was closed, and the one that asks for the edited plan."""

    closed: ApprovalRequest
    successor: ApprovalRequest


def edit(
    session: Session, editor: Principal, approval_id: UUID, seen_digest: str, packs_by_line: Mapping[int, int]
) -> Edited:
    """Put an edited plan in the place of one that waits. Lines that are not named, or with 0 packs, are dropped.

    Whoever may decide on a plan may edit it, and then decides on neither. Raises
    ForbiddenError, ConflictError (as `decide`, and where the world has moved on) and
    InvalidError (more than the plan has, nothing left, nothing changed, a rule broken);
    then nothing has changed. The caller commits.
    """
    request = get_request(session, approval_id, lock=True)
    plan = read_plan(session, request.plan_digest)
    require_decider(session, editor, request, plan)
    require_open(session, request, seen_digest)
    _require_less(plan, packs_by_line)
    facts = facts_now(session)
    edited = edited_plan(facts, plan, packs_by_line)
    tier = require_permitted(plan, edited, facts)
    return put_in_place(session, editor, request, edited, tier, [editor.user_id, *request.authors])


def put_in_place(
    session: Session,
    by: Principal,
    request: ApprovalRequest,
    edited: TransferPlan,
    tier: Tier,
    authors: Sequence[str],
) -> Edited:
    """Close a request and ask for the smaller plan instead. It needs what it needs now, and all that the first one needed."""
    _store(session, by, request, edited)
    needed = needed_of(request)
    successor = request_approval(session, edited, tier, authors, request.thread_id, at_least=needed)
    request.superseded_by = successor.approval_id
    close(
        session, request, ApprovalStatus.SUPERSEDED, EventType.APPROVAL_SUPERSEDED, by.user_id,
        superseded_by=str(successor.approval_id), edited_plan=edited.digest,
    )  # fmt: skip
    return Edited(request, successor)


def edited_plan(facts: Facts, plan: TransferPlan, packs_by_line: Mapping[int, int]) -> TransferPlan:
    """The plan with so many packs on each line, on the facts of now.

    Raises ConflictError where the evaluator finds a constraint broken.
    """
    edited = with_packs(facts, plan, packs_by_line)
    if isinstance(edited, TransferPlan):
        return edited
    raise _broken(list(edited))


def _require_less(plan: TransferPlan, packs_by_line: Mapping[int, int]) -> None:
    has = {line.line_no: line.packs for line in plan.lines}
    unknown = sorted(set(packs_by_line) - set(has))
    if unknown:
        raise InvalidError("edit", f"the plan has {len(has)} lines; there is no line {unknown[0]}", "name its lines")
    more = [number for number, packs in sorted(packs_by_line.items()) if not 0 <= packs <= has[number]]
    if more:
        words = f"line {more[0]} has {has[more[0]]:,} packs, the edit wants {packs_by_line[more[0]]:,}"
        raise InvalidError("edit", f"an edit only takes away: {words}", "ask the planner for another plan")
    wanted = {number: packs for number, packs in packs_by_line.items() if packs}
    if not wanted:
        raise InvalidError("edit", "nothing is left of the plan", "reject it, and say why")
    if wanted == has:
        raise InvalidError("edit", "the edit changes nothing", "approve the plan, or take something away")


def require_permitted(plan: TransferPlan, edited: TransferPlan, facts: Facts) -> Tier:
    """The tier of the smaller plan that was made of a plan. Raises ConflictError where it breaks a rule."""
    violations = check(edited, facts)
    tier = tier_of(facts.policy, edited, facts.snapshot)
    if violations or tier is None:
        words = [violation.words for violation in violations] or ["No approval tier admits the plan."]
        raise _broken(words, " ".join(what_to_do(plan, edited, violations)))
    return tier


def _broken(words: list[str], remedy: str = "") -> ConflictError:
    """A refusal in the words of the rules. Who may edit sees everything that the plan names."""
    said = " ".join(words[:WORDS_SHOWN]).rstrip(".")
    refused = f"the edited plan may not be carried out: {said}"
    return ConflictError("edit_breaks_rules", refused, remedy.rstrip(".") or "edit it otherwise")


def _store(session: Session, editor: Principal, request: ApprovalRequest, edited: TransferPlan) -> None:
    if not store_plan(session, edited):
        return
    append(
        session,
        stream=plan_stream(edited.digest),
        key=f"plan/{edited.digest}/proposed",
        event_type=EventType.PLAN_PROPOSED,
        actor=editor.user_id,
        facts={
            "plan": edited.digest,
            "snapshot": edited.snapshot_digest,
            "policy": edited.policy_digest,
            "solver": list(edited.solver.versions),
            "thread_id": request.thread_id,
            "edit_of": request.plan_digest,
            "approval_id": str(request.approval_id),
        },
    )
