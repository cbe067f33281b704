"""What clients of the LangGraph dialect may ask to be shown: which threads, states and runs, and what of each."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.web.routes.langgraph.requests import Body, CheckpointId, CheckpointRef, Metadata, Refused

LIMIT_MAX = 1_000
STATES_MAX = 100
"""So many states are read at a time: each is a whole conversation."""
ThreadField = Literal[
    "thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "config", "context", "status", "values",
    "interrupts",
]  # fmt: skip
StateField = Annotated[
    str,
    Field(
        pattern=r"^(values(\.[a-z_]{1,40})?|next|tasks|checkpoint|metadata|created_at|parent_checkpoint|interrupts)$"
    ),
]
"""A field of a state, or one of its values: `values.messages`."""
StateFields = Annotated[tuple[StateField, ...], Field(max_length=50)]
RunField = Literal[
    "run_id", "thread_id", "assistant_id", "created_at", "updated_at", "status", "metadata", "kwargs",
    "multitask_strategy", "cancel_reason",
]  # fmt: skip


class ThreadCount(Body):
    """Which of the caller's threads are meant."""

    metadata: Metadata = Field(default_factory=dict)
    status: Literal["idle", "busy", "interrupted", "error"] | None = None
    values: Refused = None


class ThreadSearch(ThreadCount):
    """Which of the caller's threads to list, and what of each."""

    ids: Annotated[tuple[UUID, ...], Field(max_length=LIMIT_MAX)] = ()
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 10
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    sort_by: Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"] | None = None
    sort_order: Literal["asc", "desc"] | None = None
    select: Annotated[tuple[ThreadField, ...], Field(max_length=50)] = ()
    extract: Refused = None

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        if self.shows_state and self.limit > STATES_MAX:
            words = "at most {most} threads at a time with their values; ask for less, or select other fields"
            raise PydanticCustomError("limit", words, {"most": STATES_MAX})
        return self

    @property
    def shows_state(self) -> bool:
        """Whether anything is wanted for which the state of each thread has to be read."""
        return not self.select or not {"values", "interrupts"}.isdisjoint(self.select)


class RunPage(Body):
    """Which of a thread's runs to list, and what of each."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 10
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    status: Literal["pending", "running", "error", "success", "timeout", "interrupted"] | None = None
    select: Annotated[tuple[RunField, ...], Field(max_length=50)] = ()


class HistoryOrder(Body):
    """Which of a thread's states to show, the newest first. No filter reaches the checkpoints."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 10
    before: CheckpointId | CheckpointRef | None = None
    select: StateFields = ()
    checkpoint: CheckpointRef | None = None
    metadata: Refused = None
    filter: Refused = None

    @property
    def before_id(self) -> str | None:
        """The checkpoint before which to start."""
        return self.before.checkpoint_id if isinstance(self.before, CheckpointRef) else self.before


class PastState(Body):
    """Which earlier state of a thread to show."""

    checkpoint: CheckpointRef
    subgraphs: bool = False
    select: StateFields = ()
