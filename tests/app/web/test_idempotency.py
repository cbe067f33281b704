"""The contract of repeated requests, row by row: one effect, one answer, whoever dies on the way and however many come at once."""

from __future__ import annotations

import io
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.auth.forgetting import forget_what_is_over
from app.auth.roles import Role
from app.service import Service
from app.web.idempotency import HEADER, REPLAYED
from tests.app.web.door import ROUTES, Door, problem_of
from tests.installation import a_network, person
from tools.network_folder import write_network

SAID = {"title": "about P1"}
SIGNED = frozenset(("/v1/erp/transfers", "/v1/signals/inbox"))
"""What an ERP or a source of signals delivers carries ids of its own under its signature instead."""


def post(door: Door, path: str, key: str, body: object = SAID, by: str = "paula", **request: Any) -> httpx2.Response:
    return door.post(path, by, body, headers={HEADER: key}, **request)


def threads(door: Door) -> int:
    with door.service.database.engine.connect() as connection:
        return int(connection.execute(text("select count(*) from thread")).scalar_one())


def new_key() -> str:
    return f"key-{uuid4()}"


CHANGING = [route for route in ROUTES if route.method != "GET" and route.path not in SIGNED]


@pytest.mark.parametrize("route", CHANGING, ids=lambda route: route.path)
def test_1_every_route_that_changes_something_asks_for_a_key(house: Door, route: Any) -> None:
    ids = {name: uuid4() for name in re.findall(r"\{(\w+)\}", route.path)}
    house.admit(person("omni", *Role))
    headers = {"Authorization": f"Bearer {house.tokens['omni']}"}
    content: dict[str, Any] = {"json": route.body}
    if route.path == "/v1/imports":
        content = {"files": [("files", ("sites.csv", io.BytesIO(b"x"), "text/csv"))]}
    house.client.cookies.clear()
    answer = house.client.request(route.method, route.path.format(**ids), headers=headers, **content)
    assert HEADER in problem_of(answer, 400, "idempotency_key_missing")["detail"]


def test_1_the_description_of_the_api_says_so(house: Door) -> None:
    for path, operations in house.get("/v1/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            named = [each for each in operation.get("parameters", ()) if each["name"] == HEADER]
            assert len(named) == (method != "get" and path not in SIGNED), path
            assert all(each["required"] for each in named)


@pytest.mark.parametrize(
    "key", ["", "x" * 15, "x" * 256, "a key with spaces in it", "schlüssel-schlüssel", "tab\tin-the-middle-of"]
)
def test_2_a_key_has_16_to_255_visible_ascii_characters(house: Door, key: str) -> None:
    headers = {b"authorization": f"Bearer {house.tokens['paula']}".encode(), HEADER.lower().encode(): key.encode()}
    before = threads(house)
    answer = house.client.post("/v1/threads", json=SAID, headers=headers)
    problem_of(answer, 400, "idempotency_key")
    assert threads(house) == before


@pytest.mark.parametrize("key", ["x" * 16, "x" * 255, "!~-_.:/{}[]()\"'<>"])
def test_2_and_any_such_is_one(house: Door, key: str) -> None:
    assert post(house, "/v1/threads", key).status_code == 201


def test_2_two_keys_are_none(house: Door) -> None:
    house.client.cookies.clear()
    headers = [("Authorization", f"Bearer {house.tokens['paula']}"), (HEADER, new_key()), (HEADER, new_key())]
    before = threads(house)
    problem_of(house.client.post("/v1/threads", json=SAID, headers=headers), 400, "idempotency_key")
    assert threads(house) == before


def test_3_the_answer_is_kept_with_its_effect_or_neither_is(house: Door) -> None:
    before, key = threads(house), new_key()
    with house.service.database.engine.begin() as connection:
        connection.execute(text("alter table kept_answer add constraint fails check (status <> 201) not valid"))
    try:
        assert post(house, "/v1/threads", key).status_code == 500
        assert threads(house) == before
    finally:
        with house.service.database.engine.begin() as connection:
            connection.execute(text("alter table kept_answer drop constraint fails"))
    assert post(house, "/v1/threads", key).status_code == 201
    assert threads(house) == before + 1


def test_4_a_repeat_is_answered_as_the_first_was_and_does_nothing(house: Door) -> None:
    before, key = threads(house), new_key()
    first = post(house, "/v1/threads", key)
    again = [post(house, "/v1/threads", key) for _ in range(3)]
    assert REPLAYED.lower() not in first.headers
    for answer in again:
        assert (answer.status_code, answer.content) == (first.status_code, first.content)
        assert answer.headers["content-type"] == first.headers["content-type"]
        assert answer.headers[REPLAYED] == "true"
        assert answer.headers["cache-control"] == "no-store"
    assert threads(house) == before + 1


def test_4_an_upload_is_the_same_however_its_parts_are_put_together(door: Door) -> None:
    def send(key: str, files: dict[str, bytes]) -> httpx2.Response:
        parts = [("files", (name, io.BytesIO(content), "text/csv")) for name, content in files.items()]
        return door.ask("POST", "/v1/imports", "otto", files=parts, headers={HEADER: key})

    files, key = write_network(a_network()), new_key()
    first = send(key, files)
    assert first.status_code == 200, first.text
    again = send(key, dict(reversed(files.items())))
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")
    name = min(files)
    problem_of(send(key, files | {name: files[name] + b"\n"}), 422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/threads", {"title": "about P2"}), ("/v1/threads", {}), ("/v1/threads?more=1", SAID), ("/v1/scans", {})],
)
def test_5_a_key_belongs_to_one_request(house: Door, path: str, body: object) -> None:
    key = new_key()
    assert post(house, "/v1/threads", key).status_code == 201
    before = threads(house)
    problem_of(post(house, path, key, body), 422, "idempotency_key_reused")
    assert threads(house) == before


def test_6_a_key_belongs_to_its_caller_and_others_do_not_learn_of_it(house: Door) -> None:
    house.admit(person("pete", Role.PLANNER))
    key = new_key()
    first, theirs = post(house, "/v1/threads", key), post(house, "/v1/threads", key, {"title": "mine"}, by="pete")
    assert (theirs.status_code, REPLAYED.lower() in theirs.headers) == (201, False)
    assert theirs.json()["thread_id"] != first.json()["thread_id"]


def test_6_whoever_may_see_less_since_is_not_shown_the_old_answer(house: Door) -> None:
    house.admit(person("perl", Role.PLANNER))
    key, before = new_key(), threads(house)
    assert post(house, "/v1/threads", key, by="perl").status_code == 201
    house.admit(person("perl", Role.PLANNER, sites=frozenset({"S1"})))
    problem_of(post(house, "/v1/threads", key, by="perl"), 409, "answered_before")
    assert threads(house) == before + 1


def held(service: Service, user_id: str, key: str) -> Any:
    """The key as a worker holds it that is in the middle of its work, on a connection of its own."""
    connection = service.database.engine.connect()
    connection.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"idempotency/{user_id}/{key}"}
    )
    return connection


