"""Puts the plan into the approvers' queue. A node of its own, so that the gate holds nothing but the pause."""

from __future__ import annotations

import json
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.runtime import Runtime

from graphs.state import RebalanceState
from graphs.world import Context, Ticket
from policies.tiers import tier_of
from tools.money import money_text
from tools.transfers import TransferPlan


def approval_request(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Request approval of the checked plan. Running twice makes one request."""
    world = runtime.context.world
    digest = state.get("plan_digest")
    if digest is None or state["outcome"] != "permitted":
        return {"outcome": state["outcome"]}
    plan = world.plan(digest)
    facts = world.facts()
    tier = tier_of(facts.policy, plan, facts.snapshot)
    if tier is None:
        return {"outcome": "violated", "note": "no approval tier admits the plan"}
    ticket = world.request_approval(plan, tier)
    world.tell("approval_request", ticket.approval_id)
    messages: list[BaseMessage] = []
    if state.get("call_id"):
        answer = {
            "submitted": True, "approval": ticket.approval_id, "expires_at": ticket.expires_at, "tier": ticket.tier,
            **({"signatures": ticket.signatures} if ticket.signatures else {}),
            **({"released_by": ticket.released_by} if ticket.released_by else {}),
        }  # fmt: skip
        messages.append(ToolMessage(json.dumps(answer), tool_call_id=state["call_id"] or "", name="submit_plan"))
    messages.append(AIMessage(_words(plan, ticket)))
    return {"messages": messages, "approval_id": ticket.approval_id, "call_id": None, "outcome": "waiting"}


def _words(plan: TransferPlan, ticket: Ticket) -> str:
    what = (
        f"{len(plan.lines)} lines, {plan.units:,} units, saving {money_text(plan.saving_minor, plan.currency)}."
        f" Approval request {ticket.approval_id}, tier {ticket.tier}"
    )
    if ticket.released_by is not None:
        return f"Plan {plan.digest[:12]} is small enough for {ticket.released_by} to release it without asking: {what}."
    who = f"It needs {ticket.signatures}" if ticket.signatures else "Somebody else has to decide."
    return f"Plan {plan.digest[:12]} waits for a decision: {what}, expires {ticket.expires_at}. {who}"
