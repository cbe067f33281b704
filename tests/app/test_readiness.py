"""At execution the world is asked again: an order that it has outrun is taken back, one that waits is taken up again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from app.approvals.tables import ApprovalRequest, ApprovalStatus
from app.erp.simulated import Faults, SimulatedErp
from app.errors import ConflictError, ForbiddenError, InvalidError
from app.governance.state import activate_policy
from app.governance.switch import engage
from app.ledger.append import EventType
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.orders.attention import act
from app.orders.release import take_up_idle
from app.orders.tables import TransferOrder
from app.service import Service
from app.stock.tables import DataHoldRow, MasterRow, StockCountRow
from tests.beginnings import EMPTY
from tests.builders import NOW
from tests.installation import (
    ADA,
    OTTO,
    PAULA,
    approve,
    balances,
    carry_out,
    orders,
    scan,
    submitted,
    waiting,
)
from tests.signals import a_reading, a_signal, counts, send
from tools.execution import OrderState
from tools.moves import available, reserved
from tools.ports import ErpTransfer
from tools.saga import Action


@pytest.fixture
def template(plan_waiting: str) -> str:
    return plan_waiting


def approved(service: Service) -> ApprovalRequest:
    """A plan of Paula's that Ada has approved and nobody has carried out yet."""
    request = submitted(service)
    assert approve(service, request).status is ApprovalStatus.APPROVED
    return request


def of_sku(service: Service, sku_id: str) -> TransferOrder:
    (order,) = [order for order in orders(service) if order.sku_id == sku_id]
    return order


def departed(service: Service) -> str:
    with service.database.transaction() as session:
        for order in session.exec(select(TransferOrder).where(TransferOrder.sku_id == "P1")).all():
            order.depart_on = (NOW - timedelta(days=1)).date()
            session.add(order)
    return "has passed"


def held_back(service: Service) -> str:
    with service.database.transaction() as session:
        session.add(
            DataHoldRow(
                site_id="S2", sku_id="P1", kind="stock", check_name="jump", reason="r", source="wms", signal_id="1"
            )
        )
    return "held back (jump)"


def without_its_lane(service: Service) -> str:
    with service.database.transaction() as session:
        session.delete(session.get_one(MasterRow, ("lane", "S1/S2/van")))
    return "not known any more"


def in_need_of_cold(service: Service) -> str:
    with service.database.transaction() as session:
        row = session.get_one(MasterRow, ("sku", "P1"))
        row.body = row.body | {"temperature": "frozen"}
        session.add(row)
    return "does not admit P1 on S1→S2 by van (temperature)"


@pytest.mark.parametrize("change", [departed, held_back, without_its_lane, in_need_of_cold])
def test_an_order_that_the_world_has_outrun_is_taken_back_and_not_forced(
    open_with: Callable[..., Service], tmp_path: Path, change: Callable[[Service], str]
) -> None:
    erp = SimulatedErp(tmp_path / "erp")
    service = open_with(erp=erp)
    request = approved(service)
    words = change(service)
    carry_out(service, request)
    order = of_sku(service, "P1")
    assert (order.state, order.reserved) == (OrderState.CANCELLED, False)
    assert words in (order.attention or "")
    assert str(order.transfer_id) not in erp.applied()
    with service.database.transaction() as session:
        stock = balances(session)
    assert stock[available("S1"), "P1"] == 200
    assert (reserved("S1"), "P1") not in stock
    assert verify(service.database).verified


