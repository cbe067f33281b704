"""A decision is asked again at its use: what its approver may not any more it does not carry, and the database says so too."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.auth.people import SYSTEM, add_person
from app.auth.roles import Principal, Role
from app.service import Service
from tests.installation import ADA, approve, balances, orders, person, submitted
from tools.execution import OrderState


def become(service: Service, principal: Principal, *, active: bool = True) -> None:
    with service.database.transaction() as session:
        add_person(session, principal, by=SYSTEM)
        session.connection().execute(
            text("update person set active = :active where user_id = :user_id"),
            {"active": active, "user_id": principal.user_id},
        )


@pytest.fixture
def template(plan_waiting: str) -> str:
    return plan_waiting


@pytest.mark.parametrize(
    ("now", "active"),
    [
        (person("ada", Role.VIEWER), True),
        (person("ada", Role.APPROVER, sites=frozenset({"S1"})), True),
        (person("ada", Role.APPROVER, value_limit_minor=1), True),
        (ADA, False),
    ],
    ids=["role", "scope", "limit", "inactive"],
)
def test_an_order_whose_approver_may_not_approve_it_any_more_is_taken_back(
    service: Service, now: Principal, active: bool
) -> None:
    request = submitted(service)
    approve(service, request)
    become(service, now, active=active)
    for order in orders(service):
        service.post(order.transfer_id)
    assert {order.state for order in orders(service)} == {OrderState.CANCELLED}
    assert {order.attention for order in orders(service)} == {"ada has approved it, and may not do so any more."}
    with service.database.transaction() as session:
        assert not [place for place, _ in balances(session) if place.endswith("/reserved")]


def test_an_order_whose_approver_may_still_approve_it_is_posted(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    become(
        service,
        person("ada", Role.APPROVER, sites=frozenset({"S1", "S2"}), value_limit_minor=request.goods_value_minor),
    )
    assert {service.post(order.transfer_id) for order in orders(service)} <= {"posted", "shipped"}


FORGED = """
    insert into decision (approval_id, verdict, decided_by, decided_at, seen_digest)
    values (:approval_id, 'approve', :decided_by, now(), :digest)
"""


def test_the_database_takes_no_decision_of_an_author_and_none_on_another_plan(service: Service) -> None:
    request = submitted(service)
    for decided_by, digest in (("paula", request.plan_digest), ("ada", "0" * 64)):
        values = {"approval_id": request.approval_id, "decided_by": decided_by, "digest": digest}
        with pytest.raises(IntegrityError, match="has a hand in the plan"), service.database.transaction() as session:
            session.connection().execute(text(FORGED), values)


def test_the_database_lets_no_order_be_requested_without_a_decision_on_its_plan(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    asked = text("update transfer_order set state = 'requested'")
    for loss in ("delete from decision", "update transfer_order set plan_digest = repeat('0', 64)"):
        with pytest.raises(IntegrityError, match="no decision to approve"), service.database.transaction() as session:
            session.connection().execute(text(loss))
            session.connection().execute(asked)
    with service.database.transaction() as session:
        session.connection().execute(asked)
