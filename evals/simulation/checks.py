"""What must hold after every step of a simulation, and what must hold at its end. Each rule stands on its own words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from app.approvals.tables import ApprovalStatus
from evals.simulation.world import PEOPLE, SITES, SKUS, STOCK_UNITS, Asked, Order, World
from tools.execution import OrderState
from tools.moves import available, in_transit, is_outside, replay, reserved
from tools.ports import ErpTransfer, ErpTransferState
from tools.saga import OrderFacts

_LIMITS = {person.user_id: person for person in PEOPLE}
LEFT = (ErpTransferState.SHIPPED, ErpTransferState.PARTIALLY_RECEIVED, ErpTransferState.RECEIVED)
_MAY_SIGN = frozenset(("ada", "bob", "cleo", "dora"))


class BrokenError(AssertionError):
    """A rule that the simulation has seen broken."""


def after_each_step(world: World) -> None:
    """Raise BrokenError where the books, the decisions or the ERP are not as they must always be."""
    if not world.changed:
        return
    world.changed = False
    for words in (*_decisions(world), *_books(world), *_erp(world)):
        raise BrokenError(words)


def at_the_end(world: World) -> None:
    """Raise BrokenError where something hangs, leaks, or differs from the ERP once the faults have stopped."""
    world.changed = True
    after_each_step(world)
    for words in _ends(world):
        raise BrokenError(words)


def _decisions(world: World) -> Iterator[str]:
    approved = {id(order.asked): order.asked for order in world.orders.values()}
    for asked in approved.values():
        yield from _approval(asked)
        yield from _signers(asked)
    orders_of: Counter[int] = Counter(id(order.asked) for order in world.orders.values())
    if any(orders_of[key] != len(asked.lines) for key, asked in approved.items()):
        yield "one approval was used more than once"


def _approval(asked: Asked) -> Iterator[str]:
    if asked.request.status is not ApprovalStatus.APPROVED or asked.approved_at is None:
        yield "an order without an approval"
    elif asked.approved_at >= asked.request.expires_at:
        yield "an approval after its request had expired"
    if set(asked.seen) != {asked.request.plan_digest}:
        yield "an approval of another plan than the one that was seen"
    if asked.stopped_when_approved:
        yield "an approval under the kill switch"


def _signers(asked: Asked) -> Iterator[str]:
    signers = {each.signed_by for each in asked.signatures}
    if signers & set(asked.request.authors) or not signers <= _MAY_SIGN:
        yield "an approval by an author, or by somebody whose role has none to give"
    if len(signers) < asked.needed.approvals:
        yield "an approval with fewer signatures than were needed"
    if any(not _LIMITS[name].covers(asked.request.sites) for name in signers):
        yield "an approval beyond somebody's sites"
    limits = [_LIMITS[name].value_limit_minor for name in signers]
    if any(limit is not None and asked.value_minor > limit for limit in limits):
        yield "an approval beyond somebody's limit"


def _books(world: World) -> Iterator[str]:
    start = {(available(site), sku): STOCK_UNITS for site in SITES for sku in SKUS}
    replayed = Counter(replay(world.moves))
    replayed.update(start)
    if {key: units for key, units in replayed.items() if units} != {k: u for k, u in world.balances.items() if u}:
        yield "the balances are not the replayed moves"
    if any(units < 0 and not is_outside(place) for (place, _), units in world.balances.items()):
        yield "a balance below zero"
    held: Counter[tuple[str, str]] = Counter()
    for order in world.orders.values():
        facts = order.facts
        if facts.reserved:
            held[reserved(facts.lane.origin), facts.sku_id] += facts.units
        held[in_transit(facts.lane), facts.sku_id] += facts.in_transit_units
    for (place, sku), units in world.balances.items():
        belongs_to_orders = place.startswith("transit/") or place.endswith("/reserved")
        if belongs_to_orders and units != held[place, sku]:
            yield f"{units} units at {place}, and the orders account for {held[place, sku]}"


def _erp(world: World) -> Iterator[str]:
    made = Counter(world.erp.made)
    if any(count > 1 for count in made.values()):
        yield "a transfer was made twice"
    known = {str(transfer_id): order for transfer_id, order in world.orders.items()}
    if not made.keys() <= known.keys():
        yield "the ERP has a transfer that nobody approved"
    for began, ended in world.stopped_at:
        if any(began < at < ended for _, at in world.erp.asked_at):
            yield "a post started under the kill switch"
    if world.posted_though_held:
        yield "a post of what a stop had held, before its validation"
    if world.posted_though_closed:
        yield "a post on a lane that was closed"
    for reference in known.keys() & world.erp.transfers.keys() - world.erp.by_hand:
        is_edited = reference in world.erp.edited
        yield from _both_sides(known[reference], world.erp.transfers[reference], is_edited=is_edited)


def _both_sides(order: Order, transfer: ErpTransfer, *, is_edited: bool) -> Iterator[str]:
    """An order and its transfer in the ERP. What a clerk has changed there may differ until it is noticed or has left."""
    facts, is_other = order.facts, (transfer.units, transfer.sku_id) != (order.facts.units, order.facts.sku_id)
    if is_other and facts.state is OrderState.CONFIRMED and not is_edited:
        yield "the ERP moves something else than was approved"
    if facts.has_left and (transfer.units, transfer.sku_id) != (facts.shipped_units, facts.sku_id):
        yield (
            f"{facts.shipped_units} units of {facts.sku_id} are booked out, and the ERP let go of {transfer.units}"
            f" of {transfer.sku_id}"
        )
    if _came_to_nothing(facts) and transfer.state is not ErpTransferState.CANCELLED:
        yield "a transfer whose reservation was taken back lives on in the ERP"


def _ends(world: World) -> Iterator[str]:
    for transfer_id, order in world.orders.items():
        transfer = world.erp.transfers.get(str(transfer_id))
        if not order.facts.state.is_final:
            yield f"an order hangs: {order.facts.state}"
        if transfer is None or str(transfer_id) in world.erp.by_hand:
            continue
        if transfer.state in LEFT and not order.facts.has_left:
            yield f"the goods have left in the ERP, and the order is {order.facts.state}"
        received = min(transfer.received_units, order.facts.units)
        if transfer.state in LEFT and not order.reported_by_people and order.facts.received_units != received:
            yield f"the ERP has received {transfer.received_units} units, the order {order.facts.received_units}"
    made_by_hand = [world.erp.transfers[each] for each in world.erp.by_hand & world.erp.transfers.keys()]
    if any(transfer.state is ErpTransferState.CONFIRMED for transfer in made_by_hand):
        yield "what hands have made in the ERP was not reported"
    if any(units and place.endswith("/reserved") for (place, _), units in world.balances.items()):
        yield "a reservation leaked"


def _came_to_nothing(order: OrderFacts) -> bool:
    return order.state in (OrderState.CANCELLED, OrderState.REFUSED) and not order.has_left
