"""Signatures, parts, sets, claims and delegations over HTTP and as the question that LangGraph clients show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from app.approvals.human_in_the_loop import answer, question_of
from app.approvals.parts import set_digest
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.governance.state import activate_policy
from policies.signatures import Demand, Needed
from tests.app.web.door import Door, problem_of
from tests.installation import ADA, BOB, orders, scan, waiting


def under(door: Door, release: str) -> ApprovalRequest:
    """The one request that waits, made under this release."""
    with door.service.database.transaction() as session:
        activate_policy(session, release, "otto", "tiers")
    (old,) = waiting(door.service)
    problem_of(door.decide(old, "ada"), 409, "outrun")
    scan(door.service)
    return door.pending


def needing_two(door: Door, request: ApprovalRequest) -> ApprovalRequest:
    """The request, which now needs a second signature."""
    with door.service.database.transaction() as session:
        row = session.get_one(ApprovalRequest, request.approval_id)
        known = Needed.model_validate(row.needed, strict=False)
        two = known.model_copy(update={"demands": (Demand(name="two", approvals=2),)})
        row.needed = known.with_demands_of(two).model_dump(mode="json")
        session.add(row)
        return row


def test_over_http_a_plan_waits_until_everybody_has_signed(door: Door) -> None:
    request = needing_two(door, door.pending)
    first = door.decide(request, "ada").json()
    assert (first["approval"]["status"], first["transfer_ids"]) == ("pending", [])
    assert first["approval"]["signing"]["words"] == "two: one more signature."
    assert [row["signed_by"] for row in first["approval"]["signing"]["signed"]] == ["ada"]
    problem_of(door.decide(request, "ada"), 409, "already_signed")
    shown = door.get(f"/v1/approvals/{request.approval_id}", "vera").json()["signing"]
    assert (shown["may_sign"], [row["missing_approvals"] for row in shown["demands"]]) == (["bob"], [0, 1])
    assert orders(door.service) == []
    second = door.decide(request, "bob").json()
    assert (second["approval"]["status"], len(second["transfer_ids"])) == ("approved", request.lines)


def test_over_http_a_part_is_approved_as_a_plan_of_its_own(door: Door) -> None:
    request = door.pending
    problem_of(door.decide(request, "ada", line_nos=[1, 2]), 422, "lines")
    problem_of(door.decide(request, "ada", "reject", line_nos=[1]), 422, "line_nos")
    done = door.decide(request, "ada", line_nos=[2]).json()
    assert (done["approval"]["status"], done["approval"]["decided_by"]) == ("approved", "ada")
    assert done["approval"]["plan_digest"] != request.plan_digest
    before = door.get(f"/v1/approvals/{request.approval_id}", "ada").json()
    assert (before["status"], before["superseded_by"]) == ("superseded", done["approval"]["approval_id"])
    (order,) = door.get("/v1/orders", "ada").json()
    assert (order["plan_digest"], order["decided_units"]) == (done["approval"]["plan_digest"], None)


def test_over_http_a_claim_keeps_others_out_and_a_loan_lets_somebody_in(door: Door) -> None:
    request = under(door, "2027-01")
    path = f"/v1/approvals/{request.approval_id}"
    claimed = door.post(f"{path}/claim", "ada").json()
    assert claimed["claimed_by"] == "ada"
    problem_of(door.decide(request, "bob"), 409, "claimed")
    assert door.post(f"{path}/claim", "ada", {"to": "bob"}).json()["claimed_by"] == "bob"
    assert door.post(f"{path}/unclaim", "bob").json()["claimed_by"] is None

    now = datetime.now(UTC)
    terms: dict[str, Any] = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(days=2)).isoformat()}
    lent = door.post("/v1/delegations", "ada", terms | {"delegate": "bob", "reason": "holiday", "away": True})
    assert (lent.status_code, lent.json()["delegate"]) == (201, "bob")
    problem_of(door.decide(request, "ada"), 403, "away")
    assert [row["delegator"] for row in door.get("/v1/delegations", "bob").json()] == ["ada"]
    assert door.get("/v1/delegations", "vera").json() == []
    end = f"/v1/delegations/{lent.json()['delegation_id']}/end"
    problem_of(door.post(end, "vera"), 404, "unknown_delegation")
    assert door.post(end, "bob").json()["ended_at"] is not None
    assert door.decide(request, "ada").json()["approval"]["status"] == "approved"


def test_over_http_a_set_is_bound_to_one_digest_and_reasons_are_counted(door: Door) -> None:
    request = under(door, "2027-01")
    seen = {request.approval_id: request.plan_digest}
    plans = [{"approval_id": str(request.approval_id), "plan_digest": request.plan_digest}]
    problem_of(door.post("/v1/approvals/decisions", "ada", {"plans": plans, "set_digest": "0" * 64}), 422, "set_digest")
    twice = {"plans": plans * 2, "set_digest": set_digest(seen)}
    problem_of(door.post("/v1/approvals/decisions", "ada", twice), 422, "plans")
    (done,) = door.post("/v1/approvals/decisions", "ada", {"plans": plans, "set_digest": set_digest(seen)}).json()
    assert done["approval"]["status"] == "approved"
    assert door.get("/v1/rejections", "vera").json() == []


def test_the_question_of_langgraph_says_who_has_to_sign_and_one_signature_wakes_nobody(door: Door) -> None:
    request = needing_two(door, door.pending)
    with door.service.database.transaction() as session:
        question = question_of(session, ADA, request.approval_id)
        assert question["signing"]["may_sign"] == ["ada", "bob"]
        assert "Signed by nobody so far. Missing:" in question["action_requests"][0]["description"]
        done = answer(session, ADA, request.approval_id, {"decisions": [{"type": "approve"}]})
    assert (done.kind, done.status, done.transfer_ids) == ("approve", ApprovalStatus.PENDING, ())
    with door.service.database.transaction() as session:
        assert (
            "Signed by ada so far"
            in question_of(session, BOB, request.approval_id)["action_requests"][0]["description"]
        )
        part = answer(session, BOB, request.approval_id, {"decisions": [{"type": "approve", "line_nos": [1]}]})
    assert (part.kind, part.status) == ("approve", ApprovalStatus.SUPERSEDED)
    assert part.successor is not None
    assert orders(door.service) == [], "the part needs two signatures as well"
