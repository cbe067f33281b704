"""Orders that have waited: all the rules again on the facts of now, as they would be without the units of these orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from sqlmodel import Session

from app.approvals.freshness import facts_to_check_on
from app.orders.queries import orders_of_approval
from app.orders.readiness import reasons_against
from app.orders.shrinking import shrink_to
from app.orders.tables import CAME_TO_NOTHING, TransferOrder
from app.plans.store import read_plan
from policies.narrowing import fresh_in_part
from policies.violations import Facts, Violation
from tools.reservations import without_reserved
from tools.saga import NOT_POSTED, REASON_CHARACTERS_MAX


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


def reasons_after_waiting(session: Session, order: TransferOrder, seen: Outlook | None) -> str:
    """Why an order may not be posted any more, in sentences; empty when it may, with fewer units where the rules admit fewer.

    The caller holds the order and its stream.
    """
    against = (*reasons_against(session, order), *(() if seen is None else seen.against))
    if not against and seen is not None and seen.units < order.units:
        words = seen.words(order)
        shrink_to(session, order, seen.units, words[0])
        against = () if order.units == seen.units else words
    return " ".join(against)[:REASON_CHARACTERS_MAX]


def _of_approval(session: Session, approval_id: UUID, facts: Facts) -> dict[UUID, Outlook]:
    orders = [order for order in orders_of_approval(session, approval_id) if order.state not in CAME_TO_NOTHING]
    waiting = {order.line_no: order for order in orders if order.state in NOT_POSTED and order.reserved}
    if not waiting:
        return {}
    plan = read_plan(session, next(iter(waiting.values())).plan_digest)
    world = replace(facts, snapshot=without_reserved(facts.snapshot, [order.facts for order in waiting.values()]))
    packs = {line.line_no: _packs(waiting.get(line.line_no), line.units // line.packs) for line in plan.lines}
    now = fresh_in_part(plan, packs, {order.line_no for order in orders} - waiting.keys(), world)
    less = {each.line_no: each.units for each in now.narrowed}
    return {
        order.transfer_id: Outlook(tuple(_against(now.violations, line_no)), less.get(line_no, order.units))
        for line_no, order in waiting.items()
    }


def _against(violations: Iterable[Violation], line_no: int) -> Iterator[str]:
    """What blames this line, or the plan as a whole."""
    return (each.words for each in violations if not each.line_nos or line_no in each.line_nos)


def _packs(order: TransferOrder | None, pack_units: int) -> int:
    return 0 if order is None else order.units // pack_units
