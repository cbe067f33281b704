"""Cycles from a network's own sales: a window of history to forecast from, then a cycle to be played.

As in planning, the total that the chain sells of a SKU in a period is taken as known
(promotions and seasons are planned); how it falls on the sites is forecast by each
site's share in the history. Sales stand in for demand, so demand lost in the past is
not seen. Geography, lead times and costs are the network's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from tools.demand import FloatArray
from tools.inventory import Lane, Sku
from tools.network_folder import NetworkFolder, SalesGrain
from tools.simulation.cycle import BoolArray, Cycle, IntArray, Lanes
from tools.simulation.generators import start_stock

E4 = 10_000
MICROLITRES = 1_000_000
SITES_MIN = 5
"""A SKU at fewer sites has too little to balance."""
HISTORY_MEAN_MIN = 0.2
EXPECTED_MIN = 0.2
SHARE_BASE_MIN = 0.1
FORECAST_MIN = 0.05
DISPERSION_RANGE = (1.1, 12.0)
FAIR_LOAD_LITRES = 200.0
"""A departure's fixed cost is shared by so many litres; a SKU of unknown volume counts as a litre."""


@dataclass(frozen=True)
class SkuCosts:
    """Money in ten-thousandths: for one unit of demand lost, and for one unit left at the end of a cycle."""

    lost_e4: int
    left_e4: int


@dataclass(frozen=True)
class _Calendar:
    period_days: int
    history: int
    cycle: int
    level_prior: float


_CALENDARS = {
    SalesGrain.WEEK: _Calendar(period_days=7, history=13, cycle=6, level_prior=8.0),
    SalesGrain.DAY: _Calendar(period_days=1, history=56, cycle=14, level_prior=16.0),
}


@dataclass(frozen=True)
class _Sales:
    """(K, S, P): units by SKU, site and period, and whether the site was in stock."""

    units: IntArray
    in_stock: BoolArray


