"""What the generic REST contract sends and expects (docs/erp.md), as types: strict, and with nothing beyond them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.erp.counterparts import Counterparts
from tools.inventory import UNITS_MAX
from tools.ports import ErpTransfer, ErpTransferState, TransferContent

Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Code = Annotated[str, Field(min_length=1, max_length=100)]
Units = Annotated[int, Field(strict=True, ge=0, le=UNITS_MAX)]
_STRICT = ConfigDict(extra="forbid", frozen=True)
_LENIENT = ConfigDict(extra="ignore", frozen=True)
"""An ERP may say more than it has to."""


class TransferRequest(BaseModel):
    """The body of `POST /transfers`."""

    model_config = _STRICT

    reference: Reference
    sku: Code
    origin: Code
    destination: Code
    mode: str
    units: Annotated[int, Field(strict=True, ge=1, le=UNITS_MAX)]
    depart_on: date
    arrive_on: date


class TransferAnswer(BaseModel):
    """A transfer as the ERP tells it."""

    model_config = _LENIENT

    reference: Reference
    id: Code
    state: ErpTransferState
    sku: Code
    origin: Code
    destination: Code
    units: Units
    received_units: Units = 0
    damaged_units: Units = 0


class TransferPage(BaseModel):
    """The answer of `GET /transfers`: some, and where the next ones are."""

    model_config = _LENIENT

    transfers: tuple[TransferAnswer, ...]
    next: Annotated[str, Field(max_length=500)] | None = None


class StockLine(BaseModel):
    """What a site holds of a SKU, and what others than Evenkeel have reserved of it."""

    model_config = _LENIENT

    site: Code
    sku: Code
    on_hand_units: Units
    reserved_units: Units = 0


class StockPage(BaseModel):
    """The answer of `GET /stock`."""

    model_config = _LENIENT

    stock: tuple[StockLine, ...]
    next: Annotated[str, Field(max_length=500)] | None = None


class About(BaseModel):
    """The answer of `GET /`: who answers, by which contract, and at what time there."""

    model_config = _LENIENT

    name: Annotated[str, Field(max_length=100)]
    contract: str
    time: datetime


class No(BaseModel):
    """A problem document (RFC 9457) with which the ERP refuses for good."""

    model_config = _LENIENT

    detail: Annotated[str, Field(min_length=1, max_length=2_000)]


def request_of(content: TransferContent, sku: str, origin: str, destination: str) -> TransferRequest:
    """What the ERP is asked for, under its own codes. Raises ValueError for what the contract cannot say."""
    return TransferRequest(
        reference=content.reference, sku=sku, origin=origin, destination=destination, mode=content.lane.mode,
        units=content.units, depart_on=content.depart_on, arrive_on=content.arrive_on,
    )  # fmt: skip


def transfer_of(told: TransferAnswer, names: Counterparts) -> ErpTransfer:
    """What the ERP told, under our ids."""
    return ErpTransfer(
        told.reference, told.id, told.state, told.units, told.received_units, told.damaged_units,
        names.sku_id(told.sku), names.site_id(told.origin), names.site_id(told.destination),
    )  # fmt: skip
