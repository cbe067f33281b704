"""Transfer orders, receipts, the ledger, and governance."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlmodel import col, select

from app.auth.roles import Act
from app.governance.state import activate_policy, governance
from app.governance.switch import engage, release
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.orders.attention import retry
from app.orders.queries import orders_in_scope
from app.orders.receipts import receive_order
from app.plans.store import snapshot_now
from app.stock.installation import installation
from app.views import (
    EventView,
    GovernanceView,
    OrderView,
    PolicyView,
    VerificationView,
    event_view,
    governance_view,
    names_for,
    order_view,
    order_views,
    policy_views,
    verification_view,
)
from app.web.bodies import Text
from app.web.dependencies import Caller, InService, InSession
from tools.execution import OrderState

router = APIRouter(tags=["execution"])
Reason = Annotated[Text, Field(min_length=1, max_length=1_000)]


class ReceiptOrder(BaseModel):
    """What has arrived. Without units: everything outstanding. The same key again changes nothing."""

    model_config = {"extra": "forbid"}
    receipt_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{8,100}$")]
    units: Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)] | None = None
    is_last: bool = False


class ReceiptAnswer(BaseModel):
    """What the receipt did."""

    transfer_id: UUID
    state: str
    received_units: int
    outstanding_units: int
    new: bool


class RetryOrder(BaseModel):
    """Why an order is taken up again."""

    model_config = {"extra": "forbid"}
    reason: Reason


class Activation(BaseModel):
    """Which release to put in force, by release name or digest, and why."""

    model_config = {"extra": "forbid"}
    policy: Annotated[Text, Field(min_length=1, max_length=64)]
    reason: Reason


class SwitchOrder(BaseModel):
    """Engage or release the kill switch, and why."""

    model_config = {"extra": "forbid"}
    engaged: bool
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
    done = receive_order(
        session, caller, transfer_id, receipt.units, receipt_key=receipt.receipt_key, is_last=receipt.is_last
    )
    return ReceiptAnswer(
        transfer_id=done.transfer_id, state=done.state, received_units=done.received_units,
        outstanding_units=done.outstanding_units, new=done.new,
    )  # fmt: skip


@router.post("/orders/{transfer_id}/retry")
def retry_order(session: InSession, caller: Caller, transfer_id: UUID, order: RetryOrder) -> OrderView:
    """Have the ERP asked again about an order that was left to people."""
    return order_view(session, caller, retry(session, caller, transfer_id, order.reason))


@router.get("/ledger/verification")
def verify_ledger(service: InService, caller: Caller) -> VerificationView:
    """Walk every chain and recompute every balance."""
    caller.require(Act.VERIFY)
    caller.require_everything("the ledger")
    return verification_view(verify(service.database))


@router.get("/ledger/events")
def list_events(
    session: InSession,
    caller: Caller,
    stream: Annotated[Text | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[EventView]:
    """The newest ledger events, or those of one stream."""
    caller.require(Act.VERIFY)
    caller.require_everything("the ledger")
    query = select(LedgerEvent).order_by(
        col(LedgerEvent.occurred_at).desc(), LedgerEvent.stream, col(LedgerEvent.seq).desc()
    )
    if stream is not None:
        query = query.where(LedgerEvent.stream == stream)
    return [event_view(row) for row in session.exec(query.limit(limit)).all()]


@router.get("/policies")
def list_policies(session: InSession, caller: Caller) -> list[PolicyView]:
    """Every released policy, in words."""
    caller.require(Act.READ)
    names = None if caller.sees_everything else names_for(session, caller, snapshot_now(session))
    return policy_views(governance(session).policy_digest, installation(session).currency or "USD", names)


@router.post("/policies/activations")
def activate(session: InSession, caller: Caller, activation: Activation) -> GovernanceView:
    """Put a release in force."""
    caller.require(Act.GOVERN)
    activate_policy(session, activation.policy, caller.user_id, activation.reason)
    return governance_view(governance(session))


@router.get("/governance")
def read_governance(session: InSession, caller: Caller) -> GovernanceView:
    """The policy in force and the kill switch."""
    caller.require(Act.READ)
    return governance_view(governance(session))


@router.post("/kill-switch")
def kill_switch(session: InSession, caller: Caller, order: SwitchOrder) -> GovernanceView:
    """Stop everything, or go on."""
    return governance_view((engage if order.engaged else release)(session, caller, order.reason))
