"""Reminders and escalations: to whom they go, and that a damaged plan keeps no other request from being told of."""

from __future__ import annotations

import json

from sqlalchemy import text
from sqlmodel import col, select

from app.approvals.authority import PEOPLE_NAMED_MAX
from app.approvals.claims import claim, claimed_by
from app.approvals.reminders import remind_and_escalate
from app.approvals.requests import get_request
from app.approvals.tables import ApprovalRequest
from app.auth.roles import Role
from app.ledger.append import EventType
from app.ledger.tables import LedgerEvent
from tests.app.approvals.house import House
from tests.installation import ADA, BOB, person

_OLDER = text(
    "update approval_request set requested_at = now() - make_interval(hours => :hours) where approval_id = :id"
)
_DAMAGE = text(
    "update plan set body = convert_to(replace(convert_from(body, 'UTF8'), 'S1', 'S9'), 'UTF8') where digest = :digest"
)


def older(house: House, request: ApprovalRequest, hours: int) -> None:
    with house.database.transaction() as session:
        session.connection().execute(_OLDER, {"hours": hours, "id": request.approval_id})


def told(house: House, request: ApprovalRequest, event: EventType) -> list[list[str]]:
    """To whom such an event of the request went."""
    query = select(LedgerEvent).where(
        LedgerEvent.type == event, col(LedgerEvent.key).startswith(f"approval/{request.approval_id}/")
    )
    with house.database.transaction() as session:
        return [json.loads(row.body)["facts"]["to"] for row in session.exec(query).all()]


def test_an_escalation_goes_first_to_who_has_every_site_however_many_there_are(house: House) -> None:
    request = house.ask()
    many = [f"aa{number:02}" for number in range(PEOPLE_NAMED_MAX + 2)]
    house.admit(*(person(each, Role.APPROVER, sites=frozenset(request.sites)) for each in many))
    older(house, request, 9)
    house.do(remind_and_escalate)
    house.admit(*map(person, many))
    (people,) = told(house, request, EventType.APPROVAL_ESCALATED)
    assert people[:3] == ["ada", "bob", "cy"]
    assert len(people) == PEOPLE_NAMED_MAX


def test_a_claim_from_before_an_escalation_keeps_nobody_from_deciding(house: House) -> None:
    request = house.ask()
    house.do(lambda session: claim(session, ADA, request.approval_id))
    assert house.sign(request, BOB) == "claimed"
    older(house, request, 9)
    house.do(remind_and_escalate)
    with house.database.transaction() as session:
        assert claimed_by(session, get_request(session, request.approval_id)) is None
    assert house.sign(request, BOB) == "approved"


def test_after_an_escalation_a_claim_counts_that_is_made_anew_and_the_next_tick_leaves_it(house: House) -> None:
    request = house.ask()
    older(house, request, 9)
    house.do(remind_and_escalate)
    house.do(lambda session: claim(session, BOB, request.approval_id))
    house.do(remind_and_escalate)
    assert house.sign(request, ADA) == "claimed"
    assert len(told(house, request, EventType.APPROVAL_ESCALATED)) == 1


def test_a_damaged_plan_keeps_no_other_request_from_being_told_of(house: House) -> None:
    damaged, sound = house.ask(), house.ask()
    older(house, damaged, 5)
    older(house, sound, 5)
    with house.database.transaction() as session:
        assert session.connection().execute(_DAMAGE, {"digest": damaged.plan_digest}).rowcount == 1
    house.do(remind_and_escalate)
    assert told(house, damaged, EventType.APPROVAL_REMINDED) == []
    assert len(told(house, sound, EventType.APPROVAL_REMINDED)) == 1
