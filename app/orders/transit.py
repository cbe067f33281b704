"""What carriers say about goods on the way."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, col, select

from app.errors import InvalidError
from app.orders.steps import get_order, record
from app.orders.tables import TransferOrder
from app.stock.installation import planning_now
from tools import lateness
from tools.execution import OrderState
from tools.signals import Envelope, TransitStatusData

_WATCHED = (OrderState.CONFIRMED, OrderState.SHIPPED, OrderState.PARTIALLY_RECEIVED, OrderState.COMPENSATING)


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
    """Tell people about goods that should have left or arrived more than `grace_days` ago. Returns of how many.

    They stay where they are in the books: nobody knows where they are until somebody reports it.
    """
    today = planning_now(session).date()
    late = select(TransferOrder).where(
        col(TransferOrder.state).in_(_WATCHED),
        (col(TransferOrder.depart_on) < today) | (col(TransferOrder.arrive_on) < today),
    )
    told = 0
    for seen in session.exec(late.order_by(col(TransferOrder.transfer_id))).all():
        if lateness.overdue(seen.facts, today, grace_days) is not None:
            order = get_order(session, seen.transfer_id, lock=True)
            told += record(session, order, lateness.overdue(order.facts, today, grace_days))
    return told
