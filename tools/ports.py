"""What Evenkeel asks of the systems it posts to: one port, and the closed set of answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from tools.inventory import Lane, LaneKey, Site, Sku, StockPosition


@dataclass(frozen=True, slots=True)
class TransferContent:
    """What an ERP is asked to move. `reference` is ours, made before the decision and permanent."""

    reference: str
    sku_id: str
    lane: LaneKey
    units: int
    depart_on: date
    arrive_on: date


class ErpTransferState(StrEnum):
    """What an ERP says about a transfer that it has. A confirmed one has its stock; a received one expects no more."""

    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    PARTIALLY_RECEIVED = "partially_received"
    RECEIVED = "received"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ErpTransfer:
    """A transfer as the ERP holds it.

    `units` is what it is to move. `received_units` is the total, so far, that came
    into stock at the destination, and may exceed `units`; `damaged_units` is the
    total that came and did not. Once it is received, what is still missing of `units`
    is lost; what our books let go beyond them is for people to say.
    SKU and sites are ours; None where the ERP does not say.
    """

    reference: str
    erp_id: str
    state: ErpTransferState
    units: int
    received_units: int = 0
    damaged_units: int = 0
    sku_id: str | None = None
    origin: str | None = None
    destination: str | None = None

    def differs_from(self, content: TransferContent) -> bool:
        """Whether this is another transfer than the content asks for, as far as the ERP says. Dates may move."""
        return self.units != content.units or not self.moves_same_goods(content)

    def moves_same_goods(self, content: TransferContent) -> bool:
        """Whether it is ours and of the same SKU between the same sites, as far as the ERP says. Its units may be others."""
        told = (self.sku_id, self.origin, self.destination)
        asked = (content.sku_id, content.lane.origin, content.lane.destination)
        return self.reference == content.reference and all(
            mine is None or mine == theirs for mine, theirs in zip(told, asked, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Refused:
    """The ERP said no, for good, and nothing has changed there."""

    reason: str


class ErpUncertainError(Exception):
    """Nobody knows whether the ERP did it: a time-out, a lost connection, a server error. Never a no.

    `retry_after_seconds`: how long the ERP wants to be left alone, where it said so.
    """

    def __init__(self, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class ErpNotAskedError(ErpUncertainError):
    """Nothing was sent: the ERP cannot be reached, or is left alone for now."""


class ErpNoTurnError(ErpNotAskedError):
    """Nothing was sent, because as much is asked already as may be asked. It says nothing about the ERP: ask again later."""


class ErpPort(Protocol):
    """Every call may raise ErpUncertainError; then ask `find`, and do the same again where it says that nothing was done.

    A repeated `create` or `cancel` answers with what the first one made, also while the first is still under way there.
    """

    def find(self, reference: str) -> ErpTransfer | None:
        """The transfer with our reference, receipts so far included, or None when the ERP has none. Changes nothing."""

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        """Have the whole transfer made and its stock reserved, or nothing. Call `find` first, and again after any doubt.

        Refused: too little stock, something that the ERP does not know, or a reference that has other content.
        """

    def cancel(self, reference: str) -> ErpTransfer | Refused:
        """Give the transfer up before the goods leave. Refused once they have, and for a reference that is not there."""

    def list_transfers(self, since: datetime) -> Sequence[ErpTransfer]:
        """Every transfer under a reference of ours that was made or has changed there since then, by reference.

        May hold some that changed earlier: an ERP whose clock or log is coarse says more, never less.
        """


@dataclass(frozen=True, slots=True)
class ErpFinding:
    """One thing that a check looked at. Without a remedy it is in order."""

    subject: str
    words: str
    remedy: str = ""

    @property
    def in_order(self) -> bool:
        """Whether nobody has to do anything."""
        return not self.remedy


@dataclass(frozen=True, slots=True)
class ErpNetwork:
    """Master data as the ERP has it, under our ids. Its lanes know a lead time, and cost what the caller said."""

    currency: str
    sites: tuple[Site, ...]
    skus: tuple[Sku, ...]
    lanes: tuple[Lane, ...]


@runtime_checkable
class CheckableErp(Protocol):
    """An ERP whose connection can be examined."""

    def check(self, sites: Collection[str], skus: Collection[str], now: datetime) -> Sequence[ErpFinding]:
        """Address, login, version, rights, clock, and whether our sites and SKUs have a counterpart. Raises nothing."""


@runtime_checkable
class ReadableErp(Protocol):
    """An ERP that tells what it stocks. Both calls may raise ErpUncertainError."""

    def read_network(self, mode: str, cost_fixed_e4: int) -> ErpNetwork:
        """Sites, SKUs, and a lane of this mode and cost for each pair of sites with a lead time."""

    def read_stock(self, as_of: datetime) -> Sequence[StockPosition]:
        """On hand and reserved by site and SKU, without positions that are empty."""
