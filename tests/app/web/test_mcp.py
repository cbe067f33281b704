"""The MCP server to a real MCP client: what it offers to whom, what it keeps from them, and that nothing moves through it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from sqlalchemy import text

from app.auth.roles import Role
from app.ledger.verify import verify
from app.plans.provenance import provenance_view
from app.plans.store import read_plan
from app.service import open_service
from app.web.mcp import TOOLS, limits_of
from evals.databases import Servers
from graphs.names import ELSEWHERE, alias_of
from tests.app.ui.pages import cookie_of
from tests.app.web.conftest import Prepared, _copy
from tests.app.web.door import Door, door_to, listening, tokens_of, written
from tests.app.web.test_scope_and_masking import PAT, SECRET_SKU, SECRETS, a_network_with_secrets, told
from tests.attacker import posted, stock
from tests.installation import ADA, OTTO, PAULA, orders, person, settings_on, settle_in
from tools.catalog import CATALOG

WRITING = (
    "approve", "approve_plan", "decide", "execute", "execute_transfer", "post_to_erp", "release", "submit_plan", "submit",
    "reject", "withdraw", "engage", "kill_switch", "import", "receive", "retry", "propose_p1an", "Propose_Plan",
    "propose_plan ", "propose_plan\u200b",
)  # fmt: skip


@asynccontextmanager
async def session(url: str, token: str | None, statuses: list[int] | None = None) -> AsyncIterator[Client]:
    """A connected client of somebody, and what each of its requests was answered with."""

    async def noted(answer: httpx2.Response) -> None:
        seen.append(answer.status_code)

    seen = [] if statuses is None else statuses
    bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
    hooks = {"response": [noted]}
    async with (
        httpx2.AsyncClient(headers=bearer, timeout=60, event_hooks=hooks) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        yield client


class Mcp:
    """A server with tokens, and a client for each call."""

    def __init__(self, door: Door, url: str) -> None:
        self.door = door
        self.url = url

    def do(self, by: str, work: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
        """Something with a client in somebody's name."""

        async def done() -> Any:
            async with session(self.url, self.door.tokens[by]) as client:
                return await work(client)

        return asyncio.run(done())

    def call(self, by: str, name: str, **arguments: Any) -> dict[str, Any]:
        """What a tool answers; its text and its structure say the same."""
        result = self.do(by, lambda client: client.call_tool(name, arguments))
        answer: dict[str, Any] = json.loads(result.content[0].text)
        assert answer == result.structured_content
        assert result.is_error == ("error" in answer)
        return answer


@pytest.fixture(scope="module")
def mcp(servers: Servers, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mcp]:
    """A server with a plan of Paula's that waits."""
    with _copy(
        servers,
        prepared,
        tmp_path_factory.mktemp("mcp"),
        mcp_hosts=("evenkeel.example",),
        mcp_calls_per_minute_max=1_000,
        mcp_solving_max=1,
    ) as service:
        door = door_to(service, prepared.tokens)
        door.admit(person("near", Role.PLANNER, sites=frozenset({"S1"})))
        with listening(service) as (_, url):
            yield Mcp(door, url)


@pytest.fixture(scope="module")
def secret(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mcp]:
    """A server whose network has a masked SKU and a site far away."""
    with (
        servers.fresh_database() as url,
        open_service(settings_on(servers, url, tmp_path_factory.mktemp("secret"))) as service,
    ):
        settle_in(service, a_network_with_secrets(), PAULA, ADA, OTTO, PAT)
        door = door_to(service, tokens_of(service, "paula", "ada", "otto", "pat"))
        with listening(service) as (_, address):
            yield Mcp(door, address)


def names(mcp: Mcp, by: str) -> list[str]:
    listed = mcp.do(by, lambda client: client.list_tools())
    return [tool.name for tool in listed.tools]


def test_the_tools_are_those_of_the_catalogue_that_read_ask_or_propose(mcp: Mcp) -> None:
    assert names(mcp, "paula") == [name for name in CATALOG if name != "submit_plan"]
    assert names(mcp, "vera") == [name for name in CATALOG if name not in ("submit_plan", "propose_plan")]
    assert names(mcp, "nora") == []


def test_every_tool_says_that_it_reads_and_takes_nothing_that_it_does_not_know(mcp: Mcp) -> None:
    listed = mcp.do("paula", lambda client: client.list_tools())
    for tool in listed.tools:
        assert tool.description == CATALOG[tool.name].description
        assert tool.input_schema["additionalProperties"] is False
        assert tool.annotations.destructive_hint is False
        assert tool.annotations.read_only_hint is (tool.name != "propose_plan")


