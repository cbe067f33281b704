"""Reads the recorded decision: the only thing that can open the way to the executor."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from graphs.state import MADE_AGAIN_AFTER, RebalanceState
from graphs.world import Context
from tools.rejections import request_after_rejection


def decision_reader(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Where the request stands, whatever the resume said. Still pending means: back to the gate.

    A rejection becomes part of the next plan request; a plan that the world has outrun
    is asked for again as it was. Where the plan was edited, the edited one takes its place.
    """
    world = runtime.context.world
    approval_id = state.get("approval_id")
    if approval_id is None:
        return {"outcome": "no_plan", "note": "there was no approval request"}
    decision = world.decision(approval_id)
    world.tell("decision_reader", decision.status)
    instead: dict[str, Any] = {}
    if decision.successor is not None:
        instead = {"approval_id": decision.successor, "plan_digest": decision.successor_plan}
    match decision.status:
        case "rejected" if decision.rejection is not None:
            plan = world.plan(decision.successor_plan or state.get("plan_digest") or "")
            revised = request_after_rejection(plan, decision.rejection)
            words = f"{decision.decided_by} rejected plan {plan.digest[:12]}: {decision.rejection.words}"
            if revised is None:
                return {**instead, "outcome": "rejected", "note": words}
            return {
                **instead,
                **_again(state, revised.model_dump(mode="json"), words, decision.successor or approval_id),
            }
        case "outrun":
            why = "the world moved on after the plan was made"
            return {**instead, **_again(state, state.get("request"), why, decision.successor or approval_id)}
        case status:
            return {**instead, "outcome": status}


def _again(state: RebalanceState, request: dict[str, Any] | None, why: str, after: str) -> dict[str, Any]:
    """What has the plan made again. It is put down to whatever asked first, and to the request that came to nothing."""
    return {
        "request": request,
        "outcome": "replan",
        "note": why,
        "round": 0,
        "violations": [],
        "negotiation": {},
        "approval_id": None,
        "submit": True,
        "asked": {**(state.get("asked") or {}), MADE_AGAIN_AFTER: after},
    }
