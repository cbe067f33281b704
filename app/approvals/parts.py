"""Approving some lines of a plan, and several plans at once.

What is approved in part is a plan of its own: whole lines of the first one, valued and
checked from scratch, with a digest of its own that the decision is bound to. The person
who takes lines away may sign what is left, because nothing is left that somebody else
did not propose in exactly this quantity: each line still has its author and its
approver. The smaller plan needs every signature that the whole one needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlmodel import Session

from app.approvals.authority import require_decider
from app.approvals.claims import require_unclaimed
from app.approvals.decisions import Decided, approve, require_open
from app.approvals.edits import edited_plan, put_in_place, require_permitted
from app.approvals.freshness import facts_now
from app.approvals.needs import needed_of
from app.approvals.releasing import lock_ends
from app.approvals.requests import get_request
from app.auth.roles import Principal
from app.errors import ConflictError, InvalidError
from app.governance.state import active_policy, governance
from app.plans.store import read_plan
from policies.approvals import Bulk
from tools.canonical import digest


def approve_part(
    session: Session, decider: Principal, approval_id: UUID, seen_digest: str, line_nos: Sequence[int]
) -> Decided:
    """Approve these whole lines of a plan and drop the others: `Decided` is about the smaller plan's request.

    Raises ForbiddenError and ConflictError as `decide`, ConflictError where the lines
    that are left break a rule, and InvalidError for lines that the plan does not have,
    and for none or all of them; then nothing has changed. The caller commits.
    """
    request = get_request(session, approval_id, lock=True)
    plan = read_plan(session, request.plan_digest)
    require_decider(session, decider, request, plan)
    require_open(session, request, seen_digest)
    require_unclaimed(session, request, decider)
    packs = {line.line_no: line.packs for line in plan.lines if line.line_no in line_nos}
    unknown = sorted(set(line_nos) - set(packs))
    if unknown:
        raise InvalidError(
            "lines", f"the plan has {len(plan.lines)} lines; there is no line {unknown[0]}", "name its lines"
        )
    if len(packs) in (0, len(plan.lines)):
        raise InvalidError("lines", "a part is some lines and not all", "approve the plan, or reject it")
    facts = facts_now(session)
    part = edited_plan(facts, plan, packs)
    done = put_in_place(session, decider, request, part, require_permitted(plan, part, facts), request.authors)
    return approve(
        session, decider, get_request(session, done.successor.approval_id, lock=True), part,
        part_of=plan.digest, line_nos=sorted(packs),
    )  # fmt: skip


def set_digest(seen: Mapping[UUID, str]) -> str:
    """What a decision on several plans is bound to: the digest over all their digests, by request."""
    return digest({str(approval_id): plan for approval_id, plan in seen.items()})


def approve_together(
    session: Session, decider: Principal, seen: Mapping[UUID, str], digest_of_set: str
) -> tuple[Decided, ...]:
    """Approve several small plans at once, each as if it alone had been approved, or none.

    A plan that the world has outrun goes back and the others are approved. Raises
    ConflictError where the policy does not admit it, InvalidError where the digest is not
    that of the set, and whatever `decide` raises about any of them; then nothing has changed.
    """
    rules = active_policy(session).approvals
    if rules is None or rules.bulk is None:
        raise ConflictError("no_bulk", "the policy in force has every plan decided on by itself", "decide one by one")
    if not seen or digest_of_set != set_digest(seen):
        raise InvalidError(
            "set_digest", "the digest is not that of these requests and plans", "look at the queue again"
        )
    requests = [get_request(session, approval_id, lock=True) for approval_id in sorted(seen)]
    plans = {request.approval_id: read_plan(session, request.plan_digest) for request in requests}
    for request in requests:
        require_decider(session, decider, request, plans[request.approval_id])
        require_open(session, request, seen[request.approval_id])
        require_unclaimed(session, request, decider)
        if needed_of(request).approvals > 1 or request.tier not in rules.bulk.tiers:
            raise ConflictError(
                "no_bulk", f"request {request.approval_id} is of tier {request.tier} or needs more than one signature",
                "decide on it by itself", approval_id=str(request.approval_id),
            )  # fmt: skip
    _require_small(rules.bulk, [request.goods_value_minor for request in requests])
    governance(session, share=True)
    # All at once and before the first decision, so that two such sets, or one and a single plan, cannot deadlock.
    lock_ends(session, plans.values(), active_policy(session))
    return tuple(
        approve(session, decider, request, plans[request.approval_id], set_digest=digest_of_set) for request in requests
    )


def _require_small(rules: Bulk, values_minor: Sequence[int]) -> None:
    if len(values_minor) > rules.requests_max:
        raise ConflictError(
            "bulk_size",
            f"{len(values_minor)} plans together; the policy admits {rules.requests_max}",
            "decide on fewer",
        )
    if sum(values_minor) > rules.goods_value_max_minor:
        raise ConflictError(
            "bulk_value",
            f"together they move goods worth {sum(values_minor):,} minor units; the policy admits {rules.goods_value_max_minor:,}",
            "decide on fewer",
        )
