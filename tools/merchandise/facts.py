"""What a network states about its merchandise: sets, minimum displays, lots, ends of life, markdowns, substitutes.

Money is in ten-thousandths of the currency unit, a share in hundredths of a percent.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from functools import cached_property

EVERY_SITE = ""
"""The site of an end of life that holds everywhere."""


@dataclass(frozen=True, slots=True)
class SetMember:
    """A SKU that belongs to a set: one size of a style, one part of an assortment."""

    set_id: str
    sku_id: str


class DisplayKind(StrEnum):
    """Whether a minimum display binds (a donor keeps it) or has a price (falling below it costs)."""

    HARD = "hard"
    SOFT = "soft"


@dataclass(frozen=True, slots=True)
class MinimumDisplay:
    """So many units that a site wants to show. A soft one costs `shortfall_e4` for every unit short of it."""

    site_id: str
    sku_id: str
    kind: DisplayKind
    units: int
    shortfall_e4: int = 0


@dataclass(frozen=True, slots=True)
class Lot:
    """Units of one lot at a site. `expires_on` is the last day on which they may be sold."""

    site_id: str
    sku_id: str
    lot_id: str
    units: int
    expires_on: date


@dataclass(frozen=True, slots=True)
class EndOfLife:
    """A SKU ends on `leave_by`: at one site, which it must leave by then, or at every site (an empty `site_id`).

    `write_off_e4` is lost on every unit that is still there afterwards; None means its whole cost.
    """

    sku_id: str
    site_id: str
    leave_by: date
    write_off_e4: int | None = None


@dataclass(frozen=True, slots=True)
class Markdown:
    """What a unit brings at a site when it is marked down there instead of moved away."""

    site_id: str
    sku_id: str
    proceeds_e4: int


@dataclass(frozen=True, slots=True)
class Substitute:
    """The share of customers who take `substitute_id` when they do not find `sku_id`."""

    sku_id: str
    substitute_id: str
    share_bp: int


@dataclass(frozen=True)
class Merchandise:
    """Everything that a network states about its merchandise; each tuple is sorted. Empty is false."""

    set_members: tuple[SetMember, ...] = ()
    displays: tuple[MinimumDisplay, ...] = ()
    lots: tuple[Lot, ...] = ()
    ends_of_life: tuple[EndOfLife, ...] = ()
    markdowns: tuple[Markdown, ...] = ()
    substitutes: tuple[Substitute, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is stated."""
        return any(getattr(self, field.name) for field in fields(self))

    @cached_property
    def skus_by_set(self) -> dict[str, tuple[str, ...]]:
        """The SKUs of every set, sorted."""
        grouped: dict[str, list[str]] = {}
        for member in self.set_members:
            grouped.setdefault(member.set_id, []).append(member.sku_id)
        return {set_id: tuple(sorted(skus)) for set_id, skus in sorted(grouped.items())}

    @cached_property
    def lots_by_key(self) -> dict[tuple[str, str], tuple[Lot, ...]]:
        """Lots by site and SKU, first expired first, then by id."""
        grouped: dict[tuple[str, str], list[Lot]] = {}
        for lot in self.lots:
            grouped.setdefault((lot.site_id, lot.sku_id), []).append(lot)
        return {
            key: tuple(sorted(lots, key=lambda lot: (lot.expires_on, lot.lot_id)))
            for key, lots in sorted(grouped.items())
        }

    @cached_property
    def proceeds_by_key(self) -> dict[tuple[str, str], int]:
        """What a marked-down unit brings, by site and SKU, in ten-thousandths."""
        return {(row.site_id, row.sku_id): row.proceeds_e4 for row in self.markdowns}

    @cached_property
    def substitutes_by_sku(self) -> dict[str, tuple[Substitute, ...]]:
        """Substitutes of every SKU that has any."""
        grouped: dict[str, list[Substitute]] = {}
        for row in self.substitutes:
            grouped.setdefault(row.sku_id, []).append(row)
        return {sku_id: tuple(rows) for sku_id, rows in sorted(grouped.items())}

    def display_units(self, kind: DisplayKind) -> dict[tuple[str, str], MinimumDisplay]:
        """Minimum displays of one kind by site and SKU."""
        return {(row.site_id, row.sku_id): row for row in self.displays if row.kind is kind}


NO_MERCHANDISE = Merchandise()
"""What a network states that says nothing about its merchandise."""