def test_7_while_the_first_is_under_way_a_repeat_is_told_to_wait(house: Door) -> None:
    key, before = new_key(), threads(house)
    worker = held(house.service, "paula", key)
    try:
        answer = post(house, "/v1/threads", key)
        problem_of(answer, 409, "in_flight")
        assert answer.headers["retry-after"] == "1"
        assert threads(house) == before
    finally:
        worker.close()
    assert post(house, "/v1/threads", key).status_code == 201


def test_8_when_the_worker_has_died_the_next_try_does_it_once(house: Door) -> None:
    key, before = new_key(), threads(house)
    worker = held(house.service, "paula", key)
    process = worker.execute(text("select pg_backend_pid()")).scalar_one()
    with house.service.database.engine.connect() as other:
        other.execute(text("select pg_terminate_backend(:process)"), {"process": process})
    with pytest.raises(OperationalError):
        worker.execute(text("select 1"))
    worker.invalidate()
    worker.close()
    assert post(house, "/v1/threads", key).status_code == 201
    assert post(house, "/v1/threads", key).headers[REPLAYED] == "true"
    assert threads(house) == before + 1


@pytest.mark.parametrize(
    ("path", "wrong", "status", "by"),
    [
        ("/v1/threads", {"title": 7}, 422, "paula"),
        ("/v1/threads", SAID, 403, "vera"),
        ("/v1/threads/00000000-0000-4000-8000-000000000000/runs", {"text": "status"}, 404, "paula"),
    ],
)
def test_9_mistakes_and_refusals_of_the_rules_leave_the_key_free(
    house: Door, path: str, wrong: object, status: int, by: str
) -> None:
    key = new_key()
    assert post(house, path, key, wrong, by=by).status_code == status
    again = post(house, path, key, wrong, by=by)
    assert (again.status_code, REPLAYED.lower() in again.headers) == (status, False)
    if by == "paula":
        assert post(house, "/v1/threads", key, by=by).status_code == 201


