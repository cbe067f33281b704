"""The toolbox: carries out what the llm asked for, if the catalogue has it and the arguments fit."""

from __future__ import annotations

import json
from typing import Any

from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langgraph.runtime import Runtime
from pydantic import ValidationError

from graphs.desk import AtDesk, NothingToExplainError
from graphs.names import UnclearError
from graphs.state import RebalanceState
from graphs.world import Context
from tools.catalog import CATALOG, ProposePlan, SubmitPlan

ANSWER_CHARACTERS_MAX = 20_000


def toolbox(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Answer every tool call of the last message. A call that cannot be answered gets the reason as its answer.

    The first plan request or submission goes on to the drafter or checker, with its
    call left open; the plan is the answer to it.
    """
    world = runtime.context.world
    last = state["messages"][-1]
    if not isinstance(last, AIMessage):
        raise TypeError(f"the toolbox follows the planner, not a {last.type} message")
    desk = AtDesk(world, state.get("plan_digest"))
    calls = dict(state.get("calls", {}))
    update: dict[str, Any] = {"messages": [], "calls": calls, "outcome": "answered"}
    for bad in last.invalid_tool_calls:
        words = (bad.get("error") or "the arguments cannot be read")[:300]
        update["messages"].append(_refusal(str(bad.get("id") or ""), str(bad.get("name") or ""), words))
    for call in last.tool_calls:
        calls["tool"] = calls.get("tool", 0) + 1
        world.tell("tool", call["name"][:80])
        if calls["tool"] > world.limits.tool_calls_max:
            update["messages"].append(_refusal(_id(call), call["name"], "this run has used up its tool calls"))
        elif call["name"] in ("propose_plan", "submit_plan"):
            _take_request(desk, call, update)
        else:
            update["messages"].append(_answer(desk, call))
    return update


def _answer(desk: AtDesk, call: ToolCall) -> ToolMessage:
    tool = CATALOG.get(call["name"])
    if tool is None or tool.answer is None:
        return _refusal(_id(call), call["name"], f"there is no such tool; there are {', '.join(CATALOG)}")
    try:
        arguments = tool.arguments.model_validate_json(json.dumps(call["args"]))
        answer = tool.answer(desk, arguments)
    except (ValidationError, UnclearError, NothingToExplainError) as refused:
        return _refusal(_id(call), call["name"], _words(refused))
    return ToolMessage(_text(answer), tool_call_id=_id(call), name=call["name"])


def _take_request(desk: AtDesk, call: ToolCall, update: dict[str, Any]) -> None:
    """Note a plan request or a submission for the nodes that follow."""
    if update["outcome"] in ("requested", "submitted"):
        update["messages"].append(_refusal(_id(call), call["name"], "one plan at a time; ask again after this one"))
        return
    try:
        if call["name"] == "propose_plan":
            arguments = ProposePlan.model_validate_json(json.dumps(call["args"]))
            request = desk.plan_request(arguments).model_dump(mode="json")
            update |= {"request": request, "submit": False, "round": 0, "outcome": "requested", "call_id": _id(call)}
            update |= {"violations": [], "negotiation": {}, "note": "", "approval_id": None}
        else:
            SubmitPlan.model_validate_json(json.dumps(call["args"]))
            desk.current_plan()
            update |= {"submit": True, "outcome": "submitted", "call_id": _id(call), "approval_id": None}
    except (ValidationError, UnclearError, NothingToExplainError) as refused:
        update["messages"].append(_refusal(_id(call), call["name"], _words(refused)))


def _id(call: ToolCall) -> str:
    return call["id"] or "call"


def _words(refused: Exception) -> str:
    if isinstance(refused, ValidationError):
        first = refused.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the arguments"
        return f"{where}: {first['msg']}"
    return str(refused)


def _refusal(call_id: str, name: str, words: str) -> ToolMessage:
    return ToolMessage(_text({"error": words}), tool_call_id=call_id, name=name or "unknown", status="error")


def _text(answer: object) -> str:
    text = json.dumps(answer, ensure_ascii=True, sort_keys=True)
    if len(text) <= ANSWER_CHARACTERS_MAX:
        return text
    return json.dumps({"error": f"the answer has {len(text):,} characters; ask for fewer rows"})
