"""From a network's site-SKUs to trees of stages, and the placement of their safety stock in three ways.

Each centre and the stores that draw a SKU from it are a tree: the centre waits for supply
from outside, a store for its centre, and customers never wait. A centre's own customers
are a stage of their own beside the stores, at the same place. Every stage covers its lead
time and its review period.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.demand import FloatArray
from tools.demand_table import IntArray
from tools.inventory import SiteSku, Snapshot
from tools.strategy.echelons import ANY_PROMISE, Placement, Stage, place, placement_of
from tools.strategy.requests import StrategyRules
from tools.strategy.site_skus import SiteSkus, Supply


@dataclass(frozen=True, eq=False)
class SafetyStocks:
    """Safety stock by site-SKU, placed three ways: every array has the shape (site-SKUs,).

    `placed`, `alone` and `unpooled` are units, as `tools.strategy.results.EchelonRow` has
    them. `promise_days` and `net_days` are those of the placement; `mean` is the mean
    demand of `net_days`. `cost_e4` is what a unit costs, `daily_holding_e4` what it
    costs to hold it for a day.
    """

    keys: tuple[SiteSku, ...]
    promise_days: IntArray
    net_days: IntArray
    mean: FloatArray
    placed: FloatArray
    alone: FloatArray
    unpooled: FloatArray
    cost_e4: FloatArray
    daily_holding_e4: FloatArray


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What one centre passes on: its SKUs, and for each stage the rows of the site-SKUs behind it (-1 for none).

    `rows` has the shape (stages, skus); its first line is the centre's own customers.
    """

    centre: int
    sku_ids: tuple[str, ...]
    rows: IntArray


