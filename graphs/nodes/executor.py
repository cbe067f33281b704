"""The executor: the one node that leads to a posting. It hands over an approval id and nothing else."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from graphs.state import RebalanceState
from graphs.world import Context


def executor(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Have the approved plan carried out. The service reads the decision again; a repeat releases nothing twice."""
    world = runtime.context.world
    orders = world.carry_out(state.get("approval_id") or "")
    world.tell("executor", f"{len(orders)} transfer orders released")
    return {"outcome": "released" if orders else "refused", "note": f"{len(orders)} transfer orders"}
