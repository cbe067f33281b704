"""Deciding: who may, on what, until when; one decision wins; and nothing moves without it."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlmodel import select

from app.approvals.decisions import decide
from app.approvals.requests import expire_overdue, withdraw
from app.approvals.tables import ApprovalRequest, ApprovalStatus, Decision
from app.auth.people import SHELL_PRINCIPAL, SYSTEM, SYSTEM_PRINCIPAL, add_person
from app.auth.roles import Principal, Role
from app.errors import ConflictError, EvenkeelError, ForbiddenError, InvalidError, NotFoundError
from app.governance.state import activate_policy
from app.governance.switch import engage, release
from app.ledger.append import EventType
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.orders.tables import TransferOrder
from app.orders.validating import validate
from app.service import Service
from tests.beginnings import EMPTY
from tests.builders import a_sku
from tests.installation import (
    ADA,
    BOB,
    OTTO,
    PAULA,
    a_network,
    approve,
    balances,
    carry_out,
    orders,
    person,
    reject,
    scan,
    settle_in,
    submitted,
    waiting,
)
from tools.execution import OrderState
from tools.rejections import Rejection, RejectionCode
from tools.transfers import Verdict


@pytest.fixture
def template(plan_waiting: str) -> str:
    return plan_waiting


def refused(service: Service, request: ApprovalRequest, by: Principal, **changes: str) -> EvenkeelError:
    """The refusal of an approval, after which nothing has changed."""
    digest = changes.get("digest", request.plan_digest)
    with pytest.raises(EvenkeelError) as caught, service.database.transaction() as session:
        decide(session, by, request.approval_id, Verdict.APPROVE, digest)
    assert not orders(service)
    with service.database.transaction() as session:
        assert not [place for place, _ in balances(session) if place.endswith("/reserved")]
    return caught.value


def register(service: Service, *people: Principal) -> None:
    with service.database.transaction() as session:
        for each in people:
            add_person(session, each, by=SYSTEM)


def test_the_author_of_a_plan_cannot_decide_on_it(service: Service) -> None:
    request = submitted(service)
    register(service, person("paula", Role.PLANNER, Role.APPROVER))
    assert refused(service, request, PAULA).code == "four_eyes"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PLANNER, Role.OPERATOR, Role.ADMIN])
def test_only_approvers_decide(service: Service, role: Role) -> None:
    request = submitted(service)
    other = person("someone", role)
    register(service, other)
    assert refused(service, request, other).code == "role"


@pytest.mark.parametrize("principal", [SYSTEM_PRINCIPAL, SHELL_PRINCIPAL])
def test_neither_the_service_nor_the_shell_can_decide(service: Service, principal: Principal) -> None:
    assert refused(service, submitted(service), principal).code == "role"


def test_somebody_who_is_not_registered_cannot_decide_whatever_they_claim_to_be(service: Service) -> None:
    request = submitted(service)
    assert refused(service, request, person("mallory", Role.APPROVER)).code == "inactive"


def test_a_role_taken_away_after_signing_in_counts_at_once(service: Service) -> None:
    request = submitted(service)
    register(service, person("ada", Role.VIEWER))
    assert refused(service, request, ADA).code == "role"


def test_an_approver_must_have_every_site_of_the_plan_in_scope(service: Service) -> None:
    request = submitted(service)
    near, far = (
        person("near", Role.APPROVER, sites=frozenset({"S1"})),
        person("far", Role.APPROVER, sites=frozenset({"S3"})),
    )
    register(service, near, far)
    assert refused(service, request, near).detail == "1 of the 2 sites of this plan lies outside your scope"
    assert refused(service, request, far).code == "scope"


def test_a_value_limit_is_checked_against_the_goods_of_the_whole_plan(service: Service) -> None:
    request = submitted(service)
    poor = person("poor", Role.APPROVER, value_limit_minor=request.goods_value_minor - 1)
    rich = person("rich", Role.APPROVER, value_limit_minor=request.goods_value_minor)
    register(service, poor, rich)
    assert refused(service, request, poor).code == "value_limit"
    assert approve(service, request, rich).status is ApprovalStatus.APPROVED


@EMPTY
def test_a_plan_with_sensitive_skus_needs_an_approver_with_clearance(service: Service) -> None:
    settle_in(service, a_network(skus=(a_sku("P1", sensitive=True), a_sku("P2"))))
    blind = person("blind", Role.APPROVER, sees_sensitive=False)
    register(service, blind)
    scan(service)
    (request,) = waiting(service)
    assert refused(service, request, blind).code == "clearance"


def test_a_decision_on_another_digest_than_the_waiting_plans_is_refused(service: Service) -> None:
    request = submitted(service)
    assert refused(service, request, ADA, digest="ab" * 32).code == "other_plan"


def test_a_decision_after_expiry_is_refused_by_the_databases_clock(service: Service) -> None:
    request = submitted(service)
    _set_expiry(service, request, timedelta(seconds=-1))
    assert refused(service, request, ADA).code == "expired"
    with service.database.transaction() as session:
        assert expire_overdue(session) == 1
        assert expire_overdue(session) == 0
        (body,) = session.exec(select(LedgerEvent.body).where(LedgerEvent.type == EventType.APPROVAL_EXPIRED)).all()
    assert json.loads(body)["actor"] == SYSTEM
    service.resume_thread(request.approval_id)
    assert "expired" in service.driver.last_words(_uuid(request.thread_id))
    assert refused(service, request, ADA).code == "already_decided"


@EMPTY
def test_an_unknown_request_cannot_be_decided(service: Service) -> None:
    settle_in(service)
    with pytest.raises(NotFoundError), service.database.transaction() as session:
        decide(session, ADA, uuid4(), Verdict.APPROVE, "ab" * 32)


def test_a_rejection_needs_a_reason_that_fits_the_plan(service: Service) -> None:
    request = submitted(service)
    with pytest.raises(InvalidError, match="coded reason"), service.database.transaction() as session:
        decide(session, ADA, request.approval_id, Verdict.REJECT, request.plan_digest)
    nowhere = Rejection(code=RejectionCode.LINE_UNWANTED, words="no", line_nos=(99,))
    with pytest.raises(InvalidError, match="there is no line 99"), service.database.transaction() as session:
        decide(session, ADA, request.approval_id, Verdict.REJECT, request.plan_digest, nowhere)
    with pytest.raises(InvalidError, match="no rejection"), service.database.transaction() as session:
        other = Rejection(code=RejectionCode.OTHER, words="no")
        decide(session, ADA, request.approval_id, Verdict.APPROVE, request.plan_digest, other)


def test_a_decision_is_final(service: Service) -> None:
    request = submitted(service)
    reject(service, request, Rejection(code=RejectionCode.OTHER, words="no"))
    for by in (ADA, BOB):
        with pytest.raises(ConflictError) as caught, service.database.transaction() as session:
            decide(session, by, request.approval_id, Verdict.APPROVE, request.plan_digest)
        assert caught.value.code == "already_decided"
        assert caught.value.where["decided_by"] == "ada"


def test_fifty_parallel_decisions_on_one_request_have_exactly_one_winner(service: Service) -> None:
    request = submitted(service)
    crowd = [person(f"approver{number}", Role.APPROVER) for number in range(50)]
    register(service, *crowd)
    gate = threading.Barrier(25)

    def try_it(number: int) -> str:
        if number < 25:
            gate.wait()
        verdict = Verdict.APPROVE if number % 2 else Verdict.REJECT
        reason = None if number % 2 else Rejection(code=RejectionCode.OTHER, words="no")
        try:
            with service.database.transaction() as session:
                decide(session, crowd[number], request.approval_id, verdict, request.plan_digest, reason)
        except ConflictError as lost:
            return lost.code
        return "won"

    with ThreadPoolExecutor(25) as pool:
        outcomes = list(pool.map(try_it, range(50)))
    assert sorted(set(outcomes)) == ["already_decided", "won"]
    assert outcomes.count("won") == 1
    winner = outcomes.index("won")
    with service.database.transaction() as session:
        (decision,) = session.exec(select(Decision)).all()
    assert decision.decided_by == crowd[winner].user_id
    assert len(orders(service)) == (request.lines if winner % 2 else 0)
    assert verify(service.database).verified


def test_a_hundred_repeated_resumes_post_once(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: service.resume_thread(request.approval_id), range(100)))
    done = carry_out(service, request)
    assert {order.state for order in done} == {OrderState.SHIPPED}
    with service.database.transaction() as session:
        posted = session.exec(select(LedgerEvent).where(LedgerEvent.type == EventType.TRANSFER_POSTED)).all()
        in_erp = session.connection().execute(text("select count(*) from built_in_transfer")).scalar_one()
    assert len(posted) == in_erp == request.lines
    assert verify(service.database).verified


@EMPTY
def test_two_plans_on_the_same_stock_cannot_both_be_approved(service: Service) -> None:
    """Two planners with different scopes plan on the same donor; the second decision finds the stock promised."""
    settle_in(service, a_network({("S1", "P1"): 90, ("S2", "P1"): 0, ("S3", "P1"): 0}))
    east, west = (
        person("east", Role.PLANNER, sites=frozenset({"S1", "S2"})),
        person("west", Role.PLANNER, sites=frozenset({"S1", "S3"})),
    )
    register(service, east, west)
    scan(service, east)
    scan(service, west)
    first, second = waiting(service)
    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(lambda pair: approve(service, *pair).status, [(first, ADA), (second, BOB)]))
    assert outcomes == [ApprovalStatus.APPROVED, ApprovalStatus.OUTRUN]
    assert verify(service.database).verified


def test_while_the_kill_switch_is_engaged_nothing_is_approved(service: Service) -> None:
    request = submitted(service)
    with service.database.transaction() as session:
        engage(session, OTTO, "a recall")
    assert refused(service, request, ADA).code == "kill_switch"
    with service.database.transaction() as session:
        release(session, OTTO, "false alarm")
    assert approve(service, request).status is ApprovalStatus.APPROVED


def test_orders_that_the_kill_switch_held_go_on_after_its_release_and_their_validation(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    with service.database.transaction() as session:
        engage(session, ADA, "a recall")
    assert {order.state for order in carry_out(service, request)} == {OrderState.RELEASED}
    with service.database.transaction() as session:
        assert session.connection().execute(text("select count(*) from built_in_transfer")).scalar_one() == 0
    with pytest.raises(ForbiddenError), service.database.transaction() as session:
        release(session, ADA, "approvers may stop, operators let go on")
    with service.database.transaction() as session:
        release(session, OTTO, "false alarm")
    assert len(validate(service.database, OTTO, None, "nothing has changed").going) == request.lines
    with service.database.transaction() as session:
        queued = (
            session.connection()
            .execute(text("select count(*) from dbos.workflow_status where name = 'carry_order'"))
            .scalar_one()
        )
    assert queued == 2 * request.lines
    assert {order.state for order in carry_out(service, request)} == {OrderState.SHIPPED}


def test_a_plan_made_under_an_older_policy_goes_back(service: Service) -> None:
    request = submitted(service)
    with service.database.transaction() as session:
        activate_policy(session, "2026-04", "otto", "second quarter")
    decided = approve(service, request)
    assert decided.status is ApprovalStatus.OUTRUN
    assert {violation.rule for violation in decided.violations} == {"policy_in_force"}
    service.resume_thread(request.approval_id)
    (second,) = waiting(service)
    assert approve(service, second).status is ApprovalStatus.APPROVED


def test_only_its_author_can_withdraw_a_plan_and_then_nobody_can_approve_it(service: Service) -> None:
    request = submitted(service)
    with pytest.raises(NotFoundError), service.database.transaction() as session:
        withdraw(session, request.approval_id, BOB)
    with service.database.transaction() as session:
        withdraw(session, request.approval_id, PAULA)
    assert refused(service, request, ADA).code == "already_decided"
    service.resume_thread(request.approval_id)
    assert "withdrawn" in service.driver.last_words(_uuid(request.thread_id))
    with pytest.raises(ConflictError), service.database.transaction() as session:
        withdraw(session, request.approval_id, PAULA)


def test_a_decision_its_reservations_and_its_work_are_one_transaction(service: Service) -> None:
    request = submitted(service)
    with pytest.raises(RuntimeError), service.database.transaction() as session:
        decide(session, ADA, request.approval_id, Verdict.APPROVE, request.plan_digest)
        raise RuntimeError("the connection breaks before the commit")
    assert not orders(service)
    with service.database.transaction() as session:
        assert session.exec(select(Decision)).all() == []
        waits = (
            session.connection()
            .execute(text("select count(*) from dbos.workflow_status where name = 'resume_thread'"))
            .scalar_one()
        )
    assert waits == 0
    assert approve(service, request).status is ApprovalStatus.APPROVED


def test_an_approved_plan_changed_in_the_database_is_not_carried_out(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    with service.database.transaction() as session:
        for order in session.exec(select(TransferOrder)).all():
            order.plan_digest = "ab" * 32
            session.add(order)
    assert service.release(request.approval_id) == 0


def _set_expiry(service: Service, request: ApprovalRequest, from_now: timedelta) -> None:
    with service.database.transaction() as session:
        session.connection().execute(
            text("update approval_request set expires_at = now() + :by where approval_id = :id"),
            {"by": from_now, "id": request.approval_id},
        )


def _uuid(written: str | None) -> UUID:
    assert written is not None
    return UUID(written)