def cycles_of(
    network: NetworkFolder,
    costs: Mapping[str, SkuCosts],
    *,
    cost_factor: float = 1.0,
    lead_time_periods: int | None = None,
) -> tuple[Cycle, ...]:
    """One cycle for each window of sales, windows side by side and the last one ending with the sales.

    A short history is halved between looking back and playing. `cost_factor` scales what
    lanes cost; `lead_time_periods` replaces their lead times, which are otherwise rounded
    up to whole periods. Every unit pays its share of the lane's fixed cost.

    Raises ValueError, in words for people, where the network has no sales, or none that
    a cycle can be made of.
    """
    if network.sales_grain is None:
        raise ValueError("the network has no sales history; a backtest plays past sales again")
    sales, calendar = _sales(network), _CALENDARS[network.sales_grain]
    periods = sales.units.shape[2]
    cycle = min(calendar.cycle, periods // 2)
    history = min(calendar.history, periods - cycle)
    if cycle < 2:
        raise ValueError(f"the network has {periods} periods of sales; a backtest needs at least 4")
    lanes = _lanes(network, calendar, lead_time_periods)
    prices = _move_costs(network) * cost_factor
    found = []
    for start in sorted(range(periods - cycle, history - 1, -cycle)):
        window = _window(network, sales, costs, (start - history, start, start + cycle), (lanes, prices))
        if window is not None:
            found.append(replace(window, level_prior=calendar.level_prior))
    if not found:
        raise ValueError(f"no SKU sells at {SITES_MIN} sites or more, so there is nothing to balance")
    return tuple(found)


def _sales(network: NetworkFolder) -> _Sales:
    assert network.sales_grain is not None  # noqa: S101  looked at by the caller
    days = _CALENDARS[network.sales_grain].period_days
    first = min(row.on for row in network.sales)
    last = max(row.on for row in network.sales)
    sku_number = {sku.sku_id: number for number, sku in enumerate(network.skus)}
    site_number = {site.site_id: number for number, site in enumerate(network.sites)}
    shape = (len(network.skus), len(network.sites), (last - first).days // days + 1)
    units = np.zeros(shape, dtype=np.int64)
    in_stock = np.ones(shape, dtype=bool)
    for row in network.sales:
        at = sku_number[row.sku_id], site_number[row.site_id], (row.on - first).days // days
        units[at] += row.units
        in_stock[at] &= row.in_stock
    return _Sales(units, in_stock)


def _window(
    network: NetworkFolder,
    sales: _Sales,
    costs: Mapping[str, SkuCosts],
    bounds: tuple[int, int, int],
    ways: tuple[Lanes, FloatArray],
) -> Cycle | None:
    """One cycle, or None where no SKU sells at enough sites. `bounds`: first period of history and of the cycle, its end."""
    begin, start, end = bounds
    history, in_stock = sales.units[:, :, begin:start], sales.in_stock[:, :, begin:start]
    mean = (history * in_stock).sum(axis=2) / np.maximum(in_stock.sum(axis=2), 1)
    carried = mean > HISTORY_MEAN_MIN
    skus = np.flatnonzero(carried.sum(axis=1) >= SITES_MIN)
    if not len(skus):
        return None
    base = np.where(carried, np.maximum(mean, SHARE_BASE_MIN), 0.0)[skus]
    share = base / base.sum(axis=1, keepdims=True)
    demand = np.where(carried[:, :, None], sales.units[:, :, start:end], 0)[skus].transpose(0, 2, 1)
    forecast = demand.sum(axis=2)[:, :, None] * share[:, None, :]
    forecast = np.where(carried[skus][:, None, :], np.maximum(forecast, FORECAST_MIN), 0.0)
    dispersion = _dispersion(np.where(carried[:, :, None], history, 0)[skus], in_stock[skus], share)
    priced = [costs[network.skus[sku].sku_id] for sku in skus]
    return Cycle(
        demand=demand, forecast=forecast, dispersion=dispersion, stock=start_stock(forecast, dispersion),
        lost_cost=np.array([each.lost_e4 / E4 for each in priced]),
        left_cost=np.array([each.left_e4 / E4 for each in priced]), lanes=ways[0], move_cost=ways[1][skus],
    )  # fmt: skip


def _dispersion(history: IntArray, in_stock: BoolArray, share: FloatArray) -> FloatArray:
    """(K,): mean of the squared error over the expected sales, at periods and sites in stock."""
    expected = history.sum(axis=1)[:, None, :] * share[:, :, None]
    counts = in_stock & (share > 0)[:, :, None]
    ratio = np.where(counts, (history - expected) ** 2 / np.maximum(expected, EXPECTED_MIN), 0.0)
    mean: FloatArray = ratio.sum(axis=(1, 2)) / np.maximum(counts.sum(axis=(1, 2)), 1)
    return np.clip(mean, *DISPERSION_RANGE)


def _lanes(network: NetworkFolder, calendar: _Calendar, lead_time_periods: int | None) -> Lanes:
    number = {site.site_id: position for position, site in enumerate(network.sites)}
    leads = [
        ceil(lane.lead_time_days / calendar.period_days) if lead_time_periods is None else lead_time_periods
        for lane in network.lanes
    ]
    return Lanes(
        np.array([number[lane.origin] for lane in network.lanes], dtype=np.int64),
        np.array([number[lane.destination] for lane in network.lanes], dtype=np.int64),
        np.array(leads, dtype=np.int64),
        np.zeros(len(network.lanes)),
    )


def _move_costs(network: NetworkFolder) -> FloatArray:
    """(K, L): money per unit, infinite where the lane does not take the SKU's category."""
    return np.array([[_move_cost(sku, lane) for lane in network.lanes] for sku in network.skus]).reshape(
        len(network.skus), len(network.lanes)
    )


def _move_cost(sku: Sku, lane: Lane) -> float:
    if lane.allowed_categories and sku.category not in lane.allowed_categories:
        return float("inf")
    litres = sku.unit_volume_microlitres / MICROLITRES or 1.0
    shared = lane.cost_fixed_e4 * litres / FAIR_LOAD_LITRES
    return (lane.cost_per_unit_e4 + lane.cost_per_litre_e4 * litres + shared) / E4
