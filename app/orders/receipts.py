"""Receipts: what a destination says has arrived. Goods in transit stay in transit until then."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.errors import ConflictError, InvalidError, NotFoundError
from app.ledger.append import EventType
from app.orders.steps import get_order, lane_of, record_step
from app.orders.tables import Receipt, TransferOrder
from tools.execution import OrderState
from tools.moves import lose, receive

_OPEN = (OrderState.SHIPPED, OrderState.PARTIALLY_RECEIVED)


@dataclass(frozen=True, slots=True)
class Received:
    """What a receipt did. `new` is False when the same receipt was there already."""

    transfer_id: UUID
    state: OrderState
    received_units: int
    outstanding_units: int
    new: bool


def receive_order(
    session: Session,
    receiver: Principal,
    transfer_id: UUID,
    units: int | None,
    *,
    receipt_key: str,
    is_last: bool = False,
) -> Received:
    """Book `units` (None: all that is outstanding) as arrived at the destination.

    `is_last` says that nothing more will come: what is still outstanding is lost in
    transit. Raises ConflictError (not shipped, more than outstanding, a key used for
    another receipt), InvalidError and NotFoundError; then nothing has changed.
    """
    receiver.require(Act.RECEIVE)
    order = get_order(session, transfer_id, lock=True)
    if not receiver.covers((order.destination,)):
        raise NotFoundError("unknown_order", f"there is no transfer order {transfer_id}", "check the id")
    outstanding = order.units - order.received_units - order.lost_units
    known = session.get(Receipt, receipt_key)
    if known is not None:
        return _repeated(order, known, units, is_last=is_last)
    if order.state not in _OPEN:
        raise ConflictError(
            "not_shipped", f"the order is {order.state}; goods can be received once they have shipped",
            "look at the order again", state=order.state,
        )  # fmt: skip
    arrived = outstanding if units is None else units
    if arrived < 0 or (arrived == 0 and not is_last):
        raise InvalidError("receipt_units", f"a receipt of {arrived} units says nothing", "give 1 unit or more")
    if arrived > outstanding:
        raise ConflictError(
            "over_receipt", f"{arrived:,} units arrived, but only {outstanding:,} are outstanding",
            "count again; units beyond the order belong to a stock count", outstanding_units=outstanding,
        )  # fmt: skip
    session.add(
        Receipt(
            receipt_key=receipt_key, transfer_id=transfer_id, units=arrived, is_last=is_last,
            received_at=database_now(session), received_by=receiver.user_id,
        )
    )  # fmt: skip
    lost = outstanding - arrived if is_last else 0
    order.received_units += arrived
    order.lost_units += lost
    done = order.received_units + order.lost_units == order.units
    lane = lane_of(order)
    moves = [receive(order.sku_id, lane, arrived)] if arrived else []
    if lost:
        moves.append(lose(order.sku_id, lane, lost))
    record_step(
        session,
        order,
        OrderState.RECEIVED if done else OrderState.PARTIALLY_RECEIVED,
        EventType.TRANSFER_RECEIVED,
        actor=receiver.user_id,
        facts={"receipt_key": receipt_key, "units": arrived, "lost_units": lost},
        moves=moves,
    )
    if done:
        record_step(session, order, OrderState.CLOSED, EventType.TRANSFER_CLOSED, actor=receiver.user_id)
    return Received(transfer_id, order.state, order.received_units, outstanding - arrived - lost, new=True)


def _repeated(order: TransferOrder, known: Receipt, units: int | None, *, is_last: bool) -> Received:
    same = known.transfer_id == order.transfer_id and known.is_last == is_last and units in (None, known.units)
    if not same:
        raise ConflictError(
            "receipt_key_taken", f"the receipt {known.receipt_key} was reported with other content before",
            "report new arrivals under a new key",
        )  # fmt: skip
    outstanding = order.units - order.received_units - order.lost_units
    return Received(order.transfer_id, order.state, order.received_units, outstanding, new=False)
