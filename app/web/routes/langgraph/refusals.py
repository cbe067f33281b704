"""How the dialect refuses: `{"detail": words}` with a stable code, and a ledger event where somebody tried to steer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import Request
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.errors import EvenkeelError, NotSignedInError
from app.ledger.append import EventType, append, client_stream
from app.service import Service
from app.web.routes.langgraph.callers import get_client
from app.web.routes.langgraph.requests import STEERING

NOT_OFFERED = "not_offered"
"""The code of a call that there is nothing behind."""
RECORDED = frozenset(
    (NOT_OFFERED, "steering", "old_checkpoint", "four_eyes", "role", "scope", "value_limit", "clearance", "inactive",
     "no_open_question", "another_question", "other_plan", "already_decided", "answer", "edit", "edit_breaks_rules")
)  # fmt: skip
"""Refusals of a run or a change of state that are kept in the ledger: somebody tried what they may not, or too late."""
_STEERS = frozenset((STEERING, "extra_forbidden"))


class DialectRoute(APIRoute):
    """A route of the dialect. What it refuses has the dialect's form, whoever raised it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with its refusals turned into responses and recorded."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            error: EvenkeelError
            try:
                return await handle(request)
            except RequestValidationError as wrong:
                error = _first_fault(wrong)
            except EvenkeelError as refused:
                error = refused
            except HTTPException as failed:
                return refusal(failed.status_code, "unreadable_body", str(failed.detail))
            # The request's own transaction is rolled back by now; what is recorded stands by itself.
            if error.code in RECORDED and (request.method != "GET" or error.code == NOT_OFFERED):
                await run_in_threadpool(_record, request, error)
            return refusal_of(error)

        return handled


def refusal(status: int, code: str, detail: str) -> JSONResponse:
    """A refusal in the form that the SDKs read."""
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return JSONResponse({"detail": detail, "code": code}, status, headers)


def refusal_of(error: EvenkeelError) -> JSONResponse:
    """A refusal of ours in that form."""
    return refusal(error.status, error.code, str(error))


class SteeringError(EvenkeelError):
    """A body that does not fit, or would steer the graph."""

    status = 422


def _first_fault(wrong: RequestValidationError) -> SteeringError:
    """The first fault in words; one that would steer comes before all others."""
    faults = sorted(wrong.errors(), key=lambda fault: fault["type"] not in _STEERS)
    first = faults[0]
    field = ".".join(str(part)[:40] for part in first["loc"][:8])
    code = "steering" if first["type"] in _STEERS else "invalid_request"
    return SteeringError(code, f"{field}: {first['msg']}", "", field=field)


def _record(request: Request, error: EvenkeelError) -> None:
    """Keep the refusal in the ledger, in the name of whoever sent it. What was sent is not kept, only which field it was."""
    service: Service = request.app.state.service
    with service.database.transaction() as session:
        try:
            user_id = get_client(request, session).user_id
        except NotSignedInError:
            return  # nobody we know: there is no name to record
        append(
            session,
            stream=client_stream(user_id),
            key=f"refusal/{uuid4()}",
            event_type=EventType.CLIENT_INPUT_REFUSED,
            actor=user_id,
            facts={
                "code": error.code,
                "field": str(error.where.get("field", "")),
                "method": request.method,
                "path": request.url.path[:200],
            },
        )
