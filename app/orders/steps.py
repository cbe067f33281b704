"""Recording the steps of a transfer order. Each is one transaction, and each may run twice without doing anything twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from sqlmodel import Session

from app.auth.people import SYSTEM
from app.db.database import database_now
from app.errors import NotFoundError
from app.ledger.append import EventType, append, stock_stream
from app.ledger.reasons import reason_of
from app.orders.tables import TransferOrder
from app.stock.tables import StockCountRow
from tools.execution import TransferEvent
from tools.moves import OutsideReason, available, outside
from tools.saga import OrderFacts, Step

_AT_THE_DESTINATION = (TransferEvent.RECEIVED,)


def get_order(session: Session, transfer_id: UUID, *, lock: bool = False) -> TransferOrder:
    """A transfer order. Raises NotFoundError."""
    row = session.get(TransferOrder, transfer_id, with_for_update=lock or None, populate_existing=lock)
    if row is None:
        raise NotFoundError("unknown_order", f"there is no transfer order {transfer_id}", "check the id")
    return row


def missing_units(session: Session, order: TransferOrder) -> int:
    """How many promised units the last count at the origin did not find, of those that this order holds."""
    found = session.get(StockCountRow, (order.origin, order.sku_id), with_for_update=True, populate_existing=True)
    return min(found.short_units, order.units) if found is not None else 0


def record(
    session: Session,
    order: TransferOrder,
    step: Step | None,
    *,
    actor: str = SYSTEM,
    facts: Mapping[str, object] | None = None,
    said: Mapping[str, str] | None = None,
) -> bool:
    """Bring the order to where the step leads and append its event with its moves, all in this transaction.

    `said` are words of whoever acts, by the name of the fact that they are: they are sealed. The caller holds the order's
    lock. False for a step that is none.
    """
    if step is None:
        return False
    if step.order.state is not order.state:
        order.state_at = database_now(session)
    order.become(step.order)
    session.add(order)
    session.flush()
    if step.event is None:
        return True
    order.events += 1
    site_id = order.destination if step.event in _AT_THE_DESTINATION else order.origin
    told = {"transfer_id": str(order.transfer_id), "plan": order.plan_digest, **step.facts, **(facts or {})}
    append(
        session,
        stream=stock_stream(site_id, order.sku_id),
        key=f"transfer/{order.transfer_id}/{order.events}/{step.event.removeprefix('transfer_')}",
        event_type=EventType(step.event),
        actor=actor,
        facts={name: value for name, value in told.items() if name not in (said or {})},
        moves=step.moves,
        sealed=reason_of(actor, **said) if said else None,
    )
    _take_off_missing(session, order, step)
    session.flush()
    return True


def take(
    session: Session,
    transfer_id: UUID,
    learn: Callable[[OrderFacts, int], Step | None],
    *,
    actor: str = SYSTEM,
) -> TransferOrder:
    """Lock the order and record step after step of what was learned, until nothing is left to do.

    `learn` gets the order and how many of its units the last count at the origin did not find.
    """
    order = get_order(session, transfer_id, lock=True)
    missing = missing_units(session, order) if order.reserved else 0
    while record(session, order, learn(order.facts, missing), actor=actor):
        pass
    return order


def _take_off_missing(session: Session, order: TransferOrder, step: Step) -> None:
    """Units that a count had not found, and that went out of the books with the reservation, are missing no longer."""
    gone = sum(
        move.units
        for move in step.moves
        if (move.from_place, move.to_place) == (available(order.origin), outside(OutsideReason.COUNT))
    )
    counted = session.get(StockCountRow, (order.origin, order.sku_id)) if gone else None
    if counted is not None:
        counted.short_units -= gone
        session.add(counted)
