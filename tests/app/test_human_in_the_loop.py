"""A request as a question, and answers to it: what they lead to, and what they never lead to by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.engine import make_url
from sqlmodel import select

from app.approvals.decisions import decide
from app.approvals.freshness import facts_now
from app.approvals.human_in_the_loop import ACTION, Answered, answer, question_of, take_back
from app.approvals.requests import get_request, request_approval, withdraw
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.approvals.views import approval_view
from app.auth.people import SYSTEM, add_person
from app.auth.roles import Principal, Role
from app.errors import ConflictError, EvenkeelError, ForbiddenError, NotFoundError
from app.governance.switch import engage
from app.ledger.append import EventType
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.plans.store import read_plan
from app.service import Service, open_service
from evals.databases import Servers
from graphs.names import ELSEWHERE
from tests.attacker import no_stock_moves, worked_on
from tests.installation import (
    ADA,
    BOB,
    OTTO,
    PAULA,
    a_network,
    approve,
    import_into,
    orders,
    person,
    settings_on,
    submitted,
    waiting,
)
from tools.transfers import TransferPlan, Verdict

APPROVE = {"decisions": [{"type": "approve"}]}
NEAR = person("near", Role.PLANNER, Role.APPROVER, sites=frozenset({"S1"}), sees_sensitive=False)


@contextmanager
def copied(servers: Servers, template: str, data: Path) -> Iterator[Service]:
    """A service on a copy of the database."""
    with servers.fresh_database(template) as url, open_service(settings_on(servers, url, data)) as opened:
        yield opened


@pytest.fixture(scope="module")
def template(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database in which a plan of Paula's waits, to be copied."""
    with servers.fresh_database() as url:
        with open_service(settings_on(servers, url, tmp_path_factory.mktemp("template"))) as opened:
            submitted(opened)
        yield str(make_url(url).database)


@pytest.fixture
def service(servers: Servers, template: str, tmp_path: Path) -> Iterator[Service]:
    """A service with a plan of Paula's that waits."""
    with copied(servers, template, tmp_path) as opened:
        yield opened


def asking(service: Service) -> ApprovalRequest:
    """The request that waits."""
    (request,) = waiting(service)
    return request


def ask(service: Service, by: Principal, request: ApprovalRequest) -> dict[str, Any]:
    """The question as somebody sees it."""
    with service.database.transaction() as session:
        return question_of(session, by, request.approval_id)


def say(service: Service, by: Principal, request: ApprovalRequest, resume: object) -> Answered:
    """An answer in somebody's name."""
    with service.database.transaction() as session:
        return answer(session, by, request.approval_id, resume)


def edited(service: Service, by: Principal, request: ApprovalRequest, lines: object, **more: Any) -> Answered:
    """An answer that edits the plan so that these lines stay."""
    args = {"plan_digest": request.plan_digest, "lines": lines} | more.pop("args", {})
    return say(service, by, request, _edit(args, **more))


def _edit(args: dict[str, Any], name: str = ACTION) -> dict[str, Any]:
    return {"decisions": [{"type": "edit", "edited_action": {"name": name, "args": args}}]}


def again(service: Service, approval_id: UUID) -> ApprovalRequest:
    with service.database.transaction() as session:
        return get_request(session, approval_id)


def plan_of(service: Service, request: ApprovalRequest) -> TransferPlan:
    with service.database.transaction() as session:
        return read_plan(session, request.plan_digest)


def events(service: Service, kind: EventType) -> list[dict[str, Any]]:
    with service.database.transaction() as session:
        bodies = session.exec(select(LedgerEvent.body).where(LedgerEvent.type == kind)).all()
    return [json.loads(body) for body in bodies]


def standing(service: Service) -> list[Any]:
    """Everything that an answer could change."""
    with service.database.transaction() as session:
        rows = session.exec(select(ApprovalRequest).order_by(ApprovalRequest.plan_digest)).all()
        count = len(session.exec(select(LedgerEvent.key)).all())
        return [[(row.approval_id, row.status, tuple(row.authors)) for row in rows], count, len(orders(service))]


