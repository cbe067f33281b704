"""Carrying a transfer order through the ERP: each answer is one of a closed set, and a time-out is never a no."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import text
from structlog import get_logger

from app.db.database import Database
from app.orders import steps
from tools.execution import OrderState
from tools.ports import ErpPort, ErpTransfer, ErpTransferState, ErpUncertainError, Refused, TransferContent

_log = get_logger(__name__)


class Carrier:
    """Asks one ERP for transfers, on behalf of the durable workers."""

    def __init__(self, database: Database, erp: ErpPort) -> None:
        self._database = database
        self._erp = erp

    def post(self, transfer_id: UUID) -> str:
        """Look whether the ERP has the transfer; if not, record the intention and make it; book the answer.

        Nothing that takes time stands between the intention, which the kill switch and
        the world of now have to admit, and the request itself.
        """
        with self._alone(transfer_id):
            with self._database.transaction() as session:
                if not steps.may_look(session, transfer_id):
                    return self._already(transfer_id)
                content = steps.content_of(steps.get_order(session, transfer_id))
            try:
                answer: ErpTransfer | Refused | None = self._erp.find(content.reference)
                with self._database.transaction() as session:
                    if answer is not None:
                        steps.note_found(session, transfer_id)
                    elif not steps.begin_request(session, transfer_id):
                        return self._stopped(transfer_id)
                if answer is None:
                    answer = self._erp.create(content)
            except ErpUncertainError as doubt:
                _log.warning("erp_uncertain", transfer_id=str(transfer_id), reason=str(doubt))
                return "uncertain"
            return self._book(transfer_id, content, answer)

    def look(self, transfer_id: UUID) -> str:
        """Ask the ERP where the transfer stands, and book that the goods have left or will not."""
        with self._alone(transfer_id):
            try:
                found = self._erp.find(str(transfer_id))
            except ErpUncertainError as doubt:
                _log.warning("erp_uncertain", transfer_id=str(transfer_id), reason=str(doubt))
                return "uncertain"
            with self._database.transaction() as session:
                if found is None:
                    steps.note_attention(session, transfer_id, "the ERP has forgotten a transfer that it confirmed")
                    return "stopped"
                match found.state:
                    case ErpTransferState.SHIPPED:
                        steps.note_shipped(session, transfer_id)
                        return "shipped"
                    case ErpTransferState.CANCELLED:
                        steps.note_cancelled(session, transfer_id, "cancelled in the ERP")
                        return "cancelled"
                    case ErpTransferState.CONFIRMED:
                        return "waiting"

    def note_doubt(self, transfer_id: UUID, why: str) -> None:
        """Tell people that the ERP gives no certain answer. Its reservation stays: nobody knows whether the ERP has acted."""
        with self._database.transaction() as session:
            steps.note_doubt(session, transfer_id, why)

    def _book(self, transfer_id: UUID, content: TransferContent, answer: ErpTransfer | Refused) -> str:
        with self._database.transaction() as session:
            if isinstance(answer, Refused):
                steps.note_refused(session, transfer_id, answer.reason[:500])
                return "refused"
            if answer.units != content.units or answer.reference != content.reference:
                words = f"the ERP has {answer.units:,} units under our reference, {content.units:,} were approved"
                steps.note_attention(session, transfer_id, words)
                return "stopped"
            steps.note_posted(session, transfer_id, answer.erp_id)
            return "posted"

    def _stopped(self, transfer_id: UUID) -> str:
        with self._database.transaction() as session:
            cancelled = steps.get_order(session, transfer_id).state is OrderState.CANCELLED
        return "cancelled" if cancelled else "stopped"

    def _already(self, transfer_id: UUID) -> str:
        """A repeated step finds the order past it; an order that may not start (any more) is left alone."""
        with self._database.transaction() as session:
            order = steps.get_order(session, transfer_id)
            return "posted" if order.erp_id is not None and order.reserved else "stopped"

    @contextmanager
    def _alone(self, transfer_id: UUID) -> Iterator[None]:
        """One conversation about a transfer with the ERP at a time, in any process: find-before-create is a race otherwise."""
        with self._database.engine.connect() as connection, connection.begin():
            connection.execute(text("select pg_advisory_xact_lock(hashtextextended(:id, 0))"), {"id": str(transfer_id)})
            yield
