"""The books of transfer orders, as the conversation with an ERP keeps them: on our own database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import NestedTransaction, text

from app.db.database import Database, database_now
from app.governance.state import governance
from app.governance.stops import posting, stop_on, stops_in_force
from app.orders.queries import orders_of_approval
from app.orders.readiness import reasons_against
from app.orders.shrinking import shrink_to_what_was_found
from app.orders.steps import get_order, missing_units, record, take
from app.orders.waiting import has_waited_long, outlooks, settle
from tools import following, saga
from tools.execution import OrderState
from tools.ports import ErpTransfer, Refused
from tools.saga import OrderFacts


class OrderBooks:
    """`carrying.Books` on the database of the service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def alone(self, transfer_id: UUID) -> Iterator[Callable[[], None]]:
        """One conversation about a transfer with the ERP at a time, in any process: find-before-create is a race otherwise.

        No post is announced while a stop is being engaged, and that waits for those under way.
        """
        with self._database.engine.connect() as connection, connection.begin():
            connection.execute(text("select pg_advisory_xact_lock(hashtextextended(:id, 0))"), {"id": str(transfer_id)})
            announced: list[NestedTransaction] = []

            def announce() -> None:
                while announced:
                    announced.pop().rollback()  # whoever announces anew stands behind a stop that is being engaged
                announced.append(connection.begin_nested())
                posting(connection)

            yield announce

    def read(self, transfer_id: UUID) -> OrderFacts:
        """The order as it stands."""
        with self._database.transaction() as session:
            return get_order(session, transfer_id).facts

    def may_look(self, transfer_id: UUID) -> bool:
        """Whether the ERP is to be asked for the transfer: an order under way, and not one that a stop has held from the start."""
        with self._database.transaction() as session:
            order = get_order(session, transfer_id)
            return order.state is OrderState.REQUESTED or (order.state is OrderState.RELEASED and not order.held_by)

    def look_again(self, transfer_id: UUID) -> None:
        """Ask every rule again about what was approved together with an order that has waited long: for its ERP, or a worker.

        What the world has outrun is taken back, and the rest carries less where policy admits that. Once for all of it,
        and before anything is locked that a stop or a decision would wait for.
        """
        with self._database.transaction() as session:
            approval_id = get_order(session, transfer_id).approval_id
            if not has_waited_long(session, get_order(session, transfer_id)):
                return
        with self._database.engine.connect() as connection, connection.begin():
            mine = text("select pg_advisory_xact_lock(hashtextextended('look again/' || :id, 0))")
            connection.execute(mine, {"id": str(approval_id)})
            with self._database.transaction() as session:
                if not has_waited_long(session, get_order(session, transfer_id)):
                    return
                seen = outlooks(session, [approval_id])
            with self._database.transaction() as session:
                governance(session, share=True)
                found = (each for each in orders_of_approval(session, approval_id) if each.state in saga.NOT_POSTED)
                transfer_ids = sorted(order.transfer_id for order in found)
                waiting = [get_order(session, each, lock=True) for each in transfer_ids]
                settle(session, [order for order in waiting if has_waited_long(session, order)], seen)

    def begin(self, transfer_id: UUID) -> bool:
        """Record the intention to have the ERP make the transfer, right before it is asked. False: not now, or not any more.

        The share lock on governance orders this against every stop: after one is engaged no
        further intention that it holds can be recorded, and without one nothing is posted.
        An order that lacks a few units carries fewer where policy admits that; one that
        the world has outrun is taken back; where the ERP may have been asked
        before, people decide.
        """
        with self._database.transaction() as session:
            stops = stops_in_force(session, share=True)
            order = get_order(session, transfer_id, lock=True)
            if order.state not in (OrderState.RELEASED, OrderState.REQUESTED):
                return False
            stop, reasons = stop_on(session, stops, order.facts.lane, order.sku_id), ""
            stop_id = None if stop is None else stop.stop_id
            if stop is None and order.held_by is None:
                shrink_to_what_was_found(session, order)
                reasons = " ".join(reasons_against(session, order))[: saga.REASON_CHARACTERS_MAX]
            record(session, order, saga.begun(order.facts, reasons, missing_units(session, order), stop=stop_id))
            may_ask = saga.may_be_asked_for(order.facts)
            if may_ask:
                order.asked_at = database_now(session)
            return may_ask

    def found(self, transfer_id: UUID) -> None:
        """The ERP has the transfer already: whatever has changed since, that it was asked for is a fact."""
        with self._database.transaction() as session:
            take(session, transfer_id, lambda order, _missing: saga.requested(order))

    def learn(self, transfer_id: UUID, answer: ErpTransfer | Refused | None) -> OrderFacts:
        """Book what the ERP says, as many steps as it takes."""
        with self._database.transaction() as session:
            return take(session, transfer_id, lambda order, missing: _learned(order, answer, missing)).facts

    def asked_seconds_ago(self, transfer_id: UUID) -> float | None:
        """How long ago the ERP was last asked to make the transfer; None if it never was."""
        with self._database.transaction() as session:
            asked_at = get_order(session, transfer_id).asked_at
            return None if asked_at is None else (database_now(session) - asked_at).total_seconds()

    def doubt(self, transfer_id: UUID, why: str) -> None:
        """Tell people that the ERP gives no certain answer. Nothing is taken back: nobody knows whether it has acted."""
        with self._database.transaction() as session:
            take(session, transfer_id, lambda order, _missing: saga.doubted(order, why))


def _learned(order: OrderFacts, answer: ErpTransfer | Refused | None, missing: int) -> saga.Step | None:
    return following.learned(order, answer, missing) or saga.closed(order)
