"""Where the ERP and our books of transfers differ, both ways, and what would put it right. Nothing is corrected here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tools import following
from tools.execution import OrderState
from tools.ports import ErpTransfer, ErpTransferState
from tools.saga import OrderFacts

_NEVER_MOVED = (OrderState.CANCELLED, OrderState.REFUSED)


class DifferenceKind(StrEnum):
    """How the two can differ."""

    UNKNOWN_HERE = "unknown_here"
    MISSING_THERE = "missing_there"
    OTHER_CONTENT = "other_content"
    ALIVE_THERE = "alive_there"
    BEHIND = "behind"
    AHEAD = "ahead"


class Correction(StrEnum):
    """What would put a difference right."""

    CANCEL_THERE = "cancel_there"
    CATCH_UP = "catch_up"
    LEAVE_TO_PEOPLE = "leave_to_people"
    COUNT = "count"


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One transfer that the ERP and our books do not agree on, in words, with the correction that is proposed."""

    reference: str
    kind: DifferenceKind
    words: str
    correction: Correction


def differences(orders: Mapping[str, OrderFacts], transfers: Mapping[str, ErpTransfer]) -> tuple[Difference, ...]:
    """Every difference, by reference.

    `orders` are those that the ERP should know or must not: all that were ever to be
    made there. `transfers` are all under references of ours. What is being asked right
    now (requested, being cancelled) is no difference: its answer is on the way.
    """
    found = [difference(order, transfers.get(reference)) for reference, order in orders.items()]
    found += [_unknown(transfer) for reference, transfer in transfers.items() if reference not in orders]
    return tuple(sorted(each for each in found if each is not None))


def _unknown(transfer: ErpTransfer) -> Difference:
    words = f"the ERP has {transfer.units:,} units under a reference of ours that the books do not hold"
    return _there(transfer, DifferenceKind.UNKNOWN_HERE, words)


def difference(order: OrderFacts, transfer: ErpTransfer | None) -> Difference | None:
    """How the ERP and the books differ about one order, if they do."""
    being_asked = order.state is OrderState.COMPENSATING and order.reserved
    if being_asked or order.state in (OrderState.RELEASED, OrderState.REQUESTED):
        return None
    return _missing(order) if transfer is None else _both_differ(order, transfer)


def _both_differ(order: OrderFacts, transfer: ErpTransfer) -> Difference | None:
    if order.state in _NEVER_MOVED:
        if transfer.state is ErpTransferState.CANCELLED:
            return None
        words = f"the order is {order.state}, and the ERP has {transfer.units:,} units of it {transfer.state}"
        return _there(transfer, DifferenceKind.ALIVE_THERE, words)
    if transfer.differs_from(order.content):
        words = following.words_on_other_content(order, transfer)
        return Difference(order.reference, DifferenceKind.OTHER_CONTENT, words, Correction.LEAVE_TO_PEOPLE)
    return next(_progress(order, transfer), None)


def _missing(order: OrderFacts) -> Difference | None:
    never_there = order.erp_id is None or order.state in _NEVER_MOVED
    if never_there or order.state is OrderState.CLOSED:
        return None
    words = f"the ERP has nothing under the reference of an order that it had as {order.erp_id}"
    return Difference(order.reference, DifferenceKind.MISSING_THERE, words, Correction.LEAVE_TO_PEOPLE)


def _progress(order: OrderFacts, transfer: ErpTransfer) -> Iterator[Difference]:
    step = following.learned(order, transfer)
    if step is not None:
        words = f"the ERP is further: {transfer.state}, {transfer.received_units:,} units received; here {order.state}"
        yield Difference(order.reference, DifferenceKind.BEHIND, words, Correction.CATCH_UP)
    elif transfer.received_units > (arrived := order.received_units + order.over_units):
        surplus = transfer.received_units - arrived
        words = f"the ERP has received {surplus:,} units more than the order held: count both ends"
        yield Difference(order.reference, DifferenceKind.BEHIND, words, Correction.COUNT)
    elif transfer.state is ErpTransferState.RECEIVED and transfer.received_units < arrived:
        missing = arrived - transfer.received_units
        words = f"{missing:,} units were received here that the ERP is done without"
        yield Difference(order.reference, DifferenceKind.AHEAD, words, Correction.COUNT)


def _there(transfer: ErpTransfer, kind: DifferenceKind, words: str) -> Difference:
    can_be_cancelled = transfer.state is ErpTransferState.CONFIRMED
    correction = Correction.CANCEL_THERE if can_be_cancelled else Correction.LEAVE_TO_PEOPLE
    return Difference(transfer.reference, kind, words, correction)
