"""The life of a transfer order: its states, the only steps between them, and what is on record about each."""

from __future__ import annotations

from enum import StrEnum


class OrderState(StrEnum):
    """Where a transfer order is on its way from decision to close."""

    RELEASED = "released"
    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    PARTIALLY_RECEIVED = "partially_received"
    RECEIVED = "received"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    COMPENSATING = "compensating"
    NEEDS_ATTENTION = "needs_attention"

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen to the order."""
        return not STEPS[self]

    @property
    def holds_reservation(self) -> bool:
        """Whether units at the origin are reserved for the order."""
        return self in _RESERVED


_RESERVED = frozenset((OrderState.RELEASED, OrderState.REQUESTED, OrderState.CONFIRMED))
_ARRIVING = frozenset((OrderState.PARTIALLY_RECEIVED, OrderState.RECEIVED))

STEPS: dict[OrderState, frozenset[OrderState]] = {
    OrderState.RELEASED: frozenset((OrderState.REQUESTED, OrderState.CANCELLED)),
    OrderState.REQUESTED: frozenset(
        (OrderState.CONFIRMED, OrderState.REFUSED, OrderState.COMPENSATING, OrderState.NEEDS_ATTENTION)
    ),
    OrderState.CONFIRMED: frozenset((OrderState.SHIPPED, OrderState.COMPENSATING, OrderState.NEEDS_ATTENTION)),
    OrderState.SHIPPED: frozenset((*_ARRIVING, OrderState.COMPENSATING, OrderState.NEEDS_ATTENTION)),
    OrderState.PARTIALLY_RECEIVED: frozenset((*_ARRIVING, OrderState.COMPENSATING, OrderState.NEEDS_ATTENTION)),
    OrderState.RECEIVED: frozenset((OrderState.CLOSED,)),
    # Before the goods left it ends with the cancellation; afterwards with their return, or with what arrived all the same.
    OrderState.COMPENSATING: frozenset(
        (*_ARRIVING, OrderState.SHIPPED, OrderState.CANCELLED, OrderState.COMPENSATING, OrderState.NEEDS_ATTENTION)
    ),
    OrderState.NEEDS_ATTENTION: frozenset(
        (OrderState.REQUESTED, OrderState.CONFIRMED, OrderState.COMPENSATING, OrderState.CANCELLED, *_ARRIVING)
    ),
    OrderState.CLOSED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.REFUSED: frozenset(),
}


class TransferEvent(StrEnum):
    """What the ledger records about a transfer order once it is released."""

    SHRUNK = "transfer_shrunk"
    REQUESTED = "transfer_requested"
    RESUMED = "transfer_resumed"
    VALIDATED = "transfer_validated"
    POSTED = "transfer_posted"
    REFUSED = "transfer_refused"
    CANCELLING = "transfer_cancelling"
    CANCELLED = "transfer_cancelled"
    SHIPPED = "transfer_shipped"
    RECEIVED = "transfer_received"
    RETURNED = "transfer_returned"
    CLOSED = "transfer_closed"
    NEEDS_ATTENTION = "transfer_needs_attention"
    OVERDUE = "transfer_overdue"
    ACKNOWLEDGED = "transfer_acknowledged"


class StepRefusedError(ValueError):
    """A step that the life of a transfer order does not have."""

    def __init__(self, now: OrderState, wanted: OrderState) -> None:
        allowed = ", ".join(sorted(STEPS[now])) or "nothing more"
        super().__init__(f"a transfer order that is {now} cannot become {wanted}; possible: {allowed}")
        self.now = now
        self.wanted = wanted


def step(now: OrderState, wanted: OrderState) -> OrderState:
    """`wanted`, if the life of a transfer order leads there from `now`. Raises StepRefusedError otherwise."""
    if wanted not in STEPS[now]:
        raise StepRefusedError(now, wanted)
    return wanted
