"""The main job, end to end: a scan, a person's decision, postings, receipts, and a ledger that fits."""

from __future__ import annotations

from uuid import UUID

import pytest

from app.approvals.tables import ApprovalStatus
from app.ledger.verify import verify
from app.orders.receipts import Report, receive_order
from app.plans.store import read_plan, read_snapshot
from app.service import Service, running
from tests.beginnings import EMPTY
from tests.installation import (
    ADA,
    OTTO,
    a_network,
    approve,
    balances,
    carry_out,
    import_into,
    orders,
    reject,
    scan,
    settle_in,
    submitted,
    until,
    waiting,
)
from tools.execution import OrderState
from tools.moves import available, committed, in_transit, reserved
from tools.rejections import Rejection, RejectionCode


@pytest.fixture
def template(plan_waiting: str) -> str:
    return plan_waiting


def test_a_scan_puts_the_best_plan_into_the_queue_and_moves_nothing(service: Service) -> None:
    request = submitted(service)

    with service.database.transaction() as session:
        plan = read_plan(session, request.plan_digest)
        stock = balances(session)
    assert request.status is ApprovalStatus.PENDING
    assert {(line.origin, line.destination) for line in plan.lines} == {("S1", "S2")}
    assert plan.saving_minor > 0
    assert stock[available("S1"), "P1"] == 200
    assert not orders(service)


def test_an_approved_plan_is_posted_shipped_and_received_once(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    with service.database.transaction() as session:
        plan = read_plan(session, request.plan_digest)
        held = balances(session)
    units = {line.sku_id: line.units for line in plan.lines}
    assert {sku: held[reserved("S1"), sku] for sku in units} == units

    done = carry_out(service, request)
    assert {order.state for order in done} == {OrderState.SHIPPED}
    with service.database.transaction() as session:
        under_way = balances(session)
    assert {sku: under_way[in_transit(plan.lines[0].lane), sku] for sku in units} == units

    with service.database.transaction() as session:
        for order in done:
            receive_order(session, OTTO, order.transfer_id, Report(None, receipt_key=f"receipt-{order.transfer_id}"))
    with service.database.transaction() as session:
        after = balances(session)
    assert {order.state for order in orders(service, request)} == {OrderState.CLOSED}
    assert after[available("S2"), "P1"] == 2 + units["P1"]
    assert not [place for place, _ in after if place.endswith("/reserved") or place.startswith("transit/")]
    assert verify(service.database).problems == ()


@EMPTY
def test_the_runner_carries_a_decision_to_the_end_by_itself(service: Service) -> None:
    settle_in(service)
    with running(service):
        thread = scan(service)
        (request,) = waiting(service)
        approve(service, request)
        until("the orders to ship", lambda: {o.state for o in orders(service, request)} == {OrderState.SHIPPED})
        until("the report", lambda: "approved by ada" in service.driver.last_words(thread))
    assert [order.units for order in orders(service, request)] == [
        order.shipped_units for order in orders(service, request)
    ]


def test_a_rejection_becomes_part_of_the_next_plan_which_waits_for_a_decision_of_its_own(service: Service) -> None:
    request = submitted(service)
    reason = Rejection(code=RejectionCode.SKU_FROZEN, words="P1 is being counted", skus=("P1",))
    reject(service, request, reason)
    service.resume_thread(request.approval_id)

    (second,) = waiting(service)
    assert second.plan_digest != request.plan_digest
    with service.database.transaction() as session:
        plan = read_plan(session, second.plan_digest)
    assert {line.sku_id for line in plan.lines} == {"P2"}
    assert plan.request.overlays.excluded_skus == ("P1",)
    assert not orders(service)


def test_a_rejection_in_words_alone_ends_the_matter(service: Service) -> None:
    request = submitted(service)
    reject(service, request, Rejection(code=RejectionCode.OTHER, words="not this week"))
    service.resume_thread(request.approval_id)
    assert waiting(service) == []
    assert "not this week" in service.driver.last_words(_thread(request.thread_id))


def test_a_plan_that_the_world_has_outrun_goes_back_and_is_made_again(service: Service) -> None:
    request = submitted(service)
    emptied = a_network({("S1", "P1"): 46, ("S2", "P1"): 2, ("S3", "P1"): 45, ("S1", "P2"): 120, ("S2", "P2"): 1})
    import_into(service, emptied)

    decided = approve(service, request)
    assert decided.status is ApprovalStatus.OUTRUN
    assert decided.violations
    assert not orders(service)
    service.resume_thread(request.approval_id)
    (second,) = waiting(service)
    with service.database.transaction() as session:
        old, new = read_plan(session, request.plan_digest), read_plan(session, second.plan_digest)
    assert new.snapshot_digest != old.snapshot_digest
    assert approve(service, second).status is ApprovalStatus.APPROVED


def test_the_same_network_scanned_twice_gives_the_same_plan_byte_for_byte(service: Service) -> None:
    request = submitted(service)
    scan(service)
    assert [row.plan_digest for row in waiting(service)] == [request.plan_digest]


def test_every_plan_keeps_the_snapshot_it_rests_on_and_its_lineage(service: Service) -> None:
    request = submitted(service)
    with service.database.transaction() as session:
        plan = read_plan(session, request.plan_digest)
        snapshot = read_snapshot(session, plan.snapshot_digest)
    assert snapshot.digest == plan.snapshot_digest
    kinds = {ref.kind for ref in snapshot.lineage}
    assert kinds == {"evenkeel.stock.v1", "evenkeel.forecast.v1"}
    assert all(len(ref.digest) == 64 for ref in snapshot.lineage)


def test_approved_units_count_as_on_their_way_in_the_next_snapshot(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    thread = scan(service)
    assert "nothing worth moving" in service.driver.last_words(thread).lower()


@EMPTY
def test_a_network_in_balance_ends_with_a_report_and_no_request(service: Service) -> None:
    settle_in(service, a_network({("S1", "P1"): 45, ("S2", "P1"): 45}))
    thread = scan(service)
    assert waiting(service) == []
    assert "nothing worth moving" in service.driver.last_words(thread).lower()
    assert service.driver.state(thread).tasks == ()


@EMPTY
def test_stock_that_others_have_reserved_is_not_sent_away(service: Service) -> None:
    network = a_network()
    promised = [
        position if (position.site_id, position.sku_id) != ("S1", "P1") else type(position)(
            "S1", "P1", 200, 195, position.as_of
        )
        for position in network.positions
    ]  # fmt: skip
    settle_in(service, type(network)(**{**vars(network), "positions": tuple(promised)}))
    scan(service)
    (request,) = waiting(service)
    with service.database.transaction() as session:
        plan, stock = read_plan(session, request.plan_digest), balances(session)
    assert {line.sku_id for line in plan.lines} == {"P2"}
    assert stock[committed("S1"), "P1"] == 195


def test_a_repeated_wake_up_changes_nothing(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    carry_out(service, request)
    with service.database.transaction() as session:
        before = balances(session)
    for _ in range(5):
        carry_out(service, request)
    with service.database.transaction() as session:
        assert balances(session) == before
    assert service.driver.state(_thread(request.thread_id)).tasks == ()


def _thread(thread_id: str | None) -> UUID:
    assert thread_id is not None
    return UUID(thread_id)


def test_nobody_who_had_a_hand_in_a_plan_is_needed_to_carry_it_out(service: Service) -> None:
    request = submitted(service)
    approve(service, request, ADA)
    assert {order.state for order in carry_out(service, request)} == {OrderState.SHIPPED}
