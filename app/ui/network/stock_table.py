"""The stock of the whole network as arrays, worked out once for the same facts, and what of it somebody may see."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from app.auth.roles import Principal
from graphs.names import Names
from graphs.planning import imbalances_of
from policies.limits import demand_classes, leftover_unit_e4, targets_of, view_of
from policies.rules import Facts
from policies.schema import Policy
from tools.coverage import days_of_cover_of, stock_out_ppm_of
from tools.demand import DemandView
from tools.demand_table import IntArray
from tools.imbalance import Imbalance, ImbalanceKind
from tools.inventory import SiteSku, Snapshot, SupplyKind
from tools.planning.plan import without_moves
from tools.positions import available_units_of
from tools.targets import Target

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
KINDS = tuple(ImbalanceKind)
NO_COVER = -1
"""Days of cover of what nobody asks for."""
_WORKING_OUT = Lock()
"""Large networks take seconds: where several applications of a process want the same table, it is made once."""


@dataclass(frozen=True)
class StockTable:
    """Every site-SKU with stock or a forecast, by site and SKU; arrays of shape (keys,).

    `site` and `sku` are places in the snapshot's own tuples.
    """

    snapshot: Snapshot
    policy: Policy
    imbalances: tuple[Imbalance, ...]

    @classmethod
    def of(cls, facts: Facts) -> StockTable:
        """The one table of these facts."""
        known = facts.snapshot.worked_out
        with _WORKING_OUT:
            table: StockTable | None = known.get((cls, facts.policy.digest))
            if table is None:
                table = cls(facts.snapshot, facts.policy, imbalances_of(facts))
                table.work_out()
                known[cls, facts.policy.digest] = table
        return table

    def work_out(self) -> None:
        """Have ready what every page asks for."""
        _ = self.cover_days, self.risk_ppm, self.fill, self.imbalance_rows, self.value_e4, self.counted_at

    @cached_property
    def view(self) -> DemandView:
        """Demand under the policy."""
        return view_of(self.policy, self.snapshot)

    @cached_property
    def keys(self) -> list[SiteSku]:
        """Site and SKU of every row."""
        return sorted(self.snapshot.position_by_key.keys() | self.snapshot.forecast_by_key.keys())

    @cached_property
    def row_by_key(self) -> dict[SiteSku, int]:
        """The row of a site and SKU."""
        return {key: row for row, key in enumerate(self.keys)}

    @cached_property
    def site(self) -> IntArray:
        """The place of the row's site among the snapshot's sites."""
        place = {site.site_id: number for number, site in enumerate(self.snapshot.sites)}
        return np.fromiter((place[key.site_id] for key in self.keys), np.int64, len(self.keys))

    @cached_property
    def sku(self) -> IntArray:
        """The place of the row's SKU among the snapshot's SKUs."""
        place = {sku.sku_id: number for number, sku in enumerate(self.snapshot.skus)}
        return np.fromiter((place[key.sku_id] for key in self.keys), np.int64, len(self.keys))

    @cached_property
    def on_hand(self) -> IntArray:
        """Units on hand."""
        found = self.snapshot.position_by_key
        return np.fromiter(
            (found[key].on_hand_units if key in found else 0 for key in self.keys), np.int64, len(self.keys)
        )

    @cached_property
    def available(self) -> IntArray:
        """Units that nobody has promised."""
        return available_units_of(self.snapshot, self.keys)

    @cached_property
    def _coming(self) -> tuple[IntArray, IntArray]:
        by_kind = {kind: np.zeros(len(self.keys), dtype=np.int64) for kind in SupplyKind}
        for supply in self.snapshot.supply:
            row = self.row_by_key.get(SiteSku(supply.site_id, supply.sku_id))
            if row is not None:
                by_kind[supply.kind][row] += supply.units
        return by_kind[SupplyKind.TRANSFER], by_kind[SupplyKind.PURCHASE_ORDER]

    @property
    def in_transit(self) -> IntArray:
        """Units of transfers on their way."""
        return self._coming[0]

    @property
    def on_order(self) -> IntArray:
        """Units that suppliers owe."""
        return self._coming[1]

    @cached_property
    def value_e4(self) -> FloatArray:
        """What the units on hand cost, in ten-thousandths of the currency unit."""
        costs = np.asarray([sku.unit_cost_e4 for sku in self.snapshot.skus], dtype=np.float64)
        return self.on_hand * costs[self.sku] if len(self.keys) else np.zeros(0)

    @cached_property
    def counted_at(self) -> FloatArray:
        """When the row was last counted, in seconds since 1970; not a number where it never was."""
        found = self.snapshot.position_by_key
        instants = (found[key].as_of.timestamp() if key in found else np.nan for key in self.keys)
        return np.fromiter(instants, np.float64, len(self.keys))

    @cached_property
    def cover_days(self) -> IntArray:
        """Days that the available units serve the mean demand; NO_COVER where there is none."""
        days = days_of_cover_of(self.view, self.keys, self.available)
        return np.asarray([NO_COVER if each is None else each for each in days], dtype=np.int64)

    @cached_property
    def risk_ppm(self) -> IntArray:
        """How probable it is to run out before the regular supply."""
        return stock_out_ppm_of(self.snapshot, self.view, self.keys)

    @cached_property
    def fill(self) -> tuple[FloatArray, FloatArray]:
        """Demand until the regular supply, and how much of it is served, of the rows with a forecast; else 0."""
        still = without_moves(self.snapshot, self.view.default_horizon_days)
        wanted, served = np.zeros(len(self.keys)), np.zeros(len(self.keys))
        rows = np.asarray([self.row_by_key[key] for key in self.snapshot.forecast_by_key], dtype=np.int64)
        if len(rows):
            wanted[rows], served[rows] = still.mean, still.served
        return wanted, served

    @cached_property
    def imbalance_rows(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Of every imbalance: its row, its kind by its place in KINDS, what is at stake, and its units."""
        found = [
            (self.row_by_key[each.key], KINDS.index(each.kind), each.severity_minor, each.units)
            for each in self.imbalances
        ]
        columns = np.asarray(found, dtype=np.int64).reshape(len(found), 4)
        return columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3]

    @cached_property
    def worst_by_row(self) -> dict[int, Imbalance]:
        """The costliest imbalance of a row."""
        worst: dict[int, Imbalance] = {}
        for row, each in zip(self.imbalance_rows[0].tolist(), self.imbalances, strict=True):
            worst.setdefault(row, each)
        return worst

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """The target of every row."""
        return targets_of(self.policy, self.snapshot)

    @cached_property
    def classes(self) -> list[str]:
        """The demand class of every SKU: A, B or C."""
        found = demand_classes(self.policy, self.snapshot)
        return [str(found[sku.sku_id]) for sku in self.snapshot.skus]

    @cached_property
    def leftover_e4(self) -> FloatArray:
        """What the policy charges for one unit of each SKU that is left over."""
        return np.asarray([leftover_unit_e4(self.policy, sku) for sku in self.snapshot.skus], dtype=np.float64)

    @cached_property
    def is_held(self) -> BoolArray:
        """Whether the row's data is too bad to plan on."""
        held = np.zeros(len(self.keys), dtype=bool)
        held[[self.row_by_key[key] for key in self.snapshot.hold_by_key if key in self.row_by_key]] = True
        return held