def test_a_tool_answers_in_the_name_of_the_token(mcp: Mcp) -> None:
    found = mcp.call("paula", "find_imbalances")
    assert found["as_of"]
    assert {row["site"] for row in found["imbalances"]} >= {"S1", "S2"}
    near = mcp.call("near", "find_imbalances")
    assert {row["site"] for row in near["imbalances"]} == {"S1"}
    assert mcp.call("ada", "policy")["policy"]
    assert [row["requested_by"] for row in mcp.call("vera", "status")["waiting"]] == ["paula"]


@pytest.mark.parametrize("token", [None, "evk_" + "x" * 43, "nonsense"])
def test_without_a_valid_token_there_is_no_way_in(mcp: Mcp, token: str | None) -> None:
    statuses: list[int] = []

    async def enter() -> None:
        async with session(mcp.url, token, statuses):
            pass

    with pytest.raises(ExceptionGroup):
        asyncio.run(enter())
    assert set(statuses) == {401}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "policy", "arguments": {}}}
    headers = {"Accept": "application/json, text/event-stream"} | (
        {"Authorization": f"Bearer {token}"} if token else {}
    )
    answer = httpx2.post(f"{mcp.url}/mcp", json=body, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_cookie_of_the_page_opens_nothing(mcp: Mcp) -> None:
    cookies = cookie_of(mcp.door.service, "ada")
    for method in ("GET", "POST", "DELETE"):
        assert httpx2.request(method, f"{mcp.url}/mcp", cookies=cookies).status_code == 401


def test_there_is_no_tool_that_writes(mcp: Mcp) -> None:
    before, request = written(mcp.door.service), mcp.door.pending
    arguments = {"approval_id": str(request.approval_id), "plan": request.plan_digest}

    async def try_all(client: Client) -> list[Any]:
        return [await client.call_tool(name, arguments) for name in WRITING]

    for name, result in zip(WRITING, mcp.do("paula", try_all), strict=True):
        assert result.is_error, name
        assert "there is no such tool" in result.content[0].text
    assert written(mcp.door.service) == before
    assert not set(WRITING) & set(TOOLS)


def test_a_proposal_is_a_stored_plan_and_no_more(mcp: Mcp) -> None:
    service = mcp.door.service
    before, at_rest = written(service), (stock(service), posted(service), orders(service))
    answer = mcp.call("paula", "propose_plan", mentions=["P1"])
    assert (answer["submitted"], answer["violations"], answer["lines"]) == (False, [], 1)
    assert "not submitted" in answer["what_now"]
    with service.database.transaction() as opened:
        assert read_plan(opened, answer["plan"]).units == answer["units"]
        put_down_to = provenance_view(opened, answer["plan"])
    assert put_down_to is not None
    assert put_down_to.words.startswith("asked for through a client of its own over MCP; solved by")
    assert {name: count for name, count in written(service).items() if count != before[name]} == {
        "ledger_event": before["ledger_event"] + 1
    }
    with service.database.engine.connect() as connection:
        query = "select convert_from(body, 'UTF8')::jsonb from ledger_event where key = :key"
        event = connection.execute(text(query), {"key": f"plan/{answer['plan']}/proposed"}).scalar_one()
    assert (event["actor"], event["facts"]["door"]) == ("paula", "mcp")
    assert mcp.call("paula", "propose_plan", mentions=["P1"])["plan"] == answer["plan"]
    assert (stock(service), posted(service), orders(service)) == at_rest
    assert verify(service.database).verified


def test_who_may_not_plan_proposes_nothing(mcp: Mcp) -> None:
    before = written(mcp.door.service)
    assert "takes the role planner" in mcp.call("vera", "propose_plan")["error"]
    assert "may not read" in mcp.call("nora", "policy")["error"]
    assert written(mcp.door.service) == before


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("find_imbalances", {"limit": 10**9}),
        ("find_imbalances", {"limit": "5"}),
        ("find_imbalances", {"limit": True}),
        ("coverage", {}),
        ("coverage", {"mentions": ["x" * 10_000]}),
        ("coverage", {"mentions": ["P1"], "approved": True}),
        ("propose_plan", {"units_max": -5}),
        ("propose_plan", {"lines": [{"sku_id": "P1", "units": 5}]}),
        ("propose_plan", {"status": "approved", "approved_by": "ada"}),
        ("what_if", {"demand_percent": 10**400}),
        ("coverage", {"mentions": ["Р1"]}),
        ("explain_line", {"line_no": 0}),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_refused_in_words(mcp: Mcp, name: str, arguments: dict[str, Any]) -> None:
    before = written(mcp.door.service)
    answer = mcp.call("paula", name, **arguments)
    assert answer["error"]
    assert len(json.dumps(answer)) < 1_000
    assert written(mcp.door.service) == before


def test_a_token_that_is_withdrawn_opens_nothing_from_the_next_call_on(mcp: Mcp) -> None:
    mcp.door.admit(person("gone", Role.PLANNER))

    statuses: list[int] = []

    async def call_twice() -> None:
        async with session(mcp.url, mcp.door.tokens["gone"], statuses) as client:
            assert not (await client.call_tool("policy", {})).is_error
            assert set(statuses) == {200}
            with mcp.door.service.database.engine.begin() as connection:
                connection.execute(text("update person set active = false where user_id = 'gone'"))
            with pytest.raises(MCPError):
                await client.call_tool("policy", {})

    asyncio.run(call_twice())
    assert statuses[-1] == 401


def test_only_host_names_that_are_known_are_answered(mcp: Mcp) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accept = {"Accept": "application/json, text/event-stream"}
    headers = accept | {"Authorization": f"Bearer {mcp.door.tokens['vera']}"}

    def status(**more: str) -> int:
        return httpx2.post(f"{mcp.url}/mcp", json=body, headers=headers | more).status_code

    assert status() < 400
    assert status(Host="evenkeel.example") < 400
    assert status(Host="evenkeel.example:8443", Origin="https://evenkeel.example:8443") < 400
    assert status(Host="elsewhere.example") == 421
    assert status(Host="evenkeel.example.elsewhere.example") == 421
    assert status(Origin="https://elsewhere.example") == 403


def test_a_caller_with_too_many_calls_in_a_minute_is_told_when_to_call_again_and_the_others_are_answered(
    mcp: Mcp,
) -> None:
    mcp.door.admit(person("eager", Role.PLANNER))
    limits = limits_of(mcp.door.service)
    for _ in range(1_000):
        limits.count_call("eager")
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "policy", "arguments": {}}}
    headers = {
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {mcp.door.tokens['eager']}",
    }
    answer = httpx2.post(f"{mcp.url}/mcp", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_calls")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert "eager has made 1000 calls within a minute" in answer.json()["detail"]
    assert mcp.call("vera", "policy")["policy"]


@pytest.mark.parametrize("name", ["what_if", "explain_blocked", "propose_plan"])
def test_a_caller_solves_no_more_at_once_than_one_caller_may(mcp: Mcp, name: str) -> None:
    before = written(mcp.door.service)
    with limits_of(mcp.door.service).solving("paula"):
        refused = mcp.call("paula", name)
        assert "already has as many calls under way that solve as one caller may have" in refused["error"]
        assert "call again in 5 seconds" in refused["error"]
        assert written(mcp.door.service) == before
        assert mcp.call("paula", "policy")["policy"]
        assert "already has" not in str(mcp.call("near", name))
    assert "already has" not in str(mcp.call("paula", name))


def test_what_is_kept_from_a_person_is_kept_here(secret: Mcp) -> None:
    alias = alias_of(SECRET_SKU)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("find_imbalances", {"limit": 50}), ("coverage", {"mentions": [alias]}), ("coverage", {"mentions": ["S1", "S2"]}),
        ("what_if", {"demand_percent": 200}), ("status", {}), ("policy", {}), ("propose_plan", {}),
        ("coverage", {"mentions": [SECRET_SKU]}), ("coverage", {"mentions": ["FAR-9"]}),
        ("propose_plan", {"to_sites": ["FAR-9"]}), ("propose_plan", {"closed_lanes": ["S1->FAR-9"]}),
        ("explain_blocked", {"mentions": [alias, "S2"]}), ("explain_line", {}),
    ]  # fmt: skip
    said = {f"{name} {arguments}": secret.call("pat", name, **arguments) for name, arguments in calls}
    asked_for = {question: [secret_ for secret_ in SECRETS if secret_ in question] for question in said}
    for question, answer in said.items():
        assert set(told(json.dumps(answer))) <= set(asked_for[question]), (question, answer)
    assert alias in json.dumps(said)
    assert told(json.dumps(secret.call("paula", "find_imbalances", limit=50)))
    mine = said["propose_plan {}"]["plan"]
    theirs = secret.call("paula", "propose_plan", to_sites=["FAR-9"])
    assert theirs["lines"]
    if "plan" in CATALOG["explain_line"].arguments.model_fields:
        assert "words" in secret.call("pat", "explain_line", plan=mine)
        refused = secret.call("pat", "explain_line", plan=theirs["plan"])
        assert not told(json.dumps(refused))
        assert refused["error"]
    assert ELSEWHERE
