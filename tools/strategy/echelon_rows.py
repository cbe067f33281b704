"""Safety stock by demand class and site, and the SKUs where its place matters most, from the placement of a network."""

from __future__ import annotations

import numpy as np

from tools.demand import FloatArray
from tools.inventory import Snapshot
from tools.money import minor_from_e4
from tools.strategy.network import SafetyStocks
from tools.strategy.requests import StrategyRules
from tools.strategy.results import EchelonRow, Echelons, Placed, PlacementLine
from tools.strategy.site_skus import CLASSES

HELD_UNITS = 1e-9
"""Below this a safety stock is none, and only the noise of floats."""


def echelons(snapshot: Snapshot, stocks: SafetyStocks, rules: StrategyRules, lines_max: int) -> Echelons:
    """The three placements summed up, by demand class and site, and as many single SKUs as asked for."""
    currency = snapshot.currency
    placed, alone, unpooled = (
        Placed(
            safety_stock_units=round(float(units.sum())),
            investment_minor=_minor(units * stocks.cost_e4, currency),
            daily_holding_minor=_minor(units * stocks.daily_holding_e4, currency),
        )
        for units in (stocks.placed, stocks.alone, stocks.unpooled)
    )
    lines, not_shown = _lines(stocks, lines_max)
    return Echelons(
        placed=placed,
        alone=alone,
        unpooled=unpooled,
        saving_to_alone_minor=alone.daily_holding_minor - placed.daily_holding_minor,
        saving_to_unpooled_minor=unpooled.daily_holding_minor - placed.daily_holding_minor,
        rows=_rows(snapshot, stocks, rules),
        lines=lines,
        lines_not_shown=not_shown,
    )


def _minor(amounts_e4: FloatArray, currency: str) -> int:
    return minor_from_e4(round(float(amounts_e4.sum())), currency)


def _rows(snapshot: Snapshot, stocks: SafetyStocks, rules: StrategyRules) -> tuple[EchelonRow, ...]:
    sites = [site.site_id for site in snapshot.sites]
    index_of = {site_id: index for index, site_id in enumerate(sites)}
    class_of = {sku_id: CLASSES.index(each) for sku_id, each in rules.classes.items()}
    codes = np.fromiter((class_of[key.sku_id] * len(sites) + index_of[key.site_id] for key in stocks.keys), np.int64)
    groups, of_row = np.unique(codes, return_inverse=True)

    def sums(values: FloatArray) -> list[float]:
        found: list[float] = np.bincount(of_row, values, minlength=len(groups)).tolist()
        return found

    rows = zip(
        groups.tolist(), sums(np.ones(len(codes))), sums((stocks.placed > HELD_UNITS).astype(np.float64)),
        sums(stocks.placed), sums(stocks.alone), sums(stocks.unpooled), sums(stocks.placed * stocks.cost_e4),
        strict=True,
    )  # fmt: skip
    return tuple(
        EchelonRow(
            demand_class=CLASSES[group // len(sites)],
            site_id=sites[group % len(sites)],
            kind=snapshot.site_by_id[sites[group % len(sites)]].kind,
            skus=round(skus),
            skus_held=round(held),
            placed_units=round(placed),
            alone_units=round(alone),
            unpooled_units=round(unpooled),
            placed_minor=minor_from_e4(round(invested_e4), snapshot.currency),
        )
        for group, skus, held, placed, alone, unpooled, invested_e4 in rows
    )


def _lines(stocks: SafetyStocks, lines_max: int) -> tuple[tuple[PlacementLine, ...], int]:
    """Site-SKUs by the money that lies in their safety stock, most first."""
    invested = stocks.placed * stocks.cost_e4
    order = np.argsort(-invested, kind="stable")
    lines = tuple(
        PlacementLine(
            site_id=stocks.keys[row].site_id,
            sku_id=stocks.keys[row].sku_id,
            promise_days=int(stocks.promise_days[row]),
            net_days=int(stocks.net_days[row]),
            safety_stock_units=_up(stocks.placed[row]),
            alone_units=_up(stocks.alone[row]),
            unpooled_units=_up(stocks.unpooled[row]),
            order_up_to_units=_up(stocks.mean[row] + stocks.placed[row]),
        )
        for row in order[:lines_max].tolist()
    )
    return lines, len(order) - len(lines)


def _up(units: float) -> int:
    """Whole units, rounded up but for the noise of floats."""
    return int(np.ceil(units - HELD_UNITS))
