"""Signals that come signed by their source. They need no token and no key of their own: a signal is known by source and id."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.events.inbox import receive_signed
from app.events.outbox import BATCH_MEDIA_TYPE, MEDIA_TYPE
from app.web.dependencies import InSession
from app.web.routes.network import SignalAnswer, answers

router = APIRouter(tags=["network"])
_ONE, _MANY = {"type": "object"}, {"type": "array", "items": {"type": "object"}}
_CONTENT = {MEDIA_TYPE: {"schema": _ONE}, BATCH_MEDIA_TYPE: {"schema": _MANY}}


async def _raw_body(request: Request) -> bytes:
    """The bytes that were signed."""
    return await request.body()


@router.post("/signals/inbox", openapi_extra={"requestBody": {"required": True, "content": _CONTENT}})
def receive_webhook(
    request: Request, session: InSession, body: Annotated[bytes, Depends(_raw_body)]
) -> list[SignalAnswer]:
    """Take in signals that their source has signed (Standard Webhooks), as one CloudEvent or a batch of them."""
    return answers(receive_signed(session, request.headers, body))
