"""Whether the service answers, and the one assistant that it has."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.auth.roles import Act
from app.web.bodies import Text
from app.web.routes.langgraph.callers import Client
from app.web.routes.langgraph.refusals import DialectRoute
from app.web.routes.langgraph.shapes import GRAPH, assistant_shape, require_assistant

router = APIRouter(route_class=DialectRoute)


class AssistantSearch(BaseModel):
    """Which assistants are wanted. There is one, so most of what may be asked narrows nothing."""

    model_config = {"extra": "ignore"}
    graph_id: Annotated[Text, Field(max_length=100)] | None = None
    metadata: dict[str, Any] = {}
    limit: Annotated[int, Field(ge=1, le=1_000)] = 10
    offset: Annotated[int, Field(ge=0)] = 0


@router.get("/ok")
def ok() -> dict[str, bool]:
    """The process answers."""
    return {"ok": True}


@router.get("/info")
def info() -> dict[str, Any]:
    """What clients ask before anything else."""
    return {"version": "1", "flags": {"assistants": True, "crons": False, "langsmith": False}}


@router.post("/assistants/search")
def search_assistants(caller: Client, wanted: AssistantSearch) -> list[dict[str, Any]]:
    """The assistant, unless another one is wanted."""
    caller.require(Act.READ)
    fits = wanted.graph_id in (None, GRAPH) and not wanted.metadata and wanted.offset == 0
    return [assistant_shape()] if fits else []


@router.get("/assistants/{assistant_id}")
def read_assistant(caller: Client, assistant_id: str) -> dict[str, Any]:
    """The assistant, by its id or by the name of its graph."""
    caller.require(Act.READ)
    require_assistant(assistant_id)
    return assistant_shape()
