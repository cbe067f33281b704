"""Carrying a transfer order through the ERP: each answer is one of a closed set, and a time-out is never a no."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol
from uuid import UUID

from structlog import get_logger

from tools.execution import OrderState
from tools.ports import ErpNotAskedError, ErpNoTurnError, ErpPort, ErpTransfer, ErpUncertainError, Refused
from tools.saga import OrderFacts

POSTED, REFUSED, CANCELLED, SHIPPED, WAITING, STOPPED, UNCERTAIN, IN_LINE = (
    "posted", "refused", "cancelled", "shipped", "waiting", "stopped", "uncertain", "in_line"
)  # fmt: skip
"""What came of one word with the ERP. `in_line`: it was not asked, because others come first."""
BEGIN_SECONDS_MAX = 0.6
"""A request that has not begun so long after it was announced is announced anew: a stop waits a little longer than this."""
_ANNOUNCED_MAX = 5
_log = get_logger(__name__)


class Books(Protocol):
    """What is on record about transfer orders. Each call is one transaction, and may be made twice for the same thing."""

    def alone(self, transfer_id: UUID) -> AbstractContextManager[Callable[[], None]]:
        """One conversation about a transfer with the ERP at a time.

        What it gives announces a post, or announces it anew: from then to the end of the conversation a stop waits for it,
        though not for long.
        """

    def read(self, transfer_id: UUID) -> OrderFacts:
        """The order as it stands."""

    def may_look(self, transfer_id: UUID) -> bool:
        """Whether the ERP is to be asked for the transfer at all."""

    def look_again(self, transfer_id: UUID) -> None:
        """Ask again whether an order that has waited long is still what was decided; what is not is taken back."""

    def begin(self, transfer_id: UUID) -> bool:
        """Record the intention to have it made, if nothing stands against it. Without one nothing is posted."""

    def found(self, transfer_id: UUID) -> None:
        """The ERP has it already."""

    def learn(self, transfer_id: UUID, answer: ErpTransfer | Refused | None) -> OrderFacts:
        """Book what the ERP says; the order as it stands then."""

    def asked_seconds_ago(self, transfer_id: UUID) -> float | None:
        """How long ago the ERP was last asked to make it; None if it never was."""

    def doubt(self, transfer_id: UUID, why: str) -> None:
        """Let people read that there is no certain answer."""


class Carrier:
    """Asks one ERP for transfers, on behalf of the durable workers.

    `settle_seconds`: how long after it was asked a request may still be under way to the
    ERP; before that, that it has no such transfer proves nothing. `turn` waits until all
    the requests of a post may begin, and keeps their places while it is entered; `clock` counts seconds.
    """

    def __init__(
        self,
        books: Books,
        erp: ErpPort,
        settle_seconds: float,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.books = books
        self.erp = erp
        self._settle_seconds = settle_seconds
        self._turn, self._clock = turn, clock

    def post(self, transfer_id: UUID) -> str:
        """Look whether the ERP has the transfer; if not, record the intention and make it; book the answer.

        Nothing that takes time stands between the intention, which the stops and the world
        of now have to admit, and the request itself: its turn is waited for before that.
        """
        with self.books.alone(transfer_id) as announce:
            if not self.books.may_look(transfer_id):
                return _outcome_of_post(self.books.read(transfer_id))
            try:
                answer: ErpTransfer | Refused | None = self.erp.find(str(transfer_id))
                if answer is not None:
                    self.books.found(transfer_id)
                elif (answer := self._created(transfer_id, announce)) is None:
                    return _outcome_of_post(self.books.read(transfer_id))
            except ErpUncertainError as doubt:
                return _uncertain(transfer_id, doubt)
            return _outcome_of_post(self.books.learn(transfer_id, answer))

    def _created(self, transfer_id: UUID, announce: Callable[[], None]) -> ErpTransfer | Refused | None:
        """What the ERP makes of the transfer; None where it may not be asked. Raises ErpNotAskedError if it took too long to begin."""
        self.books.look_again(transfer_id)
        with self._turn():
            for _ in range(_ANNOUNCED_MAX):
                announced = self._clock()
                announce()
                if not self.books.begin(transfer_id):
                    return None
                content = self.books.read(transfer_id).content
                if self._clock() - announced <= BEGIN_SECONDS_MAX:
                    return self.erp.create(content)
            raise ErpNotAskedError("the intention took too long to record, and a stop would not have waited for it")

    def look(self, transfer_id: UUID) -> str:
        """Ask the ERP where the transfer stands, and book that. What is to be undone it is asked to cancel first."""
        with self.books.alone(transfer_id):
            order = self.books.read(transfer_id)
            try:
                if order.state is OrderState.COMPENSATING and order.reserved:
                    found = self._cancelled(transfer_id)
                    if found is None and not self._is_settled(transfer_id):
                        return WAITING
                else:
                    found = self.erp.find(str(transfer_id))
            except ErpUncertainError as doubt:
                return _uncertain(transfer_id, doubt)
            return _outcome_of_look(self.books.learn(transfer_id, found))

    def _cancelled(self, transfer_id: UUID) -> ErpTransfer | None:
        """What the ERP has after it was asked to give the transfer up; nothing, where it never had it."""
        answer = self.erp.cancel(str(transfer_id))
        return self.erp.find(str(transfer_id)) if isinstance(answer, Refused) else answer

    def _is_settled(self, transfer_id: UUID) -> bool:
        """Whether no request to make the transfer can still be under way."""
        ago = self.books.asked_seconds_ago(transfer_id)
        return ago is None or ago >= self._settle_seconds


def _uncertain(transfer_id: UUID, doubt: ErpUncertainError) -> str:
    if isinstance(doubt, ErpNoTurnError):
        _log.info("erp_turn_has_not_come", transfer_id=str(transfer_id), reason=str(doubt))
        return IN_LINE
    _log.warning("erp_uncertain", transfer_id=str(transfer_id), reason=str(doubt))
    return UNCERTAIN


def _outcome_of_post(order: OrderFacts) -> str:
    """Whether the ERP has it. An order that may not start (any more) is left alone."""
    match order.state:
        case OrderState.REFUSED:
            return REFUSED
        case OrderState.CANCELLED:
            return CANCELLED
        case OrderState.CONFIRMED | OrderState.COMPENSATING:
            return POSTED
        case _:
            return SHIPPED if order.has_left else STOPPED


def _outcome_of_look(order: OrderFacts) -> str:
    """Whether there is still something to wait for."""
    if order.state is OrderState.NEEDS_ATTENTION:
        return STOPPED
    if order.has_left:
        return SHIPPED
    return CANCELLED if order.state is OrderState.CANCELLED else WAITING
