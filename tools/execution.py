"""The life of a transfer order: its states, and the only steps between them."""

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

STEPS: dict[OrderState, frozenset[OrderState]] = {
    OrderState.RELEASED: frozenset((OrderState.REQUESTED, OrderState.CANCELLED)),
    OrderState.REQUESTED: frozenset((OrderState.CONFIRMED, OrderState.REFUSED, OrderState.NEEDS_ATTENTION)),
    OrderState.CONFIRMED: frozenset((OrderState.SHIPPED, OrderState.COMPENSATING, OrderState.NEEDS_ATTENTION)),
    OrderState.SHIPPED: frozenset((OrderState.PARTIALLY_RECEIVED, OrderState.RECEIVED, OrderState.NEEDS_ATTENTION)),
    OrderState.PARTIALLY_RECEIVED: frozenset(
        (OrderState.PARTIALLY_RECEIVED, OrderState.RECEIVED, OrderState.NEEDS_ATTENTION)
    ),
    OrderState.RECEIVED: frozenset((OrderState.CLOSED,)),
    OrderState.COMPENSATING: frozenset((OrderState.CANCELLED, OrderState.NEEDS_ATTENTION)),
    OrderState.NEEDS_ATTENTION: frozenset((OrderState.REQUESTED, OrderState.CANCELLED)),
    OrderState.CLOSED: frozenset(),
    OrderState.CANCELLED: frozenset(),
    OrderState.REFUSED: frozenset(),
}


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
