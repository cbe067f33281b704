"""The site-SKUs with customers as arrays: demand, lead times, review periods, costs. One row each, sorted by key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tools.demand import DemandView, FloatArray, nearest_centres
from tools.demand_table import IntArray
from tools.inventory import Lane, SiteSku, Snapshot, SupplyKind
from tools.strategy.requests import StrategyRequest, StrategyRules
from tools.targets import DemandClass

E6 = 1_000_000
CLASSES = tuple(DemandClass)
DAYS_MAX = 365


class _AtSite(Protocol):
    """A fact about a SKU at a site."""

    @property
    def site_id(self) -> str: ...

    @property
    def sku_id(self) -> str: ...


@dataclass(frozen=True, eq=False)
class SiteSkus:
    """Rows of site-SKUs whose customers ask for something. Every array has the shape (rows,).

    `daily_mean` and `daily_variance` are units and units squared per day, `level_cv2` the
    squared coefficient of variation of the level. `supplier` is the index in `site_ids` of
    the centre that the site draws from, -1 where supply comes from outside. Costs are
    ten-thousandths of the currency unit: of a unit, of a lost sale, of a unit held for a
    day. `held_units` are available or on their way.
    """

    keys: tuple[SiteSku, ...]
    site_ids: tuple[str, ...]
    site: IntArray
    demand_class: IntArray
    supplier: IntArray
    daily_mean: FloatArray
    daily_variance: FloatArray
    level_cv2: FloatArray
    lead_days: IntArray
    review_days: IntArray
    level_bp: IntArray
    cost_e4: IntArray
    lost_e4: FloatArray
    daily_holding_e4: FloatArray
    held_units: IntArray

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.keys)

    @cached_property
    def protection_days(self) -> IntArray:
        """Days that an order-up-to level has to last: lead time and review period (Silver, Pyke, Thomas sec. 6.9)."""
        days: IntArray = np.maximum(self.lead_days + self.review_days, 1)
        return days

    @cached_property
    def mean(self) -> FloatArray:
        """Mean demand of the protection days."""
        return self.daily_mean * self.protection_days

    @cached_property
    def variance(self) -> FloatArray:
        """Variance of the demand of the protection days; the level's own uncertainty grows with the square of them."""
        return self.daily_variance * self.protection_days + self.level_cv2 * self.mean**2


@dataclass(frozen=True)
class Supply:
    """Where the regular supply of a site comes from, and how long it takes.

    Supply from outside takes as long as the furthest purchase order under way to the
    site: an order placed today comes no sooner than those placed before it. Without any,
    it is the days to the site's furthest regular arrival.
    """

    snapshot: Snapshot
    default_days: int
    stated_days: int | None

    @cached_property
    def lanes(self) -> dict[str, Lane]:
        """For each store the lane from its nearest centre."""
        return nearest_centres(self.snapshot)

    def outside_days(self, site_id: str) -> int:
        """Lead time of supply from outside the network to a site."""
        if self.stated_days is not None:
            return self.stated_days
        return self._ordered_days.get(site_id) or self._arrival_days.get(site_id) or self.default_days

    @cached_property
    def _ordered_days(self) -> dict[str, int]:
        rows = [row for row in self.snapshot.supply if row.kind is SupplyKind.PURCHASE_ORDER]
        return _furthest(self.snapshot, ((row.site_id, row.expected_on) for row in rows))

    @cached_property
    def _arrival_days(self) -> dict[str, int]:
        return _furthest(self.snapshot, ((row.site_id, row.next_arrival_on) for row in self.snapshot.replenishments))


def _furthest(snapshot: Snapshot, pairs: Iterable[tuple[str, date]]) -> dict[str, int]:
    """Days to the last date of every site, at most a year; dates in the past tell nothing."""
    furthest: dict[str, date] = {}
    for site_id, on in pairs:
        if site_id not in furthest or on > furthest[site_id]:
            furthest[site_id] = on
    as_of = snapshot.as_of.date()
    return {site_id: min((on - as_of).days, DAYS_MAX) for site_id, on in furthest.items() if on > as_of}


@dataclass(frozen=True)
class _Grid:
    """All sites by all SKUs, in the order of the snapshot: facts of a site-SKU are looked up by two numbers."""

    snapshot: Snapshot

    @cached_property
    def site_of(self) -> dict[str, int]:
        return {site.site_id: index for index, site in enumerate(self.snapshot.sites)}

    @cached_property
    def sku_of(self) -> dict[str, int]:
        return {sku.sku_id: index for index, sku in enumerate(self.snapshot.skus)}

    def places(self, rows: Sequence[_AtSite]) -> tuple[IntArray, IntArray]:
        """Sites and SKUs of facts."""
        return _ints(self.site_of[row.site_id] for row in rows), _ints(self.sku_of[row.sku_id] for row in rows)

    def _empty(self) -> IntArray:
        return np.zeros((len(self.snapshot.sites), len(self.snapshot.skus)), dtype=np.int64)

    @cached_property
    def carried(self) -> NDArray[np.bool_]:
        """Which sites stock, sell or are supplied with which SKUs."""
        carried = self._empty().astype(bool)
        for facts in (self.snapshot.positions, self.snapshot.replenishments, self.snapshot.forecasts):
            carried[self.places(facts)] = True
        return carried

    @cached_property
    def review_days(self) -> IntArray:
        """Review periods; 0 where none is known."""
        days = self._empty()
        days[self.places(self.snapshot.replenishments)] = _ints(
            row.review_period_days or 0 for row in self.snapshot.replenishments
        )
        return days

    @cached_property
    def held_units(self) -> IntArray:
        """Units that are available or on their way."""
        units = self._empty()
        units[self.places(self.snapshot.positions)] = _ints(
            max(row.available_units, 0) for row in self.snapshot.positions
        )
        np.add.at(units, self.places(self.snapshot.supply), _ints(row.units for row in self.snapshot.supply))
        return units


