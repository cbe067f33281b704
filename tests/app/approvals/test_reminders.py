"""Reminders and escalations: to whom they go, and that a damaged plan keeps no other request from being told of."""

from __future__ import annotations

import json
from collections.abc import Callable

from sqlalchemy import event, text
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


def told(house: House, request: ApprovalRequest, kind: EventType) -> list[list[str]]:
    """To whom such an event of the request went."""
    query = select(LedgerEvent).where(
        LedgerEvent.type == kind, col(LedgerEvent.key).startswith(f"approval/{request.approval_id}/")
    )
    with house.database.transaction() as session:
        return [json.loads(row.body)["facts"]["to"] for row in session.exec(query).all()]


def test_an_escalation_goes_first_to_who_has_every_site_however_many_there_are(house: House) -> None:
    request = house.ask()
    many = [f"aa{number:02}" for number in range(PEOPLE_NAMED_MAX + 2)]
    house.admit(*(person(each, Role.APPROVER, sites=frozenset(request.sites)) for each in many))
    older(house, request, 9)
    remind_and_escalate(house.database)
    house.admit(*map(person, many))
    (people,) = told(house, request, EventType.APPROVAL_ESCALATED)
    assert people[:3] == ["ada", "bob", "cy"]
    assert len(people) == PEOPLE_NAMED_MAX


def test_a_claim_from_before_an_escalation_keeps_nobody_from_deciding(house: House) -> None:
    request = house.ask()
    house.do(lambda session: claim(session, ADA, request.approval_id))
    assert house.sign(request, BOB) == "claimed"
    older(house, request, 9)
    remind_and_escalate(house.database)
    with house.database.transaction() as session:
        assert claimed_by(session, get_request(session, request.approval_id)) is None
    assert house.sign(request, BOB) == "approved"


def test_after_an_escalation_a_claim_counts_that_is_made_anew_and_the_next_tick_leaves_it(house: House) -> None:
    request = house.ask()
    older(house, request, 9)
    remind_and_escalate(house.database)
    house.do(lambda session: claim(session, BOB, request.approval_id))
    remind_and_escalate(house.database)
    assert house.sign(request, ADA) == "claimed"
    assert len(told(house, request, EventType.APPROVAL_ESCALATED)) == 1


def test_a_damaged_plan_keeps_no_other_request_from_being_told_of(house: House) -> None:
    damaged, sound = house.ask(), house.ask()
    older(house, damaged, 5)
    older(house, sound, 5)
    with house.database.transaction() as session:
        assert session.connection().execute(_DAMAGE, {"digest": damaged.plan_digest}).rowcount == 1
    remind_and_escalate(house.database)
    assert told(house, damaged, EventType.APPROVAL_REMINDED) == []
    assert len(told(house, sound, EventType.APPROVAL_REMINDED)) == 1


def test_of_thousands_of_people_only_those_who_may_decide_are_asked_about_one_by_one(house: House) -> None:
    request = house.ask()
    others = [f"aa{number:02}" for number in range(40)]
    elsewhere, poor = others[:10], others[10:20]
    house.admit(
        *(person(each, Role.PLANNER) for each in others[20:]),
        *(person(each, Role.APPROVER, sites=frozenset({"S9"})) for each in elsewhere),
        *(person(each, Role.APPROVER, value_limit_minor=0) for each in poor),
    )
    older(house, request, 5)
    asked = statements(house, lambda: remind_and_escalate(house.database))
    house.admit(*map(person, others))
    assert told(house, request, EventType.APPROVAL_REMINDED) == [["ada", "bob", "cy"]]
    assert not [parameters for parameters in asked if set(others) & set(map(str, parameters))]


def test_whoever_was_lent_sites_or_a_limit_is_told_as_well(house: House) -> None:
    request = house.ask()
    house.admit(
        person("aa-lent", Role.APPROVER, sites=frozenset({"S9"}), value_limit_minor=0),
        person("ab-not-lent", Role.APPROVER, sites=frozenset({"S9"}), value_limit_minor=0),
    )
    house.lend(ADA, person("aa-lent"))
    older(house, request, 5)
    remind_and_escalate(house.database)
    house.admit(person("aa-lent"), person("ab-not-lent"))
    assert told(house, request, EventType.APPROVAL_REMINDED) == [["aa-lent", "ada", "bob", "cy"]]


def test_a_request_that_somebody_is_deciding_on_waits_for_the_next_tick_and_keeps_no_other(house: House) -> None:
    decided, other = house.ask(), house.ask()
    older(house, decided, 5)
    older(house, other, 5)
    with house.database.transaction() as session:
        get_request(session, decided.approval_id, lock=True)
        assert remind_and_escalate(house.database) == 1
        assert len(told(house, other, EventType.APPROVAL_REMINDED)) == 1
    assert remind_and_escalate(house.database) == 1
    assert len(told(house, decided, EventType.APPROVAL_REMINDED)) == 1


def test_a_decision_on_one_request_does_not_wait_until_all_are_told_of(house: House) -> None:
    first, second = house.ask(), house.ask()
    older(house, first, 6)
    older(house, second, 5)
    signed: list[str] = []

    def note(_connection: object, _cursor: object, _statement: str, parameters: object, *_: object) -> None:
        if str(second.approval_id) in str(parameters) and not signed:
            signed.append("…")
            signed[:] = [house.sign(first, ADA)]

    event.listen(house.database.engine, "before_cursor_execute", note)
    try:
        assert remind_and_escalate(house.database) == 2
    finally:
        event.remove(house.database.engine, "before_cursor_execute", note)
    assert signed == ["approved"]


def statements(house: House, act: Callable[[], object]) -> list[tuple[object, ...]]:
    """The parameters of every statement that is sent meanwhile."""
    sent: list[tuple[object, ...]] = []

    def note(_connection: object, _cursor: object, _statement: str, parameters: object, *_: object) -> None:
        sent.append(tuple(parameters.values() if isinstance(parameters, dict) else parameters))  # type: ignore[arg-type]  # a tuple, as the driver has it

    event.listen(house.database.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(house.database.engine, "before_cursor_execute", note)
    return sent
