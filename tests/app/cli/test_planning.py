"""`scan`, `chat` and `show`."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.app.cli.conftest import Office
from tests.installation import orders


def test_a_scan_ends_with_a_plan_in_the_queue(office: Office) -> None:
    said = office("scan", "--sku", "P2", "--json", by="paula").document
    assert (said["kind"], said["status"]) == ("scan", "waiting")
    digests = {row["plan_digest"] for row in office("queue", "--json").document}
    assert len(digests) == 2
    (new,) = digests - {office.plan}
    assert {line["sku_id"] for line in office("show", new, "--json").document["lines"]} == {"P2"}


def test_a_scan_of_a_part_that_is_in_balance_says_so(office: Office) -> None:
    said = office("scan", "--site", "S3", by="paula")
    assert said.status == 0, said.err
    assert "nothing worth moving" in said.out.lower()


def test_a_scan_needs_the_role(shared_office: Office) -> None:
    refused = shared_office("scan", "--json", by="vera")
    assert (refused.status, refused.document["error"]) == (1, "role")


def test_one_thing_said_gets_one_answer_in_a_thread_to_go_on_in(office: Office) -> None:
    first = office("chat", "where are we out of balance?", "--json", by="paula").document
    assert first["status"] == "done"
    assert "P1" in first["words"]
    again = office("chat", "--thread", first["thread_id"], "what is the stock of P1?", by="paula")
    assert again.status == 0, again.err
    assert f"(thread {first['thread_id']})" in again.out


def test_words_without_quotes_are_one_message_and_move_nothing(office: Office) -> None:
    said = office("chat", "rebalance", "P2", "and", "approve", "it", "--json", by="paula")
    assert said.status == 0, said.err
    with office.service() as service:
        assert orders(service) == []
        messages = service.driver.state(UUID(said.document["thread_id"])).values["messages"]
    assert messages[0].content == "rebalance P2 and approve it"


def test_a_chat_with_nothing_said_and_nobody_at_the_terminal_is_refused(shared_office: Office) -> None:
    refused = shared_office("chat", "--json", by="paula")
    assert (refused.status, refused.document["error"]) == (1, "nothing_said")


def test_the_thread_of_somebody_else_is_none(office: Office) -> None:
    thread = office("chat", "what is the stock of P1?", "--json", by="paula").document["thread_id"]
    refused = office("chat", "--thread", thread, "and P2?", "--json", by="bob")
    assert (refused.status, refused.document["error"]) == (1, "role")
    pia = office("people", "add", "pia", "--role", "planner", "--json", by="adam").document["token"]
    refused = office.shell("chat", "--thread", thread, "and P2?", "--json", token=pia)
    assert (refused.status, refused.document["error"]) == (1, "unknown_thread")


def test_a_plan_is_shown_line_by_line(shared_dock: Office) -> None:
    shown = shared_dock("show", shared_dock.plan, "--json").document
    assert shown["digest"] == shared_dock.plan
    assert {(line["origin"], line["destination"]) for line in shown["lines"]} == {("S1", "S2")}
    said = shared_dock("show", shared_dock.plan[:12]).out
    assert said.startswith(f"Plan {shared_dock.plan}\n")
    assert "expected fill rate" in said


def test_a_request_and_an_order_are_shown_by_their_ids(shared_dock: Office) -> None:
    request = shared_dock("show", shared_dock.request, "--json").document
    assert (request["status"], request["decided_by"]) == ("approved", "ada")
    order = shared_dock("orders", "--json").document[0]
    assert shared_dock("show", order["transfer_id"], "--json").document == order
    assert f"transfer id            {order['transfer_id']}" in shared_dock("show", order["transfer_id"]).out


@pytest.mark.parametrize("name", ["00000000-0000-4000-8000-000000000000", "0" * 64, "54", "", "%", "--"])
def test_an_id_that_there_is_none_of_is_refused(shared_office: Office, name: str) -> None:
    refused = shared_office("show", "--json", "--", name)
    assert (refused.status, refused.document["error"]) == (1, "unknown_id")


def test_a_line_of_a_plan_is_explained(office: Office) -> None:
    shown = office("show", office.plan, "--line", "1", by="paula")
    assert shown.status == 0, shown.err
    assert shown.out.startswith("Line 1: ")
    assert "The plan without it would save" in shown.out
    document = office("show", office.plan, "--line", "1", "--json", by="paula").document
    assert (document["line_no"], document["words"]) == (1, shown.out.strip().removeprefix("Line 1: "))


def test_only_a_line_that_a_plan_has_can_be_explained(office: Office) -> None:
    refused = office("show", office.plan, "--line", "999", "--json", by="paula")
    assert (refused.status, refused.document["error"]) == (1, "unknown_line")
    request = office("queue", "--json").document[0]["approval_id"]
    other = office("show", request, "--line", "1", "--json", by="paula")
    assert (other.status, other.document["error"]) == (1, "not_a_plan")


def test_how_a_plan_was_negotiated_is_shown_in_words_and_as_a_document(shared_office: Office) -> None:
    shown = shared_office("show", shared_office.plan, "--negotiation", by="paula")
    assert shown.status == 0, shown.err
    document = shared_office("show", shared_office.plan, "--negotiation", "--json", by="paula").document
    assert shown.out.splitlines() == document["sentences"]
    assert document["sentences"][0].startswith(f"Round 1, plan {shared_office.plan[:12]}: ")
    request = shared_office("queue", "--json").document[0]["approval_id"]
    other = shared_office("show", request, "--negotiation", "--json", by="paula")
    assert (other.status, other.document["error"]) == (1, "not_a_plan")
