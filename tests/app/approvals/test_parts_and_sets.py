"""Approving some lines of a plan, several plans at once, by delegation, by claim; and what rejections leave behind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from app.approvals.claims import claim, transfer_claim
from app.approvals.decisions import decide
from app.approvals.delegations import delegate_to, delegations_of, end_delegation
from app.approvals.edits import edit
from app.approvals.needs import needed_of
from app.approvals.parts import approve_part, approve_together, set_digest
from app.approvals.reasons import reasons_counted, with_standing_reasons
from app.approvals.requests import get_request, request_approval
from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.auth.roles import Principal, Role
from app.db.database import database_now
from app.governance.state import activate_policy
from app.plans.store import read_plan
from policies.library import released
from tests.app.approvals.house import ADA, BOB, CY, EAST, PAULA, TWO, WEST, Act, House, approving
from tests.installation import person
from tools.rejections import Rejection, RejectionCode
from tools.transfers import PlanRequest, Verdict


def part(house: House, request: ApprovalRequest, by: Principal, *line_nos: int) -> tuple[str, ApprovalRequest]:
    """What comes of approving some lines, and the request that stands in the first one's place."""
    act: Act = lambda session: approve_part(session, by, request.approval_id, request.plan_digest, line_nos)  # noqa: E731
    word = house.do(act)
    with house.database.transaction() as session:
        first = get_request(session, request.approval_id)
        return word, first if first.superseded_by is None else get_request(session, first.superseded_by)


NO = Rejection(code=RejectionCode.OTHER, words="no")

# ---- Parts


def test_some_lines_are_a_plan_of_their_own_that_the_same_approver_releases(house: House) -> None:
    request = house.ask()
    word, smaller = part(house, request, ADA, 2)
    assert (word, house.now(request)) == ("approved", ApprovalStatus.SUPERSEDED)
    assert (smaller.status, smaller.authors) == (ApprovalStatus.APPROVED, ["paula"])
    (order,) = house.orders()
    with house.database.transaction() as session:
        before, after = read_plan(session, request.plan_digest), read_plan(session, smaller.plan_digest)
    assert (order.plan_digest, order.sku_id, order.units) == (
        after.digest,
        before.lines[1].sku_id,
        before.lines[1].units,
    )
    assert after.saving_minor != before.saving_minor, "it is valued anew"


def test_a_part_needs_every_signature_that_the_whole_needed(house: House) -> None:
    request = house.ask(needed=TWO)
    word, smaller = part(house, request, ADA, 1)
    assert (word, smaller.status) == ("pending", ApprovalStatus.PENDING)
    assert "two" in {demand.name for demand in needed_of(smaller).demands}
    assert house.sign(smaller, ADA) == "already_signed"
    assert house.sign(smaller, BOB) == "approved"


def test_signatures_on_the_whole_are_none_on_its_part(house: House) -> None:
    request = house.ask(needed=TWO)
    assert house.sign(request, ADA) == "pending"
    word, smaller = part(house, request, BOB, 1)
    assert word == "pending"
    assert house.sign(smaller, CY) == "approved"


def test_an_edit_needs_every_signature_that_the_whole_needed(house: House) -> None:
    request = house.ask(needed=TWO)
    house.do(lambda session: edit(session, ADA, request.approval_id, request.plan_digest, {1: 3}))
    with house.database.transaction() as session:
        successor = get_request(session, get_request(session, request.approval_id).superseded_by or request.approval_id)
    assert house.sign(successor, ADA) == "four_eyes"
    assert [house.sign(successor, each) for each in (BOB, CY)] == ["pending", "approved"]


@pytest.mark.parametrize(("line_nos", "code"), [((), "lines"), ((1, 2), "lines"), ((1, 9), "lines")])
def test_a_part_is_some_lines_of_the_plan_and_not_all(house: House, line_nos: tuple[int, ...], code: str) -> None:
    request = house.ask()
    assert part(house, request, ADA, *line_nos)[0] == code
    assert house.now(request) is ApprovalStatus.PENDING


def test_an_author_approves_no_part(house: House) -> None:
    house.admit(person("paula", Role.PLANNER, Role.APPROVER))
    assert part(house, house.ask(), PAULA, 1)[0] == "four_eyes"


# ---- Whose hands are in a plan


def test_a_hand_in_the_same_plan_in_another_thread_stays_one(house: House) -> None:
    plan = house.plan()
    tier = released("2027-01").tiers[0]
    request = house.ask(plan=plan)
    with house.database.transaction() as session:
        request_approval(session, plan, tier, ["ada"], "a thread of Ada's")
        decide(session, BOB, request.approval_id, Verdict.REJECT, plan.digest, NO)
    again = house.ask(plan=plan)
    assert set(again.authors) == {"ada", "paula"}
    assert house.sign(again, ADA) == "four_eyes"


