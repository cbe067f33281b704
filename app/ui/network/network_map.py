"""The network as a map and as a list: what each site holds, what is wrong there, and what moves between the sites."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sqlalchemy import text
from sqlmodel import Session

from app.orders.tables import UNDER_WAY
from app.ui.network.pending import Planned
from app.ui.network.projection import Grid, Label, MapFrame, Spot, labels, lane_path, lane_width, lay_out, radius_of
from app.ui.network.stock_table import KINDS, BoolArray, FloatArray, Seen
from tools.demand_table import IntArray
from tools.imbalance import ImbalanceKind
from tools.inventory import Site
from tools.money import e4_per_minor

MARKS = {
    ImbalanceKind.SHORTAGE: "−",
    ImbalanceKind.SURPLUS: "+",
    ImbalanceKind.EXPIRING: "E",
    ImbalanceKind.STRANDED: "S",
}
"""What stands in the circle of a site, by its worst imbalance."""
IDLE_LANES_MAX = 600
"""More lanes than this are only drawn where goods are planned or on their way."""
SORTS = ("site", "name", "kind", "region", "value", "stake", "shortages", "surpluses", "others", "incoming", "outgoing")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody has chosen to see. Empty means everything."""

    kind: str = ""
    sku_class: str = ""
    category: str = ""
    sku: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site as the map and the list show it. Money is in minor units."""

    site: Site
    value_minor: int
    stake_minor: int
    by_kind: tuple[int, ...]
    worst: str
    incoming: int
    outgoing: int

    @property
    def imbalances(self) -> int:
        """How many there are in all."""
        return sum(self.by_kind)

    @property
    def words(self) -> str:
        """What is wrong, in words."""
        found = [f"{count:,} {kind}" for kind, count in zip(KINDS, self.by_kind, strict=True) if count]
        return ", ".join(found) or "in balance"


@dataclass(frozen=True, slots=True)
class SiteMark:
    """A site's circle."""

    row: SiteRow
    x: float
    y: float
    radius: float
    mark: str
    label: Label | None


@dataclass(frozen=True, slots=True)
class LaneMark:
    """A lane with goods on it: its line, how thick, and what moves."""

    path: str
    width: float
    words: str
    is_planned: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """The map."""

    sites: tuple[SiteMark, ...]
    lanes: tuple[LaneMark, ...]
    idle: str
    meridians: tuple[Grid, ...]
    parallels: tuple[Grid, ...]
    without_place: int
    idle_left_out: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Units between two sites: in plans that wait, and in transfers that are under way."""

    planned: int = 0
    moving: int = 0


_MOVING = text("""
    select origin, destination, sku_id, sum(greatest(units - received_units - damaged_units - returned_units - lost_units, 0))::bigint as units
    from transfer_order where state = any(:states) group by 1, 2, 3
""")


def flows(session: Session, seen: Seen, planned: Iterable[Planned], skus: BoolArray) -> dict[tuple[str, str], Flow]:
    """What moves of these SKUs between any two sites, one of which is the caller's at least."""
    place = {sku.sku_id: number for number, sku in enumerate(seen.snapshot.skus)}
    found: dict[tuple[str, str], list[int]] = {}

    def add(origin: str, destination: str, sku_id: str, column: int, units: int) -> None:
        number = place.get(sku_id)
        if number is not None and skus[number] and seen.caller.touches((origin, destination)):
            found.setdefault((origin, destination), [0, 0])[column] += units

    for line in planned:
        add(line.origin, line.destination, line.sku_id, 0, line.units)
    rows = session.connection().execute(_MOVING, {"states": [state.value for state in UNDER_WAY]})
    for origin, destination, sku_id, units in rows:
        add(origin, destination, sku_id, 1, units)
    return {ends: Flow(*units) for ends, units in found.items()}


def skus_wanted(seen: Seen, wanted: Wanted) -> BoolArray:
    """Which SKUs are meant. What would tell anything about a masked SKU leaves it out."""
    skus = seen.snapshot.skus
    chosen = np.ones(len(skus), dtype=bool)
    if wanted.category:
        chosen &= seen.open_skus & np.asarray([sku.category == wanted.category for sku in skus], dtype=bool)
    if wanted.sku_class:
        chosen &= seen.open_skus & np.asarray([each == wanted.sku_class for each in seen.table.classes], dtype=bool)
    if wanted.sku:
        part = wanted.sku.casefold()
        shown = (f"{seen.names.sku(sku.sku_id)}\n{seen.sku_name(sku.sku_id)}".casefold() for sku in skus)
        chosen &= np.fromiter((part in each for each in shown), dtype=bool, count=len(skus))
    return chosen


def sites_wanted(seen: Seen, wanted: Wanted) -> BoolArray:
    """Which of the caller's sites are meant."""
    if not wanted.site:
        return seen.own_sites
    part = wanted.site.casefold()
    named = [part in f"{site.site_id}\n{site.name}\n{site.region}".casefold() for site in seen.snapshot.sites]
    found: BoolArray = seen.own_sites & np.asarray(named, dtype=bool)
    return found


