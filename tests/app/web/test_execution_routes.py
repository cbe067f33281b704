"""Execution over HTTP: orders and receipts, the ledger, policies and the kill switch."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.auth.roles import Role
from app.ledger.verify import verify
from app.orders.tables import TransferOrder
from tests.app.ui.pages import Markup
from tests.app.web.door import Door, problem_of, written
from tests.installation import approve, balances, carry_out, orders, person
from tools.moves import available

KEY = {"receipt_key": "dock-1-scan-17"}


@pytest.fixture
def shipped(door: Door) -> Door:
    """The door, with the plan approved and its orders on their way."""
    request = door.pending
    approve(door.service, request)
    carry_out(door.service, request)
    return door


def first_order(door: Door) -> TransferOrder:
    """The order of P1."""
    return min(orders(door.service), key=lambda order: order.sku_id)


def receive(door: Door, by: str = "otto", **more: object) -> Any:
    """A receipt for the order of P1."""
    return door.post(f"/v1/orders/{first_order(door).transfer_id}/receipts", by, KEY | more)


def test_orders_are_shown_with_where_they_stand(shipped: Door) -> None:
    rows = shipped.get("/v1/orders", "vera").json()
    assert {(row["sku_id"], row["origin"], row["destination"], row["state"]) for row in rows} == {
        ("P1", "S1", "S2", "shipped"), ("P2", "S1", "S2", "shipped"),
    }  # fmt: skip
    assert all(row["units"] > 0 and row["received_units"] == 0 and row["erp_id"] for row in rows)
    assert shipped.get("/v1/orders", "vera", params={"limit": 1}).json() == rows[:1]
    assert shipped.get("/v1/orders", "vera", params={"state": "shipped"}).json() == rows
    assert shipped.get("/v1/orders", "vera", params={"state": "released"}).json() == []
    assert shipped.get("/v1/orders", "fern").json() == []


@pytest.mark.parametrize("query", ["state=lost", "limit=0", "limit=1001"])
def test_orders_that_there_are_none_of_are_refused(house: Door, query: str) -> None:
    problem = problem_of(house.get(f"/v1/orders?{query}", "vera"), 422, "invalid_request")
    assert query.split("=", maxsplit=1)[0] in str(problem)


def test_goods_are_received_in_parts_and_each_receipt_once(shipped: Door) -> None:
    order = first_order(shipped)
    part = receive(shipped, units=3).json()
    assert part == {
        "transfer_id": str(order.transfer_id), "state": "partially_received", "received_units": 3,
        "outstanding_units": order.units - 3, "new": True,
    }  # fmt: skip
    before = written(shipped.service)
    assert receive(shipped, units=3).json() == part | {"new": False}
    problem_of(receive(shipped, units=4), 409, "receipt_key_taken")
    assert written(shipped.service) == before
    rest = receive(shipped, receipt_key="dock-1-scan-18").json()
    assert (rest["state"], rest["outstanding_units"]) == ("closed", 0)
    with shipped.service.database.transaction() as session:
        assert balances(session)[available("S2"), "P1"] == 2 + order.units
    assert verify(shipped.service.database).verified


def test_what_will_not_arrive_is_lost_and_said_so(shipped: Door) -> None:
    units = first_order(shipped).units
    done = receive(shipped, units=units - 4, is_last=True).json()
    assert (done["state"], done["received_units"], done["outstanding_units"]) == ("closed", units - 4, 0)


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"units": 10**6}, 409, "over_receipt"),
        ({"units": 0}, 422, "receipt_units"),
        ({"units": -1}, 422, "invalid_request"),
        ({"units": 10**10}, 422, "invalid_request"),
        ({"units": "5"}, 422, "invalid_request"),
        ({"units": 5.0}, 422, "invalid_request"),
        ({"units": True}, 422, "invalid_request"),
        ({"units": 1, "receipt_key": "short"}, 422, "invalid_request"),
        ({"units": 1, "receipt_key": "x" * 101}, 422, "invalid_request"),
        ({"units": 1, "receipt_key": "with a space"}, 422, "invalid_request"),
        ({"units": 1, "state": "closed"}, 422, "invalid_request"),
    ],
    ids=str,
)
def test_a_receipt_that_cannot_be_is_refused(
    shipped_house: Door, more: dict[str, object], status: int, code: str
) -> None:
    before = written(shipped_house.service)
    problem_of(receive(shipped_house, **more), status, code)
    assert written(shipped_house.service) == before


@pytest.fixture(scope="module")
def shipped_house(house: Door) -> Door:
    """The house, with the plan approved and its orders on their way."""
    request = house.pending
    approve(house.service, request)
    carry_out(house.service, request)
    return house


def test_an_order_that_is_not_to_the_callers_sites_is_not_there(shipped_house: Door) -> None:
    known, nowhere = first_order(shipped_house).transfer_id, uuid4()
    found = [
        shipped_house.post(f"/v1/orders/{each}/receipts", "fern", KEY).text.replace(str(each), "…")
        for each in (known, nowhere)
    ]
    assert found[0] == found[1]
    assert '"code":"unknown_order"' in found[0]


def test_who_sends_goods_does_not_say_that_they_arrived(shipped: Door) -> None:
    shipped.admit(person("sam", Role.OPERATOR, sites=frozenset({"S1"})))
    problem_of(receive(shipped, "sam"), 404, "unknown_order")
    shipped.admit(person("sam", Role.OPERATOR, sites=frozenset({"S2"})))
    assert receive(shipped, "sam").json()["state"] == "closed"


def test_goods_that_have_not_left_cannot_arrive(door: Door) -> None:
    approve(door.service, door.pending)
    assert problem_of(receive(door), 409, "not_shipped")["where"] == {"state": "released"}


@pytest.mark.parametrize("by", ["otto", "adam"])
def test_the_ledger_is_verified_on_demand(shipped_house: Door, by: str) -> None:
    found = shipped_house.get("/v1/ledger/verification", by).json()
    assert (found["verified"], found["problems"]) == (True, [])
    assert found["events"] > found["streams"] > 0
    assert found["moves"] > 0


def test_a_ledger_that_does_not_fit_says_where(door: Door) -> None:
    with door.service.database.transaction() as session:
        session.connection().execute(text("update balance set units = units + 1 where place = 'site/S1/available'"))
    found = door.get("/v1/ledger/verification", "otto").json()
    assert not found["verified"]
    assert any("S1" in problem["where"] and problem["code"] and problem["words"] for problem in found["problems"])


def test_ledger_events_come_with_the_newest_first_or_by_stream(shipped_house: Door) -> None:
    newest = shipped_house.get("/v1/ledger/events", "otto", params={"limit": 5}).json()
    times = [event["occurred_at"] for event in newest]
    assert (len(newest), times) == (5, sorted(times, reverse=True))
    stream = f"plan/{orders(shipped_house.service)[0].plan_digest}"
    decided = shipped_house.get("/v1/ledger/events", "adam", params={"stream": stream}).json()
    assert [event["type"] for event in decided] == [
        "plan_approved",
        "plan_signed",
        "approval_requested",
        "plan_proposed",
    ]
    assert [event["seq"] for event in decided] == [4, 3, 2, 1]
    assert decided[0]["body"]["actor"] == "ada"
    assert all(len(event["hash"]) == 64 for event in decided)
    assert shipped_house.get("/v1/ledger/events", "otto", params={"stream": "none"}).json() == []


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "stream=" + "s" * 201])
def test_events_that_there_are_none_of_are_refused(house: Door, query: str) -> None:
    problem = problem_of(house.get(f"/v1/ledger/events?{query}", "otto"), 422, "invalid_request")
    assert query.split("=", maxsplit=1)[0] in str(problem)


def test_policies_are_told_in_words_and_one_is_in_force(house: Door) -> None:
    policies = house.get("/v1/policies", "vera").json()
    in_force = {policy["release"]: policy["in_force"] for policy in policies}
    assert in_force == {
        release: release == "2026-01" for release in ("2026-01", "2026-04", "2026-11", "2026-12", "2027-01", "2027-02")
    }
    assert all("Approval tier" in policy["words"] and len(policy["digest"]) == 64 for policy in policies)


@pytest.mark.parametrize("by", ["otto", "adam"])
def test_a_release_is_put_in_force_with_a_reason_on_record(door: Door, by: str) -> None:
    done = door.post("/v1/policies/activations", by, {"policy": "2026-04", "reason": "second quarter"}).json()
    in_force = [policy for policy in door.get("/v1/policies", "vera").json() if policy["in_force"]]
    assert [policy["digest"] for policy in in_force] == [done["policy_digest"]]
    assert (in_force[0]["release"], done["policy_by"]) == ("2026-04", by)
    event = door.get("/v1/ledger/events", "otto", params={"stream": "governance", "limit": 1}).json()[0]
    assert (event["type"], event["said"]["reason"]) == ("policy_activated", "second quarter")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("policies/activations", {"policy": "2099-01", "reason": "why not"}, 404, "unknown_policy"),
        ("policies/activations", {"policy": "2026-04", "reason": " "}, 422, "reason_missing"),
        ("policies/activations", {"policy": "2026-04", "reason": ""}, 422, "invalid_request"),
        ("policies/activations", {"policy": "2026-04"}, 422, "invalid_request"),
        ("policies/activations", {"policy": "x" * 65, "reason": "why not"}, 422, "invalid_request"),
        ("policies/activations", {"policy": "2026-04", "reason": "x", "rules": {}}, 422, "invalid_request"),
        ("kill-switch", {"engaged": True, "reason": "  "}, 422, "reason_missing"),
        ("kill-switch", {"engaged": True}, 422, "invalid_request"),
        ("kill-switch", {"engaged": "perhaps", "reason": "x"}, 422, "invalid_request"),
        ("kill-switch", {"engaged": True, "reason": "x" * 1_001}, 422, "invalid_request"),
    ],
    ids=str,
)
def test_a_change_of_governance_that_does_not_fit_is_refused(
    house: Door, path: str, body: dict[str, object], status: int, code: str
) -> None:
    before, in_force = written(house.service), house.get("/v1/governance", "vera").json()
    problem_of(house.post(f"/v1/{path}", "otto", body), status, code)
    assert (written(house.service), house.get("/v1/governance", "vera").json()) == (before, in_force)


@pytest.mark.parametrize("by", ["ada", "otto", "adam"])
def test_whoever_may_stop_engages_the_kill_switch_and_everybody_sees_it(door: Door, by: str) -> None:
    assert door.post("/v1/kill-switch", by, {"engaged": True, "reason": "a recall"}).status_code == 200
    seen = door.get("/v1/governance", "vera").json()
    assert (seen["kill_switch"], seen["kill_switch_reason"], seen["kill_switch_by"]) == (True, "a recall", by)


def test_an_approver_stops_and_does_not_let_go_on(door: Door) -> None:
    door.post("/v1/kill-switch", "ada", {"engaged": True, "reason": "a recall"})
    go_on = {"engaged": False, "reason": "false alarm"}
    problem_of(door.post("/v1/kill-switch", "ada", go_on), 403, "role")
    assert door.get("/v1/governance", "ada").json()["kill_switch"]
    assert not door.post("/v1/kill-switch", "otto", go_on).json()["kill_switch"]


def test_orders_that_the_kill_switch_held_are_set_going_by_their_validation(door: Door) -> None:
    request = door.pending
    assert door.decide(request, "ada").status_code == 200
    door.post("/v1/kill-switch", "otto", {"engaged": True, "reason": "a recall"})
    assert {order.state for order in carry_out(door.service, request)} == {"released"}
    before = written(door.service)["dbos.workflow_status"]
    door.post("/v1/kill-switch", "otto", {"engaged": False, "reason": "false alarm"})
    assert written(door.service)["dbos.workflow_status"] == before
    held = door.get("/v1/validations", "otto").json()
    assert [(row["stopped"], row["changes"]) for row in held] == [(None, [])] * request.lines
    done = door.post("/v1/validations", "otto", {"reason": "nothing has changed"}).json()
    assert len(done["going"]) == request.lines
    assert written(door.service)["dbos.workflow_status"] == before + request.lines
    assert {order.state for order in carry_out(door.service, request)} == {"shipped"}


def test_a_part_is_stopped_and_let_go_on_over_http_and_the_queue_says_so(door: Door) -> None:
    request = door.pending
    stop = door.post("/v1/stops", "ada", {"site_id": "S1", "reason": "a leak"}).json()
    assert (stop["words"], stop["engaged_by"], stop["waiting"]) == ("everything from or to S1", "ada", 0)
    assert [row["stop_id"] for row in door.get("/v1/stops", "vera").json()] == [stop["stop_id"]]
    assert not door.get("/v1/governance", "vera").json()["kill_switch"]
    assert door.get(f"/v1/approvals/{request.approval_id}", "ada").json()["stopped"] == stop["words"]
    problem_of(door.decide(request, "ada"), 409, "kill_switch")
    page = Markup(door.get("/", "vera").text).text
    assert "Everything from or to S1 is stopped" in page
    path = f"/v1/stops/{stop['stop_id']}/release"
    problem_of(door.post(path, "ada", {"reason": "dry"}), 403, "role")
    assert door.post(path, "otto", {"reason": "dry"}).json()["released_by"] == "otto"
    problem_of(door.post(path, "otto", {"reason": "dry"}), 409, "already_released")
    assert door.get("/v1/stops", "vera").json() == []
    assert len(door.get("/v1/stops", "vera", params={"released": True}).json()) == 1
    assert door.decide(request, "ada").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("stops", {"site_id": "S1"}, 422, "invalid_request"),
        ("stops", {"origin": "S1", "reason": "x"}, 422, "invalid_request"),
        ("stops", {"sku_class": "A", "reason": "x"}, 422, "invalid_request"),
        ("stops", {"site_id": "NOWHERE", "reason": "x"}, 404, "unknown_site"),
        ("stops", {"sku_class": "category/none", "reason": "x"}, 422, "sku_class"),
        ("stops/00000000-0000-0000-0000-000000000001/release", {"reason": "x"}, 404, "unknown_stop"),
        ("validations", {"orders": ["00000000-0000-0000-0000-000000000001"], "reason": "x"}, 404, "unknown_order"),
        ("validations", {"orders": [], "reason": "x"}, 422, "invalid_request"),
        ("validations", {"reason": " "}, 422, "reason_missing"),
    ],
    ids=str,
)
def test_a_stop_or_validation_that_does_not_fit_is_refused(
    house: Door, path: str, body: dict[str, object], status: int, code: str
) -> None:
    before = written(house.service)
    problem_of(house.post(f"/v1/{path}", "otto", body), status, code)
    assert written(house.service) == before
