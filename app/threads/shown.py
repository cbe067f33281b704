"""What of a graph's state leaves the service: the conversation and where its plan stands, never the machinery.

A conversation is its owner's, so its messages are shown as they are: the tools have cut
their answers to what the owner may see. Words and requests that an approver wrote into
the state have not been cut, and go to nobody from whom something is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from app.auth.roles import Principal

PLAIN = ("plan_digest", "approval_id", "outcome")
"""Values that name nothing that could be kept from anybody."""
NOTICES = "notices"
"""Why something else than the language model answered: for the owner alone, as the conversation is."""
WHOLE = ("note", "request")
"""Values for those who see everything."""


def shown_message(message: AnyMessage) -> dict[str, Any]:
    """A message as clients of LangGraph know it."""
    shown: dict[str, Any] = {
        "type": message.type, "id": message.id, "content": message.content, "name": message.name,
        "additional_kwargs": {}, "response_metadata": {},
    }  # fmt: skip
    if isinstance(message, AIMessage):
        shown |= {"tool_calls": list(message.tool_calls), "invalid_tool_calls": list(message.invalid_tool_calls)}
    if isinstance(message, ToolMessage):
        shown |= {"tool_call_id": message.tool_call_id, "status": message.status}
    return shown


def shown_fields(values: Mapping[str, Any], principal: Principal) -> dict[str, Any]:
    """What a principal may see of these values besides the messages."""
    names = (*PLAIN, NOTICES, *WHOLE) if principal.sees_everything else (*PLAIN, NOTICES)
    return {name: values[name] for name in names if name in values}


def shown_values(values: Mapping[str, Any], principal: Principal) -> dict[str, Any]:
    """The values of a thread for its owner."""
    if not values:
        return {}
    messages = [shown_message(message) for message in values.get("messages", [])]
    return {"messages": messages, **shown_fields(values, principal)}
