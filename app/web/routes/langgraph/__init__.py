"""The LangGraph SDK dialect: threads, runs and assistants for clients that nobody here wrote, and no way round the gate."""

from __future__ import annotations

from fastapi import APIRouter

from app.web.routes.langgraph import assistants, refused, runs, threads

router = APIRouter(include_in_schema=False)
"""The dialect is described by its SDKs; our own description is of our own API."""
for part in (assistants, threads, runs, refused):
    router.include_router(part.router)
