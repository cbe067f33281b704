"""What carriers say about goods on the way."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, col, select

from app.errors import InvalidError
from app.orders.steps import get_order, record
from app.orders.tables import TransferOrder
from app.stock.installation import planning_now
from tools import saga
from tools.execution import OrderState
from tools.signals import Envelope, TransitStatusData


def note_transit(session: Session, envelope: Envelope, data: TransitStatusData) -> None:
    """Take over the expected day of arrival. Arrival itself counts only when the destination reports a receipt.

    Raises InvalidError for a transfer order that there is none of.
    """
    try:
        order = session.get(TransferOrder, UUID(data.transfer_id), with_for_update=True)
    except ValueError:  # 36 hex digits and hyphens that are no id at all
        order = None
    if order is None:
        raise InvalidError(
            "unknown_transfer", f"signal {envelope.id} is about {data.transfer_id}, which is no transfer order",
            "check the id", signal=envelope.id,
        )  # fmt: skip
    if data.expected_on is not None and not order.state.is_final:
        order.arrive_on = data.expected_on
        session.add(order)


def note_overdue(session: Session, grace_days: int) -> int:
    """Tell people, once, about goods under way that should have arrived more than `grace_days` ago. Returns how many.

    They stay in transit: nobody knows where they are until somebody reports it.
    """
    today = planning_now(session).date()
    late = select(TransferOrder.transfer_id).where(
        col(TransferOrder.state).in_((OrderState.SHIPPED, OrderState.PARTIALLY_RECEIVED)),
        col(TransferOrder.arrive_on) < today, col(TransferOrder.attention).is_(None),
    )  # fmt: skip
    told = 0
    for transfer_id in session.exec(late.order_by(col(TransferOrder.transfer_id))).all():
        order = get_order(session, transfer_id, lock=True)
        told += record(session, order, saga.overdue(order.facts, today, grace_days))
    return told
