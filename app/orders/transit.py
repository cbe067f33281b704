"""What carriers say about goods on the way."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from app.db.database import Database
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


def note_overdue(database: Database, grace_days: int) -> int:
    """Tell people about goods that should have left or arrived more than `grace_days` ago. Returns of how many.

    They stay where they are in the books: nobody knows where they are until somebody reports it. Each order is a
    transaction of its own: whoever decides or receives waits for one stream at most.
    """
    with database.transaction() as session:
        today = planning_now(session).date()
        passed = today - timedelta(days=grace_days)
        late = select(TransferOrder).where(
            col(TransferOrder.state).in_(_WATCHED),
            (col(TransferOrder.depart_on) < passed) | (col(TransferOrder.arrive_on) < passed),
        )
        found = session.exec(late.order_by(col(TransferOrder.transfer_id))).all()
        news = [order.transfer_id for order in found if lateness.overdue(order.facts, today, grace_days) is not None]
    return sum(_note(database, transfer_id, today, grace_days) for transfer_id in news)


def _note(database: Database, transfer_id: UUID, today: date, grace_days: int) -> bool:
    with database.transaction() as session:
        order = get_order(session, transfer_id, lock=True)
        return record(session, order, lateness.overdue(order.facts, today, grace_days))