def site_skus(view: DemandView, supply: Supply, rules: StrategyRules, request: StrategyRequest) -> SiteSkus:
    """The site-SKUs of a request that customers ask for, within the caller's own sites."""
    snapshot, grid, days = view.snapshot, _Grid(view.snapshot), request.horizon_days
    within = None if request.within_sites is None else frozenset(request.within_sites)
    centre, lane_days = _drawing(grid, supply)
    keys = sorted(snapshot.forecast_by_key)
    at = np.array([[grid.site_of[key.site_id], grid.sku_of[key.sku_id]] for key in keys], dtype=np.int64).reshape(-1, 2)
    draws = (centre[at[:, 0]] >= 0) & grid.carried[centre[at[:, 0]], at[:, 1]]
    wanted = _wanted(grid, request, at, np.where(draws, centre[at[:, 0]], -1))
    total, spread = view.windows(keys, np.zeros(len(keys), dtype=np.int64), np.full(len(keys), days))
    chosen = np.flatnonzero(wanted & (total > 0))
    keys, at, draws = [keys[row] for row in chosen.tolist()], at[chosen], draws[chosen]
    site, sku = at[:, 0], at[:, 1]
    total, spread = total[chosen], spread[chosen]
    level_cv2 = snapshot.demand_table.level_cv2_e6[snapshot.demand_table.rows_of(keys)] / E6
    seen = np.array([within is None or each.site_id in within for each in snapshot.sites], dtype=bool)
    outside = _ints(supply.outside_days(each.site_id) for each in snapshot.sites)
    classes = _ints(CLASSES.index(rules.classes[each.sku_id]) for each in snapshot.skus)
    review_days = grid.review_days[site, sku]
    return SiteSkus(
        keys=tuple(keys),
        site_ids=tuple(each.site_id for each in snapshot.sites),
        site=site,
        demand_class=classes[sku],
        supplier=np.where(draws & seen[centre[site]], centre[site], -1),
        daily_mean=total / days,
        daily_variance=np.maximum(spread - level_cv2 * total**2, 0.0) / days,
        level_cv2=level_cv2,
        lead_days=np.where(draws, lane_days[site], outside[site]),
        review_days=np.where(review_days > 0, review_days, rules.review_days),
        level_bp=_ints(rules.level_bp[each] for each in CLASSES)[classes[sku]],
        cost_e4=_ints(max(each.unit_cost_e4, 1) for each in snapshot.skus)[sku],
        lost_e4=_ints(rules.lost_unit_e4[each.sku_id] for each in snapshot.skus)[sku].astype(np.float64),
        daily_holding_e4=(_ints(rules.leftover_unit_e4[each.sku_id] for each in snapshot.skus) / rules.leftover_days)[
            sku
        ],
        held_units=grid.held_units[site, sku],
    )


def _drawing(grid: _Grid, supply: Supply) -> tuple[IntArray, IntArray]:
    """For every site the centre that it draws from (-1 for none) and the days that it takes."""
    lanes = [supply.lanes.get(site.site_id) for site in grid.snapshot.sites]
    return (
        _ints(grid.site_of[lane.origin] if lane else -1 for lane in lanes),
        _ints(lane.lead_time_days if lane else 0 for lane in lanes),
    )


def _wanted(grid: _Grid, request: StrategyRequest, at: IntArray, centre: IntArray) -> NDArray[np.bool_]:
    """Which places (site, SKU) a request is about, of shape (places,); `centre` is the one that each draws from."""
    snapshot = grid.snapshot
    site_ids, categories = frozenset(request.sites), frozenset(request.categories)
    within = None if request.within_sites is None else frozenset(request.within_sites)
    sku_ids = frozenset(request.skus)
    skus = np.array(
        [
            (not sku_ids or each.sku_id in sku_ids) and (not categories or each.category in categories)
            for each in snapshot.skus
        ],
        dtype=bool,
    )
    named = np.array([not site_ids or each.site_id in site_ids for each in snapshot.sites], dtype=bool)
    seen = np.array([within is None or each.site_id in within for each in snapshot.sites], dtype=bool)
    behind_named = (centre >= 0) & named[centre]
    wanted: NDArray[np.bool_] = skus[at[:, 1]] & seen[at[:, 0]] & (named[at[:, 0]] | behind_named)
    return wanted


def _ints(values: Iterable[int]) -> IntArray:
    return np.fromiter(values, dtype=np.int64)