def test_a_hand_in_the_plan_that_an_edit_came_from_is_one_in_the_edit_asked_for_elsewhere(house: House) -> None:
    request = house.ask()
    with house.database.transaction() as session:
        done = edit(session, ADA, request.approval_id, request.plan_digest, {1: 3})
        plan = read_plan(session, done.successor.plan_digest)
        decide(session, BOB, done.successor.approval_id, Verdict.REJECT, plan.digest, NO)
        again = request_approval(session, plan, released("2027-01").tiers[0], ["zoe"], "another thread")
    assert set(again.authors) == {"ada", "paula", "zoe"}


def test_the_successor_is_found_after_any_number_of_attempts(house: House) -> None:
    plan = house.plan()
    first: list[ApprovalRequest] = []
    for _ in range(22):
        request = house.ask(plan=plan)
        first.append(request)
        with house.database.transaction() as session:
            successor = edit(session, ADA, request.approval_id, plan.digest, {1: 3}).successor
        # In a transaction of its own: decisions that take no time at all would change what the house takes for their latency.
        with house.database.transaction() as session:
            decide(session, BOB, successor.approval_id, Verdict.REJECT, successor.plan_digest, NO)
    with house.database.transaction() as session:
        assert all(get_request(session, each.approval_id).superseded_by is not None for each in first)


# ---- Sets


def test_a_set_is_bound_to_one_digest_and_released_as_a_whole(house: House) -> None:
    requests = [house.ask("near"), house.ask("far")]
    seen = {each.approval_id: each.plan_digest for each in requests}
    with house.database.transaction() as session:
        activate_policy(session, "2027-01", "otto", "as it is")
    assert house.do(lambda session: approve_together(session, ADA, seen, "0" * 64) and None) == "set_digest"
    assert house.do(lambda session: approve_together(session, ADA, seen, set_digest(seen)) and None) == "no_bulk"
    assert {house.now(each) for each in requests} == {ApprovalStatus.PENDING}
    alone = {requests[0].approval_id: requests[0].plan_digest}
    assert house.do(lambda session: approve_together(session, ADA, alone, set_digest(alone)) and None) == "done"
    assert house.now(requests[0]) is ApprovalStatus.APPROVED


def test_a_set_with_a_plan_that_may_not_be_decided_on_changes_nothing(house: House) -> None:
    house.admit(person("bob", Role.APPROVER, value_limit_minor=1))
    requests = [house.ask(), house.ask()]
    seen = {each.approval_id: each.plan_digest for each in requests}
    assert house.do(lambda session: approve_together(session, BOB, seen, set_digest(seen)) and None) == "value_limit"
    assert {house.now(each) for each in requests} == {ApprovalStatus.PENDING}


# ---- Delegations


def test_a_delegate_decides_with_the_sites_that_were_lent_and_no_longer(house: House) -> None:
    lent = house.lend(ADA, EAST)
    first = house.ask()
    assert house.sign(first, EAST) == "approved"
    with house.database.transaction() as session:
        assert [row.delegate for row in delegations_of(session, "ada")] == ["east"]
        end_delegation(session, EAST, lent)
    assert house.sign(house.ask(), EAST) == "scope"


def test_a_delegate_adds_nothing_to_what_the_lender_has_signed(house: House) -> None:
    request = house.ask(needed=TWO)
    house.lend(ADA, EAST)
    assert house.sign(request, ADA) == "pending"
    assert house.sign(request, EAST) == "already_signed"


def test_nobody_lends_more_than_they_have_when_it_is_used(house: House) -> None:
    request = house.ask()
    house.lend(ADA, EAST, value_limit_minor=1)
    assert house.sign(request, EAST) == "scope"
    house.lend(BOB, EAST)
    house.admit(person("bob", Role.APPROVER, sites=frozenset({"S2"})))
    assert house.sign(request, EAST) == "scope"
    house.admit(person("bob", Role.VIEWER))
    assert house.sign(request, EAST) == "scope"


def test_an_author_lends_nobody_a_decision_on_their_plan_and_is_lent_none(house: House) -> None:
    house.admit(person("paula", Role.PLANNER, Role.APPROVER))
    request = house.ask()
    house.lend(PAULA_AS_APPROVER, EAST)
    assert house.sign(request, EAST) == "scope"
    house.lend(ADA, PAULA_AS_APPROVER)
    assert house.sign(request, PAULA) == "four_eyes"


PAULA_AS_APPROVER = person("paula", Role.PLANNER, Role.APPROVER)


