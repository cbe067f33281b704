"""Plans that need several signatures: who counts, when they are complete, and what happens to signatures meanwhile."""

from __future__ import annotations

from app.approvals.tables import ApprovalStatus
from app.approvals.views import approval_view
from app.auth.roles import Role
from app.ledger.append import EventType
from app.ledger.verify import verify
from tests.app.approvals.house import ADA, BOB, CY, EAST, TWO, WEST, House
from tests.installation import person


def test_a_small_plan_within_a_legal_entity_needs_one_signature(house: House) -> None:
    request = house.ask("near")
    assert house.sign(request, ADA) == "approved"
    assert len(house.orders(request)) == request.lines


def test_a_plan_that_needs_two_moves_nothing_before_the_second_has_signed(house: House) -> None:
    request = house.ask("near", needed=TWO)
    assert house.sign(request, ADA) == "pending"
    assert not house.orders(request)
    assert house.reserved_units() == 0
    assert house.sign(request, BOB) == "approved"
    assert len(house.orders(request)) == request.lines
    assert house.events(request, EventType.PLAN_SIGNED) == 2
    assert house.events(request, EventType.PLAN_APPROVED) == 1
    assert verify(house.database).verified


def test_between_legal_entities_each_end_signs_for_its_sites(house: House) -> None:
    request = house.ask("far")
    assert house.sign(request, EAST) == "pending"
    assert house.sign(request, person("east", Role.APPROVER, sites=frozenset({"S1", "S3"}))) == "already_signed"
    with house.database.transaction() as session:
        view = approval_view(session, ADA, request, detailed=True)
        masked = approval_view(session, EAST, request)
    assert view.signing.words == (
        "both ends between legal entities: one more signature and a signature for the receiving S3."
    )
    assert view.signing.may_sign == ["ada", "bob", "cy", "west"]
    assert "S3" not in masked.model_dump_json()
    assert "1 site outside your scope" in masked.signing.words
    assert house.sign(request, WEST) == "approved"


def test_two_of_the_same_end_are_not_both_ends(house: House) -> None:
    other = person("eva", Role.APPROVER, sites=frozenset({"S1"}))
    house.admit(other)
    request = house.ask("far")
    assert [house.sign(request, each) for each in (EAST, other)] == ["pending", "pending"]
    assert house.sign(request, WEST) == "approved"


def test_an_approver_of_one_end_cannot_sign_a_plan_that_is_not_signed_by_ends(house: House) -> None:
    assert house.sign(house.ask("near", needed=TWO), EAST) == "scope"


def test_a_signature_of_somebody_who_lost_the_role_does_not_count_and_counts_again_with_it(house: House) -> None:
    request = house.ask("near", needed=TWO)
    assert house.sign(request, ADA) == "pending"
    house.admit(person("ada", Role.VIEWER))
    assert house.sign(request, BOB) == "pending"
    assert house.sign(request, CY) == "approved"


def test_a_signature_does_not_count_once_the_scope_is_narrower(house: House) -> None:
    request = house.ask("far")
    assert house.sign(request, WEST) == "pending"
    house.admit(person("west", Role.APPROVER, sites=frozenset({"S2"})))
    assert house.sign(request, EAST) == "pending"
    assert house.sign(request, ADA) == "approved"


def test_a_signature_does_not_count_once_the_limit_is_lower(house: House) -> None:
    request = house.ask("near", needed=TWO)
    assert house.sign(request, ADA) == "pending"
    house.admit(person("ada", Role.APPROVER, value_limit_minor=1))
    assert house.sign(request, BOB) == "pending"
    assert house.now(request) is ApprovalStatus.PENDING


def test_whoever_asks_again_after_signing_is_an_author_and_their_signature_does_not_count(house: House) -> None:
    request = house.ask("near", needed=TWO)
    assert house.sign(request, ADA) == "pending"
    with house.database.transaction() as session:
        row = session.get_one(type(request), request.approval_id)
        row.authors = [*row.authors, "ada"]
        session.add(row)
    assert house.sign(request, BOB) == "pending"
    assert not house.orders(request)
