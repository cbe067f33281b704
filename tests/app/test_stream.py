"""The news of a run: every step in order, readable again from any point, never the truth and never in the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from uuid import UUID, uuid4

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs

from app.threads import stream
from app.threads.stream import EVENTS_MAX, KEEP_SECONDS, RunStream
from evals.databases import Servers
from tests.shell import free_port


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def redis(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Redis]:
    """A client in each of the wire formats that a Redis may speak."""
    with Redis.from_url(servers.redis_url, protocol=request.param) as client:
        yield client


@pytest.fixture
def news(redis: Redis, servers: Servers) -> RunStream:
    return RunStream(redis, servers.redis_url)


def told(news: RunStream, run_id: UUID, after: str = "0") -> list[tuple[str, dict[str, object]]]:
    """What a reader is told until the end: kinds and data."""
    return [(event.kind, json.loads(event.data)) for event in news.follow(run_id, after) if event.kind != "heartbeat"]


def test_the_steps_of_a_run_are_told_in_order_up_to_its_end(news: RunStream) -> None:
    run_id = uuid4()
    news.publish(run_id, "planner", detail="reads")
    news.publish(run_id, "drafter", detail="solves", lines=2)
    news.publish(run_id, "done", status="waiting", words="Größe: 5 → 7")
    news.publish(run_id, "planner", detail="of the next run")
    assert told(news, run_id) == [
        ("planner", {"detail": "reads"}),
        ("drafter", {"detail": "solves", "lines": 2}),
        ("done", {"status": "waiting", "words": "Größe: 5 → 7"}),
    ]


def test_a_reader_goes_on_where_it_was(news: RunStream) -> None:
    run_id = uuid4()
    for number in range(5):
        news.publish(run_id, "token", number=number)
    news.publish(run_id, "done")
    seen = list(islice(news.follow(run_id), 3))
    assert [json.loads(event.data)["number"] for event in seen] == [0, 1, 2]
    assert [kind for kind, _ in told(news, run_id, seen[-1].event_id)] == ["token", "token", "done"]


def test_more_steps_than_one_answer_holds_are_all_told(news: RunStream) -> None:
    run_id = uuid4()
    for number in range(250):
        news.publish(run_id, "token", number=number)
    news.publish(run_id, "done")
    assert [data.get("number") for _, data in told(news, run_id)] == [*range(250), None]


def test_the_news_of_runs_are_kept_apart(news: RunStream) -> None:
    one, other = uuid4(), uuid4()
    news.publish(one, "planner", of="one")
    news.publish(other, "planner", of="other")
    for run_id in (one, other):
        news.publish(run_id, "done")
    assert told(news, one)[0] == ("planner", {"of": "one"})
    assert told(news, other)[0] == ("planner", {"of": "other"})


def test_while_nothing_happens_a_reader_hears_a_heartbeat_without_an_id(
    news: RunStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "WAIT_MILLISECONDS", 1)
    run_id = uuid4()
    reader = news.follow(run_id)
    assert [(event.event_id, event.kind) for event in islice(reader, 2)] == [("", "heartbeat")] * 2
    news.publish(run_id, "done")
    assert next(event for event in reader if event.kind != "heartbeat").kind == "done"


def test_news_are_bounded_in_number_and_in_time(news: RunStream, redis: Redis) -> None:
    run_id = uuid4()
    pipe = redis.pipeline(transaction=False)
    key = stream._key(run_id)
    for _ in range(EVENTS_MAX + 500):
        pipe.xadd(key, {"kind": "token", "data": "{}"})
    pipe.execute()
    news.publish(run_id, "token")
    assert EVENTS_MAX <= redis.xlen(key) < EVENTS_MAX + 200  # type: ignore[operator]
    assert 0 < redis.ttl(key) <= KEEP_SECONDS  # type: ignore[operator]


def test_without_redis_a_run_tells_nobody_and_goes_on(servers: Servers) -> None:
    away = Redis(port=free_port(), retry=Retry(NoBackoff(), 0))
    with capture_logs() as said:
        RunStream(away, servers.redis_url).publish(uuid4(), "planner", detail="reads")
    assert [(line["event"], line["kind"]) for line in said] == [("run_stream_down", "planner")]
