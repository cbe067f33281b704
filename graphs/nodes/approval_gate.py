"""The pause. Nothing else may stand in this node: everything before an interrupt runs again at each resume."""

from __future__ import annotations

from typing import Any

from langgraph.types import interrupt

from graphs.state import RebalanceState


def approval_gate(state: RebalanceState) -> dict[str, Any]:
    """Wait until somebody rings. The value that comes back is a doorbell and is not looked at."""
    interrupt({"approval_id": state.get("approval_id"), "plan_digest": state.get("plan_digest")})
    return {"outcome": "rung"}
