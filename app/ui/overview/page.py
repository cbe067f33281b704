"""The overview: how the network stands, what is wrong in it, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session

from app.auth.roles import Act
from app.status import workload
from app.ui.charts import columns, sparkline
from app.ui.network.pending import Planned, Waiting, by_end, planned_lines, waiting_for
from app.ui.network.stock_table import Seen
from app.ui.overview.alerts import alerts
from app.ui.overview.history import stock_before, work_of
from app.ui.overview.kpis import BANDS, DAYS_BACK, Shelf, if_nothing, shelf_of, stock_kpis, work_kpis
from app.ui.rendering import render
from app.ui.visitor import Looking, PageRoute, Visitor
from app.web.dependencies import InSession
from tools.coverage import stock_out_on
from tools.imbalance import Imbalance, ImbalanceKind

router = APIRouter(route_class=PageRoute)
LOST, TIED_UP = (ImbalanceKind.SHORTAGE, ImbalanceKind.EXPIRING), (ImbalanceKind.SURPLUS, ImbalanceKind.STRANDED)
"""What is lost if nothing is done, and what lies idle. The money of the one does not compare with that of the other."""
LOST_SHOWN, TIED_UP_SHOWN = 5, 3


@dataclass(frozen=True, slots=True)
class Worst:
    """One of the costliest imbalances. `sku` is empty for one whose SKU is masked."""

    kind: str
    site_id: str
    site_name: str
    sku_id: str
    sku_name: str
    has_page: bool
    severity_minor: int
    units: int
    days_of_cover: int | None
    nothing: str
    ask: str
    cut_off: bool
    """Whether no lane could bring what is short, or take away what is too much."""
    planned: Planned | None


@router.get("/")
def overview(request: Request, looking: Looking, session: InSession) -> Response:
    """How the network stands."""
    if looking.currency is None:
        return render(request, "overview/page.html", {"looking": looking, "seen": None})
    return render(request, "overview/page.html", _content(looking, session))


@router.get("/overview/now")
def now(request: Request, looking: Looking, session: InSession) -> Response:
    """The same without its frame, for a page that is open."""
    if looking.currency is None:
        return render(request, "overview/empty.html", {"looking": looking})
    return render(request, "overview/now.html", _content(looking, session))


def _content(looking: Visitor, session: Session) -> dict[str, Any]:
    seen = looking.seen(session)
    waiting = waiting_for(session, looking.caller)
    shelf, work = shelf_of(seen.table, seen.own_rows), work_of(session, seen, waiting, looking.now)
    before = stock_before(session, seen)
    kpis = stock_kpis(shelf, before, seen.snapshot.currency) + work_kpis(work, shelf.held)
    load = workload(session, looking.caller, ())
    return {
        "looking": looking,
        "seen": seen,
        "as_of": seen.snapshot.as_of,
        "kpis": [(each, sparkline(each.trend.points)) for each in kpis],
        "alerts": alerts(session, looking.caller, seen, waiting, work, load),
        **_worst(looking, seen, session, waiting),
        "imbalances": int(np.count_nonzero(seen.own_rows[np.unique(seen.table.imbalance_rows[0])])),
        "cover": _cover(shelf),
        "days_back": DAYS_BACK,
    }


def _cover(shelf: Shelf) -> dict[str, Any]:
    words = [f"{name}: {count:,}" for name, count in zip(BANDS, shelf.by_cover, strict=True)]
    bars = columns(BANDS, [float(each) for each in shelf.by_cover], [f"{each:,}" for each in shelf.by_cover], 560, 120)
    links = [f"/network/stock?show=cover{place}" for place in range(len(BANDS))]
    return {"bars": list(zip(bars, links, strict=True)), "words": "; ".join(words)}


def _worst(looking: Visitor, seen: Seen, session: Session, waiting: list[Waiting]) -> dict[str, list[Worst]]:
    planned = by_end(planned_lines(session, waiting, looking.caller))
    may_ask = looking.caller.may(Act.PLAN)

    def shown(kinds: Collection[ImbalanceKind], most: int) -> list[Worst]:
        found = seen.worst(kinds, most)
        return [_one(seen, each, next(iter(planned.get(each.key, ())), None), may_ask) for each in found]

    return {"lost": shown(LOST, LOST_SHOWN), "tied_up": shown(TIED_UP, TIED_UP_SHOWN)}


def _one(seen: Seen, each: Imbalance, planned: Planned | None, may_ask: bool) -> Worst:
    out_on = stock_out_on(seen.snapshot, seen.table.view, each.key)
    sku_id = seen.names.sku(each.sku_id)
    say = urlencode({"say": f"Rebalance {sku_id} at {each.site_id}"})
    brings = each.kind is ImbalanceKind.SHORTAGE
    cut_off = not any(each.site_id == (lane.destination if brings else lane.origin) for lane in seen.snapshot.lanes)
    return Worst(
        kind=each.kind, site_id=each.site_id, site_name=seen.snapshot.site_by_id[each.site_id].name, sku_id=sku_id,
        sku_name=seen.sku_name(each.sku_id), has_page=seen.sees_sku(each.sku_id), severity_minor=each.severity_minor,
        units=each.units, days_of_cover=each.days_of_cover, nothing=if_nothing(each, out_on, seen.snapshot.currency),
        ask=f"/chat?{say}" if may_ask and not cut_off else "", cut_off=cut_off, planned=planned,
    )  # fmt: skip
