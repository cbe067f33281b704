"""The steps of a transfer order. Each is one transaction, and each may run twice without doing anything twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlmodel import Session

from app.auth.people import SYSTEM
from app.db.database import database_now
from app.errors import ConflictError, NotFoundError
from app.governance.state import governance
from app.ledger.append import EventType, append, stock_stream
from app.orders.readiness import reasons_against
from app.orders.tables import TransferOrder
from app.stock.tables import StockCountRow
from tools.execution import OrderState, step
from tools.inventory import LaneKey
from tools.moves import StockMove, available, count, ship, void
from tools.ports import TransferContent


def get_order(session: Session, transfer_id: UUID, *, lock: bool = False) -> TransferOrder:
    """A transfer order. Raises NotFoundError."""
    row = session.get(TransferOrder, transfer_id, with_for_update=lock or None, populate_existing=lock)
    if row is None:
        raise NotFoundError("unknown_order", f"there is no transfer order {transfer_id}", "check the id")
    return row


def lane_of(order: TransferOrder) -> LaneKey:
    """The lane that the order travels on."""
    return LaneKey(order.origin, order.destination, order.mode)


def content_of(order: TransferOrder) -> TransferContent:
    """What the ERP is asked to move."""
    return TransferContent(
        reference=str(order.transfer_id),
        sku_id=order.sku_id,
        lane=lane_of(order),
        units=order.units,
        depart_on=order.depart_on,
        arrive_on=order.arrive_on,
    )


def may_look(session: Session, transfer_id: UUID) -> bool:
    """Whether the ERP is to be asked for the transfer: an order under way, and not one that the kill switch holds back."""
    order = get_order(session, transfer_id)
    if order.state is OrderState.RELEASED:
        return not governance(session).kill_switch
    return order.state is OrderState.REQUESTED


def begin_request(session: Session, transfer_id: UUID) -> bool:
    """Record the intention to have the ERP make the transfer, right before it is asked. False: not now, or not any more.

    The share lock on governance orders this against the kill switch: after the switch
    is engaged no further intention can be recorded, and without one nothing is posted.
    An order that the world has outrun is taken back; where the ERP may have been asked
    before, people decide.
    """
    stopped = governance(session, share=True).kill_switch
    order = get_order(session, transfer_id, lock=True)
    if stopped or order.state not in (OrderState.RELEASED, OrderState.REQUESTED):
        return False
    reasons = " ".join(reasons_against(session, order))[:500]
    if reasons and order.state is OrderState.REQUESTED:
        note_attention(session, transfer_id, reasons)
    elif reasons:
        _void(session, order, OrderState.CANCELLED, EventType.TRANSFER_CANCELLED, reasons)
    elif order.state is OrderState.RELEASED:
        record_step(session, order, OrderState.REQUESTED, EventType.TRANSFER_REQUESTED)
    return not reasons


def note_found(session: Session, transfer_id: UUID) -> None:
    """The ERP has the transfer already: whatever has changed since, that it was asked for is a fact."""
    order = get_order(session, transfer_id, lock=True)
    if order.state is OrderState.RELEASED:
        record_step(session, order, OrderState.REQUESTED, EventType.TRANSFER_REQUESTED)


def ask_again(session: Session, transfer_id: UUID, actor: str, reason: str) -> TransferOrder:
    """Have the ERP asked again about an order that was left to people. Raises ConflictError for any other."""
    order = get_order(session, transfer_id, lock=True)
    if order.state is not OrderState.NEEDS_ATTENTION:
        raise ConflictError("no_attention", f"the order is {order.state} and waits for nobody", "look at it again")
    order.attention = None
    facts = {"reason": reason, "time": database_now(session).isoformat()}
    record_step(session, order, OrderState.REQUESTED, EventType.TRANSFER_RESUMED, actor=actor, facts=facts)
    return order


def note_posted(session: Session, transfer_id: UUID, erp_id: str) -> None:
    """The ERP has the transfer. The units stay reserved until they leave."""
    order = get_order(session, transfer_id, lock=True)
    if order.state is OrderState.REQUESTED:
        order.erp_id, order.attention = erp_id, None
        record_step(session, order, OrderState.CONFIRMED, EventType.TRANSFER_POSTED, facts={"erp_id": erp_id})


def note_refused(session: Session, transfer_id: UUID, reason: str) -> None:
    """The ERP said no and has nothing: the reservation is taken back."""
    order = get_order(session, transfer_id, lock=True)
    if order.state is OrderState.REQUESTED:
        _void(session, order, OrderState.REFUSED, EventType.TRANSFER_REFUSED, reason)


def note_cancelled(session: Session, transfer_id: UUID, reason: str) -> None:
    """The ERP had the transfer and gave it up before the goods left: the reservation is taken back."""
    order = get_order(session, transfer_id, lock=True)
    if order.state is OrderState.CONFIRMED:
        record_step(session, order, OrderState.COMPENSATING, None)
        _void(session, order, OrderState.CANCELLED, EventType.TRANSFER_CANCELLED, reason)


def note_shipped(session: Session, transfer_id: UUID) -> None:
    """The goods have left the origin."""
    order = get_order(session, transfer_id, lock=True)
    if order.state is OrderState.CONFIRMED:
        order.reserved, order.shipped_units, order.attention = False, order.units, None
        moves = [ship(order.sku_id, lane_of(order), order.units)]
        record_step(session, order, OrderState.SHIPPED, EventType.TRANSFER_SHIPPED, moves=moves)


def note_doubt(session: Session, transfer_id: UUID, why: str) -> None:
    """Let people know that the ERP gives no certain answer. The order stays where it is and the ERP is asked again."""
    order = get_order(session, transfer_id, lock=True)
    if order.state in (OrderState.RELEASED, OrderState.REQUESTED, OrderState.CONFIRMED):
        order.attention = why
        session.add(order)


def note_attention(session: Session, transfer_id: UUID, why: str) -> None:
    """The order cannot go on by itself. Nothing is voided: doubt is not a no."""
    order = get_order(session, transfer_id, lock=True)
    if order.state in (OrderState.REQUESTED, OrderState.CONFIRMED):
        order.attention = why
        facts = {"reason": why, "was": order.state}
        record_step(session, order, OrderState.NEEDS_ATTENTION, EventType.TRANSFER_NEEDS_ATTENTION, facts=facts)


def _void(session: Session, order: TransferOrder, state: OrderState, event: EventType, reason: str) -> None:
    """Take the reservation back, less the units that the last count at the origin did not find."""
    order.reserved, order.attention = False, reason
    moves = [void(order.sku_id, lane_of(order), order.units)]
    missing = session.get(StockCountRow, (order.origin, order.sku_id), with_for_update=True, populate_existing=True)
    if missing is not None and missing.short_units:
        found_missing = min(missing.short_units, order.units)
        missing.short_units -= found_missing
        session.add(missing)
        correction = count(order.sku_id, available(order.origin), found_missing, 0)
        moves += [correction] if correction else []
    record_step(session, order, state, event, facts={"reason": reason}, moves=moves)


def record_step(
    session: Session,
    order: TransferOrder,
    state: OrderState,
    event: EventType | None,
    *,
    actor: str = SYSTEM,
    facts: Mapping[str, object] | None = None,
    moves: Sequence[StockMove] = (),
) -> None:
    """Bring the order to `state` and append the event with its moves, all in this transaction."""
    was = order.state
    order.state, order.state_at = step(was, state), database_now(session)
    session.add(order)
    session.flush()
    if event is None:
        return
    site_id = order.destination if event is EventType.TRANSFER_RECEIVED else order.origin
    suffix = "".join(f"/{facts[name]}" for name in ("receipt_key", "time") if facts and name in facts)
    append(
        session,
        stream=stock_stream(site_id, order.sku_id),
        key=f"transfer/{order.transfer_id}/{event.removeprefix('transfer_')}{suffix}",
        event_type=event,
        actor=actor,
        facts={"transfer_id": str(order.transfer_id), "plan": order.plan_digest, **(facts or {})},
        moves=moves,
    )
