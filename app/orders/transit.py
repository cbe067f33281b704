"""What carriers say about goods on the way."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session

from app.errors import InvalidError
from app.orders.tables import TransferOrder
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
