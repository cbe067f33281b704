"""Receipts: what a destination says has arrived. Goods in transit stay in transit until then."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from app.auth.authorise import OrderResource
from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.errors import ConflictError, InvalidError
from app.orders.steps import get_order, record
from app.orders.tables import Receipt, TransferOrder
from tools import saga
from tools.execution import OrderState
from tools.inventory import UNITS_MAX
from tools.saga import Arrival


@dataclass(frozen=True, slots=True)
class Received:
    """What a receipt did. `new` is False when the same receipt was there already."""

    transfer_id: UUID
    state: OrderState
    received_units: int
    outstanding_units: int
    new: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What a destination reports: `units` usable (None: all that is outstanding) and `damaged_units` that are not.

    The key is the reporter's own: the same report again changes nothing. `is_last`: nothing
    more will come, what is still outstanding is lost in transit. `accept_over`: more than is
    outstanding did arrive.
    """

    units: int | None
    receipt_key: str
    damaged_units: int = 0
    is_last: bool = False
    accept_over: bool = False


def receive_order(session: Session, receiver: Principal, transfer_id: UUID, report: Report) -> Received:
    """Book what a destination reports. What came damaged or beyond what had left is told to people.

    Raises ConflictError (not shipped, more than outstanding, a key used for another
    receipt), InvalidError and NotFoundError; then nothing has changed.
    """
    receiver.require(Act.RECEIVE)
    order = get_order(session, transfer_id, lock=True)
    receiver.require(Act.RECEIVE, OrderResource(transfer_id, order.origin, order.destination))
    facts = order.facts
    units = facts.in_transit_units - report.damaged_units if report.units is None else report.units
    known = session.get(Receipt, report.receipt_key)
    if known is not None:
        return _repeated(order, known, report)
    arrival = Arrival(units, report.damaged_units, is_last=report.is_last)
    if facts.has_left:
        _require_sense(facts, arrival, accept_over=report.accept_over)
    step = saga.arrived(facts, arrival) if facts.has_left else None
    if step is None:
        raise ConflictError(
            "not_shipped", f"the order is {order.state}; goods can be received once they have shipped",
            "look at the order again", state=order.state,
        )  # fmt: skip
    session.add(
        Receipt(
            receipt_key=report.receipt_key, transfer_id=transfer_id, units=units, damaged_units=report.damaged_units,
            is_last=report.is_last, received_at=database_now(session), received_by=receiver.user_id,
        )
    )  # fmt: skip
    record(session, order, step, actor=receiver.user_id, facts={"receipt_key": report.receipt_key})
    record(session, order, saga.closed(order.facts), actor=receiver.user_id)
    return _so_far(order, new=True)


def _require_sense(order: saga.OrderFacts, arrival: Arrival, *, accept_over: bool) -> None:
    arrived, outstanding = arrival.units + arrival.damaged_units, order.in_transit_units
    sizes_fit = 0 <= arrival.units <= UNITS_MAX and 0 <= arrival.damaged_units <= UNITS_MAX
    if not sizes_fit or (arrived == 0 and not arrival.is_last):
        raise InvalidError("receipt_units", f"a receipt of {arrived} units says nothing", "give 1 unit or more")
    if arrived > outstanding and not accept_over:
        raise ConflictError(
            "over_receipt", f"{arrived:,} units arrived, but only {outstanding:,} are outstanding",
            "count again; if so many did arrive, say that the surplus is accepted", outstanding_units=outstanding,
        )  # fmt: skip


def _repeated(order: TransferOrder, known: Receipt, report: Report) -> Received:
    told = (order.transfer_id, report.is_last, report.damaged_units)
    if (known.transfer_id, known.is_last, known.damaged_units) != told or report.units not in (None, known.units):
        raise ConflictError(
            "receipt_key_taken", f"the receipt {known.receipt_key} was reported with other content before",
            "report new arrivals under a new key",
        )  # fmt: skip
    return _so_far(order, new=False)


def _so_far(order: TransferOrder, *, new: bool) -> Received:
    return Received(order.transfer_id, order.state, order.received_units, order.facts.in_transit_units, new=new)
