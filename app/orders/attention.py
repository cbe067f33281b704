"""What people do about transfer orders: ask again, accept, cancel, take back, write off, acknowledge. Each with a reason on record."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session

from app.auth.authorise import OrderResource
from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.errors import ConflictError, InvalidError
from app.governance.state import governance
from app.orders.release import set_going
from app.orders.steps import get_order, missing_units, record
from app.orders.tables import TransferOrder
from tools import saga
from tools.saga import Action, Step


def act(
    session: Session,
    operator: Principal,
    transfer_id: UUID,
    action: Action,
    reason: str,
    units: int | None = None,
) -> TransferOrder:
    """Do what a person wants done about an order. The reason is recorded.

    `ask_again`: the ERP is asked again; it is found out first whether it has the transfer.
    `accept`: it goes on with the `units` of it that the ERP has, at most those approved, and
    the rest is free again. `cancel`: an order that the ERP was never asked for is over at once; for any other the ERP
    is asked to give it up, and goods that have left are called back. `return`: `units` (all
    that are under way by default) are at the origin again. `write_off`: what is under way
    will not come. `acknowledge`: what was to be known has been read.

    Raises ForbiddenError, NotFoundError, InvalidError without a reason and for units that
    make no sense, and ConflictError for what is not possible now.
    """
    operator.require(Act.RESOLVE)
    governance(session, share=True)  # before the order, as whoever engages a stop does
    order = get_order(session, transfer_id, lock=True)
    operator.require(Act.RESOLVE, OrderResource(transfer_id, order.origin, order.destination))
    if not reason.strip():
        raise InvalidError("reason_missing", "nothing is done about an order without a reason", "say what has changed")
    if action is Action.RECEIVE:
        raise InvalidError("use_receipts", "arrivals are reported as receipts", "report a receipt")
    facts = order.facts
    wanted = facts.in_transit_units if units is None else units
    if action in (Action.RETURN, Action.WRITE_OFF) and not 0 < wanted <= facts.in_transit_units:
        raise InvalidError(
            "units", f"{wanted:,} units make no sense: {facts.in_transit_units:,} are under way", "give fewer"
        )
    if action is Action.ACCEPT and (units is None or not 0 < units <= facts.units):
        raise InvalidError(
            "units", "an order goes on with a number of units that somebody has looked up in the ERP",
            f"give how many of its units the ERP has: 1 to {facts.units:,}",
        )  # fmt: skip
    said = reason.strip()
    step = _step(session, order, action, said, wanted)
    if not record(session, order, step, actor=operator.user_id, facts={"action": action}, said={"reason": said}):
        possible = ", ".join(saga.actions(facts)) or "nothing"
        raise ConflictError(
            "not_possible", f"{action} is not possible for an order that is {order.state}; possible: {possible}",
            "look at it again", state=order.state,
        )  # fmt: skip
    if order.units < facts.units:
        order.decided_units = order.decided_units or facts.units
    record(session, order, saga.closed(order.facts), actor=operator.user_id)
    if action in (Action.ASK_AGAIN, Action.ACCEPT, Action.CANCEL) and order.reserved:
        set_going(session, [order], f"/{database_now(session):%Y%m%dT%H%M%S%f}")
    return order


def _step(session: Session, order: TransferOrder, action: Action, reason: str, units: int) -> Step | None:
    facts = order.facts
    match action:
        case Action.ASK_AGAIN:
            return saga.asked_again(facts, reason)
        case Action.ACCEPT:
            return saga.accepted(facts, units, reason, missing_units(session, order))
        case Action.CANCEL:
            return saga.withdrawn(facts, reason, missing_units(session, order)) or saga.cancelling(facts, reason)
        case Action.RETURN:
            return saga.returned(facts, units)
        case Action.WRITE_OFF:
            return saga.written_off(facts, units)
        case _:
            return saga.acknowledged(facts)
