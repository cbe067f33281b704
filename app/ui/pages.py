"""The routes of the pages."""

from __future__ import annotations

from fastapi import APIRouter

from app.ui import live, sign_in
from app.ui.chat import page as chat
from app.ui.governance import audit as governance_audit
from app.ui.governance import channels as governance_channels
from app.ui.governance import page as governance
from app.ui.governance import people as governance_people
from app.ui.help import page as help_page
from app.ui.network import page as network
from app.ui.network import places
from app.ui.orders import page as orders
from app.ui.orders import tables as orders_tables
from app.ui.overview import page as overview
from app.ui.queue import drawer as queue_drawer
from app.ui.queue import page as queue
from app.ui.queue import parts as queue_parts
from app.ui.reports import page as reports

PARTS = (
    sign_in, overview, network, places, chat, queue, queue_drawer, queue_parts, orders, orders_tables, help_page, reports,
    governance, governance_audit, governance_channels, governance_people, live,
)  # fmt: skip
router = APIRouter(include_in_schema=False)
for part in PARTS:
    router.include_router(part.router)
