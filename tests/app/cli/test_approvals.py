"""`queue` and `decide`: what waits, and that nothing but a second person's decision sets it going."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.app.cli.conftest import Office
from tests.installation import orders


def test_the_queue_shows_what_waits_with_its_numbers(shared_office: Office) -> None:
    (row,) = shared_office("queue", "--json", by="ada").document
    assert (row["approval_id"], row["plan_digest"]) == (str(shared_office.request), shared_office.plan)
    assert (row["status"], row["requested_by"]) == ("pending", "paula")
    said = shared_office("queue", by="ada").out
    assert str(shared_office.request) in said
    assert shared_office.plan[:12] in said


def test_the_queue_of_another_status_is_empty_and_says_so(shared_office: Office) -> None:
    assert shared_office("queue", "--status", "rejected", "--json").document == []
    assert shared_office("queue", "--status", "rejected").out == "Nothing is rejected.\n"


def test_approved_by_a_second_person_a_plan_is_posted(office: Office) -> None:
    said = office("decide", office.request, "approve", "--plan", office.plan[:12], "--json", by="ada")
    assert said.status == 0, said.err
    assert (said.document["status"], said.document["decided_by"]) == ("approved", "ada")
    assert said.document["orders"] == {"shipped": 2}
    with office.service() as service:
        assert all(order.erp_id for order in orders(service))


def test_an_approval_says_in_words_what_came_of_it(office: Office) -> None:
    said = office("decide", office.request, "approve", by="ada")
    assert said.out == f"Plan {office.plan[:12]} is approved by ada.\n  2 transfer orders are shipped\n"


def test_a_rejection_needs_a_reason_and_moves_nothing(office: Office) -> None:
    refused = office("decide", office.request, "reject", "--json", by="ada")
    assert (refused.status, refused.document["error"]) == (1, "reason")
    assert "sku_frozen" in refused.document["remedy"]

    done = office("decide", office.request, "reject", "--reason", "sku_frozen", "--sku", "P1", "--words", "a count",
                  "--json", by="ada")  # fmt: skip
    assert (done.status, done.document["status"], done.document["orders"]) == (0, "rejected", {})
    assert (done.document["rejection"]["code"], done.document["rejection"]["skus"]) == ("sku_frozen", ["P1"])
    with office.service() as service:
        assert orders(service) == []


def test_a_reason_that_is_not_complete_is_refused(shared_office: Office) -> None:
    refused = shared_office("decide", shared_office.request, "reject", "--reason", "sku_frozen", "--json", by="ada")
    assert (refused.status, refused.document["error"]) == (1, "reason")


@pytest.mark.parametrize(
    ("by", "code"),
    [(None, "no_token"), ("paula", "role"), ("otto", "role"), ("vera", "role"), ("adam", "role")],
)
def test_without_the_token_of_an_approver_nothing_is_decided(shared_office: Office, by: str | None, code: str) -> None:
    refused = shared_office("decide", shared_office.request, "approve", "--json", by=by)
    assert (refused.status, refused.document["error"]) == (1, code)
    assert refused.document["remedy"]
    with shared_office.service() as service:
        assert orders(service) == []


def test_an_author_does_not_decide_even_with_the_role(office: Office) -> None:
    assert office("people", "add", "paula", "--role", "planner", "--role", "approver", by="adam").status == 0
    refused = office("decide", office.request, "approve", "--json", by="paula")
    assert (refused.status, refused.document["error"]) == (1, "four_eyes")
    assert office("queue", "--json").document[0]["status"] == "pending"


@pytest.mark.parametrize("digest", ["0" * 12, ""])
def test_a_decision_on_another_plan_than_the_one_seen_is_refused(shared_office: Office, digest: str) -> None:
    refused = shared_office("decide", shared_office.request, "approve", "--plan", digest, "--json", by="ada")
    assert (refused.status, refused.document["error"]) == (1, "other_plan")


def test_a_second_decision_is_refused_with_who_made_the_first(shared_dock: Office) -> None:
    refused = shared_dock("decide", shared_dock.request, "approve", "--json", by="bob")
    assert (refused.status, refused.document["error"]) == (1, "already_decided")
    assert refused.document["where"]["decided_by"] == "ada"


def test_a_request_that_there_is_none_of_is_refused(shared_office: Office) -> None:
    refused = shared_office("decide", uuid4(), "approve", "--json", by="ada")
    assert (refused.status, refused.document["error"]) == (1, "unknown_approval")
    assert shared_office("decide", uuid4(), "approve", by="ada").err.startswith(
        "Refused (unknown_approval): there is no"
    )


def test_a_status_that_there_is_none_of_is_refused_with_those_there_are(shared_office: Office) -> None:
    refused = shared_office("queue", "--status", "done", "--json")
    assert (refused.status, refused.document["error"]) == (1, "status")
    assert "pending, approved, rejected" in refused.document["remedy"]


def test_a_request_is_claimed_handed_on_and_given_back_and_the_queue_says_what_is_missing(office: Office) -> None:
    assert "standard: one more signature." in office("queue", by="ada").out
    assert office("claim", office.request, "--json", by="ada").document["claimed_by"] == "ada"
    assert office("claim", office.request, "--to", "bob", by="ada").out.startswith("bob has request")
    assert office("unclaim", office.request, "--json", by="ada").document["error"] == "not_claimed"
    assert office("unclaim", office.request, by="bob").out == f"Request {office.request} is free.\n"


def test_some_lines_of_a_plan_are_approved_and_the_others_are_dropped(office: Office) -> None:
    said = office("decide", office.request, "approve", "--line", "2", "--json", by="ada")
    assert (said.status, said.document["status"]) == (0, "approved")
    assert said.document["plan_digest"] != office.plan
    assert said.document["orders"] == {"shipped": 1}


def test_lending_is_for_policies_that_know_it_and_for_approvers(office: Office) -> None:
    terms = ("--starts", "2020-01-01", "--ends", "2020-01-02", "--reason", "holiday", "--to", "bob", "--json")
    assert office("delegate", *terms, by="ada").document["error"] == "no_delegations"
    assert office("delegate", *terms, by="paula").document["error"] == "role"
    assert office("delegations", by="ada").out == "Nothing is lent.\n"