def test_10_what_was_refused_because_of_how_things_stand_stays_refused_under_its_key(door: Door) -> None:
    request, key = door.pending, new_key()
    path, body = (
        f"/v1/approvals/{request.approval_id}/decision",
        {"verdict": "approve", "plan_digest": request.plan_digest},
    )
    assert door.post("/v1/kill-switch", "otto", {"engaged": True, "reason": "a recall"}).status_code == 200
    first = post(door, path, key, body, by="ada")
    problem_of(first, 409, "kill_switch")
    assert door.post("/v1/kill-switch", "otto", {"engaged": False, "reason": "it is over"}).status_code == 200
    again = post(door, path, key, body, by="ada")
    assert (again.status_code, again.content, again.headers[REPLAYED]) == (409, first.content, "true")
    assert again.headers["content-type"] == "application/problem+json"
    done = post(door, path, new_key(), body, by="ada")
    assert done.status_code == 200, done.text


def test_10_a_refusal_takes_back_what_was_begun(house: Door) -> None:
    with house.service.database.transaction() as session:
        before = session.connection().execute(text("select count(*) from ledger_event")).scalar_one()
    request = house.pending
    path = f"/v1/approvals/{request.approval_id}/decision"
    problem_of(
        post(house, path, new_key(), {"verdict": "approve", "plan_digest": "0" * 64}, by="ada"), 409, "other_plan"
    )
    with house.service.database.transaction() as session:
        assert session.connection().execute(text("select count(*) from ledger_event")).scalar_one() == before


def test_11_a_failure_is_not_kept_and_the_next_try_does_it(house: Door) -> None:
    key, before = new_key(), threads(house)
    with house.service.database.engine.begin() as connection:
        connection.execute(text("alter table thread rename to thread_away"))
    try:
        assert post(house, "/v1/threads", key).status_code == 500
    finally:
        with house.service.database.engine.begin() as connection:
            connection.execute(text("alter table thread_away rename to thread"))
    answer = post(house, "/v1/threads", key)
    assert (answer.status_code, REPLAYED.lower() in answer.headers) == (201, False)
    assert threads(house) == before + 1


def test_12_after_30_days_the_answer_is_forgotten_and_what_was_done_is_not_done_again(door: Door) -> None:
    request, key = door.pending, new_key()
    path, body = (
        f"/v1/approvals/{request.approval_id}/decision",
        {"verdict": "approve", "plan_digest": request.plan_digest},
    )
    assert post(door, path, key, body, by="ada").status_code == 200
    with door.service.database.transaction() as session:
        session.connection().execute(text("update kept_answer set answered_at = now() - interval '29 days'"))
        forget_what_is_over(session)
    assert post(door, path, key, body, by="ada").headers[REPLAYED] == "true"
    with door.service.database.transaction() as session:
        session.connection().execute(text("update kept_answer set answered_at = now() - interval '31 days'"))
        forget_what_is_over(session)
    problem_of(post(door, path, key, body, by="ada"), 409, "already_decided")
    with door.service.database.engine.connect() as connection:
        assert connection.execute(text("select count(*) from decision")).scalar_one() == 1


def test_a_hundred_at_once_with_one_key_have_one_effect(house: Door) -> None:
    key, before = new_key(), threads(house)
    headers = {"Authorization": f"Bearer {house.tokens['paula']}", HEADER: key}
    house.client.cookies.clear()

    def send(_: int) -> httpx2.Response:
        return house.client.post("/v1/threads", json=SAID, headers=headers)

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(send, range(100)))
    assert threads(house) == before + 1
    said = Counter((each.status_code, each.headers.get(REPLAYED, "")) for each in answers)
    assert said[201, ""] == 1
    assert said[201, ""] + said[201, "true"] + said[409, ""] == 100
    assert len({each.content for each in answers if each.status_code == 201}) == 1
    assert {each.json()["code"] for each in answers if each.status_code == 409} <= {"in_flight"}


def test_a_secret_that_is_shown_once_is_not_kept_with_the_answer(door: Door) -> None:
    order, key = {"name": "planning", "url": "https://93.184.216.34/hook"}, new_key()
    first = post(door, "/v1/subscriptions", key, order, by="otto")
    assert first.status_code == 201, first.text
    secret = first.json()["secret"]
    problem_of(post(door, "/v1/subscriptions", key, order, by="otto"), 409, "answered_before")
    assert len(door.get("/v1/subscriptions", "otto").json()) == 1
    with door.service.database.engine.connect() as connection:
        kept = connection.execute(
            text("select string_agg(convert_from(body, 'UTF8'), '') from kept_answer")
        ).scalar_one()
    assert secret not in kept
