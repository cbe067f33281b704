"""Whether the service is alive, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from pydantic import BaseModel
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.auth.authorise import released_rules
from app.durable.runner import pending_of_other_versions, runner_alive
from app.events.relay import seconds_since_round
from app.ledger.anchoring import anchored
from app.service import Service
from app.web.dependencies import InService

RELAY_SILENT_SECONDS_MAX = 60
"""A round takes a moment; one that fills a lost stream again, some seconds."""
router = APIRouter(tags=["health"])


class Readiness(BaseModel):
    """Whether the service can do its work, and how each part of it is."""

    ready: bool
    parts: dict[str, str]


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"model": Readiness}})
def readyz(service: InService, response: Response) -> Readiness:
    """Each part and its state. Without a database or rules of authorisation the service is unready; the rest degrades it."""
    parts: dict[str, str] = {}
    try:
        with service.database.engine.connect() as connection:
            connection.execute(text("select 1"))
        parts["database"] = "ok"
        parts["anchor"] = _anchor(service)
        parts["runner"] = "ok" if runner_alive(service.database) else "nobody carries out durable work"
        stranded = len(pending_of_other_versions(service.database))
        parts["other_versions"] = "ok" if not stranded else f"{stranded} workflows of another version wait for ever"
    except SQLAlchemyError:
        parts["database"] = "does not answer"
    try:
        service.redis.ping()
        parts["relay"] = _relay(seconds_since_round(service.redis))
        parts["redis"] = "ok"
    except RedisError:
        parts["redis"] = "does not answer; runs cannot be watched, everything else works"
        parts["relay"] = "not known while Redis does not answer"
    parts["llm"] = service.llm.name
    parts["authorisation"] = "ok" if not released_rules().fault else "its rules have a fault; everything is denied"
    ready = parts["database"] == parts["authorisation"] == "ok"
    if not ready:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return Readiness(ready=ready, parts=parts)


def _anchor(service: Service) -> str:
    with service.database.transaction() as session:
        return anchored(session, service.settings, service.anchoring).words


def _relay(silent_seconds: int | None) -> str:
    if silent_seconds is None:
        return "nobody brings events out and signals in"
    if silent_seconds > RELAY_SILENT_SECONDS_MAX:
        return f"last went round {silent_seconds:,} seconds ago; events and signals wait"
    return "ok"
