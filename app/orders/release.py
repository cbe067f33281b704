"""Releasing transfer orders: handing them to durable workers, once for each time they are set going."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from app.approvals.requests import get_request
from app.approvals.tables import ApprovalStatus
from app.db.database import database_now
from app.durable.enqueue import CARRY_ORDER, enqueue
from app.governance.state import STREAM, governance
from app.ledger.tables import LedgerHead
from app.orders.queries import orders_of_approval
from app.orders.tables import TransferOrder
from tools.execution import OrderState

IDLE_SECONDS = 60


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


def set_going(session: Session, orders: Iterable[TransferOrder], again: str = "") -> int:
    """Enqueue the work of each order. `again` names another occasion to set the same orders going."""
    governance(session, share=True)
    head = session.get(LedgerHead, STREAM)
    epoch = head.seq if head else 0
    count = 0
    for order in orders:
        enqueue(session, CARRY_ORDER, f"order:{order.transfer_id}/{epoch}{again}", str(order.transfer_id))
        count += 1
    return count


_CARRIED = text("""
    select split_part(split_part(workflow_uuid, ':', 2), '/', 1) from dbos.workflow_status
    where name = :name and status in ('PENDING', 'ENQUEUED')
""")


def take_up_idle(session: Session) -> int:
    """Enqueue every order that is not settled, and that nobody has carried for a minute. Returns how many.

    Confirmed orders that wait for their warehouse, and orders whose worker was lost. What a
    stop has held since before the ERP was asked waits for people.
    """
    now = database_now(session)
    carried = {str(row[0]) for row in session.connection().execute(_CARRIED, {"name": CARRY_ORDER})}
    unsettled = (OrderState.RELEASED, OrderState.REQUESTED, OrderState.CONFIRMED, OrderState.COMPENSATING)
    query = select(TransferOrder).where(
        col(TransferOrder.state).in_(unsettled), col(TransferOrder.reserved),
        TransferOrder.state_at < now - timedelta(seconds=IDLE_SECONDS),
        col(TransferOrder.held_by).is_(None) | (col(TransferOrder.state) != OrderState.RELEASED),
    )  # fmt: skip
    idle = [order for order in session.exec(query).all() if str(order.transfer_id) not in carried]
    return set_going(session, idle, f"/{now:%Y%m%dT%H%M}")
