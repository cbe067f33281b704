"""Planning over HTTP: conversations, scans and plans, each in its owner's name and within their sites."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from app.auth.roles import Role
from app.auth.tables import Person
from app.threads.tables import Run
from tests.app.web.door import Door, problem_of, written
from tests.installation import person, waiting


def a_thread(door: Door, by: str = "paula", title: str = "") -> str:
    """A new conversation."""
    answer = door.post("/v1/threads", by, {"title": title})
    assert answer.status_code == 201
    thread_id: str = answer.json()["thread_id"]
    return thread_id


def refusal_without_ids(answer: Any) -> dict[str, Any]:
    """A refusal without the id that was asked for."""
    document = problem_of(answer, 404, answer.json()["code"])
    wanted = answer.request.url.path.split("/")[3]
    return {key: str(value).replace(wanted, "…").replace(wanted[:12], "…") for key, value in document.items()}


def test_a_planner_opens_a_conversation_and_finds_it_again(door: Door) -> None:
    titles = ["about P1", "x" * 80, "  \t  "]
    for title in titles:
        a_thread(door, title=title)
    found = door.get("/v1/threads", "paula").json()
    assert [(thread["title"], thread["door"]) for thread in found] == [
        ("Untitled", "chat"), ("x" * 80, "chat"), ("about P1", "chat"), ("Scan", "scan"),
    ]  # fmt: skip
    assert door.get("/v1/threads", "ada").json() == []


def test_a_question_is_answered_as_a_run_and_kept_in_the_conversation(door: Door) -> None:
    thread_id = a_thread(door)
    asked = door.post(f"/v1/threads/{thread_id}/runs", "paula", {"text": "how much P1 is at S1"})
    assert asked.status_code == 202
    run = asked.json()
    assert (run["status"], run["kind"], run["words"], run["thread_id"]) == ("queued", "message", "", thread_id)
    done = door.finish(run["run_id"], "paula")
    assert (done["status"], done["error"]) == ("done", None)
    assert "200 available" in done["words"]
    seen = door.get(f"/v1/threads/{thread_id}", "paula").json()
    assert [(message["type"], message["text"]) for message in seen["messages"]] == [
        ("human", "how much P1 is at S1"), ("ai", done["words"]),
    ]  # fmt: skip
    assert (seen["plan_digest"], seen["approval_id"]) == (None, None)
    assert seen["notices"] == ["No language model is connected; the built-in baseline answers."]


def test_a_plan_is_proposed_explained_and_submitted_in_one_conversation(door: Door) -> None:
    first = door.converse("rebalance P2", "paula")
    thread_id = first["thread_id"]
    digest = door.get(f"/v1/threads/{thread_id}", "paula").json()["plan_digest"]
    plan = door.get(f"/v1/plans/{digest}", "paula").json()
    assert {line["sku_id"] for line in plan["lines"]} == {"P2"}
    assert "S2 has 1 available" in door.converse("why", "paula", thread_id)["words"]
    submitted = door.converse("submit", "paula", thread_id)
    assert submitted["status"] == "waiting"
    assert digest in {request.plan_digest for request in waiting(door.service)}
    approval_id = door.get(f"/v1/threads/{thread_id}", "paula").json()["approval_id"]
    assert door.get(f"/v1/approvals/{approval_id}", "ada").json()["plan_digest"] == digest


def test_a_line_is_explained_to_whoever_sees_both_of_its_ends(door: Door) -> None:
    digest = door.pending.plan_digest
    plan = door.get(f"/v1/plans/{digest}", "paula").json()
    line = plan["lines"][0]
    answer = door.get(f"/v1/explanations/{digest}?line=1", "vera")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["line_no"], found["units"], found["saving_minor"]) == (1, line["units"], line["saving_minor"])
    assert (found["origin"], found["destination"], found["sku_id"]) == ("S1", "S2", line["sku_id"])
    assert found["receiver_stock_out_with_ppm"] < found["receiver_stock_out_without_ppm"]
    other = found["barred"]
    assert (found["runner_up"], other["site_id"], other["barred_by"]) == (None, "S3", ["source_protection"])
    parts = ("fewer", "freight", "departure", "later", "loss")
    assert other["less_minor"] == sum(other[f"{part}_minor"] for part in parts)
    for part in ("without this line it would run out", "No other source is permitted", "stops paying when demand"):
        assert part in found["words"]
    unknown = door.get(f"/v1/explanations/{digest}?line=9999", "vera")
    problem_of(unknown, 404, "unknown_line")
    assert door.get(f"/v1/explanations/{digest}?line=0", "vera").status_code == 422
    problem_of(door.get(f"/v1/explanations/{digest}?line=1", "fern"), 404, "unknown_plan")


def test_how_a_plan_was_negotiated_is_told_to_whoever_it_touches(house: Door) -> None:
    path = f"/v1/plans/{house.pending.plan_digest}/negotiation"
    told = house.get(path, "vera").json()
    assert (told["plan_digest"], told["currency"], told["advice"]) == (house.pending.plan_digest, "USD", None)
    assert [(each["round"], each["contests"], each["settlements"]) for each in told["rounds"]] == [(1, 0, [])]
    assert told["sentences"][0].endswith("no pools of stock were contested.")
    problem_of(house.get(path, "fern"), 404, "unknown_plan")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("why does S2 not get 500 of P1", "500 units of P1 are wanted; the plan brings"),
        ("why can S2 not get 20 of P1 within 0 days", "are allowed"),
        ("why is P1 short at S2", "units of P1 are wanted"),
        ("why does S1 get no P1", "P1 at S3 may send 0 beyond what it must keep"),
    ],
)
def test_what_keeps_a_site_from_getting_a_sku_is_answered_in_a_conversation(
    door: Door, question: str, said: str
) -> None:
    answer = door.converse(question, "paula")
    assert answer["status"] == "done", answer
    assert said in answer["words"]


def test_a_request_that_leaves_nothing_to_move_is_told_what_blocks_it_and_what_would_help(door: Door) -> None:
    words = door.converse("rebalance P1 within 0 days", "paula")["words"]
    assert "nothing worth moving" in words
    assert "units of P1 to S2 at most 0 can be moved, because" in words
    assert "are allowed" in words
    assert "Allow more days until arrival by" in words


def test_a_plan_at_a_limit_of_its_request_is_told_what_the_limit_costs(door: Door) -> None:
    words = door.converse("rebalance P1 with at most 5 units", "paula")["words"]
    assert "What the limits cost here: Raise the most units of the request by" in words


def test_a_run_is_stopped_by_its_owner_and_only_before_it_is_over(door: Door) -> None:
    thread_id = a_thread(door)
    run_id = door.post(f"/v1/threads/{thread_id}/runs", "paula", {"text": "status"}).json()["run_id"]
    path = f"/v1/runs/{run_id}/cancellation"
    problem_of(door.post(path, "fern"), 404, "unknown_run")
    for _ in range(2):
        answer = door.post(path, "paula")
        assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    assert [event.kind for event in door.service.stream.follow(UUID(run_id))] == ["done"]
    over = door.converse("status", "paula", thread_id)
    problem_of(door.post(f"/v1/runs/{over['run_id']}/cancellation", "paula"), 409, "run_over")


def test_one_run_at_a_time_in_a_conversation(door: Door) -> None:
    thread_id = a_thread(door)
    assert door.post(f"/v1/threads/{thread_id}/runs", "paula", {"text": "status"}).status_code == 202
    before = written(door.service)
    problem_of(door.post(f"/v1/threads/{thread_id}/runs", "paula", {"text": "status"}), 409, "run_active")
    assert written(door.service) == before
    assert door.post(f"/v1/threads/{a_thread(door)}/runs", "paula", {"text": "status"}).status_code == 202


def test_while_a_plan_waits_for_its_decision_its_conversation_takes_no_message(house: Door) -> None:
    request = house.pending
    before = written(house.service)
    answer = house.post(f"/v1/threads/{request.thread_id}/runs", "paula", {"text": "never mind"})
    document = problem_of(answer, 409, "decision_pending")
    assert document["where"] == {"approval_id": str(request.approval_id)}
    assert written(house.service) == before
    assert house.service.driver.state(UUID(request.thread_id)).interrupts


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": ""}, "invalid_request"),
        ({"text": "x" * 4_001}, "invalid_request"),
        ({"text": None}, "invalid_request"),
        ({"text": ["status"]}, "invalid_request"),
        ({}, "invalid_request"),
        ({"text": " \n "}, "message"),
    ],
    ids=["empty", "too long", "null", "a list", "nothing", "blank"],
)
def test_a_message_that_says_nothing_is_refused(house: Door, body: dict[str, object], code: str) -> None:
    thread_id = a_thread(house)
    problem_of(house.post(f"/v1/threads/{thread_id}/runs", "paula", body), 422, code)
    assert house.get(f"/v1/threads/{thread_id}", "paula").json()["messages"] == []


@pytest.mark.parametrize("body", [{"title": "x" * 81}, {"title": 5}, {"owner": "ada"}, {"thread_id": str(uuid4())}])
def test_a_conversation_that_cannot_be_opened_is_refused(house: Door, body: dict[str, object]) -> None:
    assert problem_of(house.post("/v1/threads", "paula", body), 422, "invalid_request")["status"] == 422


@pytest.mark.parametrize("path", ["/v1/threads/{id}", "/v1/runs/{id}", "/v1/runs/{id}/events"])
@pytest.mark.parametrize("by", ["fern", "ada", "adam"])
def test_what_belongs_to_somebody_else_is_not_there(house: Door, path: str, by: str) -> None:
    """The refusal is the same as for what does not exist at all."""
    with house.service.database.transaction() as session:
        run = session.exec(select(Run)).one()
    theirs = house.get(path.format(id=run.run_id if "runs" in path else run.thread_id), by)
    nothing = house.get(path.format(id=uuid4()), by)
    assert refusal_without_ids(theirs) == refusal_without_ids(nothing)


@pytest.mark.parametrize("path", ["threads/none", "runs/none", "runs/none/events", "threads/1e400"])
def test_an_id_that_is_none_is_refused(house: Door, path: str) -> None:
    assert problem_of(house.get(f"/v1/{path}", "paula"), 422, "invalid_request")["status"] == 422


def test_nobody_speaks_in_somebody_elses_conversation(house: Door) -> None:
    before = written(house.service)
    answer = house.post(f"/v1/threads/{house.pending.thread_id}/runs", "fern", {"text": "submit"})
    problem_of(answer, 404, "unknown_thread")
    assert written(house.service) == before


def test_a_run_that_fails_says_so_without_our_insides(door: Door) -> None:
    thread_id = a_thread(door)
    run_id = door.post(f"/v1/threads/{thread_id}/runs", "paula", {"text": "status"}).json()["run_id"]
    with door.service.database.transaction() as session:
        session.get_one(Person, "paula").active = False
    with pytest.raises(Exception, match="paula"):
        door.service.driver.run(UUID(run_id))
    with door.service.database.transaction() as session:
        session.get_one(Person, "paula").active = True
    run = door.get(f"/v1/runs/{run_id}", "paula").json()
    assert (run["status"], run["error"]) == ("failed", "paula is not an active person (any more)")


@pytest.mark.parametrize("by", ["paula", "otto"])
def test_a_scan_of_some_skus_plans_these_and_puts_the_plan_into_the_queue(door: Door, by: str) -> None:
    asked = door.post("/v1/scans", by, {"request": {"scope": {"skus": ["P2"], "sites": ["S2"]}, "within_days": 3}})
    assert (asked.status_code, asked.json()["kind"]) == (202, "scan")
    done = door.finish(asked.json()["run_id"], by)
    assert done["status"] == "waiting"
    (new,) = [request for request in waiting(door.service) if request.requested_by == by and request.lines == 1]
    plan = door.get(f"/v1/plans/{new.plan_digest}", "adam").json()
    assert [line["sku_id"] for line in plan["lines"]] == ["P2"]
    assert plan["request"]["scope"]["skus"] == ["P2"]
    assert plan["request"]["within_days"] == 3


def test_a_scan_stays_within_the_callers_sites_whatever_it_asks_for(door: Door) -> None:
    door.admit(person("pete", Role.PLANNER, sites=frozenset({"S1", "S3"})))
    scope = {"within_sites": ["S1", "S2", "S3"], "destinations": ["S2"]}
    run_id = door.post("/v1/scans", "pete", {"request": {"scope": scope}}).json()["run_id"]
    with door.service.database.transaction() as session:
        given = session.get_one(Run, UUID(run_id)).input
    assert given["request"]["scope"]["within_sites"] == ["S1", "S3"]
    door.finish(run_id, "pete")
    assert [request for request in waiting(door.service) if request.requested_by == "pete"] == []


def test_the_sites_of_somebody_narrowed_after_a_scan_was_asked_for_count_when_it_plans(door: Door) -> None:
    run_id = door.post("/v1/scans", "paula", {"request": {"scope": {"skus": ["P2"]}}}).json()["run_id"]
    with door.service.database.transaction() as session:
        session.get_one(Person, "paula").sites = ["S1", "S3"]
    before = {request.approval_id for request in waiting(door.service)}
    door.finish(run_id, "paula")
    new = [request for request in waiting(door.service) if request.approval_id not in before]
    assert all(set(request.sites) <= {"S1", "S3"} for request in new)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"scope": {"skus": "P1"}}, "scope.skus"),
        ({"scope": {"skus": ["P 1"]}}, "scope.skus.0"),
        ({"scope": {"sites": ["../S1"]}}, "scope.sites.0"),
        ({"within_days": -1}, "within_days"),
        ({"within_days": 366}, "within_days"),
        ({"overlays": {"max_units": 1e3}}, "overlays.max_units"),
        ({"overlays": {"demand_changes": [{"percent": 1001}]}}, "overlays.demand_changes.0.percent"),
        ({"lines": []}, "lines"),
        ([], ""),
    ],
    ids=str,
)
def test_a_plan_request_that_does_not_fit_is_refused_with_the_field(house: Door, request_: object, field: str) -> None:
    before = written(house.service)
    answer = house.post("/v1/scans", "paula", {"request": request_})
    document = problem_of(answer, 422, "invalid_request")
    assert document["where"]["field"].strip(".") == f"body.request.{field}".strip(".")
    assert written(house.service) == before


def test_a_plan_is_shown_with_its_lines_money_and_lineage(house: Door) -> None:
    request = house.pending
    plan = house.get(f"/v1/plans/{request.plan_digest}", "vera").json()
    assert plan["digest"] == request.plan_digest
    assert {(line["origin"], line["destination"]) for line in plan["lines"]} == {("S1", "S2")}
    assert [line["line_no"] for line in plan["lines"]] == [1, 2]
    assert sum(line["units"] for line in plan["lines"]) == plan["units"] == request.units
    assert plan["expected_saving_minor"] == request.saving_minor > 0
    assert (plan["lines_hidden"], plan["status"], plan["gap_ppm"]) == (0, "optimal", 0)
    assert plan["fill_rate_before_ppm"] < plan["fill_rate_after_ppm"]
    assert (plan["currency"], plan["planned_on"]) == ("USD", "2026-03-02")
    assert "2026-01" in plan["policy"]
    assert all(UUID(line["transfer_id"]).version == 5 for line in plan["lines"])
    assert {(line["urgency"], tuple(line["lots"])) for line in plan["lines"]} == {("balance", ())}
    assert all(line["urgency_words"].startswith("Balance: S2 runs out of P") for line in plan["lines"])


def test_a_plan_that_touches_none_of_the_callers_sites_is_not_there(house: Door) -> None:
    hidden = house.get(f"/v1/plans/{house.pending.plan_digest}", "fern")
    unknown = house.get(f"/v1/plans/{'ab' * 32}", "fern")
    assert refusal_without_ids(hidden) == refusal_without_ids(unknown)
    problem_of(unknown, 404, "unknown_plan")


@pytest.mark.parametrize("digest", ["ab", "AB" * 32, "zz" * 32, "' or '1'='1", "..%2f..%2fetc"])
def test_a_digest_that_is_none_is_refused(house: Door, digest: str) -> None:
    answer = house.get(f"/v1/plans/{digest}", "paula")
    assert (answer.status_code, answer.json()["code"]) in [(422, "invalid_request"), (404, "not_found")]
