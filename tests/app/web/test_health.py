"""Health: the process answers, each part says how it is, and only a missing database makes the service unready."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.db.database import Database
from app.events.relay import LAST_ROUND, LAST_ROUND_SECONDS_MAX, seconds_since_round
from app.governance.state import activate_policy
from app.ledger import anchoring
from app.ledger.checkpoints import make_checkpoint
from app.ledger.keys import signer
from app.ledger.tree import place
from app.service import running
from tests.app.web.door import Door, door_to
from tests.installation import until

DEAD_REDIS = SecretStr("redis://127.0.0.1:1/0")


def test_the_process_answers_to_anybody(house: Door) -> None:
    answer = house.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_each_part_says_how_it_is(door: Door) -> None:
    door.service.redis.delete(LAST_ROUND)
    door.service.tick()
    with running(door.service):
        until("the relay", lambda: seconds_since_round(door.service.redis) is not None)
        answer = door.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "parts": {
            "database": "ok",
            "anchor": "ok",
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


def test_an_anchor_that_cannot_be_written_is_reported_and_the_service_is_ready(
    door_with: Callable[..., Door], tmp_path: Path
) -> None:
    in_the_way = tmp_path / "full"
    in_the_way.write_text("no folder")
    door = door_with(checkpoint_file=in_the_way / "checkpoints")
    door.service.tick()
    answer = door.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    words = answer.json()["parts"]["anchor"]
    assert words.startswith("it could not be anchored: ")
    assert words.endswith("; nothing was anchored outside yet")
    assert str(tmp_path) not in answer.text
    in_the_way.unlink()
    door.service.tick()
    assert door.get("/readyz").json()["parts"]["anchor"] == "ok"


def test_what_another_process_has_anchored_since_makes_up_for_a_failure(door: Door) -> None:
    door.service.anchoring.note(OSError(28, "No space left on device", "/secret"))
    words = door.get("/readyz").json()["parts"]["anchor"]
    assert words.startswith("it could not be anchored: No space left on device; ")
    make_checkpoint(door.service.database, signer(door.service.settings), door.service.settings.checkpoint_path)
    assert door.get("/readyz").json()["parts"]["anchor"] == "ok"


def test_events_that_wait_too_long_for_their_anchor_are_reported_by_every_process(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchoring, "WAITS_SECONDS_MAX", -1)
    door.service.tick()
    assert door.get("/readyz").json()["parts"]["anchor"] == "ok", "nothing has happened since"
    with door.service.database.transaction() as session:
        activate_policy(session, "2026-04", "otto", "second quarter")
    with door.service.database.transaction() as session:
        size = place(session)
    words = door.get("/readyz").json()["parts"]["anchor"]
    assert words.startswith("events wait to be anchored outside: 1, the first for 0 minutes; last anchored outside 20")
    assert words.endswith(f", the first {size - 1:,} events")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda path: path.write_text(path.read_text().replace("made 2", "made 1")),
            "the file of checkpoints does not fit",
        ),
        (lambda path: (path.unlink(), path.mkdir()), "the file of checkpoints cannot be read"),
    ],
    ids=["forged", "a folder"],
)
def test_a_file_of_checkpoints_that_says_nothing_is_reported(
    door: Door, spoil: Callable[[Path], object], words: str
) -> None:
    door.service.tick()
    spoil(door.service.settings.checkpoint_path)
    answer = door.get("/readyz").json()
    assert (answer["ready"], answer["parts"]["anchor"].partition(":")[0]) == (True, words)


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
