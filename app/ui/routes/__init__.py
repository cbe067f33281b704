"""The routes of the pages."""

from __future__ import annotations

from fastapi import APIRouter

from app.ui import live
from app.ui.routes import (
    chat,
    governance,
    governance_audit,
    governance_people,
    network,
    orders,
    overview,
    places,
    queue,
    queue_drawer,
    queue_parts,
    reports,
    sign_in,
)
from app.ui.routes import help as help_page

PARTS = (
    sign_in, overview, network, places, chat, queue, queue_drawer, queue_parts, orders, help_page, reports,
    governance, governance_audit, governance_people, live,
)  # fmt: skip
router = APIRouter(include_in_schema=False)
for part in PARTS:
    router.include_router(part.router)
