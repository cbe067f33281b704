"""Whether the service is alive, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.durable.runner import pending_of_other_versions, runner_alive
from app.web.dependencies import InService

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def readyz(service: InService) -> JSONResponse:
    """Each part and its state. Only a missing database makes the service unready; the rest degrades it."""
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
    ready = parts["database"] == "ok"
    return JSONResponse({"ready": ready, "parts": parts}, 200 if ready else 503)
