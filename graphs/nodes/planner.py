"""The planner: the llm reads the conversation and either answers or asks for a tool."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, SystemMessage, ToolMessage
from langgraph.runtime import Runtime

from graphs.state import RebalanceState
from graphs.world import Context, World
from policies.brief import brief
from tools.catalog import CATALOG


def planner(state: RebalanceState, runtime: Runtime[Context]) -> dict[str, Any]:
    """Let the llm speak once, within the limits of the run."""
    world = runtime.context.world
    calls = dict(state.get("calls", {}))
    if calls.get("llm", 0) >= world.limits.llm_calls_max or calls.get("tool", 0) > world.limits.tool_calls_max:
        words = (
            f"I stopped: this took more than {world.limits.llm_calls_max} answers of the language model or"
            f" {world.limits.tool_calls_max} tool calls. Please ask for less at a time."
        )
        return {"messages": [AIMessage(words)], "outcome": "stopped"}
    world.tell("planner", "thinking")
    calls["llm"] = calls.get("llm", 0) + 1
    reply = world.reply(
        [_system_message(world), *_answered(state["messages"])], [tool.schema() for tool in CATALOG.values()]
    )
    notices = list(state.get("notices", []))
    if reply.notice is not None and reply.notice not in notices:
        notices.append(reply.notice)
        world.tell("notice", reply.notice)
    return {"messages": [reply.message], "calls": calls, "notices": notices, "outcome": "answered"}


def _answered(messages: list[AnyMessage]) -> list[BaseMessage]:
    """The conversation with an answer for every tool call: a run that ended in between left some without one."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    complete: list[BaseMessage] = []
    for message in messages:
        complete.append(message)
        if isinstance(message, AIMessage):
            calls = [(call["id"], call["name"]) for call in message.tool_calls]
            calls += [(str(call.get("id")), str(call.get("name"))) for call in message.invalid_tool_calls]
            complete.extend(
                ToolMessage('{"error": "this call was interrupted"}', tool_call_id=call_id or "call", name=name)
                for call_id, name in calls
                if call_id not in answered
            )
    return complete


def _system_message(world: World) -> SystemMessage:
    facts = world.facts()
    return SystemMessage(_prompt().format(policy=brief(facts.policy, facts.snapshot.currency)))


@cache
def _prompt() -> str:
    return files("graphs.prompts").joinpath("planner.md").read_text(encoding="utf-8")