def test_the_question_has_the_shape_that_clients_of_langchain_show(service: Service) -> None:
    request = asking(service)
    question = ask(service, ADA, request)
    (action,), (review,) = question["action_requests"], question["review_configs"]
    assert review == {"action_name": action["name"], "allowed_decisions": ["approve", "edit", "reject", "respond"]}
    assert action["args"]["plan_digest"] == question["plan_digest"] == request.plan_digest
    plan = plan_of(service, request)
    shown = [
        (line["line_no"], line["sku_id"], line["packs"] * line["units_per_pack"]) for line in action["args"]["lines"]
    ]
    assert shown == [(line.line_no, line.sku_id, line.units) for line in plan.lines]
    assert (question["approval_id"], question["expires_at"]) == (
        str(request.approval_id), request.expires_at.isoformat(),
    )  # fmt: skip
    assert question["response_schema"]["properties"]["decisions"]["maxItems"] == 1
    assert f"{len(plan.lines)} lines" in action["description"]
    assert json.loads(json.dumps(question)) == question


def test_nothing_may_be_decided_by_an_author_a_planner_or_anybody_once_it_is_decided(service: Service) -> None:
    request = asking(service)
    for somebody in (PAULA, OTTO):
        assert ask(service, somebody, request)["review_configs"][0]["allowed_decisions"] == []
    approve(service, request)
    assert ask(service, BOB, request)["review_configs"][0]["allowed_decisions"] == []


def test_the_question_is_cut_to_what_the_principal_may_see(service: Service) -> None:
    request = asking(service)
    with service.database.transaction() as session:
        add_person(session, NEAR, by=SYSTEM)
        add_person(session, person("far", Role.APPROVER, sites=frozenset({"S3"})), by=SYSTEM)
    say(service, ADA, request, {"decisions": [{"type": "respond", "message": "why to S2?"}]})
    question = ask(service, NEAR, request)
    assert {line["destination"] for line in question["action_requests"][0]["args"]["lines"]} == {ELSEWHERE}
    assert "S2" not in json.dumps(question)
    assert question["comments"][0]["words"] == f"why to {ELSEWHERE}?"
    assert question["review_configs"][0]["allowed_decisions"] == []
    with pytest.raises(NotFoundError):
        ask(service, person("far", Role.APPROVER, sites=frozenset({"S3"})), request)
    with pytest.raises(NotFoundError):
        say(service, person("far", Role.APPROVER, sites=frozenset({"S3"})), request, APPROVE)


def test_an_approval_is_the_decision_of_whoever_sent_it_and_comes_once(service: Service) -> None:
    request = asking(service)
    for by in (PAULA, OTTO, NEAR):
        with pytest.raises(ForbiddenError):
            say(service, by, request, APPROVE)
    done = say(service, ADA, request, {request.approval_id.hex: APPROVE})
    assert (done.kind, done.status, len(done.transfer_ids)) == ("approve", ApprovalStatus.APPROVED, request.lines)
    for by in (ADA, BOB):
        for kind in ({"type": "approve"}, {"type": "reject"}, {"type": "respond", "message": "?"}):
            with pytest.raises(ConflictError) as caught:
                say(service, by, request, {"decisions": [kind]})
            assert (caught.value.status, caught.value.code) == (409, "already_decided")
    assert len(worked_on(service, request)) == request.lines
    assert "was approved by ada" in service.driver.last_words(UUID(request.thread_id))


def test_a_rejection_brings_its_coded_reason_and_its_words(service: Service) -> None:
    request = asking(service)
    reason = {"type": "reject", "message": "the dock is closed", "reason": "line_unwanted", "line_nos": [1]}
    assert say(service, ADA, request, {"decisions": [reason]}).status is ApprovalStatus.REJECTED
    with service.database.transaction() as session:
        rejection = approval_view(session, ADA, again(service, request.approval_id)).rejection
    assert rejection is not None
    assert (rejection["code"], rejection["words"], rejection["line_nos"]) == (
        "line_unwanted",
        "the dock is closed",
        [1],
    )
    service.resume_thread(request.approval_id)
    (second,) = waiting(service)
    say(service, ADA, second, {"decisions": [{"type": "reject", "plan_digest": second.plan_digest}]})
    service.resume_thread(second.approval_id)
    assert waiting(service) == []
    assert orders(service) == []


