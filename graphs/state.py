"""The graph's state: plain JSON and messages, small. Plans and tables live in the application's own tables."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages


class RebalanceState(TypedDict, total=False):
    """What a thread remembers between steps.

    `run_id` is the run that was taken in last, so that a run that is driven again after a
    crash goes on instead of starting anew. `request` is the plan request being worked on and `plan_digest` the plan made of
    it; `call_id` is the tool call of the llm that waits for that plan. `violations`
    are the checker's, `outcome` says in one word where the plan stands, `round` counts
    negotiation rounds, and `calls` counts what this run has used of its limits.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    door: str
    run_id: str
    request: dict[str, Any] | None
    plan_digest: str | None
    call_id: str | None
    submit: bool
    violations: list[dict[str, Any]]
    outcome: str
    note: str
    round: int
    negotiation: dict[str, Any]
    approval_id: str | None
    calls: dict[str, int]
    notices: list[str]
