"""What Evenkeel asks of the systems it posts to: one port, and the closed set of answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol

from tools.inventory import LaneKey


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
    """What an ERP says about a transfer that it has."""

    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ErpTransfer:
    """A transfer as the ERP holds it."""

    reference: str
    erp_id: str
    state: ErpTransferState
    units: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The ERP said no, for good, and has no such transfer."""

    reason: str


class ErpUncertainError(Exception):
    """Nobody knows whether the ERP did it: a time-out, a lost connection, a server error. Never a no."""


class ErpPort(Protocol):
    """Both calls may raise ErpUncertainError. `create` may be called twice; a good ERP then returns the first."""

    def find(self, reference: str) -> ErpTransfer | None:
        """The transfer with our reference, or None when the ERP has none."""

    def create(self, content: TransferContent) -> ErpTransfer | Refused:
        """Make the transfer. Call `find` first, and again after any doubt."""