def test_an_edit_is_another_plan_that_neither_author_nor_editor_decides_on(service: Service) -> None:
    request = asking(service)
    before = plan_of(service, request)
    fewer = before.lines[0].packs - 1
    shown = ask(service, ADA, request)["action_requests"][0]["args"]["lines"][0]
    with no_stock_moves(service):
        done = edited(service, ADA, request, [shown | {"packs": fewer}])
    assert (done.kind, done.status) == ("edit", ApprovalStatus.SUPERSEDED)
    (successor,) = waiting(service)
    after = plan_of(service, successor)
    assert (successor.approval_id, successor.requested_by, successor.authors) == (
        done.successor, "ada", ["ada", "paula"],
    )  # fmt: skip
    assert after.digest != before.digest
    assert [(line.sku_id, line.packs) for line in after.lines] == [(before.lines[0].sku_id, fewer)]
    assert after.solver.gap_ppm is None
    (record,) = events(service, EventType.APPROVAL_SUPERSEDED)
    assert (record["actor"], record["facts"]["superseded_by"]) == ("ada", str(successor.approval_id))
    with pytest.raises(ConflictError):
        say(service, BOB, request, APPROVE)
    for hand in (ADA, PAULA):
        with pytest.raises(ForbiddenError):
            say(service, hand, successor, {successor.approval_id.hex: APPROVE})
    (question,) = service.driver.state(UUID(request.thread_id)).interrupts
    assert question.value == {"approval_id": str(successor.approval_id), "plan_digest": after.digest}
    say(service, BOB, successor, {successor.approval_id.hex: APPROVE})
    (order,) = worked_on(service, successor)
    assert (order.sku_id, order.units, order.state) == (after.lines[0].sku_id, after.lines[0].units, "shipped")
    assert "was approved by bob" in service.driver.last_words(UUID(request.thread_id))
    assert verify(service.database).verified


def test_an_editor_stays_one_when_the_edited_plan_is_taken_back_and_put_forward_again(service: Service) -> None:
    request = asking(service)
    done = edited(service, ADA, request, [{"line_no": 1}])
    assert done.successor is not None
    with service.database.transaction() as session:
        first = withdraw(session, done.successor, PAULA)
        plan = read_plan(session, first.plan_digest)
        tier = next(tier for tier in facts_now(session).policy.tiers if tier.name == first.tier)
        again = request_approval(session, plan, tier, [PAULA.user_id], request.thread_id)
    assert set(again.authors) == {"ada", "paula"}
    with pytest.raises(ForbiddenError), service.database.transaction() as session:
        decide(session, ADA, again.approval_id, Verdict.APPROVE, again.plan_digest)


def test_an_edited_plan_that_is_decided_before_the_graph_has_woken_is_carried_out_once(service: Service) -> None:
    request = asking(service)
    done = edited(service, ADA, request, json.dumps([{"line_no": 2}]))
    successor = again(service, done.successor or UUID(int=0))
    say(service, BOB, successor, {successor.approval_id.hex: APPROVE})
    service.resume_thread(successor.approval_id)
    assert service.driver.state(UUID(request.thread_id)).interrupts
    service.resume_thread(request.approval_id)
    assert not service.driver.state(UUID(request.thread_id)).interrupts
    assert "was approved by bob" in service.driver.last_words(UUID(request.thread_id))
    assert [order.line_no for order in worked_on(service, successor)] == [1]


def test_an_answer_meant_for_the_plan_before_decides_on_no_plan_that_nobody_has_looked_at(service: Service) -> None:
    """Bob still looks at the first plan while Ada has sent it back and another one has come."""
    request = asking(service)
    frozen = {"type": "reject", "message": "counted", "reason": "sku_frozen", "skus": ["P1"]}
    say(service, ADA, request, {"decisions": [frozen]})
    service.resume_thread(request.approval_id)
    second = asking(service)
    for late in (APPROVE, {"decisions": [frozen]}, {request.approval_id.hex: APPROVE}):
        with no_stock_moves(service), pytest.raises(ConflictError) as caught:
            say(service, BOB, second, late)
        assert caught.value.code == "another_question"
    with service.database.transaction() as session:
        assert answer(session, BOB, second.approval_id, APPROVE, seen=True).status is ApprovalStatus.APPROVED


def test_of_answers_that_come_at_once_one_counts(service: Service) -> None:
    request = asking(service)
    edit_it = _edit({"plan_digest": request.plan_digest, "lines": [{"line_no": 1}]})
    sent = [(ADA, edit_it), (BOB, APPROVE), (BOB, edit_it), (ADA, APPROVE)]

    def tell(each: tuple[Principal, object]) -> str:
        try:
            return say(service, each[0], request, each[1]).kind
        except ConflictError as late:
            return late.code

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(tell, sent))
    assert outcomes[:3] == ["already_decided"] * 3
    kept = again(service, request.approval_id).status
    assert (outcomes[3], kept) in [("approve", ApprovalStatus.APPROVED), ("edit", ApprovalStatus.SUPERSEDED)]
    assert (len(orders(service)) > 0) == (kept is ApprovalStatus.APPROVED)
    assert verify(service.database).verified


