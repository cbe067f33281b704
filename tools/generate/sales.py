"""Weekly sales before the stock was counted: seasonal, over-dispersed, and cut off where stock ran out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tools.generate.assortment import Assortment
from tools.generate.goods import Goods
from tools.generate.imbalance import Condition, Conditions
from tools.generate.places import IntArray, Places
from tools.inventory import SalesObservation

WEEKS = 26
STOCK_OUT_SHARE = 0.04
_LEAST_MEAN = 0.01
_RECENT_STOCK_OUT_SHARE = 0.5


def draw_sales(
    rng: Generator, places: Places, goods: Goods, assortment: Assortment, conditions: Conditions, as_of: datetime
) -> tuple[SalesObservation, ...]:
    """An observation for every week of every site-SKU, weeks without a sale included.

    Demand is negative binomial with the SKU's variance-to-mean ratio. In a week with a
    stock-out only part of it was sold. A stranded site-SKU sold nothing for three
    months or more.
    """
    count = len(assortment)
    season = 1.0 + 0.1 * np.sin(np.arange(WEEKS) * 2.0 * np.pi / 52.0) + rng.normal(0.0, 0.04, WEEKS)
    mean = np.maximum(assortment.weekly_units[:, None] * season[None, :], _LEAST_MEAN)
    dispersion = goods.dispersion[assortment.sku][:, None]
    demand = rng.negative_binomial(mean / (dispersion - 1.0), 1.0 / dispersion)
    stock_out = rng.random((count, WEEKS)) < STOCK_OUT_SHARE
    short = conditions.condition == Condition.SHORT
    stock_out[:, -1] |= short & (rng.random(count) < _RECENT_STOCK_OUT_SHARE)
    part = rng.uniform(0.0, 0.6, (count, WEEKS))
    sold = np.where(stock_out, np.floor(demand * part), demand).astype(np.int64)
    dead_weeks = np.where(conditions.condition == Condition.STRANDED, rng.integers(13, 21, count), 0)
    dead = np.arange(WEEKS)[None, :] >= WEEKS - dead_weeks[:, None]
    return _observations(places, goods, assortment, np.where(dead, 0, sold), stock_out & ~dead, week_starts(as_of))


def week_starts(as_of: datetime) -> list[date]:
    """The Mondays of the last full weeks before `as_of` (in UTC), oldest first."""
    today = as_of.astimezone(UTC).date()
    this_week = today - timedelta(days=today.weekday())
    return [this_week - timedelta(weeks=ago) for ago in range(WEEKS, 0, -1)]


def _observations(
    places: Places,
    goods: Goods,
    assortment: Assortment,
    sold: IntArray,
    stock_out: NDArray[np.bool_],
    weeks: list[date],
) -> tuple[SalesObservation, ...]:
    return tuple(
        SalesObservation(places.sites[site].site_id, goods.skus[sku].sku_id, on, units, not out)
        for site, sku, of_entry, out_of_stock in zip(
            assortment.site.tolist(), assortment.sku.tolist(), sold.tolist(), stock_out.tolist(), strict=True
        )
        for on, units, out in zip(weeks, of_entry, out_of_stock, strict=True)
    )