@dataclass(frozen=True, eq=False)
class SafetyStockPlacer:
    """Places the safety stock of site-SKUs. `factor` (rows,) is how many standard deviations demand is guarded against."""

    snapshot: Snapshot
    rows: SiteSkus
    supply: Supply
    rules: StrategyRules
    factor: FloatArray

    def place(self) -> SafetyStocks:
        """Safety stock of every site-SKU, and of every centre for the SKUs that it passes on."""
        parts = [self._by_themselves(), *(self._tree(drawn) for drawn in self._centres())]

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(part, name) for part in parts])

        names = [name for name in SafetyStocks.__dataclass_fields__ if name != "keys"]
        keys = tuple(key for part in parts for key in part.keys)
        return SafetyStocks(keys, **{name: joined(name) for name in names})

    def _centres(self) -> list[_Drawn]:
        """The centres that stores draw from, by index."""
        rows = self.rows
        found = []
        for centre in np.unique(rows.supplier[rows.supplier >= 0]).tolist():
            members = np.flatnonzero(rows.supplier == centre)
            sku_ids = sorted({rows.keys[row].sku_id for row in members.tolist()})
            column = {sku_id: index for index, sku_id in enumerate(sku_ids)}
            own = np.flatnonzero((rows.site == centre) & (rows.supplier < 0))
            own = own[[rows.keys[row].sku_id in column for row in own.tolist()]] if len(own) else own
            sites = np.unique(rows.site[members])
            table = np.full((1 + len(sites), len(sku_ids)), -1, dtype=np.int64)
            table[0, [column[rows.keys[row].sku_id] for row in own.tolist()]] = own
            line = 1 + np.searchsorted(sites, rows.site[members])
            table[line, [column[rows.keys[row].sku_id] for row in members.tolist()]] = members
            found.append(_Drawn(centre, tuple(sku_ids), table))
        return found

    def _by_themselves(self) -> SafetyStocks:
        """Site-SKUs that are supplied from outside and pass nothing on: the three ways are one."""
        rows = self.rows
        in_trees = [drawn.rows[drawn.rows >= 0] for drawn in self._centres()]
        outside = np.setdiff1d(np.arange(len(rows)), np.concatenate(in_trees)) if in_trees else np.arange(len(rows))
        days = rows.protection_days[outside]
        variance = rows.daily_variance[outside] * days + rows.level_cv2[outside] * rows.mean[outside] ** 2
        units = self.factor[outside] * np.sqrt(variance)
        return SafetyStocks(
            keys=tuple(rows.keys[row] for row in outside.tolist()), promise_days=np.zeros_like(days), net_days=days,
            mean=rows.mean[outside], placed=units, alone=units, unpooled=units,
            cost_e4=rows.cost_e4[outside].astype(np.float64), daily_holding_e4=rows.daily_holding_e4[outside],
        )  # fmt: skip

    def _tree(self, drawn: _Drawn) -> SafetyStocks:
        """A centre and its stores, all SKUs at once."""
        stages = [self._centre(drawn), *(self._customers(drawn, line) for line in range(len(drawn.rows)))]
        placed = place(stages, [(0, customer) for customer in range(1, len(stages))])
        alone, unpooled = _every_site_alone(stages), _nothing_at_the_centre(stages)
        rows, centre_id = self.rows, self.rows.site_ids[drawn.centre]
        line, column = np.nonzero(drawn.rows[1:] >= 0)
        behind = drawn.rows[line + 1, column]
        skus = [self.snapshot.sku_by_id[sku_id] for sku_id in drawn.sku_ids]

        def both(centre: np.ndarray, stores: np.ndarray) -> np.ndarray:
            return np.concatenate([centre, stores[line + 2, column]])

        def safety(placement: Placement) -> FloatArray:
            # What the centre keeps for its own customers lies on the same shelf.
            return both(placement.safety_stock[0] + placement.safety_stock[1], placement.safety_stock)

        passed = np.array([np.where(row >= 0, rows.daily_mean[row], 0.0) for row in drawn.rows]).sum(axis=0)
        return SafetyStocks(
            keys=(
                *(SiteSku(centre_id, sku_id) for sku_id in drawn.sku_ids),
                *(rows.keys[row] for row in behind.tolist()),
            ),
            promise_days=both(placed.promise_days[0], placed.promise_days),
            net_days=both(placed.net_days[0], placed.net_days),
            mean=np.concatenate(
                [placed.net_days[0] * passed, placed.net_days[line + 2, column] * rows.daily_mean[behind]]
            ),
            placed=safety(placed),
            alone=safety(alone),
            unpooled=safety(unpooled),
            cost_e4=np.concatenate(
                [np.array([max(sku.unit_cost_e4, 1) for sku in skus], dtype=np.float64), rows.cost_e4[behind]]
            ),
            daily_holding_e4=np.concatenate([stages[0].daily_holding, rows.daily_holding_e4[behind]]),
        )

    def _customers(self, drawn: _Drawn, line: int) -> Stage:
        """The stage of one site's customers. Where the site does not stock a SKU nothing is asked for."""
        rows, at = self.rows, drawn.rows[line]
        here = at >= 0
        days = rows.protection_days[at] if line else np.zeros_like(at)
        none = np.zeros(len(at), dtype=np.int64)
        return Stage(
            lead_days=np.where(here, days, 0),
            daily_holding=np.where(here, rows.daily_holding_e4[at], 0.0),
            daily_variance=np.where(here, rows.daily_variance[at], 0.0),
            level_variance=np.where(here, rows.level_cv2[at] * rows.daily_mean[at] ** 2, 0.0),
            factor=np.where(here, self.factor[at], 0.0),
            promise_max=none,
            inbound_days=none,
        )

    def _centre(self, drawn: _Drawn) -> Stage:
        """The centre's stage: it sees the demand of all that it supplies, whose risks are pooled."""
        rows, at = self.rows, drawn.rows
        here = at >= 0
        site_id = rows.site_ids[drawn.centre]
        holding = [self.rules.leftover_unit_e4[sku_id] / self.rules.leftover_days for sku_id in drawn.sku_ids]
        return Stage(
            lead_days=np.array([self._covered_days(SiteSku(site_id, sku_id)) for sku_id in drawn.sku_ids]),
            daily_holding=np.array(holding),
            daily_variance=np.where(here, rows.daily_variance[at], 0.0).sum(axis=0),
            level_variance=np.where(here, rows.level_cv2[at] * rows.daily_mean[at] ** 2, 0.0).sum(axis=0),
            factor=np.where(here, self.factor[at], 0.0).max(axis=0),
            promise_max=np.full(len(drawn.sku_ids), ANY_PROMISE),
            inbound_days=np.zeros(len(drawn.sku_ids), dtype=np.int64),
        )

    def _covered_days(self, key: SiteSku) -> int:
        """Lead time from outside and review period of a centre."""
        row = self.snapshot.replenishment_by_key.get(key)
        review = (row and row.review_period_days) or self.rules.review_days
        return self.supply.outside_days(key.site_id) + review


def _every_site_alone(stages: list[Stage]) -> Placement:
    """Everybody answers at once from stock of their own."""
    shape = (len(stages), len(stages[0].lead_days))
    return placement_of(stages, np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64))


def _nothing_at_the_centre(stages: list[Stage]) -> Placement:
    """The centre lets everybody wait as long as its own supply takes."""
    shape = (len(stages), len(stages[0].lead_days))
    inbound, promise = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    promise[0] = stages[0].lead_days
    inbound[1:] = stages[0].lead_days
    return placement_of(stages, inbound, promise)
