"""The door for an ERP that tells by itself how far a transfer is. Its signature takes the place of a token."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from app.db.database import database_now
from app.erp.connecting import heard
from app.erp.rest_bodies import TransferAnswer
from app.erp.webhooks import BODY_BYTES_MAX, require_genuine
from app.errors import InvalidError, NotFoundError
from app.orders.reconciling import take_over
from app.service import Service
from app.web.dependencies import InService

router = APIRouter(tags=["erp"])


class Taken(BaseModel):
    """What became of a delivery. `new` is false where everything in it was known."""

    reference: str
    new: bool


@router.post("/erp/transfers", include_in_schema=False)
async def hear_of_transfer(
    request: Request,
    service: InService,
    evenkeel_delivery: Annotated[str | None, Header()] = None,
    evenkeel_timestamp: Annotated[str | None, Header()] = None,
    evenkeel_signature: Annotated[str | None, Header()] = None,
) -> Taken:
    """Take over how far a transfer is, as `GET /transfers/{reference}` of the ERP would tell it."""
    body = await request.body()
    signed = (evenkeel_delivery, evenkeel_timestamp, evenkeel_signature)
    return await run_in_threadpool(_take, service, signed, body)


def _take(service: Service, signed: tuple[str | None, str | None, str | None], body: bytes) -> Taken:
    secret = service.settings.erp_webhook_secret
    if secret is None:
        raise NotFoundError("no_deliveries", "this installation takes none", "set EVENKEEL_ERP_WEBHOOK_SECRET")
    with service.database.transaction() as session:
        now = database_now(session)
    require_genuine(secret.get_secret_value(), *signed, body, now)
    try:
        if len(body) > BODY_BYTES_MAX:
            raise InvalidError(
                "delivery_too_long", f"a delivery has at most {BODY_BYTES_MAX:,} bytes", "send one transfer"
            )
        told = TransferAnswer.model_validate_json(body)
    except ValidationError as wrong:
        place = ".".join(map(str, wrong.errors()[0]["loc"])) or "the body"
        raise InvalidError(
            "delivery",
            f"{place}: {wrong.errors()[0]['msg']}",
            "send what GET /transfers/{reference} answers",
            field=place,
        ) from wrong
    new = take_over(service.database, service.carrier, heard(service.settings, told))
    return Taken(reference=told.reference, new=new)
