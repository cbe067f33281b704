"""Transfer orders: where they stand, whether they have arrived, and what can be done about them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlmodel import Session

from app.approvals.requests import get_request
from app.approvals.tables import Decision
from app.governance.views import held_views
from app.ledger.reasons import facts_told
from app.ledger.tables import LedgerEvent
from app.lineage import lineage
from app.orders.reconciling import open_differences
from app.orders.tables import TransferOrder
from app.orders.validating import held_orders
from app.ui.exports import ROWS_MAX, Cell, Table, downloads
from app.ui.orders import reading, story
from app.ui.orders.lineage_graph import BOX_HEIGHT, BOX_WIDTH, graph_of
from app.ui.orders.reading import SORTS, Show, Wanted
from app.ui.rendering import render
from app.ui.status_words import state_words
from app.ui.visitor import FRAGMENT, Looking, PageRoute, Visitor, has_network
from app.views import OrderView, order_view
from app.web.dependencies import InSession
from graphs.names import Names
from tools.execution import OrderState
from tools.saga import Action

router = APIRouter(route_class=PageRoute)
_SORT = "|".join(SORTS)


def _wanted(
    show: Show = Show.OPEN,
    state: OrderState | None = None,
    site: Annotated[str, Query(max_length=40)] = "",
    text: Annotated[str, Query(max_length=100)] = "",
    sort: Annotated[str, Query(pattern=rf"^-?(?:{_SORT})$")] = "-changed",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    stop: UUID | None = None,
) -> Wanted:
    """What a list is asked for."""
    return Wanted(show, state, site.strip(), text.strip(), sort, page, stop)


InWanted = Annotated[Wanted, Depends(_wanted)]


@dataclass(frozen=True, slots=True)
class Row:
    """An order in the list."""

    view: OrderView
    sku_name: str
    days_late: int
    in_transit_units: int
    arrived_at: datetime | None
    """When the last of it came, where nothing more is to come."""


@router.get("/orders")
def orders(request: Request, looking: Looking, session: InSession, wanted: InWanted) -> Response:
    """The list of orders."""
    content = _list(looking, session, wanted) | {
        "sites": reading.sites_of(session, looking.caller), "states": list(OrderState), "network": has_network(session),
    }  # fmt: skip
    return render(request, "orders/page.html", content)


@router.get("/orders/rows")
def rows(request: Request, looking: Looking, session: InSession, wanted: InWanted) -> Response:
    """The list alone."""
    return render(request, "orders/rows.html", _list(looking, session, wanted))


@downloads(router, "/orders/export")
def export(looking: Looking, session: InSession, wanted: InWanted) -> Table:
    """The list as a file, all pages of it."""
    found = reading.page_of(session, looking.caller, wanted, looking.now.date(), ROWS_MAX)
    heads = (
        "Order", "SKU", "SKU name", "From", "To", "By", "Units decided", "Units", "Units shipped", "Units received",
        "Units damaged", "Units returned", "Units lost", "State", "Since", "Departs", "Arrives", "Arrived", "Days late",
        "ERP reference", "Please note",
    )  # fmt: skip
    return Table("orders", heads, (_cells(row) for row in _rows(looking, session, found.orders)))


@router.get("/orders/held")
def held(request: Request, looking: Looking, session: InSession) -> Response:
    """Orders that stops have held, for whoever may let them go on."""
    content: dict[str, Any] = {"looking": looking, "counts": _counts(looking, session), "held": None}
    if looking.may("govern"):
        content["held"] = held_views(session, looking.caller, held_orders(session, looking.caller))
    return render(request, "orders/held_rows.html" if FRAGMENT in request.headers else "orders/held.html", content)


@downloads(router, "/orders/held/export")
def held_table(looking: Looking, session: InSession) -> Table:
    """Orders that stops have held, for whoever may let them go on."""
    heads = ("Order", "SKU", "Units", "From", "To", "Waits since", "Still stopped", "What has changed")
    cells = (
        (
            str(row.order.transfer_id), row.order.sku_id, row.order.units, row.order.origin, row.order.destination,
            row.order.state_at, row.stopped or "no", "; ".join(row.changes),
        )
        for row in held_views(session, looking.caller, held_orders(session, looking.caller))
    )  # fmt: skip
    return Table("orders-held", heads, cells)


@router.get("/orders/differences")
def differences(request: Request, looking: Looking, session: InSession) -> Response:
    """Where the ERP and the books differ, for whoever may settle it."""
    content: dict[str, Any] = {"looking": looking, "counts": _counts(looking, session), "differences": None}
    if _may_settle(looking):
        content["differences"] = open_differences(session, looking.caller)
    name = "orders/differences_rows.html" if FRAGMENT in request.headers else "orders/differences.html"
    return render(request, name, content)


@downloads(router, "/orders/differences/export")
def export_differences(looking: Looking, session: InSession) -> Table:
    """The open differences as a file."""
    found = open_differences(session, looking.caller)
    cells = [(row.reference, row.kind, row.words, row.correction, row.found_at) for row in found]
    return Table("differences", ("Reference", "Kind", "What differs", "Correction", "Found at"), cells)


@router.get("/orders/{transfer_id}")
def one(request: Request, looking: Looking, session: InSession, transfer_id: UUID) -> Response:
    """An order: as a page, or as what stands in the drawer."""
    row = reading.order_in_reach(session, looking.caller, transfer_id)
    content = {"looking": looking} | _order(looking, session, row)
    return render(request, "orders/order.html" if FRAGMENT in request.headers else "orders/one.html", content)


@router.get("/orders/{transfer_id}/lineage")
def origins(request: Request, looking: Looking, session: InSession, transfer_id: UUID) -> Response:
    """Where an order comes from, as boxes and arrows."""
    view = lineage(session, looking.caller, transfer_id)
    content = {
        "looking": looking, "view": view, "graph": graph_of(view), "box_width": BOX_WIDTH, "box_height": BOX_HEIGHT,
    }  # fmt: skip
    return render(request, "orders/lineage.html", content)


def _may_settle(looking: Visitor) -> bool:
    return looking.may("resolve") and looking.caller.sees_everything


def _counts(looking: Visitor, session: Session) -> dict[str, int]:
    return reading.counts(session, looking.caller, looking.now.date())


def _list(looking: Visitor, session: Session, wanted: Wanted) -> dict[str, Any]:
    page = reading.page_of(session, looking.caller, wanted, looking.now.date())
    return {
        "looking": looking, "wanted": wanted, "page": page, "rows": _rows(looking, session, page.orders),
        "counts": _counts(looking, session), "nothing": story.NOTHING, "page_rows": reading.PAGE_ROWS,
    }  # fmt: skip


def _rows(looking: Visitor, session: Session, views: Sequence[OrderView]) -> list[Row]:
    names, today = reading.titles(session, "sku", (view.sku_id for view in views)), looking.now.date()
    done = [view for view in views if view.shipped_units and not story.in_transit_units(view)]
    arrived = reading.last_arrivals(session, (view.transfer_id for view in done))
    return [
        Row(
            view, names.get(view.sku_id, ""), story.days_late(view, today), story.in_transit_units(view),
            arrived.get(view.transfer_id),
        )
        for view in views
    ]  # fmt: skip


def _cells(row: Row) -> tuple[Cell, ...]:
    view = row.view
    return (
        str(view.transfer_id), view.sku_id, row.sku_name, view.origin, view.destination, view.mode,
        view.decided_units or view.units, view.units, view.shipped_units, view.received_units, view.damaged_units,
        view.returned_units, view.lost_units, state_words(view.state), view.state_at, view.depart_on, view.arrive_on,
        row.arrived_at.date() if row.arrived_at else None, row.days_late, view.erp_id, view.attention,
    )  # fmt: skip


def _order(looking: Visitor, session: Session, row: TransferOrder) -> dict[str, Any]:
    """Everything about an order that its page shows."""
    caller = looking.caller
    view, names = order_view(session, caller, row), reading.names_of_order(session, caller, row)
    told = [_told(session, event, names) for event in reading.events_of(session, row)]
    receipts = reading.receipts_of(session, row)
    decision = session.get(Decision, row.approval_id)
    arrived = [event.at for event in told if event.type == "transfer_received" and event.facts.get("units")]
    at_destination = caller.sites is None or row.destination in caller.sites
    return {
        "view": view,
        "sku_name": reading.titles(session, "sku", (view.sku_id,)).get(view.sku_id, ""),
        "sites": reading.titles(session, "site", (view.origin, view.destination)),
        "answer": story.did_it_arrive(view, looking.now.date(), max(arrived, default=None)),
        "stages": story.stages(view, told, decision.decided_at if decision else None),
        "happenings": story.happenings(told),
        "receipts": receipts,
        "receipt_key": f"{story.PAGE_KEY}{view.transfer_id}:{len(receipts) + 1}",
        "in_transit_units": story.in_transit_units(view),
        "requested_by": get_request(session, row.approval_id).requested_by,
        "decided_by": decision.decided_by if decision else None,
        "may_receive": looking.may("receive") and at_destination and Action.RECEIVE in view.actions,
        "actions": [each for each in view.actions if each is not Action.RECEIVE] if looking.may("resolve") else [],
        "action_words": story.ACTIONS,
        "action_done": story.DONE,
        "note_number": story.note_number,
        "stop": next((stop for stop in looking.stops if stop.stop_id == view.held_by), None),
        "page_rows": reading.PAGE_ROWS,
    }


def _told(session: Session, event: LedgerEvent, names: Names | None) -> story.Told:
    body = json.loads(event.body)
    facts: Mapping[str, Any] = facts_told(session, body)
    if names is not None:
        facts = {name: names.words(value) if isinstance(value, str) else value for name, value in facts.items()}
    return story.Told(event.type, event.occurred_at, body["actor"], facts)
