"""What happens at the same instant: of everything that people, timers and policies do to a plan at once, one order of it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import Session

from app.approvals.claims import claim, transfer_claim, unclaim
from app.approvals.decisions import decide
from app.approvals.delegations import delegate_to, end_delegation
from app.approvals.edits import edit
from app.approvals.parts import approve_part, approve_together, set_digest
from app.approvals.reminders import remind_and_escalate
from app.approvals.requests import expire_overdue, request_approval, withdraw
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.people import SYSTEM, add_person
from app.auth.roles import Principal, Role
from app.governance.state import activate_policy
from app.governance.stops import set_kill_switch
from app.ledger.append import EventType
from app.ledger.verify import verify
from policies.library import released
from tests.app.approvals.house import ADA, BOB, CY, EAST, PAULA, TWO, WEST, Act, House, approving
from tests.installation import person
from tools.rejections import Rejection, RejectionCode
from tools.transfers import Verdict


@pytest.fixture(autouse=True)
def nothing_is_lost_or_doubled(house: House) -> object:
    """After every race the reservations are those of the orders, and the ledger is whole."""
    yield
    assert house.reserved_units() == sum(order.units for order in house.orders())
    assert verify(house.database).verified


def rejecting(request: ApprovalRequest, by: Principal) -> Act:
    reason = Rejection(code=RejectionCode.OTHER, words="no")
    return lambda session: decide(session, by, request.approval_id, Verdict.REJECT, request.plan_digest, reason)


def editing(request: ApprovalRequest, by: Principal, line_no: int = 1) -> Act:
    return lambda session: edit(session, by, request.approval_id, request.plan_digest, {line_no: 5})


def approving_part(request: ApprovalRequest, by: Principal, line_no: int = 1) -> Act:
    return lambda session: approve_part(session, by, request.approval_id, request.plan_digest, [line_no])


def withdrawing(request: ApprovalRequest) -> Act:
    return lambda session: withdraw(session, request.approval_id, PAULA)


def claiming(request: ApprovalRequest, by: Principal) -> Act:
    return lambda session: claim(session, by, request.approval_id)


def together(by: Principal, *requests: ApprovalRequest) -> Act:
    seen = {request.approval_id: request.plan_digest for request in requests}

    def act(session: Session) -> str:
        done = approve_together(session, by, seen, set_digest(seen))
        return str(sorted(each.status.value for each in done))

    def one_word(session: Session) -> object:
        return act(session) and None

    return one_word


def released_once(house: House, request: ApprovalRequest) -> bool:
    return len(house.orders(request)) == request.lines and house.events(request, EventType.PLAN_APPROVED) == 1


# ---- One decision counts

ONE_WINS: dict[str, tuple[Callable[[ApprovalRequest], Act], Callable[[ApprovalRequest], Act]]] = {
    "two approve": (lambda r: approving(r, ADA), lambda r: approving(r, BOB)),
    "one approves twice": (lambda r: approving(r, ADA), lambda r: approving(r, ADA)),
    "approve and reject": (lambda r: approving(r, ADA), lambda r: rejecting(r, BOB)),
    "approve and edit": (lambda r: approving(r, ADA), lambda r: editing(r, BOB)),
    "two edit": (lambda r: editing(r, ADA, 1), lambda r: editing(r, BOB, 2)),
    "approve all and a part": (lambda r: approving(r, ADA), lambda r: approving_part(r, BOB)),
    "two parts": (lambda r: approving_part(r, ADA, 1), lambda r: approving_part(r, BOB, 2)),
    "edit and a part": (lambda r: editing(r, ADA, 1), lambda r: approving_part(r, BOB, 2)),
    "reject and edit": (lambda r: rejecting(r, ADA), lambda r: editing(r, BOB)),
    "one approves and rejects": (lambda r: approving(r, ADA), lambda r: rejecting(r, ADA)),
}


@pytest.mark.parametrize("names", ONE_WINS)
def test_of_two_that_would_end_a_request_one_does(house: House, names: str) -> None:
    request = house.ask()
    acts = [make(request) for make in ONE_WINS[names]]
    outcomes = house.race(*acts, held=request)
    assert outcomes.count("already_decided") == 1, outcomes
    assert house.now(request) is not ApprovalStatus.PENDING
    assert len({order.approval_id for order in house.orders()}) <= 1


def test_a_plan_that_is_taken_back_while_it_is_approved_is_one_of_both(house: House) -> None:
    request = house.ask()
    outcomes = house.race(approving(request, ADA), withdrawing(request), held=request)
    assert outcomes in (["approved", "not_pending"], ["already_decided", "done"])
    assert bool(house.orders(request)) == (outcomes[0] == "approved")


def test_a_crowd_that_approves_at_once_releases_once(house: House) -> None:
    request = house.ask()
    outcomes = Counter(house.race(*(approving(request, each) for each in (ADA, BOB, CY) * 3), held=request))
    assert outcomes == {"approved": 1, "already_decided": 8}
    assert released_once(house, request)


# ---- Expiry


def test_a_decision_at_the_instant_of_expiry_moves_nothing(house: House) -> None:
    request = house.ask()
    with house.database.transaction() as session:
        late = text("update approval_request set expires_at = now() where approval_id = :id")
        session.connection().execute(late, {"id": request.approval_id})
    assert house.race(approving(request, ADA), expire_overdue) in (["expired", "done"], ["already_decided", "done"])
    house.do(expire_overdue)
    assert house.now(request) is ApprovalStatus.EXPIRED
    assert not house.orders(request)


def test_a_decision_that_is_being_made_is_not_expired_under_the_hands(house: House) -> None:
    request = house.ask()
    with house.database.transaction() as session:
        approving(request, ADA)(session)
        late = text("update approval_request set expires_at = now() where approval_id = :id")
        session.connection().execute(late, {"id": request.approval_id})
        assert house.do(expire_overdue) == "done"
    assert house.now(request) is ApprovalStatus.APPROVED
    assert released_once(house, request)


def test_signatures_of_a_request_that_expires_release_nothing(house: House) -> None:
    request = house.ask(needed=TWO)
    house.sign(request, ADA)
    with house.database.transaction() as session:
        late = text("update approval_request set expires_at = now() where approval_id = :id")
        session.connection().execute(late, {"id": request.approval_id})
    house.race(approving(request, BOB), expire_overdue)
    assert house.sign(request, BOB) in ("expired", "already_decided")
    assert not house.orders(request)


# ---- Several signatures


def test_the_last_two_signatures_at_the_same_instant_release_once(house: House) -> None:
    request = house.ask(needed=TWO)
    outcomes = house.race(approving(request, ADA), approving(request, BOB), held=request)
    assert sorted(outcomes) == ["approved", "pending"]
    assert released_once(house, request)


def test_of_three_signatures_two_are_enough_and_the_third_comes_late(house: House) -> None:
    request = house.ask(needed=TWO)
    outcomes = house.race(*(approving(request, each) for each in (ADA, BOB, CY)), held=request)
    assert sorted(outcomes) == ["already_decided", "approved", "pending"]
    assert released_once(house, request)


def test_one_person_who_signs_twice_at_once_has_signed_once(house: House) -> None:
    request = house.ask(needed=TWO)
    outcomes = house.race(approving(request, ADA), approving(request, ADA), held=request)
    assert sorted(outcomes) == ["already_signed", "pending"]
    assert not house.orders(request)


def test_a_rejection_beside_the_last_signature_is_one_of_both(house: House) -> None:
    request = house.ask(needed=TWO)
    house.sign(request, ADA)
    outcomes = house.race(approving(request, BOB), rejecting(request, CY), held=request)
    assert sorted(outcomes) in (["already_decided", "approved"], ["already_decided", "rejected"])
    assert bool(house.orders(request)) == ("approved" in outcomes)


def test_both_ends_at_the_same_instant_release_once(house: House) -> None:
    request = house.ask("far")
    assert sorted(house.race(approving(request, EAST), approving(request, WEST), held=request)) == [
        "approved",
        "pending",
    ]
    assert released_once(house, request)


# ---- People change meanwhile


def becoming(somebody: Principal) -> Act:
    return lambda session: add_person(session, somebody, by=SYSTEM)


@pytest.mark.parametrize(
    ("ada", "code"),
    [
        (person("ada", Role.VIEWER), "role"),
        (person("ada", Role.APPROVER, sites=frozenset({"S3"})), "scope"),
        (person("ada", Role.APPROVER, value_limit_minor=1), "value_limit"),
        (person("ada", Role.PLANNER), "role"),
    ],
)
def test_what_somebody_may_is_what_they_may_when_the_decision_is_made(house: House, ada: Principal, code: str) -> None:
    request = house.ask()
    outcomes = house.race(becoming(ada), approving(request, ADA))
    assert outcomes[1] in ("approved", code)
    assert bool(house.orders(request)) == (outcomes[1] == "approved")
    assert outcomes[1] != code or house.sign(request, BOB) == "approved"


def test_a_role_that_is_taken_while_a_decision_waits_in_the_queue_counts(house: House) -> None:
    request = house.ask()
    with house.database.transaction() as holder:
        holder.connection().execute(text("select 1 from approval_request for update"))
        house.admit(person("ada", Role.VIEWER))
        assert house.do(becoming(person("ada", Role.VIEWER))) == "done"
    assert house.sign(request, ADA) == "role"


def test_whoever_asks_for_the_plan_while_they_approve_it_does_not_do_both(house: House) -> None:
    house.admit(person("ada", Role.PLANNER, Role.APPROVER))
    plan = house.plan()
    request = house.ask(plan=plan)

    def asking_again(session: Session) -> object:
        return request_approval(session, plan, released("2027-01").tiers[0], ["ada"], "another thread")

    outcomes = house.race(asking_again, approving(request, ADA), held=request)
    assert outcomes[1] in ("approved", "four_eyes")
    assert bool(house.orders(request)) == (outcomes[1] == "approved")


def test_being_away_counts_from_the_instant_it_is_said(house: House) -> None:
    request = house.ask()
    away: Act = lambda session: delegate_to(session, ADA, house.loan(session, None, away=True))  # noqa: E731
    outcomes = house.race(away, approving(request, ADA))
    assert outcomes[1] in ("approved", "away")
    assert house.sign(house.ask(), ADA) == "away"


# ---- Delegations


def test_a_delegation_that_ends_while_its_delegate_decides_is_one_of_both(house: House) -> None:
    request = house.ask()
    house.admit(person("ada", Role.APPROVER), person("east", Role.APPROVER, sites=frozenset({"S1"})))
    lent = house.lend(ADA, EAST)
    end: Act = lambda session: end_delegation(session, ADA, lent)  # noqa: E731
    outcomes = house.race(end, approving(request, EAST))
    assert outcomes[1] in ("approved", "scope")
    assert bool(house.orders(request)) == (outcomes[1] == "approved")


def test_lender_and_delegate_at_the_same_instant_are_one_signature(house: House) -> None:
    request = house.ask(needed=TWO)
    house.lend(ADA, EAST)
    outcomes = house.race(approving(request, ADA), approving(request, EAST), held=request)
    assert sorted(outcomes) == ["already_signed", "pending"]
    assert house.sign(request, BOB) == "approved"


def test_a_signature_on_a_loan_does_not_count_once_the_loan_is_over(house: House) -> None:
    request = house.ask(needed=TWO)
    lent = house.lend(ADA, EAST)
    assert house.sign(request, EAST) == "pending"
    house.do(lambda session: end_delegation(session, ADA, lent))
    assert house.sign(request, BOB) == "pending"
    assert house.sign(request, CY) == "approved"


def test_two_loans_that_would_make_a_loop_together_make_none(house: House) -> None:
    acts: list[Act] = [
        lambda session: delegate_to(session, ADA, house.loan(session, BOB)),
        lambda session: delegate_to(session, BOB, house.loan(session, ADA)),
    ]
    assert sorted(house.race(*acts)) == ["done", "loop"]


# ---- Claims


def test_of_two_claims_at_the_same_instant_one_counts(house: House) -> None:
    request = house.ask()
    outcomes = house.race(claiming(request, ADA), claiming(request, BOB), held=request)
    assert sorted(outcomes) == ["claimed", "done"]


def test_a_claim_beside_somebody_elses_decision_is_one_of_both(house: House) -> None:
    request = house.ask()
    outcomes = house.race(claiming(request, ADA), approving(request, BOB), held=request)
    assert outcomes in (["done", "claimed"], ["not_pending", "approved"])
    assert bool(house.orders(request)) == (outcomes[1] == "approved")


def test_a_lease_that_has_run_out_is_taken_over_by_one(house: House) -> None:
    request = house.ask()
    house.do(claiming(request, ADA))
    with house.database.transaction() as session:
        session.connection().execute(text("update approval_request set claimed_until = now()"))
    outcomes = house.race(claiming(request, BOB), claiming(request, CY), held=request)
    assert sorted(outcomes) == ["claimed", "done"]
    assert house.do(lambda session: unclaim(session, ADA, request.approval_id)) == "not_claimed"


def test_a_claim_is_handed_on_or_given_back_and_not_both(house: House) -> None:
    request = house.ask()
    house.do(claiming(request, ADA))
    hand: Act = lambda session: transfer_claim(session, ADA, request.approval_id, "bob")  # noqa: E731
    give: Act = lambda session: unclaim(session, ADA, request.approval_id)  # noqa: E731
    assert sorted(house.race(hand, give, held=request)) == ["done", "not_claimed"]


def test_two_ticks_remind_once(house: House) -> None:
    request = house.ask()
    with house.database.transaction() as session:
        session.connection().execute(
            text("update approval_request set requested_at = now() - interval '5 hours' where approval_id = :id"),
            {"id": request.approval_id},
        )

    def tick(_session: Session) -> object:
        return remind_and_escalate(house.database)

    house.race(tick, tick)
    remind_and_escalate(house.database)
    assert house.events(request, EventType.APPROVAL_REMINDED) == 1


def test_an_escalation_lets_go_of_a_claim_and_never_of_a_decision(house: House) -> None:
    request = house.ask()
    house.do(claiming(request, ADA))
    with house.database.transaction() as session:
        session.connection().execute(
            text("update approval_request set requested_at = now() - interval '9 hours' where approval_id = :id"),
            {"id": request.approval_id},
        )

    def tick(_session: Session) -> object:
        return remind_and_escalate(house.database)

    outcomes = house.race(tick, approving(request, BOB))
    assert outcomes[1] in ("approved", "claimed")
    remind_and_escalate(house.database)
    assert outcomes[1] == "approved" or house.sign(request, BOB) == "approved"
    assert released_once(house, request)


# ---- Sets, and what governs


def test_a_set_and_one_of_its_plans_alone_release_each_plan_once(house: House) -> None:
    first, second = house.ask(), house.ask("near")
    outcomes = house.race(together(ADA, first, second), approving(second, BOB), held=second)
    assert outcomes in (["done", "already_decided"], ["already_decided", "approved"], ["already_decided", "outrun"])
    assert house.events(second, EventType.PLAN_APPROVED) <= 1


def test_two_sets_in_opposite_order_do_not_lock_each_other_out(house: House) -> None:
    first, second = house.ask(), house.ask()
    outcomes = house.race(together(ADA, first, second), together(BOB, second, first))
    assert sorted(outcomes) == ["already_decided", "done"]


def test_two_plans_on_one_truck_are_not_both_released(house: House) -> None:
    first, second = house.ask(), house.ask()
    outcomes = house.race(approving(first, ADA), approving(second, BOB))
    assert sorted(outcomes) == ["approved", "outrun"]


def test_after_the_kill_switch_nothing_is_approved(house: House) -> None:
    request = house.ask()
    stop: Act = lambda session: set_kill_switch(session, engaged=True, actor="otto", reason="a recall")  # noqa: E731
    outcomes = house.race(stop, approving(request, ADA))
    assert outcomes[1] in ("approved", "kill_switch")
    assert bool(house.orders(request)) == (outcomes[1] == "approved")


def test_a_plan_is_approved_under_the_policy_in_force_or_goes_back(house: House) -> None:
    request = house.ask()
    other: Act = lambda session: activate_policy(session, "2026-12", "otto", "back")  # noqa: E731
    outcomes = house.race(other, approving(request, ADA))
    assert outcomes[1] in ("approved", "outrun")
    assert bool(house.orders(request)) == (outcomes[1] == "approved")


def test_an_id_that_nobody_knows_wins_no_race(house: House) -> None:
    nowhere: Act = lambda session: claim(session, ADA, UUID(int=1))  # noqa: E731
    assert set(house.race(nowhere, nowhere)) == {"unknown_approval"}
