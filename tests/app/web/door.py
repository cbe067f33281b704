"""The HTTP door for tests: the application, people with tokens, requests in their names, and every route with who may use it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import httpx2
import uvicorn
from sqlalchemy import text
from starlette.testclient import TestClient

from app.approvals.tables import ApprovalRequest
from app.auth.people import SYSTEM, add_person, issue_token
from app.auth.roles import Principal, Role
from app.service import Service
from app.web.main import create_app
from app.web.routes.langgraph.refused import REFUSED
from tests.installation import ADA, BOB, OTTO, PAULA, VERA, person, settle_in, until, waiting

ADAM = person("adam", Role.ADMIN)
FERN = person("fern", *Role, sites=frozenset({"S3"}))
"""Every role, and no site of Paula's plan."""
NORA = person("nora")
"""No role at all."""
PEOPLE = (PAULA, ADA, BOB, OTTO, ADAM, VERA, FERN, NORA)
BY_ROLE = {"viewer": "vera", "planner": "paula", "approver": "ada", "operator": "otto", "admin": "adam"}


@dataclass(frozen=True)
class Door:
    """An application and the tokens of its people."""

    service: Service
    client: TestClient
    tokens: dict[str, str]

    def ask(self, method: str, path: str, by: str | None = None, **request: Any) -> httpx2.Response:
        """One request in somebody's name; nobody's without a name."""
        self.client.cookies.clear()
        headers = {"Authorization": f"Bearer {self.tokens[by]}"} if by else {}
        if method not in ("GET", "HEAD", "OPTIONS"):
            headers["Idempotency-Key"] = uuid4().hex  # every request of its own; a test that repeats one names its key
        return self.client.request(method, path, headers=headers | request.pop("headers", {}), **request)

    def get(self, path: str, by: str | None = None, **request: Any) -> httpx2.Response:
        """Read something."""
        return self.ask("GET", path, by, **request)

    def post(self, path: str, by: str | None = None, body: object = None, **request: Any) -> httpx2.Response:
        """Do something; the body is JSON."""
        return self.ask("POST", path, by, json={} if body is None else body, **request)

    def admit(self, *people: Principal) -> None:
        """Register people, or bring their roles and scope up to date, and give each a token."""
        with self.service.database.transaction() as session:
            for each in people:
                add_person(session, each, by=SYSTEM)
        self.tokens.update(tokens_of(self.service, *(each.user_id for each in people)))

    @property
    def pending(self) -> ApprovalRequest:
        """The one request that waits."""
        (request,) = waiting(self.service)
        return request

    def decide(self, request: ApprovalRequest, by: str, verdict: str = "approve", **more: object) -> httpx2.Response:
        """A decision over HTTP."""
        body = {"verdict": verdict, "plan_digest": request.plan_digest, **more}
        return self.post(f"/v1/approvals/{request.approval_id}/decision", by, body)

    def converse(self, words: str, by: str, thread_id: str | None = None) -> dict[str, Any]:
        """Say something over HTTP and have it answered, here and now. The run as HTTP shows it."""
        thread_id = thread_id or self.post("/v1/threads", by).json()["thread_id"]
        run = self.post(f"/v1/threads/{thread_id}/runs", by, {"text": words})
        assert run.status_code == 202, run.text
        return self.finish(run.json()["run_id"], by)

    def finish(self, run_id: str, by: str) -> dict[str, Any]:
        """Drive a run to its end or pause, here and now. The run as HTTP shows it."""
        self.service.driver.run(UUID(run_id))
        found: dict[str, Any] = self.get(f"/v1/runs/{run_id}", by).json()
        return found


def welcome(service: Service) -> dict[str, str]:
    """A network, people, and their tokens."""
    settle_in(service, None, *PEOPLE)
    return tokens_of(service, *(each.user_id for each in PEOPLE))


def tokens_of(service: Service, *user_ids: str) -> dict[str, str]:
    """A new token for each."""
    with service.database.transaction() as session:
        return {user_id: issue_token(session, user_id, 1) for user_id in user_ids}


def door_to(service: Service, tokens: dict[str, str]) -> Door:
    """The application on a service. An error of its own comes back as a response, as it does to any client."""
    return Door(service, TestClient(create_app(service), raise_server_exceptions=False), dict(tokens))


