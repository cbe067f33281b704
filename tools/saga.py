"""The saga of a transfer order: what each thing that is learned about it does to the order and to the stock.

Every function takes the order as it stands and returns the step to record, or None where what was learned changes
nothing any more. So each may be called again with the same news, in any order, and nothing happens twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from tools.execution import OrderState, TransferEvent, step
from tools.inventory import LaneKey
from tools.moves import (
    OutsideReason,
    StockMove,
    available,
    count,
    damage,
    give_back,
    lose,
    outside,
    receive,
    ship,
    void,
)
from tools.order_words import said, words_on_arrival
from tools.ports import ErpTransfer, ErpTransferState, TransferContent

REASON_CHARACTERS_MAX = 500
ON_THE_WAY = (OrderState.SHIPPED, OrderState.PARTIALLY_RECEIVED)
"""States of goods between the two ends."""
_WITH_THE_ERP = (OrderState.REQUESTED, OrderState.CONFIRMED)
NOT_POSTED = (OrderState.RELEASED, OrderState.REQUESTED)
"""States in which the ERP may still be asked to make the transfer: what a stop can hold."""


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """A transfer order as far as the saga looks at it. All quantities in stock units.

    `reference`: the permanent id that the ERP knows it by. `erp_id`: the ERP's own id of what it has of the order, as far
    as the order can go on with that. `reserved`: still promised at the origin. `attention`: what people should know, in words. `over_units`: what arrived beyond what had left. `held_by`: the stop that held it before it was posted, until people have validated it.
    """

    reference: str
    sku_id: str
    lane: LaneKey
    units: int
    depart_on: date
    arrive_on: date
    state: OrderState
    reserved: bool
    erp_id: str | None = None
    shipped_units: int = 0
    received_units: int = 0
    damaged_units: int = 0
    returned_units: int = 0
    lost_units: int = 0
    over_units: int = 0
    attention: str | None = None
    held_by: str | None = None

    @property
    def content(self) -> TransferContent:
        """What the ERP is asked to move."""
        return TransferContent(self.reference, self.sku_id, self.lane, self.units, self.depart_on, self.arrive_on)

    @property
    def has_left(self) -> bool:
        """Whether the goods have left the origin."""
        return self.shipped_units > 0

    @property
    def in_transit_units(self) -> int:
        """What has left the origin and has not turned up anywhere."""
        gone = self.received_units + self.damaged_units + self.returned_units + self.lost_units
        return self.shipped_units - gone


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction records: the order afterwards, and the event with its facts and stock moves, if it is one."""

    order: OrderFacts
    event: TransferEvent | None = None
    moves: tuple[StockMove, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a destination reports. `damaged_units` came and cannot be used; `is_last`: nothing more will come."""

    units: int
    damaged_units: int = 0
    is_last: bool = False


class Action(StrEnum):
    """What people can do about an order that needs them."""

    ASK_AGAIN = "ask_again"
    ACCEPT = "accept"
    CANCEL = "cancel"
    RECEIVE = "receive"
    RETURN = "return"
    WRITE_OFF = "write_off"
    ACKNOWLEDGE = "acknowledge"


def actions(order: OrderFacts) -> tuple[Action, ...]:
    """What is possible now. Whatever is chosen is checked again when it is done."""
    state = order.state
    if state.is_final:
        return (Action.ACKNOWLEDGE,) if order.attention else ()
    if order.in_transit_units:
        back = Action.RETURN if state is OrderState.COMPENSATING else Action.CANCEL
        return (Action.RECEIVE, back, Action.WRITE_OFF)
    if state is OrderState.NEEDS_ATTENTION:
        accept = (Action.ACCEPT,) if _can_be_accepted(order) else ()
        return (Action.ASK_AGAIN, *accept, Action.CANCEL)
    return (Action.CANCEL,) if state in (OrderState.RELEASED, *_WITH_THE_ERP) else ()


def requested(order: OrderFacts) -> Step | None:
    """The ERP is about to be asked to make the transfer."""
    return _to(order, OrderState.REQUESTED, TransferEvent.REQUESTED) if order.state is OrderState.RELEASED else None


def begun(order: OrderFacts, reasons: str, missing_units: int = 0, *, stop: str | None = None) -> Step | None:
    """What comes of the wish to ask the ERP now. Only an order that may be asked for afterwards is asked for.

    Where a `stop` holds it, and until people have validated what one held, nothing. `reasons` are what the world has outrun it by.
    """
    if stop is not None or order.held_by is not None:
        return held(order, stop)
    if reasons:
        return outrun(order, reasons, missing_units)
    return requested(order)


def may_be_asked_for(order: OrderFacts) -> bool:
    """Whether the ERP may be asked to make the transfer, now that the intention is on record."""
    return order.state is OrderState.REQUESTED and order.held_by is None


def held(order: OrderFacts, stop: str | None) -> Step | None:
    """A stop holds the order, and also after its release it is not posted before people have validated it."""
    if stop is None or order.held_by is not None or order.state not in NOT_POSTED:
        return None
    return Step(replace(order, held_by=stop))


def validated(order: OrderFacts, reasons: str, missing_units: int = 0) -> Step | None:
    """People have looked at what a stop held: it goes on, or is taken back where the world has outrun it."""
    if order.held_by is None:
        return None
    if reasons:
        return outrun(order, reasons, missing_units)
    return Step(replace(order, held_by=None), TransferEvent.VALIDATED, facts={"stop": order.held_by})


def confirmed(order: OrderFacts, erp_id: str) -> Step | None:
    """The ERP has the transfer. The units stay reserved until they leave."""
    if order.state is not OrderState.REQUESTED:
        return None
    known = replace(order, erp_id=erp_id, attention=None)
    return _to(known, OrderState.CONFIRMED, TransferEvent.POSTED, facts={"erp_id": erp_id})


def refused(order: OrderFacts, reason: str, missing_units: int = 0) -> Step | None:
    """The ERP said no and has nothing: the reservation is taken back, less what a count at the origin did not find."""
    if order.state is not OrderState.REQUESTED:
        return None
    return _voided(order, OrderState.REFUSED, TransferEvent.REFUSED, reason, missing_units)


def outrun(order: OrderFacts, reasons: str, missing_units: int = 0) -> Step | None:
    """What the world has outrun (`reasons`, in words) is taken back; where the ERP may have been asked before, people decide."""
    return left_to_people(order, reasons) or withdrawn(order, reasons, missing_units)


def withdrawn(order: OrderFacts, reason: str, missing_units: int = 0) -> Step | None:
    """The ERP was never asked, and will not be."""
    if order.state is not OrderState.RELEASED:
        return None
    return _voided(order, OrderState.CANCELLED, TransferEvent.CANCELLED, reason, missing_units)


def asked_again(order: OrderFacts, reason: str) -> Step | None:
    """People have the ERP asked again about an order that was left to them."""
    if order.state is not OrderState.NEEDS_ATTENTION or order.has_left:
        return None
    return _to(replace(order, attention=None), OrderState.REQUESTED, TransferEvent.RESUMED, facts={"reason": reason})


def accepted(order: OrderFacts, found: ErpTransfer, reason: str, missing_units: int = 0) -> Step | None:
    """People have the order go on with what the ERP has of it now (`found`): the rest is free again.

    From here on that is the order: whatever else the ERP comes to have, people are asked about anew.
    """
    if not _can_be_accepted(order) or not goes_on_with(order, found):
        return None
    taken = replace(order, units=found.units, erp_id=found.erp_id, attention=None)
    facts = {
        "reason": reason, "sku_id": order.sku_id, "origin": order.lane.origin, "destination": order.lane.destination,
        "units": found.units, "erp_id": found.erp_id,
    }  # fmt: skip
    if found.units == order.units:
        return _to(taken, OrderState.CONFIRMED, TransferEvent.RESUMED, facts=facts)
    moves = _freed(order, order.units - found.units, missing_units)
    facts |= {"decided_units": order.units}
    return _to(taken, OrderState.CONFIRMED, TransferEvent.SHRUNK, moves, facts)


def goes_on_with(order: OrderFacts, found: ErpTransfer) -> bool:
    """Whether people may accept this instead: of the same SKU between the same sites, and never more than was approved."""
    is_alive = found.state is not ErpTransferState.CANCELLED
    return is_alive and found.moves_same_goods(order.content) and 0 < found.units <= order.units


def doubted(order: OrderFacts, why: str) -> Step | None:
    """The ERP gives no certain answer. The order stays where it is, and people can read why, beside what else is to be known."""
    if order.state not in (OrderState.RELEASED, *_WITH_THE_ERP, OrderState.COMPENSATING) or is_said(order, why):
        return None
    return Step(replace(order, attention=beside(order, why)))


def left_to_people(order: OrderFacts, why: str) -> Step | None:
    """The order cannot go on by itself. Nothing is taken back: doubt is not a no."""
    if order.state.is_final or order.state in (OrderState.RELEASED, OrderState.NEEDS_ATTENTION, OrderState.RECEIVED):
        return None
    facts = {"reason": why, "was": order.state}
    told = beside(replace(order, attention=said(order.attention, of_transit=True)), why)
    return _to(replace(order, attention=told), OrderState.NEEDS_ATTENTION, TransferEvent.NEEDS_ATTENTION, facts=facts)


def cancelling(order: OrderFacts, reason: str) -> Step | None:
    """People want it undone: before the goods leave by the ERP's cancellation, afterwards by their return."""
    stoppable = (*_WITH_THE_ERP, *ON_THE_WAY, OrderState.NEEDS_ATTENTION)
    if order.state not in stoppable:
        return None
    return _to(
        replace(order, attention=reason), OrderState.COMPENSATING, TransferEvent.CANCELLING, facts={"reason": reason}
    )


def cancelled(order: OrderFacts, reason: str, missing_units: int = 0) -> Step | None:
    """The ERP has given the transfer up, or never had it, before the goods left: the reservation is taken back."""
    if not order.reserved or order.state not in (OrderState.CONFIRMED, OrderState.COMPENSATING):
        return None
    if order.state is OrderState.CONFIRMED:
        order = replace(order, state=step(order.state, OrderState.COMPENSATING))
    return _voided(order, OrderState.CANCELLED, TransferEvent.CANCELLED, reason, missing_units)


def shipped(order: OrderFacts) -> Step | None:
    """The goods have left the origin. Where they should not have, they can still be called back."""
    if order.has_left or order.state not in (OrderState.CONFIRMED, OrderState.COMPENSATING):
        return None
    too_late = order.state is OrderState.COMPENSATING
    gone = replace(
        order, reserved=False, shipped_units=order.units,
        attention="the goods had left before they could be cancelled" if too_late else None,
    )  # fmt: skip
    return _to(gone, OrderState.SHIPPED, TransferEvent.SHIPPED, (ship(order.sku_id, order.lane, order.units),))


def arrived(order: OrderFacts, arrival: Arrival) -> Step | None:
    """Goods have arrived, usable or damaged. More than was under way is booked, and said: the origin's stock may be wrong."""
    if order.state not in (*ON_THE_WAY, OrderState.COMPENSATING, OrderState.NEEDS_ATTENTION) or not order.has_left:
        return None
    outstanding = order.in_transit_units
    usable = min(arrival.units, outstanding)
    damaged = min(arrival.damaged_units, outstanding - usable)
    over = arrival.units - usable
    broken = arrival.damaged_units - damaged  # no stock anywhere, and on record all the same
    lost = outstanding - usable - damaged if arrival.is_last else 0
    moves = [receive(order.sku_id, order.lane, usable)] if usable else []
    moves += [damage(order.sku_id, order.lane, damaged)] if damaged else []
    moves += [lose(order.sku_id, order.lane, lost)] if lost else []
    if over:
        elsewhere = outside(OutsideReason.OVER_RECEIPT)
        moves.append(StockMove(order.sku_id, elsewhere, available(order.lane.destination), over))
    after = replace(
        order, received_units=order.received_units + usable, damaged_units=order.damaged_units + damaged,
        lost_units=order.lost_units + lost, over_units=order.over_units + over,
    )  # fmt: skip
    after = replace(after, attention=_attention_on_arrival(after, words_on_arrival(over, damaged, lost, broken)))
    state = OrderState.RECEIVED
    if after.in_transit_units:  # what is called back stays called back
        called_back = order.state is OrderState.COMPENSATING
        state = OrderState.COMPENSATING if called_back else OrderState.PARTIALLY_RECEIVED
    facts = {
        "units": usable, "damaged_units": damaged, "lost_units": lost, "over_units": over, "over_damaged_units": broken,
    }  # fmt: skip
    return _to(after, state, TransferEvent.RECEIVED, tuple(moves), {name: n for name, n in facts.items() if n})


def returned(order: OrderFacts, units: int) -> Step | None:
    """Goods that were called back are at the origin again; with the last of them the order is over."""
    if order.state is not OrderState.COMPENSATING or not 0 < units <= order.in_transit_units:
        return None
    after = replace(order, returned_units=order.returned_units + units)
    moves = (give_back(order.sku_id, order.lane, units),)
    state = OrderState.COMPENSATING
    if after.in_transit_units == 0:
        state = OrderState.RECEIVED if after.received_units else OrderState.CANCELLED
    return _to(after, state, TransferEvent.RETURNED, moves, {"units": units})


def written_off(order: OrderFacts, units: int) -> Step | None:
    """Goods under way that will not turn up."""
    if not order.has_left or not 0 < units <= order.in_transit_units:
        return None
    after = replace(order, lost_units=order.lost_units + units)
    state = OrderState.RECEIVED if after.in_transit_units == 0 else OrderState.PARTIALLY_RECEIVED
    if after.in_transit_units and order.state is OrderState.COMPENSATING:
        state = OrderState.COMPENSATING
    moves = (lose(order.sku_id, order.lane, units),)
    return _to(after, state, TransferEvent.RECEIVED, moves, {"lost_units": units})


def closed(order: OrderFacts) -> Step | None:
    """Everything that left has turned up or is written off."""
    return _to(order, OrderState.CLOSED, TransferEvent.CLOSED) if order.state is OrderState.RECEIVED else None


def acknowledged(order: OrderFacts) -> Step | None:
    """Somebody has read what was to be known about an order that is over."""
    if not order.state.is_final or not order.attention:
        return None
    return Step(replace(order, attention=None), TransferEvent.ACKNOWLEDGED)


def shrunk(order: OrderFacts, units: int, reason: str, missing_units: int = 0) -> Step | None:
    """The world admits less than was decided: the rest of the reservation is taken back, less what is missing. It never grows."""
    if order.state is not OrderState.RELEASED or not 0 < units < order.units:
        return None
    facts = {"reason": reason, "units": units, "decided_units": order.units}
    moves = _freed(order, order.units - units, missing_units)
    return Step(replace(order, units=units, attention=reason), TransferEvent.SHRUNK, moves, facts)


def is_said(order: OrderFacts, words: str) -> bool:
    """Whether people can read these words of the order already."""
    return words in (order.attention or "")


def beside(order: OrderFacts, words: str) -> str:
    """Words for people beside those that stand already."""
    return f"{order.attention}; {words}" if order.attention else words


def _can_be_accepted(order: OrderFacts) -> bool:
    """Whether the ERP was last known to have something that an order can go on with, which was left to people before it left."""
    return order.state is OrderState.NEEDS_ATTENTION and order.reserved and order.erp_id is not None


def _to(
    order: OrderFacts,
    state: OrderState,
    event: TransferEvent,
    moves: tuple[StockMove, ...] = (),
    facts: Mapping[str, object] | None = None,
) -> Step:
    held_by = order.held_by if state in NOT_POSTED else None
    return Step(replace(order, state=step(order.state, state), held_by=held_by), event, moves, facts or {})


def _voided(order: OrderFacts, state: OrderState, event: TransferEvent, reason: str, missing_units: int) -> Step:
    after = replace(order, reserved=False, attention=reason)
    return _to(after, state, event, _freed(order, order.units, missing_units), {"reason": reason})


def _freed(order: OrderFacts, units: int, missing_units: int) -> tuple[StockMove, ...]:
    """Promised units that are free again at the origin, less those that a count did not find there."""
    gone = count(order.sku_id, available(order.lane.origin), min(missing_units, units), 0)
    return (void(order.sku_id, order.lane, units), *([gone] if gone else []))


def _attention_on_arrival(after: OrderFacts, words: str) -> str | None:
    """What is to be known after an arrival. Once nothing is in transit any more, nothing of that, and where all has come well nothing."""
    if after.in_transit_units:
        return beside(after, words) if words else after.attention
    return beside(replace(after, attention=said(after.attention, of_transit=False)), words) if words else None
