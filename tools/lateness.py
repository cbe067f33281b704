"""The watch over goods that should have left or arrived: what is told of an order, once for each day that was named."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from tools.counted import counted
from tools.execution import OrderState, TransferEvent
from tools.order_words import OF_TRANSIT
from tools.saga import ON_THE_WAY, OrderFacts, Step, beside, is_said

_LATE = "should have "
"""Told of a day that was named before; it goes when another day is named, and has passed as well."""


def overdue(order: OrderFacts, today: date, grace_days: int) -> Step | None:
    """Goods that should have left or arrived. Said once for each day that they were expected on, beside what else is to be known.

    They stay where the books have them until somebody knows where they are.
    """
    expected = _expected(order)
    if expected is None or today <= expected[0] + timedelta(days=grace_days) or is_said(order, expected[1]):
        return None
    late_days = (today - expected[0]).days
    known = "; ".join(part for part in (order.attention or "").split("; ") if _LATE not in part)
    words = beside(replace(order, attention=known), f"{expected[1]}, {counted(late_days, 'day')} ago")
    return Step(replace(order, attention=words), TransferEvent.OVERDUE, facts={"late_days": late_days})


def _expected(order: OrderFacts) -> tuple[date, str] | None:
    """The day of what should happen next to the goods, and that in words; None where nobody waits for a warehouse or a carrier."""
    if order.state is OrderState.CONFIRMED:
        return order.depart_on, f"the goods should have left on {order.depart_on}"
    if order.state in ON_THE_WAY:
        return order.arrive_on, f"{OF_TRANSIT[0]}should have arrived on {order.arrive_on}"
    if order.state is OrderState.COMPENSATING and order.in_transit_units:
        return order.arrive_on, f"{OF_TRANSIT[1]}and should have arrived on {order.arrive_on}"
    return None
