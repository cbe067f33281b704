"""Releasing a small plan without asking anybody: only where the released policy in force says so, and within its day's budget."""

from __future__ import annotations

from sqlmodel import Session

from app.approvals.authority import plan_of_release, principal_of_policy
from app.approvals.decisions import Decided, release
from app.approvals.freshness import fresh_now
from app.approvals.needs import needed_of, traits_now
from app.approvals.releasing import lock_ends, over_budget
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Act
from app.governance.state import active_policy, governance
from app.plans.store import read_plan
from policies.tiers import reasons_to_ask


def release_if_policy_does(session: Session, request: ApprovalRequest) -> Decided | tuple[str, ...]:
    """Release a request that waits in the name of the policy in force, or say why people are asked.

    The caller holds the request. What people have been asked to sign stays with them.
    """
    governance(session, share=True)  # what stops the plan stands among the violations
    policy = active_policy(session)
    rules = policy.approvals
    if rules is None or rules.automatic is None:
        return ("The policy in force releases nothing by itself.",)
    plan = read_plan(session, request.plan_digest)
    if request.status is not ApprovalStatus.PENDING or needed_of(request).approvals > 1:
        return ("People have to sign it.",)
    if request.attempt:
        return ("It was asked for before, and what came of that is for people to look at.",)
    lock_ends(session, [plan], policy)
    now_admits, known = fresh_now(session, plan)
    reasons = (
        *(violation.words for violation in now_admits.violations),
        *reasons_to_ask(policy, traits_now(session, plan, known)),
        *(violation.words for violation in over_budget(session, policy, plan, automatic=True)),
    )
    if reasons or now_admits.narrowed:
        return reasons or ("The world has moved on since the plan was made.",)
    actor = principal_of_policy(policy)
    actor.require(Act.APPROVE, plan_of_release(session, request, plan))
    return release(session, actor.user_id, request, plan, now_admits, known, automatic=True)