def test_an_edited_plan_that_is_rejected_is_made_again_from_the_edit(service: Service) -> None:
    request = asking(service)
    done = edited(service, ADA, request, [{"line_no": 1}])
    successor = again(service, done.successor or UUID(int=0))
    service.resume_thread(request.approval_id)
    only = plan_of(service, successor).lines[0].sku_id
    frozen = {"type": "reject", "message": "counted", "reason": "sku_frozen", "skus": [only]}
    say(service, BOB, successor, {successor.approval_id.hex: {"decisions": [frozen]}})
    service.resume_thread(successor.approval_id)
    (third,) = waiting(service)
    assert only not in {line.sku_id for line in plan_of(service, third).lines}


LINE: dict[str, dict[str, Any]] = {
    "more packs": {"line_no": 1, "packs": 10_000},
    "packs below zero": {"line_no": 1, "packs": -1},
    "packs that are no number": {"line_no": 1, "packs": "1"},
    "packs that are true": {"line_no": 1, "packs": True},
    "packs that are a fraction": {"line_no": 1, "packs": 1.0},
    "another destination": {"line_no": 1, "destination": "S3"},
    "another SKU": {"line_no": 1, "sku_id": "P9"},
    "larger packs": {"line_no": 1, "units_per_pack": 500},
    "another day": {"line_no": 1, "depart_on": "2020-01-01"},
    "a field that is not shown": {"line_no": 1, "approved": True},
    "a line that is not there": {"line_no": 99},
    "a line without a number": {"packs": 1},
    "a line that is true": {"line_no": True, "packs": 1},
    "nothing left": {"line_no": 1, "packs": 0},
}


@pytest.fixture(scope="module")
def asked(
    servers: Servers, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, ApprovalRequest]]:
    """A service with a plan that waits, which tests share because every answer of theirs is refused."""
    with copied(servers, template, tmp_path_factory.mktemp("asked")) as opened:
        yield opened, asking(opened)


def refused(asked: tuple[Service, ApprovalRequest], resume: object, *statuses: int) -> EvenkeelError:
    """An answer of Ada's is refused, and nothing is other than before."""
    service, request = asked
    before = standing(service)
    with pytest.raises(EvenkeelError) as caught:
        say(service, ADA, request, resume)
    assert caught.value.status in statuses, caught.value
    assert standing(service) == before
    return caught.value


@pytest.mark.parametrize("line", LINE.values(), ids=LINE)
def test_an_edit_takes_packs_away_and_nothing_else(
    asked: tuple[Service, ApprovalRequest], line: dict[str, Any]
) -> None:
    assert refused(asked, _edit({"plan_digest": asked[1].plan_digest, "lines": [line]}), 422).status == 422


def test_an_edit_changes_something_of_exactly_this_plan_under_its_own_name(
    asked: tuple[Service, ApprovalRequest],
) -> None:
    digest, everything = asked[1].plan_digest, [{"line_no": 1}, {"line_no": 2}]
    one = everything[:1]
    assert "changes nothing" in str(refused(asked, _edit({"plan_digest": digest, "lines": everything}), 422))
    assert "twice" in str(refused(asked, _edit({"plan_digest": digest, "lines": one + one}), 422))
    assert refused(asked, _edit({"plan_digest": digest, "lines": one}, "execute_transfer"), 422).code == "edit"
    assert refused(asked, _edit({"plan_digest": "ab" * 32, "lines": one}), 409).code == "other_plan"
    for args in ({"lines": one}, {"plan_digest": digest}, {"plan_digest": digest, "lines": one, "status": "approved"}):
        refused(asked, _edit(args), 422)
    refused(asked, _edit({"plan_digest": digest, "lines": "[" * 100_000}), 422)


