"""Stock as a list: SKUs at sites, cut to what somebody asks for, in the order that they choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from app.ui.exports import Cell
from app.ui.network.network_map import Wanted, sites_wanted, skus_wanted
from app.ui.network.stock_table import KINDS, NO_COVER, BoolArray, Seen, StockTable
from app.ui.overview.kpis import BANDS
from tools.demand_table import IntArray
from tools.imbalance import Imbalance, ImbalanceKind
from tools.kpis import COVER_BANDS_DAYS, LIKELY_PPM
from tools.money import minor_digits

PAGE = 100
SHOWS = {
    "all": "everything", "imbalances": "all imbalances", "shortage": "short", "surplus": "more than needed",
    "expiring": "about to expire", "stranded": "stranded", "out": "out of stock", "risk": "likely to run out",
    "held": "held back for bad data", "stale": "not counted lately",
} | {f"cover{place}": f"lasts {words}" if place < 6 else words for place, words in enumerate(BANDS)}  # fmt: skip
"""What the list can be cut to, in words."""
SORTS = ("stake", "site", "sku", "on_hand", "available", "in_transit", "on_order", "cover", "risk")


@dataclass(frozen=True, slots=True)
class StockRow:
    """A SKU at a site as somebody sees it. `worst` is its costliest imbalance."""

    site_id: str
    site_name: str
    sku_id: str
    sku_name: str
    has_page: bool
    on_hand: int
    available: int
    in_transit: int
    on_order: int
    cover_days: int | None
    risk_ppm: int
    worst: Imbalance | None
    held: str

    @property
    def reserved(self) -> int:
        """Units that are promised."""
        return max(self.on_hand - self.available, 0)


def rows_of(seen: Seen, wanted: Wanted, show: str, site_id: str = "") -> IntArray:
    """The rows of the table that are asked for; those of one site if it is named."""
    table = seen.table
    chosen = sites_wanted(seen, wanted)[table.site] & skus_wanted(seen, wanted)[table.sku]
    if site_id:
        chosen &= np.asarray([site.site_id == site_id for site in seen.snapshot.sites], dtype=bool)[table.site]
    if wanted.kind:
        chosen &= _with_imbalance(table, (ImbalanceKind(wanted.kind),))
    return np.flatnonzero(chosen & _shown(seen, show))


def _with_imbalance(table: StockTable, kinds: tuple[ImbalanceKind, ...]) -> BoolArray:
    rows, kind, _, _ = table.imbalance_rows
    found = np.zeros(len(table.keys), dtype=bool)
    found[rows[np.isin(kind, [KINDS.index(each) for each in kinds])]] = True
    return found


def _shown(seen: Seen, show: str) -> BoolArray:
    table = seen.table
    if show.startswith("cover"):
        cover, place = table.cover_days, int(show.removeprefix("cover"))
        band = np.where(cover == NO_COVER, len(COVER_BANDS_DAYS) + 1, np.searchsorted(COVER_BANDS_DAYS, cover))
        return np.asarray(band == place)
    found: Callable[[], BoolArray] = {
        "imbalances": lambda: _with_imbalance(table, KINDS),
        "shortage": lambda: _with_imbalance(table, (ImbalanceKind.SHORTAGE,)),
        "surplus": lambda: _with_imbalance(table, (ImbalanceKind.SURPLUS, ImbalanceKind.STRANDED)),
        "expiring": lambda: _with_imbalance(table, (ImbalanceKind.EXPIRING,)),
        "stranded": lambda: _with_imbalance(table, (ImbalanceKind.STRANDED,)),
        "out": lambda: np.asarray((table.cover_days != NO_COVER) & (table.available <= 0)),
        "risk": lambda: np.asarray(table.risk_ppm >= LIKELY_PPM),
        "held": lambda: table.is_held,
        "stale": lambda: _stale(seen),
    }.get(show, lambda: np.ones(len(table.keys), dtype=bool))
    return found()


def _stale(seen: Seen) -> BoolArray:
    after = timedelta(hours=seen.facts.policy.data_quality.stale_after_hours)
    return np.asarray(seen.table.counted_at < (seen.facts.now - after).timestamp())


def in_order(seen: Seen, rows: IntArray, sort: str) -> IntArray:
    """The rows in the order of a column, turned round by a dash before its name."""
    table, by = seen.table, sort.removeprefix("-")
    columns = {
        "site": table.site, "on_hand": table.on_hand, "available": table.available, "in_transit": table.in_transit,
        "on_order": table.on_order, "risk": table.risk_ppm,
    }  # fmt: skip
    if by == "stake":
        column = _stakes(table)
    elif by == "cover":
        column = np.where(table.cover_days == NO_COVER, 1_000_000, table.cover_days)
    elif by == "sku":
        names = [seen.names.sku(sku.sku_id) for sku in seen.snapshot.skus]
        rank = {place: number for number, place in enumerate(sorted(range(len(names)), key=names.__getitem__))}
        column = np.asarray([rank[place] for place in range(len(names))], dtype=np.int64)[table.sku]
    else:
        column = columns[by]
    keyed = column[rows]
    return rows[np.argsort(-keyed if sort.startswith("-") else keyed, kind="stable")]


def _stakes(table: StockTable) -> IntArray:
    """What is at stake in each row: its costliest imbalance."""
    found = np.zeros(len(table.keys), dtype=np.int64)
    rows, _, minor, _ = table.imbalance_rows
    np.maximum.at(found, rows, minor)
    return found


def shown(seen: Seen, rows: IntArray) -> Iterator[StockRow]:
    """Rows of the table as their reader sees them."""
    table, snapshot = seen.table, seen.snapshot
    for row in rows.tolist():
        site_id, sku_id = table.keys[row]
        cover, hold = int(table.cover_days[row]), snapshot.hold_by_key.get(table.keys[row])
        yield StockRow(
            site_id, snapshot.site_by_id[site_id].name, seen.names.sku(sku_id), seen.sku_name(sku_id), seen.sees_sku(sku_id),
            int(table.on_hand[row]), int(table.available[row]), int(table.in_transit[row]), int(table.on_order[row]),
            None if cover == NO_COVER else cover, int(table.risk_ppm[row]), table.worst_by_row.get(row),
            "" if hold is None else seen.names.words(hold.reason),
        )  # fmt: skip


def money_head(what: str, currency: str | None) -> str:
    """The head of a column of money. Before a network is there, no currency is known."""
    return f"{what} ({currency})" if currency else what


def heads(currency: str | None) -> tuple[str, ...]:
    """The heads of the download."""
    return (
        "Site", "Site name", "SKU", "SKU name", "On hand", "Reserved", "Available", "In transit", "On order",
        "Days of cover", "Risk of running out (%)", "Imbalance", "Units", money_head("At stake", currency), "Held back because",
    )  # fmt: skip


def cells(row: StockRow, currency: str) -> tuple[Cell, ...]:
    """A row of the download."""
    worst = row.worst
    return (
        row.site_id, row.site_name, row.sku_id, row.sku_name, row.on_hand, row.reserved, row.available, row.in_transit,
        row.on_order, row.cover_days, row.risk_ppm / 10_000, None if worst is None else str(worst.kind),
        None if worst is None else worst.units,
        None if worst is None else worst.severity_minor / 10 ** minor_digits(currency), row.held,
    )  # fmt: skip
