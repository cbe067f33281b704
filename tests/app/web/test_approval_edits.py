"""Editing and remarking over HTTP: whoever edits asks for a plan that somebody else decides on, and a remark decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlmodel import Session, select

from app.approvals import asking
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Role
from app.explanations import words_for_both_ends
from app.forgetting import forget
from app.ledger.sealing import FORGOTTEN
from app.plans.store import read_plan
from tests.app.web.door import ADAM, Door, problem_of
from tests.installation import approve, person
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


def test_a_question_about_a_line_is_answered_by_the_agent_beside_it_once(door: Door) -> None:
    request = door.pending
    path = f"/v1/approvals/{request.approval_id}"
    line = plan_of(door, request).lines[0]
    ends = f"{line.sku_id} from {line.origin} to {line.destination}"
    for words in ("Why line 1?", "Why line 1?", "line 1 is fine", f"What if {line.sku_id} goes on sale?"):
        answer = door.post(f"{path}/comments", "ada", {"words": words})
        assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    said = [(each["by"], each["words"].partition(". ")[0]) for each in door.get(path, "paula").json()["comments"]]
    assert said[:3] == [("ada", "Why line 1?"), ("agent", f"Line 1, {ends}"), ("ada", "line 1 is fine")]
    assert [by for by, _ in said[3:]] == ["ada", "agent"]
    why = door.get(f"/v1/explanations/{request.plan_digest}", "paula", params={"line": 1}).json()
    told = door.get(path, "paula").json()["comments"][1]
    assert f"{line.units}" in told["words"]
    assert told["line_nos"] == [1]
    assert why["words"].partition(". ")[0] in told["words"]
    assert door.decide(request, "ada").status_code == 200


def test_nothing_is_explained_to_whoever_may_not_ask_or_has_asked_before(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained: list[Sequence[int]] = []

    def noted(session: Session, digest: str, line_nos: Sequence[int]) -> list[str]:
        explained.append(line_nos)
        return words_for_both_ends(session, digest, line_nos)

    monkeypatch.setattr(asking, "words_for_both_ends", noted)
    request, asked = door.pending, {"words": "Why line 1?"}
    path = f"/v1/approvals/{request.approval_id}/comments"
    problem_of(door.post(path, "paula", asked), 403, "role")
    assert explained == []
    assert [door.post(path, "ada", asked).status_code for _ in range(3)] == [200, 200, 200]
    assert explained == [(1,)]
    approve(door.service, request)
    problem_of(door.post(path, "ada", {"words": "Why line 2?"}), 409, "already_decided")
    assert explained == [(1,)]


def test_an_answer_about_lines_is_read_by_whoever_sees_both_of_their_ends(door: Door) -> None:
    request = door.pending
    path = f"/v1/approvals/{request.approval_id}"
    line = plan_of(door, request).lines[0]
    door.admit(person("half", Role.VIEWER, sites=frozenset((line.origin,))))
    door.admit(person("both", Role.VIEWER, sites=frozenset((line.origin, line.destination))))
    door.post(f"{path}/comments", "ada", {"words": "Why line 1?"})
    half, both, every = (door.get(path, by).json()["comments"][1]["words"] for by in ("half", "both", "vera"))
    assert half == "(about lines that are not wholly at your sites)"
    assert both == every
    others = {"S1", "S2", "S3", "S4"} - {line.origin, line.destination}
    assert not [site for site in others if site in every], "nothing is told of other sites"


def test_whoever_is_forgotten_takes_the_answers_to_their_questions_with_them(door: Door) -> None:
    path = f"/v1/approvals/{door.pending.approval_id}"
    door.post(f"{path}/comments", "ada", {"words": "Why line 1?"})
    with door.service.database.transaction() as session:
        forget(session, ADAM, "ada")
    assert [(each["by"], each["words"]) for each in door.get(path, "vera").json()["comments"]] == [
        ("ada", FORGOTTEN), ("agent", FORGOTTEN),
    ]  # fmt: skip


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
