"""The graph's state: plain JSON and messages, small. Plans and tables live in the application's own tables."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.channels import DeltaChannel

from graphs.memory import kept

SNAPSHOT_EVERY = 100
"""After so many steps that added messages a checkpoint holds the whole conversation again."""

MADE_AGAIN_AFTER = "made_again_after"
"""Where `asked` names the approval request that was rejected or outrun before the plan was made again."""


class RebalanceState(TypedDict, total=False):
    """What a thread remembers between steps.

    `run_id` is the run that was taken in last, so that a run that is driven again after a
    crash goes on instead of starting anew. `request` is the plan request being worked on and `plan_digest` the plan made of
    it; `call_id` is the tool call of the llm that waits for that plan. `violations`
    are the checker's, `outcome` says in one word where the plan stands, `round` counts
    negotiation rounds, and `calls` counts what this run has used of its limits. `asked`
    says what formed the request: the llm, its temperature, and the versions of prompt and tools; and of a request that
    nobody formed anew, after which approval request it was made again.

    A checkpoint holds the messages that its step added, not the conversation over and
    over; so single checkpoints of a thread that lives on must not be deleted.
    """

    messages: Annotated[list[AnyMessage], DeltaChannel(kept, snapshot_frequency=SNAPSHOT_EVERY)]
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
    asked: dict[str, Any]
    notices: list[str]
