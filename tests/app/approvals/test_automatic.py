"""What is released without asking: only by the released policy in force, within its day's budget, and on record as such."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from app.approvals.automatic import release_if_policy_does
from app.approvals.decisions import Decided, decide
from app.approvals.freshness import facts_now
from app.approvals.requests import get_request, request_approval
from app.approvals.tables import ApprovalRequest, ApprovalStatus, BudgetUse, Decision
from app.governance.state import activate_policy
from app.governance.stops import set_kill_switch
from app.ledger.append import EventType
from app.ledger.verify import verify
from app.orders.books import OrderBooks
from app.orders.steps import record
from app.orders.tables import TransferOrder
from app.plans.store import read_plan, store_plan
from app.service import Service
from graphs.planning import draft
from policies.library import released
from policies.tiers import tier_of
from tests.app.approvals.house import ADA, TWO, House, approving, network
from tests.builders import NOW
from tests.installation import carry_out, scan, settle_in, waiting
from tools import saga
from tools.execution import OrderState
from tools.ports import Refused
from tools.rejections import Rejection, RejectionCode
from tools.transfers import PlanRequest, Scope, TransferPlan, Verdict


@pytest.fixture
def automatic(house: House) -> House:
    """The house under the policy that releases small plans of lanes that are known; P2 has travelled to S2 before."""
    with house.database.transaction() as session:
        activate_policy(session, "2027-02", "otto", "small plans go by themselves")
        if not session.exec(select(TransferOrder).where(TransferOrder.state == OrderState.CLOSED)).all():
            session.add(_an_old_order())
    return house


def _an_old_order() -> TransferOrder:
    day = (NOW - timedelta(days=60)).date()
    return TransferOrder(
        transfer_id=uuid4(), approval_id=uuid4(), plan_digest="0" * 64, line_no=1, sku_id="P2", origin="S1",
        destination="S2", mode="van", units=1, planned_on=day, depart_on=day, arrive_on=day, state=OrderState.CLOSED,
        state_at=NOW, reserved=False, shipped_units=1, received_units=1,
    )  # fmt: skip


def small(house: House, units: int = 20) -> ApprovalRequest:
    """A request for a few of P2 to S2, worth 4.00 each: not class A, on a lane that has moved it before."""
    with house.database.transaction() as session:
        facts = facts_now(session)
        request = PlanRequest(scope=Scope(skus=("P2",), destinations=("S2",))).with_overlays(max_units=units)
        plan = draft(facts, request).plan
        assert plan is not None
        plan = TransferPlan.model_validate(
            {**dict(plan), "request": request.with_overlays(max_lines=1_000 + next(house.numbers))}
        )
        store_plan(session, plan)
        tier = tier_of(facts.policy, plan, facts.snapshot)
        assert tier is not None
        return request_approval(session, plan, tier, ["paula"], None)


def by_policy(house: House, request: ApprovalRequest) -> str:
    """What comes of leaving it to policy: the status, or why people are asked."""
    with house.database.transaction() as session:
        done = release_if_policy_does(session, get_request(session, request.approval_id, lock=True))
        return done.status.value if isinstance(done, Decided) else " ".join(done)


def test_a_small_known_plan_is_released_and_recorded_as_the_policys(automatic: House) -> None:
    request = small(automatic)
    assert by_policy(automatic, request) == "approved"
    with automatic.database.transaction() as session:
        decision = session.get_one(Decision, request.approval_id)
    assert decision.decided_by == f"policy/{released('2027-02').digest[:12]}"
    assert automatic.events(request, EventType.PLAN_APPROVED) == 0
    assert len(automatic.orders(request)) == 1
    with automatic.database.transaction() as session:
        use = session.get_one(BudgetUse, automatic.orders(request)[0].transfer_id)
    assert (use.automatic, use.units, use.goods_value_minor) == (True, 20, 8_000)
    assert verify(automatic.database).verified


def test_what_is_new_on_its_lane_waits_for_a_person(automatic: House) -> None:
    with automatic.database.transaction() as session:
        session.connection().execute(text("update transfer_order set state = 'cancelled' where state = 'closed'"))
    request = small(automatic)
    assert "never travelled" in by_policy(automatic, request)
    assert automatic.now(request) is ApprovalStatus.PENDING
    assert automatic.sign(request, ADA) == "approved"


def test_sensitive_skus_wait_for_people(automatic: House) -> None:
    _sensitive(automatic, is_sensitive=True)
    try:
        request = small(automatic)
        assert "People" in by_policy(automatic, request)
        assert automatic.now(request) is ApprovalStatus.PENDING
    finally:
        _sensitive(automatic, is_sensitive=False)


def begun(house: House, request: ApprovalRequest) -> tuple[bool, str]:
    """Whether the ERP may be asked for what was released, and what people read of the order then."""
    (order,) = house.orders(request)
    books = OrderBooks(house.database)
    may_ask = books.begin(order.transfer_id)
    with house.database.transaction() as session:
        told = session.get_one(TransferOrder, order.transfer_id).attention or ""
    books.learn(order.transfer_id, Refused("the next test finds the house as it was"))
    return may_ask, told


def test_what_policy_has_released_may_be_asked_for_while_it_is_in_force(automatic: House) -> None:
    request = small(automatic)
    assert by_policy(automatic, request) == "approved"
    assert begun(automatic, request) == (True, "")


def test_what_policy_has_released_is_taken_back_once_the_policy_is_not_in_force(automatic: House) -> None:
    request = small(automatic)
    assert by_policy(automatic, request) == "approved"
    with automatic.database.transaction() as session:
        activate_policy(session, "2027-01", "otto", "people decide again")
    assert begun(automatic, request) == (
        False, "A policy has released it that is not in force any more, and nobody has signed it.",
    )  # fmt: skip


def test_what_policy_has_released_is_taken_back_once_its_sku_is_sensitive(automatic: House) -> None:
    request = small(automatic)
    assert by_policy(automatic, request) == "approved"
    _sensitive(automatic, is_sensitive=True)
    try:
        assert begun(automatic, request) == (False, "P2 is sensitive now, and nobody has signed it.")
    finally:
        _sensitive(automatic, is_sensitive=False)


def test_an_order_whose_signatures_are_gone_is_not_asked_for(automatic: House) -> None:
    request = small(automatic)
    assert automatic.sign(request, ADA) == "approved"
    with automatic.database.transaction() as session:
        session.connection().execute(
            text("delete from approval_signature where approval_id = :id"), {"id": request.approval_id}
        )
    assert begun(automatic, request) == (False, "It lacks signatures that it needs.")


def _sensitive(house: House, *, is_sensitive: bool) -> None:
    with house.database.transaction() as session:
        session.connection().execute(
            text("update master_data set body = jsonb_set(body, '{sensitive}', :so) where kind = 'sku' and key = 'P2'"),
            {"so": "true" if is_sensitive else "false"},
        )
        session.connection().execute(text("update installation set facts_version = facts_version + 1"))


def test_what_a_person_has_rejected_is_not_released_by_policy_when_it_is_asked_for_again(automatic: House) -> None:
    request = small(automatic)
    with automatic.database.transaction() as session:
        plan = read_plan(session, request.plan_digest)
        no = Rejection(code=RejectionCode.OTHER, words="no")
        decide(session, ADA, request.approval_id, Verdict.REJECT, request.plan_digest, no)
    again = automatic.ask(plan=plan)
    assert "asked for before" in by_policy(automatic, again)
    assert automatic.now(again) is ApprovalStatus.PENDING


def test_a_plan_that_people_were_asked_to_sign_is_left_to_them(automatic: House) -> None:
    assert "People" in by_policy(automatic, automatic.ask(needed=TWO))


def test_no_policy_before_releases_anything(house: House) -> None:
    request = house.ask()
    assert by_policy(house, request) == "The policy in force releases nothing by itself."


def test_under_the_kill_switch_nothing_is_released(automatic: House) -> None:
    request = small(automatic)
    automatic.do(lambda session: set_kill_switch(session, engaged=True, actor="otto", reason="a recall"))
    assert "kill switch" in by_policy(automatic, request)
    assert not automatic.orders()


def _spend(house: House, units: int) -> None:
    """So many units were released by policy today, and are under way."""
    with house.database.transaction() as session:
        session.connection().execute(text("update budget_use set day = day - 1"))
        order = _an_old_order()
        order.state, order.origin, order.destination = OrderState.SHIPPED, "S3", "S1"
        session.add(order)
        session.flush()
        today = (
            session.connection().execute(text("select (transaction_timestamp() at time zone 'utc')::date")).scalar_one()
        )
        session.add(
            BudgetUse(
                transfer_id=order.transfer_id, day=today, automatic=True, units=units, goods_value_minor=1,
                transport_minor=1,
            )
        )  # fmt: skip


def test_the_days_budget_is_shared_by_all_and_given_back_by_what_comes_to_nothing(automatic: House) -> None:
    _spend(automatic, 975)
    first, second = small(automatic), small(automatic)
    assert by_policy(automatic, first) == "approved"
    assert "the day's budget is 1,000" in by_policy(automatic, second)
    with automatic.database.transaction() as session:
        (order,) = automatic.orders(first)
        order = session.get_one(TransferOrder, order.transfer_id, with_for_update=True)
        record(session, order, saga.withdrawn(order.facts, "not wanted any more"))
    assert by_policy(automatic, second) == "approved"


def test_of_two_plans_that_the_budget_has_room_for_one_of_one_is_released(automatic: House) -> None:
    _spend(automatic, 975)
    requests = [small(automatic), small(automatic)]

    def leave_to_policy(request: ApprovalRequest):
        def act(session: Session) -> object:
            done = release_if_policy_does(session, get_request(session, request.approval_id, lock=True))
            return done if isinstance(done, Decided) else None

        return act

    assert sorted(automatic.race(*(leave_to_policy(each) for each in requests))) == ["approved", "done"]


def test_a_person_and_the_policy_at_the_same_instant_release_once(automatic: House) -> None:
    request = small(automatic)

    def leave_to_policy(session: Session) -> object:
        done = release_if_policy_does(session, get_request(session, request.approval_id, lock=True))
        return done if isinstance(done, Decided) else None

    outcomes = automatic.race(leave_to_policy, approving(request, ADA), held=request)
    assert outcomes in (["approved", "already_decided"], ["done", "approved"])
    assert len(automatic.orders(request)) == 1


def test_a_scan_ends_with_a_plan_that_policy_released_and_the_agent_says_so(service: Service) -> None:
    settle_in(service, network())
    with service.database.transaction() as session:
        activate_policy(session, "2027-02", "otto", "small plans go by themselves")
        session.add(_an_old_order())
    request = PlanRequest(scope=Scope(skus=("P2",), destinations=("S2",))).with_overlays(max_units=20)
    thread_id = scan(service, request=request)
    assert waiting(service) == []
    with service.database.transaction() as session:
        (released_one,) = session.exec(
            select(ApprovalRequest).where(ApprovalRequest.status == ApprovalStatus.APPROVED)
        ).all()
    assert "standard 2027-02 to release it without asking" in service.driver.last_words(thread_id)
    done = carry_out(service, released_one)
    assert [(order.sku_id, order.units, order.state) for order in done] == [("P2", 20, OrderState.SHIPPED)]
    assert "was approved by policy/" in service.driver.last_words(thread_id)
    assert verify(service.database).verified