@dataclass(frozen=True)
class Seen:
    """The stock as somebody may see it: their sites, and masked SKUs by what they are called for them."""

    caller: Principal
    facts: Facts
    table: StockTable
    names: Names
    is_old: bool
    """Whether newer facts are being worked out."""

    @property
    def snapshot(self) -> Snapshot:
        """The facts."""
        return self.facts.snapshot

    @cached_property
    def own_sites(self) -> BoolArray:
        """Whether each of the snapshot's sites is the caller's."""
        return np.asarray([self.caller.covers((site.site_id,)) for site in self.snapshot.sites], dtype=bool)

    @cached_property
    def open_skus(self) -> BoolArray:
        """Whether each of the snapshot's SKUs is shown to the caller by its name."""
        return np.asarray([self.names.sku(sku.sku_id) == sku.sku_id for sku in self.snapshot.skus], dtype=bool)

    @cached_property
    def own_rows(self) -> BoolArray:
        """Whether each row of the table is at a site of the caller's."""
        return self.own_sites[self.table.site]

    def sees_site(self, site_id: str) -> bool:
        """Whether the site is there and the caller's."""
        return site_id in self.snapshot.site_by_id and self.caller.covers((site_id,))

    def sees_sku(self, sku_id: str) -> bool:
        """Whether the SKU is there and shown to the caller by its name."""
        return sku_id in self.snapshot.sku_by_id and self.names.sku(sku_id) == sku_id

    def sku_name(self, sku_id: str) -> str:
        """What the SKU is called for people; a masked one says nothing."""
        return self.snapshot.sku_by_id[sku_id].name if self.sees_sku(sku_id) else "(masked)"

    def worst(self, kinds: Collection[ImbalanceKind], most: int) -> list[Imbalance]:
        """The caller's costliest imbalances of these kinds."""
        own = (each for each in self.table.imbalances if each.kind in kinds and self.caller.covers((each.site_id,)))
        return list(islice(own, most))
