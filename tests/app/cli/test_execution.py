"""`orders`, `receive` and `verify`."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import text

from tests.app.cli.conftest import Office


def test_orders_are_listed_with_their_state(shared_dock: Office) -> None:
    rows = shared_dock("orders", "--json").document
    assert {(row["state"], row["origin"], row["destination"]) for row in rows} == {("shipped", "S1", "S2")}
    said = shared_dock("orders", "--state", "shipped", "--limit", "1").out.splitlines()
    assert said[0].split() == [
        "order",
        "SKU",
        "units",
        "from",
        "to",
        "state",
        "received",
        "arrives",
        "note",
        "possible",
    ]
    assert len(said) == 2


def test_orders_in_a_state_that_none_is_in_are_none(shared_dock: Office) -> None:
    assert shared_dock("orders", "--state", "refused", "--json").document == []
    assert shared_dock("orders", "--state", "refused").out == "There are no transfer orders.\n"


def test_a_state_that_there_is_none_of_is_refused(shared_dock: Office) -> None:
    refused = shared_dock("orders", "--state", "lost", "--json")
    assert (refused.status, refused.document["error"]) == (1, "state")
    assert "released" in refused.document["remedy"]


def test_all_that_is_outstanding_is_received_without_a_number(dock: Office) -> None:
    order = dock("orders", "--json").document[0]
    said = dock("receive", order["transfer_id"], "--json").document
    assert (said["state"], said["received_units"], said["outstanding_units"]) == ("closed", order["units"], 0)
    assert said["new"] is True


def test_a_part_is_received_and_the_rest_stays_outstanding(dock: Office) -> None:
    order = dock("orders", "--json").document[0]
    said = dock("receive", order["transfer_id"], "--units", 3).out
    assert f"Order {order['transfer_id']} is partially_received: 3 units received." in said
    assert f"{order['units'] - 3} are still outstanding" in said
    last = dock("receive", order["transfer_id"], "--units", 1, "--last", "--json").document
    assert (last["state"], last["received_units"], last["outstanding_units"]) == ("closed", 4, 0)
    assert dock("verify", "--json").document["verified"] is True


def test_the_same_receipt_again_changes_nothing(dock: Office) -> None:
    order = dock("orders", "--json").document[0]
    first = dock("receive", order["transfer_id"], "--units", 3, "--key", "dock/17", "--json").document
    again = dock("receive", order["transfer_id"], "--units", 3, "--key", "dock/17", "--json").document
    assert (first["new"], again["new"]) == (True, False)
    assert again["received_units"] == 3


@pytest.mark.parametrize(
    ("by", "more", "code"),
    [
        ("otto", ("--units", 1_000_000), "over_receipt"),
        ("otto", ("--units", 0), "receipt_units"),
        ("paula", (), "role"),
    ],
)
def test_a_receipt_that_cannot_be_is_refused(shared_dock: Office, by: str, more: tuple[object, ...], code: str) -> None:
    order = shared_dock("orders", "--json").document[0]
    refused = shared_dock("receive", order["transfer_id"], *more, "--json", by=by)
    assert (refused.status, refused.document["error"]) == (1, code)
    assert shared_dock("show", order["transfer_id"], "--json").document == order


def test_a_receipt_of_an_order_that_there_is_none_of_is_refused(shared_dock: Office) -> None:
    refused = shared_dock("receive", uuid4(), "--json")
    assert (refused.status, refused.document["error"]) == (1, "unknown_order")


def test_a_ledger_that_fits_is_verified(shared_dock: Office) -> None:
    said = shared_dock("verify", "--json")
    assert (said.status, said.document["verified"], said.document["problems"]) == (0, True, [])
    assert said.document["events"] > 10
    assert shared_dock("verify").out.endswith("Everything fits.\n")


def test_a_tampered_ledger_is_told_and_ends_with_status_1(dock: Office) -> None:
    with dock.service() as service, service.database.engine.begin() as connection:
        connection.execute(text("update balance set units = units + 1 where place = 'site/S2/available'"))
    said = dock("verify", "--json")
    assert (said.status, said.document["verified"]) == (1, False)
    assert {problem["code"] for problem in said.document["problems"]} == {"balance"}
    words = dock("verify")
    assert words.status == 1
    assert "balance at site/S2/available" in words.out
    assert words.out.endswith("The ledger does not fit together.\n")


def test_verifying_needs_the_role(shared_dock: Office) -> None:
    refused = shared_dock("verify", "--json", by="paula")
    assert (refused.status, refused.document["error"]) == (1, "role")