ANSWERS: dict[str, object] = {
    "nothing": None,
    "a word": "approve",
    "true": True,
    "an empty object": {},
    "a decision that is no list": {"decisions": {"type": "approve"}},
    "no decision": {"decisions": []},
    "two decisions": {"decisions": [{"type": "approve"}, {"type": "approve"}]},
    "a decision with a status": {"decisions": [{"type": "approve", "status": "approved"}]},
    "a decision in somebody else's name": {"decisions": [{"type": "approve", "decided_by": "bob"}]},
    "another kind": {"decisions": [{"type": "execute"}]},
    "a kind in capitals": {"decisions": [{"type": "Approve"}]},
    "decisions and more": {"decisions": [{"type": "approve"}], "status": "approved"},
    "what the old inbox sends": [{"type": "accept", "args": None}],
    "a forged decision row": {"status": "approved", "decided_by": "ada"},
    "two questions at once": {"a" * 32: APPROVE, "b" * 32: APPROVE},
    "another question": {"a" * 32: APPROVE},
    "another plan": {"decisions": [{"type": "approve", "plan_digest": "ab" * 32}]},
    "a remark without words": {"decisions": [{"type": "respond", "message": ""}]},
    "a reason without what it is about": {"decisions": [{"type": "reject", "reason": "sku_frozen", "message": "x"}]},
    "a lone surrogate": {"decisions": [{"type": "respond", "message": "\ud800"}]},
    "a NUL": {"decisions": [{"type": "respond", "message": "a\x00b"}]},
}


@pytest.mark.parametrize("resume", ANSWERS.values(), ids=ANSWERS)
def test_what_is_no_answer_to_this_question_changes_nothing(
    asked: tuple[Service, ApprovalRequest], resume: object
) -> None:
    assert refused(asked, resume, 422, 409).status in (422, 409)


def test_a_question_back_is_kept_shown_to_the_planner_and_decides_nothing(service: Service) -> None:
    request = asking(service)
    for _ in range(2):
        done = say(service, ADA, request, {"decisions": [{"type": "respond", "message": "why so many of P1?"}]})
    assert (done.kind, done.status) == ("respond", ApprovalStatus.PENDING)
    record, told = events(service, EventType.APPROVAL_COMMENTED)
    assert (told["actor"], told["facts"]["asked_by"], "words" in told["facts"]) == ("agent", "ada", False)
    assert (record["actor"], "words" in record["facts"]) == ("ada", False)
    assert [each["sealed"]["subject"].partition("@")[0] for each in (record, told)] == ["person/ada", "person/ada"]
    with service.database.transaction() as session:
        shown = approval_view(session, PAULA, again(service, request.approval_id)).comments
    assert [(each.by, each.words.partition(",")[0]) for each in shown] == [
        ("ada", "why so many of P1?"), ("agent", f"Line {shown[1].line_nos[0]}"),
    ]  # fmt: skip
    assert [each["words"] for each in ask(service, PAULA, request)["comments"]] == [each.words for each in shown]
    with pytest.raises(ForbiddenError):
        say(service, OTTO, request, {"decisions": [{"type": "respond", "message": "approved"}]})
    with no_stock_moves(service):
        assert waiting(service)
    assert say(service, ADA, request, APPROVE).status is ApprovalStatus.APPROVED


def test_an_edit_is_checked_from_scratch_on_the_facts_and_rules_of_now(service: Service) -> None:
    request = asking(service)
    with service.database.transaction() as session:
        engage(session, OTTO, "a recall")
    with pytest.raises(ConflictError) as caught:
        edited(service, ADA, request, [{"line_no": 1}])
    assert caught.value.code == "edit_breaks_rules"
    assert "kill switch" in str(caught.value)
    assert [row.approval_id for row in waiting(service)] == [request.approval_id]


def test_the_author_takes_back_what_the_thread_waits_for_and_nobody_else_does(service: Service) -> None:
    request = asking(service)
    thread_id = UUID(request.thread_id)
    for somebody, error in ((ADA, ForbiddenError), (person("pete", Role.PLANNER), ConflictError)):
        with pytest.raises(error), service.database.transaction() as session:
            take_back(session, somebody, thread_id)
    with service.database.transaction() as session:
        assert take_back(session, PAULA, thread_id).status is ApprovalStatus.WITHDRAWN
    with pytest.raises(ConflictError) as caught, service.database.transaction() as session:
        take_back(session, PAULA, thread_id)
    assert caught.value.code == "no_open_question"
    with pytest.raises(ConflictError):
        say(service, ADA, request, APPROVE)


def test_what_the_world_has_outrun_goes_back_and_the_client_is_told(service: Service) -> None:
    request = asking(service)
    import_into(service, a_network({("S1", "P1"): 4, ("S2", "P1"): 2, ("S3", "P1"): 45}))
    done = say(service, ADA, request, APPROVE)
    assert done.status is ApprovalStatus.OUTRUN
    assert done.refusal is not None
    assert (done.refusal.status, done.refusal.code) == (409, "outrun")
    assert orders(service) == []
