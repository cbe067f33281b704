"""The pruned instance as named things: what the exact formulation, contests and people read.

The numbers are those of the table; nodes and arcs carry ids instead of positions in arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from tools.inventory import Lane, SiteSku, Sku, Snapshot
from tools.planning.calendar import NEXT, Departure, DepartureKey
from tools.planning.limits import Limits
from tools.planning.table import Table, fixed_cost, pack_move_cost, tabulate
from tools.transfers import PlanRequest

__all__ = ["Arc", "Instance", "Node", "build_instance", "fixed_cost", "instance_of", "pack_move_cost"]


@dataclass(frozen=True)
class Node:
    """A site-SKU with what each further pack received gains (falling) and each pack sent loses (rising)."""

    key: SiteSku
    gains: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class Arc:
    """A SKU on a departure. Costs are per pack; `late` prices the demand that a faster one would still have served.

    `named_day` is the day that a move on it names.
    """

    sku: Sku
    lane: Lane
    departure: Departure
    move_cost: float
    late: float
    packs_min: int
    packs_max: int
    named_day: date = NEXT

    @property
    def travels(self) -> DepartureKey:
        """The lane's departure, as a move names it."""
        return DepartureKey(self.lane.key, self.named_day)

    @property
    def key(self) -> tuple[DepartureKey, str]:
        """What tells the arc from all others."""
        return self.travels, self.sku.sku_id

    @property
    def volume_microlitres(self) -> int:
        """The volume of a pack."""
        return self.sku.pack_size * self.sku.unit_volume_microlitres

    @property
    def origin(self) -> SiteSku:
        """The sending site-SKU."""
        return SiteSku(self.lane.origin, self.sku.sku_id)

    @property
    def destination(self) -> SiteSku:
        """The receiving site-SKU."""
        return SiteSku(self.lane.destination, self.sku.sku_id)


@dataclass(frozen=True)
class Instance:
    """What the solver sees. Nodes and arcs are sorted by id and hold only what some optimum may use."""

    nodes: dict[SiteSku, Node]
    arcs: tuple[Arc, ...]
    arcs_considered: int


def build_instance(snapshot: Snapshot, limits: Limits, request: PlanRequest) -> Instance:
    """The pruned instance of a request."""
    return instance_of(tabulate(snapshot, limits, request))


def instance_of(table: Table) -> Instance:
    """The table's nodes and arcs by name."""
    arcs = tuple(
        Arc(
            table.skus[sku], table.lanes[lane], table.departures[lane], move, late, least, most,
            table.named_days[lane],
        )
        for sku, lane, move, late, least, most in zip(
            table.arc_sku.tolist(), table.arc_lane.tolist(), table.arc_move.tolist(), table.arc_late.tolist(),
            table.arc_least.tolist(), table.arc_most.tolist(), strict=True,
        )
    )  # fmt: skip
    gains = _by_place(table, table.gain_sku, table.gain_site, table.gain)
    losses = _by_place(table, table.loss_sku, table.loss_site, table.loss)
    nodes = {
        key: Node(key, gains.get(key, ()), losses.get(key, ()))
        for key in sorted(gains.keys() | losses.keys(), key=lambda key: (key.sku_id, key.site_id))
    }
    return Instance(nodes, arcs, table.arcs_considered)


def _by_place(table: Table, sku: np.ndarray, site: np.ndarray, money: np.ndarray) -> dict[SiteSku, tuple[float, ...]]:
    if not len(money):
        return {}
    starts = np.flatnonzero(np.append(True, (np.diff(sku) != 0) | (np.diff(site) != 0)))
    ends = np.append(starts[1:], len(money))
    return {
        SiteSku(table.sites[site[start]], table.skus[sku[start]].sku_id): tuple(money[start:end].tolist())
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    }
