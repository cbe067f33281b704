"""Made-up cycles from a seed: the same arguments give the same cycle."""

from __future__ import annotations

import numpy as np
from numpy.random import default_rng

from tools.demand import FloatArray
from tools.simulation.cycle import Cycle, IntArray, complete_lanes

MS_MEAN = 24
MS_PERIODS = 28
MS_STOCK = 697
MS_LOST_COST = 80.0
MS_LEFT_COST = 5.0
MS_PLACES_SEED = 42


def meissner_senicheva(
    sites: int, cycles: int, cost_per_distance: float, seed: int, lead_time_periods: int = 0
) -> Cycle:
    """Instances after Meissner and Senicheva (2018): Poisson demand of 24 a day, 697 units at every site, 28 days.

    Each of the `cycles` is one SKU of the result. The level is known. The places of the
    sites come from a fixed seed, so that all demand seeds share one network. A unit left
    is charged once, at the end.
    """
    distance = _distances(default_rng(MS_PLACES_SEED).uniform(0.0, 100.0, (sites, 2)))
    demand = default_rng(seed).poisson(MS_MEAN, (cycles, MS_PERIODS, sites)).astype(np.int64)
    lanes = complete_lanes(distance, lead_time_periods)
    cost = cost_per_distance * distance[lanes.origin, lanes.destination]
    return Cycle(
        demand=demand, forecast=np.full(demand.shape, float(MS_MEAN)), dispersion=np.ones(cycles),
        stock=np.full((cycles, sites), MS_STOCK, dtype=np.int64), lost_cost=np.full(cycles, MS_LOST_COST),
        left_cost=np.full(cycles, MS_LEFT_COST), lanes=lanes, move_cost=np.tile(cost, (cycles, 1)),
    )  # fmt: skip


def retail(
    skus: int,
    cost_factor: float,
    seed: int,
    lead_time_periods: int = 0,
    lane_day_cost: float = 0.0,
    sites: int = 10,
) -> Cycle:
    """A chain like those of daily retail data: lognormal sellers, overdispersed demand, an uncertain level, 14 days.

    A unit costs `cost_factor` x price x (.03 + .0012 distance) to move; a lane costs
    `lane_day_cost` x (1 + distance / 50) for each day it is used. Margin is 35 % of the
    price, a unit left costs 5 %.
    """
    rng = default_rng(seed)
    distance = _distances(rng.uniform(0.0, 100.0, (sites, 2)))
    size = rng.lognormal(0.0, 0.4, sites)
    periods = 14
    demand = np.empty((skus, periods, sites), dtype=np.int64)
    forecast = np.empty((skus, periods, sites))
    dispersion, price = np.empty(skus), np.empty(skus)
    for sku in range(skus):
        mean = np.exp(rng.normal(0.0, 1.0)) * size * rng.lognormal(0.0, 0.3, sites)
        true = mean * rng.lognormal(-(0.25**2) / 2, 0.25, sites)
        dispersion[sku] = rng.uniform(1.3, 3.0)
        price[sku] = np.exp(rng.normal(np.log(8.0), 0.6))
        count = np.maximum(true / (dispersion[sku] - 1.0), 0.001)
        demand[sku] = rng.negative_binomial(count, 1.0 / dispersion[sku], (periods, sites))
        forecast[sku] = mean
    lanes = complete_lanes(distance, lead_time_periods, lane_day_cost * (1.0 + distance / 50.0))
    per_price = cost_factor * (0.03 + 0.0012 * distance[lanes.origin, lanes.destination])
    return Cycle(
        demand=demand, forecast=forecast, dispersion=dispersion, stock=start_stock(forecast, dispersion),
        lost_cost=0.35 * price, left_cost=0.05 * price, lanes=lanes, move_cost=price[:, None] * per_price,
        level_prior=16.0,
    )  # fmt: skip


def start_stock(forecast: FloatArray, dispersion: FloatArray, safety: float = 0.3) -> IntArray:
    """(K, S): the cycle's mean demand and `safety` standard deviations, rounded."""
    mean = forecast.sum(axis=1)
    stock: IntArray = np.round(mean + safety * np.sqrt(dispersion[:, None] * mean)).astype(np.int64)
    return stock


def _distances(places: FloatArray) -> FloatArray:
    apart: FloatArray = np.sqrt(((places[:, None, :] - places[None, :, :]) ** 2).sum(axis=2))
    return apart
