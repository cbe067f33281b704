"""Health: the process answers, each part says how it is, and only a missing database makes the service unready."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.db.database import Database
from app.events.relay import LAST_ROUND, LAST_ROUND_SECONDS_MAX, seconds_since_round
from app.service import running
from tests.app.web.door import Door, door_to
from tests.installation import until

DEAD_REDIS = SecretStr("redis://127.0.0.1:1/0")


def test_the_process_answers_to_anybody(house: Door) -> None:
    answer = house.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_each_part_says_how_it_is(door: Door) -> None:
    door.service.redis.delete(LAST_ROUND)
    with running(door.service):
        until("the relay", lambda: seconds_since_round(door.service.redis) is not None)
        answer = door.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "parts": {
            "database": "ok",
            "authorisation": "ok",
            "runner": "ok",
            "other_versions": "ok",
            "redis": "ok",
            "relay": "ok",
            "llm": "baseline",
        },
    }


def test_a_service_whose_work_nobody_carries_out_is_ready_and_says_so(house: Door) -> None:
    answer = house.get("/readyz").json()
    assert (answer["ready"], answer["parts"]["runner"]) == (True, "nobody carries out durable work")


def test_a_relay_that_goes_round_no_more_is_reported(door: Door) -> None:
    redis = door.service.redis
    redis.delete(LAST_ROUND)
    assert door.get("/readyz").json()["parts"]["relay"] == "nobody brings events out and signals in"
    redis.set(LAST_ROUND, b"", ex=LAST_ROUND_SECONDS_MAX - 3_600)
    answer = door.get("/readyz").json()
    assert (answer["ready"], answer["parts"]["relay"][:18]) == (True, "last went round 3,")
    assert answer["parts"]["relay"].endswith("seconds ago; events and signals wait")


def test_the_runner_of_another_installation_on_the_same_server_does_not_count(house: Door, door: Door) -> None:
    with running(door.service):
        assert door.get("/readyz").json()["parts"]["runner"] == "ok"
        assert house.get("/readyz").json()["parts"]["runner"] == "nobody carries out durable work"


def test_work_of_another_version_is_reported(door: Door) -> None:
    run_id = door.post("/v1/scans", "paula").json()["run_id"]
    with door.service.database.engine.begin() as connection:
        statement = "update dbos.workflow_status set application_version = '0' where workflow_uuid = :id"
        assert connection.execute(text(statement), {"id": f"run:{run_id}"}).rowcount == 1
    parts = door.get("/readyz").json()["parts"]
    assert parts["other_versions"] == "1 workflows of another version wait for ever"


def test_without_redis_the_service_is_ready(door_with: Callable[..., Door]) -> None:
    answer = door_with(redis_url=DEAD_REDIS).get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert answer.json()["parts"]["redis"].startswith("does not answer")
    assert answer.json()["parts"]["relay"] == "not known while Redis does not answer"
    assert "127.0.0.1" not in answer.text


def test_without_its_database_the_service_is_alive_and_not_ready(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Database("postgresql+psycopg://nobody:secret@127.0.0.1:1/none")
    monkeypatch.setitem(door.service.__dict__, "database", gone)
    lost = door_to(door.service, door.tokens)
    answer = lost.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert answer.json()["parts"]["database"] == "does not answer"
    for inside in ("secret", "nobody:", "127.0.0.1", "psycopg"):
        assert inside not in answer.text
    assert lost.get("/healthz").status_code == 200


def test_a_configured_vendor_is_named_and_its_key_is_not(door_with: Callable[..., Door]) -> None:
    key = "sk-0123456789-never-to-be-seen"
    answer = door_with(openai_api_key=SecretStr(key), openai_model="some-model").get("/readyz")
    assert answer.json()["parts"]["llm"] == "some-model"
    assert key not in answer.text
