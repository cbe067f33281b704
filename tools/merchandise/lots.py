"""Lots with an expiry: which units may still travel, and which lot a transfer takes, first expired first out.

Three things are assumed, each to the safe side. Where fewer units are on hand than
the lots add up to, the first to expire are gone. Where more are, the rest has no
known expiry and stays. Reserved units are the last to expire: they may be promised to
a transfer that needs their life.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from tools.inventory import LaneKey, SiteSku, Snapshot
from tools.merchandise.facts import Lot


class LotUnits(NamedTuple):
    """So many units of a lot."""

    lot_id: str
    units: int


class Travel(NamedTuple):
    """What wants to travel: so many units of a SKU on a lane, there on `arrive_on`."""

    lane: LaneKey
    sku_id: str
    units: int
    arrive_on: date

    @property
    def origin(self) -> SiteSku:
        """The sending site-SKU."""
        return SiteSku(self.lane.origin, self.sku_id)


def by_lot(snapshot: Snapshot, key: SiteSku) -> bool:
    """Whether the site keeps the SKU by lots."""
    return key in snapshot.merchandise.lots_by_key


def lots_free(snapshot: Snapshot, key: SiteSku) -> tuple[Lot, ...]:
    """The lots of the available units, first expired first. Empty where none are kept."""
    lots = snapshot.merchandise.lots_by_key.get(key, ())
    position = snapshot.position_by_key.get(key)
    on_hand, reserved = (position.on_hand_units, position.reserved_units) if position else (0, 0)
    there = _without(lots, sum(lot.units for lot in lots) - on_hand)
    return tuple(reversed(_without(tuple(reversed(there)), reserved)))


def _without(lots: Sequence[Lot], units: int) -> list[Lot]:
    """The lots less `units` of the first."""
    left: list[Lot] = []
    for lot in lots:
        gone = min(max(units, 0), lot.units)
        units -= gone
        if lot.units > gone:
            left.append(Lot(lot.site_id, lot.sku_id, lot.lot_id, lot.units - gone, lot.expires_on))
    return left


def life_left_days(lot: Lot, on: date) -> int:
    """Days from `on` to the last day on which the lot may be sold; negative once that has passed."""
    return (lot.expires_on - on).days


def fit_units(snapshot: Snapshot, key: SiteSku, arrive_on: date, least_life_days: int) -> int:
    """Available units of a site kept by lots that would arrive with life enough."""
    return lasting_units(lots_free(snapshot, key), arrive_on, least_life_days)


def lasting_units(lots: Sequence[Lot], on: date, least_life_days: int) -> int:
    """Units of the lots that have so many days left on a day."""
    return sum(lot.units for lot in lots if life_left_days(lot, on) >= least_life_days)


def picks(
    snapshot: Snapshot, travels: Sequence[Travel], least_life_days: Mapping[str, int]
) -> tuple[tuple[LotUnits, ...], ...]:
    """The lots that each travel takes, in the order of `travels`; none where the origin keeps no lots.

    What arrives first takes what expires first. Later arrivals may use fewer lots, each
    of which an earlier one may use too, so this order finds lots for every travel
    whenever any order does. Where they do not suffice, a travel gets fewer units than it
    wants. `least_life_days` is by SKU; 0 where a SKU is not named.
    """
    free: dict[SiteSku, list[Lot]] = {}
    taken: dict[int, tuple[LotUnits, ...]] = {}
    order = sorted(range(len(travels)), key=lambda index: (travels[index].arrive_on, travels[index].lane, index))
    for index in order:
        travel = travels[index]
        if not by_lot(snapshot, travel.origin):
            continue
        if travel.origin not in free:
            free[travel.origin] = list(lots_free(snapshot, travel.origin))
        taken[index], free[travel.origin] = _pick(free[travel.origin], travel, least_life_days.get(travel.sku_id, 0))
    return tuple(taken.get(index, ()) for index in range(len(travels)))


def _pick(lots: list[Lot], travel: Travel, least_life_days: int) -> tuple[tuple[LotUnits, ...], list[Lot]]:
    wanted = travel.units
    picked: list[LotUnits] = []
    left: list[Lot] = []
    for lot in lots:
        fits = life_left_days(lot, travel.arrive_on) >= least_life_days
        units = min(lot.units, wanted) if fits else 0
        wanted -= units
        if units:
            picked.append(LotUnits(lot.lot_id, units))
        if lot.units > units:
            left.append(Lot(lot.site_id, lot.sku_id, lot.lot_id, lot.units - units, lot.expires_on))
    return tuple(picked), left
