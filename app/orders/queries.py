"""Reading transfer orders."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from app.auth.roles import Principal
from app.orders.tables import TransferOrder
from tools.execution import OrderState


def orders_of_approval(session: Session, approval_id: UUID) -> list[TransferOrder]:
    """The orders that an approval released, by line."""
    query = select(TransferOrder).where(TransferOrder.approval_id == approval_id)
    return list(session.exec(query.order_by(col(TransferOrder.line_no))).all())


def orders_in_scope(
    session: Session, principal: Principal, states: Sequence[OrderState] | None = None, limit: int = 500
) -> list[TransferOrder]:
    """The newest orders that touch the caller's sites."""
    query = select(TransferOrder).order_by(col(TransferOrder.state_at).desc(), col(TransferOrder.transfer_id))
    if states is not None:
        query = query.where(col(TransferOrder.state).in_(states))
    if principal.sites is not None:
        sites = sorted(principal.sites)
        query = query.where(col(TransferOrder.origin).in_(sites) | col(TransferOrder.destination).in_(sites))
    return list(session.exec(query.limit(limit)).all())
