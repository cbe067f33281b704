"""Whether the service is alive, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from pydantic import BaseModel
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.auth.authorise import released_rules
from app.durable.runner import pending_of_other_versions, runner_alive
from app.web.dependencies import InService

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
        parts["runner"] = "ok" if runner_alive(service.database) else "nobody carries out durable work"
        stranded = len(pending_of_other_versions(service.database))
        parts["other_versions"] = "ok" if not stranded else f"{stranded} workflows of another version wait for ever"
    except SQLAlchemyError:
        parts["database"] = "does not answer"
    try:
        service.redis.ping()
        parts["redis"] = "ok"
    except RedisError:
        parts["redis"] = "does not answer; runs cannot be watched, everything else works"
    parts["llm"] = service.llm.name
    parts["authorisation"] = "ok" if not released_rules().fault else "its rules have a fault; everything is denied"
    ready = parts["database"] == parts["authorisation"] == "ok"
    if not ready:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return Readiness(ready=ready, parts=parts)