def test_units_that_a_count_does_not_find_are_not_shipped_and_the_ledger_follows_the_count(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    erp = SimulatedErp(tmp_path / "erp")
    service = open_with(erp=erp)
    request = approved(service)
    promised = of_sku(service, "P1").units
    with service.database.transaction() as session:
        send(session, a_signal(counts(a_reading(promised - 5)), "count"), jump_units_min=10**6)
        assert session.get_one(StockCountRow, ("S1", "P1")).short_units == 5
    carry_out(service, request)
    order = of_sku(service, "P1")
    assert order.state is OrderState.CANCELLED
    assert "counted 5 units short" in (order.attention or "")
    assert set(erp.applied()) == {str(of_sku(service, "P2").transfer_id)}
    with service.database.transaction() as session:
        assert balances(session)[available("S1"), "P1"] == promised - 5
        assert session.get_one(StockCountRow, ("S1", "P1")).short_units == 0
    assert verify(service.database).verified


@pytest.mark.parametrize(("short", "carries"), [(2, True), (60, False)])
@EMPTY
def test_an_order_that_lacks_a_few_units_carries_fewer_where_policy_admits_it(
    open_with: Callable[..., Service], tmp_path: Path, short: int, carries: bool
) -> None:
    erp = SimulatedErp(tmp_path / "erp")
    service = open_with(erp=erp)
    with service.database.transaction() as session:
        activate_policy(session, "2027-01", "otto", "a little drift")
    request = approved(service)
    decided = of_sku(service, "P1").units
    with service.database.transaction() as session:
        send(session, a_signal(counts(a_reading(decided - short)), "count"), jump_units_min=10**6)
    carry_out(service, request)
    order = of_sku(service, "P1")
    with service.database.transaction() as session:
        stock = balances(session)
        assert session.get_one(StockCountRow, ("S1", "P1")).short_units == 0
        told = session.exec(select(LedgerEvent).where(LedgerEvent.type == EventType.TRANSFER_SHRUNK)).all()
    if carries:
        assert (order.state, order.units, order.decided_units) == (OrderState.SHIPPED, decided - short, decided)
        assert erp.applied()[str(order.transfer_id)] == 1
        assert (available("S1"), "P1") not in stock, "all that was found has left"
    else:
        assert (order.state, order.units, order.decided_units) == (OrderState.CANCELLED, decided, None)
        assert stock[available("S1"), "P1"] == decided - short
    assert (len(told) == 1) is carries
    assert verify(service.database).verified


def test_a_kill_switch_engaged_while_the_erp_is_looked_at_lets_no_post_start(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    class Slow(SimulatedErp):
        """Somebody engages the kill switch while the ERP looks for the transfer."""

        def find(self, reference: str) -> ErpTransfer | None:
            with service.database.transaction() as session:
                engage(session, OTTO, "this looks wrong")
            return super().find(reference)

    erp = Slow(tmp_path / "erp")
    service = open_with(erp=erp)
    request = approved(service)
    carry_out(service, request)
    assert erp.calls("find") == 1
    assert erp.calls("create") == 0
    assert {order.state for order in orders(service)} == {OrderState.RELEASED}


def _made_idle(service: Service) -> None:
    with service.database.transaction() as session:
        session.connection().execute(text("update transfer_order set state_at = state_at - interval '2 minutes'"))


def test_orders_that_nobody_carries_are_taken_up_once_a_minute_and_not_under_the_kill_switch(service: Service) -> None:
    request = approved(service)
    with service.database.transaction() as session:
        assert take_up_idle(session) == 0, "they are just a moment old"
    _made_idle(service)
    with service.database.transaction() as session:
        assert take_up_idle(session) == request.lines
        assert take_up_idle(session) == 0, "they are enqueued already"
    with service.database.transaction() as session:
        session.connection().execute(text("update dbos.workflow_status set status = 'ERROR'"))
        engage(session, OTTO, "a recall")
    with service.database.transaction() as session:
        assert take_up_idle(session) == 0


def test_a_settled_order_is_not_taken_up_again(service: Service) -> None:
    request = approved(service)
    carry_out(service, request)
    _made_idle(service)
    with service.database.transaction() as session:
        assert take_up_idle(session) == 0


def test_an_order_left_to_people_is_asked_for_again_once_an_operator_says_why(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    erp = SimulatedErp(tmp_path / "erp", Faults(ships_after_looks=99))
    service = open_with(erp=erp)
    request = approved(service)
    carry_out(service, request)
    order = of_sku(service, "P1")
    with service.database.transaction() as session, pytest.raises(ConflictError, match="possible: cancel"):
        act(session, OTTO, order.transfer_id, Action.ASK_AGAIN, "why not", erp=erp)
    with erp._open() as connection:
        connection.execute("delete from transfer where reference = ?", (str(order.transfer_id),))
    assert service.look(order.transfer_id) == "stopped"
    assert of_sku(service, "P1").state is OrderState.NEEDS_ATTENTION
    for caller, reason, refusal in ((PAULA, "please", ForbiddenError), (OTTO, "  ", InvalidError)):
        with service.database.transaction() as session, pytest.raises(refusal):
            act(session, caller, order.transfer_id, Action.ASK_AGAIN, reason, erp=erp)
    with service.database.transaction() as session:
        act(session, OTTO, order.transfer_id, Action.ASK_AGAIN, "the ERP was restored from a backup", erp=erp)
    assert service.post(order.transfer_id) == "posted"
    assert erp.applied()[str(order.transfer_id)] == 1
    assert verify(service.database).verified


def test_a_plan_whose_orders_came_to_nothing_may_be_put_forward_again_under_new_ids(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    erp = SimulatedErp(tmp_path / "erp", Faults(refused=1.0))
    service = open_with(erp=erp)
    first = approved(service)
    carry_out(service, first)
    assert {order.state for order in orders(service)} == {OrderState.REFUSED}
    erp.faults = Faults()
    scan(service)
    (second,) = waiting(service)
    assert second.plan_digest == first.plan_digest
    assert second.attempt == 1
    assert approve(service, second, ADA).status is ApprovalStatus.APPROVED
    assert {order.state for order in carry_out(service, second)} == {OrderState.SHIPPED}
    assert len(erp.applied()) == second.lines
    assert verify(service.database).verified


def test_a_plan_that_would_not_pay_any_more_goes_back(service: Service) -> None:
    request = submitted(service)
    with service.database.transaction() as session:
        full = (a_reading(500, "S2"), a_reading(500, "S2", "P2"))
        send(session, a_signal(counts(*full), "count"), jump_units_min=10**6, impossible_units_min=10**6)
    decided = approve(service, request)
    assert decided.status is ApprovalStatus.OUTRUN
    assert "still_pays" in {violation.rule for violation in decided.violations}
    assert not orders(service)
