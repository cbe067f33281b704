"""A transfer order told to people: whether it has arrived, the stages on its way, and what has happened to it.

Plain facts in, words out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from app.ui.rendering import day_text
from app.views import OrderView
from tools.counted import counted
from tools.execution import OrderState
from tools.saga import Action

PAGE_KEY = "page:"
"""How the keys begin that a page makes up for receipts without a number, so that each counts once."""
UNDER_WAY_BEFORE_IT_LEFT = (OrderState.RELEASED, OrderState.REQUESTED, OrderState.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether it has arrived: one word, a sentence, and how good that is (a class of a notice)."""

    word: str
    words: str
    kind: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage on the way. `reached`: done, now, failed, or to come."""

    name: str
    reached: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that has happened to an order."""

    at: datetime
    title: str
    words: str
    by: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Told:
    """An event of the ledger about an order, with its facts in words that the reader may read."""

    type: str
    at: datetime
    actor: str
    facts: Mapping[str, Any]


def in_transit_units(order: OrderView) -> int:
    """What has left and has not turned up anywhere."""
    return order.shipped_units - order.received_units - order.damaged_units - order.returned_units - order.lost_units


def days_late(order: OrderView, today: date) -> int:
    """How many days after its day of arrival an order still has units to come; 0 where it is not late."""
    is_over = OrderState(order.state).is_final or order.state == OrderState.RECEIVED
    return 0 if is_over else max((today - order.arrive_on).days, 0)


def did_it_arrive(order: OrderView, today: date, last_arrival: datetime | None = None) -> Answer:
    """The answer to the question that everybody asks first."""
    on = f", the last on {day_text(last_arrival.date())}" if last_arrival else ""
    outstanding, late = in_transit_units(order), days_late(order, today)
    expected = f"expected on {day_text(order.arrive_on)}"
    due = f"{expected}, {late} {'day' if late == 1 else 'days'} ago" if late else expected
    if order.state in (OrderState.CANCELLED, OrderState.REFUSED):
        back = f" {counted(order.returned_units, 'unit')} came back." if order.returned_units else ""
        why = "It was cancelled." if order.state == OrderState.CANCELLED else "The ERP refused it."
        return Answer("No", f"{why}{back or ' Nothing was moved.'}", "bad" if order.returned_units else "warn")
    if order.state == OrderState.COMPENSATING:
        where = (
            f"{counted(outstanding, 'unit')} are on the way back." if outstanding else "The ERP is asked to give it up."
        )
        return Answer("No", f"It is being called back. {where}", "warn")
    if not order.shipped_units:
        return _not_left(order, due, late)
    if not outstanding:
        return _all_turned_up(order, on)
    came = order.received_units + order.damaged_units
    got = f"{counted(came, 'unit')} of {order.shipped_units:,} arrived{on}{_condition(order)}. " if came else ""
    rest = f"{counted(outstanding, 'unit')} {'is' if outstanding == 1 else 'are'} still on the way, {due}."
    return Answer("Partly" if got else "Not yet", got + rest, "bad" if late else "info")


def _not_left(order: OrderView, due: str, late: int) -> Answer:
    if order.state == OrderState.NEEDS_ATTENTION:
        return Answer("Not known", "It has not left as far as the books know. Somebody has to look at it.", "bad")
    if order.held_by is not None:
        return Answer("Not yet", f"A stop has held it before it left. It is {due}.", "warn")
    return Answer("Not yet", f"It has not left. It is {due}.", "bad" if late else "info")


def _condition(order: OrderView) -> str:
    """What of the goods that arrived can be used, where some cannot."""
    if not order.damaged_units:
        return ""
    return f": {order.received_units:,} usable and {order.damaged_units:,} damaged"


def _all_turned_up(order: OrderView, on: str) -> Answer:
    came = order.received_units + order.damaged_units
    missing = [
        f"{counted(units, 'unit')} {words}"
        for units, words in ((order.lost_units, "never came"), (order.returned_units, "went back"))
        if units
    ]
    if not missing:
        kind = "warn" if order.damaged_units else "good"
        return Answer("Yes", f"All {counted(came, 'unit')} arrived{on}{_condition(order)}.", kind)
    arrived = f"{counted(came, 'unit')} of {order.shipped_units:,} arrived{on}{_condition(order)}; "
    return Answer("Partly" if came else "No", f"{arrived}{', '.join(missing)}.", "warn")


_STAGES = (
    ("Approved", ()),
    ("ERP asked", ("transfer_requested",)),
    ("ERP has it", ("transfer_posted",)),
    ("Shipped", ("transfer_shipped",)),
    ("Arrived", ("transfer_received",)),
)
_REACHED = {
    OrderState.RELEASED: 0, OrderState.REQUESTED: 1, OrderState.CONFIRMED: 2, OrderState.SHIPPED: 3,
    OrderState.PARTIALLY_RECEIVED: 3, OrderState.RECEIVED: 4, OrderState.CLOSED: 4,
}  # fmt: skip


