"""The constraint checker: every rule and every constraint again, trusting neither solver nor llm nor editor."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from graphs.state import RebalanceState
from graphs.world import Context
from policies.rules import Violation, check


def constraint_checker(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Check the stored plan against the facts, the policy and the kill switch of now."""
    world = runtime.context.world
    digest = state.get("plan_digest")
    if digest is None:
        return {"violations": [], "outcome": "no_plan"}
    plan = world.plan(digest)
    violations = check(plan, world.facts())
    world.tell("constraint_checker", f"{len(violations)} violations")
    outcome = "nothing_to_move" if not plan.lines else ("violated" if violations else "permitted")
    return {"violations": [as_document(violation) for violation in violations], "outcome": outcome}


def as_document(violation: Violation) -> dict[str, Any]:
    """A violation as plain JSON."""
    return {
        "rule": violation.rule,
        "words": violation.words,
        "numbers": dict(violation.numbers),
        "line_nos": list(violation.line_nos),
    }
