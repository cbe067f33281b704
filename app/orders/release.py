"""Releasing transfer orders: handing them to durable workers, once for each time they are set going."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlmodel import Session, col, select

from app.approvals.requests import get_request
from app.approvals.tables import ApprovalStatus
from app.durable.enqueue import CARRY_ORDER, enqueue
from app.governance.state import STREAM, governance
from app.ledger.tables import LedgerHead
from app.orders.queries import orders_of_approval
from app.orders.tables import TransferOrder
from tools.execution import OrderState


def release_orders(session: Session, approval_id: UUID) -> list[TransferOrder]:
    """Set the orders of an approved plan going. Releasing again sets nothing going twice.

    Reads the approval itself: whoever calls, an approval that is not recorded releases nothing.
    """
    request = get_request(session, approval_id)
    if request.status is not ApprovalStatus.APPROVED:
        return []
    orders = orders_of_approval(session, approval_id)
    if any(order.plan_digest != request.plan_digest for order in orders):
        return []
    set_going(session, (order for order in orders if order.state is OrderState.RELEASED))
    return orders


def set_going(session: Session, orders: Iterable[TransferOrder]) -> int:
    """Enqueue the work of each order. An order that the kill switch held gets a new workflow after its release."""
    governance(session, share=True)
    head = session.get(LedgerHead, STREAM)
    epoch = head.seq if head else 0
    count = 0
    for order in orders:
        enqueue(session, CARRY_ORDER, f"order:{order.transfer_id}/{epoch}", str(order.transfer_id))
        count += 1
    return count


def set_held_going(session: Session) -> int:
    """Enqueue every order that is approved and was not posted yet: after the kill switch, or after a lost worker."""
    waiting = (OrderState.RELEASED, OrderState.REQUESTED)
    return set_going(session, session.exec(select(TransferOrder).where(col(TransferOrder.state).in_(waiting))).all())
