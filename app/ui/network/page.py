"""The network: a map, the list of its sites, and the list of its stock."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlmodel import Session

from app.errors import NotFoundError
from app.ui.exports import ROWS_MAX, Cell, Table, downloads
from app.ui.network import stock_list
from app.ui.network.network_map import SORTS, SiteRow, Wanted, flows, picture, site_rows, skus_wanted
from app.ui.network.pending import planned_lines, waiting_for
from app.ui.network.stock_table import KINDS, Seen
from app.ui.rendering import render
from app.ui.visitor import Looking, PageRoute, Visitor
from app.web.dependencies import InSession
from tools.imbalance import ImbalanceKind
from tools.money import minor_digits

router = APIRouter(route_class=PageRoute)
CARD_SHOWN = 3
SITES_SHOWN = 25
"""So many sites are on a page of the list; the map has all of them."""
Words = Annotated[str, Query(max_length=100)]
Chosen = Literal["", "shortage", "surplus", "expiring", "stranded"]


def _wanted(
    kind: Chosen = "", sku_class: Annotated[Literal["", "A", "B", "C"], Query(alias="class")] = "", category: Words = "",
    sku: Words = "", site: Words = "",
) -> Wanted:  # fmt: skip
    return Wanted(kind, sku_class, category, sku.strip(), site.strip())


InWanted = Annotated[Wanted, Depends(_wanted)]
SiteSort = Annotated[str, Query(pattern=rf"^-?(?:{'|'.join(SORTS)})$")]
StockSort = Annotated[str, Query(pattern=rf"^-?(?:{'|'.join(stock_list.SORTS)})$")]
Show = Annotated[str, Query(pattern=rf"^(?:{'|'.join(stock_list.SHOWS)})$")]
Page = Annotated[int, Query(ge=1, le=10_000)]


class StockChoice(NamedTuple):
    """What somebody has chosen of the list of stock."""

    wanted: Wanted
    show: str
    sort: str
    page: int


def _stock_choice(wanted: InWanted, show: Show = "all", sort: StockSort = "-stake", page: Page = 1) -> StockChoice:
    return StockChoice(wanted, show, sort, page)


InStock = Annotated[StockChoice, Depends(_stock_choice)]


@router.get("/network")
def network(
    request: Request, looking: Looking, session: InSession, wanted: InWanted, sort: SiteSort = "-stake", page: Page = 1
) -> Response:
    """The map and the list of sites."""
    if looking.currency is None:
        return render(request, "network/page.html", {"looking": looking, "seen": None})
    return render(request, "network/page.html", _network(looking, session, wanted, sort, page))


@router.get("/network/now")
def network_now(
    request: Request, looking: Looking, session: InSession, wanted: InWanted, sort: SiteSort = "-stake", page: Page = 1
) -> Response:
    """The same without the choice of filters, as it is chosen."""
    if looking.currency is None:
        return render(request, "network/nothing.html", {"looking": looking})
    return render(request, "network/now.html", _network(looking, session, wanted, sort, page))


@downloads(router, "/network/export")
def network_export(looking: Looking, session: InSession, wanted: InWanted, sort: SiteSort = "-stake") -> Table:
    """The list of sites as a file, with heads alone while there is no network."""
    currency = looking.currency
    heads = (
        "Site", "Name", "Kind", "Region", stock_list.money_head("Stock value", currency),
        stock_list.money_head("At stake", currency), "Worst", *(each.value.title() for each in KINDS), "Units coming in",
        "Units going out",
    )  # fmt: skip
    if currency is None:
        return Table("sites", heads, ())
    _, rows, _ = _sites(looking, session, wanted, sort)
    return Table("sites", heads, (_cells(row, currency) for row in rows))


@router.get("/network/stock")
def stock(request: Request, looking: Looking, session: InSession, chosen: InStock) -> Response:
    """SKUs at sites."""
    if looking.currency is None:
        return render(request, "network/page.html", {"looking": looking, "seen": None})
    content = stock_content(looking, looking.seen(session), chosen)
    return render(request, "network/stock.html", content)


@router.get("/network/stock/rows")
def stock_rows(request: Request, looking: Looking, session: InSession, chosen: InStock) -> Response:
    """The list alone."""
    if looking.currency is None:
        return render(request, "network/nothing.html", {"looking": looking})
    content = stock_content(looking, looking.seen(session), chosen)
    return render(request, "network/stock_rows.html", content)


@downloads(router, "/network/stock/export")
def stock_export(looking: Looking, session: InSession, chosen: InStock) -> Table:
    """The list as a file, with heads alone while there is no network."""
    if looking.currency is None:
        return Table("stock", stock_list.heads(None), ())
    return stock_file(looking.seen(session), chosen)


@router.get("/network/sites/{site_id}/card")
def card(request: Request, looking: Looking, session: InSession, wanted: InWanted, site_id: str) -> Response:
    """What the map tells about a site that is pointed at."""
    if looking.currency is None:
        raise NotFoundError("unknown_site", f"there is no site {site_id[:40]}", "import a network first")
    seen, rows, _ = _sites(looking, session, wanted, "site")
    row = next((row for row in rows if row.site.site_id == site_id), None)
    if row is None:
        raise NotFoundError("unknown_site", f"there is no site {site_id[:40]}", "follow a link of the map")
    there = (each for each in seen.table.imbalances if each.site_id == site_id and wanted.kind in ("", each.kind))
    worst = [(each, seen.sku_name(each.sku_id)) for each in islice(there, CARD_SHOWN)]
    return render(request, "network/card.html", {"looking": looking, "row": row, "worst": worst, "kinds": KINDS})


def stock_content(looking: Visitor, seen: Seen, chosen: StockChoice, site_id: str = "") -> dict[str, Any]:
    """What the list of stock shows: of every site, or of one."""
    wanted, show, sort, page = chosen
    rows = stock_list.in_order(seen, stock_list.rows_of(seen, wanted, show, site_id), sort)
    pages = max(-(-len(rows) // stock_list.PAGE), 1)
    page = min(page, pages)
    base = f"/network/sites/{site_id}/stock" if site_id else "/network/stock"
    query = _query(wanted, show=show, sort=sort)
    return {
        "looking": looking, "seen": seen, "wanted": wanted, "show": show, "sort": sort, "page": page, "pages": pages,
        "total": len(rows), "site_id": site_id, "base": base, "query": query, "filters": _query(wanted),
        "shows": stock_list.SHOWS,
        "here": base.removesuffix("/stock") if site_id else base,
        "categories": categories(seen), "kinds": KINDS, "first": (page - 1) * stock_list.PAGE,
        "rows": list(stock_list.shown(seen, rows[(page - 1) * stock_list.PAGE : page * stock_list.PAGE])),
    }  # fmt: skip


def stock_file(seen: Seen, chosen: StockChoice, site_id: str = "") -> Table:
    """The list of stock as a file."""
    found = stock_list.rows_of(seen, chosen.wanted, chosen.show, site_id)
    rows = stock_list.in_order(seen, found, chosen.sort)[:ROWS_MAX]
    currency = seen.snapshot.currency
    cells = (stock_list.cells(row, currency) for row in stock_list.shown(seen, rows))
    return Table(f"site-{site_id}-stock" if site_id else "stock", stock_list.heads(currency), cells)


def categories(seen: Seen) -> list[str]:
    """The categories of the SKUs that are shown by name."""
    skus = zip(seen.snapshot.skus, seen.open_skus.tolist(), strict=True)
    return sorted({sku.category for sku, is_open in skus if is_open and sku.category})


def _query(wanted: Wanted, **more: str) -> str:
    chosen = {
        "kind": wanted.kind, "class": wanted.sku_class, "category": wanted.category, "sku": wanted.sku, "site": wanted.site,
    }  # fmt: skip
    return urlencode({name: value for name, value in (chosen | more).items() if value})


def _sites(looking: Visitor, session: Session, wanted: Wanted, sort: str) -> tuple[Seen, list[SiteRow], Any]:
    seen = looking.seen(session)
    skus = skus_wanted(seen, wanted)
    planned = planned_lines(session, waiting_for(session, looking.caller), looking.caller)
    moving = flows(session, seen, planned, skus)
    rows = site_rows(seen, wanted, moving, skus)
    rows.sort(key=_SORT[sort.removeprefix("-")], reverse=sort.startswith("-"))
    return seen, rows, moving


_SHORT, _OVER = KINDS.index(ImbalanceKind.SHORTAGE), KINDS.index(ImbalanceKind.SURPLUS)
_SORT: dict[str, Callable[[SiteRow], Any]] = {
    "site": lambda row: row.site.site_id,
    "name": lambda row: (row.site.name.casefold(), row.site.site_id),
    "kind": lambda row: (row.site.kind, row.site.site_id),
    "region": lambda row: (row.site.region, row.site.site_id),
    "value": lambda row: row.value_minor,
    "stake": lambda row: (row.stake_minor, row.value_minor),
    "shortages": lambda row: row.by_kind[_SHORT],
    "surpluses": lambda row: row.by_kind[_OVER],
    "others": lambda row: row.imbalances - row.by_kind[_SHORT] - row.by_kind[_OVER],
    "incoming": lambda row: row.incoming,
    "outgoing": lambda row: row.outgoing,
}


def _network(looking: Visitor, session: Session, wanted: Wanted, sort: str, page: int) -> dict[str, Any]:
    seen, rows, moving = _sites(looking, session, wanted, sort)
    pages = max(-(-len(rows) // SITES_SHOWN), 1)
    page = min(page, pages)
    first = (page - 1) * SITES_SHOWN
    return {
        "looking": looking, "seen": seen, "wanted": wanted, "sort": sort, "rows": rows, "map": picture(seen, rows, moving),
        "categories": categories(seen), "query": _query(wanted, sort=sort), "filters": _query(wanted), "kinds": KINDS,
        "as_of": seen.snapshot.as_of, "all_sites": int(seen.own_sites.sum()),
        "page": page, "pages": pages, "first": first, "shown": rows[first : first + SITES_SHOWN],
    }  # fmt: skip


def _cells(row: SiteRow, currency: str) -> tuple[Cell, ...]:
    unit = 10 ** minor_digits(currency)
    return (
        row.site.site_id, row.site.name, str(row.site.kind), row.site.region, row.value_minor / unit,
        row.stake_minor / unit, row.worst, *row.by_kind, row.incoming, row.outgoing,
    )  # fmt: skip
