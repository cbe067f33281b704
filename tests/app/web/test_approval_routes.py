"""The approval queue over HTTP: what waits, who decides on exactly which plan, and what a refused decision leaves as it was."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import text

from app.approvals.decisions import decide
from app.approvals.tables import ApprovalRequest
from app.auth.people import sign_in
from app.auth.roles import Role
from app.auth.tables import Person
from app.errors import ForbiddenError
from app.ledger.verify import verify
from tests.app.web.door import Door, listening, problem_of, written
from tests.builders import a_sku
from tests.installation import a_network, import_into, orders, person, waiting
from tools.transfers import Verdict

OTHER = {"code": "other", "words": "not this week"}


def refused(door: Door, by: str, status: int, code: str, **more: Any) -> dict[str, Any]:
    """The refusal of a decision, after which nothing has changed."""
    before = written(door.service)
    document = problem_of(door.decide(door.pending, by, **more), status, code)
    assert written(door.service) == before
    assert orders(door.service) == []
    return document


def test_what_waits_is_shown_with_what_a_decision_needs(house: Door) -> None:
    (row,) = house.get("/v1/approvals", "ada").json()
    request = house.pending
    alone = house.get(f"/v1/approvals/{request.approval_id}", "ada").json()
    assert alone["signing"].pop("may_sign") == ["ada", "bob"]
    assert row["signing"].pop("may_sign") is None
    assert row == alone
    assert (row["approval_id"], row["plan_digest"]) == (str(request.approval_id), request.plan_digest)
    assert (row["status"], row["requested_by"], row["authors"]) == ("pending", "paula", ["paula"])
    assert (row["lines"], row["units"], row["sites"]) == (2, request.units, ["S1", "S2"])
    assert row["expected_saving_minor"] > 0
    assert (row["decided_by"], row["rejection"]) == (None, None)


def test_the_queue_has_the_greatest_saving_first_and_a_length(door: Door) -> None:
    for sku in ("P1", "P2"):
        run_id = door.post("/v1/scans", "paula", {"request": {"scope": {"skus": [sku]}}}).json()["run_id"]
        door.finish(run_id, "paula")
    rows = door.get("/v1/approvals", "vera").json()
    savings = [row["expected_saving_minor"] for row in rows]
    assert len(rows) == 3
    assert savings == sorted(savings, reverse=True)
    assert door.get("/v1/approvals", "vera", params={"limit": 2}).json() == rows[:2]
    assert door.get("/v1/approvals", "vera", params={"status": "approved"}).json() == []


def test_a_limit_counts_what_the_caller_may_see(door: Door) -> None:
    """The most valuable request lies outside their sites, and the next one still comes."""
    door.admit(person("pete", Role.PLANNER, Role.APPROVER, sites=frozenset({"S1", "S3"})))
    import_into(door.service, a_network({("S1", "P1"): 90, ("S2", "P1"): 0, ("S3", "P1"): 0, ("S1", "P2"): 120}))
    run_id = door.post("/v1/scans", "pete").json()["run_id"]
    assert door.finish(run_id, "pete")["status"] == "waiting"
    door.admit(person("pete", Role.APPROVER, sites=frozenset({"S3"})))
    everything = door.get("/v1/approvals", "ada").json()
    mine = door.get("/v1/approvals", "pete", params={"limit": 1}).json()
    assert len(everything) == 2
    assert [row["requested_by"] for row in mine] == ["pete"]
    assert mine[0]["approval_id"] == everything[1]["approval_id"]
    assert mine[0]["sites"] == ["S3"]
    door.admit(person("quinn", Role.VIEWER, sites=frozenset({"S2", "S3"})))
    assert [row["sites"] for row in door.get("/v1/approvals", "quinn").json()] == [["S2"], ["S3"]]


@pytest.mark.parametrize("query", ["status=decided", "limit=0", "limit=1001"])
def test_a_queue_that_there_is_none_of_is_refused(house: Door, query: str) -> None:
    assert problem_of(house.get(f"/v1/approvals?{query}", "ada"), 422, "invalid_request")["where"]


def test_an_approval_releases_the_orders_of_exactly_this_plan(door: Door) -> None:
    request = door.pending
    answer = door.decide(request, "ada")
    assert answer.status_code == 200
    done = answer.json()
    assert (done["approval"]["status"], done["approval"]["decided_by"]) == ("approved", "ada")
    assert done["approval"] == door.get(f"/v1/approvals/{request.approval_id}", "ada").json()
    plan = door.get(f"/v1/plans/{request.plan_digest}", "ada").json()
    assert sorted(done["transfer_ids"]) == sorted(line["transfer_id"] for line in plan["lines"])
    assert {str(order.transfer_id) for order in orders(door.service)} == set(done["transfer_ids"])
    assert door.get("/v1/approvals", "ada").json() == []


@pytest.mark.parametrize(
    "rejection",
    [
        OTHER,
        {"code": "line_unwanted", "words": "no", "line_nos": [1, 2]},
        {"code": "data_doubtful", "words": "counted again", "skus": ["P1"], "sites": ["S1"]},
        {"code": "too_many_units", "words": "less", "limit": 5},
    ],
    ids=lambda each: each["code"],
)
def test_a_rejection_is_kept_with_its_reason_and_moves_nothing(door: Door, rejection: dict[str, Any]) -> None:
    request = door.pending
    answer = door.decide(request, "ada", "reject", rejection=rejection)
    assert answer.status_code == 200, answer.text
    assert answer.json()["transfer_ids"] == []
    row = door.get(f"/v1/approvals/{request.approval_id}", "paula").json()
    assert (row["status"], row["decided_by"]) == ("rejected", "ada")
    assert row["rejection"] == {"line_nos": [], "sites": [], "skus": [], "limit": None} | rejection
    assert orders(door.service) == []


@pytest.mark.parametrize(
    ("rejection", "code"),
    [
        (None, "reason_missing"),
        ({"code": "line_unwanted", "words": "no", "line_nos": [99]}, "reason_does_not_fit"),
        ({"code": "line_unwanted", "words": "no"}, "invalid_request"),
        ({"code": "line_unwanted", "words": "no", "line_nos": ["1"]}, "invalid_request"),
        ({"code": "line_unwanted", "words": "no", "line_nos": [0]}, "invalid_request"),
        ({"code": "because", "words": "no"}, "invalid_request"),
        ({"code": "other", "words": ""}, "invalid_request"),
        ({"code": "other", "words": "x" * 2_001}, "invalid_request"),
        ({"code": "too_many_units", "words": "less", "limit": 10**16}, "invalid_request"),
        (OTHER | {"verdict": "approve"}, "invalid_request"),
        ("no", "invalid_request"),
        ([], "invalid_request"),
    ],
    ids=str,
)
def test_a_rejection_without_a_reason_that_fits_is_refused(house: Door, rejection: object, code: str) -> None:
    refused(house, "ada", 422, code, verdict="reject", rejection=rejection)
    assert house.get(f"/v1/approvals/{house.pending.approval_id}", "ada").json()["status"] == "pending"


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "approved"}, {"verdict": "edit"}, {"verdict": None}, {"plan_digest": "ab"}, {"plan_digest": None},
        {"plan_digest": "AB" * 32}, {"decided_by": "bob"}, {"approver": "bob"}, {"lines": []}, {"force": True},
    ],
    ids=str,
)  # fmt: skip
def test_a_decision_that_does_not_fit_is_refused(house: Door, change: dict[str, object]) -> None:
    request, before = house.pending, written(house.service)
    body = {"verdict": "approve", "plan_digest": request.plan_digest} | change
    answer = house.post(f"/v1/approvals/{request.approval_id}/decision", "ada", body)
    problem_of(answer, 422, "invalid_request")
    assert written(house.service) == before


def test_an_approval_takes_no_reason(house: Door) -> None:
    refused(house, "ada", 422, "unexpected_reason", rejection=OTHER)


def test_a_decision_on_another_digest_is_refused(house: Door) -> None:
    request = house.pending
    body = {"verdict": "approve", "plan_digest": "ab" * 32}
    answer = house.post(f"/v1/approvals/{request.approval_id}/decision", "ada", body)
    assert problem_of(answer, 409, "other_plan")["where"] == {"plan": request.plan_digest}
    assert house.pending.approval_id == request.approval_id


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_a_decision_is_final(door: Door, verdict: str) -> None:
    request = door.pending
    more = {"rejection": OTHER} if verdict == "reject" else {}
    assert door.decide(request, "ada", verdict, **more).status_code == 200
    before = written(door.service)
    for by, again, reason in (("ada", "approve", None), ("bob", "approve", None), ("bob", "reject", OTHER)):
        document = problem_of(door.decide(request, by, again, rejection=reason), 409, "already_decided")
        assert document["where"]["decided_by"] == "ada"
    assert written(door.service) == before


def test_after_its_time_a_request_is_not_decided(door: Door) -> None:
    with door.service.database.transaction() as session:
        session.connection().execute(
            text("update approval_request set expires_at = now() - :by"), {"by": timedelta(seconds=1)}
        )
    refused(door, "ada", 409, "expired")
    assert orders(door.service) == []


def test_while_the_kill_switch_is_engaged_nothing_is_approved(door: Door) -> None:
    door.post("/v1/kill-switch", "ada", {"engaged": True, "reason": "a recall"})
    refused(door, "ada", 409, "kill_switch")
    door.post("/v1/kill-switch", "otto", {"engaged": False, "reason": "false alarm"})
    assert door.decide(door.pending, "ada").status_code == 200


def test_a_plan_that_the_world_has_outrun_goes_back_and_whoever_decided_is_told(door: Door) -> None:
    request = door.pending
    import_into(door.service, a_network({("S1", "P1"): 46, ("S2", "P1"): 2, ("S1", "P2"): 120, ("S2", "P2"): 1}))
    document = problem_of(door.decide(request, "ada"), 409, "outrun")
    assert document["where"] == {"approval_id": str(request.approval_id)}
    assert "must keep" in document["detail"]
    row = door.get(f"/v1/approvals/{request.approval_id}", "ada").json()
    assert (row["status"], row["decided_by"]) == ("outrun", None)
    assert orders(door.service) == []
    door.service.resume_thread(request.approval_id)
    assert door.pending.plan_digest != request.plan_digest


def test_the_author_of_a_plan_does_not_decide_on_it(door: Door) -> None:
    door.admit(person("paula", Role.PLANNER, Role.APPROVER))
    refused(door, "paula", 403, "four_eyes")
    refused(door, "paula", 403, "four_eyes", verdict="reject", rejection=OTHER)
    assert orders(door.service) == []


def test_an_approver_of_some_of_the_sites_is_refused_and_not_told_the_others(door: Door) -> None:
    door.admit(person("near", Role.APPROVER, sites=frozenset({"S1"})))
    document = refused(door, "near", 403, "scope")
    assert document["detail"] == "1 of the 2 sites of this plan lies outside your scope"
    assert "S2" not in str(document)


def test_value_limit_and_clearance_are_checked(door: Door) -> None:
    value = door.pending.goods_value_minor
    door.admit(person("poor", Role.APPROVER, value_limit_minor=value - 1))
    door.admit(person("rich", Role.APPROVER, value_limit_minor=value))
    refused(door, "poor", 403, "value_limit")
    assert door.decide(door.pending, "rich").status_code == 200


def test_a_role_taken_away_while_a_decision_waits_for_its_turn_counts(door: Door) -> None:
    """The request reads who is calling before it gets the lock on what is to be decided."""
    request = door.pending
    with pytest.raises(ForbiddenError) as caught, door.service.database.transaction() as session:
        seen, kept = sign_in(session, door.tokens["ada"]), session.get_one(Person, "ada")
        door.admit(person("ada", Role.VIEWER))
        assert kept.roles == ["approver"]
        decide(session, seen, request.approval_id, Verdict.APPROVE, request.plan_digest)
    assert caught.value.code == "role"
    assert orders(door.service) == []


def test_a_plan_of_masked_skus_is_decided_by_whoever_may_see_them(door: Door) -> None:
    secret = a_network(skus=(a_sku("P1", sensitive=True), a_sku("P2")))
    import_into(door.service, secret)
    run_id = door.post("/v1/scans", "paula", {"request": {"scope": {"skus": ["P1"]}}}).json()["run_id"]
    door.finish(run_id, "paula")
    (request,) = [each for each in waiting(door.service) if each.lines == 1]
    door.admit(person("blind", Role.APPROVER, sees_sensitive=False))
    problem_of(door.decide(request, "blind"), 403, "clearance")
    assert door.decide(request, "ada").status_code == 200


def test_a_request_outside_the_callers_sites_is_not_there(house: Door) -> None:
    request, nowhere = house.pending, uuid4()
    assert house.get("/v1/approvals", "fern").json() == []
    body = {"verdict": "approve", "plan_digest": request.plan_digest}
    for method, end in (("GET", ""), ("POST", "/decision"), ("POST", "/withdrawal")):
        found = [
            house.ask(method, f"/v1/approvals/{each}{end}", "fern", json=body).text.replace(str(each), "…")
            for each in (request.approval_id, nowhere)
        ]
        assert found[0] == found[1]
        assert '"code":"unknown_approval"' in found[0]
    assert house.pending.approval_id == request.approval_id


def test_an_author_takes_a_plan_back_once(door: Door) -> None:
    request = door.pending
    path = f"/v1/approvals/{request.approval_id}/withdrawal"
    door.admit(person("pia", Role.PLANNER))
    problem_of(door.post(path, "pia"), 404, "unknown_approval")
    assert door.post(path, "paula").json()["status"] == "withdrawn"
    problem_of(door.post(path, "paula"), 409, "not_pending")
    problem_of(door.decide(request, "ada"), 409, "already_decided")
    assert orders(door.service) == []
    door.service.resume_thread(request.approval_id)
    assert "withdrawn" in door.service.driver.last_words(UUID(request.thread_id))


def test_more_decisions_at_once_than_there_are_connections_have_one_winner_and_no_error(door: Door) -> None:
    request: ApprovalRequest = door.pending
    crowd = [person(f"approver{number}", Role.APPROVER) for number in range(36)]
    door.admit(*crowd)
    body = {"verdict": "approve", "plan_digest": request.plan_digest}
    together = threading.Barrier(len(crowd))

    with listening(door.service) as (_, address):

        def decide(user_id: str) -> tuple[int, str]:
            together.wait()
            answer = httpx2.post(
                f"{address}/v1/approvals/{request.approval_id}/decision", json=body, timeout=60,
                headers={"Authorization": f"Bearer {door.tokens[user_id]}", "Idempotency-Key": f"decision-of-{user_id}"},
            )  # fmt: skip
            return answer.status_code, answer.json().get("code", "")

        with ThreadPoolExecutor(len(crowd)) as pool:
            outcomes = Counter(pool.map(decide, [each.user_id for each in crowd]))
    assert outcomes == {(200, ""): 1, (409, "already_decided"): len(crowd) - 1}
    assert len(orders(door.service)) == request.lines
    assert verify(door.service.database).verified
