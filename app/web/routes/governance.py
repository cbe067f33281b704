"""The ledger, policies, and stops with what they hold."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator
from sqlmodel import col, select

from app.auth.roles import Act
from app.governance.state import activate_policy, governance
from app.governance.switch import engage, release
from app.governance.views import (
    HeldView,
    StopView,
    ValidatedView,
    held_views,
    stop_view,
    stop_views,
    validated_view,
)
from app.ledger.tables import LedgerEvent
from app.ledger.verify import verify
from app.orders.validating import HELD_MAX, held_orders, validate
from app.plans.store import snapshot_now
from app.stock.installation import installation
from app.views import (
    EventView,
    GovernanceView,
    PolicyView,
    VerificationView,
    event_view,
    governance_view,
    names_for,
    policy_views,
    verification_view,
)
from app.web.bodies import Reason, Text
from app.web.dependencies import Caller, InService, InSession
from app.web.idempotency import OnceRoute
from policies.stops import Stop

Name = Annotated[Text, Field(min_length=1, max_length=40)]
router = APIRouter(tags=["governance"], route_class=OnceRoute)


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


class StopOrder(BaseModel):
    """What to stop, and why: what is stated has to hold of a transfer; where nothing is, everything is stopped."""

    model_config = {"extra": "forbid"}
    site_id: Name | None = None
    origin: Name | None = None
    destination: Name | None = None
    mode: Name | None = None
    sku_class: Annotated[Text, Field(min_length=1, max_length=100)] | None = None
    reason: Reason

    @model_validator(mode="after")
    def _names_a_part(self) -> Self:
        _ = self.stop
        return self

    @property
    def stop(self) -> Stop:
        """What it holds."""
        return Stop(self.site_id, self.origin, self.destination, self.mode, self.sku_class)


class Release(BaseModel):
    """Why a stop is taken back."""

    model_config = {"extra": "forbid"}
    reason: Reason


class ValidationOrder(BaseModel):
    """Which orders to let go on, all that no stop holds any more by default, and why."""

    model_config = {"extra": "forbid"}
    orders: Annotated[list[UUID], Field(min_length=1, max_length=HELD_MAX)] | None = None
    reason: Reason


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
    return [event_view(session, row) for row in session.exec(query.limit(limit)).all()]


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
    return governance_view(session)


@router.get("/governance")
def read_governance(session: InSession, caller: Caller) -> GovernanceView:
    """The policy in force and the kill switch."""
    caller.require(Act.READ)
    return governance_view(session)


@router.post("/kill-switch")
def set_switch(session: InSession, caller: Caller, order: SwitchOrder) -> GovernanceView:
    """Stop everything, or go on. What waited is posted after its validation."""
    (engage if order.engaged else release)(session, caller, order.reason)
    return governance_view(session)


@router.get("/stops")
def list_stops(session: InSession, caller: Caller, *, released: bool = False) -> list[StopView]:
    """Stops that touch the caller's sites: those in force, or with `released` all of them, the newest first."""
    return stop_views(session, caller, released=released)


@router.post("/stops")
def add_stop(session: InSession, caller: Caller, order: StopOrder) -> StopView:
    """Stop everything, or a site, a lane, a class of SKUs. Once this is answered no post starts that it holds."""
    return stop_view(session, caller, engage(session, caller, order.reason, order.stop))


@router.post("/stops/{stop_id}/release")
def release_stop(session: InSession, caller: Caller, stop_id: UUID, order: Release) -> StopView | None:
    """Take a stop back. What waited under it is posted after its validation."""
    row = release(session, caller, order.reason, stop_id)
    return None if row is None else stop_view(session, caller, row)


@router.get("/validations")
def list_held(session: InSession, caller: Caller) -> list[HeldView]:
    """Orders that stops have held and nobody has validated, with what has changed since they were approved."""
    return held_views(session, caller, held_orders(session, caller))


@router.post("/validations")
def validate_held(service: InService, caller: Caller, order: ValidationOrder) -> ValidatedView:
    """Let orders go on; those that the world has outrun are taken back."""
    return validated_view(validate(service.database, caller, order.orders, order.reason))
