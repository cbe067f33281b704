"""Double-entry stock moves between places, and the moves that each step of a transfer makes.

A place is where units can be: available, reserved or committed at a site, in
transit on a lane, or outside the network. Every move has two ends, so the sum of
a SKU over all places never changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from tools.inventory import UNITS_MAX, LaneKey


class OutsideReason(StrEnum):
    """Why units enter or leave the network."""

    COUNT = "count"
    LOST_IN_TRANSIT = "lost_in_transit"
    DAMAGED = "damaged"
    OVER_RECEIPT = "over_receipt"


_PLACE = re.compile(r"site/[^/\s]+/(available|reserved|committed)|transit/[^/\s]+/[^/\s]+/[^/\s]+|outside/[a-z_]+")


@dataclass(frozen=True, slots=True, order=True)
class StockMove:
    """So many units of a SKU from one place to another."""

    sku_id: str
    from_place: str
    to_place: str
    units: int

    def __post_init__(self) -> None:
        """Raise ValueError for a move that is none: no units, one place only, or a place that cannot be."""
        if not 1 <= self.units <= UNITS_MAX:
            raise ValueError(f"a stock move carries 1 to {UNITS_MAX} units, not {self.units}")
        if self.from_place == self.to_place:
            raise ValueError(f"a stock move needs two places, not {self.from_place} twice")
        for place in (self.from_place, self.to_place):
            if not _PLACE.fullmatch(place):
                raise ValueError(f"{place!r} is not a place")


def available(site_id: str) -> str:
    """Units at a site that nobody has promised."""
    return f"site/{site_id}/available"


def reserved(site_id: str) -> str:
    """Units at a site that are promised to approved transfer orders."""
    return f"site/{site_id}/reserved"


def committed(site_id: str) -> str:
    """Units at a site that its own systems have promised to others."""
    return f"site/{site_id}/committed"


def in_transit(lane: LaneKey) -> str:
    """Units under way on a lane."""
    return f"transit/{lane.origin}/{lane.destination}/{lane.mode}"


def outside(reason: OutsideReason) -> str:
    """Beyond the network. The only place whose balance may be negative."""
    return f"outside/{reason}"


def is_outside(place: str) -> bool:
    """Whether units at `place` have left (or not yet entered) the network."""
    return place.startswith("outside/")


def reserve(sku_id: str, lane: LaneKey, units: int) -> StockMove:
    """Approval: the origin promises the units."""
    return StockMove(sku_id, available(lane.origin), reserved(lane.origin), units)


def void(sku_id: str, lane: LaneKey, units: int) -> StockMove:
    """Refusal, cancellation or expiry: the promise is taken back."""
    return StockMove(sku_id, reserved(lane.origin), available(lane.origin), units)


def ship(sku_id: str, lane: LaneKey, units: int) -> StockMove:
    """The goods leave the origin."""
    return StockMove(sku_id, reserved(lane.origin), in_transit(lane), units)


def receive(sku_id: str, lane: LaneKey, units: int) -> StockMove:
    """The goods arrive at the destination."""
    return StockMove(sku_id, in_transit(lane), available(lane.destination), units)


def lose(sku_id: str, lane: LaneKey, units: int) -> StockMove:
    """Goods that were shipped and will not arrive."""
    return StockMove(sku_id, in_transit(lane), outside(OutsideReason.LOST_IN_TRANSIT), units)


def damage(sku_id: str, lane: LaneKey, units: int) -> StockMove:
    """Goods that arrived and cannot be used."""
    return StockMove(sku_id, in_transit(lane), outside(OutsideReason.DAMAGED), units)


def give_back(sku_id: str, lane: LaneKey, units: int) -> StockMove:
    """Goods that were called back are at the origin again."""
    return StockMove(sku_id, in_transit(lane), available(lane.origin), units)


def count(sku_id: str, place: str, booked_units: int, counted_units: int) -> StockMove | None:
    """The move that makes a place agree with a count, or None when it does already."""
    difference = counted_units - booked_units
    if difference == 0:
        return None
    elsewhere = outside(OutsideReason.COUNT)
    if difference > 0:
        return StockMove(sku_id, elsewhere, place, difference)
    return StockMove(sku_id, place, elsewhere, -difference)


def replay(moves: list[StockMove] | tuple[StockMove, ...]) -> dict[tuple[str, str], int]:
    """Balances by (place, SKU) after all moves; zero balances are left out."""
    balances: dict[tuple[str, str], int] = {}
    for move in moves:
        for place, change in ((move.from_place, -move.units), (move.to_place, move.units)):
            balances[place, move.sku_id] = balances.get((place, move.sku_id), 0) + change
    return {key: units for key, units in balances.items() if units}