def site_rows(seen: Seen, wanted: Wanted, moving: dict[tuple[str, str], Flow], skus: BoolArray) -> list[SiteRow]:
    """The caller's sites that are meant, by id. With a kind of imbalance chosen: those that have it."""
    table, sites = seen.table, seen.snapshot.sites
    number = len(sites)
    per = e4_per_minor(seen.snapshot.currency)
    value = np.bincount(table.site, np.where(skus[table.sku], table.value_e4, 0.0), number) / per
    rows, kinds, minor, _ = table.imbalance_rows
    meant = skus[table.sku[rows]]
    if wanted.kind:
        meant &= kinds == list(KINDS).index(ImbalanceKind(wanted.kind))
    counts, stakes = _by_kind(table.site[rows][meant], kinds[meant], minor[meant].astype(np.float64), number)
    incoming: dict[str, int] = {}
    outgoing: dict[str, int] = {}
    for (origin, destination), flow in moving.items():
        incoming[destination] = incoming.get(destination, 0) + flow.planned + flow.moving
        outgoing[origin] = outgoing.get(origin, 0) + flow.planned + flow.moving
    found = []
    for place in np.flatnonzero(sites_wanted(seen, wanted)).tolist():
        by_kind = tuple(int(each) for each in counts[:, place])
        if wanted.kind and not sum(by_kind):
            continue
        worst = KINDS[int(np.argmax(stakes[:, place]))].value if sum(by_kind) else ""
        if worst and not by_kind[list(KINDS).index(ImbalanceKind(worst))]:
            worst = next(kind.value for kind, count in zip(KINDS, by_kind, strict=True) if count)
        site = sites[place]
        found.append(
            SiteRow(
                site, round(float(value[place])), round(float(stakes[:, place].sum())), by_kind, worst,
                incoming.get(site.site_id, 0), outgoing.get(site.site_id, 0),
            )
        )  # fmt: skip
    return found


def _by_kind(site: IntArray, kind: IntArray, minor: FloatArray, number: int) -> tuple[IntArray, FloatArray]:
    """How many imbalances of each kind each site has, and what is at stake in them: shape (kinds, sites)."""
    cell, shape = kind * number + site, (len(KINDS), number)
    counts: IntArray = np.bincount(cell, minlength=len(KINDS) * number).astype(np.int64).reshape(shape)
    stakes: FloatArray = np.bincount(cell, minor, len(KINDS) * number).astype(np.float64).reshape(shape)
    return counts, stakes


def picture(seen: Seen, rows: list[SiteRow], moving: dict[tuple[str, str], Flow]) -> Picture:
    """The map of these sites."""
    frame = lay_out({row.site.site_id: _place(row.site) for row in rows})
    largest = max((float(row.value_minor) for row in rows), default=0.0)
    radius = {row.site.site_id: radius_of(row.value_minor, largest) * _shrink(len(rows)) for row in rows}
    by_weight = sorted(rows, key=lambda row: (-row.stake_minor, -row.value_minor, row.site.site_id))
    spots = [
        Spot(row.site.site_id, frame.points[row.site.site_id].x, frame.points[row.site.site_id].y,
             radius[row.site.site_id], row.site.name)
        for row in by_weight
    ]  # fmt: skip
    written = labels(spots)
    # The large ones first, so that the small ones lie on them and can be pressed.
    marks = [
        SiteMark(
            row, spot.x, spot.y, round(spot.radius, 1), MARKS[ImbalanceKind(row.worst)] if row.worst else "",
            written.get(row.site.site_id),
        )
        for row, spot in sorted(zip(by_weight, spots, strict=True), key=lambda pair: (-pair[1].radius, pair[1].site_id))
    ]  # fmt: skip
    lanes = _lanes(frame, radius, moving)
    idle, left_out = _idle(seen, frame, moving)
    return Picture(tuple(marks), lanes, idle, frame.meridians, frame.parallels, frame.without_place, left_out)


def _shrink(sites: int) -> float:
    return 1.0 if sites <= 40 else 0.75 if sites <= 120 else 0.55


def _place(site: Site) -> tuple[float, float] | None:
    if site.latitude_e6 is None or site.longitude_e6 is None:
        return None
    return site.latitude_e6 / 1e6, site.longitude_e6 / 1e6


def _lanes(frame: MapFrame, radius: dict[str, float], moving: dict[tuple[str, str], Flow]) -> tuple[LaneMark, ...]:
    drawn = {
        ends: flow
        for ends, flow in moving.items()
        if ends[0] in frame.points and ends[1] in frame.points and ends[0] != ends[1]
    }
    largest = max((flow.planned + flow.moving for flow in drawn.values()), default=0)
    return tuple(
        LaneMark(
            lane_path(frame.points[origin], frame.points[destination], radius[origin], radius[destination]),
            lane_width(flow.planned + flow.moving, largest),
            f"{origin} to {destination}: {_flow_words(flow)}",
            is_planned=flow.moving == 0,
        )
        for (origin, destination), flow in sorted(drawn.items())
    )


def _flow_words(flow: Flow) -> str:
    planned, moving = f"{flow.planned:,} units in plans that wait", f"{flow.moving:,} units under way"
    return ", ".join(words for words, units in ((planned, flow.planned), (moving, flow.moving)) if units) or "nothing"


def _idle(seen: Seen, frame: MapFrame, moving: dict[tuple[str, str], Flow]) -> tuple[str, int]:
    """One path of all lanes without goods; where they are too many, none, and their number."""
    pairs = {
        (min(lane.origin, lane.destination), max(lane.origin, lane.destination))
        for lane in seen.snapshot.lanes
        if lane.origin in frame.points and lane.destination in frame.points
    } - {(min(ends), max(ends)) for ends in moving}
    if len(pairs) > IDLE_LANES_MAX:
        return "", len(pairs)
    at = frame.points
    return "".join(f"M{at[a].x:g} {at[a].y:g}L{at[b].x:g} {at[b].y:g}" for a, b in sorted(pairs)), 0
