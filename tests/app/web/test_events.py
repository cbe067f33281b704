"""Server-sent events: the steps of a run in order, from anywhere, through a broken server and without Redis."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import httpx2
import pytest
import uvicorn
from pydantic import SecretStr
from redis import Redis

import app.web.news
from app.auth.tables import Person
from app.service import running
from tests.app.ui.pages import Browsing
from tests.app.web.door import Door, listening, problem_of
from tests.installation import until

NOBODY_LISTENS = SecretStr("redis://127.0.0.1:1/0")


@dataclass(frozen=True)
class Event:
    """One event as it came."""

    event_id: str
    kind: str
    data: dict[str, Any]


def parsed(lines: Iterator[str]) -> Iterator[Event]:
    """Events of a stream; comments are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            assert name in ("id", "event", "data"), line
            fields[name] = value
        elif fields:
            yield Event(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
            fields = {}


def a_scan(door: Door) -> str:
    """A scan that nobody has driven yet."""
    run_id: str = door.post("/v1/scans", "paula").json()["run_id"]
    return run_id


def events_of(door: Door, run_id: str, after: str | None = None, by: str = "paula") -> list[Event]:
    """The events of a run that is over, after an id."""
    headers = {} if after is None else {"Last-Event-ID": after}
    answer = door.get(f"/v1/runs/{run_id}/events", by, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(parsed(iter(answer.text.split("\n"))))


@contextmanager
def watching(address: str, door: Door, run_id: str, after: str | None = None) -> Iterator[Iterator[str]]:
    """The lines of a stream as they come from a real server."""
    headers = {"Authorization": f"Bearer {door.tokens['paula']}"} | ({"Last-Event-ID": after} if after else {})
    url = f"{address}/v1/runs/{run_id}/events"
    with httpx2.stream("GET", url, headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        yield answer.iter_lines()


@pytest.fixture(scope="module")
def finished(house: Door) -> str:
    """A scan that has ended."""
    run_id = a_scan(house)
    house.finish(run_id, "paula")
    return run_id


def test_the_steps_of_a_run_come_in_order_each_with_its_id_and_done_last(house: Door, finished: str) -> None:
    events = events_of(house, finished)
    steps = [event.kind for event in events]
    assert steps == [
        "drafter", "drafter", "constraint_checker", "negotiator", "approval_request", "done",
    ]  # fmt: skip
    ids = [tuple(map(int, event.event_id.split("-"))) for event in events]
    assert ids == sorted(set(ids))
    assert events[0].data == {"detail": "solving"}
    done = events[-1].data
    assert (done["status"], done["error"]) == ("waiting", None)
    assert done["words"] == house.get(f"/v1/runs/{finished}", "paula").json()["words"]
    assert "waits for a decision" in done["words"]


def test_a_reader_goes_on_after_the_last_event_it_saw_wherever_that_was(house: Door, finished: str) -> None:
    events = events_of(house, finished)
    for seen, event in enumerate(events[:-1], start=1):
        assert events_of(house, finished, event.event_id) == events[seen:]
    assert events_of(house, finished, "0-0") == events


def test_a_reader_who_has_seen_the_end_is_told_the_end_again(house: Door, finished: str) -> None:
    done = events_of(house, finished)[-1]
    assert events_of(house, finished, done.event_id) == [Event("", "done", done.data)]


def test_news_that_have_expired_leave_the_end_in_the_database(door: Door) -> None:
    run_id = a_scan(door)
    door.finish(run_id, "paula")
    done = events_of(door, run_id)[-1]
    door.service.redis.delete(f"run:{run_id}:events")
    assert events_of(door, run_id) == [Event("", "done", done.data)]


@pytest.mark.parametrize("wrong", ["abc", "1", "1-", "-1-1", "$", "1-1-1", "1-1 ", "99999999999999999999999-1", "+"])
def test_an_id_that_is_no_events_is_refused(house: Door, finished: str, wrong: str) -> None:
    answer = house.get(f"/v1/runs/{finished}/events", "paula", headers={"Last-Event-ID": wrong})
    assert problem_of(answer, 422, "invalid_request")["where"] == {"field": "header.last-event-id"}


def test_an_id_beyond_what_redis_counts_to_gives_the_end(house: Door, finished: str) -> None:
    assert [event.kind for event in events_of(house, finished, f"{10**20 - 1}-{10**20 - 1}")] == ["done"]


def test_a_stream_is_kept_by_no_proxy_and_packed_by_nobody(house: Door, finished: str) -> None:
    headers = {"Accept-Encoding": "gzip"}
    answer = house.get(f"/v1/runs/{finished}/events", "paula", headers=headers)
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")
    assert "content-encoding" not in answer.headers


def test_the_page_follows_a_run_by_its_cookie(house: Door, finished: str) -> None:
    paula = Browsing.of(house.service, "paula")
    assert paula.answer(f"/v1/runs/{finished}/events").status_code == 200
    problem_of(house.get(f"/v1/runs/{finished}/events"), 401, "no_token")
    problem_of(house.get(f"/v1/runs/{finished}/events", "ada"), 404, "unknown_run")


def test_a_watcher_sees_the_steps_while_they_are_taken(door: Door) -> None:
    run_id = a_scan(door)
    with listening(door.service) as (_, address), watching(address, door, run_id) as lines:
        assert next(lines) == ": still there"
        driving = threading.Thread(target=door.service.driver.run, args=(UUID(run_id),))
        driving.start()
        events = list(parsed(lines))
        driving.join()
    assert [event.kind for event in events] == [event.kind for event in events_of(door, run_id)]
    assert events[-1].kind == "done"


def test_a_reader_whose_server_dies_goes_on_at_another_without_a_gap_or_a_repeat(door: Door) -> None:
    run_id = a_scan(door)
    seen: list[Event] = []
    with listening(door.service) as (first, one), listening(door.service) as (_, other):
        with pytest.raises(httpx2.HTTPError), watching(one, door, run_id) as lines:
            assert next(lines) == ": still there"
            for step in ("one", "two", "three"):
                door.service.stream.publish(UUID(run_id), step, detail="")
            events = parsed(lines)
            seen += [next(events), next(events)]
            kill(first)
            list(events)
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(one)
        door.service.driver.run(UUID(run_id))
        with watching(other, door, run_id, seen[-1].event_id) as lines:
            seen += list(parsed(lines))
    assert [event.kind for event in seen][:4] == ["one", "two", "three", "drafter"]
    assert seen == events_of(door, run_id)


def kill(server: uvicorn.Server) -> None:
    """Take the server's sockets away, as the end of its process would."""
    (listener,) = server.servers
    for connection in list(server.server_state.connections):
        listener.get_loop().call_soon_threadsafe(connection.transport.abort)  # type: ignore[union-attr]
    server.should_exit = True
    until("the server to end", lambda: not listener.is_serving())


def test_many_who_watch_block_nothing(door: Door) -> None:
    """The server has forty threads for everybody, and Redis would keep a connection for each blocked reader."""
    run_id = a_scan(door)
    with listening(door.service) as (server, address), ExitStack() as stack:
        headers = {"Authorization": f"Bearer {door.tokens['paula']}"}
        limits = httpx2.Limits(max_connections=100)
        client = stack.enter_context(httpx2.Client(base_url=address, headers=headers, timeout=60, limits=limits))
        streams = [client.stream("GET", f"/v1/runs/{run_id}/events") for _ in range(60)]
        watchers = [stack.enter_context(stream).iter_raw() for stream in streams]
        assert {next(watcher) for watcher in watchers} == {b": still there\n\n"}
        assert len(server.server_state.tasks) == 60
        assert door.service.redis.info("clients")["blocked_clients"] == 0
        assert client.get("/v1/governance").status_code == 200
        door.service.driver.run(UUID(run_id))
        assert all(b"event: done" in b"".join(watcher) for watcher in watchers)


def test_a_watcher_who_leaves_leaves_nothing_behind(door: Door) -> None:
    run_id = a_scan(door)
    with listening(door.service) as (server, address):
        with watching(address, door, run_id) as lines:
            assert next(lines) == ": still there"
            assert len(server.server_state.tasks) == 1
        until("the stream to end", lambda: not server.server_state.tasks)
        assert door.service.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    door.service.driver.run(UUID(run_id))
    assert events_of(door, run_id)[-1].kind == "done"


def test_whoever_is_put_out_stops_watching(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.web.news, "QUIET_SECONDS", 0.2)
    run_id = a_scan(door)
    with listening(door.service) as (_, address), watching(address, door, run_id) as lines:
        assert next(lines) == ": still there"
        with door.service.database.transaction() as session:
            session.get_one(Person, "paula").active = False
        assert len(list(islice(lines, 50))) < 50
    problem_of(door.get(f"/v1/runs/{run_id}/events", "paula"), 401, "token")


def test_without_redis_a_watcher_waits_for_the_end_and_gets_it_from_the_database(
    door_with: Callable[..., Door],
) -> None:
    door = door_with(redis_url=NOBODY_LISTENS)
    run_id = a_scan(door)
    with listening(door.service) as (_, address), watching(address, door, run_id) as lines:
        assert next(lines) == ": still there"
        assert next(lines) == ""
        door.service.driver.run(UUID(run_id))
        events = list(parsed(lines))
    done = door.get(f"/v1/runs/{run_id}", "paula").json()
    assert events == [Event("", "done", {"status": "waiting", "error": None, "words": done["words"]})]
    assert door.pending.status == "pending"


def test_without_redis_the_work_itself_goes_on(door_with: Callable[..., Door]) -> None:
    door = door_with(redis_url=NOBODY_LISTENS)
    request = door.pending
    assert door.decide(request, "ada").status_code == 200
    with running(door.service):
        until("the orders", lambda: {o["state"] for o in door.get("/v1/orders", "vera").json()} == {"shipped"})


def test_when_redis_goes_away_in_the_middle_the_watcher_still_gets_the_end(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = a_scan(door)
    with listening(door.service) as (_, address), watching(address, door, run_id) as lines:
        assert next(lines) == ": still there"
        door.service.stream.publish(UUID(run_id), "one", detail="")
        events = parsed(lines)
        assert next(events).kind == "one"
        monkeypatch.setattr(door.service.stream, "_redis", Redis.from_url(NOBODY_LISTENS.get_secret_value()))
        door.service.driver.run(UUID(run_id))
        rest = list(events)
    assert [event.kind for event in rest] == ["done"]
    assert rest[0].data["status"] == "waiting"


def test_a_run_that_fails_ends_with_the_reason_that_may_be_told(door: Door) -> None:
    run_id = a_scan(door)
    with door.service.database.engine.begin() as connection:
        connection.exec_driver_sql("update run set input = '{}' where kind = 'scan'")
    with pytest.raises(KeyError):
        door.service.driver.run(UUID(run_id))
    done = events_of(door, run_id)[-1]
    assert (done.kind, done.data["status"], done.data["error"]) == ("done", "failed", "the run failed (KeyError)")
