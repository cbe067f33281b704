"""Transfer orders through an ERP with bad days: doubt is resolved by asking again, and nothing is posted twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from app.auth.roles import Principal, Role
from app.erp.built_in import BuiltInErp
from app.erp.simulated import Faults, SimulatedErp
from app.errors import ConflictError, EvenkeelError, ForbiddenError, InvalidError, NotFoundError
from app.ledger.verify import verify
from app.orders.receipts import Received, Report, receive_order
from app.orders.tables import TransferOrder
from app.service import Service, running
from tests.installation import OTTO, PAULA, approve, balances, carry_out, orders, person, submitted, until
from tools.execution import OrderState
from tools.inventory import LaneKey
from tools.moves import OutsideReason, available, in_transit, outside, reserved
from tools.ports import ErpTransfer, ErpTransferState, ErpUncertainError, Refused, TransferContent


@pytest.fixture
def template(plan_waiting: str) -> str:
    return plan_waiting


@pytest.mark.parametrize(
    "faults",
    [
        Faults(),
        Faults(lost_before=0.5, seed=1),
        Faults(lost_after=0.7, seed=2),
        Faults(lost_after=0.7, idempotent=False, seed=3),
        Faults(delivered_twice=1.0, seed=4),
        Faults(lost_before=0.4, lost_after=0.4, delivered_twice=0.3, ships_after_looks=2, seed=5),
        Faults(delay_seconds=0.05, ships_after_looks=3),
    ],
    ids=["good", "lost before", "lost after", "lost after, not idempotent", "delivered twice", "everything", "slow"],
)
def test_each_approved_transfer_is_applied_once_whatever_the_erp_does(
    open_with: Callable[..., Service], tmp_path: Path, faults: Faults
) -> None:
    erp = SimulatedErp(tmp_path / "erp", faults)
    service = open_with(erp=erp, settings={"erp_attempts_max": 40, "erp_retry_seconds": 0.002})
    request = submitted(service)
    with running(service):
        approve(service, request)
        until("the orders", lambda: {o.state for o in orders(service, request)} <= {OrderState.SHIPPED} != set())
    found = orders(service, request)
    assert len(found) == request.lines
    assert erp.applied() == {str(order.transfer_id): 1 for order in found}
    assert verify(service.database).verified


def test_a_refusal_of_the_erp_gives_the_stock_back(open_with: Callable[..., Service], tmp_path: Path) -> None:
    service = open_with(erp=SimulatedErp(tmp_path / "erp", Faults(refused=1.0)))
    request = submitted(service)
    approve(service, request)
    done = carry_out(service, request)
    assert {(order.state, order.attention) for order in done} == {(OrderState.REFUSED, "no dock is free")}
    with service.database.transaction() as session:
        stock = balances(session)
    assert stock[available("S1"), "P1"] == 200
    assert not [place for place, _ in stock if place.endswith("/reserved")]
    assert verify(service.database).verified


def test_an_erp_that_never_answers_is_told_to_people_asked_again_and_nothing_is_voided(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    service = open_with(erp=SimulatedErp(tmp_path / "erp", Faults(lost_before=1.0)), settings={"erp_attempts_max": 3})
    request = submitted(service)
    with running(service):
        approve(service, request)
        until("people to be told", lambda: all(order.attention for order in orders(service, request)))
    assert {order.state for order in orders(service, request)} == {OrderState.RELEASED}
    assert {"no certain answer in 3 attempts" in (o.attention or "") for o in orders(service, request)} == {True}
    with service.database.transaction() as session:
        assert balances(session)[reserved("S1"), "P1"] > 0
    assert verify(service.database).verified


def test_a_transfer_cancelled_in_the_erp_gives_the_stock_back(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    erp = SimulatedErp(tmp_path / "erp", Faults(ships_after_looks=100))
    service = open_with(erp=erp)
    request = submitted(service)
    approve(service, request)
    first, *_ = carry_out(service, request)
    assert first.state is OrderState.CONFIRMED
    erp.cancel(str(first.transfer_id))
    assert service.look(first.transfer_id) == "cancelled"
    (cancelled,) = [order for order in orders(service, request) if order.transfer_id == first.transfer_id]
    assert (cancelled.state, cancelled.reserved) == (OrderState.CANCELLED, False)
    assert verify(service.database).verified


class _Erp:
    """An ERP that answers what the test says."""

    def __init__(self, **answers: object) -> None:
        self.answers = answers

    def find(self, reference: str) -> ErpTransfer | None:
        answer = self.answers.get("find")
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        units = self.answers.get("units", content.units)
        return ErpTransfer(content.reference, "X-1", ErpTransferState.CONFIRMED, int(str(units)))


def test_an_answer_about_another_quantity_is_left_to_people(open_with: Callable[..., Service]) -> None:
    service = open_with(erp=_Erp(units=1))
    request = submitted(service)
    approve(service, request)
    for order in carry_out(service, request):
        assert order.state is OrderState.NEEDS_ATTENTION
        assert f"the ERP has 1 units under our reference, {order.units} were approved" in (order.attention or "")


def test_an_erp_that_forgets_a_confirmed_transfer_is_left_to_people(open_with: Callable[..., Service]) -> None:
    service = open_with(erp=_Erp())
    request = submitted(service)
    approve(service, request)
    assert {order.state for order in carry_out(service, request)} == {OrderState.NEEDS_ATTENTION}


def test_doubt_while_looking_changes_nothing(open_with: Callable[..., Service]) -> None:
    erp = _Erp()
    service = open_with(erp=erp)
    request = submitted(service)
    approve(service, request)
    service.release(request.approval_id)
    order = orders(service, request)[0]
    assert service.post(order.transfer_id) == "posted"
    erp.answers["find"] = ErpUncertainError("half-open socket")
    assert service.look(order.transfer_id) == "uncertain"
    assert orders(service, request)[0].state is OrderState.CONFIRMED


def test_the_built_in_erp_refuses_a_reference_with_other_content(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    (order, *_) = carry_out(service, request)
    lane = _lane(order)
    content = TransferContent(
        str(order.transfer_id), order.sku_id, lane, order.units + 1, order.depart_on, order.arrive_on
    )
    assert isinstance(BuiltInErp(service.database).create(content), Refused)
    again = BuiltInErp(service.database).create(
        TransferContent(str(order.transfer_id), order.sku_id, lane, order.units, order.depart_on, order.arrive_on)
    )
    assert isinstance(again, ErpTransfer)


def shipped(service: Service) -> TransferOrder:
    request = submitted(service)
    approve(service, request)
    return carry_out(service, request)[0]


def receive(
    service: Service, order: TransferOrder, units: int | None, key: str = "", by: Principal = OTTO, **more: bool
) -> Received:
    with service.database.transaction() as session:
        return receive_order(session, by, order.transfer_id, Report(units, receipt_key=key or str(uuid4()), **more))


def test_a_partial_receipt_leaves_the_rest_in_transit(service: Service) -> None:
    order = shipped(service)
    done = receive(service, order, 3)
    assert (done.state, done.outstanding_units) == (OrderState.PARTIALLY_RECEIVED, order.units - 3)
    lane = in_transit(_lane(order))
    with service.database.transaction() as session:
        assert balances(session)[lane, order.sku_id] == order.units - 3
    receive(service, order, 1)
    assert receive(service, order, None).state is OrderState.CLOSED
    with service.database.transaction() as session:
        assert (lane, order.sku_id) not in balances(session)
    assert verify(service.database).verified


def test_what_will_never_arrive_is_booked_as_lost(service: Service) -> None:
    order = shipped(service)
    done = receive(service, order, order.units - 4, is_last=True)
    assert (done.state, done.outstanding_units) == (OrderState.CLOSED, 0)
    with service.database.transaction() as session:
        assert balances(session)[outside(OutsideReason.LOST_IN_TRANSIT), order.sku_id] == 4
    assert verify(service.database).verified


def test_a_receipt_reported_twice_is_booked_once(service: Service) -> None:
    order = shipped(service)
    assert receive(service, order, 5, "dock-1-scan-17").new
    assert not receive(service, order, 5, "dock-1-scan-17").new
    with pytest.raises(ConflictError, match="other content"):
        receive(service, order, 6, "dock-1-scan-17")
    with service.database.transaction() as session:
        assert balances(session)[available("S2"), order.sku_id] == 5 + {"P1": 2, "P2": 1}[order.sku_id]


@pytest.mark.parametrize(("units", "error"), [(0, InvalidError), (-1, InvalidError), (10**6, ConflictError)])
def test_a_receipt_that_cannot_be_is_refused_and_changes_nothing(
    service: Service, units: int, error: type[EvenkeelError]
) -> None:
    order = shipped(service)
    with pytest.raises(error):
        receive(service, order, units)
    with service.database.transaction() as session:
        assert balances(session)[in_transit(_lane(order)), order.sku_id] == order.units


def test_receipts_need_a_shipped_order_the_role_and_the_destination_in_scope(service: Service) -> None:
    request = submitted(service)
    approve(service, request)
    (order, *_) = orders(service, request)
    with pytest.raises(ConflictError, match="released"):
        receive(service, order, 1)
    carry_out(service, request)
    with pytest.raises(ForbiddenError):
        receive(service, order, 1, by=PAULA)
    elsewhere = person("elsa", Role.OPERATOR, sites=frozenset({"S1"}))
    with pytest.raises(NotFoundError):
        receive(service, order, 1, by=elsewhere)


def _lane(order: TransferOrder) -> LaneKey:
    return LaneKey(order.origin, order.destination, order.mode)
