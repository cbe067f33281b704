"""Puts the plan into the approvers' queue. A node of its own, so that the gate holds nothing but the pause."""

from __future__ import annotations

import json
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.runtime import Runtime

from graphs.state import RebalanceState
from graphs.world import Context
from policies.tiers import tier_of
from tools.money import money_text


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
        answer = {"submitted": True, "approval": ticket.approval_id, "expires_at": ticket.expires_at}
        messages.append(ToolMessage(json.dumps(answer), tool_call_id=state["call_id"] or "", name="submit_plan"))
    messages.append(
        AIMessage(
            f"Plan {digest[:12]} waits for a decision: {len(plan.lines)} lines, {plan.units:,} units, saving"
            f" {money_text(plan.saving_minor, plan.currency)}. Approval request {ticket.approval_id}, tier {ticket.tier},"
            f" expires {ticket.expires_at}. Somebody else has to decide."
        )
    )
    return {"messages": messages, "approval_id": ticket.approval_id, "call_id": None, "outcome": "waiting"}
