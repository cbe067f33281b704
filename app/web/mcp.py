"""The MCP server: the agent's reading and what-if tools, and plans to propose, for other agents.

It speaks streamable HTTP at `/mcp`, takes the same bearer tokens as the API, and answers
with the same scope and masking. Nothing here approves, submits or executes: a plan that
is proposed is stored and no more, and goes to the approvers from a conversation, where
its planner answers for it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Any
from uuid import uuid4

import anyio
from mcp.server import Server, ServerRequestContext
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware, get_access_token
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth.people import principal_of, sign_in
from app.auth.roles import Act, Principal
from app.errors import EvenkeelError, NotSignedInError, TooManyError, UnavailableError
from app.ledger.append import EventType, append, plan_stream
from app.plans.store import store_plan
from app.service import Service
from app.web import problems
from app.web.limits import CallerLimits
from app.world import ServiceWorld
from graphs.desk import REFUSALS, Answered, AtDesk, answer_text, checked, refusal, refusal_words
from graphs.planning import draft
from graphs.summaries import plan_summary
from graphs.world import RunLimits
from policies.rules import check
from tools.catalog import CATALOG, ProposePlan, Reach
from tools.catalog import Tool as CatalogTool
from tools.planning.fast import plan_fast
from tools.transfers import TransferPlan

PATH = "/mcp"
CALLS_AT_ONCE = 4
"""So many calls are worked on at a time in one process; others wait. Each may take as long as a plan or two."""
REQUEST_BYTES_MAX = 256 * 1024
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
INSTRUCTIONS = (
    "Evenkeel keeps stock balanced across sites. These tools read, ask what-if, and propose plans, within the sites of"
    " whoever the token belongs to. Nothing here moves stock or submits a plan: people decide that elsewhere."
)
NOT_SUBMITTED = (
    "The plan is stored and not submitted: nothing moves, and nobody has been asked to approve it. To put a plan before"
    " the approvers, a planner asks for it in a conversation and submits it there."
)

TOOLS: Mapping[str, CatalogTool] = {
    name: tool for name, tool in CATALOG.items() if tool.answer is not None or name == "propose_plan"
}
"""What is offered: all that reads or asks what-if, and the proposal. `submit_plan` is not: it acts on a conversation."""


class McpDoor:
    """The server behind `/mcp`. It answers while `open` is entered, and says so otherwise."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._server = Server[Any](
            "evenkeel", version="1", instructions=INSTRUCTIONS, on_list_tools=self._list, on_call_tool=self._call,
            get_tool_input_schema=lambda name: _schema(TOOLS[name]) if name in TOOLS else None,
        )  # fmt: skip
        self._limiter = anyio.CapacityLimiter(CALLS_AT_ONCE)
        self._limits = limits_of(service)
        self._inner: ASGIApp | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Answer requests from now on."""
        manager = StreamableHTTPSessionManager(
            self._server, json_response=True, stateless=True, max_request_body_size=REQUEST_BYTES_MAX,
            security_settings=_transport_security(self._service.settings.mcp_hosts),
        )  # fmt: skip
        counted = _Counted(StreamableHTTPASGIApp(manager), self._limits)
        signed_in = RequireAuthMiddleware(counted, required_scopes=[])
        async with manager.run():
            self._inner = AuthenticationMiddleware(
                AuthContextMiddleware(signed_in), backend=BearerAuthBackend(_Tokens(self._service))
            )
            try:
                yield
            finally:
                self._inner = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        if self._inner is None:
            closed = UnavailableError("mcp_closed", "the MCP server is not open", "wait until the service has started")
            await problems.refusal(closed)(scope, receive, send)
            return
        await self._inner(scope, receive, send)

    async def _list(self, _: ServerRequestContext[Any], __: PaginatedRequestParams | None) -> ListToolsResult:
        caller = await anyio.to_thread.run_sync(self._caller)
        return ListToolsResult(tools=[_described(tool) for tool in TOOLS.values() if caller.may(_act(tool))])

    async def _call(self, _: ServerRequestContext[Any], call: CallToolRequestParams) -> CallToolResult:
        answered = await anyio.to_thread.run_sync(self._answer, call.name, call.arguments or {}, limiter=self._limiter)
        return CallToolResult(
            content=[TextContent(type="text", text=answered.text)],
            structured_content=json.loads(answered.text),
            is_error=answered.refused,
        )

    def _answer(self, name: str, arguments: dict[str, Any]) -> Answered:
        """What a tool says, or why it says nothing, in words for an llm."""
        tool = TOOLS.get(name)
        if tool is None:
            return refusal(f"there is no such tool; there are {', '.join(TOOLS)}")
        try:
            caller = self._caller()
            caller.require(_act(tool))
            with self._limits.solving(caller.user_id) if _solves(tool) else nullcontext():
                return self._answer_at_desk(tool, caller, arguments)
        except EvenkeelError as refused:
            return refusal(str(refused))

    def _answer_at_desk(self, tool: CatalogTool, caller: Principal, arguments: dict[str, Any]) -> Answered:
        world = self._world(caller)
        desk = AtDesk(world, None)
        if tool.answer is None:
            return _proposal(self._service, world, desk, arguments)
        return answer_text(desk, tool.name, arguments)

    def _caller(self) -> Principal:
        """Whoever the token belongs to, as they stand now. Raises NotSignedInError."""
        token = get_access_token()
        with self._service.database.transaction() as session:
            found = None if token is None else principal_of(session, token.client_id)
        if found is None:
            raise NotSignedInError("token", "the token is not valid (any more)", "sign in with a current token")
        return found

    def _world(self, caller: Principal) -> ServiceWorld:
        """The world as the desk asks for it. No llm is asked, and there is no thread."""
        call_id = uuid4()
        llm, limits = self._service.llm.for_run(call_id, caller.user_id, _nobody_listens), RunLimits(0, 0, 0, 0, 0, 0)
        return ServiceWorld(self._service.database, caller, call_id, llm, limits, lambda _, __: None, plan_fast)


def limits_of(service: Service) -> CallerLimits:
    """How much one caller may ask of this door."""
    installation = service.database.engine.url.render_as_string()  # it hides the password
    settings = service.settings
    return CallerLimits(
        service.redis, f"mcp|{installation}", settings.mcp_calls_per_minute_max, settings.mcp_solving_max
    )


class _Counted:
    """Counts the requests of each caller, and refuses those beyond the limit before anything is done for them."""

    def __init__(self, app: ASGIApp, limits: CallerLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request of somebody who is signed in."""
        try:
            await anyio.to_thread.run_sync(self._limits.count_call, scope["user"].username)
        except TooManyError as refused:
            await problems.refusal(refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class _Tokens:
    """The library's `TokenVerifier` on our own tokens."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def verify_token(self, token: str) -> AccessToken | None:
        """Whose token it is, or None."""
        user_id = await anyio.to_thread.run_sync(self._owner, token.strip())
        return None if user_id is None else AccessToken(token="", client_id=user_id, scopes=[], subject=user_id)

    def _owner(self, token: str) -> str | None:
        try:
            with self._service.database.transaction() as session:
                return sign_in(session, token).user_id
        except NotSignedInError:
            return None


CLIENT = "a client of its own over MCP"
"""What a plan is put down to that was asked for here: nobody knows which llm, if any, speaks through a client."""


def _proposal(service: Service, world: ServiceWorld, desk: AtDesk, arguments: dict[str, Any]) -> Answered:
    """Make a plan, check it, keep it, and say what it is and that it is no more than that."""
    try:
        request = desk.plan_request(checked(ProposePlan, arguments))
    except REFUSALS as refused:
        return refusal(refusal_words(refused))
    facts = world.facts()
    made = draft(facts, request, solver=world.solve)
    if made.plan is None:
        answer: dict[str, Any] = {"plan": None, "note": desk.words(f"{made.status}: {made.note}")}
    else:
        _keep(service, made.plan, world.caller.user_id)
        answer = plan_summary(made.plan, desk.names, desk.words(made.note), desk.left_behind(made.plan))
        answer["violations"] = [desk.words(violation.words) for violation in check(made.plan, facts)[:10]]
    text = json.dumps(answer | {"submitted": False, "what_now": NOT_SUBMITTED}, ensure_ascii=True, sort_keys=True)
    return Answered(text, refused=False)


def _keep(service: Service, plan: TransferPlan, user_id: str) -> None:
    with service.database.transaction() as session:
        if store_plan(session, plan, {"llm": CLIENT}):
            append(
                session,
                stream=plan_stream(plan.digest),
                key=f"plan/{plan.digest}/proposed",
                event_type=EventType.PLAN_PROPOSED,
                actor=user_id,
                facts={
                    "plan": plan.digest,
                    "snapshot": plan.snapshot_digest,
                    "policy": plan.policy_digest,
                    "solver": list(plan.solver.versions),
                    "door": "mcp",
                },
            )


def _solves(tool: CatalogTool) -> bool:
    return tool.calls_max is not None or tool.answer is None


def _act(tool: CatalogTool) -> Act:
    return Act.PLAN if tool.reach is Reach.REQUEST else Act.READ


def _described(tool: CatalogTool) -> Tool:
    reads = tool.reach is not Reach.REQUEST
    return Tool(
        name=tool.name,
        description=tool.description,
        input_schema=_schema(tool),
        annotations=ToolAnnotations(
            read_only_hint=reads, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


def _schema(tool: CatalogTool) -> dict[str, Any]:
    schema: dict[str, Any] = tool.schema()["function"]["parameters"]
    return schema


def _nobody_listens(_: str) -> None:
    """The llm that is never asked says nothing."""


def _transport_security(hosts: tuple[str, ...]) -> TransportSecuritySettings:
    """Which Host headers are answered: this machine's, and those that the operator names. Pages of others are refused."""
    answered = [f"{host}{port}" for host in (*LOOPBACK, *hosts) for port in ("", ":*")]
    origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in answered]
    return TransportSecuritySettings(allowed_hosts=answered, allowed_origins=origins)
