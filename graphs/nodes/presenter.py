"""The presenter: hands the finished plan to whoever asked for it, as the answer to the open tool call."""

from __future__ import annotations

import json
from typing import Any

from langchain_core.messages import ToolMessage
from langgraph.runtime import Runtime

from graphs.desk import AtDesk
from graphs.state import RebalanceState
from graphs.summaries import plan_summary
from graphs.world import Context


def presenter(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """The plan with its violations, concessions, conflicts and what it leaves behind, for the llm to put into words."""
    world = runtime.context.world
    digest = state.get("plan_digest")
    desk = AtDesk(world, digest)
    record = state.get("negotiation") or {}
    note = desk.words(" ".join(filter(None, (state.get("note", ""), record.get("pricing", "")))))
    answer: dict[str, Any] = {"outcome": state["outcome"], "note": note}
    if digest is not None:
        plan = world.plan(digest)
        answer |= plan_summary(plan, desk.names, note, desk.left_behind(plan))
    answer["violations"] = [desk.words(violation["words"]) for violation in state.get("violations", [])[:10]]
    answer["contested_pools"] = sum(item["contests"] for item in record.get("rounds", [])[-1:])
    answer["negotiation_rounds"] = len(record.get("rounds", []))
    answer["concessions"] = [desk.words(concession["words"]) for concession in record.get("concessions", [])][:5]
    answer["recommended"] = [desk.words(words) for words in record.get("recommended", [])][:5]
    answer["conflicts"] = [desk.words(words) for words in record.get("conflicts", [])]
    text = json.dumps(answer, ensure_ascii=True, sort_keys=True)
    message = ToolMessage(text, tool_call_id=state.get("call_id") or "call", name="propose_plan")
    return {"messages": [message], "call_id": None}