def problem_of(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a refusal, which has this status and code and the shape that all have."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    document: dict[str, Any] = answer.json()
    assert document["code"] == code, document
    assert document["status"] == status
    assert document["type"] == f"urn:evenkeel:problem:{code}"
    assert document["title"]
    assert document["detail"]
    return document


def written(service: Service) -> dict[str, int]:
    """How many rows there are of everything that a refused request might have left behind."""
    tables = (
        "approval_request", "decision", "transfer_order", "receipt", "built_in_transfer", "thread", "run", "signal",
        "network_import", "ledger_event", "dbos.workflow_status",
    )  # fmt: skip
    with service.database.engine.connect() as connection:
        return {name: connection.execute(text(f"select count(*) from {name}")).scalar_one() for name in tables}


@contextmanager
def listening(
    service: Service, demo_people: Mapping[str, tuple[str, str]] = MappingProxyType({})
) -> Iterator[tuple[uvicorn.Server, str]]:
    """A real server in a thread, and its address."""
    config = uvicorn.Config(
        create_app(service, demo_people), host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="test-server")
    thread.start()
    try:
        until("the server", lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield server, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)


@dataclass(frozen=True)
class Route:
    """A route, who may use it, and a body that it takes. Ids in the path stand for the pending plan of `paula`."""

    method: str
    path: str
    roles: str
    body: object = None


EVERYBODY = "viewer planner approver operator admin"
ROUTES = (
    Route("GET", "/v1/network", EVERYBODY),
    Route("GET", "/v1/imbalances", EVERYBODY),
    Route("GET", "/v1/strategy", EVERYBODY),
    Route("POST", "/v1/imports", "operator admin"),
    Route("POST", "/v1/signals", "operator", []),
    Route("GET", "/v1/signals", "operator"),
    Route("GET", "/v1/threads", EVERYBODY),
    Route("POST", "/v1/threads", "planner", {}),
    Route("GET", "/v1/threads/{thread_id}", EVERYBODY),
    Route("POST", "/v1/threads/{thread_id}/runs", "planner", {"text": "status"}),
    Route("GET", "/v1/runs/{run_id}", EVERYBODY),
    Route("GET", "/v1/runs/{run_id}/events", EVERYBODY),
    Route("POST", "/v1/runs/{run_id}/cancellation", "planner"),
    Route("POST", "/v1/scans", "planner operator", {}),
    Route("GET", "/v1/plans/{digest}", EVERYBODY),
    Route("GET", "/v1/plans/{digest}/negotiation", EVERYBODY),
    Route("GET", "/v1/explanations/{digest}", EVERYBODY),
    Route("GET", "/v1/approvals", EVERYBODY),
    Route("GET", "/v1/approvals/{approval_id}", EVERYBODY),
    Route("POST", "/v1/approvals/{approval_id}/decision", "approver", {"verdict": "approve", "plan_digest": "0" * 64}),
    Route("POST", "/v1/approvals/{approval_id}/withdrawal", "planner"),
    Route(
        "POST",
        "/v1/approvals/{approval_id}/edit",
        "approver",
        {"plan_digest": "0" * 64, "packs": [{"line_no": 1, "packs": 0}]},
    ),
    Route("POST", "/v1/approvals/{approval_id}/comments", "approver", {"words": "why so many?"}),
    Route("POST", "/v1/approvals/{approval_id}/claim", "approver", {}),
    Route("POST", "/v1/approvals/{approval_id}/unclaim", "approver"),
    Route(
        "POST",
        "/v1/approvals/decisions",
        "approver",
        {
            "plans": [{"approval_id": "00000000-0000-0000-0000-000000000001", "plan_digest": "0" * 64}],
            "set_digest": "0" * 64,
        },
    ),
    Route("GET", "/v1/rejections", EVERYBODY),
    Route("GET", "/v1/delegations", EVERYBODY),
    Route(
        "POST",
        "/v1/delegations",
        "approver",
        {"starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-01-02T00:00:00Z", "reason": "away", "away": True},
    ),
    Route("POST", "/v1/delegations/{delegation_id}/end", EVERYBODY),
    Route("GET", "/v1/orders", EVERYBODY),
    Route("POST", "/v1/orders/{transfer_id}/receipts", "operator", {"receipt_key": "dock-1-scan-17"}),
    Route(
        "POST",
        "/v1/orders/{transfer_id}/actions",
        "operator",
        {"action": "cancel", "reason": "the dock is closed"},
    ),
    Route("GET", "/v1/reconciliation", "operator"),
    Route(
        "POST",
        "/v1/reconciliation/{difference_id}/settlement",
        "operator",
        {"reason": "counted at both ends"},
    ),
    Route("GET", "/v1/ledger/verification", "operator admin"),
    Route("GET", "/v1/ledger/events", "operator admin"),
    Route("GET", "/v1/ledger/checkpoint", "operator admin"),
    Route("GET", "/v1/ledger/positions/{position}/proof", "operator admin"),
    Route("GET", "/v1/ledger/growth/{position}/proof", "operator admin"),
    Route("GET", "/v1/lineage/{transfer_id}", EVERYBODY),
    Route("GET", "/v1/events", "operator admin"),
    Route("GET", "/v1/subscriptions", "operator admin"),
    Route("POST", "/v1/subscriptions", "operator admin", {"name": "hook", "url": "https://hooks.example/evenkeel"}),
    Route("POST", "/v1/subscriptions/{subscription_id}/acts", "operator admin", {"act": "pause"}),
    Route("GET", "/v1/subscriptions/{subscription_id}/dead-letters", "operator admin"),
    Route("GET", "/v1/schemas", EVERYBODY),
    Route("GET", "/v1/schemas/{name}", EVERYBODY),
    Route("GET", "/v1/asyncapi.json", EVERYBODY),
    Route("GET", "/v1/policies", EVERYBODY),
    Route("POST", "/v1/policies/activations", "operator admin", {"policy": "2026-01", "reason": "as it was"}),
    Route("GET", "/v1/governance", EVERYBODY),
    Route("GET", "/v1/llm-usage", "operator admin"),
    Route("POST", "/v1/kill-switch", "approver operator admin", {"engaged": True, "reason": "a recall"}),
    Route("GET", "/v1/stops", EVERYBODY),
    Route("POST", "/v1/stops", "approver operator admin", {"site_id": "S1", "reason": "a leak"}),
    Route("POST", "/v1/stops/{stop_id}/release", "operator admin", {"reason": "it is dry again"}),
    Route("GET", "/v1/validations", "operator admin"),
    Route("POST", "/v1/validations", "operator admin", {"reason": "nothing has changed"}),
)
_SAID = {"assistant_id": "rebalance", "input": {"messages": [{"role": "user", "content": "status"}]}}
_RUN = "/threads/{thread_id}/runs/{run_id}"
SDK_ROUTES = (
    Route("POST", "/assistants/search", EVERYBODY, {}),
    Route("POST", "/assistants/count", EVERYBODY, {}),
    Route("GET", "/assistants/{assistant_id}", EVERYBODY),
    Route("GET", "/assistants/{assistant_id}/schemas", EVERYBODY),
    Route("GET", "/assistants/{assistant_id}/subgraphs", EVERYBODY),
    Route("POST", "/threads", "planner", {}),
    Route("POST", "/threads/search", EVERYBODY, {}),
    Route("POST", "/threads/count", EVERYBODY, {}),
    Route("GET", "/threads/{thread_id}", EVERYBODY),
    Route("PATCH", "/threads/{thread_id}", "planner", {"metadata": {}}),
    Route("DELETE", "/threads/{thread_id}", "planner"),
    Route("GET", "/threads/{thread_id}/state", EVERYBODY),
    Route("GET", "/threads/{thread_id}/state/{checkpoint_id}", EVERYBODY),
    Route("POST", "/threads/{thread_id}/state/checkpoint", EVERYBODY, {"checkpoint": {}}),
    Route("POST", "/threads/{thread_id}/state", "planner", {"values": None, "as_node": "__end__"}),
    Route("POST", "/threads/{thread_id}/history", EVERYBODY, {}),
    Route("POST", "/threads/{thread_id}/runs", "planner", _SAID),
    Route("POST", "/threads/{thread_id}/runs/stream", "planner", _SAID),
    Route("POST", "/threads/{thread_id}/runs/wait", "planner", _SAID),
    Route("GET", "/threads/{thread_id}/runs", EVERYBODY),
    Route("GET", _RUN, EVERYBODY),
    Route("GET", f"{_RUN}/join", EVERYBODY),
    Route("GET", f"{_RUN}/stream", EVERYBODY),
    Route("POST", f"{_RUN}/cancel", "planner"),
)
"""The dialect of the LangGraph SDK. It is described by the SDK and not by our own description of the API."""
REFUSED_ROUTES = tuple(Route(method, path, EVERYBODY) for method, path, _ in REFUSED)
"""Calls of that SDK with nothing behind them: refused to everybody."""
