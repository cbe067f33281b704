"""Which orders are laid beside the ERP: what it has told of, however old, and what it should still have; nothing else is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import event, text

from app.orders.reconciling import reconcile
from app.orders.tables import TransferOrder
from app.service import Service
from tests.app.test_reconciling import Erp
from tests.installation import approve, carry_out, submitted
from tools.execution import OrderState
from tools.ports import ErpTransferState
from tools.reconcile import DifferenceKind


@pytest.fixture
def template(plan_waiting: str) -> str:
    return plan_waiting


@pytest.fixture
def posted(open_with: Callable[..., Service]) -> tuple[Service, Erp, list[TransferOrder]]:
    """A service, its ERP, and its orders, all of which the ERP has confirmed."""
    erp = Erp()
    service = open_with(erp=erp)
    request = submitted(service)
    approve(service, request)
    found = carry_out(service, request)
    assert {order.state for order in found} == {OrderState.CONFIRMED}
    return service, erp, found


def ages(service: Service, days: int, **columns: object) -> None:
    """All orders were last changed so long ago, and say this."""
    told = "".join(f", {name} = :{name}" for name in columns)
    with service.database.transaction() as session:
        query = text(f"update transfer_order set state_at = state_at - make_interval(days => :days){told}")
        session.connection().execute(query, {"days": days} | columns)


@contextmanager
def read() -> Iterator[set[UUID]]:
    """The orders that are read meanwhile."""
    found = set[UUID]()

    def note(order: TransferOrder, _context: object) -> None:
        found.add(order.transfer_id)

    event.listen(TransferOrder, "load", note)
    yield found
    event.remove(TransferOrder, "load", note)


def test_what_the_erp_tells_of_is_compared_however_long_ago_it_changed_here(
    posted: tuple[Service, Erp, list[TransferOrder]],
) -> None:
    service, erp, found = posted
    ages(service, 400)
    for order in found:
        erp.by_hand(order.transfer_id, state=ErpTransferState.SHIPPED)
    kinds = {each.reference: each.kind for each in reconcile(service.database, erp)}
    assert kinds == {str(order.transfer_id): DifferenceKind.BEHIND for order in found}


def test_what_the_erp_has_lost_is_told_for_as_long_as_the_two_are_laid_side_by_side(
    posted: tuple[Service, Erp, list[TransferOrder]],
) -> None:
    service, erp, found = posted
    erp.transfers.clear()
    ages(service, 80)
    kinds = {each.reference: each.kind for each in reconcile(service.database, erp)}
    assert kinds == {str(order.transfer_id): DifferenceKind.MISSING_THERE for order in found}
    ages(service, 20)
    with read() as loaded:
        assert reconcile(service.database, erp) == []
    assert loaded == set()


def test_orders_that_the_erp_never_had_are_not_read(posted: tuple[Service, Erp, list[TransferOrder]]) -> None:
    service, erp, _ = posted
    erp.transfers.clear()
    ages(service, 0, erp_id=None, state="cancelled", reserved=False)
    with read() as loaded:
        assert reconcile(service.database, erp) == []
    assert loaded == set()
