"""Orders that were left to people, taken up again."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session

from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.errors import InvalidError, NotFoundError
from app.orders.release import set_going
from app.orders.steps import ask_again, get_order
from app.orders.tables import TransferOrder


def retry(session: Session, operator: Principal, transfer_id: UUID, reason: str) -> TransferOrder:
    """Have the ERP asked again about an order that was left to people. The reason is recorded.

    Whether the ERP has the transfer is found out first, so a repeat makes no second one.
    Raises ForbiddenError, NotFoundError, InvalidError without a reason, and
    ConflictError for an order that waits for nobody.
    """
    operator.require(Act.RESOLVE)
    order = get_order(session, transfer_id)
    if not operator.touches((order.origin, order.destination)):
        raise NotFoundError("unknown_order", f"there is no transfer order {transfer_id}", "check the id")
    if not reason.strip():
        raise InvalidError("reason_missing", "an order is not taken up again without a reason", "say what has changed")
    order = ask_again(session, transfer_id, operator.user_id, reason.strip())
    set_going(session, [order], f"/{database_now(session):%Y%m%dT%H%M%S%f}")
    return order
