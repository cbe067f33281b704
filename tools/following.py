"""Following the ERP: what each of its answers about a transfer does to the order, one step at a time.

Only what was approved, or fewer units of it that people have accepted, is booked from what
the ERP says. Where it has other content they are asked first: no unit is lost because a
clerk changed a number.
"""

from __future__ import annotations

from dataclasses import replace

from tools import saga
from tools.counted import counted
from tools.execution import OrderState
from tools.ports import ErpTransfer, ErpTransferState, Refused
from tools.saga import REASON_CHARACTERS_MAX, Arrival, OrderFacts, Step


def learned(order: OrderFacts, answer: ErpTransfer | Refused | None, missing_units: int = 0) -> Step | None:
    """The next step towards what the ERP says. Asked again until nothing is left to do.

    The ERP's receipts are totals: what people have reported already is not booked again.
    """
    if answer is None:
        return _forgotten(order, missing_units)
    if isinstance(answer, Refused):
        return saga.refused(order, answer.reason[:REASON_CHARACTERS_MAX], missing_units)
    return _made(order, answer) if order.state is OrderState.REQUESTED else _followed(order, answer, missing_units)


def words_on_other_content(order: OrderFacts, found: ErpTransfer) -> str:
    """What was approved, and what the ERP has instead."""
    if found.moves_same_goods(order.content):
        return f"the ERP has {found.units:,} units under our reference, {order.units:,} were approved"
    return "the ERP has another SKU or other sites under our reference than were approved"


def _made(order: OrderFacts, found: ErpTransfer) -> Step | None:
    if found.differs_from(order.content):
        return _left_as_other(order, found)
    return saga.confirmed(order, found.erp_id)


def _followed(order: OrderFacts, found: ErpTransfer, missing_units: int) -> Step | None:
    """One step after a transfer that the ERP has."""
    if found.state is ErpTransferState.CANCELLED:
        if order.has_left:
            return saga.left_to_people(order, "the ERP has cancelled a transfer whose goods had left")
        return saga.cancelled(order, "cancelled in the ERP", missing_units)
    return _under_way(order, found) if order.has_left else _before_it_left(order, found)


def _before_it_left(order: OrderFacts, found: ErpTransfer) -> Step | None:
    """Goods leave as they were approved, or as people have accepted. Other content is for them, unless it is being cancelled."""
    is_there = found.state is ErpTransferState.CONFIRMED
    if found.differs_from(order.content) and not (is_there and order.state is OrderState.COMPENSATING):
        return _left_as_other(order, found)
    return None if is_there else saga.shipped(order)


def _left_as_other(order: OrderFacts, found: ErpTransfer) -> Step | None:
    """Left to people before it has left. The order keeps the ERP's id of it only where it can go on with that."""
    known = found.erp_id if saga.goes_on_with(order, found) else None
    step = saga.left_to_people(replace(order, erp_id=known), words_on_other_content(order, found))
    return None if step is None else replace(step, facts={**step.facts, "erp_id": found.erp_id})


def _under_way(order: OrderFacts, found: ErpTransfer) -> Step | None:
    """What has arrived of what left. What the ERP never had of it is not lost: people say where it is."""
    if not found.moves_same_goods(order.content):
        return _asked_about(order, words_on_other_content(order, found))
    usable = max(0, found.received_units - order.received_units - order.over_units)
    broken = max(0, found.damaged_units - order.damaged_units)
    is_over, has_all = found.state is ErpTransferState.RECEIVED, found.units >= order.shipped_units
    if not order.in_transit_units:
        return None
    if usable or broken or (is_over and has_all):
        return saga.arrived(order, Arrival(usable, broken, is_last=is_over and has_all))
    if not is_over:
        return None
    words = (
        f"the ERP is done with {counted(found.units, 'unit')} under our reference, {order.shipped_units:,} were booked"
        f" out: {order.in_transit_units:,} are at the origin still, or lost"
    )
    return _asked_about(order, words)


def _asked_about(order: OrderFacts, words: str) -> Step | None:
    """Left to people, unless they have called the goods back and say themselves what is at the origin again."""
    return None if order.state is OrderState.COMPENSATING else saga.left_to_people(order, words)


def _forgotten(order: OrderFacts, missing_units: int) -> Step | None:
    """The ERP knows nothing of it: what it had confirmed is for people, what was being cancelled is."""
    if order.state is OrderState.COMPENSATING and order.reserved:
        return saga.cancelled(order, "cancelled; the ERP has no such transfer", missing_units)
    if order.state is OrderState.REQUESTED:
        return None
    known = order.erp_id if order.has_left else None  # there is nothing that it could go on with
    return saga.left_to_people(replace(order, erp_id=known), "the ERP has forgotten a transfer that it confirmed")
