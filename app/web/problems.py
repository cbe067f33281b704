"""Errors on the wire: RFC 9457 problem documents with a stable code, and nothing of our insides."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from structlog import get_logger

from app.errors import EvenkeelError, InFlightError, TooManyError
from app.stock.importing import ImportRefusedError

MEDIA_TYPE = "application/problem+json"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""What every response tells browsers."""
_HTTP_ERRORS = {
    400: ("unreadable_body", "send what the schema asks for"),
    404: ("not_found", "see /v1/openapi.json for the paths there are"),
    405: ("method_not_allowed", "see /v1/openapi.json for the methods there are"),
    413: ("too_large", "send less at a time"),
}
"""Refusals that come from the framework: our code for each, and what to do."""
_log = get_logger(__name__)


class Problem(BaseModel):
    """An error: what was wrong (`detail`), what to do (`remedy`), and a code that never changes its meaning."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    remedy: str = ""
    where: dict[str, Any] = {}
    faults: list[dict[str, Any]] | None = None
    faults_not_listed: int | None = None
    trace_id: str | None = None


OUR_FAULT = ("something went wrong here, not with you", "tell the operator the trace id")
"""What is said of an error of ours, and what to do."""


def noted(request: Request, error: Exception) -> str:
    """The trace id under which an error of ours is found in the log."""
    trace_id = uuid4().hex
    _log.error("request_failed", trace_id=trace_id, path=request.url.path, exc_info=error)
    return trace_id


def problem(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    """A problem document as a response."""
    body = Problem(
        type=f"urn:evenkeel:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        **more,
    )
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    content = body.model_dump(mode="json", exclude_none=True)
    return JSONResponse(content, status, headers, media_type=MEDIA_TYPE)


def of_framework(error: HTTPException) -> JSONResponse:
    """A refusal of the framework as a response."""
    code, remedy = _HTTP_ERRORS.get(error.status_code, ("http_error", ""))
    return problem(error.status_code, code, str(error.detail), remedy=remedy)


def refusal(error: EvenkeelError) -> JSONResponse:
    """A refusal of ours as a response."""
    more: dict[str, Any] = {}
    if isinstance(error, ImportRefusedError):
        more["faults"] = [
            {
                "code": fault.code, "file": fault.file, "row": fault.row, "column": fault.column,
                "value": fault.value, "expected": fault.expected, "words": str(fault),
            }
            for fault in error.faults.faults
        ]  # fmt: skip
        more["faults_not_listed"] = error.faults.not_listed
    answer = problem(error.status, error.code, error.detail, remedy=error.remedy, where=error.where, **more)
    if isinstance(error, (TooManyError, InFlightError)):
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


def install(app: FastAPI) -> None:
    """Turn every error of the application into a problem document."""

    @app.exception_handler(EvenkeelError)
    def refused(_: Request, error: EvenkeelError) -> JSONResponse:
        return refusal(error)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        words = f"{field}: {first['msg']}"
        return problem(422, "invalid_request", words, remedy="send what the schema asks for", where={"field": field})

    @app.exception_handler(HTTPException)
    def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return of_framework(error)

    @app.exception_handler(Exception)
    def broken(request: Request, error: Exception) -> JSONResponse:
        words, remedy = OUR_FAULT
        answer = problem(500, "internal", words, remedy=remedy, trace_id=noted(request, error))
        answer.headers.update(HEADERS | {"Cache-Control": "no-store"})  # it passes by the middleware that adds them
        return answer

    del refused, invalid, http_error, broken
