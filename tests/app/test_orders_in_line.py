"""Orders that stand in line for an ERP that may be asked little: that others come first is no doubt about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from app.durable import workflows
from app.durable.enqueue import CARRY_ORDER
from app.erp.limits import LimitedErp, Limits
from app.erp.pace import Pace
from app.erp.simulated import Faults, SimulatedErp
from app.governance.switch import engage
from app.ledger.verify import verify
from app.orders.carrying import IN_LINE, STOPPED
from app.service import Service, running
from policies.stops import Stop
from tests.builders import a_sku
from tests.installation import ADA, a_network, approve, orders, scan, settle_in, submitted, until, waiting
from tools.execution import OrderState
from tools.ports import ErpTransfer, Refused, TransferContent

REQUESTS_OF_A_POST = 6
SKUS = tuple(f"P{number}" for number in range(1, 9))


class Thorough(SimulatedErp):
    """An ERP that takes several requests to be told of a transfer."""

    def __init__(self, file: Path, pace: Pace, faults: Faults | None = None) -> None:
        super().__init__(file, faults)
        self.pace = pace

    def find(self, reference: str) -> ErpTransfer | None:
        self.pace.take()
        return super().find(reference)

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        for _ in range(REQUESTS_OF_A_POST):
            self.pace.take()
        return super().create(content)


def slow(file: Path, limits: Limits, faults: Faults | None = None) -> LimitedErp:
    pace = Pace(limits.per_second_max)
    return LimitedErp(Thorough(file, pace, faults), limits, pace=pace, post_requests_max=REQUESTS_OF_A_POST)


def backlog(service: Service) -> None:
    """Orders of eight SKUs, approved at once."""
    stock = {(site, sku): units for sku in SKUS for site, units in (("S1", 200), ("S2", 2), ("S3", 45))}
    settle_in(service, a_network(stock, dict.fromkeys(stock, 3.0), skus=tuple(map(a_sku, SKUS))))
    scan(service)
    approve(service, waiting(service)[0])


def at_rest(service: Service) -> bool:
    """Whether no order is carried or waits for a worker."""
    query = text("select count(*) from dbos.workflow_status where name = :name and status in ('PENDING', 'ENQUEUED')")
    with service.database.transaction() as session:
        return not session.connection().execute(query, {"name": CARRY_ORDER}).scalar_one()


def test_a_backlog_before_a_slow_erp_is_posted_once_each_and_nobody_reads_of_doubt(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    erp = slow(tmp_path / "erp", Limits(per_second_max=30.0, wait_seconds_max=0.04))
    service = open_with(erp=erp, settings={"erp_attempts_max": 2})
    backlog(service)
    with running(service):
        until("the orders", lambda: {order.state for order in orders(service)} == {OrderState.SHIPPED}, 120)
    found = orders(service)
    assert len(found) == len(SKUS)
    assert isinstance(erp.erp, Thorough)
    assert erp.erp.applied() == {str(order.transfer_id): 1 for order in found}
    assert {order.attention for order in found} == {None}
    assert verify(service.database).verified


def test_an_order_that_stands_in_line_for_long_makes_room_for_others_and_is_carried_on_by_the_tick(
    open_with: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflows, "IN_LINE_SECONDS_MAX", 0.3)
    erp = slow(tmp_path / "erp", Limits(at_once_max=1, wait_seconds_max=0.05, per_second_max=100.0))
    service = open_with(erp=erp, settings={"erp_attempts_max": 2})
    approve(service, submitted(service))
    with running(service):
        with erp._bulkhead():  # somebody's call takes its time
            until("the orders to make room", lambda: bool(orders(service)) and at_rest(service))
            assert {(order.state, order.attention) for order in orders(service)} == {(OrderState.RELEASED, None)}
        with service.database.transaction() as session:
            session.connection().execute(text("update transfer_order set state_at = state_at - interval '2 minutes'"))
        service.tick()
        until("the orders", lambda: {order.state for order in orders(service)} == {OrderState.SHIPPED})
    assert {order.attention for order in orders(service)} == {None}


def test_an_order_in_line_that_a_stop_holds_meanwhile_is_not_asked_for(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    erp = slow(tmp_path / "erp", Limits(at_once_max=1, wait_seconds_max=0.05))
    service = open_with(erp=erp)
    request = submitted(service)
    approve(service, request)
    first, *_ = orders(service, request)
    with erp._bulkhead():
        assert service.post(first.transfer_id) == service.look(first.transfer_id) == IN_LINE
    with service.database.transaction() as session:
        engage(session, ADA, "the dock is flooded", Stop())
    assert service.post(first.transfer_id) == STOPPED
    assert isinstance(erp.erp, Thorough)
    assert erp.erp.calls("create") == 0


def test_an_erp_that_gives_no_answer_and_is_left_alone_for_that_is_told_to_people(
    open_with: Callable[..., Service], tmp_path: Path
) -> None:
    limits = Limits(failures_max=1, pause_seconds=30.0, per_second_max=100.0)
    service = open_with(erp=slow(tmp_path / "erp", limits, Faults(lost_before=1.0)), settings={"erp_attempts_max": 2})
    approve(service, submitted(service))
    with running(service):
        until("people to be told", lambda: bool(orders(service)) and all(each.attention for each in orders(service)))
    assert {order.attention for order in orders(service)} == {"the ERP gave no certain answer in 2 attempts"}