def stages(order: OrderView, told: Sequence[Told], approved_at: datetime | None) -> list[Stage]:
    """The stages on the way, each with when it was reached."""
    first = {event.type: event.at for event in reversed(told)}
    times = [approved_at, *(next((first[name] for name in names if name in first), None) for _, names in _STAGES[1:])]
    is_plain = order.state in _REACHED
    known = max((place for place, at in enumerate(times) if at is not None), default=0)
    reached = _REACHED.get(OrderState(order.state), min(known, 3))
    found = []
    for place, ((name, _), at) in enumerate(zip(_STAGES, times, strict=True)):
        if place < reached or (place == reached == len(_STAGES) - 1):
            how = "done"
        elif place == reached:
            how = "now" if is_plain else "failed"
        else:
            how = "to come"
        found.append(Stage(name, how, at if place <= reached else None))
    return found


_TITLES = {
    "transfer_reserved": "Stock was reserved at the sending site",
    "transfer_shrunk": "It carries fewer units than were decided",
    "transfer_requested": "The ERP was asked to make it",
    "transfer_resumed": "The ERP is asked again",
    "transfer_validated": "It goes on after a stop",
    "transfer_posted": "The ERP has it",
    "transfer_refused": "The ERP refused it",
    "transfer_cancelling": "It is being called back",
    "transfer_cancelled": "It was cancelled",
    "transfer_shipped": "The goods left",
    "transfer_received": "Goods arrived",
    "transfer_returned": "Goods are back at the sending site",
    "transfer_closed": "Everything is accounted for",
    "transfer_needs_attention": "It needs somebody",
    "transfer_overdue": "It is late",
    "transfer_acknowledged": "Somebody has read what was to be known",
}
_BAD = frozenset((
    "transfer_refused", "transfer_cancelling", "transfer_cancelled", "transfer_needs_attention", "transfer_overdue",
))  # fmt: skip


def happenings(told: Sequence[Told]) -> list[Happening]:
    """What has happened, in words, the oldest first."""
    return [
        Happening(
            event.at, _title(event), _sentences(event.facts), "" if event.actor == "system" else event.actor,
            event.type in _BAD,
        )
        for event in told
    ]  # fmt: skip


def _title(event: Told) -> str:
    facts = event.facts
    if event.type == "transfer_received" and not facts.get("units") and not facts.get("damaged_units"):
        return "Goods were written off"
    if event.type == "transfer_resumed" and facts.get("action") == Action.ACCEPT:
        return "It goes on with what the ERP has"
    return _TITLES.get(event.type, event.type.replace("_", " ").capitalize())


def note_number(receipt_key: str) -> str:
    """The number of the delivery note or scan that a receipt was reported under; nothing where the page had to make one up."""
    return "" if receipt_key.startswith(PAGE_KEY) else receipt_key


def _sentences(facts: Mapping[str, Any]) -> str:
    """The facts of an event that say something to people."""
    said = []
    decided = facts.get("decided_units")
    if isinstance(decided, int):
        said.append(f"{facts.get('units', 0):,} of {counted(decided, 'unit')}.")
    else:
        said += [f"{counted(facts['units'], 'unit')}."] if facts.get("units") else []
    for name, words in (
        ("damaged_units", "damaged"),
        ("lost_units", "lost"),
        ("over_units", "more than had left"),
        ("over_damaged_units", "more came damaged than had left"),
    ):
        said += [f"{counted(facts[name], 'unit')} {words}."] if facts.get(name) else []
    said += [f"Reference there: {facts['erp_id']}."] if facts.get("erp_id") else []
    number = note_number(str(facts.get("receipt_key", "")))
    said += [f"Delivery note {number}."] if number else []
    said += [f"{counted(facts['late_days'], 'day')} late."] if facts.get("late_days") else []
    said += [str(facts[name]) for name in ("reason", "validated_because") if facts.get(name)]
    return " ".join(said)


ACTIONS: dict[Action, tuple[str, str]] = {
    Action.ASK_AGAIN: ("Ask the ERP again", "It is found out first whether the ERP has it, so nothing is made twice."),
    Action.ACCEPT: (
        "Go on with what the ERP has",
        "The ERP is asked once more: it has to have just so many units, of this SKU between these sites. The rest is free again.",
    ),
    Action.CANCEL: (
        "Call it back",
        "Before the goods leave the ERP is asked to give it up. Afterwards they are called back.",
    ),
    Action.RETURN: ("Goods are back", "So many units are at the sending site again."),
    Action.WRITE_OFF: ("Write off", "So many units will not turn up any more. They leave the books."),
    Action.ACKNOWLEDGE: ("I have read it", "Nothing else changes. It is no longer listed under what needs attention."),
}
"""What people can do: what the button says, and what comes of it. Arrivals have a form of their own."""
DONE: dict[Action, str] = {
    Action.ASK_AGAIN: "The ERP is asked again.",
    Action.ACCEPT: "The order goes on.",
    Action.CANCEL: "The order is called back.",
    Action.RETURN: "The goods are booked back at the sending site.",
    Action.WRITE_OFF: "The units are written off.",
    Action.ACKNOWLEDGE: "Noted. It is no longer under what needs attention.",
}
"""What is said once it is done."""
NOTHING = {
    "open": "Nothing is open.",
    "attention": "Nothing needs attention.",
    "transit": "Nothing is in transit.",
    "overdue": "Nothing is overdue.",
    "held": "No stop holds an order.",
    "over": "Nothing is over yet.",
}
"""What a group of orders says that has none."""
