"""Whether the service answers, and the one assistant that it has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from app.auth.roles import Act
from app.web.bodies import Text
from app.web.routes.langgraph.callers import Client
from app.web.routes.langgraph.modes import EVENT_NAMES
from app.web.routes.langgraph.reading import LIMIT_MAX
from app.web.routes.langgraph.refusals import DialectRoute
from app.web.routes.langgraph.requests import Body, Metadata
from app.web.routes.langgraph.shapes import assistant_shape, require_assistant, schemas_shape, selected

router = APIRouter(route_class=DialectRoute)
AssistantField = Literal[
    "assistant_id", "graph_id", "name", "description", "config", "context", "created_at", "updated_at", "metadata",
    "version",
]  # fmt: skip


class AssistantCount(Body):
    """Which assistants are meant. There is one."""

    graph_id: Annotated[Text, Field(max_length=100)] | None = None
    name: Annotated[Text, Field(max_length=100)] | None = None
    metadata: Metadata = Field(default_factory=dict)

    def fitting(self) -> list[dict[str, Any]]:
        """The assistant, unless another one is meant."""
        one = assistant_shape()
        is_named = self.name is None or self.name.casefold() in one["name"].casefold()
        return [one] if self.graph_id in (None, one["graph_id"]) and is_named and not self.metadata else []


class AssistantSearch(AssistantCount):
    """Which assistants to list, and what of each. The order of one is always the same."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 10
    offset: Annotated[int, Field(ge=0)] = 0
    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] | None = None
    sort_order: Literal["asc", "desc"] | None = None
    select: Annotated[tuple[AssistantField, ...], Field(max_length=50)] = ()


@router.get("/ok")
def ok() -> dict[str, bool]:
    """The process answers."""
    return {"ok": True}


@router.get("/info")
def info() -> dict[str, Any]:
    """What clients ask before anything else."""
    flags = {"assistants": True, "crons": False, "langsmith": False, "store": False}
    return {"version": "1", "flags": flags, "stream_modes": list(EVENT_NAMES)}


@router.post("/assistants/search")
def search_assistants(caller: Client, wanted: AssistantSearch) -> list[dict[str, Any]]:
    """The assistant, unless another one is wanted."""
    caller.require(Act.READ)
    page = wanted.fitting()[wanted.offset : wanted.offset + wanted.limit]
    return [selected(shape, wanted.select) for shape in page]


@router.post("/assistants/count")
def count_assistants(caller: Client, wanted: AssistantCount) -> int:
    """How many assistants fit: one, or none."""
    caller.require(Act.READ)
    return len(wanted.fitting())


@router.get("/assistants/{assistant_id}")
def read_assistant(caller: Client, assistant_id: str) -> dict[str, Any]:
    """The assistant, by its id or by the name of its graph."""
    caller.require(Act.READ)
    require_assistant(assistant_id)
    return assistant_shape()


@router.get("/assistants/{assistant_id}/schemas")
def read_schemas(caller: Client, assistant_id: str) -> dict[str, Any]:
    """What goes into a run of the assistant, and what comes out of it."""
    caller.require(Act.READ)
    require_assistant(assistant_id)
    return schemas_shape()


@router.get("/assistants/{assistant_id}/subgraphs")
def read_subgraphs(caller: Client, assistant_id: str) -> dict[str, Any]:
    """The graphs within the assistant's: none."""
    caller.require(Act.READ)
    require_assistant(assistant_id)
    return {}
