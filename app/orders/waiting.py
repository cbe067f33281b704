"""Orders that have waited: all the rules again on the facts of now, as they would be without the units of these orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlmodel import Session

from app.approvals.freshness import facts_to_check_on
from app.db.database import database_now
from app.ledger.append import lock_streams, stock_stream
from app.orders.queries import orders_of_approval
from app.orders.readiness import reasons_against
from app.orders.shrinking import shrink_to, shrink_to_what_was_found
from app.orders.steps import missing_units, record
from app.orders.tables import CAME_TO_NOTHING, TransferOrder
from app.plans.store import DamagedError, read_plan
from app.stock.tables import StockCountRow
from policies.violations import Facts
from policies.waiting import remains
from tools import saga
from tools.inventory import SiteSku
from tools.reservations import without_reserved
from tools.saga import NOT_POSTED, REASON_CHARACTERS_MAX

LONG = timedelta(minutes=15)
"""An order that has waited so long, since its decision or since it was last looked at, is looked at by every rule again."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the rules say about a waiting order now: the sentences that stand against it, or the units that it may carry."""

    against: tuple[str, ...]
    units: int

    def words(self, order: TransferOrder) -> tuple[str, ...]:
        """What has changed for people who let it go on or not."""
        if self.against or self.units >= order.units:
            return self.against
        decided = order.decided_units or order.units
        return (f"The rules of now admit {self.units:,} of the {decided:,} units decided on.",)


def outlooks(session: Session, approvals: Iterable[UUID]) -> dict[UUID, Outlook]:
    """For each order of these approvals that is not with the ERP yet, what the rules say on the facts of now.

    Stops are not looked at: what one holds waits for its end.
    """
    facts: Facts | None = None
    found = dict[UUID, Outlook]()
    for approval_id in dict.fromkeys(approvals):
        facts = facts or replace(facts_to_check_on(session), stops=())
        found |= _of_approval(session, approval_id, facts)
    return found


def has_waited_long(session: Session, order: TransferOrder) -> bool:
    """Whether an order that the ERP is not known to have, and that no stop holds, was looked at long ago.

    Never looked at, it has waited since its decision, or since the ERP was asked for it: also where people have it asked again.
    """
    began = min(order.state_at, order.asked_at or order.state_at)
    waits = order.state in NOT_POSTED and order.held_by is None
    return waits and max(began, order.looked_at or began) < database_now(session) - LONG


def held_in_order(session: Session, orders: Iterable[TransferOrder]) -> list[TransferOrder]:
    """Orders in the order in which what they change is locked; the counts first, as everybody does, and then the streams."""
    found = sorted(orders, key=lambda order: (order.origin, order.sku_id, order.transfer_id))
    for order in found:
        missing_units(session, order)
    if found:
        lock_streams(session, (stock_stream(order.origin, order.sku_id) for order in found))
    return found


def settle(session: Session, orders: Iterable[TransferOrder], seen: Mapping[UUID, Outlook]) -> None:
    """Take back what the world has outrun of orders that have waited, and note that the rest was looked at. The caller holds them.

    What the ERP may have been asked for is left to people instead.
    """
    for order in held_in_order(session, orders):
        reasons = reasons_after_waiting(session, order, seen.get(order.transfer_id))
        if reasons:
            record(session, order, saga.outrun(order.facts, reasons, missing_units(session, order)))


def reasons_after_waiting(session: Session, order: TransferOrder, seen: Outlook | None) -> str:
    """Why an order may not be posted any more, in sentences; empty when it may, with fewer units where the rules admit fewer.

    The caller holds the order and its stream. It is noted that the order was looked at.
    """
    shrink_to_what_was_found(session, order)
    against = (*reasons_against(session, order), *(() if seen is None else seen.against))
    if not against and seen is not None and seen.units < order.units:
        words = seen.words(order)
        shrink_to(session, order, seen.units, words[0])
        against = () if order.units == seen.units else words
    order.looked_at = database_now(session)
    session.add(order)
    return " ".join(against)[:REASON_CHARACTERS_MAX]


def _of_approval(session: Session, approval_id: UUID, facts: Facts) -> dict[UUID, Outlook]:
    orders = [order for order in orders_of_approval(session, approval_id) if order.state not in CAME_TO_NOTHING]
    waiting = {order.line_no: order for order in orders if order.state in NOT_POSTED and order.reserved}
    if not waiting:
        return {}
    try:
        plan = read_plan(session, next(iter(waiting.values())).plan_digest)
    except DamagedError as damaged:
        nothing = Outlook((f"The plan that was approved has been tampered with: {damaged}.",), 0)
        return {order.transfer_id: nothing for order in waiting.values()}
    pack_units = {line.line_no: line.units // line.packs for line in plan.lines}
    ends = {SiteSku(order.origin, order.sku_id) for order in waiting.values()}
    missing = {end: found.short_units for end in ends if (found := session.get(StockCountRow, tuple(end))) is not None}
    snapshot = without_reserved(facts.snapshot, [order.facts for order in waiting.values()], missing)
    world = replace(facts, snapshot=snapshot)
    packs = {line_no: order.units // pack_units[line_no] for line_no, order in waiting.items()}
    now = remains(plan, packs, {order.line_no for order in orders} - waiting.keys(), world)
    return {
        order.transfer_id: Outlook(now.against.get(line_no, ()), now.packs.get(line_no, 0) * pack_units[line_no])
        for line_no, order in waiting.items()
    }
