"""The pages of one site and of one SKU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlmodel import Session, col, select

from app.errors import NotFoundError
from app.orders.tables import UNDER_WAY, TransferOrder
from app.ui.exports import ROWS_MAX, Cell, Table, downloads
from app.ui.network.page import InStock, stock_content, stock_file
from app.ui.network.pending import Planned, planned_lines, waiting_for
from app.ui.network.sku_sheet import CHARTS_SHOWN, SkuSheet
from app.ui.network.stock_list import StockRow, shown
from app.ui.network.stock_table import Seen
from app.ui.overview.kpis import if_nothing, shelf_of
from app.ui.rendering import render
from app.ui.status_words import state_words
from app.ui.visitor import Looking, PageRoute, Visitor
from app.web.dependencies import InSession
from tools.coverage import stock_out_on
from tools.imbalance import Imbalance
from tools.inventory import SiteSku
from tools.money import minor_digits, minor_from_e4

router = APIRouter(route_class=PageRoute)
_SORTS: dict[str, Callable[[StockRow, SkuSheet], Any]] = {
    "site": lambda row, _: (row.site_id,),
    "stake": lambda row, _: (_stake(row), row.site_id),
    "on_hand": lambda row, _: (row.on_hand, row.site_id),
    "reserved": lambda row, _: (row.reserved, row.site_id),
    "available": lambda row, _: (row.available, row.site_id),
    "in_transit": lambda row, _: (row.in_transit, row.site_id),
    "on_order": lambda row, _: (row.on_order, row.site_id),
    "cover": lambda row, _: (row.cover_days is None, row.cover_days or 0, row.site_id),
    "risk": lambda row, _: (row.risk_ppm, row.site_id),
    "safety": lambda row, sheet: (_target(row, sheet)[0], row.site_id),
    "order_up_to": lambda row, sheet: (_target(row, sheet)[1], row.site_id),
}
"""What the sites of a SKU can be sorted by."""
SkuSort = Annotated[str, Query(pattern=rf"^-?(?:{'|'.join(_SORTS)})$")]
IMBALANCES_SHOWN = 10
FORETOLD_MAX = 200
LINES_SHOWN = 50
ORDERS_SHOWN = 50


@router.get("/network/sites/{site_id}")
def site(request: Request, looking: Looking, session: InSession, site_id: str, chosen: InStock) -> Response:
    """A site."""
    seen = _seen(looking, session, site_id)
    content = _site(looking, session, seen, site_id)
    return render(request, "network/site.html", content | stock_content(looking, seen, chosen, site_id))


@router.get("/network/sites/{site_id}/now")
def site_now(request: Request, looking: Looking, session: InSession, site_id: str) -> Response:
    """What changes on the page of a site, but for its stock."""
    return render(request, "network/site_now.html", _site(looking, session, _seen(looking, session, site_id), site_id))


@router.get("/network/sites/{site_id}/stock/rows")
def site_stock(request: Request, looking: Looking, session: InSession, site_id: str, chosen: InStock) -> Response:
    """The stock of a site."""
    seen = _seen(looking, session, site_id)
    content = stock_content(looking, seen, chosen, site_id)
    return render(request, "network/stock_rows.html", content)


@downloads(router, "/network/sites/{site_id}/stock/export")
def site_stock_file(looking: Looking, session: InSession, site_id: str, chosen: InStock) -> Table:
    """The stock of a site as a file."""
    return stock_file(_seen(looking, session, site_id), chosen, site_id)


@downloads(router, "/network/sites/{site_id}/imbalances")
def site_imbalances(looking: Looking, session: InSession, site_id: str) -> Table:
    """Everything that is wrong at a site."""
    seen = _seen(looking, session, site_id)
    currency = seen.snapshot.currency
    unit = 10 ** minor_digits(currency)
    cells = (
        (sku_id, name, str(each.kind), each.units, each.severity_minor / unit, nothing)
        for each, sku_id, name, _, nothing in _imbalances(seen, site_id)
    )
    foretold = f"If nothing is done (of the costliest {FORETOLD_MAX})"
    heads = ("SKU", "Name", "Imbalance", "Units", f"At stake ({currency})", foretold)
    return Table(f"site-{site_id}-imbalances", heads, cells)


@downloads(router, "/network/sites/{site_id}/plans")
def site_plans(looking: Looking, session: InSession, site_id: str) -> Table:
    """What plans that wait would change at a site, all of their lines."""
    seen = _seen(looking, session, site_id)
    heads = ("SKU", "Name", "Comes in", "Goes out", "Other end", "By", "Leaves", "Arrives", "Request", "Line")
    cells = (
        (
            seen.names.sku(line.sku_id), seen.sku_name(line.sku_id), line.units if line.destination == site_id else None,
            line.units if line.origin == site_id else None, seen.names.site(_other_end(line, site_id)), line.mode,
            line.depart_on, line.arrive_on, str(line.approval_id), line.line_no,
        )
        for line in _planned_at(session, looking, site_id)
    )  # fmt: skip
    return Table(f"site-{site_id}-plans", heads, cells)


@downloads(router, "/network/sites/{site_id}/transfers")
def site_transfers(looking: Looking, session: InSession, site_id: str) -> Table:
    """Transfers to and from a site that are under way, all of them."""
    seen = _seen(looking, session, site_id)
    heads = ("Order", "SKU", "Comes in", "Goes out", "Other end", "By", "State", "Leaves", "Arrives")
    cells = (
        (
            str(order.transfer_id), seen.names.sku(order.sku_id), order.units if order.destination == site_id else None,
            order.units if order.origin == site_id else None, seen.names.site(_other_end(order, site_id)), order.mode,
            state_words(order.state), order.depart_on, order.arrive_on,
        )
        for order in _orders(session, site_id, ROWS_MAX)
    )  # fmt: skip
    return Table(f"site-{site_id}-transfers", heads, cells)


def _other_end(moved: Planned | TransferOrder, site_id: str) -> str:
    return moved.origin if moved.destination == site_id else moved.destination


@router.get("/network/skus/{sku_id}")
def sku(
    request: Request, looking: Looking, session: InSession, sku_id: str,
    site_id: Annotated[str, Query(alias="site", max_length=40)] = "", sort: SkuSort = "site",
) -> Response:  # fmt: skip
    """A SKU at the caller's sites."""
    return render(request, "network/sku.html", _sku(looking, session, sku_id, site_id, sort))


