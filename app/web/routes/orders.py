"""Transfer orders: where they stand, what has arrived, what people do about them, and where the ERP differs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.auth.roles import Act
from app.orders.attention import act
from app.orders.queries import orders_in_scope
from app.orders.receipts import Report, receive_order
from app.orders.reconciling import open_differences, settle_difference
from app.orders.tables import ErpDifference
from app.views import OrderView, order_view, order_views
from app.web.bodies import Reason
from app.web.dependencies import Caller, InService, InSession
from app.web.idempotency import OnceRoute
from tools.execution import OrderState
from tools.inventory import UNITS_MAX
from tools.saga import Action

router = APIRouter(tags=["orders"], route_class=OnceRoute)
Units = Annotated[int, Field(ge=0, le=UNITS_MAX, strict=True)]


class ReceiptOrder(BaseModel):
    """What has arrived. Without units: everything outstanding. The same key again changes nothing."""

    model_config = {"extra": "forbid"}
    receipt_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,100}$")]
    units: Units | None = None
    damaged_units: Units = 0
    is_last: bool = False
    accept_over: bool = False


class ReceiptAnswer(BaseModel):
    """What the receipt did."""

    transfer_id: UUID
    state: str
    received_units: int
    outstanding_units: int
    new: bool


class OrderAction(BaseModel):
    """What to do about an order, and why.

    `units`: of those under way, all by default; to accept, those that the ERP has, as somebody has looked up.
    """

    model_config = {"extra": "forbid"}
    action: Action
    reason: Reason
    units: Units | None = None


class DifferenceView(BaseModel):
    """Something that the ERP and the books do not agree on, with the correction that is proposed."""

    difference_id: UUID
    reference: str
    kind: str
    words: str
    correction: str
    found_at: datetime
    settled_at: datetime | None
    settled_by: str | None
    reason: str | None


class Settlement(BaseModel):
    """Why the proposed correction is carried out."""

    model_config = {"extra": "forbid"}
    reason: Reason


@router.get("/orders")
def list_orders(
    session: InSession,
    caller: Caller,
    state: OrderState | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[OrderView]:
    """Transfer orders that touch the caller's sites, the latest change first."""
    caller.require(Act.READ)
    rows = orders_in_scope(session, caller, None if state is None else [state], limit)
    return order_views(session, caller, rows)


@router.post("/orders/{transfer_id}/receipts")
def report_receipt(session: InSession, caller: Caller, transfer_id: UUID, receipt: ReceiptOrder) -> ReceiptAnswer:
    """Report that goods have arrived."""
    done = receive_order(session, caller, transfer_id, Report(**receipt.model_dump()))
    return ReceiptAnswer(
        transfer_id=done.transfer_id, state=done.state, received_units=done.received_units,
        outstanding_units=done.outstanding_units, new=done.new,
    )  # fmt: skip


@router.post("/orders/{transfer_id}/actions")
def act_on_order(
    service: InService, session: InSession, caller: Caller, transfer_id: UUID, order: OrderAction
) -> OrderView:
    """Ask the ERP again, accept what it has now, cancel, take back, write off, or acknowledge."""
    erp = service.carrier.erp
    done = act(session, caller, transfer_id, order.action, order.reason, order.units, erp=erp)
    return order_view(session, caller, done)


@router.get("/reconciliation")
def list_differences(session: InSession, caller: Caller) -> list[DifferenceView]:
    """Where the ERP and the books differ, until somebody settles it."""
    return [_difference_view(row) for row in open_differences(session, caller)]


@router.post("/reconciliation/{difference_id}/settlement")
def settle(service: InService, caller: Caller, difference_id: UUID, settlement: Settlement) -> DifferenceView:
    """Carry out the correction that is proposed."""
    return _difference_view(
        settle_difference(service.database, service.carrier.erp, caller, difference_id, settlement.reason)
    )


def _difference_view(row: ErpDifference) -> DifferenceView:
    return DifferenceView(**{name: getattr(row, name) for name in DifferenceView.model_fields})
