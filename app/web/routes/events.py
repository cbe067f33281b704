"""Events out: the feed, subscriptions of webhooks, and the schemas of everything that is sent and taken."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from app.auth.roles import Act
from app.events import subscriptions as configured
from app.events.outbox import CloudEvent, read_events
from app.events.schemas import asyncapi, schema, schema_names
from app.events.subscriptions import SubscriptionView
from app.outbound import Outbound
from app.web.bodies import Text
from app.web.dependencies import Caller, InService, InSession
from app.web.idempotency import OnceRoute, shown_once

router = APIRouter(tags=["events"], route_class=OnceRoute)


class NewSubscription(BaseModel):
    """Where to send events, and which types; all of them by default."""

    model_config = {"extra": "forbid"}
    name: Annotated[Text, Field(min_length=1, max_length=100)]
    url: Annotated[Text, Field(min_length=1, max_length=2_000)]
    types: Annotated[list[Annotated[Text, Field(max_length=100)]], Field(max_length=100)] = []


class SubscriptionAct(StrEnum):
    """What can be done with a subscription."""

    ROTATE = "rotate"
    PAUSE = "pause"
    RESUME = "resume"
    REPLAY = "replay"
    REMOVE = "remove"


class SubscriptionOrder(BaseModel):
    """What to do with a subscription; a replay takes the position to begin at."""

    model_config = {"extra": "forbid"}
    act: SubscriptionAct
    position: Annotated[int, Field(ge=0, le=2**53, strict=True)] = 0


class DeadLetterView(BaseModel):
    """An event that was passed over after too many failures."""

    position: int
    attempts: int
    error: str


@router.get("/events")
def read_feed(
    session: InSession,
    caller: Caller,
    first: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[CloudEvent]:
    """The ledger's events as CloudEvents, from a position on. This is the truth that streams and webhooks repeat."""
    configured.require_operator(caller)
    return read_events(session, first, limit)


@router.get("/subscriptions")
def list_subscriptions(session: InSession, caller: Caller) -> list[SubscriptionView]:
    """Webhooks that are sent events."""
    return configured.list_subscriptions(session, caller)


@router.post("/subscriptions", status_code=201)
def subscribe(
    request: Request, service: InService, session: InSession, caller: Caller, order: NewSubscription
) -> SubscriptionView:
    """Send every event from now on to an address. The answer holds the secret, this once."""
    shown_once(request)
    outbound = Outbound(private_hosts=service.settings.outbound_private_hosts)
    return configured.subscribe(session, caller, outbound, name=order.name, url=order.url, types=order.types)


@router.post("/subscriptions/{subscription_id}/acts")
def change_subscription(
    request: Request, session: InSession, caller: Caller, subscription_id: UUID, order: SubscriptionOrder
) -> SubscriptionView | None:
    """Change the secret, pause, go on, send again from a position on, or end a subscription."""
    match order.act:
        case SubscriptionAct.ROTATE:
            shown_once(request)
            return configured.rotate(session, caller, subscription_id)
        case SubscriptionAct.PAUSE | SubscriptionAct.RESUME:
            paused = order.act is SubscriptionAct.PAUSE
            return configured.pause(session, caller, subscription_id, paused=paused)
        case SubscriptionAct.REPLAY:
            return configured.replay(session, caller, subscription_id, order.position)
        case SubscriptionAct.REMOVE:
            configured.unsubscribe(session, caller, subscription_id)
            return None


@router.get("/subscriptions/{subscription_id}/dead-letters")
def list_dead_letters(session: InSession, caller: Caller, subscription_id: UUID) -> list[DeadLetterView]:
    """Events that a webhook did not take."""
    rows = configured.dead_letters(session, caller, subscription_id)
    return [DeadLetterView.model_validate(row, from_attributes=True) for row in rows]


@router.get("/schemas")
def list_schemas(caller: Caller) -> list[str]:
    """The names of the JSON Schemas of events and signals."""
    caller.require(Act.READ)
    return schema_names()


@router.get("/schemas/{name}")
def read_schema(caller: Caller, name: str) -> dict[str, Any]:
    """A JSON Schema."""
    caller.require(Act.READ)
    return schema(name)


@router.get("/asyncapi.json")
def read_asyncapi(caller: Caller) -> dict[str, Any]:
    """What is sent and taken over streams and webhooks, as an AsyncAPI document."""
    caller.require(Act.READ)
    return asyncapi()