@router.get("/network/skus/{sku_id}/now")
def sku_now(
    request: Request, looking: Looking, session: InSession, sku_id: str,
    site_id: Annotated[str, Query(alias="site", max_length=40)] = "", sort: SkuSort = "site",
) -> Response:  # fmt: skip
    """The same without its frame."""
    return render(request, "network/sku_now.html", _sku(looking, session, sku_id, site_id, sort))


@downloads(router, "/network/skus/{sku_id}/export")
def sku_file(looking: Looking, session: InSession, sku_id: str, sort: SkuSort = "site") -> Table:
    """The SKU's stock at the caller's sites as a file."""
    found = _sku(looking, session, sku_id, "", sort, charts=False)
    heads = (
        "Site", "Name", "On hand", "Reserved", "Available", "In transit", "On order", "Days of cover",
        "Risk of running out (%)", "Safety stock", "Order up to", "Imbalance", "Units",
    )  # fmt: skip
    return Table(f"sku-{sku_id}", heads, (_cells(row, found["sheet"]) for row in found["rows"]))


@downloads(router, "/network/skus/{sku_id}/changes")
def sku_changes(looking: Looking, session: InSession, sku_id: str) -> Table:
    """What plans that wait would change of a SKU at the caller's sites."""
    found = _sku(looking, session, sku_id, "", charts=False)
    heads = (
        "Site", "Name", "Comes in", "Goes out", "Units until the next supply", "Units then", "Days of cover",
        "Days of cover then", "Risk of running out (%)", "Risk then (%)",
    )  # fmt: skip
    cells = (
        (
            each.key.site_id, found["site_name"][each.key.site_id], each.received, each.sent, each.before.projected_units,
            each.after.projected_units, each.before.cover_days, each.after.cover_days, each.before.risk_ppm / 10_000,
            each.after.risk_ppm / 10_000,
        )
        for each in found["sheet"].changed
    )  # fmt: skip
    return Table(f"sku-{sku_id}-changes", heads, cells)


def _cells(row: StockRow, sheet: SkuSheet) -> tuple[Cell, ...]:
    target = sheet.targets.get(SiteSku(row.site_id, row.sku_id))
    return (
        row.site_id, row.site_name, row.on_hand, row.reserved, row.available, row.in_transit, row.on_order,
        row.cover_days, row.risk_ppm / 10_000, None if target is None else target.safety_stock_units,
        None if target is None else target.order_up_to_units, None if row.worst is None else str(row.worst.kind),
        None if row.worst is None else row.worst.units,
    )  # fmt: skip


def _seen(looking: Visitor, session: Session, site_id: str) -> Seen:
    """The stock, for whoever may see this site of it. Raises NotFoundError, and does not say whether there is such a site."""
    seen = None if looking.currency is None else looking.seen(session)
    if seen is None or not seen.sees_site(site_id):
        raise NotFoundError("unknown_site", f"there is no site {site_id[:40]!r}", "follow a link of the network page")
    return seen


def _planned(session: Session, looking: Visitor) -> list[Planned]:
    return planned_lines(session, waiting_for(session, looking.caller), looking.caller)


