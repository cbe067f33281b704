"""The reporter: says how it ended. Every number in its words is read from the plan."""

from __future__ import annotations

import json
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.runtime import Runtime

from graphs.desk import AtDesk
from graphs.state import RebalanceState
from graphs.summaries import LEFT_SHOWN
from graphs.world import Context, World
from tools.money import money_text


def reporter(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """One message about the outcome, after answering the tool call that still waits, if any."""
    words = _words(state, runtime.context.world)
    messages: list[BaseMessage] = []
    if state.get("call_id"):
        answer = json.dumps({"submitted": False, "outcome": state["outcome"], "note": words})
        messages.append(ToolMessage(answer, tool_call_id=state["call_id"] or "", name="submit_plan"))
    messages.append(AIMessage(words))
    runtime.context.world.tell("reporter", state["outcome"])
    return {"messages": messages, "call_id": None}


def _words(state: RebalanceState, world: World) -> str:
    digest = state.get("plan_digest")
    name = f"Plan {digest[:12]}" if digest else "The plan"
    desk = AtDesk(world, digest)
    note = desk.words(state.get("note", ""))
    blocked = desk.words(" ".join((state.get("negotiation") or {}).get("conflicts", [])))
    match state["outcome"]:
        case "released" if digest:
            plan = world.plan(digest)
            decided_by = world.decision(state.get("approval_id") or "").decided_by
            words = (
                f"{name} was approved by {decided_by}: {len(plan.lines)} transfer orders for {plan.units:,} units are on"
                f" their way to the ERP. Expected saving: {money_text(plan.saving_minor, plan.currency)}."
            )
        case "rejected":
            words = f"{note}. Nothing was moved."
        case "expired":
            words = f"{name} expired before anybody decided. Nothing was moved; ask again if it is still wanted."
        case "withdrawn":
            words = f"{name} was withdrawn. Nothing was moved."
        case "violated":
            reasons = " ".join(desk.words(violation["words"]) for violation in state.get("violations", [])[:5])
            words = f"{name} breaks policy and goes no further. {reasons or note}"
        case "nothing_to_move":
            left = desk.left_behind(world.plan(digest))[:LEFT_SHOWN] if digest else ()
            said = f"There is nothing worth moving: {note or 'no transfer earns more than it costs'}."
            words = " ".join(filter(None, (said, *(desk.words(each.words) for each in left), blocked)))
        case "no_plan":
            words = f"There is no plan: {note} {blocked}".strip()
        case other:
            words = f"{name} could not be carried out ({other}). Nothing more was moved. {note}".strip()
    return words
