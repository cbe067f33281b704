"""Errors on the wire: who is let in, and that every refusal is a problem document that gives nothing of our insides away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.auth.people import SYSTEM, add_person, revoke_tokens
from app.auth.tables import Person
from app.plans.tables import PlanRow
from app.web.limits import BODY_BYTES_MAX
from tests.app.ui.pages import cookie_of
from tests.app.web.conftest import Prepared
from tests.app.web.door import BY_ROLE, ROUTES, Door, Route, problem_of, tokens_of, written
from tests.installation import person

PUBLIC = {"/healthz", "/readyz"}
SIGNED = "/v1/signals/inbox"
"""What comes here carries its sender's signature in place of a token."""


def path_of(door: Door, route: Route) -> str:
    """The route's path, about the plan that waits."""
    request = door.pending
    return route.path.format(
        thread_id=request.thread_id, run_id=request.approval_id, digest=request.plan_digest,
        approval_id=request.approval_id, transfer_id=request.approval_id, delegation_id=request.approval_id,
        difference_id=request.approval_id, stop_id=request.approval_id, subscription_id=request.approval_id, position=1, name="ledger-event.v1",
    )  # fmt: skip


def ask(door: Door, route: Route, by: str | None = None, **request: Any) -> Any:
    """The route's request, with the body that it takes."""
    body = {} if route.body is None else {"json": route.body}
    return door.ask(route.method, path_of(door, route), by, **body | request)


def test_every_route_that_the_api_describes_is_in_the_table_of_routes_and_none_else(house: Door) -> None:
    described = {
        (method.upper(), path)
        for path, operations in house.get("/v1/openapi.json").json()["paths"].items()
        for method in operations
    }
    others = {("GET", path) for path in PUBLIC} | {("POST", SIGNED)}
    assert described == {(route.method, route.path) for route in ROUTES} | others


@pytest.fixture(scope="module")
def bad_tokens(house: Door) -> dict[str, str]:
    """Tokens that were good once, or never: each the token of somebody who had every role."""
    with house.service.database.transaction() as session:
        for user_id in ("expired", "revoked", "inactive"):
            add_person(session, person(user_id, *BY_ROLE.keys()), by=SYSTEM)  # type: ignore[arg-type]
    tokens = tokens_of(house.service, "expired", "revoked", "inactive")
    with house.service.database.transaction() as session:
        assert revoke_tokens(session, "revoked") == 1
        session.connection().execute(
            text("update access_token set expires_at = now() - :by where user_id = 'expired'"),
            {"by": timedelta(seconds=1)},
        )
        gone = session.get(Person, "inactive")
        assert gone is not None
        gone.active = False
    good = house.tokens["otto"]
    return tokens | {
        "unknown": "evk_" + "A" * 43, "shortened": good[:-1], "malformed": "Robert'); drop table person;--",
        "of another case": good.swapcase(), "none": "",
    }  # fmt: skip


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_without_a_valid_token_every_route_is_closed_and_does_not_say_why(
    house: Door, bad_tokens: dict[str, str], route: Route
) -> None:
    before = written(house.service)
    problem_of(ask(house, route), 401, "no_token")
    answers = [ask(house, route, headers={"Authorization": f"Bearer {token}"}) for token in bad_tokens.values()]
    for answer in answers:
        assert answer.headers["www-authenticate"] == "Bearer"
        problem_of(answer, 401, "token" if answer.json()["code"] == "token" else "no_token")
    assert len({answer.text for answer in answers if answer.json()["code"] == "token"}) == 1
    problem_of(ask(house, route, headers={"Authorization": f"Basic {house.tokens['otto']}"}), 401, "no_token")
    problem_of(ask(house, route, params={"token": house.tokens["otto"]}), 401, "no_token")
    assert written(house.service) == before


FORBIDDEN = [(route, role) for route in ROUTES for role in (*BY_ROLE, "nobody") if role not in route.roles.split()]
ABOUT_SOMETHING = {"threads", "runs", "lineage", "checkpoint", "proof"}
"""Parts of paths about what a plan that waits has not."""
READING = [route for route in ROUTES if route.method == "GET" and not ABOUT_SOMETHING & set(route.path.split("/"))]


