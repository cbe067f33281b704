"""Editing and remarking over HTTP: whoever edits asks for a plan that somebody else decides on, and a remark decides nothing."""

from __future__ import annotations

from sqlmodel import select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Role
from app.plans.store import read_plan
from tests.app.web.door import Door, problem_of
from tests.installation import person
from tools.transfers import TransferPlan


def plan_of(door: Door, request: ApprovalRequest) -> TransferPlan:
    with door.service.database.transaction() as session:
        return read_plan(session, request.plan_digest)


def edit(door: Door, request: ApprovalRequest, by: str, *packs: tuple[int, int], digest: str = "") -> object:
    body = {
        "plan_digest": digest or request.plan_digest,
        "packs": [{"line_no": line_no, "packs": count} for line_no, count in packs],
    }
    return door.post(f"/v1/approvals/{request.approval_id}/edit", by, body)


def test_an_edit_makes_a_request_of_its_own_on_which_the_editor_does_not_decide(door: Door) -> None:
    request = door.pending
    line = plan_of(door, request).lines[0]
    answer = edit(door, request, "ada", (1, line.packs - 1))
    assert answer.status_code == 200, answer.text
    successor = answer.json()
    assert successor["status"] == "pending"
    assert successor["approval_id"] != str(request.approval_id)
    assert {"ada", "paula"} <= set(successor["authors"])
    assert successor["units"] == request.units - line.units // line.packs
    with door.service.database.transaction() as session:
        before = session.exec(select(ApprovalRequest).where(ApprovalRequest.approval_id == request.approval_id)).one()
        assert (before.status, str(before.superseded_by)) == (ApprovalStatus.SUPERSEDED, successor["approval_id"])
    problem_of(door.decide(door.pending, "ada"), 403, "four_eyes")
    assert door.decide(door.pending, "bob").status_code == 200


def test_what_an_edit_may_not_be_is_refused_and_changes_nothing(house: Door) -> None:
    request = house.pending
    packs = plan_of(house, request).lines[0].packs
    for by, wanted, digest, status, code in (
        ("ada", [(1, packs + 1)], "", 422, "edit"),
        ("ada", [(1, packs)], "", 422, "edit"),
        ("ada", [(99, 1)], "", 422, "edit"),
        ("ada", [(1, 1), (1, 2)], "", 422, "edit"),
        ("ada", [(1, packs - 1)], "0" * 64, 409, "other_plan"),
        ("paula", [(1, packs - 1)], "", 403, "role"),
        ("fern", [(1, packs - 1)], "", 404, "unknown_approval"),
    ):
        problem_of(edit(house, request, by, *wanted, digest=digest), status, code)
    assert house.pending.plan_digest == request.plan_digest


def test_a_remark_is_kept_with_its_author_and_the_plan_goes_on_waiting(door: Door) -> None:
    path = f"/v1/approvals/{door.pending.approval_id}/comments"
    answer = door.post(path, "ada", {"words": "Is the dock open on Monday?"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "pending"
    said = door.get(f"/v1/approvals/{door.pending.approval_id}", "vera").json()["comments"]
    assert [(each["by"], each["words"]) for each in said] == [("ada", "Is the dock open on Monday?")]
    problem_of(door.post(path, "ada", {"words": "  "}), 422, "words")
    door.admit(person("small", Role.APPROVER, value_limit_minor=0))
    problem_of(door.post(path, "small", {"words": "?"}), 403, "value_limit")
