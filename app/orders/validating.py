"""After a stop: what waited under it goes on only when a person has looked at what has changed meanwhile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from app.auth.roles import Act, Principal
from app.db.database import Database, database_now
from app.errors import ConflictError, InvalidError, NotFoundError
from app.governance.stops import stop_on, stops_in_force
from app.orders.readiness import reasons_against
from app.orders.release import set_going
from app.orders.steps import get_order, missing_units, record
from app.orders.tables import TransferOrder
from app.orders.waiting import Outlook, held_in_order, outlooks, reasons_after_waiting
from policies.stops import Stop
from tools import saga
from tools.execution import OrderState

HELD_MAX = 1_000
"""So many orders are shown and validated at a time."""
LOOKED_THROUGH_MAX = 5
"""The rules are asked about the orders of so many approvals for a list. For all others they are asked at the validation."""
GOES, OUTRUN, STOPPED = "goes", "outrun", "stopped"
"""What comes of the validation of one order."""


@dataclass(frozen=True, slots=True)
class Held:
    """An order that a stop has held. `stop` holds it still; `changes` are what has changed since it was approved, in sentences.

    `is_outrun`: it would be taken back for them, and not only carry less. `is_asked`: every rule has been asked already.
    """

    order: TransferOrder
    stop: Stop | None
    changes: tuple[str, ...]
    is_outrun: bool
    is_asked: bool


@dataclass(frozen=True, slots=True)
class Validated:
    """What came of it: orders that go on, those that the world has outrun, and those that a stop still holds."""

    going: tuple[UUID, ...]
    outrun: tuple[UUID, ...]
    stopped: tuple[UUID, ...]


def held_orders(session: Session, principal: Principal, limit: int = HELD_MAX) -> list[Held]:
    """What stops have held at the caller's sites and nobody has validated, the longest waiting first."""
    principal.require(Act.GOVERN)
    stops, orders = stops_in_force(session), _held(session, principal, limit)
    asked_about = list(dict.fromkeys(order.approval_id for order in orders))[:LOOKED_THROUGH_MAX]
    seen = outlooks(session, asked_about)
    return [
        _held_as(session, order, stop_on(session, stops, order.facts.lane, order.sku_id), seen.get(order.transfer_id))
        for order in orders
    ]


def _held_as(session: Session, order: TransferOrder, stop: Stop | None, seen: Outlook | None) -> Held:
    against = reasons_against(session, order)
    changes = (*against, *(() if seen is None else seen.words(order)))
    less = seen is not None and seen.units < order.units and order.state is not OrderState.RELEASED
    return Held(order, stop, changes, bool(against or (seen is not None and seen.against) or less), seen is not None)


def validate(database: Database, principal: Principal, wanted: Sequence[UUID] | None, reason: str) -> Validated:
    """Let orders go on, those of `wanted` or all that no stop holds any more; what the world has outrun is taken back.

    Every rule is asked again, and an order carries less where policy admits that. What one approval has released is one
    transaction. Raises ForbiddenError; NotFoundError for an order that lies outside
    the caller's sites; ConflictError for one that nothing held; InvalidError without a reason. Then nothing has changed.
    """
    principal.require(Act.GOVERN)
    if not reason.strip():
        raise InvalidError("reason_missing", "nothing is validated without a reason", "say what you have looked at")
    with database.transaction() as session:
        if wanted is None:
            wanted = [order.transfer_id for order in _held(session, principal, HELD_MAX)]
        else:
            _require_held(session, principal, wanted)
        released = session.exec(select(TransferOrder).where(col(TransferOrder.transfer_id).in_(wanted))).all()
        by_approval = defaultdict[UUID, list[UUID]](list)
        for order in released:
            by_approval[order.approval_id].append(order.transfer_id)
    done = list[tuple[UUID, str]]()
    for approval_id, transfer_ids in sorted(by_approval.items()):
        with database.transaction() as session:
            seen = outlooks(session, [approval_id])  # before anything is locked that others would wait for
        with database.transaction() as session:
            done += _validate(session, principal, transfer_ids, seen, reason.strip())
    return Validated(*(tuple(each for each, came in done if came == outcome) for outcome in (GOES, OUTRUN, STOPPED)))


def _validate(
    session: Session, principal: Principal, transfer_ids: Sequence[UUID], seen: Mapping[UUID, Outlook], reason: str
) -> list[tuple[UUID, str]]:
    """Orders of one approval, and what came of each. Where somebody was faster there is nothing left to do."""
    stops = stops_in_force(session, share=True)
    found = [get_order(session, each, lock=True) for each in sorted(transfer_ids)]
    held = [order for order in found if order.held_by is not None]
    stopped = [order for order in held if stop_on(session, stops, order.facts.lane, order.sku_id) is not None]
    free = held_in_order(session, (order for order in held if order not in stopped))
    return [
        *((order.transfer_id, STOPPED) for order in stopped),
        *(
            (order.transfer_id, _go_on(session, principal, order, seen.get(order.transfer_id), reason))
            for order in free
        ),
    ]


def _go_on(session: Session, principal: Principal, order: TransferOrder, seen: Outlook | None, reason: str) -> str:
    """Let an order go on, with fewer units where the rules admit fewer, or take it back."""
    reasons = reasons_after_waiting(session, order, seen)
    step = saga.validated(order.facts, reasons, missing_units(session, order))
    record(session, order, step, actor=principal.user_id, said={"validated_because": reason})
    if reasons:
        return OUTRUN
    set_going(session, [order], f"/{database_now(session):%Y%m%dT%H%M%S%f}")
    return GOES


def _held(session: Session, principal: Principal, limit: int) -> list[TransferOrder]:
    query = select(TransferOrder).where(col(TransferOrder.held_by).is_not(None))
    if principal.sites is not None:
        sites = sorted(principal.sites)
        query = query.where(col(TransferOrder.origin).in_(sites) | col(TransferOrder.destination).in_(sites))
    return list(
        session.exec(query.order_by(col(TransferOrder.state_at), col(TransferOrder.transfer_id)).limit(limit)).all()
    )


def _require_held(session: Session, principal: Principal, wanted: Sequence[UUID]) -> None:
    if len(wanted) > HELD_MAX:
        raise InvalidError("orders", f"{len(wanted):,} orders; at most {HELD_MAX:,} at a time", "name fewer")
    for transfer_id in wanted:
        order = session.get(TransferOrder, transfer_id)
        if order is None or not principal.touches((order.origin, order.destination)):
            raise NotFoundError("unknown_order", f"there is no transfer order {transfer_id}", "check the id")
        if order.held_by is None:
            raise ConflictError(
                "not_held", f"nothing holds order {transfer_id}: it is {order.state}", "look at it again",
                state=order.state,
            )  # fmt: skip