@pytest.mark.parametrize(("route", "role"), FORBIDDEN, ids=lambda part: getattr(part, "path", part))
def test_who_has_not_the_role_is_refused_and_nothing_changes(house: Door, route: Route, role: str) -> None:
    before = written(house.service)
    document = problem_of(ask(house, route, BY_ROLE.get(role, "nora")), 403, "role")
    assert document["where"]["act"]
    assert written(house.service) == before


@pytest.mark.parametrize("role", BY_ROLE)
@pytest.mark.parametrize("route", READING, ids=lambda route: route.path)
def test_who_has_the_role_may_read(house: Door, route: Route, role: str) -> None:
    if role in route.roles.split():
        assert ask(house, route, BY_ROLE[role]).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_cookie_of_a_browser_alone_is_good_for_reading_only(house: Door, method: str) -> None:
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookie_of(house.service, "otto").items())}
    assert house.get("/v1/imbalances", headers=cookie).status_code == 200
    answer = house.ask(method, "/v1/kill-switch", headers=cookie, json={"engaged": True, "reason": "a foreign form"})
    assert answer.status_code in (403, 405)
    assert not house.get("/v1/governance", "vera").json()["kill_switch"]


def test_a_foreign_page_is_not_admitted_by_cross_origin_headers(house: Door) -> None:
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    assert house.ask("OPTIONS", "/v1/kill-switch", headers=headers).status_code == 405
    answer = house.get("/v1/network", "vera", headers={"Origin": "null"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1", "/v1//network", "/v1/%2e%2e/healthz", "/static/../main.py", "/docs"]
)
def test_an_unknown_path_is_not_found(house: Door, path: str) -> None:
    problem_of(house.get(path, "paula"), 404, "not_found")


@pytest.mark.parametrize("override", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_another_method_is_refused_and_cannot_be_put_into_a_header(house: Door, override: str) -> None:
    problem_of(house.ask("DELETE", "/v1/network", "otto"), 405, "method_not_allowed")
    problem_of(house.get("/v1/kill-switch", "otto", headers={override: "POST"}), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 422, "invalid_request"),
        (b"[]", 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b'{"request": {"within_days": NaN}}', 422, "invalid_request"),
        (b'{"request": {"within_days": "5"}}', 422, "invalid_request"),
        (b'{"request": {"within_days": 1.5}}', 422, "invalid_request"),
        (b'{"request": {"within_days": true}}', 422, "invalid_request"),
        (b'{"request": {"scope": {"categories": ["a\\u0000b"]}}}', 422, "invalid_request"),
        (b'{"request": {"scope": {"skus": ["\\ud800"]}}}', 422, "invalid_request"),
        (b'{"request": {"within_days": ' + b"9" * 5_000 + b"}}", 400, "unreadable_body"),
        (b"[" * 200_000, 400, "unreadable_body"),
        (b"\xff\xfe", 422, "invalid_request"),
    ],
    ids=lambda part: part[:50].decode("latin-1") if isinstance(part, bytes) else None,
)  # fmt: skip
def test_a_body_that_makes_no_sense_is_refused(house: Door, content: bytes, status: int, code: str) -> None:
    before = written(house.service)
    answer = house.ask("POST", "/v1/scans", "paula", content=content, headers={"Content-Type": "application/json"})
    problem_of(answer, status, code)
    assert len(answer.text) < 1_000
    assert written(house.service) == before


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_json_is_taken_only_under_its_own_media_type(house: Door, content_type: str) -> None:
    """So a foreign page cannot send it without asking the browser's leave first."""
    body = json.dumps({"engaged": True, "reason": "a foreign form"}).encode()
    headers = {"Content-Type": content_type} if content_type else {}
    problem_of(house.ask("POST", "/v1/kill-switch", "otto", content=body, headers=headers), 422, "invalid_request")


@pytest.mark.parametrize("by", ["paula", None])
def test_a_body_beyond_the_limit_is_refused(house: Door, by: str | None) -> None:
    content = b" " * (BODY_BYTES_MAX + 1)
    answer = house.ask("POST", "/v1/scans", by, content=content, headers={"Content-Type": "application/json"})
    assert f"{BODY_BYTES_MAX:,}" in problem_of(answer, 413, "too_large")["detail"]


