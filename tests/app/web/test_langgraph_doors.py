"""The doors of the LangGraph dialect: who is let in, and that nothing comes out of them that is kept from the caller."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute
from sqlmodel import select

from app.auth.roles import Role
from app.service import open_service
from app.threads.tables import Run
from app.web.routes.langgraph import assistants, refused, runs, threads
from app.web.routes.langgraph.modes import EVENT_NAMES
from evals.databases import Servers
from tests.app.web.door import BY_ROLE, REFUSED_ROUTES, SDK_ROUTES, Door, Route, door_to, tokens_of, written
from tests.app.web.sdk import ASSISTANT, said
from tests.app.web.test_scope_and_masking import OTIS, PAT, SECRETS, a_network_with_secrets, scanned, told
from tests.installation import ADA, PAULA, person, reject, settings_on, settle_in
from tools.rejections import Rejection, RejectionCode

FORBIDDEN = [(route, role) for route in SDK_ROUTES for role in (*BY_ROLE, "nobody") if role not in route.roles.split()]
TELLING = f"{SECRETS[0]} is wanted at {SECRETS[2]}"


def ask(door: Door, route: Route, by: str | None = None, **request: Any) -> httpx2.Response:
    """The route's request, about the thread of the plan that waits."""
    waits = door.pending
    path = route.path.format(
        thread_id=waits.thread_id, run_id=waits.approval_id, assistant_id=ASSISTANT, checkpoint_id="1", namespace="1",
        cron_id="1",
    )  # fmt: skip
    return door.ask(route.method, path, by, **({} if route.body is None else {"json": route.body}) | request)


def test_every_route_of_the_dialect_is_in_the_table_and_none_else() -> None:
    served = {
        (method, route.path)
        for part in (assistants, threads, runs, refused)
        for route in part.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    table = {(route.method, route.path) for route in (*SDK_ROUTES, *REFUSED_ROUTES)}
    assert served == table | {("GET", "/ok"), ("GET", "/info")}


@pytest.mark.parametrize("route", SDK_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_without_a_token_every_route_is_closed(house: Door, route: Route) -> None:
    before = written(house.service)
    for headers in ({}, {"x-api-key": "x"}, {"Cookie": f"evenkeel_token={house.tokens['paula']}"}):
        answer = ask(house, route, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert set(answer.json()) == {"detail", "code"}
    assert written(house.service) == before


def test_a_call_with_nothing_behind_it_is_closed_as_all_others_are(house: Door) -> None:
    before = written(house.service) | {"ledger_event": 0}
    for route in REFUSED_ROUTES:
        assert (ask(house, route).status_code, ask(house, route, "nora").json()["code"]) == (401, "role")
    answer = ask(house, REFUSED_ROUTES[0], "vera")
    assert (answer.status_code, answer.json()["code"]) == (422, "not_offered")
    assert written(house.service) | {"ledger_event": 0} == before


@pytest.mark.parametrize(("route", "role"), FORBIDDEN, ids=lambda part: getattr(part, "path", part))
def test_who_has_not_the_role_is_refused_and_nothing_changes(house: Door, route: Route, role: str) -> None:
    before = written(house.service) | {"ledger_event": 0}  # that it was tried is recorded
    answer = ask(house, route, BY_ROLE.get(role, "nora"))
    assert (answer.status_code, answer.json()["code"]) == (403, "role")
    assert written(house.service) | {"ledger_event": 0} == before


def test_a_refusal_is_recorded_in_the_name_of_whoever_sent_their_token_as_a_key(house: Door) -> None:
    headers = {"x-api-key": house.tokens["paula"]}
    path = f"/threads/{house.pending.thread_id}/runs"
    body = {"assistant_id": ASSISTANT, "command": {"goto": "executor"}}
    before = written(house.service)["ledger_event"]
    assert house.ask("POST", path, json=body, headers=headers).status_code == 422
    assert written(house.service)["ledger_event"] == before + 1
    (event,) = house.get("/v1/ledger/events?stream=client/paula&limit=1", "otto").json()
    assert (event["body"]["actor"], event["body"]["facts"]["code"]) == ("paula", "steering")


@pytest.fixture(scope="module")
def scene(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Conversations of somebody from whom much is kept, after an approver has rejected their plan with telling words."""
    with (
        servers.fresh_database() as url,
        open_service(settings_on(servers, url, tmp_path_factory.mktemp("secrets"))) as service,
    ):
        people = (PAULA, ADA, PAT, OTIS, person("nell", Role.APPROVER, sites=frozenset({"S1"}), sees_sensitive=False))
        settle_in(service, a_network_with_secrets(), *people)
        door = door_to(service, tokens_of(service, *(each.user_id for each in people)))
        words = Rejection(code=RejectionCode.SITE_FROZEN, words=TELLING, skus=(SECRETS[0],), sites=(SECRETS[2],))
        for by in ("pat", "paula"):
            waits = scanned(door, by)
            reject(service, waits, words)
            service.resume_thread(waits.approval_id)
        thread_id = door.post("/threads", "pat").json()["thread_id"]
        for question in ("what is short", "rebalance everything", "why", "submit"):
            order = {"assistant_id": ASSISTANT, "input": said(question)}
            answer = door.post(f"/threads/{thread_id}/runs", "pat", order)
            if answer.status_code == 200:
                door.finish(answer.json()["run_id"], "pat")
        yield door


def shown_by_the_dialect(door: Door, by: str) -> dict[str, str]:
    """Whatever the dialect shows somebody of every thread and run there is."""
    shown = {"search": door.post("/threads/search", by, {"limit": 100}).text}
    with door.service.database.transaction() as session:
        runs = [(str(run.thread_id), str(run.run_id)) for run in session.exec(select(Run)).all()]
    for thread_id in {thread_id for thread_id, _ in runs}:
        for part in ("", "/state", "/runs"):
            shown[f"{thread_id}{part}"] = door.get(f"/threads/{thread_id}{part}", by).text
        shown[f"{thread_id}/history"] = door.post(f"/threads/{thread_id}/history", by, {"limit": 100}).text
    for thread_id, run_id in runs:
        for part in ("", "/join", "/stream?" + "&".join(f"stream_mode={mode}" for mode in EVENT_NAMES)):
            shown[f"{run_id}{part}"] = door.get(f"/threads/{thread_id}/runs/{run_id}{part}", by).text
    return shown


def test_there_is_something_to_be_kept_and_who_may_see_it_does(scene: Door) -> None:
    shown = shown_by_the_dialect(scene, "paula")
    assert set(told("".join(shown.values()))) >= {SECRETS[0], SECRETS[2]}


@pytest.mark.parametrize("by", ["pat", "otis", "nell"])
def test_nothing_of_a_thread_a_state_or_a_run_names_what_is_kept_from_the_caller(scene: Door, by: str) -> None:
    shown = shown_by_the_dialect(scene, by)
    assert {path: told(text) for path, text in shown.items() if told(text)} == {}
    assert [path for path, text in shown.items() if "messages" in text and by == "pat"] or by != "pat"
    assert [text for text in shown.values() if "action_requests" in text]


def test_a_guest_is_shown_no_word_of_the_conversation(scene: Door) -> None:
    waits = [thread["thread_id"] for thread in scene.post("/threads/search", "pat", {"status": "interrupted"}).json()]
    assert waits
    for thread_id in waits:
        state = scene.get(f"/threads/{thread_id}/state", "ada").json()
        assert set(state["values"]) == {"plan_digest", "approval_id", "outcome"}
        assert "messages" not in json.dumps(scene.post(f"/threads/{thread_id}/history", "ada").json())
