"""The toolbox: carries out what the llm asked for, if the catalogue has it and the arguments fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, InvalidToolCall, ToolCall, ToolMessage
from langgraph.runtime import Runtime

from graphs.desk import REFUSALS, AtDesk, answer_text, checked, refusal, refusal_words
from graphs.state import RebalanceState
from graphs.world import Context
from tools.catalog import CATALOG, ProposePlan, SubmitPlan

NAME_CHARACTERS_MAX = 80
_PLAN = re.compile(r'"plan":\s?"([0-9a-f]{64})"')


def toolbox(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Answer every tool call of the last message. A call that cannot be answered gets the reason as its answer.

    The first plan request or submission goes on to the drafter or checker, with its
    call left open; the plan is the answer to it.
    """
    world = runtime.context.world
    last = state["messages"][-1]
    if not isinstance(last, AIMessage):
        raise TypeError(f"the toolbox follows the planner, not a {last.type} message")
    desk = AtDesk(world, state.get("plan_digest"), _plans_of(state["messages"]))
    calls = dict(state.get("calls", {}))
    update: dict[str, Any] = {"messages": [], "calls": calls, "outcome": "answered"}
    for bad in last.invalid_tool_calls:
        words = (bad.get("error") or "the arguments cannot be read")[:300]
        update["messages"].append(_refusal(bad, words))
    for call in last.tool_calls:
        calls["tool"] = calls.get("tool", 0) + 1
        world.tell("tool", call["name"][:NAME_CHARACTERS_MAX])
        if calls["tool"] > world.limits.tool_calls_max:
            update["messages"].append(_refusal(call, "this run has used up its tool calls"))
        elif call["name"] in ("propose_plan", "submit_plan"):
            _take_request(desk, call, update)
        else:
            update["messages"].append(_answer(desk, call, calls))
    return update


def _answer(desk: AtDesk, call: ToolCall, calls: dict[str, int]) -> ToolMessage:
    tool = CATALOG.get(call["name"])
    if tool is not None and tool.calls_max is not None:
        asked = calls[tool.name] = calls.get(tool.name, 0) + 1
        if asked > tool.calls_max:
            return _refusal(call, f"this run has asked {tool.name} {tool.calls_max} times, which is the most there is")
    text, refused = answer_text(desk, call["name"], call["args"])
    return _message(call, text, refused=refused)


def _take_request(desk: AtDesk, call: ToolCall, update: dict[str, Any]) -> None:
    """Note a plan request or a submission for the nodes that follow."""
    if update["outcome"] in ("requested", "submitted"):
        update["messages"].append(_refusal(call, "one plan at a time; ask again after this one"))
        return
    try:
        if call["name"] == "propose_plan":
            arguments = checked(ProposePlan, call["args"])
            request = desk.plan_request(arguments).model_dump(mode="json")
            update |= {"request": request, "submit": False, "round": 0, "outcome": "requested", "call_id": _id(call)}
            update |= {"violations": [], "negotiation": {}, "note": "", "approval_id": None}
        else:
            checked(SubmitPlan, call["args"])
            desk.current_plan()
            update |= {"submit": True, "outcome": "submitted", "call_id": _id(call), "approval_id": None}
    except REFUSALS as refused:
        update["messages"].append(_refusal(call, refusal_words(refused)))


def _plans_of(messages: Sequence[AnyMessage]) -> tuple[str, ...]:
    """The plans that were made in this conversation, the oldest first: what the presenter has answered."""
    answers = [str(each.content) for each in messages if isinstance(each, ToolMessage) and each.name == "propose_plan"]
    return tuple(dict.fromkeys(found[1] for answer in answers if (found := _PLAN.search(answer)) is not None))


def _refusal(call: ToolCall | InvalidToolCall, words: str) -> ToolMessage:
    return _message(call, refusal(words).text, refused=True)


def _message(call: ToolCall | InvalidToolCall, text: str, *, refused: bool) -> ToolMessage:
    name = str(call.get("name") or "unknown")[:NAME_CHARACTERS_MAX]
    return ToolMessage(text, tool_call_id=_id(call), name=name, status="error" if refused else "success")


def _id(call: ToolCall | InvalidToolCall) -> str:
    return str(call.get("id") or "call")
