"""What people do about transfer orders: ask again, accept, cancel, take back, write off, acknowledge. Each with a reason on record."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session

from app.auth.authorise import OrderResource
from app.auth.roles import Act, Principal
from app.db.database import database_now
from app.errors import ConflictError, InvalidError, UnavailableError
from app.governance.state import governance
from app.orders.release import set_going
from app.orders.steps import get_order, missing_units, record
from app.orders.tables import TransferOrder
from tools import saga
from tools.counted import counted
from tools.execution import OrderState
from tools.following import words_on_other_content
from tools.ports import ErpPort, ErpTransfer, ErpTransferState, ErpUncertainError
from tools.saga import Action, OrderFacts, Step


def act(
    session: Session,
    operator: Principal,
    transfer_id: UUID,
    action: Action,
    reason: str,
    units: int | None = None,
    *,
    erp: ErpPort,
) -> TransferOrder:
    """Do what a person wants done about an order. The reason is recorded.

    `ask_again`: the ERP is asked again; it is found out first whether it has the transfer.
    `accept`: it goes on with what the ERP has of it now, which is to be `units`, and the rest
    is free again. `cancel`: an order that the ERP was never asked for is over at once; for any
    other the ERP is asked to give it up, and goods that have left are called back. `return`:
    `units` (all that are under way by default) are at the origin again. `write_off`: what is
    under way will not come. `acknowledge`: what was to be known has been read.

    Raises ForbiddenError, NotFoundError, InvalidError without a reason and for units that
    make no sense, ConflictError for what is not possible now, and UnavailableError where the
    ERP gives no certain answer.
    """
    operator.require(Act.RESOLVE)
    order = get_order(session, transfer_id)
    operator.require(Act.RESOLVE, OrderResource(transfer_id, order.origin, order.destination))
    said = _said(action, reason)
    # Before anything is locked: an ERP takes its time, and nobody else is to wait for it.
    found = _asked(order.facts, erp) if action is Action.ACCEPT else None
    governance(session, share=True)  # before the order, as whoever engages a stop does
    order = get_order(session, transfer_id, lock=True)
    facts = order.facts
    _require_sense(facts, action, units, found)
    step = _step(session, order, action, said, facts.in_transit_units if units is None else units, found)
    if not record(session, order, step, actor=operator.user_id, facts={"action": action}, said={"reason": said}):
        raise _not_possible(facts, action)
    if order.units < facts.units:
        order.decided_units = order.decided_units or facts.units
    record(session, order, saga.closed(order.facts), actor=operator.user_id)
    if action in (Action.ASK_AGAIN, Action.ACCEPT, Action.CANCEL) and order.reserved:
        set_going(session, [order], f"/{database_now(session):%Y%m%dT%H%M%S%f}")
    return order


def _said(action: Action, reason: str) -> str:
    if not reason.strip():
        raise InvalidError("reason_missing", "nothing is done about an order without a reason", "say what has changed")
    if action is Action.RECEIVE:
        raise InvalidError("use_receipts", "arrivals are reported as receipts", "report a receipt")
    return reason.strip()


def _asked(facts: OrderFacts, erp: ErpPort) -> ErpTransfer | None:
    """What the ERP has now of an order that may be accepted; nothing of any other, which it is not asked about."""
    if not _waits_before_it_left(facts):
        return None
    try:
        return erp.find(facts.reference)
    except ErpUncertainError as doubt:
        raise UnavailableError(
            "erp_uncertain", f"the ERP does not say for certain what it has of the order: {doubt}",
            "try again in a minute; nothing has changed", transfer_id=facts.reference,
        ) from doubt  # fmt: skip


def _waits_before_it_left(facts: OrderFacts) -> bool:
    return facts.state is OrderState.NEEDS_ATTENTION and not facts.has_left


def _require_sense(facts: OrderFacts, action: Action, units: int | None, found: ErpTransfer | None) -> None:
    """Raise InvalidError for units that make no sense, and ConflictError where the ERP has nothing that may be accepted."""
    wanted = facts.in_transit_units if units is None else units
    if action in (Action.RETURN, Action.WRITE_OFF) and not 0 < wanted <= facts.in_transit_units:
        raise InvalidError(
            "units", f"{wanted:,} units make no sense: {facts.in_transit_units:,} are under way", "give fewer"
        )
    if action is not Action.ACCEPT:
        return
    if units is None or not 0 < units <= facts.units:
        raise InvalidError(
            "units", "an order goes on with a number of units that somebody has looked up in the ERP",
            f"give how many of its units the ERP has: 1 to {facts.units:,}",
        )  # fmt: skip
    if _waits_before_it_left(facts):
        _require_fit(facts, units, found)


def _require_fit(facts: OrderFacts, units: int, found: ErpTransfer | None) -> None:
    """Raise ConflictError unless what the ERP has is what somebody has looked up, and no other and no more than was approved."""
    if found is None or found.state is ErpTransferState.CANCELLED:
        what = "has nothing under our reference" if found is None else "has cancelled what it had under our reference"
        raise ConflictError(
            "erp_has_none", f"the ERP {what}, so there is nothing to go on with", "ask it again, or cancel the order"
        )
    if not saga.goes_on_with(facts, found):
        raise ConflictError(
            "erp_has_other", words_on_other_content(facts, found),
            "have it put right in the ERP and ask again, or cancel the order", erp_id=found.erp_id, units=found.units,
        )  # fmt: skip
    if units != found.units:
        raise ConflictError(
            "erp_has_other_units", f"the ERP has {counted(found.units, 'unit')} of the order now, and not {units:,}",
            "look at it there again, and say how many it has", units=found.units,
        )  # fmt: skip


def _not_possible(facts: OrderFacts, action: Action) -> ConflictError:
    possible = ", ".join(saga.actions(facts)) or "nothing"
    return ConflictError(
        "not_possible", f"{action} is not possible for an order that is {facts.state}; possible: {possible}",
        "look at it again", state=facts.state,
    )  # fmt: skip


def _step(
    session: Session, order: TransferOrder, action: Action, reason: str, units: int, found: ErpTransfer | None
) -> Step | None:
    facts = order.facts
    match action:
        case Action.ASK_AGAIN:
            return saga.asked_again(facts, reason)
        case Action.ACCEPT:
            return None if found is None else saga.accepted(facts, found, reason, missing_units(session, order))
        case Action.CANCEL:
            return saga.withdrawn(facts, reason, missing_units(session, order)) or saga.cancelling(facts, reason)
        case Action.RETURN:
            return saga.returned(facts, units)
        case Action.WRITE_OFF:
            return saga.written_off(facts, units)
        case _:
            return saga.acknowledged(facts)
