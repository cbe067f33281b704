"""Reading what a folder states about its merchandise, and what one row cannot show: sets, sums and shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tools.inventory import SiteSku, StockPosition
from tools.merchandise.facts import DisplayKind, EndOfLife, Lot, Markdown, MinimumDisplay, SetMember, Substitute
from tools.network_folder.cells import decimal_text
from tools.network_folder.columns import (
    DISPLAYS,
    END_OF_LIFE,
    LOTS,
    MARKDOWNS,
    SETS,
    SUBSTITUTES,
    FileFormat,
)
from tools.network_folder.faults import FaultCode
from tools.network_folder.rows import Values

SHARE_BP = 10_000
Complaint = Callable[[FileFormat, FaultCode, int, str, str, str], None]
"""Adds a fault: file, code, row, column, value, what was expected."""


@dataclass(frozen=True, slots=True)
class Tables:
    """How the files are read: the sound rows of one with their lines, how many faults there are, and one more."""

    rows: Callable[[FileFormat], Iterator[tuple[int, Values]]]
    faults: Callable[[], int]
    fault: Complaint

    def read(self, file_format: FileFormat) -> tuple[list[tuple[int, Values]], bool]:
        """The sound rows of a file, and whether they are all: sums over a part of a file would be wrong."""
        before = self.faults()
        found = list(self.rows(file_format))
        return found, self.faults() == before


def read_merchandise(tables: Tables, positions: Sequence[StockPosition] | None) -> dict[str, tuple[Any, ...]]:
    """The facts by field of `NetworkFolder`. Lots are compared with the stock unless that could not be read (None)."""
    return {
        "set_members": _sets(tables),
        "displays": _displays(tables),
        "lots": _lots(tables, positions),
        "ends_of_life": tuple(EndOfLife(**values) for _, values in tables.rows(END_OF_LIFE)),
        "markdowns": tuple(Markdown(**values) for _, values in tables.rows(MARKDOWNS)),
        "substitutes": _substitutes(tables),
    }


def _sets(tables: Tables) -> tuple[SetMember, ...]:
    found, sound = tables.read(SETS)
    rows: dict[str, list[int]] = {}
    for row, values in found:
        rows.setdefault(values["set_id"], []).append(row)
    for set_id, of_set in rows.items():
        if sound and len(of_set) == 1:
            expected = "two SKUs or more in a set"
            tables.fault(SETS, FaultCode.SET_OF_ONE, of_set[0], "set_id", set_id, expected)
    return tuple(SetMember(**values) for _, values in found)


def _displays(tables: Tables) -> tuple[MinimumDisplay, ...]:
    displays = []
    for row, values in tables.rows(DISPLAYS):
        display = MinimumDisplay(**values)
        displays.append(display)
        soft = display.kind is DisplayKind.SOFT
        if soft != (display.shortfall_e4 > 0):
            expected = (
                "a cost above 0 for a soft display" if soft else "no cost for a hard display, which is always kept"
            )
            cost = decimal_text(display.shortfall_e4, 4)
            tables.fault(DISPLAYS, FaultCode.DISPLAY_COST, row, "shortfall_cost", cost, expected)
    return tuple(displays)


def _lots(tables: Tables, positions: Sequence[StockPosition] | None) -> tuple[Lot, ...]:
    found, sound = tables.read(LOTS)
    lots = tuple(Lot(**values) for _, values in found)
    first_row: dict[SiteSku, int] = {}
    units: dict[SiteSku, int] = {}
    for (row, _), lot in zip(found, lots, strict=True):
        key = SiteSku(lot.site_id, lot.sku_id)
        first_row.setdefault(key, row)
        units[key] = units.get(key, 0) + lot.units
    if positions is not None and sound:
        on_hand = {position.key: position.on_hand_units for position in positions}
        for key, row in first_row.items():
            held = on_hand.get(key, 0)
            if units[key] != held:
                expected = f"lots of {key.sku_id} at {key.site_id} that add up to the {held:,} units of stock.csv"
                tables.fault(LOTS, FaultCode.LOTS_DIFFER, row, "units", str(units[key]), expected)
    return lots


def _substitutes(tables: Tables) -> tuple[Substitute, ...]:
    substitutes = []
    shares: dict[str, int] = {}
    for row, values in tables.rows(SUBSTITUTES):
        substitute = Substitute(**values)
        substitutes.append(substitute)
        sku_id, before = substitute.sku_id, shares.get(substitute.sku_id, 0)
        shares[sku_id] = before + substitute.share_bp
        if sku_id == substitute.substitute_id:
            expected = "another SKU"
            tables.fault(SUBSTITUTES, FaultCode.OWN_SUBSTITUTE, row, "substitute_id", sku_id, expected)
        if before <= SHARE_BP < shares[sku_id]:
            expected = f"shares of {sku_id} that add up to 1 at most"
            total = decimal_text(shares[sku_id], 4)
            tables.fault(SUBSTITUTES, FaultCode.SHARES_ABOVE_ONE, row, "share", total, expected)
    return tuple(substitutes)