def test_what_was_lent_is_not_lent_on(house: House) -> None:
    house.lend(ADA, WEST)
    house.lend(WEST, EAST)
    assert house.sign(house.ask(), EAST) == "scope"


@pytest.mark.parametrize(
    ("by", "to", "terms", "code"),
    [
        (ADA, ADA, {}, "delegate"),
        (ADA, PAULA, {}, "delegate"),
        (ADA, None, {}, "delegate"),
        (PAULA, BOB, {}, "role"),
        (EAST, BOB, {"sites": ("S2",)}, "scope"),
        (ADA, BOB, {"reason": " "}, "reason_missing"),
        (ADA, BOB, {"days": 40}, "dates"),
        (ADA, BOB, {"days": -1}, "dates"),
    ],
)
def test_a_loan_that_makes_no_sense_is_refused(
    house: House, by: Principal, to: Principal | None, terms: dict[str, object], code: str
) -> None:
    def act(session: Session) -> object:
        more = dict(terms)
        if "days" in more:
            more["ends_at"] = database_now(session) + timedelta(days=int(str(more.pop("days"))))
        return delegate_to(session, by, house.loan(session, to, **more))

    assert house.do(act) == code


def test_no_older_policy_knows_delegations(house: House) -> None:
    house.do(lambda session: activate_policy(session, "2026-12", "otto", "back"))
    assert house.do(lambda session: delegate_to(session, ADA, house.loan(session, BOB))) == "no_delegations"


# ---- Claims


def test_a_claim_keeps_others_from_deciding_until_it_is_handed_on(house: House) -> None:
    request = house.ask()
    house.do(lambda session: claim(session, ADA, request.approval_id))
    assert house.sign(request, BOB) == "claimed"
    assert house.do(lambda session: transfer_claim(session, ADA, request.approval_id, "paula")) == "role"
    house.do(lambda session: transfer_claim(session, ADA, request.approval_id, "bob"))
    assert house.sign(request, ADA) == "claimed"
    assert house.sign(request, BOB) == "approved"


def test_a_claim_of_somebody_who_decides_no_more_keeps_nobody_out(house: House) -> None:
    request = house.ask()
    house.do(lambda session: claim(session, ADA, request.approval_id))
    house.admit(person("ada", Role.VIEWER))
    assert house.sign(request, BOB) == "approved"


# ---- Reasons


def test_reasons_are_counted_for_whoever_sees_the_plans(house: House) -> None:
    with house.database.transaction() as session:
        before = dict(reasons_counted(session, ADA, 90))
    _rejected(house, "near", Rejection(code=RejectionCode.TOO_SMALL, words="not worth a van", line_nos=(1,)), "t1")
    with house.database.transaction() as session:
        after = dict(reasons_counted(session, ADA, 90))
        elsewhere = dict(reasons_counted(session, WEST, 90))
    assert after[RejectionCode.TOO_SMALL] == before.get(RejectionCode.TOO_SMALL, 0) + 1
    assert RejectionCode.TOO_SMALL not in elsewhere


def test_a_reason_stands_against_the_next_plans_of_its_thread_and_no_other(house: House) -> None:
    plan = _rejected(house, "near", Rejection(code=RejectionCode.SITE_KEEPS_SKU, words="ours", line_nos=(1,)), "t2")
    _rejected(house, "near", Rejection(code=RejectionCode.TOO_MANY_UNITS, words="less", limit=3), "t2")
    _rejected(house, "near", NO, "t2")
    with house.database.transaction() as session:
        found = with_standing_reasons(session, PlanRequest(), "t2").overlays
        other = with_standing_reasons(session, PlanRequest(), "t3")
        activate_policy(session, "2026-12", "otto", "back")
        older = with_standing_reasons(session, PlanRequest(), "t2")
    (kept,) = found.send_caps
    assert (kept.site_id, kept.sku_id, kept.units) == ("S1", plan.lines[0].sku_id, 0)
    assert found.max_units is None, "a ceiling was about one plan"
    assert other == older == PlanRequest()


def _rejected(house: House, name: str, reason: Rejection, thread_id: str):
    request = house.ask(name)
    with house.database.transaction() as session:
        row = session.get_one(ApprovalRequest, request.approval_id)
        row.thread_id = thread_id
        session.add(row)
        session.flush()
        decide(session, ADA, request.approval_id, Verdict.REJECT, request.plan_digest, reason)
        return read_plan(session, request.plan_digest)


def test_the_queue_of_a_house_holds_no_leftovers(house: House) -> None:
    with house.database.transaction() as session:
        pending = select(ApprovalRequest).where(ApprovalRequest.status == ApprovalStatus.PENDING)
        assert session.exec(pending).all() == []
    assert house.do(approving(house.ask(), ADA)) == "approved"
