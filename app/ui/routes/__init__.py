"""The routes of the pages."""

from __future__ import annotations

from fastapi import APIRouter

from app.ui import live
from app.ui.routes import overview, sign_in

router = APIRouter(include_in_schema=False)
for part in (sign_in, overview, live):
    router.include_router(part.router)
