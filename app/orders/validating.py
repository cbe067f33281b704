"""After a stop: what waited under it goes on only when a person has looked at what has changed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from app.auth.roles import Act, Principal
from app.db.database import Database, database_now
from app.errors import ConflictError, InvalidError, NotFoundError
from app.governance.stops import stop_on, stops_in_force
from app.orders.readiness import reasons_against
from app.orders.release import set_going
from app.orders.shrinking import shrink_to_what_was_found
from app.orders.steps import get_order, missing_units, record
from app.orders.tables import TransferOrder
from policies.stops import Stop
from tools import saga
from tools.saga import REASON_CHARACTERS_MAX

HELD_MAX = 1_000
"""So many orders are shown and validated at a time."""


@dataclass(frozen=True, slots=True)
class Held:
    """An order that a stop has held. `stop` holds it still; `changes` has stood against it since it was approved, in sentences."""

    order: TransferOrder
    stop: Stop | None
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Validated:
    """What came of it: orders that go on, those that the world has outrun, and those that a stop still holds."""

    going: tuple[UUID, ...]
    outrun: tuple[UUID, ...]
    stopped: tuple[UUID, ...]


def held_orders(session: Session, principal: Principal, limit: int = HELD_MAX) -> list[Held]:
    """What stops have held at the caller's sites and nobody has validated, the longest waiting first."""
    principal.require(Act.GOVERN)
    stops = stops_in_force(session)
    return [
        Held(order, stop_on(session, stops, order.facts.lane, order.sku_id), reasons_against(session, order))
        for order in _held(session, principal, limit)
    ]


def validate(database: Database, principal: Principal, wanted: Sequence[UUID] | None, reason: str) -> Validated:
    """Let orders go on, those of `wanted` or all that no stop holds any more; what the world has outrun is taken back.

    Each is a transaction of its own, as a post is. Raises ForbiddenError; NotFoundError for an order that lies outside
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
    going, outrun, stopped = list[UUID](), list[UUID](), list[UUID]()
    for transfer_id in dict.fromkeys(wanted):
        with database.transaction() as session:
            _validate(session, principal, transfer_id, reason.strip(), (going, outrun, stopped))
    return Validated(tuple(going), tuple(outrun), tuple(stopped))


def _validate(
    session: Session,
    principal: Principal,
    transfer_id: UUID,
    reason: str,
    outcomes: tuple[list[UUID], list[UUID], list[UUID]],
) -> None:
    """One order. Where somebody was faster there is nothing left to do."""
    going, outrun, stopped = outcomes
    stops = stops_in_force(session, share=True)
    order = get_order(session, transfer_id, lock=True)
    if order.held_by is None:
        return
    if stop_on(session, stops, order.facts.lane, order.sku_id) is not None:
        stopped.append(transfer_id)
        return
    shrink_to_what_was_found(session, order)
    reasons = " ".join(reasons_against(session, order))[:REASON_CHARACTERS_MAX]
    step = saga.validated(order.facts, reasons, missing_units(session, order))
    record(session, order, step, actor=principal.user_id, said={"validated_because": reason})
    if reasons:
        outrun.append(transfer_id)
        return
    set_going(session, [order], f"/{database_now(session):%Y%m%dT%H%M%S%f}")
    going.append(transfer_id)


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
