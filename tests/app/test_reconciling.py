"""What the ERP does by itself is taken over, what does not agree is told to people, and nothing is corrected silently."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import Session

from app.auth.roles import Role
from app.erp.simulated import Faults, SimulatedErp
from app.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from app.ledger.verify import verify
from app.orders.attention import act
from app.orders.receipts import Report, receive_order
from app.orders.reconciling import follow, open_differences, reconcile, settle_difference
from app.orders.tables import ErpDifference, TransferOrder
from app.orders.transit import note_overdue
from app.service import Service
from tests.installation import ADA, OTTO, PAULA, approve, balances, carry_out, orders, person, submitted
from tools.execution import OrderState
from tools.moves import OutsideReason, available, outside
from tools.ports import ErpTransfer, ErpTransferState, Refused
from tools.reconcile import Correction, DifferenceKind
from tools.saga import Action


class Erp:
    """An ERP whose transfers the test changes by hand."""

    def __init__(self) -> None:
        self.transfers: dict[str, ErpTransfer] = {}
        self.looked_at_since: list[object] = []

    def find(self, reference: str) -> ErpTransfer | None:
        return self.transfers.get(reference)

    def create(self, content) -> ErpTransfer | Refused:
        made = ErpTransfer(content.reference, "X-1", ErpTransferState.CONFIRMED, content.units)
        return self.transfers.setdefault(content.reference, made)

    def cancel(self, reference: str) -> ErpTransfer | Refused:
        found = self.transfers.get(reference)
        if found is None or found.state not in (ErpTransferState.CONFIRMED, ErpTransferState.CANCELLED):
            return Refused("it has left")
        return self.by_hand(reference, state=ErpTransferState.CANCELLED)

    def list_transfers(self, since: object) -> list[ErpTransfer]:
        self.looked_at_since.append(since)
        return sorted(self.transfers.values(), key=lambda each: each.reference)

    def by_hand(self, reference: object, **fields: object) -> ErpTransfer:
        self.transfers[str(reference)] = replace(self.transfers[str(reference)], **fields)  # type: ignore[arg-type]
        return self.transfers[str(reference)]


@pytest.fixture
def template(plan_waiting: str) -> str:
    return plan_waiting


@pytest.fixture
def erp() -> Erp:
    return Erp()


@pytest.fixture
def posted(open_with: Callable[..., Service], erp: Erp) -> tuple[Service, TransferOrder]:
    """A service on that ERP, and an order that the ERP has confirmed."""
    service = open_with(erp=erp)
    request = submitted(service)
    approve(service, request)
    return service, carry_out(service, request)[0]


@contextmanager
def transaction(service: Service) -> Iterator[Session]:
    with service.database.transaction() as session:
        yield session


def now(service: Service, order: TransferOrder) -> TransferOrder:
    return next(each for each in orders(service) if each.transfer_id == order.transfer_id)


def do(
    service: Service, order: TransferOrder, action: Action, reason: str = "told so", units: int | None = None
) -> TransferOrder:
    with transaction(service) as session:
        return act(session, OTTO, order.transfer_id, action, reason, units, erp=service.carrier.erp)


def differences(service: Service) -> list[ErpDifference]:
    reconcile(service.database, service.carrier.erp)
    with transaction(service) as session:
        return open_differences(session, OTTO)


def test_departures_and_receipts_in_the_erp_are_taken_over(posted: tuple[Service, TransferOrder], erp: Erp) -> None:
    service, order = posted
    erp.by_hand(order.transfer_id, state=ErpTransferState.PARTIALLY_RECEIVED, received_units=3)
    assert follow(service.database, service.carrier) == 1
    assert (now(service, order).state, now(service, order).received_units) == (OrderState.PARTIALLY_RECEIVED, 3)
    assert follow(service.database, service.carrier) == 0, "totals that are booked already change nothing"
    erp.by_hand(order.transfer_id, state=ErpTransferState.RECEIVED, received_units=order.units - 2, damaged_units=1)
    assert follow(service.database, service.carrier) == 1
    done = now(service, order)
    assert (done.state, done.damaged_units, done.lost_units) == (OrderState.CLOSED, 1, 1)
    assert done.actions == (Action.ACKNOWLEDGE,)
    do(service, order, Action.ACKNOWLEDGE)
    assert now(service, order).attention is None
    assert erp.looked_at_since == sorted(erp.looked_at_since, key=str), "each reading begins where the last one ended"
    assert verify(service.database).verified


def test_what_a_clerk_has_taken_off_a_transfer_stays_at_the_origin_once_people_have_accepted_it(
    posted: tuple[Service, TransferOrder], erp: Erp
) -> None:
    service, order = posted
    with transaction(service) as session:
        before = balances(session)[available(order.origin), order.sku_id]
    fewer = order.units - 1
    erp.by_hand(order.transfer_id, state=ErpTransferState.RECEIVED, units=fewer, received_units=fewer)
    assert follow(service.database, service.carrier) == 1
    told = now(service, order)
    assert (told.state, told.reserved, told.shipped_units) == (OrderState.NEEDS_ATTENTION, True, 0)
    assert told.attention == f"the ERP has {fewer} units under our reference, {order.units} were approved"
    for units in (None, 0, order.units + 1):
        with pytest.raises(InvalidError, match="looked up"):
            do(service, order, Action.ACCEPT, units=units)
    with pytest.raises(ConflictError, match=f"the ERP has {fewer} units of the order now") as refused:
        do(service, order, Action.ACCEPT, units=order.units)
    assert refused.value.code == "erp_has_other_units"
    do(service, order, Action.ACCEPT, "one was broken on the shelf", units=fewer)
    assert (now(service, order).units, now(service, order).decided_units) == (fewer, order.units)
    assert service.look(order.transfer_id) == "shipped"
    done = now(service, order)
    assert (done.state, done.received_units, done.lost_units) == (OrderState.CLOSED, fewer, 0)
    with transaction(service) as session:
        assert balances(session)[available(order.origin), order.sku_id] == before + 1
        assert (outside(OutsideReason.LOST_IN_TRANSIT), order.sku_id) not in balances(session)
    assert differences(service) == []
    assert verify(service.database).verified


def test_an_order_is_cancelled_in_the_erp_before_its_stock_is_given_back(
    posted: tuple[Service, TransferOrder], erp: Erp
) -> None:
    service, order = posted
    do(service, order, Action.CANCEL)
    assert now(service, order).state is OrderState.COMPENSATING
    assert now(service, order).reserved
    assert service.look(order.transfer_id) == "cancelled"
    assert erp.transfers[str(order.transfer_id)].state is ErpTransferState.CANCELLED
    assert (now(service, order).state, now(service, order).reserved) == (OrderState.CANCELLED, False)
    assert verify(service.database).verified


def test_a_request_that_may_still_be_under_way_keeps_the_reservation_of_a_cancelled_order(
    posted: tuple[Service, TransferOrder], erp: Erp
) -> None:
    service, order = posted
    do(service, order, Action.CANCEL)
    del erp.transfers[str(order.transfer_id)]
    assert service.look(order.transfer_id) == "waiting"
    assert now(service, order).reserved
    with transaction(service) as session:
        session.connection().execute(text("update transfer_order set asked_at = asked_at - interval '1 hour'"))
    assert service.look(order.transfer_id) == "cancelled"


def test_goods_that_have_left_are_called_back_and_come_back_to_the_origin(
    posted: tuple[Service, TransferOrder], erp: Erp
) -> None:
    service, order = posted
    with transaction(service) as session:
        before = balances(session)[available(order.origin), order.sku_id]
    erp.by_hand(order.transfer_id, state=ErpTransferState.SHIPPED)
    follow(service.database, service.carrier)
    do(service, order, Action.CANCEL, "a recall")
    with pytest.raises(InvalidError, match="under way"):
        do(service, order, Action.RETURN, units=order.units + 1)
    do(service, order, Action.RETURN, units=order.units - 1)
    assert now(service, order).state is OrderState.COMPENSATING
    do(service, order, Action.WRITE_OFF, "one fell off")
    assert now(service, order).state is OrderState.CLOSED
    with transaction(service) as session:
        assert balances(session)[available(order.origin), order.sku_id] == before + order.units - 1
        assert balances(session)[outside(OutsideReason.LOST_IN_TRANSIT), order.sku_id] == 1
    assert verify(service.database).verified


def test_damaged_and_surplus_arrivals_are_booked_and_told(posted: tuple[Service, TransferOrder], erp: Erp) -> None:
    service, order = posted
    erp.by_hand(order.transfer_id, state=ErpTransferState.SHIPPED)
    follow(service.database, service.carrier)
    report = Report(order.units, str(uuid4()), damaged_units=2)
    with transaction(service) as session, pytest.raises(ConflictError, match="outstanding"):
        receive_order(session, OTTO, order.transfer_id, report)
    with transaction(service) as session:
        done = receive_order(
            session, OTTO, order.transfer_id, Report(order.units + 3, "dock-17-scan", accept_over=True)
        )
    assert (done.state, done.received_units) == (OrderState.CLOSED, order.units)
    assert "3 units more arrived than had left" in (now(service, order).attention or "")
    assert verify(service.database).verified


def test_goods_that_should_have_arrived_are_told_once(posted: tuple[Service, TransferOrder], erp: Erp) -> None:
    service, order = posted
    erp.by_hand(order.transfer_id, state=ErpTransferState.SHIPPED)
    follow(service.database, service.carrier)
    assert note_overdue(service.database, grace_days=2) == 0
    with transaction(service) as session:
        session.get_one(TransferOrder, order.transfer_id).arrive_on -= timedelta(days=9)
    assert note_overdue(service.database, grace_days=2) == 1
    assert note_overdue(service.database, grace_days=2) == 0
    assert now(service, order).state is OrderState.SHIPPED
    assert "should have arrived" in (now(service, order).attention or "")


def test_goods_that_never_leave_are_told_once(posted: tuple[Service, TransferOrder]) -> None:
    service, order = posted
    with transaction(service) as session:
        session.get_one(TransferOrder, order.transfer_id).depart_on -= timedelta(days=9)
    assert note_overdue(service.database, grace_days=2) == 1
    assert note_overdue(service.database, grace_days=2) == 0
    assert now(service, order).state is OrderState.CONFIRMED
    assert "should have left" in (now(service, order).attention or "")


def test_each_difference_is_kept_once_until_it_is_settled_or_gone(
    posted: tuple[Service, TransferOrder], erp: Erp
) -> None:
    service, order = posted
    assert differences(service) == []
    erp.by_hand(order.transfer_id, state=ErpTransferState.SHIPPED)
    (found,) = differences(service)
    assert (found.kind, found.correction) == (DifferenceKind.BEHIND, Correction.CATCH_UP)
    assert [each.difference_id for each in differences(service)] == [found.difference_id]
    assert now(service, order).state is OrderState.CONFIRMED, "nothing is corrected silently"
    settle_difference(service.database, erp, OTTO, found.difference_id, "the driver has confirmed it")
    assert now(service, order).state is OrderState.SHIPPED
    assert differences(service) == []
    with pytest.raises(ConflictError, match="settled already"):
        settle_difference(service.database, erp, OTTO, found.difference_id, "again")
    erp.transfers["not-ours"] = ErpTransfer("not-ours", "X-9", ErpTransferState.CONFIRMED, 5)
    assert [each.kind for each in differences(service)] == [DifferenceKind.UNKNOWN_HERE]
    del erp.transfers["not-ours"]
    assert differences(service) == []
    assert verify(service.database).verified


def test_a_difference_that_people_settled_is_not_opened_again_until_it_is_another(
    posted: tuple[Service, TransferOrder], erp: Erp
) -> None:
    service, order = posted
    erp.by_hand(order.transfer_id, state=ErpTransferState.RECEIVED, received_units=order.units)
    follow(service.database, service.carrier)
    for surplus in (2, 3):
        erp.by_hand(order.transfer_id, received_units=order.units + surplus)
        (found,) = differences(service)
        assert found.correction is Correction.COUNT
        settle_difference(service.database, erp, OTTO, found.difference_id, "both ends are counted")
        assert differences(service) == []


def test_what_was_left_to_people_is_not_opened_again_every_hour(
    posted: tuple[Service, TransferOrder], erp: Erp
) -> None:
    service, order = posted
    del erp.transfers[str(order.transfer_id)]
    (found,) = differences(service)
    settle_difference(service.database, erp, OTTO, found.difference_id, "restored from a backup")
    assert now(service, order).state is OrderState.NEEDS_ATTENTION
    assert differences(service) == []


def test_a_transfer_that_lives_on_in_the_erp_is_cancelled_there_each_time_somebody_says_so(
    posted: tuple[Service, TransferOrder], erp: Erp
) -> None:
    service, order = posted
    do(service, order, Action.CANCEL)
    service.look(order.transfer_id)
    for _ in range(2):
        erp.by_hand(order.transfer_id, state=ErpTransferState.CONFIRMED)
        (found,) = differences(service)
        assert (found.kind, found.correction) == (DifferenceKind.ALIVE_THERE, Correction.CANCEL_THERE)
        settle_difference(service.database, erp, OTTO, found.difference_id, "a clerk took it up again")
        assert erp.transfers[str(order.transfer_id)].state is ErpTransferState.CANCELLED
        assert differences(service) == []


def test_only_operators_who_see_everything_settle_differences_and_each_act_needs_a_reason(
    posted: tuple[Service, TransferOrder], erp: Erp
) -> None:
    service, order = posted
    del erp.transfers[str(order.transfer_id)]
    (found,) = differences(service)
    local = person("lars", Role.OPERATOR, sites=frozenset({"S1"}))
    for caller in (PAULA, ADA, local):
        with pytest.raises(ForbiddenError):
            settle_difference(service.database, erp, caller, found.difference_id, "please")
    with pytest.raises(InvalidError, match="reason"):
        settle_difference(service.database, erp, OTTO, found.difference_id, "  ")
    with pytest.raises(NotFoundError):
        settle_difference(service.database, erp, OTTO, uuid4(), "which?")
    with pytest.raises(InvalidError, match="reason"):
        do(service, order, Action.CANCEL, "  ")
    with pytest.raises(InvalidError, match="receipts"):
        do(service, order, Action.RECEIVE)
    with pytest.raises(ConflictError, match="possible: cancel"):
        do(service, order, Action.ACKNOWLEDGE)
    settle_difference(service.database, erp, OTTO, found.difference_id, "the ERP was restored from a backup")
    assert now(service, order).state is OrderState.NEEDS_ATTENTION


def test_an_order_that_the_erp_was_never_asked_for_is_cancelled_at_once(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    service = open_with(erp=SimulatedErp(tmp_path / "erp", Faults()))
    request = submitted(service)
    approve(service, request)
    order = orders(service, request)[0]
    do(service, order, Action.CANCEL)
    assert (now(service, order).state, now(service, order).reserved) == (OrderState.CANCELLED, False)
    assert service.post(order.transfer_id) == "cancelled"
    assert verify(service.database).verified