def _site(looking: Visitor, session: Session, seen: Seen, site_id: str) -> dict[str, Any]:
    place = [each.site_id for each in seen.snapshot.sites].index(site_id)
    rows = seen.table.site == place
    worst = list(islice(_imbalances(seen, site_id), IMBALANCES_SHOWN))
    planned = _planned_at(session, looking, site_id)
    counted = seen.table.counted_at[rows]
    known = counted[~np.isnan(counted)]
    age = (looking.now.timestamp() - float(known.min())) if len(known) else None
    return {
        "looking": looking, "seen": seen, "site": seen.snapshot.site_by_id[site_id], "site_id": site_id, "as_of": seen.snapshot.as_of,
        "shelf": shelf_of(seen.table, rows), "worst": worst, "imbalances": sum(each.site_id == site_id for each in seen.table.imbalances),
        "planned": planned[:LINES_SHOWN], "planned_more": max(len(planned) - LINES_SHOWN, 0), "names": seen.names,
        "orders": _orders(session, site_id), "stops": [each for each in looking.stops if _holds(each, site_id)],
        "oldest_seconds": None if age is None else max(age, 0.0), "sku_name": seen.sku_name,
    }  # fmt: skip


def _imbalances(seen: Seen, site_id: str) -> Iterator[tuple[Imbalance, str, str, bool, str]]:
    """What is wrong at a site, the costliest first: the imbalance, the SKU and its name, whether it has a page, and what comes of it.

    What comes of it takes a while to foretell, so that is said of the first ones alone.
    """
    there = (each for each in seen.table.imbalances if each.site_id == site_id)
    for number, each in enumerate(there):
        nothing = ""
        if number < FORETOLD_MAX:
            out_on = stock_out_on(seen.snapshot, seen.table.view, each.key)
            nothing = if_nothing(each, out_on, seen.snapshot.currency)
        yield each, seen.names.sku(each.sku_id), seen.sku_name(each.sku_id), seen.sees_sku(each.sku_id), nothing


def _planned_at(session: Session, looking: Visitor, site_id: str) -> list[Planned]:
    return [line for line in _planned(session, looking) if site_id in (line.origin, line.destination)]


def _holds(stop: Any, site_id: str) -> bool:
    named = (stop.site_id, stop.origin, stop.destination)
    return site_id in named or not any(named)


def _orders(session: Session, site_id: str, rows_max: int = ORDERS_SHOWN) -> list[TransferOrder]:
    query = select(TransferOrder).where(
        col(TransferOrder.state).in_(UNDER_WAY),
        (col(TransferOrder.origin) == site_id) | (col(TransferOrder.destination) == site_id),
    )
    return list(
        session.exec(query.order_by(col(TransferOrder.arrive_on), col(TransferOrder.transfer_id)).limit(rows_max))
    )


def _sku(
    looking: Visitor, session: Session, sku_id: str, site_id: str, sort: str = "site", *, charts: bool = True
) -> dict[str, Any]:
    seen = None if looking.currency is None else looking.seen(session)
    if seen is None or not seen.sees_sku(sku_id):
        raise NotFoundError("unknown_sku", f"there is no SKU {sku_id[:40]!r}", "follow a link of the network page")
    planned = [line for line in _planned(session, looking) if line.sku_id == sku_id]
    sheet = SkuSheet.of(seen, sku_id, planned)
    table = seen.table
    rows = list(
        shown(
            seen, np.asarray([table.row_by_key[key] for key in sheet.keys if key in table.row_by_key], dtype=np.int64)
        )
    )
    first = sorted(
        rows, key=lambda row: (row.site_id != site_id, not _is_changed(sheet, row), -_stake(row), row.site_id)
    )
    drawn = [sheet.charts(row.site_id) for row in first[:CHARTS_SHOWN]] if charts else []
    found = seen.snapshot.sku_by_id[sku_id]
    return {
        "looking": looking, "seen": seen, "sku": found, "sheet": sheet, "charts_of": drawn, "site_id": site_id,
        "sort": sort, "rows": sorted(rows, key=lambda row: _SORTS[sort.removeprefix("-")](row, sheet), reverse=sort.startswith("-")),
        "planned": planned, "names": seen.names, "as_of": seen.snapshot.as_of, "site_name": _site_names(seen),
        "sales_class": table.classes[[each.sku_id for each in seen.snapshot.skus].index(sku_id)],
        "value_minor": minor_from_e4(sum(row.on_hand for row in rows) * found.unit_cost_e4, seen.snapshot.currency),
        "cost_minor": minor_from_e4(found.unit_cost_e4, seen.snapshot.currency),
        "price_minor": minor_from_e4(found.unit_price_e4, seen.snapshot.currency),
    }  # fmt: skip


def _is_changed(sheet: SkuSheet, row: StockRow) -> bool:
    return any(each.key.site_id == row.site_id for each in sheet.changed)


def _target(row: StockRow, sheet: SkuSheet) -> tuple[int, int]:
    """The safety stock and the level that is ordered up to; below any, where there is no target."""
    target = sheet.targets.get(SiteSku(row.site_id, row.sku_id))
    return (-1, -1) if target is None else (target.safety_stock_units, target.order_up_to_units)


def _stake(row: StockRow) -> int:
    return 0 if row.worst is None else row.worst.severity_minor


def _site_names(seen: Seen) -> dict[str, str]:
    return {site.site_id: site.name for site in seen.snapshot.sites if seen.sees_site(site.site_id)}
