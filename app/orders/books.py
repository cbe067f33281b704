"""The books of transfer orders, as the conversation with an ERP keeps them: on our own database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import text

from app.db.database import Database, database_now
from app.governance.state import governance
from app.orders.readiness import reasons_against
from app.orders.steps import get_order, missing_units, record, take
from tools import saga
from tools.execution import OrderState
from tools.ports import ErpTransfer, Refused
from tools.saga import OrderFacts


class OrderBooks:
    """`carrying.Books` on the database of the service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def alone(self, transfer_id: UUID) -> Iterator[None]:
        """One conversation about a transfer with the ERP at a time, in any process: find-before-create is a race otherwise."""
        with self._database.engine.connect() as connection, connection.begin():
            connection.execute(text("select pg_advisory_xact_lock(hashtextextended(:id, 0))"), {"id": str(transfer_id)})
            yield

    def read(self, transfer_id: UUID) -> OrderFacts:
        """The order as it stands."""
        with self._database.transaction() as session:
            return get_order(session, transfer_id).facts

    def may_look(self, transfer_id: UUID) -> bool:
        """Whether the ERP is to be asked for the transfer: an order under way, and not one that the kill switch holds back."""
        with self._database.transaction() as session:
            order = get_order(session, transfer_id)
            if order.state is OrderState.RELEASED:
                return not governance(session).kill_switch
            return order.state is OrderState.REQUESTED

    def begin(self, transfer_id: UUID) -> bool:
        """Record the intention to have the ERP make the transfer, right before it is asked. False: not now, or not any more.

        The share lock on governance orders this against the kill switch: after the switch
        is engaged no further intention can be recorded, and without one nothing is posted.
        An order that the world has outrun is taken back; where the ERP may have been asked
        before, people decide.
        """
        with self._database.transaction() as session:
            stopped = governance(session, share=True).kill_switch
            order = get_order(session, transfer_id, lock=True)
            if order.state not in (OrderState.RELEASED, OrderState.REQUESTED):
                return False
            reasons = " ".join(reasons_against(session, order))[: saga.REASON_CHARACTERS_MAX]
            record(session, order, saga.begun(order.facts, reasons, missing_units(session, order), stopped=stopped))
            may_ask = saga.may_be_asked_for(order.facts, stopped=stopped)
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
    return saga.learned(order, answer, missing) or saga.closed(order)
