"""The drafter: has the solver make the plan that the request asks for, and keeps it under its digest."""

from __future__ import annotations

import json
from typing import Any

from langgraph.runtime import Runtime

from graphs.planning import draft, draft_beside
from graphs.state import RebalanceState
from graphs.world import Context
from tools.transfers import PlanRequest


def drafter(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Solve the request. Without a plan the outcome says so and the note says why."""
    world = runtime.context.world
    world.tell("drafter", "solving")
    request = PlanRequest.model_validate_json(json.dumps(state.get("request") or {}))
    request = world.with_standing_reasons(request).cut_to(
        world.caller.sites
    )  # as they are now: a request may have waited for a decision
    base = world.plan(request.based_on) if request.based_on else None
    if base is None:
        made = draft(world.facts(), request, solver=world.solve)
    else:
        made = draft_beside(world.facts(), request, base, world.solve, before=world.facts_of(base).snapshot)
    if made.plan is None:
        return {"plan_digest": None, "outcome": "no_plan", "note": f"{made.status}: {made.note}"}
    world.store_plan(made.plan, state.get("negotiation", {}), state.get("asked"))
    world.tell("drafter", f"{len(made.plan.lines)} lines, {made.status}")
    return {
        "plan_digest": made.plan.digest,
        "request": made.plan.request.model_dump(mode="json"),
        "outcome": "drafted" if made.plan.lines else "nothing_to_move",
        "note": made.note,
    }
