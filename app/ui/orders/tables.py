"""What the page of one order and its lineage hold, as files: receipts, signals, signatures, steps and events."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from app.lineage import LineageView, lineage
from app.ui.exports import Table, downloads
from app.ui.orders import reading
from app.ui.orders.lineage_graph import graph_of
from app.ui.orders.story import note_number
from app.ui.visitor import Looking, PageRoute
from app.web.dependencies import InSession

router = APIRouter(prefix="/orders/{transfer_id}", route_class=PageRoute)


def _lineage(looking: Looking, session: InSession, transfer_id: UUID) -> LineageView:
    """Where an order comes from, as far as the caller may know. Raises NotFoundError."""
    return lineage(session, looking.caller, transfer_id)


InLineage = Annotated[LineageView, Depends(_lineage)]


@downloads(router, "/receipts")
def receipts_table(looking: Looking, session: InSession, transfer_id: UUID) -> Table:
    """What was reported as arrived."""
    row = reading.order_in_reach(session, looking.caller, transfer_id)
    cells = (
        (each.received_at, each.units, each.damaged_units, "yes" if each.is_last else "no", each.received_by,
         note_number(each.receipt_key))
        for each in reading.receipts_of(session, row)
    )  # fmt: skip
    return Table(_name(transfer_id, "receipts"), ("When", "Usable", "Damaged", "Last one", "By", "Number"), cells)


@downloads(router, "/lineage/steps")
def steps_table(view: InLineage) -> Table:
    """The boxes of the picture, from the signals to the receipts."""
    cells = (
        (column.name, item.title, ", ".join(item.lines)) for column in graph_of(view).columns for item in column.items
    )
    return Table(_name(view.order.transfer_id, "steps"), ("Step", "What", "Facts"), cells)


@downloads(router, "/lineage/signals")
def signals_table(view: InLineage) -> Table:
    """The signals that speak of it."""
    heads = ("Source", "Id", "Kind", "Verdict", "Speaks of", "Fingerprint")
    cells = (
        (each.source, each.signal_id, each.kind, each.verdict, each.stated_at, each.digest) for each in view.signals
    )
    return Table(_name(view.order.transfer_id, "signals"), heads, cells)


@downloads(router, "/lineage/signatures")
def signatures_table(view: InLineage) -> Table:
    """Who has signed its plan, and on whose authority."""
    heads = ("Signed by", "On the authority of", "When", "Plan that was signed")
    cells = ((each.signed_by, each.authority, each.signed_at, each.seen_digest) for each in view.signatures)
    return Table(_name(view.order.transfer_id, "signatures"), heads, cells)


@downloads(router, "/lineage/events")
def events_table(view: InLineage) -> Table:
    """What the ledger holds about it."""
    heads = ("When", "What", "Who", "Position", "Stream", "Number in the stream", "Fingerprint")
    cells = (
        (each.occurred_at, each.type.replace("_", " "), each.actor, each.position, each.stream, each.seq, each.hash)
        for each in view.events
    )
    return Table(_name(view.order.transfer_id, "events"), heads, cells)


def _name(transfer_id: UUID, what: str) -> str:
    return f"order-{str(transfer_id)[:8]}-{what}"
