"""The web application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache, partial
from types import MappingProxyType
from typing import Any, cast

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.auth.login import login_of
from app.errors import NotFoundError
from app.outbound import Outbound
from app.service import Service
from app.ui.network.stock_now import StockNow
from app.ui.pages import router as pages
from app.ui.rendering import STATIC, VersionedFiles
from app.ui.visitor import page_of
from app.web import problems
from app.web.limits import BodyLimit
from app.web.mcp import PATH, McpDoor
from app.web.problems import HEADERS, MEDIA_TYPE, Problem
from app.web.routes import (
    approval_edits,
    approvals,
    erp,
    events,
    governance,
    health,
    inbox,
    langgraph,
    ledger,
    login,
    network,
    orders,
    plans,
    strategy,
    usage,
)

FILES_MAX = 8
"""Files of the import format."""


def create_app(service: Service, demo_people: Mapping[str, tuple[str, str]] = MappingProxyType({})) -> FastAPI:
    """The application on an open service. `demo_people`, with name and role, may sign in by one click."""
    mcp = McpDoor(service)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with mcp.open():
            yield

    app = FastAPI(
        title="Evenkeel",
        version="1",
        description="Keeps stock balanced across sites. Nothing moves without a person's recorded decision.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.stock = StockNow(service.database, service.settings.stock_wait_seconds)
    app.state.demo_people = demo_people
    app.state.login = login_of(service.settings, Outbound(private_hosts=service.settings.outbound_private_hosts))
    app.openapi = partial(_described, app.openapi)  # type: ignore[method-assign]  # the way that FastAPI documents
    problems.install(app)
    app.add_exception_handler(404, _no_such_address)
    app.router.routes.extend(_routes())
    app.mount("/static", VersionedFiles(directory=STATIC))
    app.router.routes.append(Route(PATH, endpoint=mcp))
    # The first is the innermost: outside of the next one its refusal would come wrapped in a task group's exception.
    app.add_middleware(
        BodyLimit, upload_path="/v1/imports", upload_bytes_max=FILES_MAX * service.settings.import_file_bytes_max
    )
    app.add_middleware(BaseHTTPMiddleware, dispatch=_with_headers)
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Every route for people and programs, as FastAPI takes it in: a second of work that a process does once."""
    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem} for status in (400, 401, 403, 404, 409, 413, 422)
    }
    every = APIRouter(responses=responses)
    v1 = APIRouter(prefix="/v1")
    for part in (
        network, plans, approvals, approval_edits, orders, governance, erp, ledger, events, inbox, strategy, usage,
    ):  # fmt: skip
        v1.include_router(part.router)
    for router in (v1, langgraph.router, health.router, pages, login.router):
        every.include_router(router)
    return tuple(every.routes)


def _described(generate: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The OpenAPI document, with errors under the media type that they come in; FastAPI lists them as plain JSON."""
    document = generate()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    for response in [each for operation in operations for each in operation["responses"].values()]:
        content = response.get("content", {})
        if content.get("application/json", {}).get("schema") == {"$ref": "#/components/schemas/Problem"}:
            content[MEDIA_TYPE] = content.pop("application/json")
    return document


def _no_such_address(request: Request, error: Exception) -> Response:
    """People who follow a wrong link read a page; everybody else is told of a problem."""
    if "text/html" in request.headers.get("accept", ""):
        return page_of(
            request, NotFoundError("not_found", "there is no page at this address", "follow a link of a page")
        )
    return problems.of_framework(cast("HTTPException", error))


async def _with_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    if "cache-control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