def test_a_body_beyond_the_limit_is_refused_whatever_its_headers_promise(house: Door) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(BODY_BYTES_MAX // (1 << 20) + 1):
            yield b" " * (1 << 20)

    headers = {"Content-Type": "application/json"}
    problem_of(house.ask("POST", "/v1/scans", "paula", content=pieces(), headers=headers), 413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/threads", {"title": "\x00"}),
        ("POST", "/v1/threads/{thread_id}/runs", {"text": "a\x00b"}),
        ("GET", "/v1/plans/%00", None),
        ("GET", "/v1/approvals/%00", None),
        ("GET", "/v1/ledger/events?stream=%00", None),
        ("POST", "/v1/kill-switch", {"engaged": True, "reason": "\x00"}),
        ("POST", "/v1/policies/activations", {"policy": "\x00", "reason": "why not"}),
        ("POST", "/v1/approvals/{approval_id}/decision", {"verdict": "reject", "plan_digest": "{digest}", "rejection": {"code": "other", "words": "\x00"}}),
        ("POST", "/v1/signals", [{"id": "\x00", "source": "x", "type": "evenkeel.stock.v1", "time": "2026-03-02T06:00:00Z", "data": {}}]),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)  # fmt: skip
def test_text_that_no_database_keeps_is_refused_as_the_callers_fault(
    house: Door, method: str, path: str, body: object
) -> None:
    request = house.pending
    names = {"thread_id": request.thread_id, "approval_id": request.approval_id}
    given = json.loads(json.dumps(body).replace("{digest}", request.plan_digest))
    by = {"/v1/threads": "paula", "/v1/threads/{thread_id}/runs": "paula"}.get(path, "otto")
    by = "ada" if "decision" in path else by
    problem_of(house.ask(method, path.format(**names), by, json=given), 422, "invalid_request")


def test_an_error_of_ours_gives_a_trace_id_and_nothing_else(door: Door) -> None:
    digest = door.pending.plan_digest
    with door.service.database.transaction() as session:
        row = session.get(PlanRow, digest)
        assert row is not None
        row.body = row.body.replace(b'"units":', b'"un1ts":', 1)
    with capture_logs() as logged:
        answer = door.get(f"/v1/plans/{digest}", "paula")
    document = problem_of(answer, 500, "internal")
    assert set(document) == {"type", "title", "status", "code", "detail", "remedy", "where", "trace_id"}
    assert document["where"] == {}
    for inside in ("Traceback", "pydantic", "un1ts", digest, "plan", "select", ".py"):
        assert inside not in answer.text
    assert re.fullmatch(r"[0-9a-f]{32}", document["trace_id"])
    assert [entry["trace_id"] for entry in logged if entry["event"] == "request_failed"] == [document["trace_id"]]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def _schemas(part: Any) -> Iterator[str]:
    """Every reference of a document."""
    if isinstance(part, dict):
        yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
        for value in part.values():
            yield from _schemas(value)
    elif isinstance(part, list):
        for value in part:
            yield from _schemas(value)


def test_the_description_of_the_api_is_whole_and_types_every_answer(house: Door) -> None:
    document = house.get("/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for reference in set(_schemas(document)):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
    operations = [
        (path, method, operation) for path, each in document["paths"].items() for method, operation in each.items()
    ]
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations:
        assert operation["summary"] or operation["description"]
        named = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path)), path
        assert ("requestBody" in operation) == (
            method == "post" and not path.endswith(("withdrawal", "unclaim", "cancellation", "/end"))
        ), path
        for status, response in operation["responses"].items():
            ((media_type, content),) = response["content"].items()
            assert content["schema"], (path, status)
            if 400 <= int(status) < 500:
                assert media_type == "application/problem+json"
            elif path.endswith("/events") and "runs" in path:
                assert media_type == "text/event-stream"
            else:
                assert media_type == "application/json"


def test_the_description_says_what_a_strict_body_takes(house: Door) -> None:
    schemas = house.get("/v1/openapi.json").json()["components"]["schemas"]
    assert schemas["ScanOrder"]["properties"]["request"]["$ref"] == "#/components/schemas/PlanRequest"
    assert set(schemas["Rejection"]["required"]) == {"code", "words"}
    for name in ("ScanOrder", "DecisionOrder", "ReceiptOrder", "SwitchOrder", "Activation", "Message", "NewThread"):
        assert schemas[name]["additionalProperties"] is False


def test_the_prepared_people_have_one_role_each(prepared: Prepared, house: Door) -> None:
    with house.service.database.transaction() as session:
        roles = {role: session.get_one(Person, user_id).roles for role, user_id in BY_ROLE.items()}
    assert roles == {role: [role] for role in BY_ROLE}
